"""What a query finds: every word of it as typed, in prompt, negative prompt or model name, or as the seed.

``folder:words`` finds what was imported from a folder whose path has the words in it; in quotes they may have blanks.

Index and words are folded (`sdstudio.core.folding`). The index knows trigrams. A word of one or two characters is less
than one, so it is asked for as any of the trigrams that begin with it, which the index can list. One letter of the
alphabet begins so many that a scan is faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sdstudio.core.folding import folded

QUERY_MAXIMUM: Final = 1000
"""Longest query in characters; SQLite refuses LIKE patterns of 50,000."""

WORDS_MAXIMUM: Final = 32
TRIGRAM: Final = 3
TERMS_MAXIMUM: Final = 64
"""Most trigrams a short word is asked for as. Measured at 100,000 rows: a scan takes 70 ms, such a question 10."""

_FOLDER: Final = re.compile(r'(?<!\S)folder:(?:"([^"]*)"?|(\S*))')

_TEXTS: Final = ("prompt", "negative_prompt", "model_name")

Condition = tuple[str, list[str | int]]
"""SQL that is true or false of a row, and its values."""

TermsOf = Callable[[str, int], Sequence[str]]
"""(beginning, limit) -> at most so many trigrams of the index that begin with it."""


@dataclass
class Asked:
    """A query as SQL.

    Attributes:
        match: Expression for the text index, "" for none.
        texts: Conditions on the columns of ``entries_text``, each with its values.
        ids: Conditions on ``id``, each with its values.
        is_vain: Whether a word of it occurs nowhere.
    """

    match: str = ""
    texts: list[Condition] = field(default_factory=list)
    ids: list[Condition] = field(default_factory=list)
    is_vain: bool = False


def asked(query: str, terms_of: TermsOf) -> Asked:
    """Read a query; any text is one."""
    clean = folded(query[:QUERY_MAXIMUM].replace("\0", " ").encode("utf-8", "replace").decode("utf-8"))
    condition = Asked()
    condition.ids += [_within(quoted or plain) for quoted, plain in _FOLDER.findall(clean)[:WORDS_MAXIMUM]]
    matches: list[str] = []
    for word in _FOLDER.sub(" ", clean).split()[:WORDS_MAXIMUM]:
        match, scan = _word(word, terms_of)
        if word.isascii() and word.isdigit():
            condition.ids.append(_number(word, match, scan))
        elif scan is not None:
            condition.texts.append(scan)
        elif match:
            matches.append(match)
        else:
            condition.is_vain = True
    condition.match = " AND ".join(matches)
    return condition


def _within(words: str) -> Condition:
    """Return what an imported picture's folder has in its path; any folder where nothing is typed of it yet."""
    words = words.replace("\\", "/")  # they are noted with "/" on every system
    return "id IN (SELECT id FROM entries WHERE folder LIKE ? ESCAPE '\\')", [f"%{_escaped(words)}%"]


def _word(word: str, terms_of: TermsOf) -> tuple[str, Condition | None]:
    """Return the expression that finds a word, "" for one that is nowhere, and what to test instead if anything."""
    if len(word) >= TRIGRAM:
        return _phrase(word), None
    if len(word) == 1 and word.isascii() and word.isalnum():
        return "", _scan(word)
    terms = terms_of(_as_tokenized(word), TERMS_MAXIMUM + 1)
    if len(terms) > TERMS_MAXIMUM:
        return "", _scan(word)
    return "(" + " OR ".join(map(_phrase, terms)) + ")" if terms else "", None


def _number(word: str, match: str, scan: Condition | None) -> Condition:
    seed = word.lstrip("0") or "0"
    by_seed = "id IN (SELECT id FROM entries WHERE request_seed = ?)"
    if not match and scan is None:
        return by_seed, [seed]
    test, values = scan if scan is not None else ("entries_text MATCH ?", [match])
    return f"(id IN (SELECT rowid FROM entries_text WHERE {test}) OR {by_seed})", [*values, seed]


def _as_tokenized(word: str) -> str:
    """Fold case as the trigram tokenizer does: each character to one character."""
    return "".join(other if len(other := letter.casefold()) == 1 else letter for letter in word)


def _phrase(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'  # a phrase, so that AND, NEAR(, - and * are plain text


def _scan(word: str) -> Condition:
    test = " OR ".join(f"{text} LIKE ? ESCAPE '\\'" for text in _TEXTS)
    return f"({test})", ["%" + _escaped(word) + "%"] * len(_TEXTS)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
