"""A picture beside copies of itself: all alike, and no line between them that the picture does not have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QImage

from sdstudio.core.events import PreviewFrame
from sdstudio.ui.widgets.images import as_pillow, as_qimage
from sdstudio.ui.widgets.picture_view import PictureView


@pytest.fixture
def view(qapp, qtbot) -> PictureView:
    shown = PictureView()
    qtbot.addWidget(shown)
    shown.resize(648, 648)  # 600 px within the margins: 200 for each copy
    shown.show()
    return shown


def waves(side: int = 32) -> QImage:
    """A picture whose edges meet: whole waves across and down, steep enough for a kink to be seen."""
    x = np.arange(side) * 2 * np.pi / side
    levels = 128 + 60 * np.sin(3 * x)[None, :] + 60 * np.cos(2 * x)[:, None]
    return as_qimage(Image.fromarray(np.repeat(levels.round().astype(np.uint8)[..., None], 3, axis=2)))


def seen(view: PictureView) -> np.ndarray:
    """The 600 px in the middle of the view, as numbers."""
    return np.asarray(as_pillow(view.grab().toImage()), dtype=np.int16)[24:624, 24:624, 0]


def test_the_copies_are_alike_and_meet_without_a_line(view):
    view.set_picture(waves())
    alone = view.zoom
    view.set_repeated(True)
    assert view.zoom == pytest.approx(alone / 3)
    nine = seen(view).reshape(3, 200, 3, 200).swapaxes(1, 2)
    inside = np.s_[8:-8, 8:-8]  # the corners of the whole are round
    assert all((nine[down, across][inside] == nine[1, 1][inside]).all() for down in range(3) for across in range(3))
    bend = np.abs(np.diff(seen(view)[8:-8, 8:-8], n=2, axis=1)).max(axis=0)
    at_seam = bend[200 - 8 - 4 : 200 - 8 + 4].max()
    assert at_seam <= np.median(bend) + 3, (at_seam, np.median(bend))
    view.set_repeated(False)
    assert view.zoom == pytest.approx(alone)


@pytest.mark.parametrize("zoom", [0.7, 3.0])
def test_zoomed_in_one_sees_over_the_edge(view, zoom):
    view.set_picture(waves(512))
    view.set_repeated(True)
    view.zoom_to(zoom)
    view.pan_by(QPointF(-512 * zoom / 2, 0))  # the right edge lies in the middle
    assert abs(view.picture_rect().right() - 324) < 2
    steps = np.abs(np.diff(seen(view)[100], axis=0))
    assert steps[290:310].max() <= steps.max() <= 4
    assert steps[290:310].sum() > 10  # there is a wave, and no empty ground


def test_previews_are_repeated_and_an_empty_place_is_one(view):
    view.set_repeated(True)
    view.reserve(QSize(64, 64), "Getting ready…")
    assert view.covered_rect().width() == pytest.approx(600)
    view.set_preview(PreviewFrame(2, 1, bytes((0, 0, 0, 255, 255, 255))))
    row = seen(view)[300]
    assert [row[at] < 100 for at in (20, 180, 220, 380, 420, 580)] == [True, False] * 3
