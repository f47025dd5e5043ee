"""The tools of painting below the picture, in the place that strip and caption have: nothing moves when one paints."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QMenu, QSpinBox, QToolButton, QWidget

from sdstudio.ui.forms.editor import guard_wheel
from sdstudio.ui.pages.create.mask.brush import HARDNESS_STEP, SIZES_PX, Hand
from sdstudio.ui.pages.create.mask.rows import COMMANDS, TOOLS
from sdstudio.ui.theme import GRID, icon, mark, scaled
from sdstudio.ui.widgets.buttons import push_button, small_button
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.menu_buttons import unlit_after

_SPIN_PX: Final = 80
_NARROW_PX: Final = 340


class MaskToolBar(QFrame):
    """Tools, size and hardness, what can be done to the mask as a whole, and the way out.

    Args:
        hand: What is painted with.
        parent: As Qt has it.
    """

    #: Something is to be done to the whole mask; carries the key of its row.
    wanted = Signal(str)
    #: A number was typed and Enter pressed: the keys are to go to the picture again.
    typed = Signal()
    #: Painting is over; the mask stays.
    done = Signal()

    def __init__(self, hand: Hand, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maskToolBar")
        self._hand = hand
        self._flow = FlowLayout(GRID, self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._tools: dict[str, QToolButton] = {}
        self._labels: list[QLabel] = []
        self._flow.addWidget(self._tool_row())
        self.size_box = self._number("maskSizeSpinBox", "Size", " px", SIZES_PX[0], SIZES_PX[-1], hand.set_size)
        self.hardness_box = self._number("maskHardnessSpinBox", "Hardness", " %", 0, 100, hand.set_hardness)
        self.hardness_box.setSingleStep(HARDNESS_STEP)
        self.size_box.setToolTip("How wide the brush is, in pixels of the picture ([ and ], Ctrl and the wheel)")
        self.hardness_box.setToolTip("How sharp the brush's edge is (Shift+[ and Shift+])")
        self._flow.addWidget(self._last_row())
        hand.changed.connect(self._show)
        self._show()

    def _tool_row(self) -> QWidget:
        row, line = _row()
        group = QButtonGroup(self)
        for tool in TOOLS:
            button = small_button(tool.icon, tool.title, f"{tool.title}: {_lower(tool.about)} ({tool.letter})")
            button.setObjectName(f"mask_{tool.key}")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            mark(button, "ghost", True)
            button.clicked.connect(lambda _checked=False, key=tool.key: self._hand.take(key))
            group.addButton(button)
            self._tools[tool.key] = button
            line.addWidget(button)
        return row

    def _number(self, name: str, title: str, unit: str, least: int, most: int, act: object) -> QSpinBox:
        row, line = _row()
        label = QLabel(title, row)
        mark(label, "role", "muted")
        box = QSpinBox(row)
        box.setObjectName(name)
        box.setAccessibleName(title)
        box.setRange(least, most)
        box.setSuffix(unit)
        box.setFixedWidth(_SPIN_PX)
        box.setKeyboardTracking(False)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.valueChanged.connect(act)
        box.lineEdit().returnPressed.connect(self.typed)
        guard_wheel(box)
        label.setBuddy(box)
        self._labels.append(label)
        line.addWidget(label)
        line.addWidget(box)
        self._flow.addWidget(row)
        return box

    def _last_row(self) -> QWidget:
        row, line = _row()
        self.hide_button = small_button("eye-off", "Hide the mask", "Show the picture without the mask, or with it (H)")
        self.hide_button.setObjectName("maskHideButton")
        self.hide_button.setCheckable(True)
        mark(self.hide_button, "ghost", True)
        self.hide_button.clicked.connect(lambda: self.wanted.emit("mask_hide"))
        self.more_button = small_button(
            "ellipsis", "What can be done to the mask", "Invert, clear, grow, load and more"
        )
        self.more_button.setObjectName("maskMoreButton")
        mark(self.more_button, "ghost", True)
        self.more_button.clicked.connect(self._open_menu)
        self.done_button = push_button(
            row, "maskDoneButton", "Done", "check", self.done.emit, "Leave painting; the mask stays (Esc)"
        )
        for button in (self.hide_button, self.more_button, self.done_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            line.addWidget(button)
        return row

    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("maskMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        submenus: dict[str, QMenu] = {}
        group = COMMANDS[0].group
        for row in COMMANDS:
            if row.group != group:
                menu.addSeparator()
            group = row.group
            if row.menu and row.menu not in submenus:
                submenus[row.menu] = menu.addMenu(row.menu)
            action = submenus.get(row.menu, menu).addAction(f"{row.title}\t{row.keys}" if row.keys else row.title)
            action.setObjectName(row.key)
            if row.icon:
                action.setIcon(icon(row.icon))
            action.triggered.connect(lambda _checked=False, key=row.key: self.wanted.emit(key))
        unlit_after(menu, self.more_button)
        menu.popup(self.more_button.mapToGlobal(QPoint(0, 0)) - QPoint(0, menu.sizeHint().height()))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Leave words out where they would cost a line that the picture needs."""
        has_words = event.size().width() >= scaled(_NARROW_PX)
        for label in self._labels:
            label.setVisible(has_words)
        self.done_button.setText(" Done" if has_words else "")
        super().resizeEvent(event)

    def show_hidden(self, is_hidden: bool) -> None:
        """Say whether the mask is hidden."""
        self.hide_button.setChecked(is_hidden)

    def _show(self) -> None:
        hand = self._hand
        self._tools[hand.tool.key].setChecked(True)
        for box, value in ((self.size_box, hand.size_px), (self.hardness_box, hand.hardness)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)


def _row() -> tuple[QWidget, QHBoxLayout]:
    row = QWidget()
    mark(row, "bare", True)
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(GRID // 2)
    return row, line


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
