"""The window: its place and colours, what is dropped on it, and what is remembered for the next start.

It is made in two steps. The constructor gives the bare window, in its colours and its place, which can be shown at
once; `build_window` brings in everything else, so this module itself imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QVBoxLayout, QWidget

from sdstudio.ui.theme import FONT_PT, FONT_SIZES, ThemeChoice, apply_theme
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.drop_answer import accept_as_copy
from sdstudio.ui.window.memory import WindowMemory

if TYPE_CHECKING:
    from sdstudio.core.settings import Settings
    from sdstudio.ui.window.closing import Closing
    from sdstudio.ui.window.commands import Commands
    from sdstudio.ui.window.parts import Parts

TITLE: Final = "SD Studio"
FIRST_SIZE: Final = QSize(1440, 900)
LEAST_SIZE: Final = QSize(900, 540)
_FRAME: Final = QSize(16, 48)


class MainWindow(QMainWindow):
    """Top bar, pages, status line."""

    #: The window is on the screen for the first time; heavy work may begin.
    shown = Signal()
    #: The window was closed for good, and no work goes on without it.
    left = Signal()

    def __init__(self, state: Path) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle(TITLE)
        self.setMinimumSize(LEAST_SIZE)
        room = self.screen().availableSize() - _FRAME
        self.resize(FIRST_SIZE.boundedTo(room).expandedTo(LEAST_SIZE))
        self._memory = WindowMemory(state, self.keep_state, self)
        self._has_place = self.restoreGeometry(QByteArray(self._memory.bytes_of("geometry")))
        self._is_furnished = False
        self._was_shown = False

    @property
    def remembered_theme(self) -> ThemeChoice:
        """The theme of the last time, for the moment before the settings are read."""
        choices: dict[str, ThemeChoice] = {"dark": "dark", "light": "light"}
        return choices.get(str(self._memory.json_of("window").get("theme")), "system")

    @property
    def remembered_font(self) -> int:
        """The font size of the last time, as above."""
        size = self._memory.json_of("window").get("font")
        return size if isinstance(size, int) and size in FONT_SIZES else FONT_PT

    def when_shown(self, begin: Callable[[], object]) -> None:
        """Call ``begin`` as soon as the window has been drawn for the first time, now or later."""
        if self._was_shown:
            QTimer.singleShot(0, self, begin)
        else:
            self.shown.connect(begin)

    def take(self, parts: Parts, commands: Commands, closing: Closing, memory_names: Mapping[str, str]) -> None:
        """Take everything that was built for it, and lay it out.

        Args:
            parts: What it consists of.
            commands: Its commands.
            closing: Decides whether it may be closed.
            memory_names: Under which name the state of each page is remembered, by the page's key.
        """
        self.setAcceptDrops(True)
        self._take_parts(parts)
        self.commands = commands
        self.closing = closing
        self._memory_names = memory_names
        self._lay_out(parts)
        self._theme = parts.shell.settings.theme, parts.shell.settings.font_size
        parts.shell.settings_changed.connect(self._on_settings_changed)
        closing.keep_wanted.connect(self.keep_state)
        parts.pages.opened.connect(self._memory.write_soon)
        parts.panel.changed.connect(self._memory.write_soon)
        parts.editor.changed.connect(self._memory.write_soon)
        parts.services.controller.worker.picture_saved.connect(lambda _entry: self._memory.write_soon())
        parts.generation.title_changed.connect(self._show_title)
        self._is_furnished = True

    def come_forward(self) -> None:
        """Put the window before all others."""
        bring_forward(self)

    def leave(self) -> None:
        """Close without a question; see `end_threads`."""
        if self._is_furnished:
            self.closing.ask_nothing()
        self.close()

    def keep_state(self) -> None:
        """Write down layout, page, parameters and prompts."""
        if not self.commands.is_full_screen:
            self._memory.keep_bytes("geometry", bytes(self.saveGeometry().data()))
            self._memory.keep_bytes("layout", self.create_page.layout_state())
        settings = self.shell.settings
        looks = {"theme": settings.theme, "font": settings.font_size}
        kept = {"page": self.pages.name, "commands": list(self.commands.recent), **looks}
        self._memory.keep_json("window", kept)
        self._memory.keep_json("loupe", self.loupe_controller.state())
        for key, state in self.pages.state().items():
            if state:
                self._memory.keep_json(self._memory_names[key], state)
        self._memory.keep_json("panel", self.panel.state())
        self._memory.keep_json("editor", self.editor.state())
        self._memory.write()

    def restore_state(self) -> None:
        """Put everything as it was when the window was closed."""
        if self._has_place:
            self.create_page.restore_layout(self._memory.bytes_of("layout"))
        self.loupe_controller.restore_state(self._memory.json_of("loupe"))
        self.pages.restore_state({key: self._memory.json_of(name) for key, name in self._memory_names.items()})
        self.panel.restore_state(self._memory.json_of("panel"))
        self.editor.restore_state(self._memory.json_of("editor"))
        kept = self._memory.json_of("window")
        self.commands.recent = tuple(map(str, kept.get("commands", ())))
        page = str(kept.get("page", ""))
        self.pages.open(page if page in self.pages.keys else self.pages.keys[0])
        if self.isVisible():
            self._place_cursor()

    # Qt's events

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Put the cursor where the user will write."""
        super().showEvent(event)
        if self._is_furnished and not self._was_shown:
            self._place_cursor()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Emit when the window has been drawn for the first time: a show event comes before that."""
        super().paintEvent(event)
        if not self._was_shown:
            self._was_shown = True
            QTimer.singleShot(0, self, self.shown.emit)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Ask where work would be broken off; else remember everything."""
        if self._is_furnished:
            if not self.closing.lets_go():
                event.ignore()
                return
            self.keep_state()
            self.closing.take_leave()
        super().closeEvent(event)
        self.left.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take pictures that come from elsewhere."""
        if event.source() is None and self.exchange.takes(event.mimeData()):
            accept_as_copy(event)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show a dropped picture's parameters, import more of them."""
        accept_as_copy(event)
        self.exchange.take(self.exchange.paths_of(event.mimeData()))

    def _place_cursor(self) -> None:
        if self.pages.name == "Create":
            self.editor.prompt_edit.moveCursor(QTextCursor.MoveOperation.End)
            self.editor.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    # building

    def _take_parts(self, parts: Parts) -> None:
        self.shell = parts.shell
        self.actions_on_entries = parts.actions
        self.message = parts.message
        self.top_bar = parts.top_bar
        self.canvas = parts.canvas
        self.editor = parts.editor
        self.prompt_controller = parts.prompt_controller
        self.status_line = parts.status_line
        self.panel = parts.panel
        self.queue_panel = parts.queue_panel
        self.history_model = parts.history_model
        self.browser = parts.browser
        self.create_page = parts.create_page
        self.pages = parts.pages
        self.generation = parts.generation
        self.history_controller = parts.history_controller
        self.library_controller = parts.library_controller
        self.model_controller = parts.model_controller
        self.download_controller = parts.download_controller
        self.loupe_controller = parts.loupe_controller
        self.exchange = parts.exchange
        self.parameters_controller = parts.parameters_controller
        self.paste_controller = parts.paste_controller
        self.settings_controller = parts.settings_controller

    def _lay_out(self, parts: Parts) -> None:
        parts.top_bar.set_picker(parts.panel.take_model_picker())
        parts.top_bar.show_page(parts.pages.name)
        body = QWidget(self)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(parts.top_bar)
        column.addWidget(parts.pages, 1)
        column.addWidget(parts.status_line)
        self.setCentralWidget(body)

    def _show_title(self, text: str) -> None:
        self.setWindowTitle(f"{text} – {TITLE}" if text else TITLE)

    def _on_settings_changed(self, settings: Settings) -> None:
        looks, app = (settings.theme, settings.font_size), QApplication.instance()
        if looks != self._theme and isinstance(app, QApplication):
            self._theme = looks
            apply_theme(app, *looks)
