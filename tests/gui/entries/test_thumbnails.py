from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdstudio.ui.entries.thumbnails import Thumbnails

SIDE = 64


class HeldTasks:
    """Runs a piece of work when the test says so, and hands its result over when the test says so."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[Any], Any], Callable[[Any], None]]] = []

    def run(self, _title: str, work: Any, on_done: Any, _on_failed: Any, urgent: bool = False) -> None:
        assert urgent, "what is on the screen does not wait"
        self.held.append((work, on_done))

    def finish(self) -> None:
        work, on_done = self.held.pop(0)
        on_done(work(None))


def test_a_picture_that_was_looked_for_in_the_trash_is_looked_for_again(qapp, history, save):
    entry = save()
    tasks = HeldTasks()
    thumbnails = Thumbnails(history, tasks)
    assert thumbnails.square(entry, SIDE).isNull()
    history.delete([entry.id])
    work, on_done = tasks.held.pop()
    nothing = work(None)
    history.restore([entry.id])
    thumbnails.forget(entry)
    on_done(nothing)
    assert not thumbnails.is_impossible(entry.id)
    assert thumbnails.square(entry, SIDE).isNull()
    tasks.finish()
    assert thumbnails.square(entry, SIDE).width() == SIDE
    assert entry.thumbnail.is_file()


def test_a_square_that_was_read_before_the_trash_is_read_anew(qapp, history, save):
    entry = save()
    tasks = HeldTasks()
    thumbnails = Thumbnails(history, tasks)
    thumbnails.square(entry, SIDE)
    work, on_done = tasks.held.pop()
    read = work(None)
    history.delete([entry.id])
    history.restore([entry.id])
    thumbnails.forget(entry)
    on_done(read)
    assert thumbnails.square(entry, SIDE).isNull()
    tasks.finish()
    assert entry.thumbnail.is_file()


def test_a_picture_that_is_gone_is_not_looked_for_twice(qapp, history, save):
    entry = save()
    tasks = HeldTasks()
    thumbnails = Thumbnails(history, tasks)
    thumbnails.square(entry, SIDE)
    history.delete([entry.id])
    tasks.finish()
    assert thumbnails.is_impossible(entry.id)
    thumbnails.square(entry, SIDE)
    assert tasks.held == []
