"""Keys that no menu prints, one row each: in the prompt, on the canvas, in the grid of the history, when comparing.

The list of shortcuts is built from these tables and from `MENUS`. A place with a key of its own adds its row
to the table of that place, or a table to `KEY_TABLES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sdstudio.ui.entries.actions import ENTRY_ACTIONS
from sdstudio.ui.entries.keys import DELETE, LOOK
from sdstudio.ui.entry_tools.loupe.actions import LOUPE_ACTIONS
from sdstudio.ui.pages.create.mask.rows import MASK_KEYS
from sdstudio.ui.pages.create.mask.staging import STAGING_KEYS


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What some keys do at one place.

    Attributes:
        keys: Each as Qt's portable text: "Ctrl+Up", "Space".
        title: What they do, as in a menu.
    """

    keys: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True)
class KeyTable:
    """The keys of one place; ``place`` is its heading in the list of shortcuts."""

    place: str
    rows: tuple[KeyRow, ...]


PROMPT_KEYS: Final = KeyTable(
    "In the prompt",
    (
        KeyRow(("Ctrl+Return",), "Generate"),
        KeyRow(("Ctrl+Shift+Return",), "Generate forever, or stop that"),
        KeyRow(("Ctrl+Up",), "More weight for the selection or the word"),
        KeyRow(("Ctrl+Down",), "Less weight for the selection or the word"),
        KeyRow(("Ctrl+Space",), "Show suggestions"),
        KeyRow(("Tab", "Return"), "Take the suggestion"),
        KeyRow(("Esc",), "Close the suggestions, else cancel the running job"),
    ),
)

GRID_KEYS: Final = KeyTable(
    "In the history",
    (
        KeyRow(("Left", "Right", "Up", "Down"), "Show another picture"),
        KeyRow(("Home",), "Show the first picture"),
        KeyRow(("End",), "Show the last picture"),
        KeyRow(("Esc",), "Select nothing, then show everything"),
    ),
)

CANVAS_KEYS: Final = KeyTable(
    "On the canvas",
    (
        KeyRow(("Left", "Right"), "Show another picture of the strip below"),
        KeyRow(("Esc",), "Cancel the running job"),
    ),
)

MASK_TABLE: Final = KeyTable("While painting a mask", tuple(KeyRow(keys, title) for keys, title in MASK_KEYS))

STAGING_TABLE: Final = KeyTable(
    "Choosing what an edit has made", tuple(KeyRow((row.keys,), row.about) for row in STAGING_KEYS if row.keys)
)

_SPELLED: Final = {DELETE: ("Del", "Backspace"), LOOK: ("Space", "Return")}

PICTURE_KEYS: Final = KeyTable(
    "On a picture, in the history and on the canvas",
    tuple(
        KeyRow(_SPELLED.get(row.grid_key, (row.grid_key.upper(),)), f"Rating: {row.title}" if row.menu else row.title)
        for row in ENTRY_ACTIONS
        if row.grid_key
    ),
)

COMPARE_KEYS: Final = KeyTable(
    "When comparing",
    (
        KeyRow(("Left", "Right"), "Move the divider"),
        KeyRow(("Home", "End"), "Move the divider to an edge"),
        KeyRow(("+",), "Zoom in"),
        KeyRow(("-",), "Zoom out"),
        KeyRow(("0",), "Fit"),
    ),
)

LOUPE_KEYS: Final = KeyTable("In the loupe", tuple(KeyRow(row.keys, row.title) for row in LOUPE_ACTIONS))

MENU_KEYS: Final = KeyTable("Everywhere", (KeyRow(("Shift+F10", "Menu"), "Open the menu of what has the focus"),))

KEY_TABLES: Final[tuple[KeyTable, ...]] = (
    MENU_KEYS, PROMPT_KEYS, PICTURE_KEYS, GRID_KEYS, CANVAS_KEYS, MASK_TABLE, STAGING_TABLE, LOUPE_KEYS,
    COMPARE_KEYS,
)  # fmt: skip
