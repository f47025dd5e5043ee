"""The colours of both themes, each once, by what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of one theme, each ``#rrggbb``.

    Attributes:
        name: "dark" or "light".
        window: Lowest surface: behind the canvas, the title bars.
        surface: Middle surface: panels and docks.
        raised: Highest surface: fields, cards, menus.
        hover: Under the pointer.
        border: Lines that part surfaces.
        control: Frame of a field or button.
        text: What is read.
        muted: What is read second: captions, units.
        disabled: What cannot be used now; below the contrast rule on purpose.
        accent: The one accent as a fill, with ``accent_hover``, ``accent_pressed``; ``on_accent`` is read on it.
        accent_text: The accent as text, icon and focus ring.
        selection: Behind selected text and rows.
        danger: Errors and destroying.
        warning: Notices.
        success: Done.
    """

    name: str
    window: str
    surface: str
    raised: str
    hover: str
    border: str
    control: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    accent_pressed: str
    on_accent: str
    accent_text: str
    selection: str
    danger: str
    warning: str
    success: str

    @property
    def is_dark(self) -> bool:
        """Whether light text stands on dark surfaces."""
        return self.name == "dark"


DARK: Final = Tokens(
    name="dark",
    window="#131417",
    surface="#1b1c20",
    raised="#26282d",
    hover="#31343b",
    border="#2c2e34",
    control="#3d414a",
    text="#ecedf0",
    muted="#a5a9b3",
    disabled="#676c76",
    accent="#555ed8",
    accent_hover="#5e67e2",
    accent_pressed="#4850c6",
    on_accent="#ffffff",
    accent_text="#a3acff",
    selection="#383d78",
    danger="#ff8f88",
    warning="#eab765",
    success="#6fcf97",
)

LIGHT: Final = Tokens(
    name="light",
    window="#e9eaee",
    surface="#f6f6f8",
    raised="#ffffff",
    hover="#e4e6eb",
    border="#d9dbe1",
    control="#bec2cb",
    text="#1a1c20",
    muted="#555a65",
    disabled="#9a9fa9",
    accent="#4f58d6",
    accent_hover="#4049c4",
    accent_pressed="#353db0",
    on_accent="#ffffff",
    accent_text="#414acb",
    selection="#cfd3fb",
    danger="#b3261e",
    warning="#7d5200",
    success="#156c3d",
)

THEMES: Final = {theme.name: theme for theme in (DARK, LIGHT)}
