"""Models that other programs have on this computer, used where they are: each folder is one press away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.library.scanning.neighbours import Neighbour
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, MARGIN, dialog_foot
from sdstudio.ui.widgets.elided_label import ElidedLabel

TITLE: Final = "Use models of another program"
_ABOUT: Final = "The models stay where they are and are not copied. Both programs use the same files."
_LOOKING: Final = "Looking on this computer…"
_NONE: Final = "No folder of another program was found. Choose it with Other folder."
_SIZE_PX: Final = (560, 400)


class ProgramsDialog(QDialog):
    """Non-modal; shows what `show_found` is given."""

    #: A folder is to be looked for models in from now on; carries its path.
    folder_chosen = TypedSignal[Path]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("programsDialog")
        self.setWindowTitle(TITLE)
        self.resize(*_SIZE_PX)
        about = QLabel(_ABOUT, self)
        about.setWordWrap(True)
        mark(about, "role", "muted")
        self.message = QLabel(_LOOKING, self)
        self.message.setObjectName("programsSaid")
        self.message.setWordWrap(True)
        self._rows = QVBoxLayout()
        self._rows.setContentsMargins(0, 0, GRID, 0)
        self._rows.setSpacing(GRID)
        self._rows.addStretch(1)
        inside = QWidget()
        mark(inside, "bare", True)
        inside.setLayout(self._rows)
        area = QScrollArea(self)
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons take the focus, and are scrolled to
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._buttons: dict[Path, QPushButton] = {}
        other = push_button(self, "otherProgramButton", "Other folder…", "", self._ask_for_folder)
        close = push_button(self, "programsCloseButton", "Close", "", self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID + GRID // 2)
        for widget in (about, self.message):
            column.addWidget(widget)
        column.addWidget(area, 1)
        column.addLayout(dialog_foot(self, [(other, ALSO), (close, CLOSE)], close))

    def show_looking(self) -> None:
        """Show that folders are being looked for."""
        self.message.setText(_LOOKING)

    def show_found(self, found: Sequence[Neighbour], used: Sequence[Path]) -> None:
        """Show what was found.

        Args:
            found: Programs' folders.
            used: Folders that are looked into already.
        """
        while self._rows.count() > 1:
            item = self._rows.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        self._buttons.clear()
        for at, neighbour in enumerate(found):
            self._rows.insertWidget(at, self._row(neighbour))
        folders = "1 folder was found:" if len(found) == 1 else f"{len(found)} folders were found:"
        self.message.setText(folders if found else _NONE)
        self.show_used(used)
        first = next((button for button in self._buttons.values() if button.isEnabled()), None)
        if first is not None:
            first.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_used(self, used: Sequence[Path]) -> None:
        """Mark the folders that are looked into."""
        for folder, button in self._buttons.items():
            button.setEnabled(folder not in used)
            button.setText("Use" if folder not in used else "In use")

    def _row(self, neighbour: Neighbour) -> QWidget:
        card = QFrame(self)
        card.setProperty("card", True)
        title = QLabel(f"{neighbour.title}  ·  {_counts(neighbour)}", card)
        where = ElidedLabel(card, Qt.TextElideMode.ElideMiddle)
        where.say(str(neighbour.folder))
        mark(where, "role", "caption")
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        words.addWidget(title)
        words.addWidget(where)
        button = QPushButton("Use", card)
        button.setAccessibleName(f"Use {neighbour.folder}")
        button.setMinimumWidth(GRID * 9)
        button.clicked.connect(lambda: self.folder_chosen.emit(neighbour.folder))
        self._buttons[neighbour.folder] = button
        row = QHBoxLayout(card)
        row.setContentsMargins(GRID + GRID // 2, GRID, GRID + GRID // 2, GRID)
        row.setSpacing(GRID)
        row.addLayout(words, 1)
        row.addWidget(button)
        return card

    def _ask_for_folder(self) -> None:
        choose_folder(self, "A folder with models, or another program's folder", self.folder_chosen.emit)


def _counts(neighbour: Neighbour) -> str:
    models = "1 model" if neighbour.checkpoints == 1 else f"{neighbour.checkpoints:,} models"
    others = "1 other file" if neighbour.others == 1 else f"{neighbour.others:,} other files"
    return f"{models}, {others}" if neighbour.others else models
