"""The menus of the loupe's buttons: which other picture to compare with, which of the parameters to use."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QMenu, QWidget

from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.theme import set_icon


def use_menu(actions: EntryActions, entry: Entry | None, parent: QWidget) -> QMenu:
    """Return the menu of what can be taken over from a picture."""
    menu = QMenu(parent)
    menu.setObjectName("loupeUseMenu")
    for row in ENTRY_ACTIONS:
        if row.group == 0 and row.suits(1):
            action = menu.addAction(row.title)
            set_icon(action, row.icon)
            action.setObjectName(f"entry_{row.key}")
            action.triggered.connect(
                lambda _checked=False, key=row.key: actions.ask(key, [entry] if entry is not None else [])
            )
    return menu


def compare_menu(
    actions: EntryActions, entry: Entry, others: Sequence[tuple[str, Entry | None]], parent: QWidget
) -> QMenu:
    """Return the menu of the pictures to compare with, given as what each is called, and it or ``None``."""
    menu = QMenu(parent)
    menu.setObjectName("loupeCompareMenu")
    offered: set[int] = {entry.id}
    for title, other in others:
        if other is None or other.id in offered:
            continue
        offered.add(other.id)
        action = menu.addAction(title)
        action.setToolTip(other.recipe.request.prompt[:400])
        action.triggered.connect(lambda _checked=False, other=other: actions.ask("compare", [entry, other]))
    if menu.isEmpty():
        menu.addAction("There is no other picture in this list").setEnabled(False)
    return menu
