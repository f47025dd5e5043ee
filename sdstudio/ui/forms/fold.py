"""A group of fields under its name. A folded one still shows how many of them differ from their defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from sdstudio.ui import theme
from sdstudio.ui.forms.editor import camel
from sdstudio.ui.forms.size_field import SizeField
from sdstudio.ui.theme import GRID, mark, set_icon

_MARK_PX: Final = 16


class Fold(QWidget):
    """Fields and a line below them; a foldable group shows its fields only when opened.

    Args:
        title: Its name.
        fields: What it holds.
        foldable: Whether it can be folded.
        has_line: Whether a line is drawn below.
    """

    #: All of its fields are to go back to their defaults.
    reset_wanted = Signal()

    def __init__(self, title: str, fields: Sequence[QWidget], foldable: bool, has_line: bool) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self._inside = QWidget()
        inside = QVBoxLayout(self._inside)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(12)
        for field in fields:
            inside.addWidget(field)
        self._fields = tuple(fields)
        self._title = title
        self._button: QToolButton | None = None
        self.mark = GroupMark(title, self)
        self.mark.clicked.connect(self.reset_wanted)
        if foldable:
            column.addLayout(self._head(title))
            self.set_open(False)
        elif len(fields) > 1 or isinstance(fields[0], SizeField):
            head = QLabel(title)
            mark(head, "role", "group")
            column.addWidget(head)
        column.addWidget(self._inside)
        if has_line:
            line = QFrame()
            mark(line, "separator", True)
            column.addSpacing(12 - GRID)
            column.addWidget(line)

    @property
    def is_open(self) -> bool:
        """Whether the fields are shown."""
        return not self._inside.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Show or hide the fields."""
        if self._button is not None:
            self._inside.setVisible(is_open)
            self._button.setChecked(is_open)
            set_icon(self._button, "chevron-down" if is_open else "chevron-right", "muted")

    def show_if_any(self) -> None:
        """Be there as long as one of the fields is: a name with nothing below it says nothing."""
        self.setVisible(any(not field.isHidden() for field in self._fields))

    def show_changed(self, titles: Sequence[str]) -> None:
        """Show at the title which of the fields differ from their defaults."""
        self.mark.show_changed(titles)
        if self._button is not None:
            changes = f", {len(titles)} changed" if titles else ""
            self._button.setAccessibleName(f"{self._title} parameters{changes}")

    def _head(self, title: str) -> QHBoxLayout:
        self._button = QToolButton()
        self._button.setText(title)
        self._button.setObjectName(camel("_".join(title.lower().split())) + "FoldButton")
        self._button.setAccessibleName(f"{title} parameters")
        self._button.setCheckable(True)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        mark(self._button, "fold", True)
        self._button.toggled.connect(self.set_open)
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        row.addWidget(self._button)
        row.addWidget(self.mark)
        row.addStretch(1)
        return row


class GroupMark(QAbstractButton):
    """A dot and a number: so many of a group's values differ from their defaults; a click takes them all back."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"{title.lower()}ResetButton")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._title = title
        self.setAccessibleName(f"{title}: reset")  # until something is changed there
        self.hide()

    def show_changed(self, titles: Sequence[str]) -> None:
        """Show how many differ, and which; hidden while none does."""
        self.setText(str(len(titles)))
        self.setAccessibleName(f"{self._title}: reset {len(titles)} changed")
        self.setToolTip(f"Changed: {', '.join(titles)}. Click to reset the group.")
        self.setVisible(bool(titles))
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as dot and number."""
        return QSize(_MARK_PX + self.fontMetrics().horizontalAdvance(self.text()) + GRID // 2, _MARK_PX)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Never cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the dot, or the arrow back while pointed at or focused, and the number behind it."""
        colour = QColor(theme.tokens().accent_text)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        if self.underMouse() or self.hasFocus():
            side = _MARK_PX - 4
            arrow = theme.pixmap("rotate-ccw", "accent_text", side, self.devicePixelRatioF())
            painter.drawPixmap(2, round(middle - side / 2), arrow)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QRectF(_MARK_PX / 2 - 3, middle - 3, 6, 6))
        painter.setPen(colour)
        room = QRectF(_MARK_PX, 0, self.width() - _MARK_PX, self.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.end()
