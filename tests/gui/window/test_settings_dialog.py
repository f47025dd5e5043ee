"""The settings dialog: every setting there, explained, applied at once, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QListWidget, QPushButton, QWidget

from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.settings import Settings
from sdstudio.ui.theme import apply_theme
from sdstudio.ui.window.settings_dialog import SettingsDialog

ROWS = parameters(Settings)
EVERY_SETTING = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture
def dialog(qapp: QApplication, qtbot) -> SettingsDialog:
    apply_theme(qapp, "dark")
    made = SettingsDialog(Settings())
    qtbot.addWidget(made)
    made.show()
    with qtbot.waitActive(made):
        made.activateWindow()
    return made


@pytest.fixture(scope="module")
def lasting(qapp: QApplication) -> Iterator[SettingsDialog]:
    apply_theme(qapp, "dark")
    made = SettingsDialog(Settings())
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def lent(lasting: SettingsDialog) -> Iterator[SettingsDialog]:
    """A dialog for many tests, that each leaves with the settings of a start."""
    lasting.show()
    lasting.activateWindow()
    assert QTest.qWaitForWindowActive(lasting)
    yield lasting
    settings, is_visible = lasting.settings, lasting.isVisible()
    lasting.set_settings(Settings())  # one that fails does not fail the next
    assert settings == Settings()
    assert is_visible


def press(dialog: SettingsDialog, name: str) -> None:
    QTest.mouseClick(dialog.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def change(dialog: SettingsDialog, row: Parameter) -> None:
    """Change a setting as a hand would."""
    widget = dialog.field(row.name).editor.field
    match row.kind:
        case FieldKind.TOGGLE:
            QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(8, widget.height() // 2))
        case FieldKind.CHOICE:
            widget.setFocus()
            QTest.keyClick(widget, Qt.Key.Key_Down)
        case FieldKind.INTEGER | FieldKind.NUMBER:
            widget.setFocus()
            QTest.keyClick(widget, Qt.Key.Key_Up)
        case FieldKind.FOLDER:
            QTest.keyClicks(widget, str(Path.cwd()))
            QTest.keyClick(widget, Qt.Key.Key_Return)
        case FieldKind.TEXT:
            widget.setFocus()
            QTest.keyClicks(widget, "mine")
            QTest.keyClick(widget, Qt.Key.Key_Return)
        case _:
            dialog.field(row.name).set_value((Path("models"),))


@EVERY_SETTING
def test_every_setting_is_shown_in_its_group_with_its_description(row: Parameter, lent: SettingsDialog) -> None:
    lent.show_group(row.ui.group)
    field = lent.field(row.name)
    assert field.isVisible()
    said = [label.text() for label in field.findChildren(QLabel) if label.isVisible()]
    assert row.description in said
    assert field.editor.field.accessibleName() == row.title


@EVERY_SETTING
def test_every_setting_applies_at_once_and_resets_with_a_click(row: Parameter, lent: SettingsDialog, qtbot) -> None:
    lent.show_group(row.ui.group)
    with qtbot.waitSignal(lent.settings_changed) as heard:
        change(lent, row)
    (settings,) = heard.args
    assert settings == lent.settings
    assert getattr(settings, row.name) != row.default
    assert settings.model_copy(update={row.name: row.default}) == Settings()
    with qtbot.waitSignal(lent.settings_changed) as heard:
        QTest.mouseClick(lent.field(row.name).mark, Qt.MouseButton.LeftButton)
    assert heard.args == [Settings()]


def test_it_is_not_modal_and_asks_for_no_ok(dialog: SettingsDialog) -> None:
    assert not dialog.isModal()
    assert [b.text() for b in dialog.findChildren(QPushButton) if b.text() in ("OK", "Apply", "Save")] == []


def test_text_is_applied_when_it_is_typed_to_its_end(dialog: SettingsDialog, qtbot) -> None:
    dialog.show_group("Safety")
    edit = dialog.findChild(QLineEdit, "safetyFilterEdit")
    edit.setFocus()
    with qtbot.assertNotEmitted(dialog.settings_changed):
        QTest.keyClicks(edit, "my-filter")
    with qtbot.waitSignal(dialog.settings_changed):
        QTest.keyClick(edit, Qt.Key.Key_Return)
    assert dialog.settings.safety_filter == "my-filter"
    assert dialog.isVisible()  # Enter closes nothing


def test_half_a_number_is_no_setting_and_a_wrong_one_is_told_at_its_field(dialog: SettingsDialog, qtbot) -> None:
    field = dialog.field("font_size")
    spin = field.editor.field
    spin.setFocus()
    spin.selectAll()
    heard: list[Settings] = []
    dialog.settings_changed.connect(heard.append)
    QTest.keyClicks(spin, "12")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert [settings.font_size for settings in heard] == [12]
    spin.selectAll()
    QTest.keyClicks(spin, "99")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert "Font size = 99" in field.error
    assert dialog.settings.font_size == 12


def test_reset_all_is_one_change_and_can_be_undone(dialog: SettingsDialog, qtbot) -> None:
    mine = Settings(theme="light", vae_tiling=True, safety_filter="x", model_folders=(Path("a"),))
    dialog.set_settings(mine)
    heard: list[Settings] = []
    dialog.settings_changed.connect(heard.append)
    press(dialog, "resetSettingsButton")
    assert heard == [Settings()]
    assert dialog.findChild(QPushButton, "resetSettingsButton").text() == "Undo reset"
    assert dialog.findChild(QComboBox, "themeComboBox").currentText() == "System"
    press(dialog, "resetSettingsButton")
    assert heard == [Settings(), mine]
    assert dialog.field("model_folders").value() == (Path("a"),)


def test_reset_all_has_nothing_to_do_at_the_defaults(dialog: SettingsDialog) -> None:
    reset = dialog.findChild(QPushButton, "resetSettingsButton")
    assert not reset.isEnabled()
    dialog.field("autocast").set_value(True)
    assert reset.isEnabled()


def test_showing_other_settings_tells_nobody(dialog: SettingsDialog, qtbot) -> None:
    with qtbot.assertNotEmitted(dialog.settings_changed):
        dialog.set_settings(Settings(device="cpu", previews=False))
    assert dialog.settings == Settings(device="cpu", previews=False)
    assert dialog.field("device").value() == "cpu"


def test_groups_are_turned_to_by_keyboard(dialog: SettingsDialog) -> None:
    groups = dialog.findChild(QListWidget, "settingsGroups")
    groups.setFocus()
    QTest.keyClick(groups, Qt.Key.Key_End)
    assert groups.currentItem().text() == ROWS[-1].ui.group
    assert dialog.field(ROWS[-1].name).isVisible()
    assert not dialog.field("theme").isVisible()


def test_every_widget_one_can_use_has_an_accessible_name(dialog: SettingsDialog) -> None:
    usable = [field.editor.field for field in (dialog.field(row.name) for row in ROWS)]
    usable += dialog.findChildren(QListWidget)
    assert [widget.objectName() for widget in usable if not widget.accessibleName()] == []


def test_descriptions_are_never_cut(dialog: SettingsDialog) -> None:
    for group in {row.ui.group for row in ROWS}:
        dialog.show_group(group)
        QApplication.processEvents()
        for label in dialog.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width())


def test_closing_hides_it(dialog: SettingsDialog) -> None:
    press(dialog, "closeSettingsButton")
    assert not dialog.isVisible()
    assert isinstance(dialog, QWidget)
