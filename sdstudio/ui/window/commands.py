"""What each command of the menu bar does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QWidget

from sdstudio.core.paths import StudioPaths
from sdstudio.history.store import History
from sdstudio.ui.entries.actions import ENTRY_ACTIONS
from sdstudio.ui.entry_tools.exchange import PICTURES
from sdstudio.ui.window.editing import Editing
from sdstudio.ui.window.escape import escape
from sdstudio.ui.window.menu_rows import menu_rows

if TYPE_CHECKING:
    from sdstudio.ui.window.command_palette import CommandPalette
    from sdstudio.ui.window.main_window import MainWindow

RECENT: Final = 8
"""So many commands that were used last stand first where commands are found by typing."""


class Commands(QObject):
    """The commands of one window."""

    def __init__(self, window: MainWindow, paths: StudioPaths, history: History) -> None:
        super().__init__(window)
        self._window = window
        self._paths = paths
        self._history = history
        self.editing = Editing(window)
        self._actions: Mapping[str, QAction] = {}
        self._palette: CommandPalette | None = None
        #: Keys of the commands that were found by typing last, the newest first.
        self.recent: tuple[str, ...] = ()
        self._hidden: list[QWidget] = []
        self._was_maximized = False

    @property
    def is_full_screen(self) -> bool:
        """Whether the canvas has the whole screen."""
        return bool(self._hidden)

    def by_key(self) -> dict[str, Callable[[], object]]:
        """Return what every key of `MENUS` does."""
        window, view = self._window, self._window.canvas.view
        table: dict[str, Callable[[], object]] = {
            "open_recipe": self.open_recipe,
            "import_pictures": window.exchange.ask_for_pictures,
            "import_folder": window.exchange.ask_for_folder,
            "care": window.exchange.open_care,
            "add_folder": self.add_folder,
            "get_models": lambda: window.getting.open(),
            "open_images": lambda: _open(self._history.placing.folder),
            "settings": window.open_settings,
            "quit": window.close,
            "undo": self.editing.undo,
            "redo": self.editing.redo,
            "cut": self.editing.cut,
            "copy": self.editing.copy,
            "paste": self.editing.paste,
            "select_all": self.editing.select_all,
            "search": self.search,
            "past_prompts": window.desk.open_past_prompts,
            "styles": window.desk.edit_styles,
            "fit": view.fit,
            "actual_size": lambda: view.zoom_to(1.0),
            "zoom_in": lambda: view.zoom_by(1.25),
            "zoom_out": lambda: view.zoom_by(0.8),
            "full_screen": self.show_full_screen,
            "reset_layout": window.create_page.reset_layout,
            "generate": window.editor.generate_button.click,
            "forever": window.editor.forever_button.click,
            "cancel": window.conductor.cancel,
            "pause": window.queue_panel.toggle_pause,
            "clear_queue": window.queue_panel.clear,
            "palette": self.open_palette,
            "shortcuts": self.open_shortcuts,
            "learn": lambda: window.pages.open("Learn"),
            "open_logs": lambda: _open(self._paths.logs),
            "about": self.show_about,
        }
        for row in ENTRY_ACTIONS:
            table[f"entry_{row.key}"] = self._asking(row.key)
        return table

    def ask(self, key: str) -> None:
        """Do something with the selected pictures where the history is open or has the focus, else the canvas's one."""
        looked_at = self._window.loupe_desk.entry
        if looked_at is not None:
            self._window.actions_on_entries.ask(key, [looked_at])
            return
        shown = self._window.canvas.entry
        selected = self._window.pages.browser.selected() if self._means_history else ()
        if selected:
            self._window.actions_on_entries.ask(key, selected)
        elif shown is not None:
            self._window.actions_on_entries.ask(key, [shown])

    @property
    def count(self) -> int:
        """How many pictures `ask` means."""
        if self._window.loupe_desk.entry is not None:
            return 1
        selected = self._window.pages.browser.view.selected_count if self._means_history else 0
        return selected or int(self._window.canvas.entry is not None)

    def serve(self, actions: Mapping[str, QAction]) -> None:
        """Keep these actions enabled as long as they can do something."""
        self._actions = actions
        self.editing.serve(actions)
        self.editing.moved.connect(self.show_possible)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self._window).activated.connect(self.escape)

    def show_possible(self, *_: object) -> None:
        """Enable what can be done with the pictures that are meant now, and with what has the focus."""
        count = self.count
        for row in ENTRY_ACTIONS:
            self._actions[f"entry_{row.key}"].setEnabled(row.takes(count))
        self.editing.refresh()

    @property
    def _means_history(self) -> bool:
        browser = self._window.pages.browser
        in_history = self._window.pages.name == "History" or browser.view.hasFocus()
        return in_history or self._window.canvas.entry is None

    def escape(self) -> None:
        """Leave the loupe or the full screen, else do what Esc does where the focus is."""
        if self._window.loupe_desk.leave():
            return
        if self.is_full_screen:
            self.leave_full_screen()
        else:
            escape(self._window)

    def leave_full_screen(self) -> None:
        """Bring back all that the canvas covers."""
        if self.is_full_screen:
            self.toggle_full_screen()

    def show_full_screen(self) -> None:
        """Give the whole screen to the chosen picture, to the canvas where none is chosen, or take it back."""
        if self.is_full_screen or not self._window.loupe_desk.toggle_full_screen():
            self.toggle_full_screen()

    def toggle_full_screen(self) -> None:
        """Give the whole screen to the canvas, or take it back."""
        window = self._window
        if self._hidden:
            for widget in self._hidden:
                widget.show()
            self._hidden = []
            if self._was_maximized:
                window.showMaximized()
            else:
                window.showNormal()
            return
        window.pages.open("Create")
        self._was_maximized = window.isMaximized()
        chrome = [window.menuBar(), window.top_bar, window.status_line, window.editor, *window.create_page.docks]
        self._hidden = [widget for widget in chrome if widget.isVisible()]
        for widget in self._hidden:
            widget.hide()
        window.showFullScreen()

    def search(self) -> None:
        """Put the cursor into the history's search field."""
        if self._window.pages.name != "History":
            self._window.pages.open("Create")
            self._window.create_page.history_dock.show()
            self._window.create_page.history_dock.raise_()
        self._window.pages.browser.focus_search()

    def open_recipe(self) -> None:
        """Let the user choose a picture whose parameters to use."""
        dialog = QFileDialog(self._window, "Open a picture's parameters", str(self._history.placing.folder), PICTURES)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self._window.parameters_desk.use_file(Path(path)))
        dialog.open()

    def add_folder(self) -> None:
        """Let the user choose a folder with models."""
        self._window.pages.open("Library")
        if self._window.pages.library is not None:
            self._window.pages.library.ask_for_folder()

    def open_palette(self) -> None:
        """Let the user find a command by typing."""
        from sdstudio.ui.window.command_palette import CommandPalette  # noqa: PLC0415 (not needed to show the window)

        self.show_possible()
        if self._palette is None:
            self._palette = CommandPalette(self._window)
            self._palette.ran.connect(self._on_ran)
        self._palette.open_with(menu_rows(self._window.menuBar()), self.recent)

    def open_shortcuts(self) -> None:
        """Show all keys."""
        from sdstudio.ui.window.shortcut_list import ShortcutList  # noqa: PLC0415 (as above)

        ShortcutList(menu_rows(self._window.menuBar()), self._window).show()

    def _on_ran(self, key: str) -> None:
        self.recent = (key, *(each for each in self.recent if each != key))[:RECENT]

    def show_about(self) -> None:
        """Show versions and folders."""
        from sdstudio.ui.window.about_dialog import AboutDialog  # noqa: PLC0415 (not needed to show the window)

        AboutDialog(self._paths, self._window.top_bar.status, self._window).open()

    def _asking(self, key: str) -> Callable[[], None]:
        return lambda: self.ask(key)


def _open(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
