from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget

from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.masks import read_mask
from sdstudio.ui.widgets.picture_drag import Offer
from sdstudio.ui.widgets.picture_view import PictureView

WAIT_MS = 20_000
SIZE = (400, 304)


class Painting:
    """The real window with a picture of `SIZE` that is painted on, and the hand."""

    def __init__(self, studio: Any, qtbot: Any, home: Any) -> None:
        self.studio, self.window, self.qtbot = studio, studio.window, qtbot
        self.picture = self.window.panel.field("init_image").editor
        self.field = self.window.panel.field("mask").editor
        self.store = InputPictures(home)
        self.home = home
        self.undos = self.window.shell.undos

    @property
    def layer(self) -> QWidget:
        layer = self.window.findChild(QWidget, "maskLayer")
        assert layer is not None
        return layer

    @property
    def is_open(self) -> bool:
        layer = self.window.findChild(QWidget, "maskLayer")
        return layer is not None and layer.isVisible()

    def begin(self, path: Path) -> None:
        """Let a file be the input picture, and press Edit there."""
        self.picture.offered.emit(Offer(path))
        self.qtbot.waitUntil(lambda: self.picture.seen is not None, timeout=WAIT_MS)
        self.press(self.picture, "initImagePaintButton")
        self.qtbot.waitUntil(lambda: self.is_open, timeout=WAIT_MS)

    def press(self, within: QWidget, name: str) -> None:
        button = within.findChild(QPushButton, name)
        assert button is not None, name
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def at(self, x: float, y: float) -> QPoint:
        """Return where a point of the picture lies on the layer."""
        view = self.layer.parentWidget()
        assert isinstance(view, PictureView)
        place = view.picture_rect()
        scale = place.width() / SIZE[0]
        return QPointF(place.left() + x * scale, place.top() + y * scale).toPoint()

    def drag(self, *points: tuple[float, float], keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press at the first point of the picture, go over the others, and let go at the last."""
        left = Qt.MouseButton.LeftButton
        places = [self.at(*point) for point in points]
        QTest.mousePress(self.layer, left, keys, places[0])
        for place in places[1:]:
            QTest.mouseMove(self.layer, place)
        QTest.mouseRelease(self.layer, left, keys, places[-1])

    def key(self, key: Qt.Key | str, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.layer, key, keys)

    def settled(self) -> None:
        """Wait until the hand has rested and nothing is done in the background."""
        self.qtbot.waitUntil(lambda: self.studio.tasks.is_idle, timeout=WAIT_MS)

    @property
    def mask_id(self) -> str:
        return str(self.window.panel.value("mask"))

    def pixels(self) -> np.ndarray:
        """Return the mask that a request of now would name, read from the disk; zeros for none."""
        mask_id = self.mask_id
        if not mask_id:
            return np.zeros((SIZE[1], SIZE[0]), np.uint8)
        kept = self.store.find(mask_id)
        if kept is not None:
            return np.array(read_mask(kept.path))
        assert hashlib.sha256(self.home.mask_draft.read_bytes()).hexdigest() == mask_id
        return np.array(Image.open(self.home.mask_draft))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "holiday photo.png"
    Image.new("RGB", SIZE, (70, 110, 160)).save(path)
    return path


@pytest.fixture
def painting(studio: Any, qtbot: Any, home: Any, photo: Path) -> Painting:
    studio.window.resize(1500, 950)
    found = Painting(studio, qtbot, home)
    found.begin(photo)
    return found
