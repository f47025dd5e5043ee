"""The composition root: the one place that builds the studio's objects and wires them, and the program's window."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sdstudio.core.desktop import display_problem
from sdstudio.core.errors import HistoryDamaged, LockedByOther, StudioError
from sdstudio.core.files import is_utf8
from sdstudio.core.paths import StudioPaths, studio_paths
from sdstudio.process import (
    close_on_signals,
    collect_again,
    collect_later,
    end_at_once,
    failed,
    keep_log,
    report_errors,
    take_down,
    tell_in_a_window,
)

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from sdstudio.background.controller import JobController
    from sdstudio.background.tasks import TaskRunner
    from sdstudio.background.worker import Worker
    from sdstudio.core.backend import Backend
    from sdstudio.core.models.work import ModelWorks
    from sdstudio.core.settings import Settings
    from sdstudio.history.store import History, Recovery
    from sdstudio.jobs.queue import JobQueue
    from sdstudio.library.library import Library
    from sdstudio.ui.shell import Shell
    from sdstudio.ui.window.main_window import MainWindow
    from sdstudio.ui.window.single_instance import SingleInstance

log = logging.getLogger(__name__)

MakeEngine = Callable[["Settings"], "Backend"]

CLOSE_PATIENCE_S: Final = 8.0
LEAVE_PATIENCE_S: Final = 0.5
"""How long the program waits for its threads when the window is gone; nobody sees it, and the process is to end."""
READ_ONLY: Final = (
    "Data folder = {}: it is read-only. "
    "Pictures can be looked at, searched, exported and backed up; nothing new can be kept."
)


@dataclass
class Studio:
    """Everything that was built; `close` takes it down again."""

    window: MainWindow
    shell: Shell
    controller: JobController
    history: History
    library: Library
    paths: StudioPaths
    worker: Worker
    tasks: TaskRunner
    queue: JobQueue
    instance: SingleInstance
    _closed: bool = False

    def close(self, patience_s: float = CLOSE_PATIENCE_S) -> bool:
        """End the threads and close the files.

        Returns:
            Whether all threads ended in time. If not, the process has to end: whatever they do is cut off between two
            pictures, and the files are closed as far as nobody uses them.
        """
        if self._closed:
            return True
        self._closed = True
        until = time.monotonic() + patience_s
        self.instance.stop_listening()
        self.window.leave()
        ended = self.worker.stop(patience_s)
        if not ended:
            self.worker.abandon(CLOSE_PATIENCE_S)
        tasks_ended = self.tasks.close(max(0.0, until - time.monotonic()))
        if tasks_ended:
            self.queue.close()
            self.history.close()
        self.instance.close()
        return self.window.closing.end_threads(max(0.0, until - time.monotonic())) and tasks_ended and ended

    def delete(self) -> None:
        """Delete what was built, the window first, after `close`."""
        take_down(self.window, self.controller, self.worker, self.tasks, self.instance)

    def start_worker(self) -> None:
        """Let the worker import torch and begin; it does so once, at the first call."""
        if not self._closed and not self.worker.isRunning():
            self.worker.start()

    def take_settings(self, settings: Settings) -> None:
        """Keep changed settings and hand them to whom they concern."""
        try:
            settings.save(self.paths.settings)
        except StudioError as error:
            self.shell.say(str(error), "error")
        self.controller.configure(settings)
        self.history.configure(settings)
        self.library.set_folders(settings.model_folders)
        self.library.set_open_pickles(settings.open_pickles)
        self.shell.rescan()

    def tidy_up(self, kept: Path | None) -> None:
        """Put right, in the background, what the last run may have left; ``kept`` is a damaged database set aside."""

        def show(recovery: Recovery) -> None:
            message = str(replace(recovery, kept=kept))
            if message:
                self.shell.say(message, "warning" if kept else "info")
            if recovery.recovered or recovery.restored or recovery.moved:
                self.window.history_model.reload()

        if self.history.read_only:
            self.shell.say(READ_ONLY.format(self.paths.home), "warning")
            return
        self.tasks.run("Tidying up after the last run", lambda _task: self.history.recover(), show)


@dataclass(frozen=True)
class Entrance:
    """What stands before anything heavy is imported: the data folder is taken, the bare window can be shown."""

    app: QApplication
    paths: StudioPaths
    instance: SingleInstance
    window: MainWindow


class _Visit:
    """One run of the program's window: furnishes it once it is on the screen, and takes it down in the end."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._studio: Studio | None = None
        self.problem = ""

    def furnish(self) -> None:
        """Build the studio; where that fails, end the event loop, with the reason in `problem`."""
        try:
            self._studio = furnished(self._entrance)
        except StudioError as error:
            self.problem = str(error)
        except Exception as error:
            log.exception("the window could not be furnished")
            self.problem = f"Something unexpected happened at the start: {error!r}. See {self._entrance.paths.logs}."
        collect_again()
        if self._studio is None:
            self._entrance.app.exit(1)
        else:
            report_errors(self._studio.window, self._studio.worker)

    def close(self) -> bool:
        """End the threads, close the files and delete everything; False when a thread did not end in time."""
        if self._studio is None:
            self._entrance.instance.close()
            take_down(self._entrance.window, self._entrance.instance)
        elif not self._studio.close(LEAVE_PATIENCE_S):
            return False
        else:
            self._studio.delete()
        return True


