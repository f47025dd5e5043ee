"""The window that exports: as files, a zip or contact sheets, in which format, and how much each picture records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.long_work import LongWork
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.exchange.contact_sheet import contact_sheets
from sdstudio.history.exchange.export import ExportOptions, ExportReport, export_fields, export_folder, export_zip
from sdstudio.history.formats import FORMAT_BY_KEY, FORMATS, QUALITY
from sdstudio.history.store import Entry
from sdstudio.ui.entry_tools.results_view import Result, ResultKind, ResultsView
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.desktop import reveal
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.work_bar import WorkBar

FILES, ZIP, SHEET = "files", "zip", "sheet"
AS: Final = ((FILES, "Files in a folder"), (ZIP, "One zip file"), (SHEET, "Contact sheet"))
EVERYTHING, CHOSEN, NOTHING = "everything", "chosen", "nothing"
TELLS: Final = (
    (EVERYTHING, "Everything it was made with"),
    (CHOSEN, "Only what is ticked below"),
    (NOTHING, "Nothing: pixels only"),
)
KINDS: Final = (ResultKind("failed", "failed", "circle-alert", "danger"),)


class ExportDialog(QDialog):
    """Not modal. What was chosen stays for the next time.

    Args:
        tasks: Where the work is done.
        parent: As Qt has it.
    """

    def __init__(self, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exportDialog")
        self.setWindowTitle("Export pictures")
        self.setModal(False)
        self._tasks = tasks
        self._entries: Sequence[Entry] = ()
        self._work: LongWork[ExportReport] | None = None
        self._written: list[Path] = []
        self._title = QLabel(self)
        mark(self._title, "role", "heading")
        self.as_combo = self._combo("exportAsComboBox", "Export as", AS)
        self.format_combo = self._combo("exportFormatComboBox", "Format", [(row.key, row.title) for row in FORMATS])
        for at, row in enumerate(FORMATS):
            self.format_combo.setItemData(at, row.about, Qt.ItemDataRole.ToolTipRole)
        self.quality_spin = self._spin("exportQualitySpinBox", "Quality", 1, 100, QUALITY)
        self.columns_spin = self._spin("exportColumnsSpinBox", "Columns", 0, 60, 0)
        self.columns_spin.setSpecialValueText("Automatic")
        self.tells_combo = self._combo("exportTellsComboBox", "What each picture tells", TELLS)
        self.boxes = {row.key: QCheckBox(row.title, self) for row in export_fields()}
        self._fields = self._field_boxes()
        self.target_edit = QLineEdit(self)
        self.target_edit.setObjectName("exportTargetEdit")
        self.target_edit.setAccessibleName("Where to")
        self.browse_button = push_button(self, "exportBrowseButton", "Choose…", "folder-open", self._ask_for_target)
        self.bar = WorkBar("export", self)
        self._message = QLabel(self)
        self._message.setObjectName("exportSaid")
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.results = ResultsView("exportResults", KINDS, self)
        self.reveal_button = push_button(self, "exportRevealButton", "Show in folder", "folder-open", self._reveal)
        self.export_button = push_button(self, "exportButton", "Export", "upload", self._export)
        self._lay_out()
        self.as_combo.currentIndexChanged.connect(self._on_kind_changed)
        self.format_combo.currentIndexChanged.connect(self._show_what_counts)
        self.tells_combo.currentIndexChanged.connect(self._show_what_counts)
        self._on_kind_changed()

    @property
    def message(self) -> str:
        """The message about the result."""
        return self._message.text()

    def offer(self, entries: Sequence[Entry], tells_all: bool = True) -> None:
        """Offer to export these pictures; ``tells_all``: whether copies carry everything unless chosen otherwise."""
        if self._work is not None:
            return
        self._entries = entries
        what = "1 picture" if len(entries) == 1 else f"{len(entries):,} pictures"
        self._title.setText(f"Export {what}")
        if not self.isVisible() and self.tells_combo.currentData() != CHOSEN:
            self._select(self.tells_combo, EVERYTHING if tells_all else NOTHING)
        self._say("")
        self.results.show_results([])
        self.reveal_button.hide()

    def options(self) -> ExportOptions:
        """Return what is chosen. Raises: InvalidRequest."""
        tells = self.tells_combo.currentData()
        without = frozenset(key for key, box in self.boxes.items() if tells == CHOSEN and not box.isChecked())
        key = self.format_combo.currentData()
        return ExportOptions.checked(
            format=key, quality=self.quality_spin.value(), metadata=tells != NOTHING, without=without
        )

    # building

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(GRID * 2)
        form.setVerticalSpacing(GRID + GRID // 2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._form = form
        where = QHBoxLayout()
        where.setSpacing(GRID)
        where.addWidget(self.target_edit, 1)
        where.addWidget(self.browse_button)
        form.addRow("As", self.as_combo)
        form.addRow("Format", self.format_combo)
        form.addRow("Quality", self.quality_spin)
        form.addRow("Columns", self.columns_spin)
        form.addRow("Metadata", self.tells_combo)
        form.addRow("", self._fields)
        form.addRow("To", where)
        close = push_button(self, "exportCloseButton", "Close", "", self.close)
        fill(self.export_button, "upload")
        buttons = [(self.reveal_button, ALSO), (self.export_button, DO), (close, CLOSE)]
        foot = dialog_foot(self, buttons, self.export_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addWidget(self._title)
        column.addLayout(form)
        column.addWidget(self.bar)
        column.addWidget(self._message)
        column.addWidget(self.results, 1)
        column.addStretch(0)
        column.addLayout(foot)
        self.resize(QSize(600, 320))

    def _field_boxes(self) -> QFrame:
        frame = QFrame(self)
        grid = QGridLayout(frame)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID * 2)
        grid.setVerticalSpacing(GRID // 2)
        for at, row in enumerate(export_fields()):
            box = self.boxes[row.key]
            box.setObjectName(f"exportField_{row.key}")
            box.setAccessibleName(row.title)
            box.setToolTip(row.about)
            box.setChecked(True)
            grid.addWidget(box, at // 3, at % 3)
        return frame

    def _combo(self, name: str, title: str, rows: Sequence[tuple[str, str]]) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(name)
        combo.setAccessibleName(title)
        for key, text in rows:
            combo.addItem(text, key)
        return combo

    def _spin(self, name: str, title: str, low: int, high: int, value: int) -> QSpinBox:
        spin = QSpinBox(self)
        spin.setObjectName(name)
        spin.setAccessibleName(title)
        spin.setRange(low, high)
        spin.setValue(value)
        return spin

    @staticmethod
    def _select(combo: QComboBox, key: str) -> None:
        combo.setCurrentIndex(max(0, combo.findData(key)))

    # what counts

    def _on_kind_changed(self) -> None:
        kind = self.as_combo.currentData()
        home = Path.home()
        name = {FILES: "sdstudio pictures", ZIP: "sdstudio pictures.zip", SHEET: "contact sheet.png"}[kind]
        self.target_edit.setText(str(home / name))
        self._show_what_counts()

    def _show_what_counts(self) -> None:
        sheet = self.as_combo.currentData() == SHEET
        lossy = FORMAT_BY_KEY[self.format_combo.currentData()].lossy
        self._form.setRowVisible(self.format_combo, not sheet)
        self._form.setRowVisible(self.quality_spin, lossy and not sheet)
        self._form.setRowVisible(self.columns_spin, sheet)
        self._form.setRowVisible(self._fields, self.tells_combo.currentData() == CHOSEN)

    def _ask_for_target(self) -> None:
        kind, target = self.as_combo.currentData(), self.target_edit.text()
        if kind == FILES:
            choose_folder(self, "Export to", lambda folder: self.target_edit.setText(str(folder)), Path(target))
            return
        dialog = QFileDialog(self, "Export to", target)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("Zip (*.zip)" if kind == ZIP else "Pictures (*.png *.jpg *.webp)")
        dialog.setDefaultSuffix("zip" if kind == ZIP else "png")
        dialog.selectFile(target)
        dialog.fileSelected.connect(self.target_edit.setText)
        dialog.open()

    # doing it

    def _export(self) -> None:
        if self._work is not None or not self._entries:
            return
        entries, kind, columns = self._entries, self.as_combo.currentData(), self.columns_spin.value()
        target = Path(self.target_edit.text().strip()).expanduser()
        try:
            options = self.options()
        except StudioError as error:
            self._say(str(error), "error")
            return

        def work(tell: OnProgress, stop: Callable[[], bool]) -> ExportReport:
            if kind == ZIP:
                return export_zip(entries, target, options, tell, stop)
            if kind == SHEET:
                return contact_sheets(entries, target, options, columns, tell, stop)
            return export_folder(entries, target, options, tell, stop)

        self._say("")
        self.results.show_results([])
        self.reveal_button.hide()
        self.export_button.setEnabled(False)
        self._work = LongWork(self._tasks, "Exporting pictures", work, self)
        self._work.done.connect(self._on_exported)
        self._work.failed.connect(self._on_failed)
        self._work.stopped.connect(self._end)
        self.bar.watch(self._work, "Exporting")

    def _on_exported(self, report: ExportReport) -> None:
        self._end()
        self._written = report.written
        self._say(str(report), "error" if report.failed or report.stopped else "success")
        self.reveal_button.setVisible(bool(report.written))
        self.results.show_results([Result("failed", each.source.name, each.reason) for each in report.failed])

    def _on_failed(self, error: StudioError) -> None:
        self._end()
        self._say(str(error), "error")

    def _end(self) -> None:
        self._work = None
        self.export_button.setEnabled(True)

    def _say(self, text: str, role: str = "success") -> None:
        self._message.setText(text)
        mark(self._message, "role", role)
        self._message.setVisible(bool(text))

    def _reveal(self) -> None:
        if self._written:
            reveal(self._written[0])
