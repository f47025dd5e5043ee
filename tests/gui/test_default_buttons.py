"""Enter presses the default button of a dialog, or the button that has the focus."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit, QPushButton, QVBoxLayout

from sdstudio.history.database.past_prompts import PastPrompt
from sdstudio.ui.pages.create.prompt.past_prompts_dialog import PastPrompts
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.window.about_dialog import AboutDialog


def shown(qtbot, dialog: QDialog) -> None:
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.show()


def test_enter_presses_the_filled_button_from_a_field_and_another_one_with_the_focus(qtbot):
    dialog, pressed = QDialog(), []
    cancel = push_button(dialog, "cancelIt", "Cancel", "", lambda: pressed.append("cancel"))
    save = push_button(dialog, "saveIt", "Save", "save", lambda: pressed.append("save"))
    fill(save, "save")
    field = QLineEdit(dialog)
    column = QVBoxLayout(dialog)
    for part in (field, cancel, save):
        column.addWidget(part)
    shown(qtbot, dialog)
    for part in (field, cancel, save):
        part.setFocus()
        QTest.keyClick(part, Qt.Key.Key_Return)
    assert pressed == ["save", "cancel", "save"]


def test_enter_closes_what_only_tells(qtbot, home):
    dialog = AboutDialog(home, None)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    shown(qtbot, dialog)
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    assert not dialog.isVisible()


def test_enter_in_the_search_of_past_prompts_uses_the_first_one_found(qtbot):
    past = PastPrompt("red heart", "", 1, 1)
    dialog = PastPrompts(lambda _query, show: show([past]))
    shown(qtbot, dialog)
    dialog.open_at_search()
    with qtbot.waitSignal(dialog.replace_requested) as used:
        QTest.keyClick(dialog.search, Qt.Key.Key_Return)
    assert used.args == [past]
    with qtbot.waitSignal(dialog.insert_requested):
        QTest.keyClick(dialog.findChild(QPushButton, "pastPromptsInsertButton"), Qt.Key.Key_Return)
