"""What Undo, Redo, Cut, Copy, Paste and Select all act on: the text that is written in, the pictures, or what was done.

In a text Undo takes back what was written, unless something else was done since: then it takes that back first. Menus
and the bar that holds them take the focus for a moment; what had it before is what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

from sdstudio.ui.forms.picture_editor import PicturePlace
from sdstudio.ui.pages.create.prompt.text_edit import PromptText

if TYPE_CHECKING:
    from sdstudio.ui.undo import Undos

Text = QLineEdit | QPlainTextEdit | QTextEdit
_POPUP = Qt.WindowType.Popup
_TEXTS = (QLineEdit, QPlainTextEdit, QTextEdit)


class Pasting(Protocol):
    """Where pictures and parameters are pasted."""

    def paste(self, takes_text: bool = True) -> bool:
        """Take what the clipboard has."""

    def can_paste(self) -> bool:
        """Return whether the clipboard has anything."""


class Editing(QObject):
    """The Edit menu of one window.

    Args:
        window: Its window.
        undos: What was done and can be taken back.
        undo_change: Takes back what was done last.
        pasting: Where pictures and parameters are pasted.
    """

    #: Another part of the window has the focus.
    moved = Signal()

    def __init__(self, window: QMainWindow, undos: Undos, undo_change: Callable[[], object], pasting: Pasting) -> None:
        super().__init__(window)
        self._window = window
        self._undos = undos
        self._undo_change = undo_change
        self._pasting = pasting
        #: Copies the pictures that are meant.
        self.copy_pictures: Callable[[], object] = lambda: None
        #: Returns how many pictures are meant.
        self.count_pictures: Callable[[], int] = lambda: 0
        self._actions: Mapping[str, QAction] = {}
        self._last: QWidget | None = None
        #: Texts as they stood when something else was last done, or when they were come to since.
        self._then: WeakKeyDictionary[QWidget, str] = WeakKeyDictionary()
        self._undid_change = False

    def serve(self, actions: Mapping[str, QAction]) -> None:
        """Keep these actions enabled as long as they can do something."""
        self._actions = actions
        menu = self._window.menuBar().findChild(QMenu, "menuEdit")
        if isinstance(menu, QMenu):
            menu.aboutToShow.connect(self.refresh)
        self._undos.changed.connect(self._on_changed)
        QApplication.clipboard().dataChanged.connect(self.refresh)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus_changed)
        self.refresh()

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {
            "undo": self.undo, "redo": self.redo, "cut": self.cut, "copy": self.copy, "paste": self.paste,
            "select_all": self.select_all,
        }  # fmt: skip

    @property
    def target(self) -> QWidget | None:
        """What has the focus, or had it before a menu took it."""
        for widget in (QApplication.focusWidget(), self._window.focusWidget(), self._last):
            if widget is not None and isValid(widget) and self._is_ours(widget):  # the last one may be gone by now
                return widget
        return None

    # what the menu does

    def undo(self) -> None:
        """Take back what was written, or what was done."""
        text = self._text()
        if self._change_is_newer():
            self._undid_change = True
            self._undo_change()
        elif text is not None and _can_undo(text):
            self._undid_change = False
            text.undo()
        self.refresh()

    def redo(self) -> None:
        """Write or do again what was taken back last."""
        text = self._text()
        if text is not None and _can_redo(text) and not (self._undid_change and self._undos.undone is not None):
            text.redo()
        else:
            self._undos.redo()
        self.refresh()

    def cut(self) -> None:
        """Cut the selected text."""
        text = self._text()
        if text is not None:
            text.cut()
        self.refresh()

    def copy(self) -> None:
        """Copy the selected text, or the selected picture."""
        widget, text = self.target, self._text()
        if text is not None:
            text.copy()
        elif isinstance(widget, QLabel) and widget.hasSelectedText():
            QApplication.clipboard().setText(widget.selectedText())
        else:
            self.copy_pictures()

    def paste(self) -> None:
        """Paste text where it is written, a picture as what the next ones begin from."""
        widget, text = self.target, self._text()
        if isinstance(widget, PicturePlace):
            widget.paste_pressed.emit()
        elif text is not None and (isinstance(text, PromptText) or not self._pasting.paste(False)):
            text.paste()
        elif text is None:
            self._pasting.paste()

    def select_all(self) -> None:
        """Select the whole text, or everything in the list."""
        widget = self._text() or self.target
        if isinstance(widget, (*_TEXTS, QAbstractItemView)):
            widget.selectAll()
        self.refresh()

    # what it can do

    def refresh(self, *_: object) -> None:
        """Enable what can be done now, and show what Undo takes back."""
        text, widget = self._text(), self.target
        change = self._undos.last if self._change_is_newer() else None
        selects = text.hasSelectedText() if isinstance(text, QLineEdit) else _selects(text)
        enabled = {
            "undo": change is not None or (text is not None and _can_undo(text)),
            "redo": self._undos.undone is not None or (text is not None and _can_redo(text)),
            "cut": text is not None and not text.isReadOnly() and selects,
            "copy": selects if text is not None else self._copies(widget),
            "paste": isinstance(widget, PicturePlace)
            or (text is not None and _can_paste(text))
            or self._pasting.can_paste(),
            "select_all": text is not None or isinstance(widget, QAbstractItemView),
        }
        for key, is_possible in enabled.items():
            if key in self._actions:
                self._actions[key].setEnabled(is_possible)
        if "undo" in self._actions:
            title = f"&Undo: {change.text.replace('&', '&&')}" if change is not None else "&Undo"
            self._actions["undo"].setText(title)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Keep the key for undo from a text when something else was done since it was written in."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            return event.matches(QKeySequence.StandardKey.Undo) and self._change_is_newer()
        return super().eventFilter(watched, event)

    # inside

    def _copies(self, widget: QWidget | None) -> bool:
        if isinstance(widget, QLabel) and widget.hasSelectedText():
            return True
        return self.count_pictures() > 0

    def _text(self) -> Text | None:
        widget = self.target
        return None if widget is None else _text_of(widget)

    def _change_is_newer(self) -> bool:
        """Return whether Undo takes back what was done, not what was written."""
        text = self._text()
        if self._undos.last is None:
            return False
        return text is None or not _can_undo(text) or self._then.get(text) == _words(text)

    def _on_changed(self, _change: object) -> None:
        text = self._text()
        self._then.clear()
        if text is not None:
            self._then[text] = _words(text)
        self.refresh()

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        if old is not None:
            old.removeEventFilter(self)
        if new is None or not self._is_ours(new):
            return
        self._last = new
        text = _text_of(new)
        if text is not None:
            new.installEventFilter(self)
            self._then.setdefault(text, _words(text))
        self.moved.emit()

    def _is_ours(self, widget: QWidget) -> bool:
        """Return whether it is written or chosen in within this window, or within a dock that floats."""
        window = widget.window()
        if isinstance(widget, QMenu | QMenuBar) or isinstance(window, QDialog) or window.windowType() == _POPUP:
            return False
        above: QWidget | None = widget
        while above is not None and above is not self._window:
            above = above.parentWidget()
        return above is not None


def _text_of(widget: QWidget) -> Text | None:
    """Return the text that is written in where a widget has the focus."""
    if isinstance(widget, _TEXTS):
        return widget
    if isinstance(widget, QAbstractSpinBox | QComboBox):
        return widget.findChild(QLineEdit)
    return None


def _words(text: Text) -> str:
    return text.text() if isinstance(text, QLineEdit) else text.toPlainText()


def _can_undo(text: Text) -> bool:
    if isinstance(text, QLineEdit):
        return text.isUndoAvailable()
    return not text.isReadOnly() and text.document().isUndoAvailable()


def _can_redo(text: Text) -> bool:
    return text.isRedoAvailable() if isinstance(text, QLineEdit) else text.document().isRedoAvailable()


def _can_paste(text: Text) -> bool:
    return not text.isReadOnly() and bool(QApplication.clipboard().text())


def _selects(text: QPlainTextEdit | QTextEdit | None) -> bool:
    return text is not None and text.textCursor().hasSelection()
