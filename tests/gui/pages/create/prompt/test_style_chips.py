"""Chips of styles below the prompt: none is cut off, whatever room there is; the others are behind the last."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMenu, QPushButton

from sdstudio.ui.pages.create.prompt.style_chips import BelowPrompt, StyleChips
from sdstudio.ui.theme import apply_theme

NAMES = ("Photograph", "Portrait", "Watercolour", "Oil painting", "Pencil drawing", "Pixel art")


@pytest.fixture
def holder(qapp, qtbot):
    apply_theme(qapp, "dark")
    made = BelowPrompt(StyleChips(), QLabel("12 / 75"), QLabel("tools"))
    qtbot.addWidget(made)
    made.resize(700, 60)
    made.show()
    return made


@pytest.fixture
def chips(holder):
    return holder.findChild(StyleChips)


def shown(chips):
    return [chip for chip in chips.findChildren(QPushButton) if chip.isVisible() and chip is not chips.more_button]


@pytest.mark.parametrize("width", [240, 280, 340, 420, 500, 700, 1200])
def test_what_is_shown_lies_whole_within_its_line(holder, chips, width):
    holder.resize(width, 90)
    chips.set_names(NAMES)
    QTest.qWait(0)
    assert shown(chips) or width < 280
    for part in (*shown(chips), chips.more_button):
        if part.isVisible():
            corner = part.mapTo(chips, QPoint(part.width(), part.height()))
            assert corner.x() <= chips.width() + 1
            assert corner.y() <= chips.height()
    hidden = len(NAMES) - len(shown(chips))
    assert chips.more_button.isVisible() is (hidden > 0)
    assert chips.more_button.text() == f"+{hidden}"
    assert holder.minimumSizeHint().width() <= width


def test_a_narrow_line_is_no_higher_and_has_the_chips_behind_the_last(holder, chips):
    holder.resize(700, 60)
    QTest.qWait(0)
    height = holder.sizeHint().height()
    chips.set_names(NAMES[:2])
    QTest.qWait(0)
    assert not chips.more_button.isVisible()
    assert holder.sizeHint().height() == height
    holder.resize(280, 60)
    QTest.qWait(0)
    assert holder.sizeHint().height() == height
    assert len(shown(chips)) + int(chips.more_button.text()) == 2


def test_those_behind_the_last_chip_can_be_taken_away_too(holder, chips):
    holder.resize(280, 90)
    chips.set_names(NAMES)
    QTest.qWait(0)
    QTest.mouseClick(chips.more_button, Qt.MouseButton.LeftButton)
    menu = chips.findChild(QMenu)
    action = menu.actions()[-1]
    assert action.text() == "Take Pixel art away"
    action.trigger()
    menu.close()
    assert chips.names == NAMES[:-1]
