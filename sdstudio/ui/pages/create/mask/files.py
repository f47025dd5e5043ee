"""Masks out of pictures: what a file says as a mask, what is to be said about it, and a picture's own transparency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sdstudio.core.errors import PictureUnreadable, SaveFailed
from sdstudio.core.pictures.masks import as_mask
from sdstudio.core.pictures.opening import opened_picture, shown, upright
from sdstudio.ui.pages.create.mask.document import Pixels


@dataclass(frozen=True, slots=True)
class Loaded:
    """A mask that was read: its pixels, the name of its file, and what is to be said about it, "" for nothing."""

    pixels: Pixels
    name: str
    remark: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])

    def stretched(self, size: tuple[int, int]) -> Loaded:
        """Return it at another size. On any thread."""
        image = Image.fromarray(self.pixels).resize(size, Image.Resampling.BILINEAR)
        return Loaded(np.array(image), self.name, self.remark)


def loaded(path: Path) -> Loaded:
    """Read a file as a mask. On any thread.

    Raises:
        PictureUnreadable: It is damaged, no picture, or all black: nothing would be drawn anew.
    """
    name = shown(path.name)
    remarks = []
    with opened_picture(path) as image:
        if getattr(image, "n_frames", 1) > 1:
            remarks.append("It is animated: its first frame is the mask.")
        if image.mode.startswith("I"):
            remarks.append("Its 16 bits were made 8.")
        mask = as_mask(image)
        if image.has_transparency_data and np.array(image.convert("RGBA").getchannel("A")).min() < 255:
            remarks.append("Its opaque part is the mask.")
    pixels = np.array(mask)
    if not pixels.any():
        raise PictureUnreadable(f"{name}: it is all black, so that nothing would be drawn anew.")
    if pixels.min() == 255:
        remarks.append("It is all white: all of the picture is drawn anew.")
    return Loaded(pixels, name, " ".join(remarks))


def transparent_part(path: Path) -> Pixels:
    """Return what is transparent in a picture, as a mask. On any thread. Raises: PictureUnreadable."""
    with opened_picture(path) as image:
        clear = upright(image)
        if clear.has_transparency_data:
            alpha = np.array(clear.convert("RGBA").getchannel("A"))
            if alpha.min() < 255:
                return 255 - alpha
    raise PictureUnreadable("The input picture: nothing of it is transparent.")


def save(pixels: Pixels, path: Path) -> None:
    """Write a mask as a PNG. On any thread. Raises: SaveFailed."""
    try:
        Image.fromarray(pixels).save(path, "PNG")
    except OSError as error:
        message = f"The mask could not be saved to {path}: {error.strerror or error}."
        raise SaveFailed(message, "Choose another folder, or free space.") from error
