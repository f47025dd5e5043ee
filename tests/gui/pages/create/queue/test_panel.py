"""The queue on screen: what runs, waits and failed, and that each can be stopped, tried again or taken out."""

from __future__ import annotations

import re
import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton

from sdstudio.core.errors import Cancelled, OutOfMemory
from sdstudio.core.events import Enlarging, StepDone
from sdstudio.core.request.request import RunOptions
from sdstudio.core.request.submission import Share
from sdstudio.jobs.queue import JobState
from sdstudio.ui.pages.create.queue.row import QueueRow, report
from tests.unit.background.fakes import until_cancelled

HINT = "Make the picture smaller."


def fail(_engine, _cancel) -> None:
    raise OutOfMemory("Not enough memory for 512 x 512.", HINT)


class Gate:
    """A script that holds a job until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()

    def __call__(self, _engine, cancel: threading.Event) -> None:
        self.reached.set()
        assert self._opened.wait(20)

    def open(self) -> None:
        self._opened.set()


def submit(studio, prompt: str, count: int = 1):
    request = studio.window.panel.request(prompt).model_copy(update={"width": 64, "height": 64, "steps": 2})
    return studio.controller.submit(request, RunOptions(count=count))


def rows(studio) -> list[QueueRow]:
    view = studio.window.queue_panel.view
    return [view.itemWidget(view.item(at)).findChild(QueueRow) for at in range(view.count())]


def press(parent, title: str) -> None:
    found = [
        button
        for kind in (QPushButton, QToolButton)
        for button in parent.findChildren(kind)
        if title in (button.text().strip(), button.accessibleName()) and not button.isHidden()
    ]
    QTest.mouseClick(found[0], Qt.MouseButton.LeftButton)


def texts(parent) -> list[str]:
    return [label.text() for label in parent.findChildren(QLabel) if not label.isHidden()]


def state_of(studio, job) -> JobState:
    return studio.queue.get(job.id).state


@pytest.fixture
def studio(shared_studio):
    return shared_studio


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_an_empty_queue_says_what_it_is_for(studio):
    assert "Nothing is waiting" in texts(studio.window.queue_panel)
    assert not studio.window.queue_panel.view.isVisible()


def test_the_running_job_comes_first_and_the_others_in_their_order(shared_build, gate, qtbot):
    studio = shared_build({"first": gate})
    jobs = [submit(studio, prompt) for prompt in ("first", "second", "third")]
    qtbot.waitUntil(lambda: state_of(studio, jobs[0]) is JobState.RUNNING)
    qtbot.waitUntil(lambda: [row.job.state for row in rows(studio)][:1] == [JobState.RUNNING])
    assert [row.job.id for row in rows(studio)] == [job.id for job in jobs]
    assert "next" in texts(rows(studio)[1])
    assert "#2" in texts(rows(studio)[2])
    assert "2 waiting" in texts(studio.window.queue_panel)
    gate.open()
    qtbot.waitUntil(lambda: {row.job.state for row in rows(studio)} == {JobState.DONE}, timeout=20_000)
    assert [row.job.id for row in rows(studio)] == [job.id for job in reversed(jobs)], "the newest first"
    assert texts(rows(studio)[0])[-1].startswith("done · 1 picture · ")


def test_a_running_job_in_a_narrow_dock_still_says_what_it_draws(shared_build, gate, qtbot):
    studio = shared_build({"slice of pizza": gate})
    job = submit(studio, "slice of pizza", count=3)
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: bool(rows(studio)) and rows(studio)[0].job.state is JobState.RUNNING)
    row = rows(studio)[0]
    row.show_event(StepDone(step=12, total=20, image=0, count=1, image_count=3, seconds_per_step=1.0))
    row.resize(180, row.sizeHint().height())
    [title] = [label for label in row.findChildren(QLabel) if label.text() == "slice of pizza"]
    qtbot.waitUntil(lambda: title.width() >= title.fontMetrics().horizontalAdvance(title.text()), timeout=20_000)
    assert "12 / 20 · 1 of 3" in texts(row)
    row.show_event(Enlarging(3, 12, 0.5))
    assert [label.text() for label in row.findChildren(QLabel) if label.isVisibleTo(row)][-1] == "enlarging 25%"
    gate.open()
    qtbot.waitUntil(lambda: state_of(studio, job) is JobState.DONE, timeout=20_000)


def test_a_waiting_job_can_be_taken_out(shared_build, gate, qtbot):
    studio = shared_build({"first": gate})
    submit(studio, "first")
    second = submit(studio, "second")
    qtbot.waitUntil(gate.reached.is_set)
    press(rows(studio)[1], "Remove this job")
    assert state_of(studio, second) is JobState.CANCELLED
    assert [row.job.request.prompt for row in rows(studio)] == ["first"]
    gate.open()


def test_the_running_job_is_stopped_from_its_card_and_the_next_one_runs(shared_build, gate, qtbot):
    def stop_slowly(engine, cancel: threading.Event) -> None:
        assert cancel.wait(20)
        gate(engine, cancel)
        raise Cancelled

    studio = shared_build({"first": stop_slowly})
    first, second = submit(studio, "first"), submit(studio, "second")
    qtbot.waitUntil(lambda: rows(studio)[0].job.state is JobState.RUNNING)
    press(rows(studio)[0], "Cancel this job")
    assert "cancelling…" in texts(rows(studio)[0])
    gate.open()
    qtbot.waitUntil(lambda: state_of(studio, second) is JobState.DONE, timeout=20_000)
    assert state_of(studio, first) is JobState.CANCELLED


def test_a_failed_job_says_why_and_what_to_do_and_can_be_tried_again(shared_build, qtbot):
    scripts = {"heart": fail}
    studio = shared_build(scripts)
    job = submit(studio, "heart")
    qtbot.waitUntil(lambda: bool(rows(studio)) and rows(studio)[0].job.state is JobState.FAILED)
    said = " ".join(texts(rows(studio)[0]))
    assert "Not enough memory for 512 x 512." in said
    assert HINT in said
    message = f"Not enough memory for 512 x 512. {HINT}"
    qtbot.waitUntil(lambda: studio.window.editor.message == message)  # the row may know first
    assert "Failed" in studio.window.status_line.text
    press(rows(studio)[0], "Copy report")
    assert QApplication.clipboard().text() == report(studio.queue.get(job.id))
    del scripts["heart"]
    press(rows(studio)[0], "Run again")
    qtbot.waitUntil(lambda: state_of(studio, job) is JobState.DONE, timeout=20_000)
    qtbot.waitUntil(lambda: rows(studio)[0].job.state is JobState.DONE, timeout=20_000)


def test_a_failed_job_can_be_put_away(shared_build, qtbot):
    studio = shared_build({"heart": fail})
    submit(studio, "heart")
    qtbot.waitUntil(lambda: bool(rows(studio)) and rows(studio)[0].job.state is JobState.FAILED)
    press(rows(studio)[0], "Remove this job")
    assert rows(studio) == []


def test_pausing_lets_the_running_job_end_and_starting_goes_on(shared_build, gate, qtbot):
    studio = shared_build({"first": gate})
    first, second = submit(studio, "first"), submit(studio, "second")
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: studio.window.editor.cancel_button.isVisible())  # the window has heard of it too
    press(studio.window.queue_panel, "Pause the queue")
    assert studio.controller.paused
    assert studio.window.queue_panel.bar.message == "Paused: 1 job is waiting."
    gate.open()
    qtbot.waitUntil(lambda: state_of(studio, first) is JobState.DONE, timeout=20_000)
    assert state_of(studio, second) is JobState.QUEUED
    press(studio.window.queue_panel.bar, "Start")
    qtbot.waitUntil(lambda: state_of(studio, second) is JobState.DONE, timeout=20_000)
    assert studio.window.queue_panel.bar.message == ""


def test_clearing_takes_out_everything_but_the_running_job(shared_build, gate, qtbot):
    studio = shared_build({"first": gate})
    first, second = submit(studio, "first"), submit(studio, "second")
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: state_of(studio, first) is JobState.RUNNING)
    press(studio.window.queue_panel, "Clear the queue")
    assert state_of(studio, second) is JobState.CANCELLED
    assert state_of(studio, first) is JobState.RUNNING
    gate.open()


def test_a_job_that_waits_in_a_paused_queue_is_told_at_the_prompt_until_it_is_started(studio, qtbot):
    studio.window.create_page.queue_dock.close()
    pause = studio.window.findChild(QAction, "action_pause")
    pause.trigger()
    QTest.mouseClick(studio.window.findChild(QPushButton, "generateButton"), Qt.MouseButton.LeftButton)
    assert "paused" in studio.window.editor.message
    assert "Ctrl+P" in studio.window.editor.message
    pause.trigger()
    assert studio.window.editor.message == ""
    qtbot.waitUntil(lambda: studio.history.count() == 1, timeout=20_000)


def test_a_new_job_is_not_said_to_be_of_last_time(build, qtbot):
    first = build({"slow": until_cancelled})
    running, _waiting = submit(first, "slow"), submit(first, "later")
    qtbot.waitUntil(lambda: state_of(first, running) is JobState.RUNNING)
    assert first.close()
    again = build()
    submit(again, "new")
    assert again.window.queue_panel.bar.message == "Paused: 2 jobs are waiting."


def test_jobs_of_the_last_run_wait_until_they_are_started(build, qtbot):
    first = build({"slow": until_cancelled})
    running, waiting = submit(first, "slow", count=2), submit(first, "later")
    qtbot.waitUntil(lambda: state_of(first, running) is JobState.RUNNING)
    assert first.close()
    again = build()
    assert again.window.queue_panel.bar.message == "1 job is waiting from last time."
    assert [row.job.state for row in rows(again)] == [JobState.QUEUED, JobState.INTERRUPTED]
    press(rows(again)[1], "Run again")
    press(again.window.queue_panel.bar, "Start")
    for job in (running, waiting):
        qtbot.waitUntil(lambda job=job: state_of(again, job) is JobState.DONE, timeout=20_000)


def test_progress_is_told_on_the_card(shared_build, qtbot):
    studio = shared_build()
    seen = []
    panel = studio.window.queue_panel
    studio.worker.job_event.connect(
        lambda event: seen.append(texts(panel.row(event.job_id))) if panel.row(event.job_id) else None
    )
    job = submit(studio, "heart", count=2)
    qtbot.waitUntil(lambda: state_of(studio, job) is JobState.DONE, timeout=20_000)
    said = " | ".join(" ".join(words) for words in seen)
    # Steps that come faster than they are shown replace each other, so not each one is seen.
    assert re.search(r"\d / 2 · \d of 2", said)


def test_a_long_queue_is_counted_whole_though_only_the_next_jobs_have_cards(build, gate, qtbot):
    studio = build({"first": gate})
    first = submit(studio, "first")
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: state_of(studio, first) is JobState.RUNNING)
    request = studio.queue.get(first.id).request
    jobs = [studio.queue.submit(request, (seed,)) for seed in range(59)]
    jobs += studio.controller.submit_shares([Share(request, (seed,)) for seed in (59, 60)])
    assert len(rows(studio)) == 40
    assert "60 waiting · the next 39 shown" in texts(studio.window.queue_panel)
    press(studio.window.queue_panel, "Pause the queue")
    assert studio.window.queue_panel.bar.message == "Paused: 60 jobs are waiting."
    press(studio.window.queue_panel, "Clear the queue")
    assert {state_of(studio, job) for job in jobs} == {JobState.CANCELLED}
    assert [row.job.id for row in rows(studio)] == [first.id]
    gate.open()
