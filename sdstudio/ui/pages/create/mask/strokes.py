"""What the tools leave on a mask, from press to release: a brush's stroke, and shapes that are filled when let go.

A brush is drawn as what it is: the ground within its radius of each line between two points, whose radius may change on
the way with the pen's pressure. No stamps, so that slow and fast hands leave the same. A stroke only ever adds (or
takes away): what is painted twice is not painted more than once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath

from sdstudio.ui.pages.create.mask.document import MaskDocument, Pixels, Rect, bounds_of

_BAND_PX: Final = 64
"""A line is drawn in bands of so many rows: each computes little that lies outside of the line."""
_EDGE_PX: Final = 0.5
"""Half the width over which the hardest edge goes from all to nothing."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Where the hand is, in pixels of the picture, and how wide and how opaque (0..1) the brush is there."""

    x: float
    y: float
    radius: float
    opacity: float = 1.0


class Stroke(Protocol):
    """What is done between press and release."""

    def move(self, touch: Touch) -> Rect:
        """The hand is here now; return what was changed."""

    def end(self) -> Rect:
        """The hand lets go; return what was changed."""

    def outline(self) -> QPainterPath | None:
        """Return what is to be seen of it until then, in pixels of the picture."""


class BrushStroke:
    """A stroke of brush or eraser.

    Args:
        document: What is painted on.
        erases: Take away instead.
        hardness: 1 for a sharp edge; at 0 it fades from the middle on.
    """

    def __init__(self, document: MaskDocument, erases: bool, hardness: float) -> None:
        self._document = document
        self._erases = erases
        self._hardness = hardness
        self._last: Touch | None = None

    def move(self, touch: Touch) -> Rect:
        """Draw from where the hand was."""
        begin, self._last = self._last or touch, touch
        return draw_line(self._document, begin, touch, self._hardness, self._erases)

    def end(self) -> Rect:
        """Everything is drawn already."""
        return 0, 0, 0, 0

    def outline(self) -> QPainterPath | None:
        """Return nothing: the stroke itself is seen."""
        return None


class ShapeStroke:
    """A rectangle, an ellipse or a lasso.

    Args:
        document: What is painted on.
        erases: Take away instead.
        kind: "rectangle", "ellipse" or "lasso".
    """

    def __init__(self, document: MaskDocument, erases: bool, kind: str) -> None:
        self._document = document
        self._erases = erases
        self._kind = kind
        self._points: list[QPointF] = []

    def move(self, touch: Touch) -> Rect:
        """Follow the hand; nothing is filled yet."""
        point = QPointF(touch.x, touch.y)
        if self._kind == "lasso" or not self._points:
            self._points.append(point)
        else:
            self._points[1:] = [point]
        return 0, 0, 0, 0

    def end(self) -> Rect:
        """Fill it."""
        path = self.outline()
        return (0, 0, 0, 0) if path is None else fill_path(self._document, path, self._erases)

    def outline(self) -> QPainterPath | None:
        """Return its edge; a rectangle keeps to whole pixels."""
        if len(self._points) < 2:
            return None
        path = QPainterPath()
        if self._kind == "lasso":
            path.addPolygon(self._points)
            path.closeSubpath()
            return path
        box = QRectF(self._points[0], self._points[1]).normalized()
        if self._kind == "ellipse":
            path.addEllipse(box)
        else:
            path.addRect(QRectF(box.topLeft().toPoint(), box.bottomRight().toPoint()))
        return path


class PolygonStroke:
    """A polygon, corner by corner: it goes on when the hand lets go.

    Args:
        document: What is painted on.
        erases: Take away instead.
    """

    def __init__(self, document: MaskDocument, erases: bool) -> None:
        self._document = document
        self._erases = erases
        self._corners: list[QPointF] = []
        self._hand: QPointF | None = None

    def put(self, at: QPointF, near_px: float) -> bool:
        """Put a corner; True where it closes the polygon: at the first, or twice at the last."""
        at_ends = [self._corners[0], self._corners[-1]] if self._corners else []
        if any((at - each).manhattanLength() <= near_px for each in at_ends):
            return len(self._corners) > 2
        self._corners.append(at)
        return False

    def take_back(self) -> bool:
        """Take the last corner away; False where none is left."""
        self._corners.pop()
        return bool(self._corners)

    def move(self, touch: Touch) -> Rect:
        """Show where the next corner would be."""
        self._hand = QPointF(touch.x, touch.y)
        return 0, 0, 0, 0

    def end(self) -> Rect:
        """Fill it."""
        self._hand = None
        path = self.outline()
        return (0, 0, 0, 0) if path is None else fill_path(self._document, path, self._erases)

    def outline(self) -> QPainterPath | None:
        """Return its edge, as if the next corner were under the hand."""
        points = [*self._corners, *([self._hand] if self._hand is not None else [])]
        if len(points) < 2:
            return None
        path = QPainterPath()
        path.addPolygon(points)
        path.closeSubpath()
        return path


