"""One window for many tests: put back after each as it was, looked at whether it is, and given up when it is not.

Building a window costs more than most tests do in it. `SharedWindow` lends one, and after the test puts back what is
public of it: the data folder, prompts, parameters, layout, settings, what can be undone. Then it compares everything
that can be seen and every file with how they were: where anything differs, the next test gets a new window.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, QModelIndex, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget

from sdstudio.app import Studio, build_studio
from sdstudio.core.paths import StudioPaths
from sdstudio.core.settings import Settings
from sdstudio.history.database.look import Look
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.first_paint import all_widgets_alive
from sdstudio.ui.pages.history.page import HistoryPage
from sdstudio.ui.undo import Change, Undos
from sdstudio.ui.widgets.message_bar import MessageBar
from tests.conftest import LASTING, MEMORY, native_threads
from tests.unit.background.fakes import ScriptedEngine

PATIENCE_S = 20.0
ADVICE_MS = 400
LASTS = ("dialogs", "pages", "files", "worker")
"""What does not come to be as it was by itself."""
SEEN = ("text", "plainText", "currentText", "value", "checked", "title", "toolTip", "placeholderText", "windowTitle")
"""What is compared of a widget beside whether and where it is shown and can be used."""


def waited(is_so: Callable[[], bool]) -> bool:
    """Let the window go on until something is so; False when it has not come to be so in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        QTest.qWait(5)
    return True


