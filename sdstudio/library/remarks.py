"""The user's remarks about models: notes, a cover, own values, favourites. Kept in the data folder, never beside them.

SQLite rather than a file for each model: the window and a command may write at once, and a remark is looked up in two
ways. A model is known by its sha256, so that a remark follows it to another name or folder, and by its path as long as
nobody has read the gigabytes its hash takes.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from PIL import Image

from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.files import is_utf8
from sdstudio.core.json_text import json_of
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.request import GenerationRequest

log = logging.getLogger(__name__)

OWN_VALUES: Final = ("width", "height", "steps", "guidance_scale", "scheduler", "schedule", "clip_skip")
"""Fields of a request that a model may have values of its own for."""

NOTES_MAXIMUM: Final = 20_000
COVER_SIDE: Final = 512
_PIXELS_MAXIMUM: Final = 64_000_000
_VERSION: Final = 2
_INSERT: Final = "INSERT INTO remarks (sha256, path, notes, cover, defaults, favourite) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Remark:
    """The remarks about one model or other asset.

    Attributes:
        notes: In the user's words.
        cover: A picture for it, ``None`` for none.
        defaults: Request field -> the value to begin with.
        favourite: Whether it stands at the head of lists.
    """

    notes: str = ""
    cover: Path | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    favourite: bool = False


class Remarks:
    """Reads and keeps remarks. Every method may be called from any thread.

    Args:
        paths: The data folder; nothing is written before the first remark.
    """

    def __init__(self, paths: StudioPaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()

    def of(self, path: Path, sha256: str = "") -> Remark:
        """Return the remark about the file with this hash, else at this path; an empty one for none."""
        try:
            with self._connected() as db:
                row = _found(db, path, sha256) if db is not None else None
        except sqlite3.Error as error:  # notes that cannot be read must not keep a model from being used
            log.warning("no remarks: %s: %s", self._paths.remarks, error)
            return Remark()
        return self._remark(row) if row is not None and _is_whole(row) else Remark()

    def everything(self) -> tuple[Mapping[str, Remark], Mapping[str, Remark]]:
        """Return all remarks there are, by sha256 and by path."""
        try:
            with self._connected() as db:
                rows = db.execute("SELECT * FROM remarks ORDER BY id").fetchall() if db is not None else []
        except sqlite3.Error as error:
            log.warning("no remarks: %s: %s", self._paths.remarks, error)
            rows = []
        whole = [(row["sha256"], row["path"], self._remark(row)) for row in rows if _is_whole(row)]
        by_path = {os.fsdecode(path): remark for _sha, path, remark in whole}
        return {sha: remark for sha, _path, remark in whole if sha}, by_path

    def keep(self, path: Path, sha256: str, remark: Remark) -> None:
        """Keep a remark about a file, in place of the one before.

        Raises:
            SaveFailed: It cannot be written, or is too long.
        """
        if len(remark.notes) > NOTES_MAXIMUM:
            message = f"Notes = {len(remark.notes):,} characters: allowed are {NOTES_MAXIMUM:,}."
            raise SaveFailed(message, "Shorten them.")
        values = (
            sha256, _stored(path), remark.notes.encode("utf-8", "replace").decode("utf-8"),
            remark.cover.name if remark.cover is not None else "", json.dumps(dict(remark.defaults)),
            int(remark.favourite),
        )  # fmt: skip
        try:
            self._paths.home.mkdir(parents=True, exist_ok=True)
            with self._connected(create=True) as db:
                assert db is not None
                before = _found(db, path, sha256)
                if before is not None:
                    db.execute("DELETE FROM remarks WHERE id = ?", (before["id"],))
                db.execute(_INSERT, values)
        except (sqlite3.Error, OSError) as error:
            message = f"What you say about {path.name[:80]} could not be kept in {self._paths.remarks}: {error}."
            raise SaveFailed(message, "Free some space or make the folder writable.") from error

    def cover_from(self, picture: Path) -> Path:
        """Return a small copy of a picture, made in the data folder so that it outlives the picture.

        Raises:
            SaveFailed: It is no picture, too large a one, or the copy cannot be written.
        """
        try:
            with Image.open(picture) as opened:
                if opened.width * opened.height > _PIXELS_MAXIMUM:
                    raise SaveFailed(f"Cover = {picture}: it is too large.", "Choose a smaller picture.")
                small = opened.convert("RGB")
            small.thumbnail((COVER_SIDE, COVER_SIDE), Image.Resampling.LANCZOS)
            self._paths.covers.mkdir(parents=True, exist_ok=True)
            target = self._paths.covers / f"{os.urandom(8).hex()}.jpg"
            temporary = target.with_suffix(".tmp")
            small.save(temporary, "JPEG", quality=90)
            os.replace(temporary, target)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            message = f"Cover = {picture}: it could not be used ({error})."
            raise SaveFailed(message, "Choose another picture.") from error
        return target

    def _remark(self, row: sqlite3.Row) -> Remark:
        cover = self._paths.covers / Path(row["cover"]).name if row["cover"] else None
        path = cover if cover is not None and cover.is_file() else None
        return Remark(row["notes"], path, _checked(row["defaults"]), bool(row["favourite"]))

    @contextmanager
    def _connected(self, create: bool = False) -> Iterator[sqlite3.Connection | None]:
        """Open the database for one look; ``None`` when there is none yet and none is to be made."""
        if not create and not self._paths.remarks.is_file():
            yield None
            return
        with self._lock:
            db = sqlite3.connect(self._paths.remarks, timeout=5.0)
            try:
                db.row_factory = sqlite3.Row
                _prepare(db)
                with db:
                    yield db
            finally:
                db.close()


def own_values(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return those of a request's values that a model may have for its own, checked. Raises: InvalidRequest."""
    wanted = {name: values[name] for name in OWN_VALUES if values.get(name) is not None}
    request = GenerationRequest.checked(wanted)
    return MappingProxyType({name: getattr(request, name) for name in wanted})


