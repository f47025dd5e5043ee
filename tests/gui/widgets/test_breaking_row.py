"""A row of fields that breaks has the height of its rows at once, not after it was seen in one."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from sdstudio.ui.widgets.breaking_row import BreakingRow


def test_a_broken_row_pushes_nothing_down_after_it_was_first_seen(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    row, below = BreakingRow(400, window), QLabel("below", window)
    for at, layout in enumerate((row.first, row.second)):
        layout.addWidget(QPushButton(f"Field {at}", row))
    column = QVBoxLayout(window)
    column.addWidget(row)
    column.addWidget(below, 1)
    places = []
    for width in (300, 600):
        window.resize(width, 300)
        window.show()
        places.append(below.y())
        qtbot.wait(10)
        assert below.y() == places[-1], width
    assert places[0] > places[1] + 20
