"""Colours in a prompt: its grammar, what is wrong in it, and where the text encoder begins another chunk.

They are laid over the text as extra selections, so that they know the whole prompt, brackets over several lines too,
and leave undo alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QColor, QContextMenuEvent, QHelpEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QToolTip

from sdstudio.core.prompts.marks import Known, Mark, MarkKind, marks, mend
from sdstudio.core.request.request import PROMPT_MAXIMUM
from sdstudio.library.prompt_tokens import ChunkCount
from sdstudio.ui.colours import Tokens
from sdstudio.ui.theme import current_theme, tokens

SHOWN_MAXIMUM: Final = 600
"""More stretches than this are not coloured: a prompt of thousands of brackets stays quick to type in."""

LONG: Final = 3_000
"""Characters of a prompt that is coloured only when the typing rests: on two busy cores 20,000 characters of weighed
words take 0.2 s, and 20,000 brackets 1.8 s."""
LONG_DELAY_MS: Final = 300

_COLOURS: Final = {  # a field of `Tokens` each
    MarkKind.HEAVIER: "accent_text",
    MarkKind.LIGHTER: "muted",
    MarkKind.SIGN: "muted",
    MarkKind.NETWORK: "success",
    MarkKind.EMBEDDING: "success",
    MarkKind.WILDCARD: "warning",
    MarkKind.CHOICE: "warning",
    MarkKind.KEYWORD: "accent_text",
    MarkKind.STEPS: "accent_text",
    MarkKind.COMMENT: "muted",
    MarkKind.ERROR: "danger",
}


class PromptColours(QObject):
    """Colours one prompt.

    Args:
        edit: The field.
    """

    def __init__(self, edit: QPlainTextEdit) -> None:
        super().__init__(edit)
        self._edit = edit
        self._known = Known()
        self._marks: tuple[Mark, ...] = ()
        self._chunks: tuple[ChunkCount, ...] = ()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        edit.textChanged.connect(self._on_text_changed)
        edit.viewport().installEventFilter(self)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._on_theme_changed)  # a method: Qt forgets it with the editor

    def _on_theme_changed(self, _tokens: object) -> None:
        self._soon.start(0)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What is coloured now."""
        return self._marks

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong in the prompt, in its order."""
        return tuple(mark.message for mark in sorted(self._marks, key=lambda mark: mark.start) if mark.message)

    def set_known(self, known: Known) -> None:
        """Take what a prompt may name."""
        self._known = known
        self._soon.start(0)

    def set_chunks(self, chunks: Sequence[ChunkCount]) -> None:
        """Shade every second chunk of the text, as it was counted."""
        self._chunks = tuple(chunks)
        self.refresh()

    def refresh(self) -> None:
        """Colour the text as it stands."""
        self._soon.stop()
        text = self._edit.toPlainText()
        self._marks = marks(text, self._known) if len(text) <= PROMPT_MAXIMUM else ()  # longer ones are refused
        units = _Units(text)
        colours = tokens()
        shades = [self._shade(chunk, units, colours) for chunk in self._chunks[1::2] if chunk.end > chunk.start]
        wrong = [mark for mark in self._marks if mark.kind is MarkKind.ERROR][:SHOWN_MAXIMUM]
        others = [mark for mark in self._marks if mark.kind is not MarkKind.ERROR][: SHOWN_MAXIMUM - len(wrong)]
        spots = [self._spot(mark, units, colours) for mark in (*wrong, *others)]  # the first of several is what is seen
        self._edit.setExtraSelections([*shades, *spots])

    def _on_text_changed(self) -> None:
        long = self._edit.document().characterCount() > LONG
        self._soon.start(LONG_DELAY_MS if long else 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Show what is wrong where the pointer rests on it, and offer there to mend it."""
        if isinstance(event, QContextMenuEvent):
            return self._offer_to_mend(event)
        if isinstance(event, QHelpEvent):
            message = self.message_at(self._edit.cursorForPosition(event.pos()).position())
            if message:
                QToolTip.showText(event.globalPos(), message, self._edit)
                return True
        return False

    def message_at(self, position: int) -> str:
        """Return what is wrong at a cursor's position, "" when nothing is."""
        wrong = self._wrong_at(position)
        return "" if wrong is None else wrong.message

    def _wrong_at(self, position: int) -> Mark | None:
        units = _Units(self._edit.toPlainText())
        near = (mark for mark in self._marks if mark.message and units[mark.start] <= position <= units[mark.end])
        return next(near, None)

    def _offer_to_mend(self, event: QContextMenuEvent) -> bool:
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        cursor = self._edit.textCursor() if by_key else self._edit.cursorForPosition(event.pos())
        wrong, text = self._wrong_at(cursor.position()), self._edit.toPlainText()
        change = None if wrong is None else mend(text, wrong, self._known)
        if change is None:
            return False
        menu = self._edit.createStandardContextMenu(event.pos())
        menu.setObjectName("mendMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = f"Close it with {change[2]}" if change[2] else "Take it out"
        first = menu.actions()[0]
        act = QAction(title, menu)
        act.setObjectName("mendAction")
        act.triggered.connect(lambda: self._change(*change))
        menu.insertAction(first, act)
        menu.insertSeparator(first)
        where = self._edit.viewport().mapToGlobal(self._edit.cursorRect().bottomLeft()) if by_key else event.globalPos()
        menu.popup(where)
        return True

    def _change(self, start: int, end: int, replacement: str) -> None:
        """Change the text, as one step that undo takes back."""
        units = _Units(self._edit.toPlainText())
        cursor = self._edit.textCursor()
        cursor.setPosition(units[start])
        cursor.setPosition(units[end], QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(replacement)

    def _shade(self, chunk: ChunkCount, units: _Units, colours: Tokens) -> QTextEdit.ExtraSelection:
        look = QTextCharFormat()
        look.setBackground(QColor(colours.hover))
        return self._selection(chunk.start, chunk.end, units, look)

    def _spot(self, mark: Mark, units: _Units, colours: Tokens) -> QTextEdit.ExtraSelection:
        look = QTextCharFormat()
        look.setForeground(QColor(getattr(colours, _COLOURS[mark.kind])))
        if mark.kind is MarkKind.ERROR:
            look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            look.setUnderlineColor(QColor(colours.danger))
        return self._selection(mark.start, mark.end, units, look)

    def _selection(self, start: int, end: int, units: _Units, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
        selection = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self._edit.document())
        cursor.setPosition(units[start])
        cursor.setPosition(units[end], QTextCursor.MoveMode.KeepAnchor)
        selection.cursor = cursor
        selection.format = look
        return selection


class _Units:
    """Places of characters as Qt counts them: an emoji is two of its units and one character of Python's."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._wide = [at for at, letter in enumerate(text) if letter > "\uffff"]
        self._end = self._length + len(self._wide)

    def __getitem__(self, place: int) -> int:
        if place >= self._length:
            return self._end
        return place + bisect_left(self._wide, place)
