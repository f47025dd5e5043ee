"""What every editor of a form has in common: a value of one parameter, public names, tooltips and a tamed wheel."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QWidget,
)

from sdstudio.core.params import FieldKind, Parameter
from sdstudio.ui.theme import GRID
from sdstudio.ui.widgets.tooltips import wrapped


class Editor(QWidget):
    """Holds one value of one parameter."""

    #: After every change of the value, by the user or by the program.
    edited = Signal()
    #: When the user is done with the field: Enter, focus gone, a click.
    finished = Signal()

    def __init__(self, row: Parameter, field: QWidget) -> None:
        super().__init__()
        self.row = row
        self.field = field
        self.setFocusProxy(field)
        name(field, row)
        guard_wheel(field)

    def value(self) -> Any:
        """Return the value of the field, allowed or not."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value."""
        raise NotImplementedError

    def set_row(self, row: Parameter) -> None:
        """Take new bounds; the value stays."""
        self.row = row
        self.field.setToolTip(tooltip(row))


class _WheelGuard(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()  # goes on to the scroll area behind
            return True
        return False


def guard_wheel(field: QWidget) -> None:
    """Let the wheel change a field only while it has the focus."""
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.installEventFilter(_WheelGuard(field))


_SUFFIXES: Final = (
    (QAbstractSpinBox, "SpinBox"),
    (QComboBox, "ComboBox"),
    (QLineEdit, "Edit"),
    (QCheckBox, "CheckBox"),
    (QListWidget, "ListView"),
    (QAbstractButton, "Button"),
)


def name(field: QWidget, row: Parameter) -> None:
    """Give a field its public object name (``guidanceScaleSpinBox``), accessible name and tooltip."""
    suffix = next(suffix for kind, suffix in _SUFFIXES if isinstance(field, kind))
    field.setObjectName(camel(row.name) + suffix)
    field.setAccessibleName(row.title)
    field.setAccessibleDescription(row.description)
    field.setToolTip(tooltip(row))


def camel(snake: str) -> str:
    """Turn ``guidance_scale`` into ``guidanceScale``."""
    first, *others = snake.split("_")
    return first + "".join(word.capitalize() for word in others)


def tooltip(row: Parameter) -> str:
    """Return a parameter's description and what is allowed, wrapped."""
    is_number = row.kind in (FieldKind.INTEGER, FieldKind.OPTIONAL, FieldKind.NUMBER)
    allowed = is_number and row.minimum is not None and row.maximum is not None
    return wrapped(row.description, f"Allowed: {row.allowed}." if allowed else "")


def in_a_row(widget: QWidget) -> QHBoxLayout:
    """Lay a widget out as a row without margins."""
    layout = QHBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GRID)
    return layout
