"""How evenly a 10 ms timer ticks on the window's thread while the worker draws: what a user feels as a live window.

Run as ``python -m sdstudio.bench.event_loop MODEL PICTURES``; the last line of output is JSON, the gaps in ms.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from sdstudio.app import Studio, build_studio
from sdstudio.core.events import StepDone
from sdstudio.core.models.model import ModelInfo, default_request
from sdstudio.core.request.request import RunOptions
from sdstudio.jobs.queue import Job
from sdstudio.jobs.runner import JobEvent

TICK_MS: Final = 10


class TickWatch(QObject):
    """Draws one picture to have the model loaded, then ``pictures`` more, and keeps the gaps between their ticks."""

    def __init__(self, studio: Studio, model: ModelInfo, pictures: int) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._drawing = False
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_tick)
        studio.controller.worker.job_event.connect(self._on_job_event)
        studio.controller.worker.job_finished.connect(self._on_job_finished)
        prompt = model.examples[0] if model.examples else "a red heart"
        request = default_request(model).model_copy(update={"prompt": prompt, "seed": 7})
        studio.controller.submit(request, RunOptions())
        self._measured = studio.controller.submit(request, RunOptions(count=pictures))
        self._clock.start()
        self._timer.start()

    def _on_tick(self) -> None:
        gap_ms = self._clock.nsecsElapsed() / 1e6
        self._clock.restart()
        if self._drawing:
            self.gaps_ms.append(gap_ms)

    def _on_job_event(self, news: JobEvent) -> None:
        self._drawing = self._drawing or (news.job_id == self._measured.id and isinstance(news.event, StepDone))

    def _on_job_finished(self, job: Job) -> None:
        if job.id == self._measured.id:
            QApplication.quit()


if __name__ == "__main__":
    application = QApplication([])
    opened = build_studio()
    opened.window.show()
    watch = TickWatch(opened, opened.library.find(sys.argv[1]), int(sys.argv[2]))
    application.exec()
    opened.close()
    sys.stdout.write("\n" + json.dumps(watch.gaps_ms) + "\n")
