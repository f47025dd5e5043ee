from __future__ import annotations

import threading
from typing import Any

import shiboken6

from sdstudio.background.mailbox import Mailbox
from sdstudio.core.events import Decoding, EngineStatus, Enlarging, ModelLoading, PreviewFrame, StepDone
from sdstudio.jobs.runner import JobEvent


def step(number: int, *, image: int = 0, preview: bool = True, job: int = 1) -> JobEvent:
    frame = PreviewFrame(1, 1, bytes((number, 0, 0))) if preview else None
    return JobEvent(job, StepDone(number, 20, image, 1, 2, 0.1, frame))


def delivered(qtbot: Any, posts: list[Any]) -> list[Any]:
    """Post everything before the event loop runs once, from another thread."""
    box, heard = Mailbox(), []
    thread = threading.Thread(target=lambda: [box.post(heard.append, post) for post in [*posts, "end"]])
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: "end" in heard)
    return heard[:-1]


def test_only_the_newest_of_steps_in_a_row_is_delivered(qtbot):
    assert delivered(qtbot, [step(1), step(2), step(3)]) == [step(3)]


def test_a_step_without_a_preview_keeps_the_preview_before_it(qtbot):
    (told,) = delivered(qtbot, [step(1), step(2), step(3, preview=False)])
    assert (told.event.step, told.event.preview) == (3, step(2).event.preview)


def test_another_pictures_preview_is_not_kept(qtbot):
    (told,) = delivered(qtbot, [step(20), step(1, image=1, preview=False)])
    assert told.event.preview is None


def test_everything_else_keeps_its_place(qtbot):
    decoding = JobEvent(1, Decoding(0, 1))
    posts = [step(1), step(2), decoding, step(1, image=1), "saved", step(2, image=1), step(1, job=2)]
    assert delivered(qtbot, posts) == [step(2), decoding, step(1, image=1), "saved", step(2, image=1), step(1, job=2)]


def test_a_status_does_not_part_steps_and_only_the_newest_is_told(qtbot):
    old, new = EngineStatus("CPU", "float32", 1), EngineStatus("CPU", "float32", 2)
    assert delivered(qtbot, [step(1), old, step(2), new]) == [step(2), new]


def test_tiles_are_replaced_by_later_ones_and_by_nothing_else(qtbot):
    loading = JobEvent(1, ModelLoading("m", 1.0, ""))
    tiles = [JobEvent(1, Enlarging(tile, 4, 0.5)) for tile in range(4)]
    assert delivered(qtbot, [*tiles, loading]) == [tiles[-1], loading]


def test_loading_progress_is_replaced_too(qtbot):
    loading = [JobEvent(1, ModelLoading("m", fraction / 4, "unet")) for fraction in range(5)]
    assert delivered(qtbot, loading) == [loading[-1]]


def test_nothing_comes_after_close(qtbot):
    box, heard = Mailbox(), []
    box.post(heard.append, 1)
    box.close()
    shiboken6.delete(box)
    box.post(heard.append, 2)  # a thread that outlives the window
    other = Mailbox()
    other.post(heard.append, "later")
    qtbot.waitUntil(lambda: "later" in heard)
    assert heard == ["later"]
