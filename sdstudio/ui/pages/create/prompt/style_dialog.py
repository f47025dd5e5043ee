"""The dialog that edits a book of styles, or of negative prompt presets: nothing is kept before Save."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.core.prompts.styles import NAME_MAXIMUM, Style, StyleBook, merged, read_styles
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.window_size import open_at

_LIST_PX: Final = 216


class StyleDialog(QDialog):
    """A list of names and the words of the chosen one. Not modal.

    Args:
        book: What it edits.
        title: In its title bar.
        noun: One of them, in lower case: "style".
        has_prompt: Whether they have a prompt; presets for the negative prompt have none.
        parent: The window it belongs to.
    """

    #: The book was changed.
    saved = Signal()
    #: It was closed over changes that are not saved; carries them for `take_up`: all styles, and the chosen row.
    discarded = TypedSignal[tuple[tuple[Style, ...], int]]()

    def __init__(self, book: StyleBook, title: str, noun: str, has_prompt: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{noun}Dialog")
        self.setWindowTitle(title)
        self.setModal(False)
        self._book = book
        self._noun = noun
        self._has_prompt = has_prompt
        self._styles: list[Style] = []
        self._message = MessageBar(f"{noun}Message", self)
        self.list = QListWidget()
        self.name_edit = QLineEdit()
        self.prompt_edit = QPlainTextEdit()
        self.negative_edit = QPlainTextEdit()
        self._buttons = {key: QPushButton(key) for key in ("New", "Delete", "Import…", "Cancel", "Save")}
        self._lay_out()
        self._connect()
        self.reload()
        open_at(self, QSize(760, 460))

    def reload(self) -> None:
        """Show the book as it is kept."""
        try:
            self._styles = list(self._book.styles)
        except StudioError as error:
            self._styles = []
            self._message.say(str(error), "error")
        self._fill(0)

    def choose(self, name: str) -> None:
        """Choose a style, with its name selected to be written over."""
        row = next((row for row, style in enumerate(self._styles) if style.name == name), 0)
        self.list.setCurrentRow(row)
        self.name_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.name_edit.selectAll()

    def add(self, style: Style) -> None:
        """Put a style behind the others and choose it."""
        self._styles.append(Style(self._free_name(style.name), style.prompt, style.negative_prompt))
        self._fill(len(self._styles) - 1)
        self.name_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.name_edit.selectAll()

    def take_up(self, stood: tuple[Sequence[Style], int]) -> None:
        """Open again with what was discarded."""
        self.show()
        styles, row = stood
        self._styles = list(styles)
        self._fill(row)

    @property
    def is_changed(self) -> bool:
        """Whether it is open and holds what is not saved."""
        try:
            return self.isVisible() and tuple(self._styles) != tuple(self._book.styles)
        except StudioError:
            return False

    def import_from(self, path: Path) -> None:
        """Add the styles of a file, in place of those of the same names; kept with Save as all changes."""
        try:
            styles = read_styles(path)
        except StudioError as error:
            self._message.say(str(error), "error")
            return
        self._styles = list(merged(self._styles, styles))
        self._fill(0)
        self._message.say(f"{len(styles)} from {path.name}. Save keeps them.")

    def save(self) -> None:
        """Keep everything and close; a message shows what stands in the way."""
        wrong = self._problem()
        if wrong:
            self._message.say(wrong, "error")
            return
        try:
            self._book.replace(self._styles)
        except StudioError as error:
            self._message.say(str(error), "error")
            return
        self.saved.emit()
        self.accept()

    def _problem(self) -> str:
        seen: set[str] = set()
        for row, style in enumerate(self._styles):
            if not style.name or style.name in seen:
                self.list.setCurrentRow(row)
                return f"Name = “{style.name}”: two have it. Choose another." if style.name else "One has no name."
            if not style.prompt.strip() and not style.negative_prompt.strip():
                self.list.setCurrentRow(row)
                return f"“{style.name}” says nothing. Write something or delete it."
            seen.add(style.name)
        return ""

    def _fill(self, row: int) -> None:
        self.list.clear()
        self.list.addItems([style.name for style in self._styles])
        self.list.setCurrentRow(min(row, len(self._styles) - 1))
        self._on_row_changed(self.list.currentRow())

    def _on_row_changed(self, row: int) -> None:
        there = 0 <= row < len(self._styles)
        style = self._styles[row] if there else Style("")
        for edit, text in ((self.prompt_edit, style.prompt), (self.negative_edit, style.negative_prompt)):
            edit.blockSignals(True)
            edit.setPlainText(text)
            edit.blockSignals(False)
        self.name_edit.setText(style.name)
        for widget in (self.name_edit, self.prompt_edit, self.negative_edit, self._buttons["Delete"]):
            widget.setEnabled(there)

    def _on_edited(self) -> None:
        row = self.list.currentRow()
        if not 0 <= row < len(self._styles):
            return
        name = " ".join(self.name_edit.text().split())
        self._styles[row] = Style(name, self.prompt_edit.toPlainText(), self.negative_edit.toPlainText())
        self.list.item(row).setText(name)

    def _on_delete(self) -> None:
        row = self.list.currentRow()
        gone = self._styles.pop(row)
        self._fill(row)
        self._message.say(f"“{gone.name}” is deleted.", "info", [("Undo", lambda: self._bring_back(row, gone))])

    def _bring_back(self, row: int, style: Style) -> None:
        self._styles.insert(row, style)
        self._fill(row)

    def _on_import(self) -> None:
        dialog = QFileDialog(self, "Import styles", str(Path.home()), "Styles of A1111 (*.csv)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.import_from(Path(path)))
        dialog.open()

    def _free_name(self, wanted: str) -> str:
        taken = {style.name for style in self._styles}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(self._on_row_changed)
        self.name_edit.textEdited.connect(self._on_edited)
        self.prompt_edit.textChanged.connect(self._on_edited)
        self.negative_edit.textChanged.connect(self._on_edited)
        act = {"New": lambda: self.add(Style(f"New {self._noun}")), "Delete": self._on_delete,
               "Import…": self._on_import, "Cancel": self.reject, "Save": self.save}  # fmt: skip
        for key, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, key=key: act[key]())

    def reject(self) -> None:
        """Close without keeping anything."""
        super().reject()
        self._message.dismiss()
        stood, row = tuple(self._styles), self.list.currentRow()
        self.reload()
        if stood != tuple(self._styles):
            self.discarded.emit((stood, row))

    def _lay_out(self) -> None:
        self.list.setObjectName(f"{self._noun}List")
        self.list.setAccessibleName("Names")
        mark(self.list, "field", True)
        self.list.setFixedWidth(_LIST_PX)
        self.name_edit.setMaxLength(NAME_MAXIMUM)
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        fields = [("Name", self.name_edit), ("Prompt", self.prompt_edit), ("Negative prompt", self.negative_edit)]
        for title, edit in fields:
            label = QLabel(title)
            label.setBuddy(edit)
            mark(label, "role", "muted")
            edit.setObjectName(f"{self._noun}{title.replace(' ', '')}Edit")
            edit.setAccessibleName(title)
            words.addWidget(label)
            words.addWidget(edit)
            if edit is self.prompt_edit and not self._has_prompt:
                label.hide()
                edit.hide()
        if self._has_prompt:
            hint = QLabel("{prompt} stands for what is written in the window; without it, the words go behind.")
            hint.setWordWrap(True)
            mark(hint, "role", "caption")
            words.addWidget(hint)
        for edit in (self.prompt_edit, self.negative_edit):
            edit.setTabChangesFocus(True)
        names, changes = QVBoxLayout(), QHBoxLayout()
        for layout in (names, changes):
            layout.setSpacing(GRID)
        names.addWidget(self.list)
        names.addLayout(changes)
        for key in ("New", "Delete", "Import…"):
            changes.addWidget(self._buttons[key])
        middle = QHBoxLayout()
        middle.setSpacing(2 * GRID)
        middle.addLayout(names)
        middle.addLayout(words, 1)
        line = QFrame()
        mark(line, "separator", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addLayout(middle, 1)
        column.addWidget(self._message)
        column.addWidget(line)
        column.addLayout(self._foot())

    def _foot(self) -> QHBoxLayout:
        for key, button in self._buttons.items():
            button.setObjectName(f"{self._noun}{key.strip('…')}Button")
            button.setAccessibleName(key)
            button.setAutoDefault(False)
        save, cancel = self._buttons["Save"], self._buttons["Cancel"]
        mark(save, "primary", True)
        return dialog_foot(self, [(save, DO), (cancel, CLOSE)], save)
