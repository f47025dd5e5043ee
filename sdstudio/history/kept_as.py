"""In which file format the history keeps a new picture, and what is written where that format cannot hold it."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from sdstudio.core.errors import SaveFailed
from sdstudio.core.files import write_whole
from sdstudio.core.pictures.opening import in_colour
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.settings import Settings

log = logging.getLogger(__name__)

_LOSSLESS: Final = 100


@dataclass(frozen=True, slots=True)
class KeptAs:
    """How new pictures are written.

    Attributes:
        format: A key of `formats.FORMATS`.
        quality: Of a format that loses something.
    """

    format: str = "png"
    quality: int = _LOSSLESS

    @classmethod
    def chosen(cls, settings: Settings) -> KeptAs:
        """Return what the settings ask for; WebP loses nothing."""
        return cls(settings.file_format, settings.jpeg_quality if settings.file_format == "jpeg" else _LOSSLESS)

    def writer(self, pixels: Image.Image, recipe: Recipe, out: Path | None) -> tuple[str, Callable[[Path], None]]:
        """Return the ending of a picture's file, and what writes it there, whole or not at all.

        A picture that the format cannot hold is a PNG: parameters above 64 kB in a JPEG, a side above 16,383 pixels in
        a WebP. So is one that is written to a file of a given name.
        """
        from sdstudio.history.picture_text.pnginfo import write_png  # noqa: PLC0415 (not needed to list what there is)

        content = None if self.format == "png" or (out and not os.path.isdir(out)) else self._encoded(pixels, recipe)
        if content is None:
            return ".png", lambda path: write_png(path, pixels, recipe)
        suffix, encoded = content
        return suffix, lambda path: write_whole(path, lambda to: to.write(encoded))

    def _encoded(self, pixels: Image.Image, recipe: Recipe) -> tuple[str, bytes] | None:
        # Before the row: what the format refuses is known before anything is begun.
        from sdstudio.history.formats import FORMAT_BY_KEY, encode, texts_for  # noqa: PLC0415 (as above)

        held = io.BytesIO()
        try:
            encode(held, in_colour(pixels), self.format, self.quality, texts_for(self.format, recipe))
        except (SaveFailed, OSError, ValueError) as error:
            log.warning("kept as PNG, for it cannot be %s: %s", self.format, error)
            return None
        return FORMAT_BY_KEY[self.format].suffix, held.getvalue()
