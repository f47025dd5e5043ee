"""The small copies the history shows: their size, their format, and when they are made again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image

from sdstudio.core.errors import PictureUnreadable, SaveFailed
from sdstudio.core.files import write_whole
from sdstudio.core.pictures.opening import on_white, opened_picture

SIDE: Final = 256
SUFFIX: Final = ".jpg"


def write_thumbnail(path: Path, pixels: Image.Image) -> None:
    """Write a copy of at most 256 pixels a side; smaller pictures keep their size.

    Raises:
        SaveFailed: It cannot be written.
    """
    content = thumbnail_bytes(pixels)

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_whole(path, write, lasting=False)


def thumbnail_bytes(pixels: Image.Image) -> bytes:
    """Return what a thumbnail's file holds: the same for the same pixels."""
    content = io.BytesIO()
    reduced(pixels).save(content, "JPEG", quality=90, subsampling=0)
    return content.getvalue()


def reduced(pixels: Image.Image) -> Image.Image:
    """Return a copy in RGB of at most 256 pixels a side."""
    small = on_white(pixels).copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def ensure_thumbnail(path: Path, picture: Path) -> Path:
    """Return ``path``, made again from ``picture`` when it is missing.

    Raises:
        SaveFailed: It cannot be written, or the picture cannot be read.
    """
    if path.is_file() and path.stat().st_size:  # a power cut can leave an empty one
        return path
    try:
        with opened_picture(picture) as pixels:
            small = reduced(pixels)
    except PictureUnreadable as error:
        raise SaveFailed(f"Picture = {picture}: {error.message.partition(': ')[2]}", "Delete its entry.") from error
    write_thumbnail(path, small)
    return path
