"""All that stands in the menu bar, flat: for the list of shortcuts and for finding a command by typing.

The menus are read as they are, so that a row of any table is found without being named again; what is greyed is told
with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from sdstudio.ui.entries.actions import ENTRY_ACTION_BY_KEY

PARAMETERS: Final = "Parameters"
"""Where a row stands that leads to a parameter."""
_NATIVE: Final = QKeySequence.SequenceFormat.NativeText
_MNEMONIC: Final = re.compile("&(.)")
_WHY: Final = {
    "undo": "Nothing to undo",
    "redo": "Nothing to redo",
    "cut": "No text is selected",
    "copy": "Nothing is selected",
    "paste": "Nothing on the clipboard that fits here",
    "select_all": "Neither a text nor a list has the focus",
}
"""Why a command of `MENUS` is greyed."""


@dataclass(frozen=True, eq=False, slots=True)
class MenuRow:
    """One command: in words, where it stands, its keys as they are read, and what triggers it."""

    title: str
    menu: str
    keys: tuple[str, ...]
    action: QAction

    @property
    def key(self) -> str:
        """A name that stays the same from one start to the next."""
        return self.action.objectName() or self.title

    @property
    def text(self) -> str:
        """What else it is found by: its name in the tables, and the text of its row."""
        key = self.action.objectName().removeprefix("action_").removeprefix("entry_")
        row = ENTRY_ACTION_BY_KEY.get(key)
        return f"{key.replace('_', ' ')} {row.about if row is not None else ''}"

    @property
    def why(self) -> str:
        """Why it cannot be done now, "" when it can."""
        if self.action.isEnabled():
            return ""
        if self.menu == PARAMETERS:
            return "It does not act beside the others"
        key = self.action.objectName().removeprefix("action_")
        row = ENTRY_ACTION_BY_KEY.get(key.removeprefix("entry_"))
        if row is not None and row.pair:
            return "Select two pictures first"
        if row is not None and row.several:
            return "Select several pictures first"
        return "Select a picture first" if row is not None else _WHY.get(key, "Not possible now")


def menu_rows(bar: QMenuBar) -> list[MenuRow]:
    """Return every command of a menu bar, in its order."""
    return [row for each in bar.actions() if isinstance(each.menu(), QMenu) for row in _rows_of(each, "")]


def native(keys: str) -> str:
    """Return a key sequence as it is read on this desktop, and as it stands on most keyboards."""
    return QKeySequence(keys).toString(_NATIVE).replace("Return", "Enter")


def _rows_of(within: QAction, above: str) -> Iterator[MenuRow]:
    menu = within.menu()
    assert isinstance(menu, QMenu)
    name = _plain(within.text())
    for action in menu.actions():
        if action.isSeparator():
            continue
        if isinstance(action.menu(), QMenu):
            yield from _rows_of(action, name)
            continue
        words, _tab, printed = action.text().partition("\t")
        title = f"{name}: {_plain(words)}" if above else _plain(words)
        keys = [native(each.toString()) for each in action.shortcuts()] or [native(printed)] * bool(printed)
        yield MenuRow(title, above or name, tuple(dict.fromkeys(keys)), action)


def _plain(text: str) -> str:
    return _MNEMONIC.sub(r"\1", text)
