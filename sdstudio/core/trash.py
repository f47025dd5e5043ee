"""How a file or folder comes back from the system's trash to where it was."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def take_out(original: Path, trashed_to: Path | None) -> bool:
    """Bring something back from the trash.

    Args:
        original: Where it was.
        trashed_to: Where it lies in the trash, ``None`` when the system did not return it.

    Returns:
        Whether it is where it was: False when it is no longer in the trash.

    Raises:
        OSError: It cannot be moved back.
    """
    if original.exists():
        return True
    if trashed_to is None or not trashed_to.exists():
        return False
    original.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(trashed_to, original)  # the trash may lie on another disk
    info = trashed_to.parent.with_name("info") / f"{trashed_to.name}.trashinfo"
    if info.parent.is_dir() and os.name == "posix":  # freedesktop.org keeps a note about each trashed file
        with suppress(OSError):
            info.unlink(missing_ok=True)
    return True
