"""A button of a dialog, with all that every button has: objectName, accessible name, icon, and what it does."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton, QWidget

from sdstudio.ui.theme import mark, set_icon


def push_button(
    parent: QWidget, name: str, title: str, icon_name: str, act: Callable[[], object], about: str = ""
) -> QPushButton:
    """Return a button that Enter does not press by itself; ``icon_name`` is "" for none."""
    button = QPushButton(f" {title}" if icon_name else title, parent)
    button.setObjectName(name)
    button.setAccessibleName(title.rstrip("…"))
    button.setAutoDefault(False)
    if about:
        button.setToolTip(about)
    if icon_name:
        set_icon(button, icon_name)
    button.clicked.connect(lambda: act())
    return button


def fill(button: QPushButton, icon_name: str) -> None:
    """Make a button the filled one of its dialog, which Enter presses, with an icon that is seen on the accent."""
    button.setDefault(True)
    mark(button, "primary", True)
    set_icon(button, icon_name, "on_accent")
