"""One press of Generate is one group: one strip, one count, one cancel, one card, one sentence at its end."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QToolButton

from sdstudio.jobs.queue import JobState
from sdstudio.ui.entries.caption import facts_of
from sdstudio.ui.entries.recipe_text import recipe_rows
from tests.gui.pages.create.queue.test_panel import Gate, press, rows, texts
from tests.unit.background.fakes import cancelled_at, until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def split(shared_build):
    """A studio whose prompt stands for four, with every combination drawn."""

    def ready(scripts=None, prompt="{red|blue} {heart|frog}"):
        studio = shared_build(scripts)
        for name, value in (("width", 64), ("height", 64), ("steps", 4), ("wildcards", "all")):
            studio.window.panel.field(name).set_value(value)
        studio.window.editor.prompt_edit.selectAll()
        QTest.keyClicks(studio.window.editor.prompt_edit, prompt)
        return studio

    return ready


def generate(studio) -> None:
    QTest.mouseClick(studio.window.editor.generate_button, Qt.MouseButton.LeftButton)


def test_a_prompt_of_four_choices_is_one_strip_one_card_and_one_sentence(split, qtbot):
    gate = Gate()
    studio = split({"blue heart": gate})
    generate(studio)
    qtbot.waitUntil(gate.reached.is_set, timeout=WAIT_MS)
    strip = studio.window.canvas.strip
    qtbot.waitUntil(lambda: len(strip.entries) == 2, timeout=WAIT_MS)
    (row,) = rows(studio)
    assert "{red|blue} {heart|frog}" in texts(row)
    assert studio.window.editor.cancel_button.isVisible()
    gate.open()
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done: 4 pictures in"), timeout=WAIT_MS)
    prompts = ["red heart", "red frog", "blue heart", "blue frog"]
    assert [entry.recipe.request.prompt for entry in strip.entries] == prompts
    (row,) = rows(studio)
    assert row.group.state is JobState.DONE
    assert any(text.startswith("done · 4 pictures · ") for text in texts(row))


def test_the_pictures_of_a_group_are_counted_through(split, qtbot):
    studio = split()
    seen = set()
    studio.worker.job_event.connect(lambda _event: seen.add(studio.window.status_line.text.split(" · ")[0]))
    generate(studio)
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done: 4"), timeout=WAIT_MS)
    assert seen & {"Picture 2 of 4", "Picture 3 of 4", "Picture 4 of 4", "Decoding picture 2 of 4"}
    assert not any(" of 1" in text for text in seen)


def test_one_cancel_stops_the_group_and_running_it_again_draws_what_is_missing(split, qtbot):
    scripts = {"red frog": until_cancelled}
    studio = split(scripts)
    generate(studio)
    qtbot.waitUntil(lambda: len(studio.window.canvas.strip.entries) == 1, timeout=WAIT_MS)
    QTest.mouseClick(studio.window.editor.cancel_button, Qt.MouseButton.LeftButton)
    said = "Cancelled “{red|blue} {heart|frog}” before its first step. 1 of 4 pictures are in the history"
    qtbot.waitUntil(lambda: studio.window.status_line.text == said, timeout=WAIT_MS)
    (row,) = rows(studio)
    assert {job.state for job in row.group.jobs} == {JobState.DONE, JobState.CANCELLED}
    scripts.clear()
    press(row, "Run again")
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done: 4 pictures"), timeout=WAIT_MS)
    assert studio.history.count() == 4
    assert len(studio.window.canvas.strip.entries) == 4


def test_a_single_prompt_of_a_group_can_be_removed_on_its_card(split, qtbot):
    gate = Gate()
    studio = split({"red heart": gate})
    generate(studio)
    qtbot.waitUntil(gate.reached.is_set, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: rows(studio)[0].job.state is JobState.RUNNING, timeout=WAIT_MS)
    (row,) = rows(studio)
    fold = row.findChild(QToolButton, "queueFoldButton")
    QTest.keyClick(fold, Qt.Key.Key_Space)
    assert [text for text in texts(row) if text in ("red frog", "blue heart", "blue frog")]
    qtbot.waitUntil(lambda: row.height() >= row.layout().totalMinimumSize().height(), timeout=WAIT_MS)
    press(row, "Remove blue heart")
    gate.open()
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done: 3 pictures"), timeout=WAIT_MS)
    assert {entry.recipe.request.prompt for entry in studio.history.entries()} == {"red heart", "red frog", "blue frog"}


def test_a_cancelled_picture_is_kept_shown_and_marked_and_can_be_drawn_to_its_end(split, qtbot):
    scripts = {"red heart": cancelled_at(13)}
    studio = split(scripts, "red heart")
    studio.window.panel.field("steps").set_value(60)
    generate(studio)
    said = "Cancelled “red heart” at step 13 of 60"
    qtbot.waitUntil(lambda: studio.window.status_line.text == said, timeout=WAIT_MS)
    (row,) = rows(studio)
    assert "Cancelled at step 13 of 60." in texts(row)
    keep = next(one for one in row.findChildren(QPushButton) if one.text() == "Keep what there is")
    QTest.keyClick(keep, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: studio.window.canvas.entry is not None, timeout=WAIT_MS)
    entry = studio.window.canvas.entry
    assert entry.recipe.unfinished == (13, 60)
    assert "unfinished, step 13 of 60" in facts_of(entry)
    assert recipe_rows(entry)[0] == ("Unfinished", "Cancelled at step 13 of 60; Re-run draws it to the end")
    assert studio.window.status_line.text == "Kept: 1 picture, drawn as far as step 13 of 60"
    qtbot.waitUntil(keep.isHidden, timeout=WAIT_MS)
    scripts.clear()
    press(row, "Run again")
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done: 1 picture"), timeout=WAIT_MS)
    assert [entry.recipe.unfinished for entry in studio.history.entries()] == [None, (13, 60)]


def test_what_is_left_of_a_cancelled_job_is_gone_after_a_restart_with_its_card(split, build, qtbot):
    studio = split({"red heart": cancelled_at(3)}, "red heart")
    generate(studio)
    qtbot.waitUntil(lambda: bool(rows(studio)) and rows(studio)[0].job.state is JobState.CANCELLED, timeout=WAIT_MS)
    assert studio.close()
    assert rows(build()) == []
