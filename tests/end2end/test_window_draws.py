"""The whole house with nothing faked: the window, the worker, the real engine and the starter model that ships."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QPlainTextEdit, QProgressBar, QPushButton

from sdstudio.app import Studio, build_studio
from sdstudio.core.events import StepDone
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.jobs.queue import JobState

ENGINE_MS = 120_000
"""torch and diffusers are imported with the first picture, beside other tests on two cores."""


@pytest.fixture
def studio(home, qtbot) -> Iterator[Studio]:
    made = build_studio(home.home)
    with qtbot.waitExposed(made.window):
        made.window.show()
    yield made
    assert made.close()
    made.delete()


@pytest.fixture
def window(studio):
    return studio.window


def history(window) -> QAbstractItemView:
    return window.findChild(QAbstractItemView, "historyView")


def middle(window, row: int) -> QPoint:
    return history(window).visualRect(history(window).model().index(row, 0)).center()


def draw(studio, qtbot, prompt: str, seed: str = "") -> None:
    window, before = studio.window, studio.history.count()
    edit = window.findChild(QPlainTextEdit, "promptEdit")
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, prompt)
    window.findChild(QLineEdit, "seedEdit").setText(seed)
    QTest.mouseClick(window.findChild(QPushButton, "generateButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: history(window).model().rowCount() == before + 1, timeout=ENGINE_MS)
    qtbot.waitUntil(lambda: window.status_line.text.startswith("Done"), timeout=ENGINE_MS)


def pixels(path) -> bytes:
    with Image.open(path) as picture:
        return picture.convert("RGB").tobytes()


def test_a_prompt_is_drawn_watched_kept_restored_and_drawn_again(studio, window, qtbot):
    steps: list[StepDone] = []
    shown: list[bool] = []
    studio.worker.job_event.connect(
        lambda told: (
            (steps.append(told.event), shown.append(window.canvas.view.has_preview))
            if isinstance(told.event, StepDone)
            else None
        )
    )
    model = window.panel.model
    assert model.key == "starter"
    assert [chip.text().strip() for chip in window.canvas.empty.suggestions] == list(model.examples[:3])
    draw(studio, qtbot, "red heart", seed="123")

    assert any(step.preview is not None for step in steps)
    assert any(shown)
    assert steps[-1].step == steps[-1].total
    first = window.canvas.entry
    assert window.canvas.view.picture.width() == first.recipe.request.made_size[0] == 512
    assert first.recipe.request.seed == 123
    assert recipe_of(first.path) == first.recipe
    low, high = Image.open(first.path).convert("L").getextrema()
    assert high - low > 60, "a picture, and not one flat colour"

    draw(studio, qtbot, "frog", seed="5")
    steps_before = window.panel.value("steps")
    QTest.mouseClick(history(window).viewport(), Qt.MouseButton.LeftButton, pos=middle(window, 1))
    assert window.canvas.entry.id == first.id
    window.commands.ask("restore")
    assert window.editor.prompt == "red heart"
    assert window.findChild(QLineEdit, "seedEdit").text() == "123"
    assert window.panel.value("steps") == steps_before

    window.commands.ask("rerun")
    qtbot.waitUntil(lambda: studio.history.count() == 3, timeout=ENGINE_MS)
    again = studio.history.entries(limit=1)[0]
    assert again.recipe.request == first.recipe.request
    assert pixels(again.path) == pixels(first.path)


def test_cancel_is_felt_and_the_next_picture_is_the_same_as_ever(studio, window, qtbot):
    draw(studio, qtbot, "red heart", seed="9")
    before = pixels(window.canvas.entry.path)
    window.panel.field("steps").set_value(150)
    QTest.mouseClick(window.findChild(QPushButton, "generateButton"), Qt.MouseButton.LeftButton)
    bar = window.findChild(QProgressBar, "progressBar")
    cancel = window.findChild(QPushButton, "cancelButton")
    qtbot.waitUntil(lambda: cancel.isVisible() and bar.value() > 0, timeout=ENGINE_MS)
    QTest.mouseClick(cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.status_line.text.startswith("Cancelled “red heart” at step"), timeout=10_000)
    assert studio.controller.jobs()[0].state is JobState.CANCELLED
    assert studio.history.count() == 1
    window.panel.field("steps").reset()
    draw(studio, qtbot, "red heart", seed="9")
    assert pixels(window.canvas.entry.path) == before
