"""What waits is dragged, moved by keys, edited, duplicated and removed; what is removed comes back in its place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFrame, QLabel, QMenu

from sdstudio.core.request.request import RunOptions
from sdstudio.jobs.queue import JobState
from sdstudio.ui.widgets.message_bar import MessageBar
from tests.full_disk import full_disk
from tests.gui.pages.create.queue.test_panel import press, rows, texts

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    """A paused studio in whose queue a, b and c wait, with the dock wide and high enough to see them."""
    made = shared_studio
    made.controller.pause()
    for name, value in (("width", 64), ("height", 64), ("steps", 2)):
        made.window.panel.field(name).set_value(value)
    for prompt in "abc":
        made.controller.submit(made.window.panel.request(prompt), RunOptions())
    made.window.create_page.queue_dock.raise_()
    return made


def order(studio) -> list[str]:
    return [job.request.prompt for job in studio.controller.jobs() if job.is_waiting]


def row_of(studio, prompt: str):
    return next(row for row in rows(studio) if row.job.request.prompt == prompt)


def choose(studio, prompt: str, key: str) -> None:
    """Open a card's menu by its key and choose an entry."""
    row = row_of(studio, prompt)
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Menu)
    menu = studio.window.queue_panel.findChildren(QMenu, "queueMenu")[-1]
    menu.findChild(QAction, f"queue_{key}").trigger()
    menu.close()


def test_a_card_is_dragged_to_another_place_and_it_stays_there(studio, build, qtbot):
    qtbot.waitUntil(lambda: row_of(studio, "c").isVisible() and row_of(studio, "c").height() > 10, timeout=WAIT_MS)
    dragged, over = row_of(studio, "c"), row_of(studio, "a")
    start = QPoint(40, 8)
    QTest.mousePress(dragged, Qt.MouseButton.LeftButton, pos=start)
    target = dragged.mapFromGlobal(over.mapToGlobal(QPoint(40, 2)))
    for where in (start + QPoint(0, -QApplication.startDragDistance() - 1), target):
        QTest.mouseMove(dragged, where)
    QTest.mouseRelease(dragged, Qt.MouseButton.LeftButton, pos=target)
    assert order(studio) == ["c", "a", "b"]
    assert [row.job.request.prompt for row in rows(studio)] == ["c", "a", "b"]
    assert studio.close()
    assert order(build()) == ["c", "a", "b"]


def test_a_job_that_begins_while_it_is_dragged_is_let_go_and_those_around_keep_their_cards(studio, qtbot):
    qtbot.waitUntil(lambda: row_of(studio, "c").isVisible() and row_of(studio, "c").height() > 10, timeout=WAIT_MS)
    dragged, last = row_of(studio, "a"), row_of(studio, "c")
    line = studio.window.queue_panel.findChild(QFrame, "queueDropLine")
    QTest.mousePress(dragged, Qt.MouseButton.LeftButton, pos=QPoint(40, 8))
    for down in (QApplication.startDragDistance() + 1, 60):
        QTest.mouseMove(dragged, QPoint(40, 8 + down))
    assert line.isVisible()
    ids = [job.id for job in studio.controller.jobs()]
    studio.queue.start(ids[0])
    studio.controller.arrange([])  # told
    assert row_of(studio, "a") is dragged
    assert not line.isVisible()
    QTest.mouseRelease(dragged, Qt.MouseButton.LeftButton, pos=QPoint(40, 68))
    assert order(studio) == ["b", "c"]
    studio.queue.finish(ids[0], JobState.DONE)
    studio.controller.arrange([])
    assert [row.job.request.prompt for row in rows(studio)] == ["b", "c", "a"]
    assert row_of(studio, "c") is last, "what ends goes below; it does not tear a card from the hand"


