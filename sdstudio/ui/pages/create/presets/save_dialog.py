"""The dialog that makes a preset: a name, and ticks at the values that it is to hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.core.request.presets import NAME_MAXIMUM
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.window_size import open_at

if TYPE_CHECKING:
    from sdstudio.ui.pages.create.presets.keeper import Held

_NAME: Final = Qt.ItemDataRole.UserRole


class PresetSaveDialog(QDialog):
    """Ticked are the values that differ from the model's defaults, until others are.

    Args:
        held: Everything that a preset can hold, as it stands now.
        names: The presets there are.
        parent: The window.
    """

    #: A preset is wanted; carries its name and the names of its values.
    save_wanted = TypedSignal[str, list[str]]()

    def __init__(self, held: Sequence[Held], names: Collection[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("presetSaveDialog")
        self.setWindowTitle("Save as preset")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._held = held
        self._names = names
        self.name_edit = QLineEdit()
        self.tree = QTreeWidget()
        self._hint = QLabel()
        self._items: list[QTreeWidgetItem] = []
        self._lay_out()
        self._fill()
        self.tick("changed")
        self.name_edit.textChanged.connect(lambda: self._show_hint())
        self.tree.itemChanged.connect(lambda _item, _column: self._show_hint())
        self._show_hint()
        self.name_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        open_at(self, QSize(520, 520))

    def tick(self, which: str) -> None:
        """Tick "all" values, those that are "changed", or "none"."""
        for item, held in zip(self._items, self._held, strict=True):
            on = which == "all" or (which == "changed" and held.is_changed)
            item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    @property
    def chosen(self) -> list[str]:
        """Names of the ticked values."""
        return [item.data(0, _NAME) for item in self._items if item.checkState(0) == Qt.CheckState.Checked]

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for held in self._held:
            group = groups.get(held.group)
            if group is None:
                group = groups[held.group] = QTreeWidgetItem(self.tree, [held.group])
                group.setFlags(group.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsAutoTristate)
                group.setExpanded(True)
            item = QTreeWidgetItem(group, [held.title, held.as_text(held.value)])
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setData(0, _NAME, held.name)
            item.setToolTip(1, held.as_text(held.value))
            self._items.append(item)

    def _show_hint(self) -> None:
        name = " ".join(self.name_edit.text().split())
        count = len(self.chosen)
        hint = "1 value" if count == 1 else f"{count} values"
        if name in self._names:
            hint = f"Replaces “{name}” with {hint}; that can be undone."
        self._hint.setText(hint)
        self._save.setEnabled(bool(name) and count > 0)

    def _on_save(self) -> None:
        self.save_wanted.emit(self.name_edit.text(), self.chosen)

    def _lay_out(self) -> None:
        label = QLabel("Name")
        label.setBuddy(self.name_edit)
        mark(label, "role", "muted")
        self.name_edit.setObjectName("presetNameEdit")
        self.name_edit.setAccessibleName("Name")
        self.name_edit.setMaxLength(NAME_MAXIMUM)
        self.tree.setObjectName("presetValues")
        self.tree.setAccessibleName("Values of the preset")
        self.tree.setColumnCount(2)
        self.tree.setHeaderLabels(["Parameter", "Now"])
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        mark(self._hint, "role", "caption")
        ticks = QHBoxLayout()
        ticks.setSpacing(GRID)
        for title in ("All", "Changed", "None"):
            act = partial(self.tick, title.lower())
            button = push_button(self, f"presetTick{title}Button", title, "", act)
            button.setAccessibleName(f"Tick: {title.lower()}")
            ticks.addWidget(button)
        ticks.addWidget(self._hint, 1)
        cancel = push_button(self, "presetSaveCancelButton", "Cancel", "", self.reject)
        self._save = push_button(self, "presetSaveButton", "Save", "", self._on_save)
        fill(self._save, "save")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addWidget(label)
        column.addWidget(self.name_edit)
        column.addWidget(self.tree, 1)
        column.addLayout(ticks)
        column.addLayout(dialog_foot(self, [(self._save, DO), (cancel, CLOSE)], self._save))
