"""Making pictures larger, by hand: from the menu or the keyboard through the dialog to jobs that know their parents."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton

from sdstudio.core.models.asset import Asset
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.entry_tools.compare_window import CompareWindow
from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog

PATIENCE_MS = 30_000


def saved(studio, size=(64, 96), seed=3, blocked="", **values):
    request = GenerationRequest(
        **{"model": "tiny", "width": size[0], "height": size[1], "prompt": "frog", "seed": seed, "steps": 4, **values}
    )
    recipe = Recipe(app="test", request=request, model_name="Tiny", model_family="sd1", blocked=blocked)
    entry = studio.history.save(Image.new("RGB", size, (seed * 9 % 256, 120, 60)), recipe)
    studio.window.history_model.insert([entry])
    return entry


def opened(studio, qtbot, *entries) -> UpscaleDialog:
    studio.window.actions_on_entries.ask("upscale", list(entries))
    return ready(studio, qtbot)


def ready(studio, qtbot) -> UpscaleDialog:
    dialog = studio.window.findChild(UpscaleDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: "Looking at" not in dialog.outcome, timeout=PATIENCE_MS)
    return dialog


def start(dialog, qtbot) -> None:
    assert dialog.upscale_button.isEnabled()
    QTest.mouseClick(dialog.upscale_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.upscale_button.isEnabled(), timeout=PATIENCE_MS)


@pytest.fixture
def paused(studio):
    studio.controller.pause()
    studio.window.panel.set_model("tiny")
    return studio


def test_one_picture_becomes_one_job_that_knows_its_parent(paused, qtbot):
    entry = saved(paused)
    dialog = opened(paused, qtbot, entry)
    assert dialog.outcome == "64 × 96 px becomes 128 × 192 px."
    start(dialog, qtbot)
    [job] = paused.controller.jobs()
    assert (job.request.width, job.request.height, job.request.strength) == (128, 192, 0.0)
    assert job.request.prompt == "frog"
    assert job.seeds == (3,)
    assert job.parent_id == entry.id
    assert not dialog.isVisible()
    assert "in the queue" in paused.window.status_line.text


def test_several_at_once_are_a_job_each(paused, qtbot):
    entries = [saved(paused, seed=seed) for seed in (1, 2, 3)]
    dialog = opened(paused, qtbot, *entries)
    assert dialog.outcome == "3 pictures, the largest becomes 128 × 192 px."
    start(dialog, qtbot)
    jobs = paused.controller.jobs()
    assert [job.parent_id for job in jobs] == [entry.id for entry in entries]
    assert [job.seeds for job in jobs] == [(1,), (2,), (3,)]


def test_details_are_redrawn_when_that_is_asked_for(paused, qtbot):
    dialog = opened(paused, qtbot, saved(paused))
    assert not dialog.redraw_box.isChecked()
    assert not dialog.strength.isVisible()
    low = dialog.height()
    QTest.mouseClick(dialog.redraw_box, Qt.MouseButton.LeftButton, pos=QPoint(8, dialog.redraw_box.height() // 2))
    assert dialog.strength.isVisible()
    assert dialog.height() > low
    assert dialog.height() >= dialog.layout().totalHeightForWidth(dialog.width())
    assert "takes at least 4 times as long" in dialog.findChild(QLabel, "upscaleRedrawAbout").text()
    dialog.strength.set_value(0.45)
    start(dialog, qtbot)
    [job] = paused.controller.jobs()
    assert job.request.strength == 0.45


def test_a_strength_that_does_not_suit_is_refused_at_its_field(paused, qtbot):
    dialog = opened(paused, qtbot, saved(paused))
    dialog.redraw_box.setChecked(True)
    for strength in (0.1, 0.6):
        dialog.strength.set_value(strength)
        assert dialog.strength.error == ""
        QTest.mouseClick(dialog.upscale_button, Qt.MouseButton.LeftButton)
        assert "0.2 to 0.5" in dialog.strength.error, strength
        assert paused.controller.jobs() == ()


def test_what_would_be_too_large_is_said_before(paused, qtbot):
    large, small = saved(paused, (2048, 64)), saved(paused, seed=4)
    dialog = opened(paused, qtbot, large)
    assert dialog.upscale_button.isEnabled()
    dialog.factor.set_value(3.0)
    assert "6,144 × 192 px: at most 4,096 px a side. Choose a smaller factor." in dialog.outcome
    assert not dialog.upscale_button.isEnabled()
    dialog = opened(paused, qtbot, large, small)
    assert "1 of 2 would be 6,144 × 192 px and is left out" in dialog.outcome
    start(dialog, qtbot)
    assert [job.parent_id for job in paused.controller.jobs()] == [small.id]


def test_pictures_that_cannot_be_read_or_were_blocked_are_left_out(paused, qtbot):
    blocked, gone = saved(paused, blocked="nudity"), saved(paused, seed=5)
    gone.path.unlink()
    dialog = opened(paused, qtbot, blocked)
    assert dialog.outcome == "The picture cannot be read, or was blocked."
    assert not dialog.upscale_button.isEnabled()
    dialog = opened(paused, qtbot, blocked, gone, saved(paused, seed=6))
    assert "2 cannot be read, or were blocked." in dialog.outcome
    assert dialog.upscale_button.isEnabled()


def test_an_upscaler_of_the_library_can_be_chosen_and_one_that_is_gone_is_said(paused, qtbot):
    entry = saved(paused)
    dialog = opened(paused, qtbot, entry)
    asset = Asset("upscaler", "sharp", "4x Sharp", Path("/models/sharp.safetensors"), Path("/models"))
    dialog.open_with([entry], [asset])
    dialog = ready(paused, qtbot)
    combo = dialog.upscaler.editor.combo
    assert [combo.itemText(at) for at in range(combo.count())] == ["Lanczos", "4x Sharp"]
    dialog.upscaler.set_value("sharp")
    assert dialog.how.upscaler == "sharp"
    start(dialog, qtbot)
    assert f"Picture {entry.id} was left out" in dialog.message, "the library has no such file"
    assert dialog.isVisible()
    assert paused.controller.jobs() == ()


def test_a_model_that_is_gone_is_not_needed_where_nothing_is_drawn(paused, qtbot):
    entry = saved(paused, model="of another computer")
    dialog = opened(paused, qtbot, entry)
    start(dialog, qtbot)
    [job] = paused.controller.jobs()
    assert job.request.model == "tiny"
    dialog = opened(paused, qtbot, entry)
    dialog.redraw_box.setChecked(True)
    start(dialog, qtbot)
    assert "of another computer" in dialog.message
    assert len(paused.controller.jobs()) == 1


def test_it_is_asked_for_and_begun_by_keyboard(paused, qtbot):
    entry = saved(paused)
    paused.window.canvas.show_entry(entry)
    action = paused.window.findChild(QAction, "action_entry_upscale")
    assert action.shortcut().toString() == "Ctrl+U"
    action.trigger()
    dialog = ready(paused, qtbot)
    QTest.keyClick(dialog.factor.editor.combo, Qt.Key.Key_Down)
    assert dialog.how.factor == 3.0
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(paused.controller.jobs()) == 1, timeout=PATIENCE_MS)
    assert paused.controller.jobs()[0].request.width == 192


def test_the_result_points_to_its_parent_and_both_can_be_compared(studio, qtbot):
    studio.window.panel.set_model("tiny")
    entry = saved(studio)
    start(opened(studio, qtbot, entry), qtbot)
    qtbot.waitUntil(lambda: studio.history.count() == 2, timeout=PATIENCE_MS)
    result = studio.history.entries()[0]
    assert result.parent_id == entry.id
    studio.window.pages.open("History")
    details = studio.window.pages.currentWidget().details
    details.show_entry(result)
    kin = details.findChild(QToolButton, f"kin{entry.id}Button")
    assert kin is not None
    assert "Made from · upscaled" in {label.text() for label in details.findChildren(QLabel)}
    studio.window.actions_on_entries.ask("compare", [entry, result])
    window = studio.window.findChild(CompareWindow)
    assert window is not None
    qtbot.waitUntil(lambda: studio.tasks.is_idle, timeout=PATIENCE_MS)
    window.close()
