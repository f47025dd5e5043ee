"""How a copy of a file becomes a second name of it (a hard link) and a file of its own again, in one step each.

The new name is made beside the copy and renamed over it: cut off at any moment, the file is there, as one or the other.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sdstudio.core.errors import SaveFailed


@dataclass(frozen=True, slots=True)
class Linked:
    """A copy that became a second name of ``original``; ``mtime_ns`` is the time of change it had."""

    original: Path
    copy: Path
    mtime_ns: int


def link(original: Path, copy: Path) -> Linked:
    """Make ``copy`` a second name of ``original``; that both hold the same bytes is for the caller to know.

    Raises:
        SaveFailed: They are one file already, lie on different disks, or the disk has no hard links.
    """
    try:
        here, there = original.lstat(), copy.lstat()
        if original.is_symlink() or copy.is_symlink() or not original.is_file() or not copy.is_file():
            raise SaveFailed(f"{copy}: only files can be linked.", "Leave it as it is.")
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            raise SaveFailed(f"{copy} is {original} already.", "There is nothing to do.")
        if here.st_dev != there.st_dev:
            raise SaveFailed(f"{copy} lies on another disk than {original}: hard links need one.", "Keep both.")
        temporary = _beside(copy)
        os.link(original, temporary)
        _renamed(temporary, copy)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK):
            raise SaveFailed(f"{copy}: this disk makes no hard link here ({error.strerror}).", "Keep both.") from error
        raise SaveFailed(f"{copy} could not be replaced: {error.strerror}.", "Allow writing to its folder.") from error
    return Linked(original, copy, there.st_mtime_ns)


def part(linked: Linked) -> None:
    """Make the second name a file of its own again, with the time of change it had.

    Raises:
        SaveFailed: The disk is full, or the file is gone.
    """
    temporary = _beside(linked.copy)
    try:
        needed = linked.copy.stat().st_size
        free = shutil.disk_usage(linked.copy.parent).free
        if free < needed:
            message = f"{linked.copy} needs {needed:,} bytes of its own, and {free:,} are free."
            raise SaveFailed(message, "Free some space, then undo again.")
        shutil.copyfile(linked.copy, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.utime(temporary, ns=(linked.mtime_ns, linked.mtime_ns))
        _renamed(temporary, linked.copy)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise SaveFailed(f"{linked.copy} could not be copied: {error.strerror}.", "Free some space.") from error


def _beside(path: Path) -> Path:
    return path.with_name(f".sdstudio-{os.getpid()}-{os.urandom(4).hex()}.link")


def _renamed(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
