"""The program as a process: its log, its last words, the signals that end it, and how its window goes."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import logging.handlers
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from PySide6.QtCore import QObject, QSocketNotifier

    from sdstudio.background.worker import Worker
    from sdstudio.ui.window.main_window import MainWindow

log = logging.getLogger(__name__)

_LOG_BYTES: Final = 1_000_000


def collect_later() -> None:
    """Look for garbage no more until `collect_again`: nothing that a start makes is any."""
    gc.disable()


def collect_again() -> None:
    """Look for garbage again, but not among what the start has made: it stays as long as the program runs."""
    gc.freeze()
    gc.enable()


def keep_log(folder: Path) -> None:
    """Write the log, and what a crash leaves, into a folder; nowhere, where that cannot be written."""
    try:
        file = logging.handlers.RotatingFileHandler(
            folder / "studio.log", maxBytes=_LOG_BYTES, backupCount=3, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        log.warning("no log is kept: %s", error)
        return
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(file)
    logging.getLogger("sdstudio").setLevel(logging.INFO)
    faulthandler.enable((folder / "crash.log").open("a", encoding="utf-8"))


def report_errors(window: MainWindow, worker: Worker) -> None:
    """Show errors nobody caught as a report to copy; the window stays alive."""

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.leave()
            return
        log.error("unexpected error", exc_info=(kind, error, trace))
        worker.crashed.emit("".join(traceback.format_exception(kind, error, trace)))

    def report_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            report(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = report
    threading.excepthook = report_thread


def close_on_signals(window: MainWindow) -> QSocketNotifier:
    """Close the window, without a question, on Ctrl+C in the terminal and at the session's end.

    Python runs its handlers between bytecodes, and the event loop runs none; the wakeup socket makes it look.
    """
    from PySide6.QtCore import QSocketNotifier  # noqa: PLC0415

    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)  # open for as long as the process lives
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read, window)

    def on_signal() -> None:
        reading.recv(64)
        window.leave()

    notifier.activated.connect(on_signal)
    return notifier


def take_down(*built: QObject) -> None:
    """Delete these, with all that is in them, one after the other; and whatever else waits to be deleted.

    What is left to the end of the interpreter PySide deletes in no order, when half of Python is gone.
    """
    from PySide6.QtCore import QCoreApplication, QEvent  # noqa: PLC0415

    for thing in built:
        thing.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def end_at_once(code: int) -> NoReturn:
    """End the process now that everything is on the disk.

    The interpreter would take down torch, Qt and all threads one by one, which took 1.6 s of two cores after the window
    was gone and 1.3 s after a drawing command was done, and has no use.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
    os._exit(code)


def tell_in_a_window(message: str) -> None:
    """Show why there will be no window, when nobody sees stderr: the studio was started by its icon."""
    from PySide6.QtGui import QGuiApplication  # noqa: PLC0415
    from PySide6.QtWidgets import QMessageBox  # noqa: PLC0415

    seen = sys.stderr is not None and sys.stderr.isatty()
    if not seen and QGuiApplication.platformName() not in ("offscreen", "minimal"):
        QMessageBox.critical(None, "SD Studio", message)


def failed(message: str) -> int:
    """Print one line on stderr and return the exit code of a failure."""
    if sys.stderr is not None:
        sys.stderr.write(f"sdstudio: {' '.join(message.split())}\n")
    return 1
