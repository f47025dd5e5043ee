"""What Esc does where the focus is, one step a press: it closes, clears or deselects before it cancels a job.

A job is cancelled only from the canvas and the prompts: anywhere else Esc acts on what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QAbstractItemView, QApplication, QDockWidget, QLineEdit, QWidget

from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.widgets.message_bar import MessageBar

if TYPE_CHECKING:
    from sdstudio.ui.window.parts import Parts

Step = Callable[["Parts", QWidget], bool]
"""Does one thing where a widget has the focus, and returns whether there was anything to do."""


def escape(window: QWidget, parts: Parts) -> None:
    """Do the first thing that Esc can do where the focus is."""
    focused = QApplication.focusWidget() or window.focusWidget() or window
    for step in STEPS:
        if step(parts, focused):
            return


def _clear_field(_parts: Parts, focused: QWidget) -> bool:
    """Clear a field that has a button to clear it; undo brings the words back."""
    if not (isinstance(focused, QLineEdit) and focused.isClearButtonEnabled() and focused.text()):
        return False
    focused.selectAll()
    focused.del_()
    return True


def _leave_painting(parts: Parts, focused: QWidget) -> bool:
    """Take back a stroke that has begun, stop what is done to the mask, or leave painting; the mask stays."""
    return parts.create_page.stage.isAncestorOf(focused) and parts.mask_controller.escape()


def _discard_candidates(parts: Parts, focused: QWidget) -> bool:
    """Take none of what an edit has made: back to the mask."""
    return parts.canvas.isAncestorOf(focused) and parts.staging.escape()


def _close_message(parts: Parts, focused: QWidget) -> bool:
    """Close the message that stands where the focus is; what went wrong for the window as a whole stays."""
    if parts.editor.isAncestorOf(focused) and parts.editor.message:
        parts.editor.clear_message()
        return True
    owned = [getattr(each, "bar", None) for each in _upwards(focused)]  # it may lie over, as a child of the window
    for bar in (*owned, *_place_of(parts, focused).findChildren(MessageBar)):
        if isinstance(bar, MessageBar) and bar.isVisible():
            bar.dismiss()
            return True
    if parts.message.message and parts.message.tone != "error":
        parts.message.dismiss()
        return True
    return False


def _leave_editing(parts: Parts, _focused: QWidget) -> bool:
    """Leave a job of the queue that is being edited as it is."""
    is_editing = parts.queue_controller.is_editing
    parts.queue_controller.stop_editing()
    return is_editing


def _close_question(parts: Parts, focused: QWidget) -> bool:
    """Close what is asked above the prompt."""
    bars = parts.editor.findChildren(MessageBar) if parts.editor.isAncestorOf(focused) else []
    for bar in bars:
        if bar.isVisible():
            bar.dismiss()
            return True
    return False


def _deselect(_parts: Parts, focused: QWidget) -> bool:
    if not (isinstance(focused, QAbstractItemView) and focused.selectionModel() is not None):
        return False
    is_any = focused.selectionModel().hasSelection()
    focused.clearSelection()
    return is_any


def _clear_filters(parts: Parts, focused: QWidget) -> bool:
    """Show the whole history again, when the focus is in it."""
    browser = next((each for each in _upwards(focused) if isinstance(each, HistoryBrowser)), None)
    look = parts.history_model.look
    if browser is None or look.is_whole:
        return False
    if look.chosen:
        parts.history_model.set_look(look.cleared())
    else:
        parts.history_model.set_look(replace(look, query=""))
    return True


def _cancel(parts: Parts, focused: QWidget) -> bool:
    if not any(part is focused or part.isAncestorOf(focused) for part in (parts.canvas, parts.editor)):
        return False
    parts.generation.cancel()
    return True


STEPS: Final[tuple[Step, ...]] = (
    _clear_field, _leave_painting, _discard_candidates, _close_message, _leave_editing, _close_question, _deselect,
    _clear_filters, _cancel,
)  # fmt: skip


def _place_of(parts: Parts, focused: QWidget) -> QWidget:
    """Return the dock or the page a widget stands in; on the Create page, whose docks are others' places, itself."""
    for each in _upwards(focused):
        if isinstance(each, QDockWidget) or each.parentWidget() is parts.pages:
            return focused if each is parts.create_page else each
    return focused


def _upwards(widget: QWidget) -> Iterator[QWidget]:
    above: QWidget | None = widget
    while above is not None:
        yield above
        above = above.parentWidget()
