"""A number that may be none: a box switches it on, and the number it had last comes back."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QSpinBox

from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.field import Field

ROW = next(row for row in parameters(GenerationRequest) if row.name == "only_masked")


def test_the_box_switches_the_number_on_and_off(qtbot):
    field = Field(ROW)
    qtbot.addWidget(field)
    field.show()
    box, spin = field.findChild(QCheckBox, "onlyMaskedCheckBox"), field.findChild(QSpinBox, "onlyMaskedSpinBox")
    assert box is not None
    assert spin is not None
    assert (field.value(), spin.isEnabled(), box.text()) == (None, False, "Only masked")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert (field.value(), spin.isEnabled()) == (32, True)
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, "999")
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert field.value() == 999
    assert field.error == "Only masked = 999: allowed is 0 to 256. Use 256."
    qtbot.keyClick(spin, Qt.Key.Key_Down)
    assert field.value() == 256
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert field.value() is None
    assert not field.is_changed
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert field.value() == 256
