"""A picture at the size it is seen: Lanczos upwards (the painter's bilinear shows diamonds), area downwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL import Image
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap

from sdstudio.ui.widgets.images import as_pillow, as_qimage

_LANCZOS_MAXIMUM_PX: Final = 2048
_REACH_PX: Final = 3
"""Pixels of the picture that Lanczos takes in on each side of one that it makes."""


class Resampled:
    """Keeps the last picture that was asked for, at the last size."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, int, int, bool], QPixmap] | None = None

    def of(self, picture: QImage, smaller: Callable[[int], QImage], target: QSize, meets: bool = False) -> QPixmap:
        """Return a picture at this size.

        Args:
            picture: It.
            smaller: Returns the smallest copy of it that is at least so wide.
            target: The size.
            meets: It is drawn beside copies of itself: beyond an edge lies what is at the opposite one.
        """
        key = (picture.cacheKey(), target.width(), target.height(), meets)
        if self._kept is None or self._kept[0] != key:
            upwards = target.width() > picture.width()
            if upwards and max(target.width(), target.height()) <= _LANCZOS_MAXIMUM_PX:
                image = as_qimage(_enlarged(as_pillow(picture), (target.width(), target.height()), meets))
            else:
                image = smaller(target.width()).scaled(
                    target, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
            self._kept = (key, QPixmap.fromImage(image))
        return self._kept[1]


def _enlarged(picture: Image.Image, size: tuple[int, int], meets: bool) -> Image.Image:
    if not meets:
        return picture.resize(size, Image.Resampling.LANCZOS)
    width, height = picture.size
    around = Image.new(picture.mode, (width + 2 * _REACH_PX, height + 2 * _REACH_PX))
    for x in range(_REACH_PX % width - width, around.width, width):
        for y in range(_REACH_PX % height - height, around.height, height):
            around.paste(picture, (x, y))
    box = (_REACH_PX, _REACH_PX, _REACH_PX + width, _REACH_PX + height)
    return around.resize(size, Image.Resampling.LANCZOS, box)  # it reads beyond the box, as far as it reaches