def draw_line(document: MaskDocument, begin: Touch, end: Touch, hardness: float, erases: bool) -> Rect:
    """Draw a line with round ends; return what was touched."""
    reach = max(begin.radius, end.radius) + 1
    top = math.floor(min(begin.y, end.y) - reach)
    bottom = math.ceil(max(begin.y, end.y) + reach)
    rects = []
    for band in range(max(0, top), min(document.height, bottom), _BAND_PX):
        left, right = _across(begin, end, band - reach, band + _BAND_PX + reach)
        last = min(band + _BAND_PX, bottom)
        rect = document.clipped((math.floor(left - reach), band, math.ceil(right + reach), last))
        if rect[0] < rect[2] and rect[1] < rect[3]:
            _put(document.touch(rect), _coverage(rect, begin, end, hardness), erases)
            rects.append(rect)
    return bounds_of(tuple(rects))


def _across(begin: Touch, end: Touch, top: float, bottom: float) -> tuple[float, float]:
    """Return how far left and right the middle of a line goes between two heights."""
    down = end.y - begin.y
    if abs(down) < 1e-6:
        return min(begin.x, end.x), max(begin.x, end.x)
    at = sorted(min(1.0, max(0.0, (y - begin.y) / down)) for y in (top, bottom))
    xs = [begin.x + part * (end.x - begin.x) for part in at]
    return min(xs), max(xs)


def _coverage(rect: Rect, begin: Touch, end: Touch, hardness: float) -> Pixels:
    """Return how much of each pixel a line covers, up to 255."""
    x = np.arange(rect[0], rect[2], dtype=np.float32) + np.float32(0.5 - begin.x)
    y = (np.arange(rect[1], rect[3], dtype=np.float32) + np.float32(0.5 - begin.y))[:, None]
    across, down = np.float32(end.x - begin.x), np.float32(end.y - begin.y)
    length2 = float(across * across + down * down)
    radius: np.float32 | np.ndarray = np.float32(begin.radius)
    opacity: np.float32 | np.ndarray = np.float32(begin.opacity)
    if length2 > 1e-6:
        along = x * (across / np.float32(length2)) + y * (down / np.float32(length2))
        np.clip(along, 0, 1, out=along)
        far = np.square(x - along * across)
        far += np.square(y - along * down)
        if begin.radius != end.radius:
            radius = along * np.float32(end.radius - begin.radius) + np.float32(begin.radius)
        if begin.opacity != end.opacity:
            opacity = along * np.float32(end.opacity - begin.opacity) + np.float32(begin.opacity)
    else:
        far = np.square(x) + np.square(y)
    np.sqrt(far, out=far)
    outer = radius + np.float32(_EDGE_PX)
    inner = np.minimum(radius * np.float32(hardness), radius - np.float32(_EDGE_PX))
    np.subtract(outer, far, out=far)
    far /= outer - inner
    np.clip(far, 0, 1, out=far)
    if hardness < 1:
        far *= far * (3 - 2 * far)
    far *= opacity * np.float32(255)
    far += np.float32(0.5)
    return far.astype(np.uint8)


def fill_path(document: MaskDocument, path: QPainterPath, erases: bool) -> Rect:
    """Fill a shape; return what was touched."""
    box = path.boundingRect().toAlignedRect()
    rect = document.clipped((box.left(), box.top(), box.right() + 1, box.bottom() + 1))
    if rect[0] >= rect[2] or rect[1] >= rect[3]:
        return 0, 0, 0, 0
    shape = QImage(rect[2] - rect[0], rect[3] - rect[1], QImage.Format.Format_Grayscale8)
    shape.fill(0)
    painter = QPainter(shape)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(-rect[0], -rect[1])
    painter.fillPath(path, Qt.GlobalColor.white)
    painter.end()
    lines = np.frombuffer(shape.constBits(), np.uint8).reshape(shape.height(), shape.bytesPerLine())
    _put(document.touch(rect), lines[:, : shape.width()], erases)
    return rect


def _put(ground: Pixels, cover: Pixels, erases: bool) -> None:
    if erases:
        np.minimum(ground, 255 - cover, out=ground)
    else:
        np.maximum(ground, cover, out=ground)
