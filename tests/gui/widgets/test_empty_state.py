"""What an empty place says is whole where there is little room."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QLabel, QWidget

from sdstudio.ui.widgets.empty_state import EmptyState


def test_a_heading_of_two_lines_takes_the_margin_before_it_is_cut(qtbot: Any) -> None:
    room = QWidget()
    qtbot.addWidget(room)
    empty = EmptyState("image", "What shall we draw?", "Type a prompt below.", room)
    heading = next(label for label in empty.findChildren(QLabel) if label.text() == "What shall we draw?")
    narrow = heading.fontMetrics().horizontalAdvance("What shall we") + 40  # and its margins at the sides
    empty.resize(narrow, 400)
    room.show()
    qtbot.waitUntil(lambda: 0 < heading.width() < narrow)
    needed = heading.heightForWidth(heading.width())
    assert needed > heading.fontMetrics().height() * 1.5, "it has two lines"
    empty.resize(narrow, needed + 20)
    qtbot.waitUntil(lambda: empty.height() == needed + 20 and heading.height() >= needed, timeout=5_000)
    assert empty.rect().contains(heading.geometry())
