"""How all widgets are restyled and painted at once: safely, once for a new window, and before the next event."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PySide6.QtWidgets import QApplication, QWidget

_NO_RULES: Final = "/* none */"
"""Not an empty sheet: Qt would take its style down, and crashed at the next sheet when widgets had gone before."""
_ROUNDS: Final = 3
"""Widgets in layouts show themselves, layouts are set, those around them are set again, and all is painted."""


@contextmanager
def all_widgets_alive() -> Iterator[None]:
    """Hold off Python's search for garbage while Qt changes the style, palette or style sheet of the application.

    Qt sends events to every widget of a list that it made before. A window that nobody holds any more, deleted by a
    search that a widget's `changeEvent` happened to start, leaves freed memory in that list: a segmentation fault.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def without_style_sheet(app: QApplication) -> Iterator[None]:
    """Build many widgets within the block: the application's style sheet, if it has one, is applied once, at its end.

    Otherwise Qt matches the sheet against a widget and all that is in it each time it is put into another one, which
    was more than half of the time that building the window takes. The first window of the program is built before
    there is any sheet (`apply_theme`, ``bare``).
    """
    sheet = app.styleSheet()
    if not sheet:
        yield
        return
    with all_widgets_alive():
        app.setStyleSheet(_NO_RULES)
    try:
        yield
    finally:
        with all_widgets_alive():
            app.setStyleSheet(sheet)


def paint_now(window: QWidget) -> None:
    """Show, lay out and paint what was put into a window that is on the screen, before the user's next event."""
    if window.isVisible():
        for _ in range(_ROUNDS):
            QApplication.sendPostedEvents()