def build_studio(home: Path | None = None, make_engine: MakeEngine | None = None) -> Studio:
    """Build and wire everything without starting the event loop.

    Args:
        home: The data folder; see `studio_paths`.
        make_engine: Called on the worker's thread; default: the real engine.

    Raises:
        LockedByOther: Another window has this data folder; it was asked to come forward.
        StudioError: The data folder or the history cannot be used.
    """
    return furnished(open_entrance(home), make_engine)


def open_entrance(home: Path | None = None) -> Entrance:
    """Take the data folder and build the bare window, which can be shown while everything else is imported.

    Raises:
        LockedByOther: Another window has this data folder; it was asked to come forward.
        StudioError: The data folder cannot be used.
    """
    from sdstudio.history.database.read_only import is_read_only  # noqa: PLC0415
    from sdstudio.ui.theme import apply_theme  # noqa: PLC0415
    from sdstudio.ui.window.main_window import MainWindow  # noqa: PLC0415 (no Qt before the display is known to be there)
    from sdstudio.ui.window.single_instance import SingleInstance  # noqa: PLC0415

    app = _application()
    paths = _created(studio_paths(home))
    instance = SingleInstance(paths.lock, read_only=is_read_only(paths.database))
    try:
        window = MainWindow(paths.window_state)
        apply_theme(app, window.remembered_theme, window.remembered_font, bare=True)
    except BaseException:
        instance.close()
        raise
    return Entrance(app, paths, instance, window)


def furnished(entrance: Entrance, make_engine: MakeEngine | None = None) -> Studio:
    """Build everything behind the bare window, and put it in.

    Raises:
        StudioError: The history cannot be used; the data folder is free again.
    """
    from sdstudio.background.controller import JobController  # noqa: PLC0415
    from sdstudio.background.model_works import ModelWorkRunner  # noqa: PLC0415
    from sdstudio.background.tasks import TaskRunner  # noqa: PLC0415
    from sdstudio.background.worker import Worker  # noqa: PLC0415
    from sdstudio.core.settings import Settings  # noqa: PLC0415 (a tenth of a second, with pydantic)
    from sdstudio.library.library import Library  # noqa: PLC0415
    from sdstudio.library.resolving import RequestResolver  # noqa: PLC0415
    from sdstudio.ui.first_paint import paint_now, without_style_sheet  # noqa: PLC0415
    from sdstudio.ui.shell import Services  # noqa: PLC0415
    from sdstudio.ui.theme import apply_theme  # noqa: PLC0415
    from sdstudio.ui.window.build import build_window  # noqa: PLC0415

    paths, instance, window = entrance.paths, entrance.instance, entrance.window
    try:
        settings, complaints = Settings.load(paths.settings)
        apply_theme(entrance.app, settings.theme, settings.font_size, bare=True)
        history, queue, kept = _open_history(paths)
        history.configure(settings)
        # The user's own folders may lie on a slow disk: they are read once the window is up.
        library = Library(paths, open_pickles=settings.open_pickles)
        resolver = RequestResolver(library)
        draws = make_engine or partial(_real_engine, paths)
        worker = Worker(draws, queue, history, library.find, library.hash_of, settings, resolve=resolver.resolve)
        controller = JobController(worker, queue, library.find, check=resolver.check, parent_of=resolver.parent_of)
        tasks = TaskRunner()
        tasks.hold()
        model_work = ModelWorkRunner(tasks, library.hash_asset, _real_works, tasks)
        with without_style_sheet(entrance.app):
            services = Services(paths, library, history, controller, tasks, model_work)
            shell = build_window(window, services, settings)
        apply_theme(entrance.app, settings.theme, settings.font_size)
        paint_now(window)
        tasks.release()
    except BaseException:
        instance.close()
        raise
    studio = Studio(window, shell, controller, history, library, paths, worker, tasks, queue, instance)
    _connect(studio, settings, kept)
    if complaints:
        shell.say(" ".join(complaints), "warning")
    return studio


