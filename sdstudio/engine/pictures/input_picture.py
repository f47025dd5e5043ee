"""How any picture becomes one to begin from: upright, in RGB, exactly as large as asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from sdstudio.core.pictures.fit import placed
from sdstudio.core.pictures.opening import as_seen, opened_picture
from sdstudio.core.request.request import GenerationRequest

Enlarge = Callable[[Image.Image, int, int], Image.Image]
"""Makes a picture exactly so wide and high, at least one of which is more than it has."""

_BACKGROUND: Final = "white"


def lanczos(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Make a picture so wide and high with Lanczos' filter."""
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def input_picture(path: Path, request: GenerationRequest, enlarge: Enlarge = lanczos) -> Image.Image:
    """Return what a request begins from: RGB, as large as the picture it asks for.

    Args:
        path: A picture's file; of an animated one the first frame counts.
        request: Its size, and how a picture of another shape is fitted to it.
        enlarge: Used where the picture, or what is left of it, is smaller.

    Raises:
        PictureUnreadable: It is damaged or no picture.
    """
    with opened_picture(path) as image:
        picture = as_seen(image)
    return fitted(picture, request.width, request.height, request.init_fit, enlarge)


def fitted(picture: Image.Image, width: int, height: int, fit: str, enlarge: Enlarge = lanczos) -> Image.Image:
    """Return a picture as wide and high as asked for; one that is already keeps its pixels.

    Args:
        picture: RGB.
        width: Of the result.
        height: Of the result.
        fit: As `placed` takes it; what "pad" leaves is white.
        enlarge: See `input_picture`.
    """
    place = placed(picture.size, (width, height), fit)
    part = picture if place.part == (0, 0, *picture.size) else picture.crop(place.part)
    inside = sized(part, *place.size, enlarge)
    if place.size == (width, height):
        return inside
    whole = Image.new("RGB", (width, height), _BACKGROUND)
    whole.paste(inside, place.at)
    return whole


def sized(picture: Image.Image, width: int, height: int, enlarge: Enlarge = lanczos) -> Image.Image:
    """Return a picture so wide and high; one that is already keeps its pixels."""
    if picture.size == (width, height):
        return picture
    return (enlarge if width > picture.width or height > picture.height else lanczos)(picture, width, height)
