"""Which names of pictures are free, which are none, and which the history can hold."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sdstudio.core.errors import SaveFailed
from sdstudio.core.files import is_utf8, save_failed

_NUMBER: Final = re.compile(r"^([0-9]{1,15})-")
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
"""Bytes of a name that mean no letter, as Python holds them."""


def number_of(file: Path) -> int | None:
    """Return the number that a picture's name begins with, ``None`` when it has none of ours."""
    number = _NUMBER.match(file.name)
    return int(number[1]) if number is not None else None


def nameable(path: str) -> str:
    """Return a path that the database, a zip and any disk can hold: what is not UTF-8 is written as %E9."""
    return _NOT_UTF8.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path)


def free_path(path: Path, is_known: Callable[[Path], bool] = lambda _path: False) -> Path:
    """Return a path that no file has, of a lost database's pictures for one, and that is not known otherwise."""
    free, number = path, 2
    while os.path.exists(free) or is_known(free):  # a name that is too long is reported when it is written
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free


def check_out(out: Path | None) -> None:
    """Refuse a place for a picture that cannot be one. Raises: SaveFailed."""
    if out is None:
        return
    if not is_utf8(str(out)):
        raise save_failed(out, OSError(errno.EILSEQ, "not UTF-8"))
    if not os.path.isdir(out) and out.suffix.lower() != ".png":
        raise SaveFailed(f"File = {out}: pictures are saved as .png.", f"Use {out.with_suffix('.png').name}.")
