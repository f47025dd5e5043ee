"""The formats of picture files that are written, one row each, and how pixels and their texts are encoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from PIL import Image

from sdstudio.core.errors import SaveFailed
from sdstudio.core.pictures.opening import on_white
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.picture_text.pnginfo import exif_of, png_texts

QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """One row of what can be written.

    Attributes:
        key: As on the command line.
        title: As people call it.
        suffix: Of its files.
        lossy: Whether the quality counts.
        about: One sentence for the tooltip.
    """

    key: str
    title: str
    suffix: str
    lossy: bool
    about: str


FORMATS: Final = (
    PictureFormat("png", "PNG", ".png", False, "Every pixel as it was drawn; read by all programs of this kind."),
    PictureFormat("jpeg", "JPEG", ".jpg", True, "Small, for mail and the web; the parameters stand in its EXIF."),
    PictureFormat("webp", "WebP", ".webp", True, "Smaller still; at quality 100 every pixel as it was drawn."),
)
FORMAT_BY_KEY: Final = {row.key: row for row in FORMATS}
FORMAT_BY_SUFFIX: Final = {row.suffix: row for row in FORMATS} | {".jpeg": FORMAT_BY_KEY["jpeg"]}


def texts_for(format: str, recipe: Recipe, without: Collection[str] = ()) -> dict[str, Any]:
    """Return what Pillow's ``save`` takes to write a recipe into a file of a format, some of its fields left out."""
    return {"pnginfo": png_texts(recipe, without)} if format == "png" else {"exif": exif_of(recipe, without)}


def encode(to: BinaryIO, pixels: Image.Image, format: str, quality: int, carried: Mapping[str, Any]) -> None:
    """Encode pixels, (H, W) in colour, as a picture file.

    Args:
        to: Where to.
        pixels: What is drawn; a JPEG has no transparency.
        format: A key of `FORMATS`.
        quality: 1 to 100; a WebP of 100 loses nothing.
        carried: From `texts_for`; empty writes pixels alone.

    Raises:
        SaveFailed: The parameters are too long for a JPEG.
    """
    match format:
        case "png":
            pixels.save(to, "PNG", **carried)
        case "webp":
            pixels.save(to, "WEBP", quality=quality, lossless=quality == 100, exact=True, **carried)
        case _:
            try:
                on_white(pixels).save(to, "JPEG", quality=quality, subsampling=0, **carried)
            except ValueError as error:  # EXIF of more than 64 kB
                raise SaveFailed(
                    "The parameters are too long for a JPEG.", "Export it as PNG or WebP, or without the parameters."
                ) from error
