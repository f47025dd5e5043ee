"""The prompt builder: choose from each part, add own words, see the text, put it into the prompt."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.prompts.builder import PromptPart, built, prompt_parts
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import ALSO, BACK, CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.window_size import open_at


class PromptBuilder(QDialog):
    """Not modal: it stays beside the window until it is closed."""

    #: The text is to go behind the prompt.
    insert_requested = Signal(str)
    #: The text is to stand in place of the prompt.
    replace_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promptBuilder")
        self.setWindowTitle("Build a prompt")
        self.setModal(False)
        self._parts = [_Part(part) for part in prompt_parts()]
        self._text = QLabel()
        self._insert = QPushButton("Add to the prompt")
        self._replace = QPushButton("Use as the prompt")
        self._clear = QPushButton("Clear")
        self._lay_out()
        for part in self._parts:
            part.changed.connect(self._show)
        self._insert.clicked.connect(lambda: self.insert_requested.emit(self.text))
        self._replace.clicked.connect(lambda: self.replace_requested.emit(self.text))
        self._clear.clicked.connect(self.clear)
        self._show()
        open_at(self, QSize(760, 640))

    @property
    def text(self) -> str:
        """What will be inserted."""
        return built({part.key: part.words for part in self._parts})

    def clear(self) -> None:
        """Choose nothing."""
        for part in self._parts:
            part.clear()

    def _show(self) -> None:
        text = self.text
        self._text.setText(text or "Choose from the parts above; the text appears here.")
        mark(self._text, "role", "" if text else "muted")
        for button in (self._insert, self._replace, self._clear):
            button.setEnabled(bool(text))

    def _lay_out(self) -> None:
        inside = QWidget()
        mark(inside, "bare", True)
        column = QVBoxLayout(inside)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(2 * GRID)
        for part in self._parts:
            column.addWidget(part)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its chips take the focus, and are scrolled to
        scroll.setWidget(inside)
        self._text.setObjectName("promptBuilderText")
        self._text.setAccessibleName("The text")
        self._text.setWordWrap(True)
        self._text.setMinimumHeight(5 * GRID)
        for button, name in ((self._insert, "Insert"), (self._replace, "Replace"), (self._clear, "Clear")):
            button.setObjectName(f"promptBuilder{name}Button")
            button.setAccessibleName(button.text())
        mark(self._insert, "primary", True)
        close = push_button(self, "promptBuilderCloseButton", "Close", "", self.close)
        buttons = [(self._insert, DO), (self._replace, ALSO), (self._clear, BACK), (close, CLOSE)]
        below = QVBoxLayout()
        below.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        below.setSpacing(12)
        below.addWidget(self._text)
        line = QFrame()
        mark(line, "separator", True)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addWidget(line)
        whole.addLayout(below)
        below.addLayout(dialog_foot(self, buttons, self._insert))


class _Part(QWidget):
    """One part's choices, and a field for own words."""

    #: Another choice or other words.
    changed = Signal()

    def __init__(self, part: PromptPart) -> None:
        super().__init__()
        self.key = part.key
        self._chips: list[QPushButton] = []
        self._own = QLineEdit()
        self._own.setObjectName(f"promptBuilder{part.title}Edit")
        self._own.setAccessibleName(f"{part.title}: own words")
        self._own.setPlaceholderText("Own words")
        self._own.setClearButtonEnabled(True)
        self._own.textChanged.connect(self.changed)
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        title = QLabel(part.title)
        mark(title, "role", "heading")
        about = QLabel(part.about)
        mark(about, "role", "caption")
        row = FlowLayout(spacing=GRID // 2)
        for choice in part.choices:
            row.addWidget(self._chip(part, choice))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addWidget(title)
        column.addWidget(about)
        column.addLayout(row)
        column.addWidget(self._own)

    @property
    def words(self) -> list[str]:
        """What is chosen, own words last."""
        return [*(chip.text() for chip in self._chips if chip.isChecked()), self._own.text()]

    def clear(self) -> None:
        """Choose nothing."""
        self._own.clear()
        for chip in self._chips:
            chip.setChecked(False)

    def _chip(self, part: PromptPart, choice: str) -> QPushButton:
        chip = QPushButton(choice)
        chip.setCheckable(True)
        chip.setAutoDefault(False)
        chip.setAccessibleName(f"{part.title}: {choice}")
        mark(chip, "chip", True)
        self._chips.append(chip)
        self._group.addButton(chip)
        chip.toggled.connect(lambda on: self._on_toggled(chip, on, part.many))
        return chip

    def _on_toggled(self, chip: QPushButton, on: bool, many: bool) -> None:
        if on and not many:
            for other in self._chips:
                if other is not chip:
                    other.setChecked(False)
        self.changed.emit()
