"""How the words and names of a history from before version 3 become as they are kept since: folded, and composed."""

from __future__ import annotations

import sqlite3
import string
import unicodedata
from typing import Final

from sdstudio.core.folding import folded

_TEXTS: Final = ("prompt", "negative_prompt", "model_name")
_AT_ONCE: Final = 1000
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold_words(db: sqlite3.Connection) -> None:
    """Fold the texts of ``entries_text`` that a query, which is folded, would not find as they stand."""
    # ASCII is the same but for its case, which the index folds, and so does LIKE.
    unlike = " OR ".join(f"{text} GLOB '*[^' || char(1) || '-' || char(127) || ']*'" for text in _TEXTS)
    newest = db.execute("SELECT max(rowid) FROM entries_text").fetchone()[0] or 0
    for first in range(0, newest + 1, _AT_ONCE):
        rows = db.execute(
            f"SELECT rowid, {', '.join(_TEXTS)} FROM entries_text WHERE rowid BETWEEN ? AND ? AND ({unlike})",
            (first, first + _AT_ONCE - 1),
        ).fetchall()
        texts = {row[0]: tuple(map(folded, row[1:])) for row in rows}
        changed = [row[0] for row in rows if texts[row[0]] != tuple(text.translate(_LOWER) for text in row[1:])]
        db.executemany(
            f"UPDATE entries_text SET {' = ?, '.join(_TEXTS)} = ? WHERE rowid = ?",
            [(*texts[rowid], rowid) for rowid in changed],
        )


def compose_names(db: sqlite3.Connection) -> None:
    """Compose the letters of tags and collections; of two tags that then read the same a picture has one."""
    for table, name in (("entry_tags", "tag"), ("collections", "name")):
        known = {row[0] for row in db.execute(f"SELECT DISTINCT {name} FROM {table}")}
        taken = {text.lower() for text in known} if table == "collections" else set()
        for text in known:
            composed = unicodedata.normalize("NFC", text)
            if composed != text and composed.lower() not in taken:
                db.execute(f"UPDATE OR REPLACE {table} SET {name} = ? WHERE {name} = ?", (composed, text))
                taken |= {composed.lower()} if table == "collections" else set()
