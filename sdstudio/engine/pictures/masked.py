"""A picture of which only a part is drawn anew: what the model sees of it, and how its result is set back.

Setting back happens in whole levels, at the size of the picture itself: where the mask with its soft edge is 0 every
pixel is the one that was there, and elsewhere it is mixed by exactly that share. Nothing that is kept goes through the
VAE, which shifts colours a little each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from sdstudio.core.pictures.fit import Placement, placed
from sdstudio.core.pictures.masked_area import Box, masked_area
from sdstudio.core.pictures.masked_content import filled
from sdstudio.core.pictures.masks import HALF, check_mask, read_mask
from sdstudio.core.pictures.opening import as_seen, opened_picture
from sdstudio.core.request.mask_fields import DIFFERENTIAL, LATENT_BLENDING, ORIGINAL
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.pictures.input_picture import Enlarge, fitted, lanczos, sized
from sdstudio.engine.pictures.seams import matched

Levels = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]
"""(H, W, 3), 0 to 1."""

WHITE: Final = 255
GREY: Final = np.float32(0.5)
SOFT_EDGE: Final = 8
"""With differential diffusion the new part is laid over the picture in full from an eighth of white on: what is darker
changes in the last eighth of the steps, which hardly differs."""


@dataclass(frozen=True, slots=True)
class MaskedPicture:
    """A picture and what of it is drawn anew.

    Attributes:
        original: The picture into which the result is set, RGB.
        seen: What is drawn of it, at the size that is drawn at, RGB.
        begin: The same with the masked content that the model begins from.
        change: (H, W), of the same size: how far each pixel is drawn anew, up to white.
        alpha: (h, w), of the original's size: the share of the new picture, up to white.
        box: The part of the original that is drawn, ``None`` for all of it.
        place: How that part lies in what is drawn.
        new: (H, W), of the size that is drawn at: black where it is known what was there before, though that is drawn
            over; ``None`` for wherever there is change.
        enlarge: What enlarges what is drawn where it is smaller than that part.
    """

    original: Image.Image
    seen: Image.Image
    begin: Image.Image
    change: Levels
    alpha: Levels
    box: Box | None = None
    place: Placement | None = None
    new: Levels | None = None
    enlarge: Enlarge = lanczos

    @property
    def is_all(self) -> bool:
        """Whether nothing of the picture is kept."""
        return bool(self.alpha.min() == WHITE)

    def hidden(self, weight: float) -> Pixels:
        """Return what is seen with the masked part grey, mixed in by ``weight``: what a model for inpainting gets."""
        share = np.where(self.change > 0, np.float32(weight), np.float32(0))[..., None]
        pixels: Pixels = np.asarray(self.seen, np.float32) / WHITE * (1 - share) + GREY * share
        return pixels

    def finished(self, drawn: Image.Image, share: Levels | None = None) -> Image.Image:
        """Return the picture with what was drawn set back, its colours matched to those around it.

        Args:
            drawn: As large as `seen`.
            share: How much of it is laid over the picture, of the same size, in place of `alpha`; where that is 0
                nothing is all the same.
        """
        colours = matched(drawn, self.seen, self.change, self.new)
        return self.composed(colours, self.alpha if share is None else self.within(share))

    def within(self, share: Levels) -> Levels:
        """Return a share of what is drawn at the original's size, which fades to nothing where the mask gets black."""
        fading = np.minimum(self.alpha.astype(np.uint16) * SOFT_EDGE, WHITE)
        return np.minimum(self.spread_levels(share), fading).astype(np.uint8)

    def composed(self, drawn: Image.Image, alpha: Levels) -> Image.Image:
        """Return the picture with a share of what was drawn laid over it, of the original's size."""
        bounds = Image.fromarray(alpha).getbbox()
        if bounds is None:
            return self.original
        left, top, right, bottom = bounds
        whole = np.array(self.original)
        old = whole[top:bottom, left:right]
        new = np.asarray(self.spread(drawn))[top:bottom, left:right]
        share = alpha[top:bottom, left:right].astype(np.uint32)[..., None]
        # Half up; there are no halves, since 255 is odd.
        old[...] = (share * new + (WHITE - share) * old + WHITE // 2) // WHITE
        return _image(whole)

    def spread(self, drawn: Image.Image) -> Image.Image:
        """Return what was drawn at the original's size; outside the part that was drawn it is the original."""
        if self.box is None or self.place is None:
            return drawn
        left, top = self.place.at
        inside = drawn.crop((left, top, left + self.place.size[0], top + self.place.size[1]))
        size = self.box[2] - self.box[0], self.box[3] - self.box[1]
        whole = self.original.copy()
        whole.paste(sized(inside, *size, self.enlarge), self.box[:2])
        return whole

    def spread_levels(self, levels: Levels) -> Levels:
        """Return levels of the size that is drawn at, at the original's size; outside of the part they are 0."""
        if self.box is None or self.place is None:
            return levels
        left, top = self.place.at
        inside = Image.fromarray(levels).crop((left, top, left + self.place.size[0], top + self.place.size[1]))
        whole = Image.new("L", self.original.size)
        size = self.box[2] - self.box[0], self.box[3] - self.box[1]
        whole.paste(inside.resize(size, Image.Resampling.BILINEAR), self.box[:2])
        return np.asarray(whole)


def masked_picture(picture: Path, mask: Path, request: GenerationRequest, enlarge: Enlarge = lanczos) -> MaskedPicture:
    """Return what a request draws over, and where.

    Args:
        picture: The file of the input picture.
        mask: The file of the mask.
        request: Its size, and everything about the mask.
        enlarge: See `input_picture`.

    Raises:
        InvalidRequest: The mask is of another size, or leaves nothing to draw.
        PictureUnreadable: One of them is damaged or no picture.
    """
    check_mask(mask, picture, request.mask_mode, request.mask_blending)
    with opened_picture(picture) as image:
        source = as_seen(image)
    return masked_by(source, np.asarray(read_mask(mask, request.mask_mode)), request, enlarge)


def masked_by(
    source: Image.Image, levels: Levels, request: GenerationRequest, enlarge: Enlarge = lanczos
) -> MaskedPicture:
    """Return what is drawn of a picture under a mask of its size, before its edge is softened; some of it is white."""
    levels = mask_levels(levels, request)
    whole = request.only_masked is None
    masked = _whole(source, levels, request, enlarge) if whole else _part(source, levels, request, enlarge)
    if request.masked_content == ORIGINAL:
        return masked
    return replace(masked, begin=filled(masked.seen, share_of(masked.change, request.mask_blending)))


def mask_levels(levels: Levels, request: GenerationRequest) -> Levels:
    """Return a mask as a request takes it: black and white where its blending asks for that, and softened."""
    if request.mask_blending == LATENT_BLENDING:
        levels = np.where(levels > HALF, WHITE, 0).astype(np.uint8)
    return softened(levels, request.mask_blur)


def softened(levels: Levels, blur: int) -> Levels:
    """Return a mask whose edge is blurred by a Gaussian of this deviation, cut off as A1111 does."""
    if not blur:
        return levels
    soft = ndimage.gaussian_filter(levels.astype(np.float32), blur, mode="mirror", radius=int(2.5 * blur + 0.5))
    return _rounded(soft)


def cells(change: Levels, side: int, is_mean: bool = False) -> npt.NDArray[np.float32]:
    """Return a mask (H, W) at the size of latents, 0 to 1: each cell as white as the whitest of its pixels.

    A cell that were sampled could be kept where the new picture is laid over the old one. With ``is_mean`` it is as
    white as they are on average.
    """
    height, width = change.shape[0] // side, change.shape[1] // side
    blocks = change[: height * side, : width * side].reshape(height, side, width, side)
    level: npt.NDArray[np.float32] = (blocks.mean((1, 3)) if is_mean else blocks.max((1, 3))).astype(np.float32)
    return level / np.float32(WHITE)


def _whole(source: Image.Image, levels: Levels, request: GenerationRequest, enlarge: Enlarge) -> MaskedPicture:
    size = request.width, request.height
    seen = fitted(source, *size, request.init_fit, enlarge)
    place = placed(source.size, size, request.init_fit)
    part = Image.fromarray(levels).crop(place.part)
    inside = part if part.size == place.size else part.resize(place.size, Image.Resampling.BILINEAR)
    whole = Image.new("L", size)
    whole.paste(inside, place.at)
    change = np.asarray(whole)
    return MaskedPicture(seen, seen, seen, change, share_of(change, request.mask_blending))


def _part(source: Image.Image, levels: Levels, request: GenerationRequest, enlarge: Enlarge) -> MaskedPicture:
    size = request.width, request.height
    bounds = Image.fromarray(levels).getbbox()
    assert bounds is not None
    box = masked_area(bounds, request.only_masked or 0, source.size, size)
    part = np.asarray(Image.fromarray(levels).crop(box))
    return in_window(source, box, part, share_of(levels, request.mask_blending), size, enlarge)


def in_window(
    source: Image.Image, box: Box, levels: Levels, alpha: Levels, size: tuple[int, int], enlarge: Enlarge = lanczos
) -> MaskedPicture:
    """Return a picture of which a part is drawn, with the picture itself as what is begun from.

    Args:
        source: RGB.
        box: That part.
        levels: (h, w), of the part's size: how far each pixel is drawn anew.
        alpha: (H, W), of the picture's size: the share of the new picture.
        size: The width and height that the part is drawn at.
        enlarge: See `input_picture`.
    """
    place = placed((box[2] - box[0], box[3] - box[1]), size, "pad")
    seen = _edged(fitted(source.crop(box), *place.size, "stretch", enlarge), place, size)
    part = Image.fromarray(levels)
    inside = part if part.size == place.size else part.resize(place.size, Image.Resampling.BILINEAR)
    change = np.asarray(_edged(inside, place, size))
    return MaskedPicture(source, seen, seen, change, alpha, box, place)


def _edged(inside: Image.Image, place: Placement, size: tuple[int, int]) -> Image.Image:
    """Return a picture of this size with another one in its place, whose border goes on to the edges."""
    if inside.size == size:
        return inside
    before = place.at
    after = [whole - side - at for whole, side, at in zip(size, inside.size, before, strict=True)]
    pixels = np.asarray(inside)
    widths = [(before[1], after[1]), (before[0], after[0]), (0, 0)][: pixels.ndim]
    return _image(np.pad(pixels, widths, mode="edge"))


def share_of(levels: Levels, blending: str) -> Levels:
    """Return the share of the new picture where a softened mask has these levels.

    Half of white is where the edge was before it was softened: with latent blending all within is new, as in A1111.
    """
    factor = SOFT_EDGE if blending == DIFFERENTIAL else 2
    return np.minimum(levels.astype(np.uint16) * factor, WHITE).astype(np.uint8)


def _rounded(values: npt.NDArray[np.floating]) -> Levels:
    levels: Levels = np.clip(np.rint(values), 0, WHITE).astype(np.uint8)
    return levels


def _image(pixels: Levels) -> Image.Image:
    return Image.fromarray(pixels)
