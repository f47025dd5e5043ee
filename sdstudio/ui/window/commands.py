"""What each command of the menu bar does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QWidget

from sdstudio.ui.entries.actions import ENTRY_ACTIONS
from sdstudio.ui.window.editing import Editing
from sdstudio.ui.window.enter_presses import EnterPresses
from sdstudio.ui.window.escape import escape
from sdstudio.ui.window.menu_key import MenuKey
from sdstudio.ui.window.menu_rows import PARAMETERS, MenuRow, menu_rows

if TYPE_CHECKING:
    from sdstudio.ui.window.command_palette import CommandPalette
    from sdstudio.ui.window.parts import Parts

RECENT: Final = 8
"""So many commands that were used last stand first where commands are found by typing."""


class Commands(QObject):
    """The commands of one window.

    Args:
        window: Has the menu bar, and the screen.
        parts: What it consists of.
    """

    def __init__(self, window: QMainWindow, parts: Parts) -> None:
        super().__init__(window)
        self._window = window
        self._parts = parts
        self._services = parts.services
        self.editing = Editing(window, parts.shell.undos, parts.history_controller.undo, parts.paste_controller)
        self.editing.copy_pictures = self._asking("copy")
        self.editing.count_pictures = lambda: self.count
        EnterPresses(window)
        MenuKey(window)
        self._actions: Mapping[str, QAction] = {}
        self._palette: CommandPalette | None = None
        self._places: dict[str, QAction] = {}
        #: Keys of the commands that were found by typing last, the newest first.
        self.recent: tuple[str, ...] = ()
        self._hidden: list[QWidget] = []
        self._was_maximized = False

    @property
    def is_full_screen(self) -> bool:
        """Whether the canvas has the whole screen."""
        return bool(self._hidden)

    def by_key(self) -> dict[str, Callable[[], object]]:
        """Return what every key of `MENUS` does: what each part offers, brought together.

        Raises:
            ValueError: Two of them offer the same command.
        """
        parts = self._parts
        offered = (
            self._own(), self._of_pictures(), self.editing.commands, parts.exchange.commands,
            parts.parameters_controller.commands, parts.prompt_controller.commands, parts.generation.commands,
            parts.mask_controller.commands, parts.create_page.commands, parts.library_controller.commands,
            parts.download_controller.commands,
            parts.explain_controller.commands, parts.settings_controller.commands,
        )  # fmt: skip
        table: dict[str, Callable[[], object]] = {}
        for commands in offered:
            twice = table.keys() & commands.keys()
            if twice:
                raise ValueError(f"commands = {', '.join(sorted(twice))}: two parts of the window offer them")
            table.update(commands)
        return table

    def _own(self) -> dict[str, Callable[[], object]]:
        return {
            "open_images": lambda: _open(self._services.history.placing.folder),
            "open_logs": lambda: _open(self._services.paths.logs),
            "quit": self._window.close,
            "search": self.search,
            "full_screen": self.show_full_screen,
            "palette": self.open_palette,
            "shortcuts": self.open_shortcuts,
            "about": self.show_about,
        }

    def _of_pictures(self) -> dict[str, Callable[[], object]]:
        return {f"entry_{row.key}": self._asking(row.key) for row in ENTRY_ACTIONS}

    def ask(self, key: str) -> None:
        """Do something with the selected pictures where the history is open or has the focus, else the canvas's one."""
        looked_at = self._parts.loupe_controller.entry
        if looked_at is not None:
            self._parts.actions.ask(key, [looked_at])
            return
        shown = self._parts.canvas.entry
        selected = self._parts.pages.browser.selected() if self._means_history else ()
        if selected:
            self._parts.actions.ask(key, selected)
        elif shown is not None:
            self._parts.actions.ask(key, [shown])

    @property
    def count(self) -> int:
        """How many pictures `ask` means."""
        if self._parts.loupe_controller.entry is not None:
            return 1
        selected = self._parts.pages.browser.view.selected_count if self._means_history else 0
        return selected or int(self._parts.canvas.entry is not None)

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
        browser = self._parts.pages.browser
        in_history = self._parts.pages.name == "History" or browser.view.hasFocus()
        return in_history or self._parts.canvas.entry is None

    def escape(self) -> None:
        """Leave the loupe or the full screen, else do what Esc does where the focus is."""
        if self._parts.loupe_controller.leave():
            return
        if self.is_full_screen:
            self.leave_full_screen()
        else:
            escape(self._window, self._parts)

    def leave_full_screen(self) -> None:
        """Bring back all that the canvas covers."""
        if self.is_full_screen:
            self.toggle_full_screen()

    def show_full_screen(self) -> None:
        """Give the whole screen to the chosen picture, to the canvas where none is chosen, or take it back."""
        if self.is_full_screen or not self._parts.loupe_controller.toggle_full_screen():
            self.toggle_full_screen()

    def toggle_full_screen(self) -> None:
        """Give the whole screen to the canvas, or take it back."""
        window, parts = self._window, self._parts
        if self._hidden:
            for widget in self._hidden:
                widget.show()
            self._hidden = []
            if self._was_maximized:
                window.showMaximized()
            else:
                window.showNormal()
            return
        parts.pages.open("Create")
        self._was_maximized = window.isMaximized()
        chrome = [window.menuBar(), parts.top_bar, parts.status_line, parts.editor, *parts.create_page.docks]
        self._hidden = [widget for widget in chrome if widget.isVisible()]
        for widget in self._hidden:
            widget.hide()
        window.showFullScreen()

    def search(self) -> None:
        """Put the cursor into the history's search field."""
        if self._parts.pages.name != "History":
            self._parts.pages.open("Create")
            self._parts.create_page.history_dock.show()
            self._parts.create_page.history_dock.raise_()
        self._parts.pages.browser.focus_search()

    def open_palette(self) -> None:
        """Let the user find a command by typing."""
        from sdstudio.ui.window.command_palette import CommandPalette  # noqa: PLC0415 (not needed to show the window)

        self.show_possible()
        if self._palette is None:
            self._palette = CommandPalette(self._window)
            self._palette.ran.connect(self._on_ran)
        self._palette.open_with(menu_rows(self._window.menuBar()), self.recent, self._parameter_rows())

    def _parameter_rows(self) -> list[MenuRow]:
        """Return a row for each parameter, which opens its group and puts the focus there."""
        pages, panel = self._parts.pages, self._parts.panel

        def go_to(name: str) -> None:
            pages.open("Create")
            panel.go_to(name)

        for name, field in panel.fields.items():
            if name not in self._places:
                action = self._places[name] = QAction(self)
                action.setObjectName(f"field_{name}")
                action.triggered.connect(lambda _checked=False, name=name: go_to(name))
            self._places[name].setText(field.row.title)
            self._places[name].setEnabled(not field.isHidden() and name != "model")
        return [MenuRow(action.text(), PARAMETERS, (), action) for action in self._places.values()]

    def open_shortcuts(self) -> None:
        """Show all keys."""
        from sdstudio.ui.window.shortcut_list import ShortcutList  # noqa: PLC0415 (as above)

        ShortcutList(menu_rows(self._window.menuBar()), self._window).show()

    def _on_ran(self, key: str) -> None:
        self.recent = (key, *(each for each in self.recent if each != key))[:RECENT]

    def show_about(self) -> None:
        """Show versions and folders."""
        from sdstudio.ui.window.about_dialog import AboutDialog  # noqa: PLC0415 (not needed to show the window)

        AboutDialog(self._services.paths, self._parts.shell.status, self._window).open()

    def _asking(self, key: str) -> Callable[[], None]:
        return lambda: self.ask(key)


def _open(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
