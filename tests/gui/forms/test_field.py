"""A form: every kind and every declared parameter as a widget, used by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QSpinBox,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.params import Choice, FieldKind, Parameter, Ui, parameters
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.core.settings import Settings
from sdstudio.ui.forms.editor import camel
from sdstudio.ui.forms.editors import ChoiceEditor, FoldersEditor, SeedEditor
from sdstudio.ui.forms.field import Field, editor_for, fits
from sdstudio.ui.forms.number_editor import NumberEditor
from sdstudio.ui.theme import apply_theme

ROWS = [row for model in (GenerationRequest, RunOptions, Settings) for row in parameters(model)]
BY_NAME = {row.name: row for row in ROWS}
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

WIDGETS: dict[FieldKind, tuple[type[QWidget], str]] = {
    FieldKind.TEXT: (QLineEdit, "Edit"),
    FieldKind.INTEGER: (QSpinBox, "SpinBox"),
    FieldKind.OPTIONAL: (QSpinBox, "SpinBox"),
    FieldKind.NUMBER: (QDoubleSpinBox, "SpinBox"),
    FieldKind.TOGGLE: (QCheckBox, "CheckBox"),
    FieldKind.CHOICE: (QComboBox, "ComboBox"),
    FieldKind.SEED: (QLineEdit, "Edit"),
    FieldKind.MODEL: (QComboBox, "ComboBox"),
    FieldKind.FOLDER: (QLineEdit, "Edit"),
    FieldKind.FOLDERS: (QListWidget, "ListView"),
    FieldKind.LORAS: (QComboBox, "ComboBox"),
    FieldKind.VAE: (QComboBox, "ComboBox"),
    FieldKind.PICTURE: (QAbstractButton, "Button"),
    FieldKind.UPSCALER: (QComboBox, "ComboBox"),
    FieldKind.SIDES: (QSpinBox, "SpinBox"),
    FieldKind.DETECTOR: (QComboBox, "ComboBox"),
}

SIZE = Parameter(
    "width",
    "Width",
    "How wide.",
    FieldKind.INTEGER,
    512,
    Ui(unit="px", step=8),
    minimum=64,
    maximum=4096,
    multiple_of=8,
)


@pytest.fixture(autouse=True)
def _dressed(qapp: QApplication) -> None:
    apply_theme(qapp, "dark")


@pytest.fixture
def shown(qtbot):
    def show(widget: QWidget) -> Any:
        qtbot.addWidget(widget)
        widget.show()
        with qtbot.waitActive(widget):
            widget.activateWindow()
        return widget

    return show


def another_value(row: Parameter) -> Any:
    """Return an allowed value that is not the default."""
    match row.kind:
        case FieldKind.INTEGER:
            return (row.default or 0) + (row.multiple_of or 1)
        case FieldKind.OPTIONAL:
            return row.ui.begins + 1
        case FieldKind.NUMBER:
            return row.default + 0.25
        case FieldKind.CHOICE:
            return next(choice.value for choice in row.choices if choice.value != row.default)
        case FieldKind.SEED:
            return SEED_MAXIMUM
        case FieldKind.TOGGLE:
            return not row.default
        case FieldKind.TEXT:
            return "blue 🐸"
        case FieldKind.PICTURE:
            return "5a" * 32
        case FieldKind.MODEL | FieldKind.VAE | FieldKind.UPSCALER | FieldKind.DETECTOR:
            return "another"
        case FieldKind.SIDES:
            return "left=128,bottom=64"
        case FieldKind.LORAS:
            return (("ink", 0.8), ("detail", -0.5))
        case FieldKind.FOLDER:
            return Path("/tmp")
        case FieldKind.FOLDERS:
            return (Path("a"), Path("b"))


@pytest.mark.parametrize("kind", FieldKind)
def test_every_kind_has_its_widget(kind: FieldKind, qtbot) -> None:
    row = Parameter("some_value", "Some value", "Says what.", kind, None, Ui(), choices=(Choice(1, "One"),))
    editor = editor_for(row)
    qtbot.addWidget(editor)
    expected, suffix = WIDGETS[kind]
    assert isinstance(editor.field, expected)
    assert editor.field.objectName() == "someValue" + suffix


@EVERY_ROW
def test_every_parameter_is_named_explained_and_keeps_its_value(row: Parameter, qtbot) -> None:
    field = Field(row)
    qtbot.addWidget(field)
    widget = field.editor.field
    assert widget.objectName() == camel(row.name) + WIDGETS[row.kind][1]
    assert widget.accessibleName() == row.title
    assert row.description.split()[0] in widget.toolTip()
    assert field.value() == row.default
    assert not field.is_changed
    heard: list[bool] = []
    field.changed.connect(lambda: heard.append(True))
    field.set_value(another_value(row))
    assert field.value() == another_value(row)
    assert field.is_changed
    assert heard


@EVERY_ROW
def test_a_changed_parameter_is_marked_and_a_click_resets_it(row: Parameter, shown) -> None:
    field = shown(Field(row))
    assert not field.mark.isVisible()
    field.set_value(another_value(row))
    assert field.mark.isVisible() is (row.kind not in (FieldKind.MODEL, FieldKind.PICTURE)), (
        "one has no default, one a button"
    )
    if row.kind is not FieldKind.MODEL:
        QTest.mouseClick(field.mark, Qt.MouseButton.LeftButton)
        assert field.value() == row.default
        assert not field.mark.isVisible()


def test_what_fits_a_parameter_is_known() -> None:
    assert [row.name for row in ROWS if not fits(row, another_value(row))] == []
    assert [row.name for row in ROWS if fits(row, {"no": "value"})] == []


@EVERY_ROW
def test_every_widget_one_can_use_has_an_accessible_name(row: Parameter, qtbot) -> None:
    field = Field(row)
    qtbot.addWidget(field)
    usable = [w for w in field.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.objectName()]
    nameless = [w.objectName() for w in usable if not w.accessibleName() and not w.objectName().startswith("qt_")]
    assert [name for name in nameless if not name.endswith("Message")] == []


def type_into(spin: QWidget, text: str) -> None:
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, text)
    QTest.keyClick(spin, Qt.Key.Key_Tab)


@pytest.mark.parametrize("typed", ["500", "5000", "0", "7", "-8"])
def test_a_number_that_is_not_allowed_stays_as_typed_and_is_told(typed: str, shown) -> None:
    field = shown(Field(SIZE))
    type_into(field.editor.field, typed)
    assert field.value() == int(typed)
    assert field.error.startswith(f"Width = {typed}: allowed is 64 to 4096 in multiples of 8.")
    assert field.message.isVisible()


def test_a_number_in_the_hint_is_a_link_that_fills_it_in(shown) -> None:
    field = shown(Field(SIZE))
    type_into(field.editor.field, "500")
    assert "Nearest: 496 or 504." in field.error
    assert '<a href="504"' in field.message.text()
    field.message.setFocus()
    QTest.keyClick(field.message, Qt.Key.Key_Tab)  # from the first link to the second
    QTest.keyClick(field.message, Qt.Key.Key_Return)
    assert field.value() in (496, 504)
    assert field.error == ""


def test_editing_takes_the_message_away(shown) -> None:
    field = shown(Field(SIZE))
    type_into(field.editor.field, "500")
    assert field.editor.field.property("invalid") is True
    type_into(field.editor.field, "512")
    assert field.error == ""
    assert not field.message.isVisible()
    assert field.editor.field.property("invalid") is False


def test_a_message_shows_angle_brackets_as_they_are(qtbot) -> None:
    field = Field(SIZE)
    qtbot.addWidget(field)
    field.show_error("Width = <b>: no.", "Use 64.")
    assert "&lt;b&gt;" in field.message.text()


@pytest.mark.parametrize(("start", "key", "end"), [
    (512, Qt.Key.Key_Up, 520), (512, Qt.Key.Key_Down, 504), (500, Qt.Key.Key_Up, 504), (500, Qt.Key.Key_Down, 496),
    (4096, Qt.Key.Key_Up, 4096), (64, Qt.Key.Key_Down, 64), (9000, Qt.Key.Key_Down, 4096), (0, Qt.Key.Key_Up, 64),
])  # fmt: skip
def test_arrows_keep_to_bounds_and_multiples(start: int, key: Qt.Key, end: int, shown) -> None:
    field = shown(Field(SIZE))
    field.set_value(start)
    QTest.keyClick(field.editor.field, key)
    assert field.value() == end


def test_a_number_keeps_digits_beyond_those_declared(shown) -> None:
    field = shown(Field(BY_NAME["guidance_scale"]))
    spin = field.editor.field
    assert spin.text() == spin.locale().toString(7.0, "f", 1)
    field.set_value(7.25)
    assert field.value() == 7.25
    assert spin.text() == spin.locale().toString(7.25, "f", 2)
    QTest.keyClick(spin, Qt.Key.Key_Up)
    assert field.value() == 7.75


def test_slider_and_number_move_together(shown) -> None:
    field = shown(Field(BY_NAME["steps"]))
    field.resize(300, field.sizeHint().height())
    editor = field.editor
    assert isinstance(editor, NumberEditor)
    assert editor.slider is not None
    assert editor.slider.value() == 20
    editor.slider.setFocus()
    QTest.keyClick(editor.slider, Qt.Key.Key_Right)
    assert field.value() == 21
    QTest.mouseClick(editor.slider, Qt.MouseButton.LeftButton, pos=QPoint(editor.slider.width() - 2, 10))
    assert field.value() == 150
    field.set_value(33)
    assert editor.slider.value() == 33
    field.set_value(400)  # typed, not allowed: the slider stands at its end and changes nothing
    assert field.value() == 400
    assert editor.slider.value() == 150


def test_a_slider_moves_a_number_in_its_steps(shown) -> None:
    field = shown(Field(BY_NAME["guidance_scale"]))
    field.editor.slider.setFocus()
    QTest.keyClick(field.editor.slider, Qt.Key.Key_Left)
    assert field.value() == 6.5
    assert isinstance(field.value(), float)


def wheel(widget: QWidget) -> None:
    """Turn the wheel up one notch over a widget, as the window system would tell it."""
    window = widget.window()
    place = widget.mapTo(window, widget.rect().center())
    QTest.wheelEvent(window.windowHandle(), QPointF(place), QPoint(0, 120))


@pytest.mark.parametrize("name", ["steps", "guidance_scale", "scheduler", "device"])
def test_the_wheel_scrolls_past_a_field_without_focus(name: str, shown) -> None:
    area, inside = QScrollArea(), QWidget()
    column = QVBoxLayout(inside)
    field, other = Field(BY_NAME[name]), Field(BY_NAME["count"])
    column.addWidget(other)
    column.addWidget(field)
    column.addSpacing(2000)
    area.setWidget(inside)
    area.resize(400, 300)
    shown(area)
    other.editor.setFocus()
    targets = [field.editor.field]
    if isinstance(field.editor, NumberEditor):
        targets.append(field.editor.slider)
    for target in targets:
        area.verticalScrollBar().setValue(30)
        wheel(target)
        assert field.value() == field.row.default
        assert area.verticalScrollBar().value() < 30


def test_the_wheel_turns_a_field_with_focus(shown) -> None:
    field = shown(Field(BY_NAME["steps"]))
    field.editor.setFocus()
    wheel(field.editor.field)
    assert field.value() == 21


def test_each_choice_explains_itself(qtbot) -> None:
    row = BY_NAME["scheduler"]
    field = Field(row)
    qtbot.addWidget(field)
    combo = field.editor.field
    assert [combo.itemText(i) for i in range(combo.count())] == [choice.title for choice in row.choices]
    assert all(combo.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(combo.count()))


def test_a_long_name_is_cut_in_the_middle_and_whole_in_list_and_tooltip(shown, qtbot) -> None:
    name = "dreamshaperXL_v21TurboDPMSDE-pruned-fp16"
    field = shown(Field(BY_NAME["model"]))
    box = field.editor.combo
    field.editor.set_choices([Choice("starter", "Starter"), Choice("long", name)])
    field.resize(240, field.height())
    asked = box.sizeHint()
    field.set_value("starter")
    assert box.shown_text == "Starter"
    field.set_value("long")
    assert box.shown_text.startswith("dreams")
    assert "…" in box.shown_text
    assert box.shown_text.endswith("fp16")
    assert box.fontMetrics().horizontalAdvance(box.shown_text) < box.width()
    middle = box.rect().center()
    QApplication.sendEvent(box, QHelpEvent(QEvent.Type.ToolTip, middle, box.mapToGlobal(middle)))
    assert name in QToolTip.text()
    assert field.row.description in QToolTip.text()
    QToolTip.hideText()
    box.showPopup()
    assert box.view().width() >= box.view().sizeHintForColumn(0)
    box.hidePopup()
    field.set_value(f"/a/long/way/to/{name}.safetensors")
    assert box.shown_text.endswith("(not found)")
    assert box.sizeHint() == asked


def test_choosing_by_keyboard(shown) -> None:
    field = shown(Field(BY_NAME["scheduler"]))
    field.editor.setFocus()
    QTest.keyClick(field.editor.field, Qt.Key.Key_Down)
    assert field.value() == field.row.choices[1].value


def test_a_value_that_is_not_offered_is_kept_shown_and_refused(qtbot) -> None:
    field = Field(BY_NAME["model"])
    qtbot.addWidget(field)
    assert isinstance(field.editor, ChoiceEditor)
    field.editor.set_choices([Choice("starter", "Starter"), Choice("xl", "XL")])
    field.set_value("gone")
    assert field.value() == "gone"
    assert field.editor.combo.placeholderText() == "gone (not found)"
    error = field.check()
    assert error is not None
    assert error.field == "model"
    assert "gone" in field.error
    field.editor.set_choices([Choice("gone", "Back again")])
    assert field.editor.combo.currentText() == "Back again"
    assert field.check() is None


def test_a_seed_takes_digits_up_to_the_largest(shown) -> None:
    field = shown(Field(BY_NAME["seed"]))
    edit = field.editor.field
    QTest.keyClicks(edit, str(SEED_MAXIMUM))
    assert field.value() == SEED_MAXIMUM
    assert edit.hasAcceptableInput()
    edit.clear()
    QTest.keyClicks(edit, "12a3-")
    assert edit.text() == "123"
    edit.clear()
    assert field.value() is None


def test_a_seed_that_is_too_large_is_told_with_the_largest(shown) -> None:
    field = shown(Field(BY_NAME["seed"]))
    QTest.keyClicks(field.editor.field, str(SEED_MAXIMUM + 1))
    assert field.check() is not None
    assert f"Use {SEED_MAXIMUM}." in field.error


def test_the_dice_and_the_recall_button(shown) -> None:
    field = shown(Field(BY_NAME["seed"]))
    editor = field.editor
    assert isinstance(editor, SeedEditor)
    assert not editor.recall.isEnabled()
    editor.set_last_seed(42)
    QTest.mouseClick(editor.recall, Qt.MouseButton.LeftButton)
    assert field.value() == 42
    QTest.mouseClick(editor.dice, Qt.MouseButton.LeftButton)
    assert field.value() is None
    assert editor.edit.placeholderText() == "Random"
    assert "42" in editor.recall.toolTip()


def test_a_toggle_is_clicked(shown) -> None:
    field = shown(Field(BY_NAME["vae_tiling"]))
    QTest.mouseClick(field.editor.field, Qt.MouseButton.LeftButton, pos=QPoint(8, field.editor.field.height() // 2))
    assert field.value() is True


def test_folders_are_added_by_a_dialog_and_removed(shown, qtbot, tmp_path: Path) -> None:
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    field = shown(Field(BY_NAME["model_folders"]))
    editor = field.editor
    assert isinstance(editor, FoldersEditor)
    QTest.mouseClick(editor.add, Qt.MouseButton.LeftButton)
    dialog = editor.findChild(QFileDialog)
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(tmp_path))
    with qtbot.waitSignal(field.changed):
        dialog.accept()
    assert field.value() == (tmp_path,)
    assert not editor.remove.isEnabled()
    QTest.mouseClick(editor.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, 12))
    assert editor.remove.isEnabled()
    QTest.mouseClick(editor.remove, Qt.MouseButton.LeftButton)
    assert field.value() == ()


def test_a_new_default_moves_only_an_untouched_value(qtbot) -> None:
    touched, untouched = Field(SIZE), Field(SIZE)
    for field in (touched, untouched):
        qtbot.addWidget(field)
    touched.set_value(640)
    for field in (touched, untouched):
        field.set_row(replace(SIZE, default=1024))
    assert (touched.value(), untouched.value()) == (640, 1024)
    assert touched.is_changed
    assert not untouched.is_changed


def test_a_described_field_says_its_description(qtbot) -> None:
    from PySide6.QtWidgets import QLabel

    field = Field(BY_NAME["offload"], described=True)
    qtbot.addWidget(field)
    assert BY_NAME["offload"].description in [label.text() for label in field.findChildren(QLabel)]
