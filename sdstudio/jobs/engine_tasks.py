"""What is done with the engine between the queue's jobs: verifying a picture, for example.

An engine task is asked for and waited for, so it is not kept: one that waits when the studio closes is forgotten.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sdstudio.core.errors import StudioError
from sdstudio.jobs.redrawing import Redrawer


@dataclass(frozen=True, slots=True)
class TaskTools:
    """What an engine task works with, on the worker's thread.

    Attributes:
        redrawer: Draws recorded pictures again.
        post: Has a function called with a payload on the main thread.
        unload: Lets go of the engine's model; the next job loads it again.
    """

    redrawer: Redrawer
    post: Callable[[Callable[[Any], None], Any], None]
    unload: Callable[[], None]


class EngineTask(Protocol):
    """One thing to do.

    Attributes:
        title: What it is, for messages: "Verifying a picture".
        is_kept: Whether what comes of it is kept where no window shows it.
    """

    title: str
    is_kept: bool

    def run(self, tools: TaskTools, cancel: threading.Event) -> None:
        """Do it, on the worker's thread. May raise anything."""

    def ended(self, error: StudioError | None) -> None:
        """It has ended: done or cancelled, or with an error. Called on the main thread."""


class Freeing:
    """Lets go of the model and of the memory that it takes.

    Args:
        on_freed: Called on the main thread when that is done.
    """

    title = "Freeing memory"
    is_kept = False

    def __init__(self, on_freed: Callable[[], None]) -> None:
        self._on_freed = on_freed

    def run(self, tools: TaskTools, cancel: threading.Event) -> None:
        """Do it."""
        tools.unload()

    def ended(self, error: StudioError | None) -> None:
        """Say that it is done."""
        if error is None:
            self._on_freed()


class EngineTasks:
    """Those that wait, and the one that is being done. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[EngineTask] = deque()
        self._current: EngineTask | None = None
        self._cancel = threading.Event()

    def add(self, task: EngineTask) -> None:
        """Put one at the end."""
        with self._lock:
            self._waiting.append(task)

    def begin(self) -> tuple[EngineTask, threading.Event] | None:
        """Return the next one and what is set when it is to stop; ``None`` when none waits."""
        with self._lock:
            if not self._waiting:
                return None
            self._current, self._cancel = self._waiting.popleft(), threading.Event()
            return self._current, self._cancel

    def end(self) -> None:
        """The one begun has ended."""
        with self._lock:
            self._current = None

    @property
    def all(self) -> tuple[EngineTask, ...]:
        """The one that is being done, and those that wait."""
        with self._lock:
            current = (self._current,) if self._current is not None else ()
            return (*current, *self._waiting)

    def cancel(self, task: EngineTask) -> bool:
        """Stop one, or take it out; True when it waited, and is neither begun nor ended."""
        with self._lock:
            if task is self._current:
                self._cancel.set()
            elif task in self._waiting:
                self._waiting.remove(task)
                return True
            return False

    def cancel_all(self) -> None:
        """Stop the one begun and forget those that wait."""
        with self._lock:
            self._waiting.clear()
            self._cancel.set()
