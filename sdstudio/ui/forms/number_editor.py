"""Numbers: a spin box that takes whatever is typed, with a slider where the declaration asks for one.

Nothing typed is corrected: a number out of bounds stays as it is until it is checked and reported. Arrows, wheel and
slider keep to the bounds and to the grid of multiples.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QDoubleSpinBox, QSlider, QSpinBox, QStyle, QStyleOptionSlider

from sdstudio.core.params import FieldKind, Parameter
from sdstudio.ui.forms.editor import Editor, camel, guard_wheel, in_a_row, tooltip

TYPED_LIMIT: Final = 99_999_999
"""Largest number a spin box takes by typing; what is allowed is checked and reported, not cut off while typing."""
NUMBER_WIDTH: Final = 88
NUMBER_MIN_WIDTH: Final = 64


class NumberEditor(Editor):
    """A number in a spin box, and its ``slider`` where the declaration asks for one, for the form to place."""

    def __init__(self, row: Parameter) -> None:
        spin = IntegerBox(row) if row.kind is FieldKind.INTEGER else NumberBox(row)
        super().__init__(row, spin)
        self.spin: IntegerBox | NumberBox = spin
        self.slider: JumpSlider | None = None
        spin.setMinimumWidth(NUMBER_MIN_WIDTH)  # Qt would make room for the longest number one can type
        spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        in_a_row(self).addWidget(spin)
        if row.ui.slider and row.minimum is not None and row.maximum is not None:
            self.slider = JumpSlider()
            self.slider.setObjectName(camel(row.name) + "Slider")
            self.slider.setAccessibleName(f"{row.title}, slider")
            guard_wheel(self.slider)
            self.slider.valueChanged.connect(self._on_slid)
        self.set_row(row)
        self.spin.valueChanged.connect(self._on_value_changed)
        self.spin.editingFinished.connect(self.finished)

    def value(self) -> Any:
        """Return the number typed."""
        return self.spin.value()

    def set_value(self, value: Any) -> None:
        """Show a number."""
        self.spin.setValue(value)

    def set_row(self, row: Parameter) -> None:
        """Take new bounds for arrows, wheel and slider."""
        super().set_row(row)
        self.spin.row = row
        if self.slider is not None:
            self.slider.blockSignals(True)
            self.slider.setRange(self._notch(row.minimum or 0), self._notch(row.maximum or 0))
            self.slider.setPageStep(max(1, (self.slider.maximum() - self.slider.minimum()) // 10))
            self.slider.setToolTip(tooltip(row))
            self.slider.blockSignals(False)
            self._show_on_slider()

    def _notch(self, value: float) -> int:
        return round(value / self.row.ui.step)

    def _show_on_slider(self) -> None:
        if self.slider is not None:
            self.slider.blockSignals(True)
            self.slider.setValue(self._notch(self.spin.value()))
            self.slider.blockSignals(False)

    def _on_value_changed(self) -> None:
        self._show_on_slider()
        self.edited.emit()

    def _on_slid(self, notch: int) -> None:
        self.set_value(
            int(notch * self.row.ui.step) if self.row.kind is FieldKind.INTEGER else notch * self.row.ui.step
        )
        self.finished.emit()


class OptionalNumberEditor(Editor):
    """A whole number in a spin box, or none while its ``box`` is not ticked; the form places that, with the title."""

    def __init__(self, row: Parameter) -> None:
        spin = IntegerBox(row)
        super().__init__(row, spin)
        self.spin = spin
        self.box = QCheckBox(row.title)
        self.box.setObjectName(camel(row.name) + "CheckBox")
        self.box.setAccessibleName(row.title)
        spin.setMinimumWidth(NUMBER_MIN_WIDTH)
        spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        spin.setValue(row.ui.begins)
        spin.setEnabled(False)
        in_a_row(self).addWidget(spin)
        self.set_row(row)
        self.box.toggled.connect(spin.setEnabled)
        self.box.toggled.connect(self.edited)
        self.box.clicked.connect(self.finished)
        spin.valueChanged.connect(self.edited)
        spin.editingFinished.connect(self.finished)

    def value(self) -> int | None:
        """Return the number, ``None`` while it is switched off."""
        return self.spin.value() if self.box.isChecked() else None

    def set_value(self, value: Any) -> None:
        """Show a number, or that there is none."""
        if value is not None:
            self.spin.setValue(value)
        self.box.setChecked(value is not None)

    def set_row(self, row: Parameter) -> None:
        """Take new bounds for arrows and wheel."""
        super().set_row(row)
        self.spin.row = row
        self.box.setToolTip(tooltip(row))


class IntegerBox(QSpinBox):
    """Takes any whole number by typing; arrows and wheel keep to the bounds and to multiples."""

    #: Another number was typed, or reached by arrows or wheel, never by program; carries it.
    moved = Signal(int)

    def __init__(self, row: Parameter) -> None:
        super().__init__()
        self.row = row
        self.lineEdit().textEdited.connect(lambda text: self.moved.emit(self.valueFromText(text)))
        self.setRange(-TYPED_LIMIT, TYPED_LIMIT)
        if row.ui.unit:
            self.setSuffix(f" {row.ui.unit}")

    def stepBy(self, steps: int) -> None:  # noqa: N802 (Qt's name)
        """Move by notches, onto the grid of multiples."""
        notch = int(self.row.ui.step)
        value, rest = divmod(self.value(), self.row.multiple_of or 1)
        value *= self.row.multiple_of or 1
        if rest and steps < 0:
            steps += 1
        self.setValue(int(_within(self.row, value + steps * notch)))
        self.moved.emit(self.value())

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:  # noqa: N802 (Qt's name)
        """Arrows end at the bounds."""
        return _steps_left(self.row, self.value())


class NumberBox(QDoubleSpinBox):
    """Takes any number by typing, with as many digits as it has; arrows and wheel keep to the bounds."""

    def __init__(self, row: Parameter) -> None:
        super().__init__()
        self.row = row
        self.setDecimals(max(4, row.ui.decimals))
        self.setRange(-TYPED_LIMIT, TYPED_LIMIT)
        if row.ui.unit:
            self.setSuffix(f" {row.ui.unit}")

    def textFromValue(self, value: float) -> str:  # noqa: N802 (Qt's name)
        """Show the declared digits, and more only where the value has them."""
        digits = next(
            d
            for d in range(self.row.ui.decimals, self.decimals() + 1)
            if d == self.decimals() or round(value, d) == value
        )
        return self.locale().toString(float(value), "f", digits).replace(self.locale().groupSeparator(), "")

    def stepBy(self, steps: int) -> None:  # noqa: N802 (Qt's name)
        """Move by notches."""
        self.setValue(_within(self.row, round(self.value() + steps * self.row.ui.step, self.decimals())))

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:  # noqa: N802 (Qt's name)
        """Arrows end at the bounds."""
        return _steps_left(self.row, self.value())


class JumpSlider(QSlider):
    """A horizontal slider whose handle comes to where one presses."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMinimumWidth(64)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring the handle under the pointer, then drag as usual."""
        if event.button() is Qt.MouseButton.LeftButton:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            style = self.style()
            handle = style.subControlRect(
                QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
            )
            if not handle.contains(event.position().toPoint()):
                left, span = handle.width() // 2, self.width() - handle.width()
                place = round(event.position().x()) - left
                self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), place, span))
        super().mousePressEvent(event)


def _within(row: Parameter, value: float) -> float:
    low, high = row.minimum, row.maximum
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)


def _steps_left(row: Parameter, value: float) -> QAbstractSpinBox.StepEnabledFlag:
    flag = QAbstractSpinBox.StepEnabledFlag
    left = flag.StepNone
    if row.maximum is None or value < row.maximum:
        left |= flag.StepUpEnabled
    if row.minimum is None or value > row.minimum:
        left |= flag.StepDownEnabled
    return left
