"""The tools and commands of painting, one row each: the tool bar, the menu, the palette and the list of keys follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MaskTool:
    """One tool.

    Attributes:
        key: Its stable name, and its shape's.
        title: What it is called.
        icon: Name of its icon.
        letter: The key that takes it.
        about: Tooltip.
        is_brush: Whether it has a size, and draws where the hand goes.
        erases: Whether it takes away; with Ctrl or Alt, shapes do.
    """

    key: str
    title: str
    icon: str
    letter: str
    about: str
    is_brush: bool = False
    erases: bool = False


TOOLS: Final = (
    MaskTool("brush", "Brush", "brush", "B", "Paint what is to be drawn anew", is_brush=True),
    MaskTool("eraser", "Eraser", "eraser", "E", "Take away what is painted", is_brush=True, erases=True),
    MaskTool("rectangle", "Rectangle", "square", "R", "Drag from corner to corner; with Ctrl or Alt it takes away"),
    MaskTool("ellipse", "Ellipse", "circle", "O", "Drag from corner to corner; with Ctrl or Alt it takes away"),
    MaskTool("lasso", "Lasso", "lasso", "L", "Drag around what is meant; with Ctrl or Alt it takes away"),
    MaskTool(
        "polygon",
        "Polygon",
        "pentagon",
        "P",
        "Click from corner to corner, a double click or Enter closes it; with Ctrl or Alt it takes away",
    ),
    MaskTool(
        "fill",
        "Fill",
        "paint-bucket",
        "G",
        "Fill what is painted around; with Ctrl or Alt, take away what is in one piece",
    ),
)
TOOL_BY_KEY: Final = {row.key: row for row in TOOLS}


@dataclass(frozen=True, slots=True)
class MaskCommand:
    """Something done to the mask as a whole.

    Attributes:
        key: Its stable name.
        title: What is read, with its mnemonic.
        keys: What does it while one paints, "" for none.
        icon: Name of its icon, "" for none.
        group: A line is drawn between groups.
        menu: Title of the submenu it stands in, "" for none.
        by_px: How far it goes, for those that stand in a submenu.
    """

    key: str
    title: str
    keys: str = ""
    icon: str = ""
    group: int = 0
    menu: str = ""
    by_px: int = 0


STEPS_PX: Final = (1, 2, 4, 8, 16, 32, 64)
"""How far a mask is grown, shrunk or feathered at once."""


def _by_steps(key: str, menu: str) -> tuple[MaskCommand, ...]:
    return tuple(MaskCommand(f"mask_{key}_{px}", f"{px} px", group=2, menu=menu, by_px=px) for px in STEPS_PX)


COMMANDS: Final = (
    MaskCommand("mask_hide", "&Hide or show", "H", "eye-off", 1),
    MaskCommand("mask_invert", "&Invert", "Ctrl+I", "contrast", 1),
    MaskCommand("mask_clear", "&Clear", "Del", "trash-2", 1),
    MaskCommand("mask_all", "Paint &everything", "", "paint-bucket", 1),
    *_by_steps("grow", "Grow"),
    *_by_steps("shrink", "Shrink"),
    *_by_steps("feather", "Feather"),
    MaskCommand("mask_load", "&Load from a file…", "", "folder-open", 3),
    MaskCommand("mask_save", "&Save to a file…", "", "save", 3),
    MaskCommand("mask_alpha", "From the picture's &transparency", "", "image", 3),
)

MASK_KEYS: Final = (
    *(((row.letter,), row.title) for row in TOOLS),
    (("X",), "Change between brush and eraser"),
    (("Return",), "Close the polygon"),
    (("Backspace",), "Take the polygon's last corner away"),
    (("[", "]"), "Smaller or larger brush"),
    (("Shift+[", "Shift+]"), "Softer or harder brush"),
    (("H",), "Hide the mask, or show it"),
    (("Ctrl+I",), "Invert the mask"),
    (("Del",), "Clear the mask"),
    (("0",), "Fit"),
    (("1",), "100 %"),
    (("Space",), "Held down: drag the picture"),
    (("Esc",), "Leave painting; the mask stays"),
)
"""What the list of shortcuts says: keys, and what they do."""

COLOURS: Final = {
    "red": "#ff2d3c", "orange": "#ff8a00", "green": "#00c853", "blue": "#1e78ff", "violet": "#a83cff",
    "white": "#ffffff", "black": "#000000",
}  # fmt: skip
"""What the setting of the mask's colour may say."""
