"""Find in past prompts: every prompt that was drawn, once each, to search, insert or put in place of the one there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import BoundSignal, TypedSignal
from sdstudio.history.database.past_prompts import PastPrompt
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.window_size import open_at

Find = Callable[[str, Callable[[Sequence[PastPrompt]], None]], None]
"""(query, what to call with the prompts found)"""

_SHOWN_CHARACTERS = 300


class PastPrompts(QDialog):
    """Not modal.

    Args:
        find: Looks prompts up, in the background.
        parent: The window it belongs to.
    """

    #: A prompt is to go where the cursor stands.
    insert_requested = TypedSignal[PastPrompt]()
    #: A prompt and its negative prompt are to stand in place of those there.
    replace_requested = TypedSignal[PastPrompt]()

    def __init__(self, find: Find, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pastPrompts")
        self.setWindowTitle("Past prompts")
        self.setModal(False)
        self._find = find
        self._asked = ""
        self.search = QLineEdit()
        self.list = QListWidget()
        self._message = QLabel()
        self._insert = QPushButton("Insert")
        self._replace = QPushButton("Replace")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(120)
        self._lay_out()
        self._soon.timeout.connect(self.refresh)
        self.search.textChanged.connect(self._soon.start)
        self.list.currentItemChanged.connect(self._on_current_changed)
        self.list.itemDoubleClicked.connect(lambda _item: self._replace.click())
        self._insert.clicked.connect(lambda: self._emit_chosen(self.insert_requested))
        self._replace.clicked.connect(lambda: self._emit_chosen(self.replace_requested))
        self._on_current_changed()
        open_at(self, QSize(620, 520))

    @property
    def chosen(self) -> PastPrompt | None:
        """The prompt that is marked in the list."""
        item = self.list.currentItem()
        past: PastPrompt | None = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        return past

    def refresh(self) -> None:
        """Look again for what stands in the search field."""
        self._soon.stop()
        self._asked = query = self.search.text()
        self._find(query, lambda found: self._show(query, found))

    def open_at_search(self) -> None:
        """Show it with the cursor in the search field."""
        bring_forward(self)
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()
        self.refresh()

    def _show(self, query: str, prompts: Sequence[PastPrompt]) -> None:
        if query != self._asked:
            return  # an older question's answer
        self.list.clear()
        for past in prompts:
            self.list.addItem(_item(past))
        if prompts:
            self.list.setCurrentRow(0)
        nothing = "No prompt was found." if query else "No prompts yet: what you draw is found here again."
        self._message.setText(f"{len(prompts)} prompts" if len(prompts) != 1 else "1 prompt")
        if not prompts:
            self._message.setText(nothing)

    def _emit_chosen(self, signal: BoundSignal[PastPrompt]) -> None:
        chosen = self.chosen
        if chosen is not None:
            signal.emit(chosen)

    def _on_current_changed(self) -> None:
        for button in (self._insert, self._replace):
            button.setEnabled(self.list.currentItem() is not None)

    def _lay_out(self) -> None:
        self.search.setObjectName("pastPromptsSearchEdit")
        self.search.setAccessibleName("Search past prompts")
        self.search.setPlaceholderText("Words of a past prompt")
        self.search.setClearButtonEnabled(True)
        self.list.setObjectName("pastPromptsView")
        self.list.setAccessibleName("Past prompts")
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setSpacing(2)
        mark(self.list, "field", True)
        mark(self._message, "role", "caption")
        for button, name in ((self._insert, "Insert"), (self._replace, "Replace")):
            button.setObjectName(f"pastPrompts{name}Button")
            button.setAccessibleName(f"{name} the prompt")
        self._insert.setToolTip("Put the prompt where the cursor stands")
        self._replace.setToolTip("Put both prompts in place of those there; Undo brings them back")
        mark(self._replace, "primary", True)
        close = push_button(self, "pastPromptsCloseButton", "Close", "", self.close)
        buttons = [(self._replace, DO), (self._insert, ALSO), (close, CLOSE)]
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addLayout(dialog_foot(self, buttons, self._replace, [self._message]))


def _item(past: PastPrompt) -> QListWidgetItem:
    text = " ".join(past.prompt.split())[:_SHOWN_CHARACTERS] or "(empty)"
    if past.negative_prompt:
        text += f"\nNot: {' '.join(past.negative_prompt.split())[:_SHOWN_CHARACTERS]}"
    item = QListWidgetItem(text)
    item.setData(Qt.ItemDataRole.UserRole, past)
    pictures = "1 picture" if past.pictures == 1 else f"{past.pictures} pictures"
    item.setToolTip(pictures)
    item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, pictures)
    item.setSizeHint(QSize())
    return item
