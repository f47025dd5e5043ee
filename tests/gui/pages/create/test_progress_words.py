"""An event of the engine is read the same in the status line, on the canvas and on the job's card."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sdstudio.jobs.progress import in_whole, progress_of
from sdstudio.jobs.runner import JobEvent
from tests.gui.pages.create.queue.test_panel import Gate, rows, texts
from tests.unit.jobs.test_progress import SAMPLES


def test_every_event_is_shown_in_its_words_at_each_place(build, qtbot):
    gate = Gate()
    studio = build({"frog": gate})
    window = studio.window
    QTest.keyClicks(window.editor.prompt_edit, "frog")
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(gate.reached.is_set, timeout=20_000)
    qtbot.waitUntil(lambda: bool(rows(studio)) and window.status_line.bar.isVisible(), timeout=20_000)
    (row,) = rows(studio)
    (job,) = studio.controller.jobs()
    card, caption, text = "", "", window.status_line.text
    for event in SAMPLES:
        studio.worker.job_event.emit(JobEvent(job.id, event))
        progress = progress_of(in_whole(event, 0, job.count))
        if progress is not None:
            text = progress.text[0].upper() + progress.text[1:]
            card, caption = progress.card or card, progress.caption or caption
        assert window.canvas.view.caption == caption, event
        assert card in texts(row), event
        assert window.status_line.text == text, event
    gate.open()