class SharedWindow:
    """A window that is handed from test to test.

    Args:
        prepare: Fills the data folder before each window is built.
        pages: They are opened before the first test, and looked at after each; on the first one tests begin. A window
            in which another page was opened is given up.
        size: The window's size, where it is not to be its own.
    """

    open_one: ClassVar[SharedWindow | None] = None

    def __init__(
        self,
        prepare: Callable[[StudioPaths], object],
        pages: Sequence[str] = ("Create",),
        size: tuple[int, int] | None = None,
    ) -> None:
        self._prepare = prepare
        self._pages = pages
        self._size = size
        self._studio: Studio | None = None
        self._folder = Path()
        self._engines: list[ScriptedEngine] = []
        self.built = 0
        self.lent = 0
        self.differs: dict[str, list[str]] = {}

    @classmethod
    def close_open(cls) -> None:
        """Close the window that is open, before another one is built."""
        if cls.open_one is not None:
            cls.open_one.close()

    def lend(self, scripts: dict[str, Any] | None = None) -> Studio:
        """Return a window as it is after a start; its engine acts out these scripts."""
        self.lent += 1
        if self._studio is None:
            self._build()
        assert self._studio is not None
        self._act(scripts or {})
        return self._studio

    def _act(self, scripts: dict[str, Any]) -> None:
        for engine in self._engines:
            engine.scripts = scripts

    def take_back(self, by: str) -> None:
        """Put the window back as it was, or give it up."""
        studio = self._studio
        if studio is None:
            return
        touched = [str(path) for path, what in self._fixed(studio).items() if self._fixed_before.get(path) != what]
        if touched or not studio.window.isVisible() or not self._put_back(studio):
            self.differs[by] = touched or ["closed, or still at work"]
            self.close()
            return
        found = self._differences(studio)
        if found and not any(name.startswith(LASTS) for name in found):
            QTest.qWait(ADVICE_MS)  # advice and counters follow a moment later
            found = self._differences(studio)
        if found:
            self.differs[by] = found
            self.close()

    def _differences(self, studio: Studio) -> list[str]:
        before, now = self._before, self._standing(studio)
        names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        return [f"{name}: {before.get(name)!r} -> {now.get(name)!r}" for name in names]

    def close(self) -> None:
        """Close the window, if there is one."""
        studio, self._studio = self._studio, None
        if studio is not None:
            assert studio.close()
            studio.delete()
            LASTING.clear()
            SharedWindow.open_one = None
            shutil.rmtree(self._folder)

    # the window

    def _build(self) -> None:
        within = MEMORY if MEMORY.is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="sdstudio-test-", dir=within))
        paths = StudioPaths(self._folder / "home").create()
        self._prepare(paths)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        with all_widgets_alive():
            app.setStyleSheet("")
        threads, native = set(threading.enumerate()), native_threads()
        self._engines = []
        studio = self._studio = build_studio(paths.home, self._engine)
        self.built += 1
        SharedWindow.open_one = self
        studio.window.show()
        assert QTest.qWaitForWindowExposed(studio.window)
        assert waited(lambda: studio.window.status_line.text == "Ready" and studio.tasks.is_idle)
        self._start_all_threads(studio)
        LASTING.update(set(threading.enumerate()) - threads, native_threads() - native, {studio.worker})
        QApplication.clipboard().clear()
        for page in self._pages[::-1]:
            studio.window.pages.open(page)
            self._settle(studio)
        if self._size is not None:
            studio.window.resize(*self._size)
        self._settle(studio)
        self._first = self._kept(studio)
        self._before = self._standing(studio)
        self._fixed_before = self._fixed(studio)

    def _engine(self, settings: Settings) -> ScriptedEngine:
        self._engines.append(ScriptedEngine(settings))
        return self._engines[-1]

    def _fixed(self, studio: Studio) -> dict[Path, object]:
        """Return the files that are read once: what they say cannot be put back into the window's memory."""
        home = studio.paths
        put_back = (home.images, home.thumbnails, home.inputs, home.settings, home.window_state, home.lock, home.cache)
        return {
            path: path.stat().st_mtime_ns
            for path in _files(home.home)
            if not _is_busy(path) and not any(path.is_relative_to(each) for each in put_back)
        }

    def _start_all_threads(self, studio: Studio) -> None:
        """Let each thread for work in the background begin now: otherwise they would begin in the tests, one by one."""
        for urgent in (False, True):
            gate = threading.Barrier(3)
            for number in range(2):
                studio.tasks.run(f"Thread {number}", lambda _task, gate=gate: gate.wait(20), urgent=urgent)
            gate.wait(20)
        assert waited(lambda: studio.tasks.is_idle)

    # what it was, and putting it back

    def _kept(self, studio: Studio) -> dict[str, Any]:
        """Keep what `_put_back` needs."""
        window = studio.window
        database = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(sqlite3.connect(studio.paths.database)) as source:
            source.backup(database)
        return {
            "database": database,
            "files": {path: path.read_bytes() for path in _files(studio.paths.home) if not _is_busy(path)},
            "settings": window.shell.settings,
            "panel": window.panel.standing(),
            "panel state": window.panel.state(),
            "editor": window.editor.state(),
            "layout": window.create_page.layout_state(),
            "size": window.size(),
            "entry": window.canvas.entry,
            "loupe": window.loupe_controller.state(),
            "menus": window.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly),
        }

    def _put_back(self, studio: Studio) -> bool:
        """Put back what is public of the window and its data folder; say whether its work came to an end."""
        window, first = studio.window, self._first
        for top in QApplication.topLevelWidgets():
            if top is not window and top.isVisible():
                top.close()
        for menu in window.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if menu not in first["menus"]:
                menu.deleteLater()
        studio.controller.cancel_all()
        _undo_all(window.shell.undos)
        studio.controller.resume()
        if not waited(lambda: studio.tasks.is_idle and all(job.state.ended for job in studio.controller.jobs())):
            return False
        self._act({})
        for bar in window.findChildren(MessageBar):
            bar.say("")  # its buttons go
            bar.dismiss()
        if window.shell.settings != first["settings"]:
            window.shell.take_settings(first["settings"])
        for browser in window.findChildren(HistoryBrowser):
            browser.view.clearSelection()
            browser.view.setCurrentIndex(QModelIndex())
        for page in window.findChildren(HistoryPage):
            page.details.show_entry(None)
        self._put_back_files(studio)
        studio.controller.clear()
        studio.controller.clear_finished()
        self._put_back_database(studio)
        window.pages.open(self._pages[0])
        if window.panel.standing() != first["panel"]:
            window.panel.show_standing(first["panel"])
        window.panel.field("seed").editor.set_last_seed(first["panel state"]["last_seed"])
        for field in window.panel.fields.values():
            field.clear_error()
        if window.panel.state() != first["panel state"]:
            window.panel.restore_state(first["panel state"])
        if window.editor.state() != first["editor"]:
            window.editor.restore_state(first["editor"])
        window.editor.clear_message()
        for edit in (window.editor.prompt_edit, window.editor.negative_edit):
            edit.document().clearUndoRedoStacks()
        window.history_model.set_look(Look())
        window.history_model.reload(anew=True)
        waited(lambda: window.history_model.is_complete)
        window.canvas.show_nothing()
        window.editor.set_examples(())  # they stand on the canvas while there is no picture
        if first["entry"] is not None:
            window.canvas.show_entry(first["entry"])
            window.generation.offer_examples()
        for browser in window.findChildren(HistoryBrowser):
            browser.view.scrollToTop()
        window.loupe_controller.restore_state(first["loupe"])
        window.panel.verticalScrollBar().setValue(0)
        window.resize(first["size"])
        if window.create_page.layout_state() != first["layout"]:
            window.create_page.restore_layout(first["layout"])
        window.status_line.rest("Ready")
        QApplication.clipboard().clear()
        self._settle(studio)
        return True

    def _settle(self, studio: Studio) -> None:
        window = studio.window
        window.activateWindow()
        if window.pages.name == "Create":
            window.editor.prompt_edit.setFocus()
        waited(lambda: studio.tasks.is_idle)
        for _ in range(3):
            QCoreApplication.processEvents()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def _put_back_files(self, studio: Studio) -> None:
        kept = self._first["files"]
        for path in sorted(_files(studio.paths.home), reverse=True):
            if path not in kept and not _is_busy(path):
                path.unlink()
        for path, content in kept.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def _put_back_database(self, studio: Studio) -> None:
        with closing(sqlite3.connect(studio.paths.database, timeout=20)) as target:
            self._first["database"].backup(target)

    # what is compared

    def _standing(self, studio: Studio) -> dict[str, object]:
        """Return everything that can be seen, and what a later test could stumble over."""
        window = studio.window
        found: dict[str, object] = {}
        for page in self._pages[::-1]:
            window.pages.open(page)
            self._settle(studio)
            for root in QApplication.topLevelWidgets():
                _look_at(root, f"{page}: {root.objectName() or type(root).__name__}", found)
        for action in window.findChildren(QAction):
            if action.objectName().startswith("action_"):
                found[action.objectName()] = (action.text(), action.isEnabled(), action.isChecked(), action.isVisible())
        dialogs = [each for each in QApplication.allWidgets() if isinstance(each, QDialog)]
        pages = [window.pages.widget(at).objectName() for at in range(window.pages.count())]
        undos, worker = window.shell.undos, studio.worker
        return found | {
            "dialogs, also hidden": sorted(dialog.objectName() for dialog in dialogs),
            "pages": (pages, window.pages.state()),
            "loupe": window.loupe_controller.state(),
            "files": {path: path.stat().st_size for path in _files(studio.paths.home) if not _is_busy(path)},
            "settings": window.shell.settings,
            "panel": window.panel.state(),
            "editor": window.editor.state(),
            "undo": (undos.last, undos.undone),
            "worker": (studio.controller.paused, worker.unsaved, worker.engine_tasks, studio.controller.jobs()),
            "models": [model.key for model in studio.library.models()],
            "pictures": (window.canvas.entry, window.history_model.look, window.history_model.rowCount()),
            "messages": (window.message.message, window.editor.message, window.browser.bar.message),
        }