def _checked(text: str) -> Mapping[str, Any]:
    """Return own values as they were kept; one that is no longer allowed is left out."""
    try:
        raw = json_of(text)
    except ValueError:
        return MappingProxyType({})
    kept: dict[str, Any] = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        with suppress(InvalidRequest):
            kept.update(own_values({name: value}))
    return MappingProxyType(kept)


def _prepare(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] >= _VERSION:
        return
    db.execute(
        """CREATE TABLE IF NOT EXISTS remarks (
            id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, path TEXT NOT NULL,
            notes TEXT NOT NULL, cover TEXT NOT NULL, defaults TEXT NOT NULL
        )"""
    )
    if "favourite" not in {row["name"] for row in db.execute("PRAGMA table_info(remarks)")}:  # a file of version 1
        db.execute("ALTER TABLE remarks ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX IF NOT EXISTS remarks_sha256 ON remarks (sha256)")
    db.execute("CREATE INDEX IF NOT EXISTS remarks_path ON remarks (path)")
    db.execute(f"PRAGMA user_version = {_VERSION}")


def _is_whole(row: sqlite3.Row) -> bool:
    """Whether a row holds what was put there: SQLite keeps whatever a damaged file or another program left."""
    texts = all(isinstance(row[name], str) for name in ("sha256", "notes", "cover", "defaults"))
    return texts and isinstance(row["path"], str | bytes)


def _stored(path: Path) -> str | bytes:
    """Return a path as SQLite can hold it: where it is not UTF-8, its bytes."""
    return str(path) if is_utf8(str(path)) else os.fsencode(path)


def _found(db: sqlite3.Connection, path: Path, sha256: str) -> sqlite3.Row | None:
    """Return the row of this hash, else that of this path unless it belongs to another content."""
    for sql, value in (
        ("SELECT * FROM remarks WHERE sha256 = ? ORDER BY id DESC", sha256),
        ("SELECT * FROM remarks WHERE path = ? ORDER BY id DESC", _stored(path)),
    ):
        row: sqlite3.Row | None = db.execute(sql, (value,)).fetchone() if value else None
        if row is not None and (not sha256 or row["sha256"] in ("", sha256)):
            return row
    return None
