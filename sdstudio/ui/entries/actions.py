"""What can be done with pictures of the history, one row each; menus, bars and shortcuts are built from these rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.history.database.listing import Entries
from sdstudio.history.store import Entry
from sdstudio.ui.entries.keys import COPY, DELETE, LOOK
from sdstudio.ui.theme import icon


@dataclass(frozen=True, slots=True)
class EntryAction:
    """One thing to do with one or more pictures.

    Attributes:
        key: Stable name in `ActionRequest`.
        title: In menus.
        icon: Name of its icon.
        about: Tooltip.
        many: Whether it works on several pictures at once.
        bar: Whether the canvas' hover bar has a button for it.
        shortcut: Key sequence of the menu bar's action, "" for none.
        group: Menus draw a line between groups.
        grid_key: A key that does it on the canvas and in the grid of the history, "" for none.
        menu: Title of the submenu it stands in, "" for none.
        pair: Whether it is about two pictures.
        several: Whether it is about two pictures or more.
    """

    key: str
    title: str
    icon: str
    about: str
    many: bool = False
    bar: bool = False
    shortcut: str = ""
    group: int = 0
    grid_key: str = ""
    menu: str = ""
    pair: bool = False
    several: bool = False

    def suits(self, count: int) -> bool:
        """Return whether it can be done with so many pictures."""
        if self.several:
            return count > 1
        return count == 2 if self.pair else count == 1 or (self.many and count > 1)

    def takes(self, count: int) -> bool:
        """Return whether it can be done with so many pictures, or with the first of them."""
        return self.suits(count) or (count > 0 and not (self.pair or self.several))


def _rating(stars: int) -> EntryAction:
    title = "★" * stars or "No stars"
    about = f"Rate it {stars} of 5" if stars else "Take its stars away"
    return EntryAction(f"rate_{stars}", title, "star", about, many=True, group=3, grid_key=str(stars), menu="Rating")


USE: Final = "Use parameters"
COPY_TEXT: Final = "Copy as text"

ENTRY_ACTIONS: tuple[EntryAction, ...] = (
    EntryAction(
        "look", "View large", "maximize", "Look at it large, and at those around it", grid_key=LOOK, group=-1
    ),
    EntryAction(
        "restore", "All", "sliders-horizontal", "Put all it was made with into prompts and panel", menu=USE,
        shortcut="Ctrl+Shift+U", grid_key="u",
    ),
    EntryAction("restore_prompt", "Prompt", "pencil", "Put its prompts into the editor", menu=USE),
    EntryAction(
        "restore_written", "Prompt template", "shuffle",
        "Put its prompts and styles into the editor as they were before wildcards and styles were put in", menu=USE,
    ),
    EntryAction("restore_seed", "Seed", "dices", "Put its seed into the panel", menu=USE),
    EntryAction(
        "remix", "All but the seed", "sparkles", "Put all it was made with into prompts and panel, and a new seed",
        menu=USE,
    ),
    EntryAction(
        "rerun", "Re-run", "repeat", "Make exactly this picture again", bar=True, shortcut="Ctrl+R", group=1
    ),
    EntryAction(
        "variations", "Variation", "shuffle", "The same request with a new seed", bar=True,
        shortcut="Ctrl+Shift+R", group=1,
    ),
    EntryAction(
        "alike", "Subtle variations", "images",
        "Four pictures that differ a little from this one; of a variation, less each time",
        shortcut="Ctrl+Alt+R", group=1,
    ),
    EntryAction(
        "use_as_input", "Use as input", "image", "Use as input (img2img)", bar=True,
        shortcut="Ctrl+Shift+I", group=1,
    ),
    EntryAction(
        "edit", "Edit with a mask", "brush", "Paint on it what is to be drawn anew", bar=True,
        shortcut="Ctrl+Shift+E", group=1, grid_key="e",
    ),
    EntryAction(
        "upscale", "Upscale…", "scaling", "Make it larger, with finer detail where it is wanted", many=True, bar=True,
        shortcut="Ctrl+U", group=1,
    ),
    EntryAction(
        "detail", "Detail…", "scan", "Redraw regions of it, faces or hands say, each at the full size", many=True,
        shortcut="Ctrl+Alt+D", group=1,
    ),
    EntryAction(
        "verify", "Verify", "circle-check", "Make it again and tell whether every pixel is the same", many=True, group=1
    ),
    EntryAction(
        "grid", "Lay out as a grid", "layout-grid", "By two of their parameters", many=True, group=1, several=True
    ),
    EntryAction(
        "explain", "Explain this picture", "graduation-cap", "Draw it again and look at its steps on the Learn page",
        group=1,
    ),
    EntryAction(
        "copy", "Copy picture", "copy", "To the clipboard, to paste it elsewhere", bar=True, group=2, grid_key=COPY
    ),
    EntryAction("copy_prompt", "Copy prompt", "type", "Copy its prompt as text", group=2, menu=COPY_TEXT),
    EntryAction(
        "copy_parameters", "Copy parameters as text", "type", "Copy all it was made with as A1111 writes it", group=2,
        menu=COPY_TEXT,
    ),
    EntryAction("save_as", "Save as…", "save", "Save a copy of the picture", bar=True, shortcut="Ctrl+S", group=2),
    EntryAction(
        "export", "Export…", "upload", "Write it elsewhere: as PNG, JPEG, WebP, zip or contact sheet", many=True,
        shortcut="Ctrl+E", group=2,
    ),
    EntryAction(
        "compare", "Compare", "columns-2", "See what differs, in the pixels and in what made them", group=2,
        grid_key="x", pair=True,
    ),
    EntryAction("reveal", "Show in folder", "folder-open", "Show the file in the file manager", bar=True, group=2),
    EntryAction(
        "favourite", "Favourite", "heart", "Make it a favourite, or no longer", many=True, group=3, grid_key="f"
    ),
    *(_rating(stars) for stars in range(5, -1, -1)),
    EntryAction("tag", "Tags…", "tag", "Give it tags, or take them away", many=True, group=3, grid_key="t"),
    EntryAction(
        "collect", "Collections…", "folder", "Put it into collections, or take it out", many=True, group=3,
        grid_key="c",
    ),
    EntryAction(
        "delete", "Move to trash", "trash-2", "Move the picture to the system's trash", many=True, group=4,
        grid_key=DELETE,
    ),
)  # fmt: skip

ENTRY_ACTION_BY_KEY = {row.key: row for row in ENTRY_ACTIONS}


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Something to be done: a key of `ENTRY_ACTIONS` and the pictures to do it with."""

    key: str
    entries: Sequence[Entry]