def _connect(studio: Studio, settings: Settings, kept: Path | None) -> None:
    """Connect the parts with each other, and leave for the first turn of the event loop what can wait."""
    from PySide6.QtCore import QTimer  # noqa: PLC0415

    window, shell, worker = studio.window, studio.shell, studio.worker
    worker.engine_ready.connect(shell.take_status)
    worker.status_changed.connect(shell.take_status)
    studio.tasks.failed.connect(lambda error: shell.say(str(error), "error"))
    studio.instance.raise_requested.connect(window.come_forward)
    shell.settings_changed.connect(studio.take_settings)
    window.when_shown(studio.start_worker)
    studio.controller.queue_changed.connect(lambda _jobs: studio.start_worker())
    studio.library.set_folders(settings.model_folders)
    QTimer.singleShot(0, window, lambda: studio.tidy_up(kept))
    if settings.model_folders:
        QTimer.singleShot(0, window, shell.rescan)


def main(argv: Sequence[str] | None = None) -> int:
    """Show the window until it is closed.

    Returns:
        0, also when a window that was open already was brought forward; 1 after one line on stderr.
    """
    collect_later()
    problem = display_problem()
    if problem:
        return failed(problem)
    try:
        entrance = open_entrance()
        keep_log(entrance.paths.logs)
    except LockedByOther as error:
        from sdstudio.ui.window.single_instance import BROUGHT_FORWARD  # noqa: PLC0415

        failed(str(error))
        return 0 if error.hint == BROUGHT_FORWARD else 1
    except StudioError as error:
        tell_in_a_window(str(error))
        return failed(str(error))
    notifier = close_on_signals(entrance.window)
    visit = _Visit(entrance)
    entrance.window.when_shown(visit.furnish)
    entrance.app.setQuitOnLastWindowClosed(False)  # work may go on without one
    entrance.window.left.connect(lambda: entrance.app.exit(0))
    entrance.window.show()
    code = entrance.app.exec()
    notifier.setEnabled(False)
    if visit.problem:
        tell_in_a_window(visit.problem)
        return failed(visit.problem)
    if not visit.close():
        log.warning("a thread did not end in time, and ends with the process")
        end_at_once(code)
    return code


def _application() -> QApplication:
    from PySide6.QtWidgets import QApplication  # noqa: PLC0415

    from sdstudio.ui.theme import icon  # noqa: PLC0415

    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    app = QApplication(sys.argv[:1])
    app.setApplicationName("sdstudio")
    app.setApplicationDisplayName("SD Studio")
    app.setDesktopFileName("sdstudio")
    app.setWindowIcon(icon("sdstudio", size=64))
    return app


def _created(paths: StudioPaths) -> StudioPaths:
    if not is_utf8(str(paths.home)):  # Qt has no name for it: not for its lock, and not for a single picture
        name = str(paths.home).encode("utf-8", "replace").decode("utf-8")
        raise StudioError(
            f"Data folder = {name}: its name is not UTF-8, and the window cannot open it.",
            "Rename the folder, or use the command line.",
        )
    try:
        return paths.create()
    except OSError as error:
        raise StudioError(
            f"Data folder = {paths.home}: it cannot be made or written ({error.strerror}).",
            "Set SDSTUDIO_HOME to a folder of your own.",
        ) from error


def _open_history(paths: StudioPaths) -> tuple[History, JobQueue, Path | None]:
    """Open history and queue; a damaged database is set aside and a new one begun.

    Returns:
        Both, and where the damaged one lies now, ``None`` when it was whole.
    """
    from sdstudio.history.care.recovery import set_aside  # noqa: PLC0415

    try:
        return *_opened(paths), None
    except HistoryDamaged:
        kept = set_aside(paths)
        return *_opened(paths), kept


def _opened(paths: StudioPaths) -> tuple[History, JobQueue]:
    from sdstudio.history.store import History  # noqa: PLC0415
    from sdstudio.jobs.queue import JobQueue  # noqa: PLC0415
    from sdstudio.ui.widgets.desktop import move_to_trash  # noqa: PLC0415

    history = History(paths, move_to_trash)
    try:
        history.entries(limit=1)
        queue = JobQueue(paths)
        queue.jobs()
    except BaseException:
        history.close()
        raise
    return history, queue


def _real_engine(paths: StudioPaths, settings: Settings) -> Backend:
    from sdstudio.engine.engine import make_engine  # noqa: PLC0415 (imports torch: on the worker's thread)

    return make_engine(settings, paths)


def _real_works() -> ModelWorks:
    from sdstudio.engine.model_files.works import Works  # noqa: PLC0415 (imports torch: on a thread of the task runner)

    return Works()
