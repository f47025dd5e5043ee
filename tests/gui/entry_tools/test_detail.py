"""Redrawing regions, by hand: from the menu through the dialog, boxes dragged on the picture, to jobs."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.entry_tools.detail_dialog import NO_DETECTOR, NOTHING, DetailDialog
from tests.tiny_detectors import tiny_grounding_dino

PATIENCE_MS = 30_000


def saved(studio, size=(64, 96), seed=3, blocked=""):
    request = GenerationRequest(model="tiny", width=size[0], height=size[1], prompt="frog", seed=seed, steps=4)
    recipe = Recipe(app="test", request=request, model_name="Tiny", model_family="sd1", blocked=blocked)
    entry = studio.history.save(Image.new("RGB", size, (seed * 9 % 256, 120, 60)), recipe)
    studio.window.history_model.insert([entry])
    return entry


@pytest.fixture
def paused(studio):
    studio.controller.pause()
    return studio


def opened(studio, *entries) -> DetailDialog:
    studio.window.actions_on_entries.ask("detail", list(entries))
    dialog = studio.window.findChild(DetailDialog)
    assert dialog is not None
    dialog.resize(780, 520)
    return dialog


def drag(dialog, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the picture; places are shares of it: it is as high as the widget and stands in its middle."""
    marker = dialog.marker
    height = marker.height()
    width = height * 64 / 96
    points = [QPoint(round((marker.width() - width) / 2 + x * width), round(y * height)) for x, y in (begin, end)]
    QTest.mousePress(marker, Qt.MouseButton.LeftButton, pos=points[0])
    QTest.mouseMove(marker, points[1])
    QTest.mouseRelease(marker, Qt.MouseButton.LeftButton, pos=points[1])


def start(dialog, qtbot) -> None:
    QTest.mouseClick(dialog.redraw_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.isVisible() or bool(dialog.message), timeout=PATIENCE_MS)


def test_boxes_are_dragged_removed_and_taken_back_and_become_a_job(paused, qtbot):
    entry = saved(paused)
    dialog = opened(paused, entry)
    assert not dialog.redraw_button.isEnabled()
    assert dialog.hint == NOTHING
    qtbot.waitUntil(lambda: drag(dialog, (0, 0), (0.5, 0.25)) or bool(dialog.marker.boxes), timeout=PATIENCE_MS)
    drag(dialog, (0.5, 0.5), (2, 2))
    first, second = dialog.marker.boxes
    assert abs(first[2] - 32) <= 1
    assert abs(first[3] - 24) <= 1
    assert second[2:] == (64, 96)
    QTest.keyClick(dialog.marker, Qt.Key.Key_Delete)
    assert dialog.marker.boxes == (first,)
    QTest.keyClick(dialog.marker, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert dialog.marker.boxes == (first, second)
    assert dialog.fields["detail_boxes"].value() == "; ".join(",".join(map(str, box)) for box in (first, second))
    dialog.fields["detail_prompt"].set_value("a cat [SEP] a frog")
    start(dialog, qtbot)
    [job] = paused.controller.jobs()
    request = job.request
    assert (request.detail_boxes, request.detail_prompt) == (
        dialog.fields["detail_boxes"].value(),
        "a cat [SEP] a frog",
    )
    assert (request.strength, request.prompt, request.model, job.seeds) == (0.0, "frog", "tiny", (3,))
    assert job.parent_id == entry.id
    assert "in the queue" in paused.window.status_line.text


def test_without_a_detector_it_says_so_and_offers_one_and_takes_it_once_it_is_there(paused, qtbot):
    dialog = opened(paused, saved(paused), saved(paused, seed=5), saved(paused, seed=6, blocked="nudity"))
    assert not dialog.marker.isVisible()
    dialog.fields["detail"].set_value("a face")
    assert dialog.hint == NO_DETECTOR
    assert not dialog.redraw_button.isEnabled()
    with qtbot.waitSignal(paused.window.shell.page_wanted) as page:
        QTest.mouseClick(dialog.get_button, Qt.MouseButton.LeftButton)
    assert page.args == ["Library"]
    folder = tiny_grounding_dino(paused.library.paths.models / "detectors" / "dino")
    with qtbot.waitSignal(paused.window.shell.models_read, timeout=PATIENCE_MS):
        paused.window.shell.rescan_wanted.emit()
    assert dialog.hint == ""
    assert not dialog.get_button.isVisible()
    combo = dialog.fields["detail_model"].editor.combo
    assert [combo.itemText(at) for at in range(combo.count())] == ["The first there is", "dino"]
    start(dialog, qtbot)
    assert [job.request.detail for job in paused.controller.jobs()] == ["a face", "a face"]
    assert "was left out: It was blocked" in dialog.message
    folder.joinpath("model.safetensors").unlink()


def test_boxes_can_be_written_and_a_wrong_one_is_told_at_its_field(paused, qtbot):
    dialog = opened(paused, saved(paused))
    boxes = dialog.fields["detail_boxes"]
    boxes.set_value("1,2,30,40")
    assert dialog.marker.boxes == ((1, 2, 30, 40),)
    boxes.set_value("1,2,30")
    QTest.mouseClick(dialog.redraw_button, Qt.MouseButton.LeftButton)
    assert "left,top,right,bottom" in boxes.error
    boxes.set_value("70,2,90,40")
    start(dialog, qtbot)
    assert "outside of the picture, 64 x 96" in dialog.message
    assert paused.controller.jobs() == ()
