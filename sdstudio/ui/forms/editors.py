"""The editors of everything that is no number: choices, seeds, toggles, lines of text, folders and lists of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel, QValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
)

from sdstudio.core.params import Choice, Parameter
from sdstudio.core.paths import expanded
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.ui.forms.editor import Editor, camel, in_a_row
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.choice_box import ChoiceBox
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.tooltips import wrapped

VISIBLE_CHOICES: Final = 14


class ChoiceEditor(Editor):
    """One of a table's rows, each explained by its tooltip. Shows nothing chosen for a value the table lacks."""

    def __init__(self, row: Parameter, box: ChoiceBox | None = None) -> None:
        combo = box if box is not None else ChoiceBox()
        super().__init__(row, combo)
        self.combo = combo
        self._missing: Any = None
        self.combo.setMaxVisibleItems(VISIBLE_CHOICES)
        in_a_row(self).addWidget(self.combo)
        self.set_choices(row.choices)
        self.set_row(row)
        self.combo.currentIndexChanged.connect(self._on_chosen)

    def set_choices(self, choices: Sequence[Choice], disabled: frozenset[Any] = frozenset()) -> None:
        """Offer other values; the chosen one stays chosen where it is among them."""
        chosen = self.value()
        self.combo.blockSignals(True)
        self.combo.clear()
        for place, choice in enumerate(choices):
            self.combo.addItem(choice.title, choice.value)
            self.combo.setItemData(place, wrapped(choice.about), Qt.ItemDataRole.ToolTipRole)
            items = self.combo.model()
            if choice.value in disabled and isinstance(items, QStandardItemModel):
                items.item(place).setEnabled(False)
        self.combo.setCurrentIndex(-1)
        self.combo.blockSignals(False)
        if chosen is not None:
            self._choose(chosen)

    def value(self) -> Any:
        """Return the chosen value, or the one that was asked for and is not offered."""
        return self.combo.currentData() if self.combo.currentIndex() >= 0 else self._missing

    def set_value(self, value: Any) -> None:
        """Choose a value."""
        before = self.value()
        self.combo.blockSignals(True)
        self._choose(value)
        self.combo.blockSignals(False)
        if self.value() != before:
            self.edited.emit()

    @property
    def is_missing(self) -> bool:
        """Whether the value asked for is not among those offered."""
        return self.combo.currentIndex() < 0 and self._missing is not None

    def _choose(self, value: Any) -> None:
        place = next((i for i in range(self.combo.count()) if self.combo.itemData(i) == value), -1)
        self._missing = value if place < 0 else None
        nothing = f"No {self.row.title.lower()} found" if not self.combo.count() else ""
        name = Path(str(value)).name  # of a file, its path is in the message
        self.combo.setPlaceholderText(f"{name} (not found)" if place < 0 and value else nothing)
        self.combo.setCurrentIndex(place)

    def _on_chosen(self) -> None:
        self._missing = None
        self.edited.emit()
        self.finished.emit()


class SeedEditor(Editor):
    """A seed: digits, or blank for a random one; a dice makes it blank, a second button recalls the last seed used."""

    def __init__(self, row: Parameter) -> None:
        edit = QLineEdit()
        super().__init__(row, edit)
        self.edit = edit
        self._last: int | None = None
        self.edit.setPlaceholderText("Random")
        self.edit.setValidator(SeedValidator(self.edit))
        self.edit.setClearButtonEnabled(False)
        self.dice = small_button("dices", "Random seed", "A new random seed for every job")
        self.recall = small_button("history", "Last seed", "")
        for button, suffix in ((self.dice, "RandomButton"), (self.recall, "RecallButton")):
            button.setObjectName(camel(row.name) + suffix)
        layout = in_a_row(self)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.dice)
        layout.addWidget(self.recall)
        self.set_row(row)
        self.set_last_seed(None)
        self.edit.textChanged.connect(self.edited)
        self.edit.editingFinished.connect(self.finished)
        self.dice.clicked.connect(self._on_dice)
        self.recall.clicked.connect(self._on_recall)

    def value(self) -> int | None:
        """Return the seed, ``None`` for random."""
        text = self.edit.text().strip()
        return int(text) if text else None

    def set_value(self, value: Any) -> None:
        """Show a seed."""
        self.edit.setText("" if value is None else str(value))

    def set_last_seed(self, seed: int | None) -> None:
        """Show which seed the recall button brings back."""
        self._last = seed
        self.recall.setEnabled(seed is not None)
        self.recall.setToolTip("No picture made yet" if seed is None else f"Use the last seed again: {seed}")

    @property
    def last_seed(self) -> int | None:
        """The seed the recall button brings back."""
        return self._last

    def _on_dice(self) -> None:
        self.set_value(None)
        self.finished.emit()

    def _on_recall(self) -> None:
        self.set_value(self._last)
        self.finished.emit()


