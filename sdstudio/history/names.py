"""What a picture's file is called, and which names cannot be."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from sdstudio.core.errors import SaveFailed
from sdstudio.core.files import is_utf8, save_failed
from sdstudio.core.request.request import Recipe

SLUG_LENGTH: Final = 60
_NUMBER: Final = re.compile(r"^([0-9]{1,15})-")
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
"""Bytes of a name that mean no letter, as Python holds them."""


def file_name(entry_id: int, recipe: Recipe, suffix: str) -> str:
    """Return a plain ASCII name: number, beginning of the prompt, seed."""
    plain = unicodedata.normalize("NFKD", recipe.request.prompt[:1000]).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:SLUG_LENGTH].strip("-")
    parts = (f"{entry_id:06d}", slug, "" if recipe.request.seed is None else str(recipe.request.seed))
    return "-".join(part for part in parts if part) + suffix


def number_of(file: Path) -> int | None:
    """Return the number that a picture's name begins with, ``None`` when it has none of ours."""
    number = _NUMBER.match(file.name)
    return int(number[1]) if number is not None else None


def nameable(path: str) -> str:
    """Return a path that the database, a zip and any disk can hold: what is not UTF-8 is written as %E9."""
    return _NOT_UTF8.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path)


def free_path(path: Path) -> Path:
    """Return a path that no picture of a lost database has taken."""
    found, number = path, 2
    while os.path.exists(found):  # a name that is too long is for the writing to say
        found, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return found


def check_out(out: Path | None) -> None:
    """Refuse a place for a picture that cannot be one. Raises: SaveFailed."""
    if out is None:
        return
    if not is_utf8(str(out)):
        raise save_failed(out, OSError(errno.EILSEQ, "not UTF-8"))
    if not os.path.isdir(out) and out.suffix.lower() != ".png":
        raise SaveFailed(f"File = {out}: pictures are saved as .png.", f"Use {out.with_suffix('.png').name}.")
