"""The dialog of presets: found by typing, each with what it would change now; used, updated, renamed, handed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.errors import StudioError
from sdstudio.core.folding import folded
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.window_size import open_at

if TYPE_CHECKING:
    from sdstudio.core.request.presets import Preset
    from sdstudio.ui.pages.create.presets.keeper import PresetKeeper

FILES: Final = "Presets (*.json)"
_LIST_PX: Final = 216
_HEADS: Final = ("Parameter", "Now", "Preset")


class PresetDialog(QDialog):
    """Not modal. What it shows as now follows the window each time it is looked at.

    Args:
        keeper: Does everything.
        parent: The window.
    """

    def __init__(self, keeper: PresetKeeper, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("presetDialog")
        self.setWindowTitle("Presets")
        self._keeper = keeper
        self._message = MessageBar("presetMessage", self)
        self.search_edit = QLineEdit()
        self.list = QListWidget()
        self.about = QLabel()
        self.table = QTableWidget(0, len(_HEADS))
        self._shown: list[Preset] = []
        self._buttons: dict[str, QPushButton] = {}
        self._lay_out()
        self.search_edit.textChanged.connect(lambda: self.reload())
        self.list.currentRowChanged.connect(lambda _row: self._show_differences())
        self.list.itemDoubleClicked.connect(lambda _item: self._use())
        keeper.changed.connect(self.reload)
        open_at(self, QSize(820, 480))

    def open_at_search(self) -> None:
        """Show it as things are now, with the cursor in its search."""
        self.reload()
        bring_forward(self)
        self.search_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search_edit.selectAll()

    @property
    def chosen(self) -> Preset | None:
        """The preset that is chosen in the list."""
        row = self.list.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def reload(self) -> None:
        """Show the presets that the search finds; the chosen one stays chosen."""
        before = self.chosen
        words = folded(self.search_edit.text()).split()
        presets = [each for each in self._keeper.presets() if all(word in folded(each.name) for word in words)]
        self._shown = presets
        names = [preset.name for preset in presets]
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems(names)
        self.list.setCurrentRow(names.index(before.name) if before is not None and before.name in names else 0)
        self.list.blockSignals(False)
        self._show_differences()

    # inside

    def _show_differences(self) -> None:
        preset = self.chosen
        for key in ("Use", "Update", "Rename", "Delete", "Export"):
            self._buttons[key].setEnabled(preset is not None)
        rows = self._keeper.differences(preset) if preset is not None else []
        self.table.setRowCount(len(rows))
        for at, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(at, column, item)
        if preset is None:
            searched = self.search_edit.text().strip()
            about = "No preset has these words." if searched else "No presets yet. Save one from the Presets menu."
        elif rows:
            about = f"Would change {len(rows)} of its {len(preset.values)} values:"
        else:
            about = f"Would change nothing: all its {len(preset.values)} values are as now."
        self.about.setText(about)

    def _use(self) -> None:
        if self.chosen is not None:
            self._keeper.use(self.chosen)
            self._show_differences()

    def _do(self, act: Callable[[Preset], object], text: str) -> None:
        preset = self.chosen
        if preset is None:
            return
        try:
            act(preset)
        except StudioError as error:
            self._message.say(str(error), "error")
        else:
            self._say(text.format(preset.name))

    def _say(self, text: str) -> None:
        self._message.say(text, "info", [("Undo", self._keeper.undo)], 30.0)

    def _ask_new_name(self) -> None:
        preset = self.chosen
        if preset is None:
            return
        dialog = QInputDialog(self)
        dialog.setObjectName("renamePresetDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Rename a preset")
        dialog.setLabelText(f"Another name for “{preset.name}”")
        dialog.setTextValue(preset.name)
        dialog.textValueSelected.connect(
            lambda name: self._do(lambda chosen: self._keeper.rename(chosen, name), "“{}” has another name.")
        )
        dialog.open()

    def _ask_what_to_import(self) -> None:
        dialog = QFileDialog(self, "Import presets", str(Path.home()), FILES)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.import_from(Path(name)))
        dialog.open()

    def import_from(self, path: Path) -> None:
        """Add the presets of a file."""
        try:
            count = self._keeper.take_from(path)
        except StudioError as error:
            self._message.say(str(error), "error")
        else:
            self._say(f"{count} from {path.name}.")

    def _ask_where_to_export(self) -> None:
        preset = self.chosen
        if preset is None:
            return
        dialog = QFileDialog(self, "Export a preset", str(Path.home()), FILES)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile(f"{preset.name.replace('/', '-')}.json")
        dialog.fileSelected.connect(lambda name: self.export_to(Path(name)))
        dialog.open()

    def export_to(self, path: Path) -> None:
        """Write the chosen preset to a file."""
        preset = self.chosen
        if preset is None:
            return
        try:
            self._keeper.export([preset], path)
        except StudioError as error:
            self._message.say(str(error), "error")
        else:
            self._message.say(f"“{preset.name}” is written to {path}.", "info", (), 30.0)

    def _lay_out(self) -> None:
        self.search_edit.setObjectName("presetSearchEdit")
        self.search_edit.setAccessibleName("Search presets")
        self.search_edit.setPlaceholderText("Search presets…")
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setFixedWidth(_LIST_PX)
        self.list.setObjectName("presetList")
        self.list.setAccessibleName("Presets")
        mark(self.list, "field", True)
        self.list.setFixedWidth(_LIST_PX)
        mark(self.about, "role", "muted")
        self.table.setObjectName("presetDifferences")
        self.table.setAccessibleName("What the preset would change")
        self.table.setHorizontalHeaderLabels(list(_HEADS))
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setWordWrap(False)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        left = QVBoxLayout()
        left.setSpacing(GRID)
        left.addWidget(self.search_edit)
        left.addWidget(self.list, 1)
        right = QVBoxLayout()
        right.setSpacing(GRID)
        right.addWidget(self.about)
        right.addWidget(self.table, 1)
        middle = QHBoxLayout()
        middle.setSpacing(2 * GRID)
        middle.addLayout(left)
        middle.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addLayout(middle, 1)
        column.addWidget(self._message)
        column.addLayout(self._foot())

    def _foot(self) -> QHBoxLayout:
        deleted, updated = "“{}” is deleted.", "“{}” holds the values of now."
        rows: tuple[tuple[str, str, Callable[[], object], str], ...] = (
            ("Import", "Import…", self._ask_what_to_import, "Add the presets of a JSON file"),
            ("Export", "Export…", self._ask_where_to_export, "Write the preset to a JSON file"),
            ("Delete", "Delete", lambda: self._do(self._keeper.remove, deleted), "Delete the preset"),
            ("Rename", "Rename…", self._ask_new_name, "Give the preset another name"),
            ("Update", "Update", lambda: self._do(self._keeper.update, updated), "Give it the values of now"),
            ("Close", "Close", self.close, ""),
            ("Use", "Use preset", self._use, "Put its values into prompts and panel"),
        )
        for key, title, act, about in rows:
            self._buttons[key] = push_button(self, f"preset{key}Button", title, "", act, about)
        use, close = self._buttons["Use"], self._buttons["Close"]
        fill(use, "check")
        foot = dialog_foot(self, [(use, DO), (close, CLOSE)], use)
        for at, key in enumerate(("Import", "Export", "Delete", "Rename", "Update")):
            foot.insertWidget(at, self._buttons[key])
        return foot
