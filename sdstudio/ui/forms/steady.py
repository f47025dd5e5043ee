"""While fields of a scrolled form come and go, the one that the hand is at stays where it is on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent, QPoint
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

_LAYERS: Final = 8
"""Layouts within each other, at the most."""


@contextmanager
def steady(area: QScrollArea, parts: Iterable[QWidget]) -> Iterator[None]:
    """Scroll by as much as what comes and goes moves the field with the focus, else the first one that is seen.

    Args:
        area: What scrolls them.
        parts: The fields, from the top down.
    """
    if not area.isVisible():
        yield
        return
    height = area.viewport().height()
    seen = {part: _top(part, area) for part in parts if part.isVisible()}
    seen = {part: top for part, top in seen.items() if 0 <= top < height}
    focused = QApplication.focusWidget()
    yield
    for _ in range(_LAYERS):  # what has come has its height only when it is laid out, and what holds it then
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
    there = [part for part in seen if part.isVisible()]
    held = next((part for part in there if focused is not None and part.isAncestorOf(focused)), None)
    anchor = held or next(iter(there), None)
    if anchor is not None:
        bar = area.verticalScrollBar()
        bar.setValue(bar.value() + _top(anchor, area) - seen[anchor])


def _top(part: QWidget, area: QScrollArea) -> int:
    return part.mapTo(area.viewport(), QPoint()).y()
