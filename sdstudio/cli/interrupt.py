"""How Ctrl-C, or a polite ``kill``, ends a job: the first asks the engine to stop, the second stops the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupt_sets(cancel: threading.Event, on_first: Callable[[], None]) -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM sets ``cancel`` instead of raising; a second one raises."""

    def on_signal(_number: int, _frame: Any) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        on_first()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
