"""How to stop foreign Python code (a model being read) in the middle, without ever hitting what comes after it.

A profile function looks at the request to stop before every call that the work makes in its thread, and raises there.
``PyThreadState_SetAsyncExc`` from a watcher thread was tried and dropped: a thread that the work has just started
(transformers loads with a pool) bears its parent's id for a moment, took the exception in its place and never came up,
and the load hung for good.
While generating, checks in front of blocks cost less (`engine.device.cancel`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from sdstudio.core.errors import Cancelled

T = TypeVar("T")


class _Stop(BaseException):
    """Raised within the work; never leaves `interruptible`."""


def _in_standard_library(frame: FrameType) -> bool:
    """Whether the code that runs is Python's own: locks, imports and weak references' callbacks are not broken into."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in sys.stdlib_module_names


def interruptible(cancel: threading.Event, work: Callable[[], T]) -> T:
    """Return ``work()``, stopped at its next call when ``cancel`` is set; for work that may break off anywhere.

    Between calls of the standard library it goes on, so that no lock stays held and no import half done there.

    Raises:
        Cancelled: ``cancel`` was set, before the work or in it, also when the work swallowed the exception.
    """
    if cancel.is_set():
        raise Cancelled
    is_cancelled = cancel.is_set

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if is_cancelled() and not _in_standard_library(frame):
            raise _Stop

    before = sys.getprofile()
    try:
        sys.setprofile(look)
        try:
            result = work()
        finally:
            sys.setprofile(before)  # looked at itself, so this call is the last that may raise
    except _Stop:
        sys.setprofile(before)
        raise Cancelled from None
    if is_cancelled():
        raise Cancelled
    return result
