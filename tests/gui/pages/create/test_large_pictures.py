"""A picture of 8000 pixels on the canvas and in the loupe: read elsewhere, in its order, while the window goes on."""

from __future__ import annotations

import threading

import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit

from sdstudio.core.paths import StudioPaths
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries import picture_loader
from sdstudio.ui.entries.picture_loader import read_picture_file
from sdstudio.ui.entry_tools.loupe.view import Loupe
from tests.unit.history.conftest import recipe

WAIT_MS = 20_000
WIDE, HIGH = 8000, 4000
TICK_MS = 5
LEAST_TICKS = 3


@pytest.fixture
def large(home: StudioPaths) -> Entry:
    """A large picture in the history; a small one is newer."""
    history = History(home, lambda path: path)
    entry = history.save(Image.new("RGB", (128, 64), (200, 40, 90)), recipe())
    history.save(Image.new("RGB", (64, 64), (10, 40, 90)), recipe(seed=2))
    history.close()
    plain = Image.new("P", (WIDE, HIGH), 1)
    plain.putpalette([0, 0, 0, 200, 40, 90])
    plain.save(entry.path, compress_level=1)
    return entry


@pytest.fixture
def window(build, qtbot, large):
    made = build().window
    made.resize(1200, 800)
    qtbot.waitUntil(lambda: made.canvas.entry is not None, timeout=WAIT_MS)
    return made


def choose(window, row: int) -> None:
    """Press the picture in the history that is the ``row``-th newest."""
    view = window.browser.view
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(row, 0)).center()
    )


def test_while_a_large_picture_is_read_one_goes_on_and_what_is_chosen_last_is_shown(window, qtbot, large, monkeypatch):
    threads: list[int] = []
    may_read, done = threading.Event(), threading.Event()

    def slowly(path, most_px=0):
        threads.append(threading.get_ident())
        may_read.wait(WAIT_MS / 1000)
        loaded = read_picture_file(path, most_px)
        done.set()
        return loaded

    monkeypatch.setattr(picture_loader, "read_picture_file", slowly)
    view = window.canvas.view
    choose(window, 1)
    assert window.canvas.entry is not None
    assert window.canvas.entry.id == large.id
    place = view.picture_rect()
    assert place.width() / place.height() == pytest.approx(WIDE / HIGH, rel=0.01)
    assert view.grab().toImage().pixelColor(view.width() // 2, view.height() // 2).red() == pytest.approx(200, abs=6)
    prompt = window.findChild(QPlainTextEdit, "promptEdit")
    QTest.keyClicks(prompt, "frog")
    assert prompt.toPlainText().endswith("frog")
    choose(window, 0)
    assert view.picture.width() == 64
    may_read.set()
    qtbot.waitUntil(done.is_set, timeout=WAIT_MS)
    qtbot.wait(50)
    assert view.picture.width() == 64, "what was chosen last stays"
    choose(window, 1)
    qtbot.waitUntil(lambda: view.picture.width() == WIDE, timeout=WAIT_MS)
    assert view.picture_rect() == place, "nothing moves when it comes"
    assert threads
    assert threading.get_ident() not in threads


def test_the_window_goes_on_while_a_large_picture_is_read_for_the_canvas_and_for_the_loupe(
    window, qtbot, large, monkeypatch
):
    is_reading = threading.Event()
    ticks = {"canvas": 0, "loupe": 0}
    where = "canvas"

    def watched(path, most_px=0):
        is_reading.set()
        try:
            return read_picture_file(path, most_px)
        finally:
            is_reading.clear()

    def tick() -> None:
        ticks[where] += is_reading.is_set()

    monkeypatch.setattr(picture_loader, "read_picture_file", watched)
    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(TICK_MS)
    view = window.canvas.view
    choose(window, 1)
    qtbot.waitUntil(lambda: view.picture.width() == WIDE, timeout=WAIT_MS)
    choose(window, 0)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Space)
    loupe = window.findChild(Loupe)
    large_view = loupe.picture.view
    qtbot.waitUntil(lambda: large_view.picture.width() == 64, timeout=WAIT_MS)
    qtbot.wait(100)  # what lies beside it is found too large to be read ahead
    where = "loupe"
    QTest.keyClick(loupe, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: large_view.picture.width() == WIDE, timeout=WAIT_MS)
    timer.stop()
    assert min(ticks.values()) >= LEAST_TICKS, ticks
