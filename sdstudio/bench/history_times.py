"""The History page with as many pictures as there are: opened, searched, scrolled, its memory.

Run as ``python -m sdstudio.bench.history_times - REPEATS`` on a filled data folder; the last line of output is JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import psutil
from PySide6.QtCore import QDeadlineTimer, QEventLoop, QPoint
from PySide6.QtWidgets import QApplication

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.paths import studio_paths
from sdstudio.history.database.look import SORTS, Look
from sdstudio.history.store import History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.cell import GAP_PX
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.entries.view import HistoryView
from sdstudio.ui.pages.history.page import HistoryPage
from sdstudio.ui.theme import apply_theme

QUERIES: Final = (
    "r", "re", "red", "red h", "red heart", "eart", "landscape", "detailed masterpiece", "oil painting of a castle",
    "model c", "blurry", "zzz", "qz", "kamori", "42", "the dragon knight armor",
)  # fmt: skip
"""Half of everything and nothing at all, one letter and many words, what stands in the middle of words."""

_PATIENCE_MS: Final = 60_000
_FRAME_S: Final = 1 / 60
_WHEEL_PX: Final = 120


class _Bench:
    """The page in a window of its own, without the rest of the studio."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._tasks = TaskRunner()
        self._history = History(studio_paths(), lambda _path: None)
        thumbnails = Thumbnails(self._history, self._tasks)
        self._model = HistoryModel(self._history, thumbnails, self._tasks)
        self._page: HistoryPage | None = None

    @property
    def _view(self) -> HistoryView:
        assert self._page is not None
        return self._page.browser.view

    def open_s(self) -> tuple[float, float]:
        """Open the page and return how long it took until every picture in sight was there, and the processor time."""
        start, worked = time.perf_counter(), time.process_time()
        if self._page is not None:
            self._page.deleteLater()
        self._model.reload(anew=True)
        self._page = HistoryPage(self._model, EntryActions(), self._history, self._tasks)
        self._page.resize(1440, 800)
        self._page.show()
        self._until(self._is_drawn)
        return time.perf_counter() - start, time.process_time() - worked

    def complete(self) -> None:
        """Wait until all rows are there."""
        self._until(lambda: self._model.is_complete)

    def search_s(self, look: Look) -> tuple[float, float, float]:
        """Look at something and return when the first rows were there, the processor time of that, and when all were.

        Where many programs share the machine, the processor time is what this one needs.
        """
        self._model.set_look(replace(look, query="nothing to be found here at all"))
        self._until(lambda: self._model.is_complete)
        first: list[tuple[float, float]] = []
        start, worked = time.perf_counter(), time.process_time()

        def told(*_: object) -> None:
            first.append((time.perf_counter() - start, time.process_time() - worked))

        signals = (self._model.modelReset, self._model.rowsInserted, self._model.rowsRemoved, self._model.completed)
        for signal in signals:
            signal.connect(told)
        self._model.set_look(look)
        self._until(lambda: self._model.is_complete)
        for signal in signals:
            signal.disconnect(told)
        return *first[0], first[-1][0]

    def frames_ms(self, count: int) -> list[tuple[float, float]]:
        """Scroll by the wheel, line after line, and jump about.

        Returns:
            How long each frame held up the window, and how much processor time the window's thread took for it.
        """
        bar, chance, times = self._view.verticalScrollBar(), random.Random(2), []
        for number in range(count):
            start, worked = time.perf_counter(), time.thread_time()
            if number % 10 == 9:
                bar.setValue(chance.randint(0, bar.maximum()))
            else:
                bar.setValue(bar.value() + _WHEEL_PX)
            self._app.processEvents()
            held_s, worked_s = time.perf_counter() - start, time.thread_time() - worked
            while time.perf_counter() - start < _FRAME_S:  # what comes in between holds it up just the same
                began, worked = time.perf_counter(), time.thread_time()
                self._app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 1)
                held_s = max(held_s, time.perf_counter() - began)
                worked_s = max(worked_s, time.thread_time() - worked)
                time.sleep(0.001)
            times.append((held_s * 1000, worked_s * 1000))
        return times

    def close(self) -> None:
        """End the threads."""
        self._tasks.close()
        self._history.close()

    def _is_drawn(self) -> bool:
        view = self._view
        if not self._model.rowCount():
            return True
        last = view.indexAt(QPoint(5, view.viewport().height() - 5)).row()
        rows = range(self._model.rowCount() if last < 0 else last)
        entries = [self._model.entry_at(row) for row in rows]
        inner, ratio = view.side_px - 2 * GAP_PX, view.devicePixelRatioF()
        thumbnails = self._model.thumbnails
        return all(
            entry and (thumbnails.is_impossible(entry.id) or not thumbnails.square(entry, inner, ratio).isNull())
            for entry in entries
        )

    def _until(self, done: Callable[[], bool]) -> None:
        patience = QDeadlineTimer(_PATIENCE_MS)
        while True:
            self._app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)
            if done():
                return
            if patience.hasExpired():
                raise TimeoutError("the page did not answer")


def measure(app: QApplication, repeats: int) -> dict[str, Any]:
    """Return everything that was measured."""
    bench = _Bench(app)
    bench.complete()
    opened = [bench.open_s() for _ in range(repeats)]
    bench.complete()
    frames = bench.frames_ms(100 * repeats)
    weighed = [_memory_mb()]
    searches = {repr(query): Look(query) for query in QUERIES}
    searches["'red' of one model"] = Look("red", chosen=(("model", "Model C"),))
    searches["four stars"] = Look(chosen=(("rating", "4"),))
    sorts = {row.title: Look(sort=row.key) for row in SORTS[1:]}
    searched = {name: [bench.search_s(look) for _ in range(repeats)] for name, look in searches.items()}
    weighed.append(_memory_mb())
    sorted_ = {name: [bench.search_s(look) for _ in range(repeats)] for name, look in sorts.items()}
    weighed.append(_memory_mb())
    bench.close()
    return {"open": opened, "frames": frames, "searches": searched, "sorts": sorted_, "peak_mb": max(weighed)}


def _memory_mb() -> float:
    """Return what this process holds now: its peak, as the system keeps it, would begin with that of its parent."""
    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    application = QApplication([])
    apply_theme(application, "dark")
    sys.stdout.write("\n" + json.dumps(measure(application, int(sys.argv[2]))) + "\n")
