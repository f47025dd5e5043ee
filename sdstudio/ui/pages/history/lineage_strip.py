"""Where a picture comes from and what came of it, as small pictures to go to; a part of the details of an entry."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import HistoryError
from sdstudio.history.database.lineage import Kin, Lineage, relation
from sdstudio.history.store import Entry
from sdstudio.ui.theme import GRID, icon, mark

THUMB_PX: Final = 64
COLUMNS: Final = 4
SHOWN: Final = 12
BUTTON_PX: Final = THUMB_PX + GRID // 2


class LineageStrip(QWidget):
    """Parent and children of one entry. Hidden where there are none.

    Args:
        lineage: Knows them.
        parent: As Qt has it.
    """

    #: Another picture of the family is to be shown: its Entry.
    entry_wanted = TypedSignal[Entry]()

    def __init__(self, lineage: Lineage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lineageStrip")
        self._lineage = lineage
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(GRID * 2, 0, GRID * 2, 0)
        self._column.setSpacing(GRID // 2)
        self._parts: list[QWidget] = []
        self.show_entry(None)

    def show_entry(self, entry: Entry | None) -> None:
        """Show the family of one entry."""
        for part in self._parts:
            self._column.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts = []
        kin = self._kin_of(entry)
        self.setVisible(bool(kin.parent or kin.children))
        if entry is None:
            return
        if kin.parent is not None:
            word = relation(kin.parent.recipe.request, entry.recipe.request)
            title = "Made from this picture" if word.startswith("From") else f"Made from · {word.lower()}"
            self._add(title, [(kin.parent, "")])
        if kin.children:
            more = f" · {kin.count}" if kin.count > 1 else ""
            words = [(child, relation(entry.recipe.request, child.recipe.request)) for child in kin.children]
            self._add(f"Made from this{more}", words)

    @property
    def buttons(self) -> list[QToolButton]:
        """The pictures, the parent first."""
        return [button for part in self._parts for button in part.findChildren(QToolButton)]

    def _kin_of(self, entry: Entry | None) -> Kin:
        try:
            return self._lineage.of(entry, SHOWN) if entry is not None else Kin()
        except HistoryError:  # locked for a moment; the details are there without it
            return Kin()

    def _add(self, title: str, entries: list[tuple[Entry, str]]) -> None:
        head = QLabel(title)
        mark(head, "role", "group")
        pictures = QWidget()
        grid = QGridLayout(pictures)
        grid.setContentsMargins(0, 0, 0, GRID // 2)
        grid.setSpacing(GRID // 2)
        for place, (entry, word) in enumerate(entries):
            grid.addWidget(self._button(entry, word), place // COLUMNS, place % COLUMNS)
        grid.setColumnStretch(COLUMNS, 1)
        for part in (head, pictures):
            self._parts.append(part)
            self._column.addWidget(part)

    def _button(self, entry: Entry, word: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"kin{entry.id}Button")
        button.setAccessibleName(f"Picture {entry.id}" + (f", {word}" if word else ""))
        prompt = " ".join(entry.recipe.request.prompt.split())[:80]
        button.setToolTip(f"{word or 'Go to it'} · {entry.id} · {prompt}")
        pixmap = QPixmap(str(entry.thumbnail))
        button.setIcon(QIcon(pixmap) if not pixmap.isNull() else icon("image", "muted", 24))
        button.setIconSize(QSize(THUMB_PX - GRID, THUMB_PX - GRID))
        if word:
            room = BUTTON_PX - GRID
            button.setText(button.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, room))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFixedWidth(BUTTON_PX)
        mark(button, "ghost", True)
        button.clicked.connect(lambda: self.entry_wanted.emit(entry))
        return button