def _files(folder: Path) -> list[Path]:
    return [Path(where, name) for where, _folders, names in os.walk(folder) for name in names]


def _is_busy(path: Path) -> bool:
    """Whether a file is open, or comes and goes by itself: databases, locks, small pictures, the window's memory."""
    return ".db" in path.name or path.suffix in (".lock", ".ini", ".log") or "thumbnails" in path.parts


def _undo_all(undos: Undos) -> None:
    """Take everything back, and let nothing be left to do again."""
    while undos.last is not None:
        undos.undo()  # what cannot be taken back is tried twice, and then dropped
    if undos.undone is not None:
        undos.push(Change("", lambda: None))
        undos.undo()


def _look_at(widget: QWidget, path: str, found: dict[str, object]) -> None:
    """Note all that can be seen of a widget and of those within it, by where they are."""
    if not widget.isVisible():
        return
    meta = widget.metaObject()
    seen = tuple(str(widget.property(name)) for name in SEEN if meta.indexOfProperty(name) >= 0)
    found[path] = (widget.isEnabled(), widget.geometry().getRect(), seen)
    counts: dict[str, int] = {}
    for child in widget.children():
        if isinstance(child, QWidget):
            name = child.objectName() or type(child).__name__
            counts[name] = counts.get(name, 0) + 1
            _look_at(child, f"{path}/{name}{counts[name]}", found)
