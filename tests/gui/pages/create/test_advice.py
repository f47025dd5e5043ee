"""Hints beside the parameters, in the real window."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def note(studio, name: str) -> QWidget | None:
    found = studio.window.findChild(QWidget, f"{name}Advice")
    return found if found is not None and not found.isHidden() else None


def press(studio, name: str) -> None:
    QTest.mouseClick(studio.window.findChild(QAbstractButton, name), Qt.MouseButton.LeftButton)


def said(found: QWidget) -> str:
    return " ".join(label.text() for label in found.findChildren(QLabel))


def test_a_hint_comes_beside_its_parameter_and_is_followed_with_one_click(studio, qtbot):
    panel = studio.window.panel
    assert note(studio, "steps") is None
    panel.field("guidance_scale").set_value(1.0)
    studio.window.editor.set_negative_prompt("fog")
    qtbot.waitUntil(lambda: note(studio, "guidanceScale") is not None, timeout=WAIT_MS)
    assert "does nothing" in said(note(studio, "guidanceScale"))
    assert note(studio, "guidanceScale").parentWidget() is panel.field("guidance_scale")
    press(studio, "guidanceScaleAdviceButton")
    assert panel.value("guidance_scale") == panel.field("guidance_scale").row.default
    assert note(studio, "guidanceScale") is None


def test_a_dismissed_hint_is_not_said_again(studio, qtbot):
    size = studio.window.panel.field("width")
    size.set_value(4000)
    qtbot.waitUntil(lambda: note(studio, "width") is not None, timeout=WAIT_MS)
    press(studio, "widthAdviceDismissButton")
    assert note(studio, "width") is None
    size.set_value(3200)
    studio.window.panel.field("steps").set_value(2)
    studio.window.panel.field("guidance_scale").set_value(29)
    qtbot.waitUntil(lambda: note(studio, "guidanceScale") is not None, timeout=WAIT_MS)
    assert note(studio, "width") is None


def test_a_burnt_picture_asks_for_less_guidance_until_that_is_changed(studio, history, qtbot):
    panel = studio.window.panel
    panel.field("guidance_scale").set_value(9.0)
    request = panel.request("a fox")
    assert isinstance(request, GenerationRequest)
    recipe = Recipe(app="test", request=request.with_seed(1), model_name="Tiny", model_family="sd1")
    entry = history.save(Image.new("RGB", (64, 64), (255, 0, 0)), recipe)
    studio.worker.picture_saved.emit(entry)
    qtbot.waitUntil(lambda: note(studio, "guidanceScale") is not None, timeout=WAIT_MS)
    assert "burnt" in said(note(studio, "guidanceScale"))
    panel.field("guidance_scale").set_value(8.5)
    qtbot.waitUntil(lambda: note(studio, "guidanceScale") is None, timeout=WAIT_MS)
