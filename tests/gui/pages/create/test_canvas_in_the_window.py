"""The canvas in the real window: its keys, what stands beside the picture, and what it shows when nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QPushButton, QSpinBox

from sdstudio.app import Studio
from sdstudio.ui.entries.actions import ActionRequest, EntryActions
from sdstudio.ui.theme import apply_theme
from tests.unit.background.fakes import until_cancelled

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    return shared_studio


@pytest.fixture
def draw(qtbot: Any) -> Callable[..., None]:
    """A function that writes a prompt, presses Generate and waits for its pictures."""

    def drawn(studio: Studio, prompt: str, count: int = 1) -> None:
        window = studio.window
        have = studio.history.count()
        for name, value in (("width", 128), ("height", 128), ("steps", 3), ("count", count)):
            window.findChild(QSpinBox, f"{name}SpinBox").setValue(value)
        window.editor.set_prompt(prompt)
        QTest.mouseClick(window.editor.generate_button, LEFT)
        qtbot.waitUntil(lambda: studio.history.count() == have + count, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: window.status_line.text.startswith(f"Done: {count}"), timeout=WAIT_MS)
        assert window.canvas.entry is not None
        window.status_line.rest("")

    return drawn


@pytest.fixture
def hold(qtbot: Any) -> Callable[[Studio], None]:
    """A function that begins a job that goes on until it is cancelled."""

    def held(studio: Studio) -> None:
        studio.window.editor.set_prompt("endless")
        QTest.mouseClick(studio.window.editor.generate_button, LEFT)
        qtbot.waitUntil(lambda: studio.window.editor.cancel_button.isVisible(), timeout=WAIT_MS)

    return held


def press_cancel(studio: Studio, qtbot: Any) -> None:
    QTest.mouseClick(studio.window.editor.cancel_button, LEFT)
    qtbot.waitUntil(lambda: not studio.window.editor.cancel_button.isVisible(), timeout=WAIT_MS)


def child(studio: Studio, name: str) -> QAbstractButton:
    found = studio.window.findChild(QAbstractButton, name)
    assert found is not None
    return found


def test_every_key_that_the_canvas_menu_prints_works_on_the_canvas(build, draw, qtbot, monkeypatch):
    handle = EntryActions.handle  # what is asked for is written down, and not done
    monkeypatch.setattr(EntryActions, "handle", lambda self, key, _handler: handle(self, key, lambda _entries: None))
    studio = build()
    draw(studio, "frog")
    window = studio.window
    shown = window.canvas.entry
    window.canvas.view.menu_requested.emit(QPoint(10, 10))
    menu = window.canvas.findChild(QMenu)
    printed = {}
    for action in [*menu.actions(), *(inner for each in menu.findChildren(QMenu) for inner in each.actions())]:
        title, _tab, key = action.text().partition("\t")
        if key:
            printed[action.objectName().removeprefix("entry_")] = (title, key)
    menu.close()
    assert {"favourite", "rate_3", "tag", "collect", "delete", "copy", "rerun"} <= printed.keys()
    wishes: list[ActionRequest] = []
    window.actions_on_entries.requested.connect(wishes.append)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    QTest.mouseClick(window.canvas.view, LEFT)
    assert window.canvas.view.hasFocus()
    for wish, (title, key) in printed.items():
        wishes.clear()
        QTest.keySequence(window.canvas.view, QKeySequence(key))
        assert [(each.key, tuple(each.entries)) for each in wishes] == [(wish, (shown,))], (title, key)


def test_tab_reaches_the_canvas_and_a_ring_says_so(studio, draw, qtbot):
    draw(studio, "frog")
    window = studio.window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    view = window.canvas.view
    without = view.grab().toImage()
    window.editor.prompt_edit.setFocus()
    for _stop in range(60):
        if view.hasFocus():
            break
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backtab)
    assert view.hasFocus()
    assert view.grab().toImage() != without


def test_facts_and_marks_stand_beside_the_picture_and_are_taken_back(studio, draw, qtbot):
    draw(studio, "frog")
    window, caption = studio.window, studio.window.canvas.caption
    entry = window.canvas.entry
    request = entry.recipe.request
    for said in (f"Seed {request.seed}", "512 × 512", "3 steps", "DPM++", "Starter"):
        assert said in caption.facts.text()

    def kept() -> tuple[int, bool]:
        now = studio.history.get(entry.id)
        return now.rating, now.favourite

    star = caption.stars.sizeHint().width() // 5
    QTest.mouseClick(caption.stars, LEFT, pos=QPoint(2 * star + star // 2, caption.stars.height() // 2))
    qtbot.waitUntil(lambda: kept() == (3, False), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: caption.stars.stars == 3, timeout=WAIT_MS)
    QTest.mouseClick(caption.heart, LEFT)
    qtbot.waitUntil(lambda: kept() == (3, True), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: caption.heart.accessibleDescription() == "yes", timeout=WAIT_MS)
    QTest.mouseClick(caption.heart, LEFT)
    qtbot.waitUntil(lambda: caption.heart.accessibleDescription() == "no", timeout=WAIT_MS)
    for expected in ((3, True), (3, False), (0, False)):
        window.history_controller.undo()
        assert kept() == expected
    assert caption.stars.stars == 0


def test_the_trash_beside_the_picture_shows_the_next_one_and_undo_brings_it_back(studio, draw):
    draw(studio, "frog")
    first = studio.window.canvas.entry
    draw(studio, "cat face")
    second = studio.window.canvas.entry
    QTest.mouseClick(studio.window.canvas.caption.trash, LEFT)
    assert studio.window.canvas.entry.id == first.id
    assert studio.history.count() == 1
    studio.window.history_controller.undo()
    assert studio.window.canvas.entry.id == second.id


def test_the_start_shows_the_newest_picture(build, draw, qtbot):
    studio = build()
    draw(studio, "frog")
    draw(studio, "cat face")
    assert studio.close()
    again = build().window
    qtbot.waitUntil(lambda: again.canvas.entry is not None, timeout=WAIT_MS)
    assert again.canvas.entry.recipe.request.prompt == "cat face"
    assert not again.canvas.view.picture.isNull()


def test_after_a_cancel_the_batch_from_before_is_shown_again(build, draw, hold, qtbot):
    studio = build({"endless": until_cancelled})
    draw(studio, "frog", count=3)
    canvas = studio.window.canvas
    QTest.mouseClick(canvas.strip, LEFT, pos=canvas.strip.slot_rect(1).center().toPoint())
    chosen, strip = canvas.entry, canvas.strip.entries
    hold(studio)
    assert canvas.entry is None
    press_cancel(studio, qtbot)
    assert (canvas.entry, canvas.strip.entries, canvas.strip.current) == (chosen, strip, 1)
    assert not canvas.view.picture.isNull()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_way_back_to_the_live_view_is_large_and_readable(build, draw, hold, qtbot, qapp, theme):
    studio = build({"endless": until_cancelled})
    draw(studio, "frog")
    shown = studio.window.canvas.entry
    hold(studio)
    apply_theme(qapp, theme)
    studio.window.canvas.show_entry(shown)
    back = studio.window.findChild(QPushButton, "liveViewButton")
    qtbot.waitUntil(back.isVisible, timeout=WAIT_MS)
    assert back.height() >= 28
    assert contrast(back.grab().toImage()) >= 4.5
    QTest.mouseClick(back, LEFT)
    assert studio.window.canvas.entry is None
    assert not back.isVisible()
    press_cancel(studio, qtbot)


@pytest.mark.parametrize(("size", "bears"), [((900, 540), False), ((1600, 1000), True)])
def test_the_hover_bar_does_not_cover_a_small_picture(studio, draw, qtbot, size, bears):
    draw(studio, "frog")
    window = studio.window
    window.resize(*size)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == size, timeout=WAIT_MS)
    QTest.mouseMove(window.canvas.view, window.canvas.view.rect().center() - QPoint(5, 5))
    QTest.mouseMove(window.canvas.view, window.canvas.view.rect().center())
    assert child(studio, "hover_rerun").isVisible() is bears
    assert child(studio, "captionMoreButton").isVisible()


def contrast(image: QImage) -> float:
    """The contrast of the most distinct text pixel with the ground, as WCAG 2 counts."""

    def luminance(x: int, y: int) -> float:
        colour = image.pixelColor(x, y)
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    inside = [luminance(x, y) for x in range(40, image.width() - 8) for y in range(6, image.height() - 6)]
    ground = luminance(6, image.height() // 2)
    return max((max(each, ground) + 0.05) / (min(each, ground) + 0.05) for each in inside)


def test_a_picture_is_repeated_when_asked_and_a_seamless_one_by_itself(studio, qtbot, draw):
    view, button = studio.window.canvas.view, studio.window.canvas.caption.repeat
    draw(studio, "plain")
    assert not view.is_repeated
    QTest.mouseClick(button, LEFT)
    assert view.is_repeated
    assert button.isChecked()
    draw(studio, "also plain")
    assert view.is_repeated
    view.setFocus()
    QTest.keyClick(studio.window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert not view.is_repeated
    assert not button.isChecked()
    studio.window.panel.field("seamless").set_value("both")
    draw(studio, "seamless")
    assert view.is_repeated
    QTest.mouseClick(button, LEFT)
    assert not view.is_repeated
    QTest.mouseClick(button, LEFT)
    studio.window.panel.field("seamless").set_value("off")
    draw(studio, "plain again")
    assert not view.is_repeated
