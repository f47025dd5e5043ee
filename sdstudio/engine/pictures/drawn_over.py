"""What a job is drawn over, as pictures: an input picture, the part of it that is masked, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from sdstudio.core.pictures.opening import as_seen, opened_picture
from sdstudio.core.request.detail_fields import is_only_detailed
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.mask_fields import LATENT_BLENDING, SOFT_INPAINTING
from sdstudio.core.request.outpaint_fields import KEPT, adds_ground
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.families.base import AROUND
from sdstudio.engine.pictures.alpha import clear_picture, with_alpha
from sdstudio.engine.pictures.input_picture import Enlarge, input_picture, lanczos
from sdstudio.engine.pictures.masked import GREY, WHITE, MaskedPicture, Pixels, cells, masked_picture
from sdstudio.engine.pictures.outpainted import OutpaintedPicture, outpainted_picture


@dataclass(frozen=True, slots=True)
class DrawnOver:
    """What a job is drawn over.

    Attributes:
        picture: What is drawn over, at the size that is drawn at; ``None`` for a job that begins from noise.
        masked: Which part of it, ``None`` for all.
        outpainted: The same picture with ground that is added, in place of both.
        clear: What is as transparent as the job's picture is to be, RGBA; ``None`` for one that is opaque.
    """

    picture: Image.Image | None = None
    masked: MaskedPicture | None = None
    outpainted: OutpaintedPicture | None = None
    clear: Image.Image | None = None

    @property
    def unchanged(self) -> Image.Image | None:
        """What the job's picture is where nothing is drawn; ``None`` for a job that begins from noise."""
        if self.outpainted is not None:
            return self.outpainted.unchanged
        return self.clear or (self.picture if self.masked is None else self.masked.original)

    def pictures(self, request: GenerationRequest, looks_around: bool) -> Mapping[str, Image.Image | Pixels]:
        """Return what is to be encoded, by the names that `Family.begin` takes; see `Family.looks_around`."""
        pictures: dict[str, Image.Image | Pixels] = {}
        if self.picture is not None:
            pictures[INIT.field] = self.picture
        if looks_around:
            blank = np.full((request.height, request.width, 3), GREY)
            pictures[AROUND] = blank if self.masked is None else self.masked.hidden(request.mask_weight)
        return pictures

    def cells(self, request: GenerationRequest, side: int) -> npt.NDArray[np.float32]:
        """Return the mask (h, w) at the size of latents, whose cells have this many pixels a side; all for none."""
        if self.masked is None:
            return np.ones((request.height // side, request.width // side), np.float32)
        levels = cells(self.masked.change, side, request.mask_blending == SOFT_INPAINTING)
        return np.ceil(levels) if request.mask_blending == LATENT_BLENDING else levels

    def finished(self, drawn: Image.Image, share: npt.NDArray[np.uint8] | None = None) -> Image.Image:
        """Return the job's picture of what was drawn, laid over its original by a share of its own size, if any."""
        whole = drawn if self.masked is None else self.masked.finished(drawn, share)
        if self.clear is None:
            return whole
        touched = np.full(whole.size[::-1], WHITE, np.uint8) if self.masked is None else self.masked.alpha
        return with_alpha(whole, self.clear, touched, np.zeros_like(touched))


NOTHING: Final = DrawnOver()


def drawn_over(picture: Path, mask: Path | None, request: GenerationRequest, enlarge: Enlarge = lanczos) -> DrawnOver:
    """Return what a request with an input picture is drawn over; where only regions of it are redrawn, as it is.

    Args:
        picture: The file of that picture.
        mask: The file of its mask, ``None`` for none.
        request: Its size, and everything about the mask.
        enlarge: See `input_picture`.

    Raises:
        InvalidRequest: The mask is of another size, or leaves nothing to draw.
        PictureUnreadable: One of them is damaged or no picture.
    """
    if adds_ground(dict(request)):
        return DrawnOver(outpainted=outpainted_picture(picture, mask, request, enlarge))
    if is_only_detailed(request):
        with opened_picture(picture) as image:
            return DrawnOver(as_seen(image))
    if mask is None:
        begin, masked = input_picture(picture, request, enlarge), None
        whole = begin
    else:
        masked = masked_picture(picture, mask, request, enlarge)
        begin, whole = masked.begin, masked.original
    is_kept = request.transparency == KEPT
    clear = clear_picture(picture, whole.size, request.init_fit) if is_kept else None
    return DrawnOver(begin, masked, clear=clear)
