"""One prompt's text field: as high as one likes, whatever is in it; weights by keys, example prompts while empty."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMainWindow, QPlainTextEdit, QPushButton, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.prompts.weights import reweighted
from sdstudio.ui.theme import GRID, TEXT_PX, mark, scaled
from sdstudio.ui.widgets.picture_drag import Offer, pasted_picture

_PARTS: Final = frozenset(" ,\t\u2029")
"""What stands between words; undo takes back what was typed from one to the next."""

_LARGE_PX: Final = 20
"""Text above this takes so much of a low window that the picture needs a line of the prompt."""
LOW_PX: Final = 640
"""In a window of at most this height a prompt shows its least lines."""


class PromptText(QPlainTextEdit):
    """A frameless field for a prompt.

    Args:
        object_name: Its public name.
        lines: Lines it shows at least, at first, and at most.
        placeholder: What to write into it.
    """

    #: A text was pasted and stands there now; carries it.
    text_pasted = Signal(str)
    #: A picture was pasted, which no prompt takes; carries an `Offer`.
    picture_pasted = TypedSignal[Offer]()

    def __init__(self, object_name: str, lines: tuple[int, int, int], placeholder: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setPlaceholderText(placeholder)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        mark(self, "bare", True)
        self._least, self._wanted, self._most = lines
        self._is_typed = False
        self.textChanged.connect(self._on_changed)
        self._fit()

    @property
    def lines(self) -> int:
        """How many lines it shows, where there is room."""
        return self._wanted

    @property
    def can_grow(self) -> bool:
        """Whether there is room for more than the least."""
        window = self.window()
        return not isinstance(window, QMainWindow) or window.height() > LOW_PX

    def set_lines(self, lines: int) -> None:
        """Show so many lines, within what it may."""
        self._wanted = min(max(lines, self._least), self._most)
        self._fit()

    def replace_text(self, text: str) -> None:
        """Put a text in place of the one there, as one step that undo takes back."""
        if text != self.toPlainText():
            cursor = self.textCursor()
            cursor.select(QTextCursor.SelectionType.Document)
            cursor.insertText(text)
            self.document().setModified(False)  # else Qt joins what is typed next to this step

    def step_to(self, text: str) -> None:
        """Show a text that stood there before: by a step of undo or redo where that gives it, else as a new step.

        So what was typed before an act can still be undone word by word once the act is.
        """
        document = self.document()
        for is_there, step, back in (
            (document.isUndoAvailable, self.undo, self.redo),
            (document.isRedoAvailable, self.redo, self.undo),
        ):
            if text == self.toPlainText():
                return
            if is_there():
                step()
                if text != self.toPlainText():
                    back()
        self.replace_text(text)

    def change_weight(self, steps: int) -> None:
        """Move the weight of the selection, or of the word at the cursor, by notches; one step of undo."""
        cursor = self.textCursor()
        text = self.toPlainText()
        start, end = _characters(text, cursor.selectionStart()), _characters(text, cursor.selectionEnd())
        edit = reweighted(text, start, end, steps)
        if edit is None:
            return
        cursor.setPosition(_units(text, edit.start))
        cursor.setPosition(_units(text, edit.end), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(edit.replacement)
        text = self.toPlainText()
        cursor.setPosition(_units(text, edit.select_start))
        cursor.setPosition(_units(text, edit.select_end), QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Let undo take back a word at a time: Qt would take back all that was typed in one go."""
        place, is_back = self.textCursor().position(), event.key() == Qt.Key.Key_Backspace
        is_command = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        is_letter = bool(event.text()) and event.text().isprintable() and not is_command
        is_between = place == 0 or self.document().characterAt(place - 1) in _PARTS
        if is_between and (is_back or (is_letter and not event.text().isspace())):
            self._end_step()
        self._is_typed = is_letter or is_back
        super().keyPressEvent(event)
        self._is_typed = False

    def _on_changed(self) -> None:
        if not self._is_typed:  # a suggestion, another weight, pasted text: what is typed next is no part of it
            self._end_step()

    def _end_step(self) -> None:
        """Keep what comes next apart in undo: Qt joins what is typed to what was typed only in a modified document."""
        self.document().setModified(False)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:  # noqa: N802 (Qt's name)
        """Files are for the window, also when they are dropped here: their names are no prompt."""
        return not source.hasUrls() and super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:  # noqa: N802 (Qt's name)
        """Take text, and hand pictures on."""
        offer = pasted_picture(source)
        if offer is not None:
            self.picture_pasted.emit(offer)
            return
        super().insertFromMimeData(source)
        if source.hasText():
            self.text_pasted.emit(source.text())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Know how high the window is."""
        super().showEvent(event)
        self.window().installEventFilter(self)
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Follow the window from low to high."""
        if event.type() == QEvent.Type.Resize and watched is self.window():
            self._fit()
        return False

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Another font needs another height."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        margin = 2 * round(self.document().documentMargin()) + GRID
        least = self._least if scaled(TEXT_PX) <= _LARGE_PX else max(1, self._least - 1)
        lines = self._wanted if self.can_grow else least
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + margin)


class ExampleChips(QWidget):
    """Example prompts at the foot of an empty prompt; those that do not fit stay away."""

    #: An example was clicked; with its words.
    example_chosen = Signal(str)

    def __init__(self, edit: PromptText) -> None:
        super().__init__(edit)
        self._edit = edit
        self._chips: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID // 2)
        self._lead = QLabel("Try")
        mark(self._lead, "role", "caption")
        self._row.addWidget(self._lead)
        self._row.addStretch(1)
        edit.installEventFilter(self)
        edit.textChanged.connect(self._place)
        self.hide()

    def set_examples(self, examples: tuple[str, ...]) -> None:
        """Offer these prompts."""
        for chip in self._chips:
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(example) for example in examples]
        for place, chip in enumerate(self._chips):
            self._row.insertWidget(place + 1, chip)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Stay at the foot of the prompt."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        return False

    def _chip(self, example: str) -> QPushButton:
        chip = QPushButton(example)
        chip.setAccessibleName(f"Example prompt: {example}")
        mark(chip, "chip", True)
        chip.clicked.connect(lambda: self.example_chosen.emit(example))
        return chip

    def _place(self) -> None:
        height = self.sizeHint().height()
        above = self._edit.fontMetrics().lineSpacing() + GRID  # what the prompt says while it is empty
        has_room = self._edit.height() >= above + height + GRID
        self.setVisible(bool(self._chips) and self._edit.document().isEmpty() and has_room)
        if self.isHidden():
            return
        room = self._edit.width() - 2 * GRID
        used = self._lead.sizeHint().width()
        for chip in self._chips:
            used += self._row.spacing() + chip.sizeHint().width()
            chip.setVisible(used <= room)
        self.setGeometry(GRID // 2, self._edit.height() - height - GRID // 2, room, height)


def _units(text: str, characters: int) -> int:
    """Qt counts UTF-16 units, Python characters: an emoji is two of one and one of the other."""
    return len(text[:characters].encode("utf-16-le")) // 2


def _characters(text: str, units: int) -> int:
    return len(text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore"))
