"""Pictures of the history laid out by two of their parameters; what is missing can be made, all can be kept as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.core.files import write_whole
from sdstudio.core.params import Parameter
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry
from sdstudio.history.xy_grid import CELLS_MAXIMUM, Cell, Grid, axes, drawn, label, laid_out, unshown
from sdstudio.ui.theme import GRID, RADIUS, SMALL_PX, mark, set_icon
from sdstudio.ui.widgets.window_size import open_at

SIZE: Final = QSize(960, 700)
CELL_PX: Final = 144
NONE: Final = "None"


class GridWindow(QDialog):
    """A table of pictures. Not modal; pictures that are made meanwhile find their places.

    Args:
        tasks: Draws the exported picture in the background.
        parent: The window it belongs to.
    """

    #: These cells are to be made: a list of `Cell`.
    make_wanted = TypedSignal[Sequence[Cell]]()
    #: A picture is to be shown: its Entry.
    entry_wanted = TypedSignal[Entry]()

    def __init__(self, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gridWindow")
        self.setWindowTitle("Grid")
        self._tasks = tasks
        self._entries: list[Entry] = []
        self._offered: list[Parameter] = []
        self._asked: set[str] = set()
        self._refused: dict[str, str] = {}
        self.grid: Grid | None = None
        self.x_combo, self.y_combo = QComboBox(), QComboBox()
        self.table = QTableWidget()
        self._message = QLabel()
        self._message.setObjectName("gridSaid")
        self.make_button = QPushButton()
        self.export_button = QPushButton(" Export…")
        self.axis_button = QPushButton()
        self._unshown: Parameter | None = None
        self._start()
        self._lay_out()
        for combo in (self.x_combo, self.y_combo):
            combo.activated.connect(lambda _place: self._show())
        self.table.cellActivated.connect(self._on_activated)
        self.table.cellClicked.connect(self._on_clicked)
        self.make_button.clicked.connect(lambda: self._make(self.grid.missing() if self.grid else []))
        self.export_button.clicked.connect(self._ask_where)
        self.axis_button.clicked.connect(self._use_axis)
        open_at(self, SIZE)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Lay these pictures out, by the first two parameters in which they differ."""
        self._entries = list(entries[:CELLS_MAXIMUM])
        self._asked, self._refused = set(), {}
        self._offered = axes(self._entries)
        for combo, with_none in ((self.x_combo, False), (self.y_combo, True)):
            combo.clear()
            if with_none:
                combo.addItem(NONE)
            for row in self._offered:
                combo.addItem(row.title, row.name)
        # The seed is seldom what somebody compares, and the prompt makes the longest labels: both only when needed.
        liked = sorted(self._offered, key=lambda row: row.name in ("seed", "prompt", "negative_prompt"))
        for combo, row in zip((self.x_combo, self.y_combo), liked, strict=False):
            combo.setCurrentIndex(combo.findData(row.name))
        self._show()

    def add_entry(self, entry: Entry) -> None:
        """Take in a picture that was just made, when this grid asked for it."""
        request = entry.recipe.request
        if not self._asked.isdisjoint({_key(request), _key(request.model_copy(update={"seed": None}))}):
            self._entries.append(entry)
            self._show()

    # showing

    def _axis(self, combo: QComboBox) -> Parameter | None:
        return next((row for row in self._offered if row.name == combo.currentData()), None)

    def _show(self) -> None:
        x, y = self._axis(self.x_combo), self._axis(self.y_combo)
        if y is not None and x is not None and x.name == y.name:
            self.y_combo.setCurrentIndex(0)
            y = None
        self.table.clear()
        self.grid = laid_out(self._entries, x, y) if x is not None else None
        cells = sum(len(row) for row in self.grid.cells) if self.grid else 0
        if cells > CELLS_MAXIMUM:
            self.grid = None
        self._fill()
        self._offer_axis(x, y)
        missing = len(self.grid.missing()) if self.grid else 0
        to_make = len(self._new(self.grid.missing())) if self.grid else 0
        self.make_button.setText(" Make the missing one" if to_make == 1 else f" Make the {to_make} missing")
        self.make_button.setVisible(bool(to_make))
        self.export_button.setEnabled(self.grid is not None)
        if cells > CELLS_MAXIMUM:
            self._say(f"{cells:,} places: at most {CELLS_MAXIMUM:,}. Choose another parameter.", "warning")
        elif not self._offered:
            self._say("These pictures differ in no parameter: choose others.", "warning")
        else:
            self._say(f"{len(self._entries)} pictures" + (f" · {missing} missing" if missing else ""), "caption")

    def _offer_axis(self, x: Parameter | None, y: Parameter | None) -> None:
        """Offer as an axis what several pictures at one place differ in."""
        rows = unshown(self._entries, x, y) if self.grid is not None and x is not None else []
        self._unshown = rows[-1] if rows else None
        self.axis_button.setVisible(self._unshown is not None)
        if self._unshown is not None:
            self.axis_button.setText(f"Use {self._unshown.title.lower()} as axis")
            self.axis_button.setAccessibleName(f"Use {self._unshown.title.lower()} as axis")

    def _use_axis(self) -> None:
        if self._unshown is not None:
            combo = self.y_combo if self.y_combo.currentData() is None else self.x_combo
            combo.setCurrentIndex(combo.findData(self._unshown.name))
            self._show()

    def _fill(self) -> None:
        grid = self.grid
        self.table.setRowCount(len(grid.rows) if grid else 0)
        self.table.setColumnCount(len(grid.columns) if grid else 0)
        if grid is None:
            return
        for at, value in enumerate(grid.columns):
            self.table.setHorizontalHeaderItem(at, _heading(label(grid.x, value)))
        for at, value in enumerate(grid.rows):
            self.table.setVerticalHeaderItem(at, _heading(label(grid.y, value) if grid.y else ""))
        self.table.verticalHeader().setVisible(grid.y is not None)
        for at_y, row in enumerate(grid.cells):
            for at_x, cell in enumerate(row):
                self.table.setItem(at_y, at_x, self._item(cell))

    def _item(self, cell: Cell) -> QTableWidgetItem:
        item = QTableWidgetItem()
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        if cell.entry is None:
            asked = _key(cell.request) in self._asked
            reason = self._refused.get(_key(cell.request), "")
            item.setText("Waiting" if asked else "Not possible" if reason else "Make")
            item.setToolTip("It is in the queue" if asked else reason or "Missing: click to make it")
            return item
        picture = QPixmap(str(cell.entry.thumbnail))
        if picture.isNull():
            picture = QPixmap(str(cell.entry.path))
        if cell.count > 1:
            picture = _counted(picture, cell.count)
        item.setIcon(QIcon(picture))
        several = f"{cell.count} pictures have these values; the newest, picture" if cell.count > 1 else "Picture"
        item.setToolTip(f"{several} {cell.entry.id}: double click to see it")
        text = f"Picture {cell.entry.id}" + (f", ×{cell.count}" if cell.count > 1 else "")
        item.setData(Qt.ItemDataRole.AccessibleTextRole, text)
        return item

    def _say(self, text: str, role: str) -> None:
        self._message.setText(text)
        mark(self._message, "role", role)

    # what the user asks for

    def _on_clicked(self, row: int, column: int) -> None:
        cell = self.grid.cells[row][column] if self.grid else None
        if cell is not None and cell.entry is None:
            self._make([cell])

    def _on_activated(self, row: int, column: int) -> None:
        cell = self.grid.cells[row][column] if self.grid else None
        if cell is not None and cell.entry is not None:
            self.entry_wanted.emit(cell.entry)
        elif cell is not None:
            self._make([cell])

    def _make(self, cells: Sequence[Cell]) -> None:
        """Ask for those that are not in the queue yet; one cell alone may be tried again."""
        new = self._new(cells) or [cell for cell in cells if len(cells) == 1 and _key(cell.request) not in self._asked]
        if new:
            self.make_wanted.emit(new)

    def _new(self, cells: Sequence[Cell]) -> list[Cell]:
        return [cell for cell in cells if _key(cell.request) not in {*self._asked, *self._refused}]

    def answered(self, made: Sequence[Cell], refused: Sequence[tuple[Cell, StudioError]]) -> None:
        """Show which of the cells that were wanted are in the queue now, and which cannot be and why."""
        self._asked |= {_key(cell.request) for cell in made}
        self._refused = {key: why for key, why in self._refused.items() if key not in self._asked}
        self._refused |= {_key(cell.request): str(error) for cell, error in refused}
        self._show()
        if refused:
            reason = str(refused[0][1])
            queued = f"{len(made)} in the queue, " if made else ""
            many = f"{queued}{len(refused)} cannot be made: {reason}"
            self._say(many if len(refused) + len(made) > 1 else reason, "warning" if made else "error")

    def _ask_where(self) -> None:
        dialog = QFileDialog(self, "Export the grid as one picture", str(Path.home() / "grid.png"), "PNG (*.png)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.fileSelected.connect(lambda target: self.export(Path(target)))
        dialog.open()

    def export(self, target: Path) -> None:
        """Write the grid as one picture, in the background."""
        grid = self.grid
        if grid is None:
            return
        self.export_button.setEnabled(False)

        def work(_task: object) -> Image.Image:
            sheet = drawn(grid)
            write_whole(target, lambda to: sheet.save(to, "PNG"))
            return sheet

        def ended(text: str, role: str) -> None:
            self.export_button.setEnabled(True)
            self._say(text, role)

        self._tasks.run(
            "Exporting the grid", work,
            lambda sheet: ended(f"Saved {target.name}, {sheet.width} × {sheet.height}", "success"),
            lambda error: ended(str(error), "error"),
        )  # fmt: skip

    # building

    def _start(self) -> None:
        for combo, name, title in ((self.x_combo, "gridXComboBox", "Across"), (self.y_combo, "gridYComboBox", "Down")):
            combo.setObjectName(name)
            combo.setAccessibleName(title)
            combo.setMinimumWidth(160)
        self.table.setObjectName("gridTable")
        self.table.setAccessibleName("Grid of pictures")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setIconSize(QSize(CELL_PX - GRID, CELL_PX - GRID))
        self.table.setShowGrid(False)
        for header in (self.table.horizontalHeader(), self.table.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setDefaultSectionSize(CELL_PX)
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.table.verticalHeader().setFixedWidth(CELL_PX)
        self.make_button.setObjectName("gridMakeButton")
        self.make_button.setAccessibleName("Make what is missing")
        set_icon(self.make_button, "play")
        self.axis_button.setObjectName("gridAxisButton")
        self.axis_button.setToolTip("Several pictures lie at one place: give them places of their own")
        self.export_button.setObjectName("gridExportButton")
        self.export_button.setAccessibleName("Export the grid as one picture")
        set_icon(self.export_button, "save")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID)
        for title, combo in (("Across", self.x_combo), ("Down", self.y_combo)):
            words = QLabel(title)
            mark(words, "role", "muted")
            words.setBuddy(combo)
            head.addWidget(words)
            head.addWidget(combo)
            head.addSpacing(GRID)
        head.addWidget(self.axis_button)
        head.addStretch(1)
        foot = QHBoxLayout()
        foot.setSpacing(GRID)
        foot.addWidget(self._message, 1)
        foot.addWidget(self.make_button)
        foot.addWidget(self.export_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID * 2, GRID * 2, GRID * 2)
        column.setSpacing(GRID * 2)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        column.addLayout(foot)


def _counted(picture: QPixmap, count: int) -> QPixmap:
    """Return a picture, as large as a cell shows it, with the number of those behind it in its corner."""
    side = (CELL_PX - GRID) * 2
    shown = picture.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    painter = QPainter(shown)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = painter.font()
    font.setPixelSize(SMALL_PX * 2)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    text = f"×{count:,}"
    room = painter.fontMetrics().boundingRect(text).adjusted(-GRID, -GRID // 2, GRID, GRID // 2)
    room.moveBottomRight(shown.rect().bottomRight() - QPoint(GRID, GRID))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 190))
    painter.drawRoundedRect(room, RADIUS * 2, RADIUS * 2)
    painter.setPen(QColor(Qt.GlobalColor.white))
    painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    return shown


def _heading(text: str) -> QTableWidgetItem:
    """Return a heading; the tooltip has all of one that is cut off."""
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    return item


def _key(request: GenerationRequest) -> str:
    return request.model_dump_json()