Handler = Callable[[Sequence[Entry]], object]
"""Does one thing with pictures; may raise StudioError."""


class EntryActions(QObject):
    """Turns rows into buttons and menus, emits what was asked for, and calls what handles it."""

    keys: Final = tuple(ENTRY_ACTION_BY_KEY)

    #: A button or menu item was used on at least one picture; carries an `ActionRequest`.
    requested = TypedSignal[ActionRequest]()
    #: What was asked for could not be done; carries the StudioError.
    failed = TypedSignal[StudioError]()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._handlers: dict[str, Handler] = {}

    def handle(self, key: str, handler: Handler) -> None:
        """Have this called for a row of `ENTRY_ACTIONS`.

        Raises:
            ValueError: No row has this key, or it is handled already.
        """
        if key not in ENTRY_ACTION_BY_KEY:
            raise ValueError(f"entry action = {key!r}: no row of ENTRY_ACTIONS has this key")
        if key in self._handlers:
            raise ValueError(f"entry action = {key!r}: it is handled already")
        self._handlers[key] = handler

    def check_handled(self) -> None:
        """Make sure that every row can be done, before anybody asks for it.

        Raises:
            ValueError: Nobody handles some of them.
        """
        missing = [key for key in ENTRY_ACTION_BY_KEY if key not in self._handlers]
        if missing:
            raise ValueError(f"entry actions = {', '.join(missing)}: nobody handles them; call EntryActions.handle")

    def ask(self, key: str, entries: Sequence[Entry]) -> None:
        """Ask for one thing; nothing happens without a picture."""
        row = ENTRY_ACTION_BY_KEY[key]
        if row.takes(len(entries)):
            some = entries if isinstance(entries, Entries) else tuple(entries)
            meant = some if row.many or row.pair else (entries[0],)
            self.requested.emit(ActionRequest(key, meant))
            self._do(key, meant)

    def _do(self, key: str, entries: Sequence[Entry]) -> None:
        handler = self._handlers.get(key)  # none where a part of the window stands alone
        if handler is None:
            return
        try:
            handler(entries)
        except StudioError as error:
            self.failed.emit(error)

    def press(self, grid_key: str, entries: Sequence[Entry]) -> bool:
        """Ask for what a key stands for on pictures; False where it stands for nothing."""
        for row in ENTRY_ACTIONS:
            if row.grid_key == grid_key:
                self.ask(row.key, entries)
                return True
        return False

    def menu(self, entries: Sequence[Entry], parent: QWidget) -> QMenu:
        """Return a context menu for these pictures."""
        menu = QMenu(parent)
        submenus: dict[str, QMenu] = {}
        group = 0
        for row in ENTRY_ACTIONS:
            if not row.suits(len(entries)):
                continue
            if row.group != group and menu.actions():
                menu.addSeparator()
            group = row.group
            if row.menu and row.menu not in submenus:
                submenus[row.menu] = menu.addMenu(icon(row.icon), row.menu)
            submenus.get(row.menu, menu).addAction(self._action(row, entries, menu))
        return menu

    def _action(self, row: EntryAction, entries: Sequence[Entry], menu: QMenu) -> QAction:
        title = f"{row.title} ({len(entries)})" if len(entries) > 1 else row.title
        action = QAction(icon(row.icon), title, menu)
        action.setObjectName(f"entry_{row.key}")
        key = row.shortcut or row.grid_key.upper()
        if key:  # shown for reading; the menu bar's action, or the grid, is the one that listens
            action.setText(f"{title}\t{QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)}")
        action.triggered.connect(lambda _checked=False: self.ask(row.key, entries))
        return action