class SeedValidator(QValidator):
    """Digits, or nothing. A seed that is too large can be typed and is reported at the check."""

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Judge what stands in the field."""
        digits = text.strip()
        if digits and not re.fullmatch(r"[0-9]{1,24}", digits):
            return QValidator.State.Invalid, text, position
        fits = not digits or int(digits) <= SEED_MAXIMUM
        return (QValidator.State.Acceptable if fits else QValidator.State.Intermediate), text, position


class ToggleEditor(Editor):
    """Yes or no, with its title."""

    def __init__(self, row: Parameter) -> None:
        box = QCheckBox(row.title)
        super().__init__(row, box)
        self.box = box
        in_a_row(self).addWidget(self.box)
        self.set_row(row)
        self.box.toggled.connect(self.edited)
        self.box.clicked.connect(self.finished)

    def value(self) -> bool:
        """Return whether it is ticked."""
        return self.box.isChecked()

    def set_value(self, value: Any) -> None:
        """Tick it or not."""
        self.box.setChecked(bool(value))


class TextEditor(Editor):
    """One line of text."""

    def __init__(self, row: Parameter) -> None:
        edit = QLineEdit()
        super().__init__(row, edit)
        self.edit = edit
        self.edit.setPlaceholderText(row.ui.blank)
        in_a_row(self).addWidget(self.edit)
        self.set_row(row)
        self.edit.textChanged.connect(self.edited)
        self.edit.editingFinished.connect(self.finished)

    def value(self) -> str:
        """Return the text."""
        return self.edit.text()

    def set_value(self, value: Any) -> None:
        """Show a text."""
        self.edit.setText(str(value))


class FolderEditor(Editor):
    """One folder, typed or chosen; blank for none."""

    def __init__(self, row: Parameter) -> None:
        edit = QLineEdit()
        super().__init__(row, edit)
        self.edit = edit
        self.edit.setPlaceholderText("The data folder")
        self.choose = QPushButton(" Choose…")
        set_icon(self.choose, "folder-open")
        self.choose.setObjectName(camel(row.name) + "ChooseButton")
        self.choose.setAccessibleName(f"{row.title}: choose")
        layout = in_a_row(self)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.choose)
        self.set_row(row)
        self.edit.textChanged.connect(self.edited)
        self.edit.editingFinished.connect(self.finished)
        self.choose.clicked.connect(self._on_choose)

    def value(self) -> Path | None:
        """Return the folder, ``None`` for none."""
        text = self.edit.text().strip()
        return expanded(text) if text else None

    def set_value(self, value: Any) -> None:
        """Show a folder."""
        if (Path(value) if value else None) != self.value():
            self.edit.setText(str(value or ""))

    def _on_choose(self) -> None:
        choose_folder(self, self.row.title, self._on_folder_chosen)

    def _on_folder_chosen(self, folder: Path) -> None:
        self.set_value(folder)
        self.finished.emit()


class FoldersEditor(Editor):
    """A list of folders to add to and remove from."""

    def __init__(self, row: Parameter) -> None:
        folders = QListWidget()
        super().__init__(row, folders)
        self.list = folders
        mark(self.list, "field", True)
        self.list.setFixedHeight(9 * GRID)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.add = QPushButton(" Add folder…")
        self.remove = QPushButton(" Remove")
        for button, icon_name, suffix in (
            (self.add, "folder-plus", "AddButton"),
            (self.remove, "trash-2", "RemoveButton"),
        ):
            set_icon(button, icon_name)
            button.setObjectName(camel(row.name) + suffix)
            button.setAccessibleName(f"{row.title}: {button.text().strip(' …')}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(self.list)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        self.set_row(row)
        self._on_selected()
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)
        self.list.itemSelectionChanged.connect(self._on_selected)

    def value(self) -> tuple[Path, ...]:
        """Return the folders in their order."""
        return tuple(Path(self.list.item(i).text()) for i in range(self.list.count()))

    def set_value(self, value: Any) -> None:
        """Show folders."""
        if tuple(Path(folder) for folder in value) != self.value():
            self.list.clear()
            self.list.addItems([str(folder) for folder in value])
            self.edited.emit()

    def _on_selected(self) -> None:
        self.remove.setEnabled(bool(self.list.selectedItems()))

    def _on_add(self) -> None:
        choose_folder(self, f"{self.row.title}: add a folder", self._on_folder_chosen)

    def _on_folder_chosen(self, folder: Path) -> None:
        if folder not in self.value():
            self.set_value((*self.value(), folder))
            self.finished.emit()

    def _on_remove(self) -> None:
        gone = {item.text() for item in self.list.selectedItems()}
        self.set_value(tuple(folder for folder in self.value() if str(folder) not in gone))
        self.finished.emit()
