"""Every command of the menu bar, one row each: title, shortcut, icon, and the method of the window that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from sdstudio.ui.entries.actions import ENTRY_ACTIONS
from sdstudio.ui.pages.create.mask.rows import COMMANDS as MASK_COMMANDS
from sdstudio.ui.theme import set_icon


@dataclass(frozen=True, slots=True)
class Command:
    """One row of a menu.

    Attributes:
        key: Stable name; the action's objectName is ``action_<key>``.
        title: What is read, with its mnemonic.
        shortcut: Key sequence, "" for none.
        also: Another key sequence for it, "" for none.
        elsewhere: Whether its key is only printed: what it does depends on where it is pressed.
        icon: Name of its icon, "" for none.
        group: A line is drawn between groups.
        menu: Title of the submenu it stands in, "" for none.
    """

    key: str
    title: str
    shortcut: str = ""
    icon: str = ""
    group: int = 0
    menu: str = ""
    also: str = ""
    elsewhere: bool = False


def _entry_commands() -> tuple[Command, ...]:
    """Return what can be done with the selected pictures or the one on the canvas, as `ENTRY_ACTIONS` declares it."""
    return tuple(
        Command(f"entry_{row.key}", row.title, row.shortcut, row.icon, row.group, row.menu) for row in ENTRY_ACTIONS
    )


MENUS: Final[Mapping[str, tuple[Command, ...]]] = {
    "&File": (
        Command("open_recipe", "&Open picture's parameters…", "Ctrl+O", "file-image"),
        Command("import_pictures", "&Import pictures…", "Ctrl+I", "download"),
        Command("import_folder", "Import a &folder of pictures…", "", "folder-open"),
        Command("care", "&Back up and check…", "", "shield"),
        Command("get_models", "&Download models…", "", "download", 1),
        Command("add_folder", "Add &model folder…", "", "folder-plus", 1),
        Command("open_images", "Open pi&ctures folder", "", "folder-open", 1),
        Command("settings", "&Settings", "Ctrl+,", "settings", 2),
        Command("quit", "&Quit", "Ctrl+Q", "", 3),
    ),
    "&Edit": (
        Command("undo", "&Undo", "Ctrl+Z", "undo-2"),
        Command("redo", "&Redo", "Ctrl+Shift+Z", "redo-2", also="Ctrl+Y"),
        Command("cut", "Cu&t", "Ctrl+X", "scissors", 1),
        Command("copy", "&Copy", "Ctrl+C", "copy", 1),
        Command("paste", "&Paste", "Ctrl+V", "clipboard", 1),
        Command("select_all", "Select &all", "Ctrl+A", "", 1),
        Command("search", "Search &history", "Ctrl+F", "search", 2),
        Command("past_prompts", "&Find in past prompts…", "Ctrl+Shift+F", "history", 2),
        Command("styles", "St&yles…", "", "palette", 2),
    ),
    "&View": (
        Command("fit", "&Fit", "Ctrl+0", "scan"),
        Command("actual_size", "&100 %", "Ctrl+1", "image"),
        Command("zoom_in", "Zoom &in", "Ctrl++", "zoom-in", also="Ctrl+="),
        Command("zoom_out", "Zoom &out", "Ctrl+-", "zoom-out"),
        Command("repeat", "R&epeat three by three, or stop that", "Ctrl+T", "grid-3x3"),
        Command("full_screen", "F&ull screen", "F11", "maximize", 1),
        Command("reset_layout", "&Reset layout", "", "rotate-ccw", 3),
    ),
    "&Picture": _entry_commands(),
    "&Mask": (
        Command("mask_paint", "&Paint", "Ctrl+M", "brush"),
        *(
            Command(row.key, row.title, row.keys, row.icon, row.group, row.menu, elsewhere=bool(row.keys))
            for row in MASK_COMMANDS
        ),
    ),
    "&Generate": (
        Command("generate", "&Generate", "Ctrl+Enter", "play", also="Ctrl+Return"),
        Command("forever", "Generate &forever, or stop that", "Ctrl+Shift+Enter", "infinity", also="Ctrl+Shift+Return"),
        Command("cancel", "&Cancel", "Esc", "x", elsewhere=True),
        Command("pause", "&Pause or start the queue", "Ctrl+P", "pause", 1),
        Command("clear_queue", "C&lear the queue", "", "trash-2", 1),
        Command("free_memory", "Free &memory", "", "cpu", 2),
    ),
    "&Help": (
        Command("palette", "&Find a command…", "Ctrl+Shift+P", "search"),
        Command("shortcuts", "&Keyboard shortcuts", "F1", "keyboard", also="?"),
        Command("learn", "How it &works", "", "graduation-cap"),
        Command("open_logs", "Open &log folder", "", "folder-open", 1),
        Command("about", "&About SD Studio", "", "info", 1),
    ),
}


def build_menus(window: QMainWindow, do: Mapping[str, Callable[[], object]]) -> dict[str, QAction]:
    """Fill the window's menu bar.

    Args:
        window: Gets the menus, and the actions themselves, so that shortcuts work while the menu bar is hidden.
        do: Key of each command -> what it does.

    Returns:
        The actions by key.
    """
    actions: dict[str, QAction] = {}
    for title, commands in MENUS.items():
        menu = window.menuBar().addMenu(title)
        menu.setObjectName("menu" + title.replace("&", ""))
        submenus: dict[str, QMenu] = {}
        group = commands[0].group
        for command in commands:
            if command.group != group:
                menu.addSeparator()
            group = command.group
            if command.menu and command.menu not in submenus:
                submenus[command.menu] = menu.addMenu(command.menu)
                if command.icon:
                    set_icon(submenus[command.menu].menuAction(), command.icon)
            within = submenus.get(command.menu, menu)
            actions[command.key] = _action(window, within, command, do[command.key])
    return actions


def _action(window: QMainWindow, menu: QMenu, command: Command, act: Callable[[], object]) -> QAction:
    action = QAction(command.title, window)
    action.setObjectName(f"action_{command.key}")
    if command.elsewhere:
        action.setText(f"{command.title}\t{QKeySequence(command.shortcut).toString()}")
    else:
        action.setShortcuts([QKeySequence(keys) for keys in (command.shortcut, command.also) if keys])
    if command.icon:
        set_icon(action, command.icon)
    action.triggered.connect(lambda _checked=False: act())
    menu.addAction(action)
    window.addAction(action)
    return action