def test_on_a_full_disk_the_queue_says_so_and_stays_as_it_is(studio):
    panel = studio.window.queue_panel
    with full_disk():
        press(panel, "Clear the queue")
        assert "the disk is full" in panel.bar.message or "could not be read or written" in panel.bar.message
        panel.bar.dismiss()
        press(row_of(studio, "b"), "Remove this job")
        assert panel.bar.message
        row_of(studio, "a").setFocus()
        QTest.keyClick(row_of(studio, "a"), Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert order(studio) == ["a", "b", "c"]
    assert studio.window.shell.undos.last is None


def test_keys_move_a_card_that_keeps_the_focus_and_take_it_off(studio, qtbot):
    row_of(studio, "a").setFocus()
    QTest.keyClick(row_of(studio, "a"), Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert order(studio) == ["b", "a", "c"]
    QTest.keyClick(row_of(studio, "c"), Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert order(studio) == ["b", "c", "a"]
    QTest.keyClick(row_of(studio, "a"), Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert order(studio) == ["b", "c", "a"], "it is the last already"
    studio.window.shell.undos.undo()
    assert order(studio) == ["b", "a", "c"]
    QTest.keyClick(row_of(studio, "a"), Qt.Key.Key_Delete)
    assert order(studio) == ["b", "c"]


def test_the_menu_runs_next_duplicates_removes_and_shows_all_parameters(studio, qtbot):
    choose(studio, "c", "run_next")
    assert order(studio) == ["c", "a", "b"]
    choose(studio, "a", "duplicate")
    assert order(studio) == ["c", "a", "b", "a"]
    choose(studio, "b", "remove")
    assert order(studio) == ["c", "a", "a"]
    choose(studio, "c", "details")
    details = studio.window.queue_panel.findChild(QDialog, "jobDetails")
    said = [label.text() for label in details.findChildren(QLabel)]
    assert said[said.index("Steps") + 1] == "2"
    assert said[said.index("Prompt") + 1] == "c"
    assert "Denoising strength" not in said, "there is no input picture"
    details.reject()


def test_what_is_removed_or_cleared_comes_back_with_its_number_and_place_by_undo(studio, qtbot):
    before = studio.controller.jobs()
    panel = studio.window.queue_panel
    press(row_of(studio, "b"), "Remove this job")
    assert order(studio) == ["a", "c"]
    assert panel.bar.message == "1 job removed from the queue."
    press(panel, "Clear the queue")
    assert order(studio) == []
    press(panel.bar, "Undo")
    assert order(studio) == ["a", "c"]
    studio.window.shell.undos.undo()
    assert studio.controller.jobs() == before


def test_an_edited_job_goes_back_to_its_place_with_what_was_changed(studio, qtbot):
    editor = studio.window.editor
    editor.set_prompt("something else")
    choose(studio, "b", "edit")
    assert editor.prompt == "b"
    bar = editor.findChild(MessageBar, "editingJobMessage")
    assert bar.message == "Editing job “b”: Generate puts it back in its place."
    editor.prompt_edit.moveCursor(QTextCursor.MoveOperation.End)
    QTest.keyClicks(editor.prompt_edit, " owl")
    QTest.mouseClick(editor.generate_button, Qt.MouseButton.LeftButton)
    assert order(studio) == ["a", "b owl", "c"]
    assert bar.message == ""
    QTest.mouseClick(editor.generate_button, Qt.MouseButton.LeftButton)
    assert len(order(studio)) == 4, "the next one is a new job"


def test_leaving_the_editing_brings_back_what_was_written_and_changes_no_job(studio, qtbot):
    editor, steps = studio.window.editor, studio.window.panel.field("steps")
    editor.set_prompt("something else")
    steps.set_value(33)
    choose(studio, "b", "edit")
    assert (editor.prompt, steps.value()) == ("b", 2)
    press(editor.findChild(MessageBar, "editingJobMessage"), "Cancel")
    assert (editor.prompt, steps.value()) == ("something else", 33)
    choose(studio, "c", "edit")
    assert editor.prompt == "c"
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Escape)
    assert (editor.prompt, steps.value()) == ("something else", 33)
    assert editor.findChild(MessageBar, "editingJobMessage").message == ""
    assert order(studio) == ["a", "b", "c"]


def test_what_was_changed_while_a_job_was_edited_comes_back_by_undo_after_esc(studio):
    editor, steps = studio.window.editor, studio.window.panel.field("steps")
    QTest.keyClicks(editor.prompt_edit, "an old")
    QTest.keyClicks(editor.prompt_edit, " map")
    choose(studio, "b", "edit")
    QTest.keyClicks(editor.prompt_edit, "ird of paradise")
    steps.set_value(44)
    written = editor.prompt
    assert "ird of paradise" in written
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Escape)
    assert (editor.prompt, steps.value()) == ("an old map", 2)
    press(studio.window.message, "Undo")
    assert (editor.prompt, steps.value()) == (written, 44)
    studio.window.shell.undos.redo()
    assert editor.prompt == "an old map"
    assert editor.prompt_edit.document().isUndoAvailable(), "words are still taken back one by one"


def test_when_an_edited_job_begins_it_is_said_and_what_was_written_before_comes_back(studio, qtbot):
    editor, steps = studio.window.editor, studio.window.panel.field("steps")
    editor.set_prompt("something else")
    steps.set_value(33)
    choose(studio, "a", "edit")
    studio.controller.resume()
    bar = editor.findChild(MessageBar, "editingJobMessage")
    qtbot.waitUntil(lambda: bar.message == "")
    assert "“a” has begun as it was" in studio.window.message.message
    assert (editor.prompt, steps.value()) == ("a", 2)
    press(studio.window.message, "Undo")
    assert (editor.prompt, steps.value()) == ("something else", 33)


def test_what_is_done_stays_until_it_is_cleared_and_a_click_shows_its_picture(studio, qtbot):
    studio.controller.resume()
    qtbot.waitUntil(lambda: {row.job.state for row in rows(studio)} == {JobState.DONE}, timeout=WAIT_MS)
    row = row_of(studio, "a")
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(40, 8))
    assert studio.window.canvas.entry.recipe.request.prompt == "a"
    row_of(studio, "b").setFocus()
    QTest.keyClick(row_of(studio, "b"), Qt.Key.Key_Return)
    assert studio.window.canvas.entry.recipe.request.prompt == "b"
    press(studio.window.queue_panel, "Clear finished")
    assert rows(studio) == []
    assert studio.history.count() == 3
    press(studio.window.queue_panel.bar, "Undo")
    assert len(rows(studio)) == 3


def test_clearing_what_waited_from_last_time_leaves_the_queue_running(studio, build, qtbot):
    assert studio.close()
    again = build()
    assert again.window.queue_panel.bar.message == "3 jobs are waiting from last time."
    press(again.window.queue_panel.bar, "Clear")
    assert not again.controller.paused
    QTest.mouseClick(again.window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: again.history.count() == 1, timeout=WAIT_MS)


def test_the_time_left_of_what_waits_is_what_such_pictures_took_before(studio, qtbot):
    panel = studio.window.queue_panel
    assert "3 waiting" in texts(panel), "nobody knows"
    panel.time.seconds_per_step = lambda _request: 20.0
    panel.show_jobs(studio.controller.jobs())
    assert "3 waiting · about 2 min left" in texts(panel)
