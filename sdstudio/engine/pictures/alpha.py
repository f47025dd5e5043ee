"""A result that is as transparent as the picture that it was drawn over.

Models draw on white and know nothing of transparency. The colours of what is drawn are chosen so that on white it looks
as it was drawn; what is not drawn keeps its pixels, whatever colour lies where they are transparent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from sdstudio.core.pictures.fit import placed
from sdstudio.core.pictures.ground import Levels
from sdstudio.core.pictures.opening import as_seen_clear, opened_picture

WHITE: Final = 255
_BEHIND: Final = "white"


def with_alpha(whole: Image.Image, clear: Image.Image, touched: Levels, opaque: Levels) -> Image.Image:
    """Return a drawn picture as transparent as another one, RGBA.

    Args:
        whole: As it was drawn on white, RGB.
        clear: RGBA, of the same size: whose transparency is kept, and whose pixels are where nothing is drawn.
        touched: (H, W), black where nothing is drawn.
        opaque: (H, W), up to white: how far what is drawn is opaque all the same.
    """
    old = np.asarray(clear)
    share = opaque.astype(np.float32) / WHITE
    alpha = share + (1 - share) * (old[..., 3].astype(np.float32) / WHITE)
    colour = np.asarray(whole, np.float32) - WHITE * (1 - alpha[..., None])
    straight = colour / np.maximum(alpha, 1 / WHITE)[..., None]
    mixed = np.concatenate([straight, WHITE * alpha[..., None]], axis=2)
    result = np.where((touched > 0)[..., None], np.clip(np.rint(mixed), 0, WHITE).astype(np.uint8), old)
    return Image.fromarray(result)


def clear_picture(picture: Path, size: tuple[int, int], fit: str) -> Image.Image | None:
    """Return a picture at another size, RGBA; ``None`` for one that is not transparent.

    Args:
        picture: Its file.
        size: Width and height of the result.
        fit: How it is brought to the size, as `placed` takes it.

    Raises:
        PictureUnreadable: It is damaged or no picture.
    """
    with opened_picture(picture) as image:
        source = as_seen_clear(image)
    if source.getchannel("A").getextrema()[0] == WHITE:
        return None
    place = placed(source.size, size, fit)
    part = source.crop(place.part)
    inside = part if part.size == place.size else part.resize(place.size, Image.Resampling.LANCZOS)
    whole = Image.new("RGBA", size, _BEHIND)
    whole.paste(inside, place.at)
    return whole
