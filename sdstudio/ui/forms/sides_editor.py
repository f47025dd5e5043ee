"""How much is added at each side of a picture: four numbers, where the sides are."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Parameter
from sdstudio.core.request.outpaint_fields import LARGEST_PX, Sides, sides_in
from sdstudio.ui.forms.editor import Editor, camel, guard_wheel, tooltip
from sdstudio.ui.forms.number_editor import NUMBER_MIN_WIDTH, IntegerBox
from sdstudio.ui.theme import GRID, mark

_PLACES: Final = {"left": (0, 0), "right": (0, 2), "top": (1, 0), "bottom": (1, 2)}
"""Side -> row and column of its title; its number stands behind that."""


class SidesEditor(Editor):
    """Four spin boxes; what is typed stays as it is until it is checked."""

    def __init__(self, row: Parameter) -> None:
        number = Parameter(
            row.name, row.title, row.description, FieldKind.INTEGER, 0, row.ui, minimum=0, maximum=LARGEST_PX - 1
        )
        self.boxes = {name: IntegerBox(number) for name in Sides._fields}
        super().__init__(row, self.boxes["left"])
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID // 2)
        for name, (line, column) in _PLACES.items():
            box = self.boxes[name]
            label = QLabel(name.capitalize(), self)
            mark(label, "role", "muted")
            label.setBuddy(box)
            if box is not self.field:
                box.setObjectName(f"{camel(row.name)}{name.capitalize()}SpinBox")
                box.setAccessibleName(f"{row.title}, {name}")
                box.setToolTip(tooltip(row))
            box.setMinimumWidth(NUMBER_MIN_WIDTH)
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
            guard_wheel(box)
            grid.addWidget(label, line, column)
            grid.addWidget(box, line, column + 1)
            grid.setColumnStretch(column + 1, 1)
            box.valueChanged.connect(lambda _value: self.edited.emit())
            box.editingFinished.connect(self.finished)

    def value(self) -> Any:
        """Return what is added, as the request has it, allowed or not; blank for nothing."""
        return str(Sides(**{name: box.value() for name, box in self.boxes.items()}))

    def set_value(self, value: Any) -> None:
        """Show what is added; of a text that is not allowed nothing."""
        try:
            sides = sides_in(value)
        except InvalidRequest:
            sides = Sides()
        was = self.value()
        for name, px in sides._asdict().items():
            self.boxes[name].blockSignals(True)
            self.boxes[name].setValue(px)
            self.boxes[name].blockSignals(False)
        if self.value() != was:
            self.edited.emit()
