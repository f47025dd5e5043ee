"""What a picture's file is called, and which names cannot be."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from sdstudio.core.errors import SaveFailed
from sdstudio.core.files import save_failed
from sdstudio.core.request import Recipe

SLUG_LENGTH: Final = 60


def file_name(entry_id: int, recipe: Recipe, suffix: str) -> str:
    """Return a plain ASCII name: number, beginning of the prompt, seed."""
    plain = unicodedata.normalize("NFKD", recipe.request.prompt[:1000]).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:SLUG_LENGTH].strip("-")
    parts = (f"{entry_id:06d}", slug, "" if recipe.request.seed is None else str(recipe.request.seed))
    return "-".join(part for part in parts if part) + suffix


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
    try:
        str(out).encode("utf-8")
    except UnicodeEncodeError as error:
        raise save_failed(out, OSError(errno.EILSEQ, "not UTF-8")) from error
    if not os.path.isdir(out) and out.suffix.lower() != ".png":
        raise SaveFailed(f"File = {out}: pictures are saved as .png.", f"Use {out.with_suffix('.png').name}.")
