"""Pixels from Pillow to Qt and back: three bytes each, without transparency."""

from __future__ import annotations

from PIL import Image
from PySide6.QtGui import QImage


def as_qimage(picture: Image.Image) -> QImage:
    """Return Pillow's picture as Qt's."""
    rgb = picture.convert("RGB")
    data = rgb.tobytes()
    return QImage(data, rgb.width, rgb.height, rgb.width * 3, QImage.Format.Format_RGB888).copy()


def as_pillow(image: QImage) -> Image.Image:
    """Return Qt's picture as Pillow's."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    return Image.frombuffer(
        "RGB", (rgb.width(), rgb.height()), bytes(rgb.constBits()), "raw", "RGB", rgb.bytesPerLine(), 1
    )
