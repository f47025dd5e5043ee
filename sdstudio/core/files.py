"""How a file comes to be whole or not at all, and what the system's refusals mean in words."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from sdstudio.core.errors import SaveFailed

TEMPORARY: Final = ".tmp"
"""Ending of a file that is being written; whatever bears it after a crash can go."""

_PIECE_BYTES: Final = 1 << 20

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


def write_whole(path: Path, write: Callable[[BinaryIO], object], lasting: bool = True) -> None:
    """Write a file so that it is there entirely, on disk for good, or not at all.

    Args:
        path: A file, replaced when it exists. Its folder is made when missing.
        write: Writes the content.
        lasting: Wait until it would survive a power cut; not worth it for what can be made again.

    Raises:
        SaveFailed: Disk full, folder not writable, name impossible or that of a device. Nothing is left behind.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # else root would have a file for /dev/null
            raise SaveFailed(f"File = {path}: it is a device or a pipe, no file.", "Choose another name.")
        temporary = path.with_name(path.name + TEMPORARY)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                write(file)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if lasting:
            _sync_folder(path.parent)
    except (OSError, ValueError) as error:  # ValueError: no name, a NUL or a lone surrogate in it
        raise save_failed(path, error) from error


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file with its time, entirely or not at all.

    Raises:
        SaveFailed: See `write_whole`; also when the source cannot be read.
    """
    try:
        times = source.stat()
        file = source.open("rb")
    except OSError as error:
        name = str(source).encode("utf-8", "replace").decode("utf-8")
        raise SaveFailed(f"File = {name}: it cannot be read ({error.strerror}).", "Check that it is there.") from error
    with file:
        write_whole(path, lambda to: shutil.copyfileobj(file, to, _PIECE_BYTES))
    with suppress(OSError):
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def same_bytes(left: Path, right: Path) -> bool:
    """Return whether two files hold the same bytes; one that cannot be read equals no other."""
    try:
        return left.samefile(right) or filecmp.cmp(left, right, shallow=False)
    except (OSError, ValueError):
        return False


def is_utf8(path: str) -> bool:
    """Whether a path is text: Linux allows any bytes, and SQLite, JSON and most programs do not."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def save_failed(path: Path, error: Exception) -> SaveFailed:
    """Return in words why a file could not be written."""
    shown = str(path).encode("utf-8", "replace").decode("utf-8")
    code = error.errno if isinstance(error, OSError) else errno.EINVAL
    if code in _FULL:
        return SaveFailed(
            f"Disk full: {shown} was not saved.", "Free some space or choose another folder, then save it."
        )
    if code in _FORBIDDEN:
        folder = str(path.parent).encode("utf-8", "replace").decode("utf-8")
        return SaveFailed(f"Folder = {folder}: it is not writable.", "Allow writing to it or choose another folder.")
    if code in _NAME:
        return SaveFailed(f"File name = {shown[:120]!r}: this name cannot be used.", "Choose a shorter, plainer name.")
    if code in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return SaveFailed(f"File = {shown}: a file and a folder stand in each other's way.", "Choose another name.")
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return SaveFailed(f"File = {shown}: it could not be saved ({reason}).", "Choose another folder.")


def _sync_folder(folder: Path) -> None:
    # A renamed file survives a power cut only when its folder has been written too. Windows has no such call.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
