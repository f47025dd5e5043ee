"""The window: what stands where, who hears of what, and what is remembered for the next start.

It is made in two steps. The constructor gives the bare window, in its colours and its place, which can be shown at
once; `MainWindow.furnish` brings in everything else, so this module itself imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence, QShowEvent, QTextCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QVBoxLayout, QWidget

from sdstudio.ui.theme import FONT_PT, FONT_SIZES, ThemeChoice, apply_theme, set_icon
from sdstudio.ui.widgets.drop_answer import accept_as_copy
from sdstudio.ui.window.memory import WindowMemory

if TYPE_CHECKING:
    from sdstudio.core.errors import StudioError
    from sdstudio.core.events import EngineStatus
    from sdstudio.core.models.model import ModelInfo
    from sdstudio.core.settings import Settings
    from sdstudio.jobs.queue import Job
    from sdstudio.ui.pages.history.page import HistoryPage
    from sdstudio.ui.pages.library.model_works.controller import WorkDesk
    from sdstudio.ui.pages.library.page import ModelManager
    from sdstudio.ui.widgets.message_bar import Tone
    from sdstudio.ui.window.build import Furniture, Rooms

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
    #: The user changed the settings; carries the new `Settings`.
    settings_changed = Signal(object)

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
        self._work_desk: WorkDesk | None = None

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

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings

    def when_shown(self, begin: Callable[[], object]) -> None:
        """Call ``begin`` as soon as the window has been drawn for the first time, now or later."""
        if self._was_shown:
            QTimer.singleShot(0, self, begin)
        else:
            self.shown.connect(begin)

    def furnish(self, rooms: Rooms, settings: Settings) -> None:
        """Put everything into the bare window.

        Args:
            rooms: What it works with.
            settings: As they were loaded.
        """
        from sdstudio.ui.pages.library.controller import LibraryDesk  # noqa: PLC0415 (as above)
        from sdstudio.ui.pages.library.get.controller import Getting  # noqa: PLC0415 (as above)
        from sdstudio.ui.window.build import Furniture  # noqa: PLC0415 (brings in every widget)
        from sdstudio.ui.window.closing import Closing  # noqa: PLC0415 (not needed to show the window)
        from sdstudio.ui.window.menus import build_menus  # noqa: PLC0415
        from sdstudio.ui.window.mnemonics import give_mnemonics  # noqa: PLC0415 (as above)
        from sdstudio.ui.window.settings_controller import SettingsDesk  # noqa: PLC0415

        self._rooms = rooms
        self._settings = settings
        self.setAcceptDrops(True)
        self._take(Furniture.made(rooms, self))
        self._menu_actions = build_menus(self, self.commands.by_key())
        self._complete_view_menu()
        give_mnemonics(self.menuBar())
        self._lay_out()
        self._connect()
        self.library_desk = LibraryDesk(rooms, self)
        self.library_desk.model_chosen.connect(self._on_library_model_chosen)
        self.library_desk.rescan_wanted.connect(self.rescan)
        self.getting = Getting(rooms, self)
        self.getting.model_chosen.connect(self._on_library_model_chosen)
        self.getting.told.connect(self.conductor.tell_aside)
        self.settings_desk = SettingsDesk(settings, self)
        self.settings_desk.changed.connect(self.take_settings)
        self.closing = Closing(rooms, self)
        self._is_furnished = True
        self.show_models(rooms.library.models())
        self._restore_state()
        self.commands.show_possible()
        if self.isVisible():
            self._place_cursor()

    def show_models(self, models: tuple[ModelInfo, ...]) -> None:
        """Offer these models everywhere."""
        self.panel.set_models(models)
        self.panel.set_assets(self._rooms.library.assets())
        self.library_desk.on_scanned()
        self.desk.look_around()
        if self._work_desk is not None:
            self._work_desk.show_models()

    def show_status(self, status: EngineStatus) -> None:
        """Say what the engine runs on."""
        self.top_bar.show_status(status)
        self.conductor.show_status(status)

    def say(self, text: str, tone: Tone = "info") -> None:
        """Say something about the studio as a whole."""
        self.message.say(text, tone)

    def come_forward(self) -> None:
        """Put the window before all others."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def leave(self) -> None:
        """Close without a question; see `end_threads`."""
        if self._is_furnished:
            self.closing.ask_nothing()
        self.close()

    def open_settings(self) -> None:
        """Open the settings, or bring them forward."""
        self.settings_desk.open()

    def take_settings(self, settings: Settings) -> None:
        """Use changed settings and tell everyone."""
        before, self._settings = self._settings, settings
        app = QApplication.instance()
        looks = settings.theme, settings.font_size
        if looks != (before.theme, before.font_size) and isinstance(app, QApplication):
            apply_theme(app, *looks)
        self.settings_desk.take(settings)
        self.settings_changed.emit(settings)

    def rescan(self) -> None:
        """Look for models again, in the background."""
        library = self._rooms.library
        if self.pages.library is not None:
            self.pages.library.set_scanning(True)
        self._rooms.tasks.run(
            "Reading the model folders", lambda _task: library.rescan(), self._on_scanned, self._on_scan_failed
        )

    def keep_state(self) -> None:
        """Write down layout, page, parameters and prompts."""
        if not self.commands.is_full_screen:
            self._memory.keep_bytes("geometry", bytes(self.saveGeometry().data()))
            self._memory.keep_bytes("layout", self.create_page.layout_state())
        looks = {"theme": self._settings.theme, "font": self._settings.font_size}
        kept = {"page": self.pages.name, "commands": list(self.commands.recent), **looks}
        self._memory.keep_json("window", kept)
        self._memory.keep_json("loupe", self.loupe_desk.state())
        self._memory.keep_json("pages", self.pages.state())
        self._memory.keep_json("panel", self.panel.state())
        self._memory.keep_json("editor", self.editor.state())
        self._memory.write()

    # Qt's events

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Put the cursor where the user will write."""
        super().showEvent(event)
        if self._is_furnished and not self._was_shown:
            self._place_cursor()

    def event(self, event: QEvent) -> bool:
        """Tell when the window has been drawn for the first time: a show event comes before that."""
        done = super().event(event)
        if event.type() == QEvent.Type.Paint and not self._was_shown:
            self._was_shown = True
            QTimer.singleShot(0, self, self.shown.emit)
        return done

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

    def _take(self, made: Furniture) -> None:
        self.actions_on_entries = made.actions_on_entries
        self.message = made.message
        self.top_bar = made.top_bar
        self.canvas = made.canvas
        self.editor = made.editor
        self.desk = made.desk
        self.status_line = made.status_line
        self.panel = made.panel
        self.queue_panel = made.queue_panel
        self.history_model = made.history_model
        self.browser = made.browser
        self.create_page = made.create_page
        self.pages = made.pages
        self.conductor = made.conductor
        self.history_desk = made.history_desk
        self.loupe_desk = made.loupe_desk
        self.commands = made.commands
        self.exchange = made.exchange
        self.parameters_desk = made.parameters_desk
        self.paste_desk = made.paste_desk

    def _lay_out(self) -> None:
        self.top_bar.set_picker(self.panel.take_model_picker())
        self.top_bar.show_page("Create")
        body = QWidget(self)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top_bar)
        column.addWidget(self.pages, 1)
        column.addWidget(self.status_line)
        self.setCentralWidget(body)

    def _complete_view_menu(self) -> None:
        """Add what the table of commands cannot know: the pages, and the docks' own actions."""
        menu = self.menuBar().findChild(QMenu, "menuView")
        assert isinstance(menu, QMenu)
        pages = QMenu("&Page", menu)
        for at, (name, icon_name, _about) in enumerate(self.top_bar.pages):
            action = pages.addAction(name)
            action.triggered.connect(lambda _checked=False, name=name: self.pages.open(name))
            action.setShortcut(QKeySequence(f"Alt+{at + 1}"))
            set_icon(action, icon_name)
            self.addAction(action)
        menu.insertMenu(menu.actions()[0], pages)
        for dock in self.create_page.docks:
            menu.insertAction(self._menu_actions["reset_layout"], dock.toggleViewAction())

    def _connect(self) -> None:
        self.top_bar.page_chosen.connect(self.pages.open)
        self.top_bar.settings_requested.connect(self.open_settings)
        self.pages.opened.connect(self._on_page_opened)
        self.pages.history_added.connect(self.history_desk.add_page)
        self.pages.library_added.connect(self._on_library_added)
        self.browser.entry_chosen.connect(self.canvas.show_entry)
        self.panel.model_chosen.connect(self._on_model_chosen)
        self.panel.changed.connect(self._on_parameters_changed)
        self.panel.words_wanted.connect(self.editor.append_prompt)
        self.editor.changed.connect(self._memory.write_soon)
        self.canvas.entry_changed.connect(self.commands.show_possible)
        self.loupe_desk.toggled.connect(self.commands.show_possible)
        self.browser.view.selectionModel().selectionChanged.connect(self.commands.show_possible)
        self.pages.history_added.connect(self._on_history_added)
        self.exchange.connect_to(self.conductor)
        self.exchange.take_settings(self._settings)
        self.settings_changed.connect(self.exchange.take_settings)
        self.exchange.history_changed.connect(self.history_model.reload)
        self.conductor.attention_wanted.connect(self._on_attention_wanted)
        self.panel.wanted.connect(self.create_page.show_panel)
        self.conductor.title_changed.connect(lambda said: self.setWindowTitle(f"{said} – {TITLE}" if said else TITLE))
        self._rooms.controller.queue_changed.connect(self._on_queue_changed)
        self._rooms.controller.worker.picture_saved.connect(lambda _entry: self._memory.write_soon())
        self.commands.serve(self._menu_actions)

    def _restore_state(self) -> None:
        if self._has_place:
            self.create_page.restore_layout(self._memory.bytes_of("layout"))
        self.loupe_desk.restore_state(self._memory.json_of("loupe"))
        self.pages.restore_state(self._memory.json_of("pages"))
        self.panel.restore_state(self._memory.json_of("panel"))
        self.editor.restore_state(self._memory.json_of("editor"))
        self._on_model_chosen(self._model_key)
        self._on_parameters_changed()
        kept = self._memory.json_of("window")
        self.commands.recent = tuple(map(str, kept.get("commands", ())))
        self.pages.open(str(kept.get("page", "Create")))

    # facts

    @property
    def _model_key(self) -> str:
        return self.panel.model.key if self.panel.model is not None else ""

    def _on_page_opened(self, name: str) -> None:
        self.top_bar.show_page(name)
        self.commands.show_possible()
        if name == "Library":
            self.library_desk.page_opened()
        self._memory.write_soon()

    def _on_library_added(self, page: ModelManager) -> None:
        page.folder_added.connect(self._on_folder_added)
        page.rescan_requested.connect(self.rescan)
        self.library_desk.add_page(page)
        from sdstudio.ui.pages.library.model_works.controller import WorkDesk  # noqa: PLC0415 (not needed to show the window)

        rooms = self._rooms
        self._work_desk = WorkDesk(page, rooms.workshop, rooms.library, rooms.paths.models, self)
        self._work_desk.told.connect(self.conductor.tell_aside)
        rooms.workshop.made.connect(lambda _report: self.rescan())

    def _on_attention_wanted(self) -> None:
        self.loupe_desk.leave()
        self.commands.leave_full_screen()
        self.pages.open("Create")

    def _on_model_chosen(self, key: str) -> None:
        model = self.panel.model
        self.editor.clear_message()  # it may be about the model before
        self.desk.set_model(model)
        self.canvas.set_examples(model.name if model else "", model.examples if model else ())
        self.library_desk.set_current(key)

    def _on_parameters_changed(self) -> None:
        self.editor.set_guidance(float(self.panel.value("guidance_scale") or 1.0))
        value = self.panel.value
        reading = value("prompt_syntax"), value("compatibility")
        self.desk.set_reading(*reading, int(value("steps") or 20), value("wildcards") != "off")
        self._memory.write_soon()

    def _on_history_added(self, page: HistoryPage) -> None:
        page.browser.view.selectionModel().selectionChanged.connect(self.commands.show_possible)

    def _on_queue_changed(self, jobs: tuple[Job, ...]) -> None:
        running = {job.group_id for job in jobs if not job.is_waiting and not job.state.ended}
        self.editor.set_waiting(len({job.group_id for job in jobs if job.is_waiting} - running))

    def _on_library_model_chosen(self, key: str) -> None:
        self.panel.set_model(key)
        self.pages.open("Create")

    def _on_folder_added(self, folder: Path) -> None:
        if folder not in self._settings.model_folders:
            folders = (*self._settings.model_folders, folder)
            self.take_settings(self._settings.model_copy(update={"model_folders": folders}))

    def _on_scanned(self, models: tuple[ModelInfo, ...]) -> None:
        if self.pages.library is not None:
            self.pages.library.set_scanning(False)
        self.show_models(models)

    def _on_scan_failed(self, error: StudioError) -> None:
        if self.pages.library is not None:
            self.pages.library.set_scanning(False)
        self.say(str(error), "error")
