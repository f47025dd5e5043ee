"""A picture at the size it is seen: Lanczos upwards (the painter's bilinear shows diamonds), area downwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL import Image
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap

from sdstudio.ui.widgets.images import as_pillow, as_qimage

_LANCZOS_MAXIMUM_PX: Final = 2048


class Resampled:
    """Keeps the last picture that was asked for, at the last size."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, int, int], QPixmap] | None = None

    def of(self, picture: QImage, smaller: Callable[[int], QImage], target: QSize) -> QPixmap:
        """Return a picture at this size.

        Args:
            picture: It.
            smaller: Returns the smallest copy of it that is at least so wide.
            target: The size.
        """
        key = (picture.cacheKey(), target.width(), target.height())
        if self._kept is None or self._kept[0] != key:
            upwards = target.width() > picture.width()
            if upwards and max(target.width(), target.height()) <= _LANCZOS_MAXIMUM_PX:
                image = as_qimage(
                    as_pillow(picture).resize((target.width(), target.height()), Image.Resampling.LANCZOS)
                )
            else:
                image = smaller(target.width()).scaled(
                    target, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
            self._kept = (key, QPixmap.fromImage(image))
        return self._kept[1]
