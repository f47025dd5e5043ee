from __future__ import annotations

import threading
import weakref

import pytest
from PySide6.QtCore import QEvent, QObject

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import ModelDamaged, StudioError


@pytest.fixture
def runner(qtbot):
    made = TaskRunner()
    yield made
    made.close()


def test_work_runs_elsewhere_and_its_result_comes_back_here(runner, qtbot):
    where, results = [], []

    def work(task):
        where.append(threading.get_ident())
        task.report(0.5)
        return 42

    def done(result):
        where.append(threading.get_ident())
        results.append(result)

    progress = []
    task = runner.run("Counting", work, done)
    task.progressed.connect(progress.append)
    qtbot.waitUntil(lambda: results == [42])
    assert progress == [0.5]
    assert where[0] != threading.get_ident() == where[1]


def test_an_error_for_the_user_comes_back_as_it_is(runner, qtbot):
    errors = []

    def work(task):
        raise ModelDamaged("unet = 3 bytes.", "Get it again.")

    runner.run("Reading", work, on_failed=errors.append)
    qtbot.waitUntil(lambda: len(errors) == 1)
    assert isinstance(errors[0], ModelDamaged)


def test_a_bug_is_logged_and_told_by_the_runner(runner, qtbot, caplog):
    def work(task):
        raise KeyError("surprise")

    with qtbot.waitSignal(runner.failed) as told:
        runner.run("Hashing", work)
    assert isinstance(told.args[0], StudioError)
    assert told.args[0].message == "Hashing: unexpected error: KeyError: 'surprise'"
    assert "Traceback" in caplog.text


def test_a_cancelled_task_ends_with_cancelled_alone(runner, qtbot):
    begun, results = threading.Event(), []

    def work(task):
        begun.set()
        assert task.cancelled_event.wait(10)
        return "too late"

    task = runner.run("Long", work, results.append)
    assert begun.wait(10)
    with qtbot.waitSignal(task.cancelled):
        task.cancel()
    assert results == []


def test_tell_stops_the_work_of_a_cancelled_task(runner, qtbot):
    begun, told = threading.Event(), []

    def work(task):
        begun.set()
        task.cancelled_event.wait(10)
        task.report(0.9)
        told.append("went on")

    task = runner.run("Long", work)
    assert begun.wait(10)
    with qtbot.waitSignal(task.cancelled):
        task.cancel()
    assert told == []


def test_close_ends_waiting_and_running_work_and_nothing_is_heard_of_it(qtbot):
    runner, begun, results = TaskRunner(), threading.Event(), []

    def work(task):
        begun.set()
        task.cancelled_event.wait(10)
        return 1

    for _ in range(8):
        runner.run("Long", work, results.append)
    assert begun.wait(10)
    runner.close()
    assert results == []


def test_urgent_work_does_not_wait_for_longer_work(runner, qtbot):
    gate, done = threading.Event(), []
    for _ in range(4):
        runner.run("Hashing", lambda _task: gate.wait(30))
    runner.run("Reading a thumbnail", lambda _task: "there", done.append, urgent=True)
    qtbot.waitUntil(lambda: done == ["there"], timeout=20_000)
    assert not gate.is_set()
    gate.set()


def test_a_runner_that_only_an_ended_task_still_knows_goes_with_it_once(qtbot, qapp):
    ended, gone = [], []

    def begin():
        runner = TaskRunner()
        runner.destroyed.connect(lambda: gone.append("runner"))

        def on_done(result):
            runner.close()
            ended.append(result)

        runner.run("Reading", lambda _context: 1, on_done).destroyed.connect(lambda: gone.append("task"))

    for _ in range(20):
        begin()
    qtbot.waitUntil(lambda: len(ended) == 20)
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: sorted(gone) == ["runner"] * 20 + ["task"] * 20)
    assert ended == [1] * 20


class Asker(QObject):
    """Something of the window that has work done by a method of its own."""

    def __init__(self, go: threading.Event, error: StudioError | None = None) -> None:
        super().__init__()
        self._go = go
        self._error = error

    def work(self, _task: object) -> int:
        assert self._go.wait(30)
        if self._error is not None:
            raise self._error
        return 42


@pytest.mark.parametrize("error", [None, ModelDamaged("unet = 3 bytes.", "Get it again.")])
def test_who_asked_and_was_forgotten_meanwhile_ends_on_the_thread_that_made_it(runner, qtbot, error):
    go, ended_on, told = threading.Event(), [], []
    asker = Asker(go, error)
    weakref.finalize(asker, lambda: ended_on.append(threading.get_ident()))
    runner.run("Reading", asker.work, told.append, lambda _error: told.append(0))
    del asker
    go.set()
    qtbot.waitUntil(lambda: bool(ended_on), timeout=20_000)
    assert ended_on == [threading.get_ident()]
    assert told == ([42] if error is None else [0])
