"""How any picture becomes one to begin from: upright, in RGB, exactly as large as asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

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
        fit: "crop": what is too much is cut off on both sides; "pad": all of it on white; "stretch".
        enlarge: See `input_picture`.
    """
    match fit:
        case "crop":
            picture = picture.crop(_middle(picture.size, width, height))
        case "pad":
            inside = _within(picture.size, width, height)
            whole = Image.new("RGB", (width, height), _BACKGROUND)
            whole.paste(_sized(picture, *inside, enlarge), ((width - inside[0]) // 2, (height - inside[1]) // 2))
            return whole
    return _sized(picture, width, height, enlarge)


def _sized(picture: Image.Image, width: int, height: int, enlarge: Enlarge) -> Image.Image:
    if picture.size == (width, height):
        return picture
    return (enlarge if width > picture.width or height > picture.height else lanczos)(picture, width, height)


def _middle(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """Return the largest box of the shape asked for, in the middle of a picture."""
    wide, high = _within((width, height), *size)
    left, top = (size[0] - wide) // 2, (size[1] - high) // 2
    return left, top, left + wide, top + high


def _within(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the largest size of a picture's shape that lies within these bounds."""
    factor = min(width / size[0], height / size[1])
    return min(width, max(1, round(size[0] * factor))), min(height, max(1, round(size[1] * factor)))
