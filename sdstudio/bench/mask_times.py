"""A mask painted with a pen over a picture of 2048 pixels: from each move until it is seen, and what undo keeps.

Run as ``python -m sdstudio.bench.mask_times - STROKES``; the last line of output is JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any, Final

from PySide6.QtCore import QEvent, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtWidgets import QApplication

from sdstudio.ui.pages.create.mask.document import MaskDocument, Patch
from sdstudio.ui.pages.create.mask.page import MaskPage
from sdstudio.ui.theme import apply_theme

SIDE_PX: Final = 2048
_MOVES: Final = 24
"""Of one stroke: a fifth of a second of a pen that tells 120 times a second."""
_FASTEST_PX: Final = 60
"""How far a hand goes between two of them, in pixels of the picture."""
_SIZES_PX: Final = (32, 64, 128, 256)


class _Pen:
    """A pen over the page."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._page = MaskPage()
        self._page.resize(1200, 900)
        self._page.layer.set_colour(QColor("red"), 0.5)
        ground = QImage(QSize(SIDE_PX, SIDE_PX), QImage.Format.Format_RGB32)
        ground.fill(QColor("#506070"))
        self._page.view.set_picture(ground)
        self._page.layer.set_document(MaskDocument(SIDE_PX, SIDE_PX))
        self.patches: list[Patch] = []
        self._page.layer.stroked.connect(self.patches.append)
        self._page.show()
        self._app.processEvents()
        capabilities = QInputDevice.Capability.Position | QInputDevice.Capability.Pressure
        self._device = QPointingDevice(
            "pen", 1, QInputDevice.DeviceType.Stylus, QPointingDevice.PointerType.Pen, capabilities, 1, 1
        )

    def stroke(self, number: int) -> list[tuple[float, float]]:
        """Paint a stroke; return how long each of its moves held up the window, and its processor time, in ms."""
        chance, times = random.Random(number), []
        hand = self._page.hand
        hand.take("eraser" if number % 5 == 4 else "brush")
        hand.set_size(_SIZES_PX[number % len(_SIZES_PX)])
        hand.set_hardness((100, 60, 0)[number % 3])
        x, y = (chance.uniform(0, SIDE_PX) for _ in range(2))
        self._send(QEvent.Type.TabletPress, x, y, 0.5)
        across, down = (chance.uniform(-_FASTEST_PX, _FASTEST_PX) for _ in range(2))
        for _ in range(_MOVES):
            across, down = across + chance.uniform(-9, 9), down + chance.uniform(-9, 9)
            x, y = min(max(x + across, 0), SIDE_PX), min(max(y + down, 0), SIDE_PX)
            begin, worked = time.perf_counter(), time.thread_time()
            self._send(QEvent.Type.TabletMove, x, y, chance.uniform(0.3, 1.0))
            self._app.processEvents()
            times.append(((time.perf_counter() - begin) * 1000, (time.thread_time() - worked) * 1000))
        self._send(QEvent.Type.TabletRelease, x, y, 0.0)
        self._app.processEvents()
        return times

    def _send(self, kind: QEvent.Type, x: float, y: float, pressure: float) -> None:
        place = self._page.view.picture_rect()
        at = QPointF(place.left() + x * place.width() / SIDE_PX, place.top() + y * place.height() / SIDE_PX)
        button = Qt.MouseButton.LeftButton
        event = QTabletEvent(
            kind, self._device, at, self._page.layer.mapToGlobal(at), pressure, 0.0, 0.0, 0.0, 0.0, 0.0,
            Qt.KeyboardModifier.NoModifier, button, button,
        )  # fmt: skip
        QApplication.sendEvent(self._page.layer, event)


def measure(app: QApplication, strokes: int) -> dict[str, Any]:
    """Return everything that was measured."""
    pen = _Pen(app)
    times = [each for number in range(strokes) for each in pen.stroke(number)]
    kept = sum(patch.size_bytes for patch in pen.patches) / 2**20
    return {"moves": times, "strokes": len(pen.patches), "undo_mb": kept}


if __name__ == "__main__":
    application = QApplication([])
    apply_theme(application, "dark")
    sys.stdout.write("\n" + json.dumps(measure(application, int(sys.argv[2]))) + "\n")
