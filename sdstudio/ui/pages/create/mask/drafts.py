"""What is painted, written down: its id follows from its pixels, and a draft of it outlives a crash.

A mask goes into the store of input pictures when a request uses it; before that, only the newest lies on the disk, in
one file. The last ones are held in memory too, so that what is taken back or restored is there again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image

from sdstudio.core.errors import StudioError
from sdstudio.core.files import write_whole
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.masks import as_mask, read_mask
from sdstudio.core.pictures.opening import opened_picture
from sdstudio.ui.pages.create.mask.document import Pixels

log = logging.getLogger(__name__)

NAME: Final = "Painted mask.png"
_HELD_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """A mask as it is kept: its id, the bytes of its file, and how much of it is painted."""

    id: str
    png: bytes
    share: float


def written(pixels: Pixels) -> Written:
    """Write pixels as a file, in memory. On any thread."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    png = file.getvalue()
    return Written(hashlib.sha256(png).hexdigest(), png, float(pixels.mean(dtype=np.float64)) / 255)


class MaskDrafts:
    """The masks of this session.

    Args:
        paths: The data folder.
        pictures: The store.
    """

    def __init__(self, paths: StudioPaths, pictures: InputPictures) -> None:
        self._file = paths.mask_draft
        self._pictures = pictures
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def hold(self, mask: Written) -> None:
        """Remember a mask in memory."""
        self._held[mask.id] = mask.png
        self._held.move_to_end(mask.id)
        while len(self._held) > 1 and sum(map(len, self._held.values())) > _HELD_BYTES:
            self._held.popitem(last=False)

    def save(self, mask: Written) -> None:
        """Put a mask on the disk, in place of the draft before. On any thread."""

        def write(to: BinaryIO) -> None:
            to.write(mask.png)

        try:
            write_whole(self._file, write)
        except StudioError as error:
            log.warning("the mask that is being painted cannot be kept: %s", error)

    def keep(self, mask_id: str) -> None:
        """Put a mask into the store, where requests find it. Raises: StudioError."""
        if not mask_id or self._pictures.find(mask_id) is not None:
            return
        png = self._bytes_of(mask_id)
        if png is None:
            return
        with tempfile.TemporaryDirectory(prefix="sdstudio-") as folder:
            path = Path(folder) / NAME
            path.write_bytes(png)
            self._pictures.keep(path)

    def read(self, mask_id: str) -> Pixels:
        """Return the pixels of a mask. On any thread. Raises: StudioError."""
        png = self._bytes_of(mask_id)
        if png is None:
            return np.array(read_mask(self._pictures.path_of(mask_id)))
        with opened_picture(io.BytesIO(png)) as image:
            return np.array(as_mask(image))

    def _bytes_of(self, mask_id: str) -> bytes | None:
        if mask_id in self._held:
            return self._held[mask_id]
        try:
            png = self._file.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(png).hexdigest() != mask_id:
            return None
        self._held[mask_id] = png
        return png
