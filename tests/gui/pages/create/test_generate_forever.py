"""Generating forever: it goes on with what is written then, and whatever stops a job stops it."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from sdstudio.core.errors import OutOfMemory
from sdstudio.jobs.queue import JobState
from sdstudio.ui.pages.create.controller import PAUSED
from sdstudio.ui.pages.create.generate_forever import ASK, SAME
from sdstudio.ui.widgets.message_bar import MessageBar
from tests.unit.background.fakes import until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def asked(shared_build):
    """A studio that draws small pictures, with the prompts that its engine was asked for."""

    def ready(scripts=None):
        studio = shared_build(scripts)
        for name, value in (("width", 64), ("height", 64), ("steps", 1)):
            studio.window.panel.field(name).set_value(value)
        return studio

    return ready


def write(studio, prompt: str) -> None:
    studio.window.editor.prompt_edit.selectAll()
    QTest.keyClicks(studio.window.editor.prompt_edit, prompt)


def press(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def button(studio):
    return studio.window.editor.forever_button


def jobs(studio, *states: JobState):
    return [job for job in studio.queue.jobs() if not states or job.state in states]


def live(studio):
    return jobs(studio, JobState.QUEUED, JobState.RUNNING)


def until_quiet(qtbot, studio) -> None:
    qtbot.waitUntil(lambda: not live(studio) and not button(studio).isChecked(), timeout=WAIT_MS)
    for _ in range(3):
        qtbot.wait(1)
    assert not live(studio)


def test_it_goes_on_with_new_seeds_and_what_is_written_then_until_it_is_pressed_again(asked, qtbot):
    studio = asked()
    write(studio, "fox")
    press(button(studio))
    qtbot.waitUntil(lambda: studio.history.count() >= 3, timeout=WAIT_MS)
    assert len(live(studio)) <= 1
    write(studio, "owl")
    qtbot.waitUntil(lambda: studio.history.entries("owl") != [], timeout=WAIT_MS)
    press(button(studio))
    until_quiet(qtbot, studio)
    prompts = [job.request.prompt for job in reversed(jobs(studio))]
    assert prompts[:3] == ["fox"] * 3
    assert prompts[-1] == "owl"
    seeds = [entry.recipe.request.seed for entry in studio.history.entries("", limit=100)]
    assert len(set(seeds)) == len(seeds)


def test_what_prompts_may_go_on_with_is_looked_up_once_for_the_same_words(asked, qtbot, monkeypatch):
    studio = asked()
    write(studio, "fox")
    looked = []
    monkeypatch.setattr(
        studio.window.prompt_controller, "look_around", lambda: looked.append(studio.window.editor.prompt)
    )
    press(button(studio))
    qtbot.waitUntil(lambda: studio.history.count() >= 3, timeout=WAIT_MS)
    press(button(studio))
    until_quiet(qtbot, studio)
    assert looked == ["fox"]


def test_cancel_ends_it(asked, qtbot):
    studio = asked({"hold": until_cancelled})
    write(studio, "hold")
    QTest.keyClick(
        studio.window.editor.prompt_edit, Qt.Key.Key_Return,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )  # fmt: skip
    assert button(studio).isChecked()
    cancel = studio.window.findChild(QPushButton, "cancelButton")
    qtbot.waitUntil(cancel.isVisible, timeout=WAIT_MS)
    press(cancel)
    until_quiet(qtbot, studio)
    assert [job.state for job in jobs(studio)] == [JobState.CANCELLED]


def test_a_job_that_fails_ends_it_and_says_why(asked, qtbot):
    def fail(_engine, _cancel):
        raise OutOfMemory("Not enough memory.", "Make the picture smaller.")

    studio = asked({"fail": fail})
    write(studio, "fail")
    press(button(studio))
    until_quiet(qtbot, studio)
    assert [job.state for job in jobs(studio)] == [JobState.FAILED]
    assert studio.window.editor.message == "Not enough memory. Make the picture smaller."


def test_what_is_refused_ends_it_at_once(asked, qtbot):
    studio = asked()
    write(studio, "<lora:nothing:1> fox")
    press(button(studio))
    assert not button(studio).isChecked()
    assert "nothing" in studio.window.editor.message
    assert jobs(studio) == []


def way(studio, title: str):
    found = studio.window.editor.findChildren(QPushButton)
    return next(one for one in found if one.text() == title and not one.isHidden())


def test_with_a_fixed_seed_it_asks_before_it_draws_and_draws_once_or_with_random_seeds(asked, qtbot):
    studio = asked()
    seed, bar = studio.window.panel.field("seed"), studio.window.editor.findChild(MessageBar, "foreverMessage")
    seed.set_value(7)
    write(studio, "fox")
    press(button(studio))
    assert not button(studio).isChecked()
    assert bar.message == ASK
    assert jobs(studio) == []
    press(way(studio, "Draw it once"))
    until_quiet(qtbot, studio)
    assert [entry.recipe.request.seed for entry in studio.history.entries()] == [7]
    press(button(studio))
    press(way(studio, "Use random seeds"))
    assert bar.message == ""
    assert seed.value() is None
    qtbot.waitUntil(lambda: studio.history.count() >= 3, timeout=WAIT_MS)
    press(button(studio))
    until_quiet(qtbot, studio)


def test_a_seed_that_is_fixed_meanwhile_is_drawn_once(asked, qtbot):
    studio = asked()
    write(studio, "fox")
    press(button(studio))
    studio.window.panel.field("seed").set_value(7)
    until_quiet(qtbot, studio)
    assert studio.window.editor.message.startswith(SAME)
    assert studio.history.entries()[0].recipe.request.seed == 7


def test_taking_its_job_off_the_queue_ends_it(asked, qtbot):
    studio = asked()
    studio.controller.pause()
    write(studio, "fox")
    press(button(studio))
    assert button(studio).isChecked()
    studio.controller.take_off([live(studio)[0].id])
    assert not button(studio).isChecked()
    studio.controller.resume()
    until_quiet(qtbot, studio)
    assert studio.history.count() == 0


def test_what_waits_already_is_made_first_and_a_paused_queue_is_not_filled(asked, qtbot):
    studio = asked({"hold": until_cancelled})
    write(studio, "hold")
    press(studio.window.editor.generate_button)
    write(studio, "fox")
    press(button(studio))
    assert [job.request.prompt for job in jobs(studio)] == ["hold"]
    studio.controller.pause()
    studio.controller.cancel(jobs(studio)[0].id)
    qtbot.waitUntil(lambda: [job.request.prompt for job in live(studio)] == ["fox"], timeout=WAIT_MS)
    assert studio.window.editor.message.startswith(PAUSED)
    studio.controller.resume()
    qtbot.waitUntil(lambda: studio.history.count() >= 2, timeout=WAIT_MS)
    press(button(studio))
    until_quiet(qtbot, studio)


def test_the_canvas_keeps_the_picture_that_somebody_looks_at(asked, qtbot):
    reached, go_on = threading.Event(), threading.Event()

    def gate(_engine, _cancel):
        reached.set()
        assert go_on.wait(20)

    studio = asked({"gate": gate})
    canvas = studio.window.canvas
    write(studio, "fox")
    press(studio.window.editor.generate_button)
    qtbot.waitUntil(lambda: canvas.entry is not None and not live(studio), timeout=WAIT_MS)
    fox = canvas.entry
    write(studio, "gate")
    press(button(studio))
    assert canvas.entry is None  # the first of them is shown
    qtbot.waitUntil(reached.is_set, timeout=WAIT_MS)
    canvas.show_entry(fox)
    go_on.set()
    qtbot.waitUntil(lambda: studio.history.count() >= 4, timeout=WAIT_MS)
    assert canvas.entry == fox
    press(button(studio))
    until_quiet(qtbot, studio)
