"""A picture to which ground is added: what is drawn in each pass, and how it grows from pass to pass.

Every pass is a picture of which only a part is drawn (`MaskedPicture`): the whole as it is so far, and a window in it.
In that window all is drawn that is still new, and a little of what is there, over which it fades out. What lies further
off keeps its pixels, since nothing but the window's new part is ever laid over the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.pictures.ground import WHITE, Levels, Places, extended, ground_of
from sdstudio.core.pictures.masked_area import Box
from sdstudio.core.pictures.masked_content import filled
from sdstudio.core.pictures.masks import check_mask, read_mask
from sdstudio.core.pictures.opening import as_seen_clear, on_white, opened_picture
from sdstudio.core.pictures.outpaint_plan import seen_at_once, windows
from sdstudio.core.request.mask_fields import LATENT_BLENDING, ORIGINAL
from sdstudio.core.request.outpaint_fields import AS_GROUND, IN_DETAIL, IN_ONE, KEPT, Sides, check_extent, sides_in
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.pictures.alpha import with_alpha
from sdstudio.engine.pictures.input_picture import Enlarge, lanczos
from sdstudio.engine.pictures.masked import MaskedPicture, in_window, mask_levels, share_of

_NOT_KEPT: Final = "0" * 64
"""Stands in the request of a pass where the id of a mask would."""


@dataclass(frozen=True, slots=True)
class OutpaintedPicture:
    """A picture and the ground that is added to it.

    Attributes:
        request: What asks for it.
        source: The picture, RGBA, at its own size.
        sides: What is added to it.
        begun: The whole with the ground filled, RGB.
        ground: (H, W), which of its pixels are new.
        mask: (H, W), how far each of the others is drawn anew; all black without a mask.
        boxes: The windows in which it is drawn, one for each pass.
        enlarge: See `input_picture`.
    """

    request: GenerationRequest
    source: Image.Image
    sides: Sides
    begun: Image.Image
    ground: Places
    mask: Levels
    boxes: tuple[Box, ...]
    enlarge: Enlarge = lanczos

    @property
    def pass_request(self) -> GenerationRequest:
        """What each pass draws: an edit under a mask."""
        request = self.request
        values = {
            "mask": _NOT_KEPT,
            "masked_content": ORIGINAL,
            "outpaint": "",
            "transparency": "white",
            "seamless": "off",
        }
        if not request.mask:
            values["mask_blending"] = LATENT_BLENDING
        return request.model_copy(update=values)

    @property
    def unchanged(self) -> Image.Image:
        """The whole where nothing is drawn: the picture with filled ground."""
        opaque = np.where(self.ground, WHITE, 0).astype(np.uint8)
        return self.finished(self.begun, opaque, opaque)

    def new(self) -> Places:
        """Return which pixels are to be drawn."""
        return self.ground | (self.mask > 0)

    def finished(self, whole: Image.Image, touched: Levels, opaque: Levels) -> Image.Image:
        """Return the job's picture: RGB, or RGBA where the picture's transparency is kept; see `with_alpha`."""
        if self.request.transparency != KEPT:
            return whole
        clear = Image.new("RGBA", whole.size)
        clear.paste(self.source, (self.sides.left, self.sides.top))
        return with_alpha(whole, clear, touched, opaque)


class GrowingPicture:
    """One picture on its way through the passes.

    Attributes:
        whole: As far as it is drawn.
        touched: (H, W), the share of what is new in each pixel.
        opaque: (H, W), the same of ground alone, which is opaque whatever the picture is.
    """

    def __init__(self, picture: OutpaintedPicture) -> None:
        self._picture = picture
        self._new = picture.new()
        self._drawn = np.zeros_like(self._new)
        self.whole = picture.begun
        self.touched: Levels = np.zeros(self._new.shape, np.uint8)
        self.opaque: Levels = np.zeros(self._new.shape, np.uint8)

    def pass_over(self, box: Box) -> MaskedPicture:
        """Return what is drawn in a window, which counts as drawn from now on."""
        picture, request = self._picture, self._picture.request
        left, top, right, bottom = box
        part = np.s_[top:bottom, left:right]
        new = self._new[part].copy()
        ground = new & picture.ground[part]
        masked = np.where(new & ~picture.ground[part], picture.mask[part], 0).astype(np.uint8)
        share = share_of(masked, request.mask_blending)
        over = faded(ground, request.outpaint_overlap)
        self.opaque[part] = np.maximum(self.opaque[part], over)
        inner = faded(ground | (share == WHITE), request.outpaint_overlap)
        over = np.maximum(over, np.where(self._drawn[part], inner, 0))  # the edge of an earlier window is no seam
        change = np.maximum(masked, np.where(over > 0, WHITE, 0).astype(np.uint8))
        alpha = np.zeros_like(self.touched)
        alpha[part] = np.maximum(share, over)
        self.touched = np.maximum(self.touched, alpha)
        self._drawn[part] |= new
        self._new[part] = False
        size = request.width, request.height
        seen = in_window(self.whole, box, change, alpha, size, picture.enlarge)
        unknown = in_window(self.whole, box, np.where(new, WHITE, 0).astype(np.uint8), alpha, size).change
        seen = replace(seen, new=unknown, enlarge=picture.enlarge)
        if request.masked_content == ORIGINAL or not masked.any():
            return seen
        content = in_window(self.whole, box, share, alpha, size, picture.enlarge)
        return replace(seen, begin=filled(seen.seen, content.change))


def faded(places: Places, overlap: int) -> Levels:
    """Return a share (h, w) that is white in some places and falls evenly to black within so many pixels around."""
    if not places.any():
        return np.zeros(places.shape, np.uint8)
    away = ndimage.distance_transform_cdt(~places, metric="chessboard")
    share = np.clip(overlap + 1 - away.astype(np.float32), 0, overlap + 1) * (WHITE / (overlap + 1))
    levels: Levels = np.rint(share).astype(np.uint8)
    return levels


def outpainted_picture(
    picture: Path, mask: Path | None, request: GenerationRequest, enlarge: Enlarge = lanczos
) -> OutpaintedPicture:
    """Return what a request adds to a picture.

    Args:
        picture: The file of the input picture.
        mask: The file of its mask, ``None`` for none.
        request: What is added, how it begins, and everything about the mask.
        enlarge: See `input_picture`.

    Raises:
        InvalidRequest: The whole would be too large, nothing of the picture is transparent where that is to be drawn,
            or the mask is of another size.
        PictureUnreadable: One of them is damaged or no picture.
    """
    sides = sides_in(request.outpaint)
    with opened_picture(picture) as image:
        source = as_seen_clear(image)
    check_extent(sides, source.size)
    clear = np.asarray(source.getchannel("A")) < WHITE if request.transparency == AS_GROUND else None
    ground = ground_of(source.size, sides, clear)
    levels = np.zeros(ground.shape, np.uint8)
    inside = clear
    if mask is not None:
        check_mask(mask, picture, request.mask_mode, request.mask_blending)
        own = mask_levels(np.asarray(read_mask(mask, request.mask_mode)), request)
        levels[sides.top : sides.top + source.height, sides.left : sides.left + source.width] = own
        inside = own > 0 if clear is None else clear | (own > 0)
    begun = extended(on_white(source), sides, request.outpaint_fill, request.outpaint_colour, clear)
    bounds = Image.fromarray(inside).getbbox() if inside is not None else None
    boxes = _boxes(source.size, sides, bounds, request, ground | (levels > 0))
    if not boxes:
        message = "What is transparent = ground: nothing of the input picture is transparent."
        raise InvalidRequest("transparency", message, "Add ground at a side, or take a picture that is transparent.")
    return OutpaintedPicture(request, source, sides, begun, ground, levels, boxes, enlarge)


def _boxes(
    shape: tuple[int, int], sides: Sides, inside: Box | None, request: GenerationRequest, new: Places
) -> tuple[Box, ...]:
    """Return the windows in which something is left to draw."""
    if request.outpaint_passes == IN_ONE:
        return ((0, 0, *sides.around(shape)),) if new.any() else ()
    left_over, boxes = new.copy(), []
    at_once = seen_at_once(shape, (request.width, request.height), request.outpaint_passes == IN_DETAIL)
    for box in windows(shape, sides, inside, at_once):
        part = left_over[box[1] : box[3], box[0] : box[2]]
        if part.any():
            boxes.append(box)
            part[...] = False
    return tuple(boxes)
