"""The parameter panel: what a model shows, what survives a change of model, and where messages appear."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPushButton, QSpinBox, QToolButton, QWidget

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.request.detail_fields import NEED_REGIONS
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES, MASK, NEED_PICTURE
from sdstudio.core.request.mask_fields import OF_SOFT_INPAINTING, SOFT_INPAINTING
from sdstudio.core.request.outpaint_fields import NEED_GROUND
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.rules import DEPENDENT, idle_fields
from sdstudio.core.request.second_pass_fields import NEED_SECOND_PASS
from sdstudio.core.request.seed_fields import NEED_STRENGTH
from sdstudio.core.request.tile_fields import NEED_TILES
from sdstudio.ui.forms.size_field import aspect_name
from sdstudio.ui.pages.create.parameter_panel import PROMPT_GROUP, ParameterPanel
from sdstudio.ui.theme import apply_theme

STARTER = ModelInfo(
    "starter", "Starter", Path("/models/starter"), "sd1",
    defaults=MappingProxyType({"width": 128, "height": 128, "steps": 24}), sizes=((128, 128), (160, 96), (96, 160)),
)  # fmt: skip
BROKEN = ModelInfo("broken", "broken.safetensors", Path("/models/b"), "sd1", problem="It is cut short.")
OF_FAMILY = {f.key: ModelInfo(f.key, f.title, Path("/models") / f.key, f.key) for f in FAMILIES}
MODELS = (STARTER, BROKEN, *OF_FAMILY.values())
SHOWN = [row for row in parameters(GenerationRequest) if row.ui.group != PROMPT_GROUP] + list(parameters(RunOptions))

_TEXTS = {
    "seeds": "7-9", "seed_resize_from": "512x768", "earlier_variations": "8:0.15, 9:0.1", "detail_boxes": "1,2,9,9",
    "outpaint_colour": "#12ab34",
    "hires_resize": "1024x1536", "tile_redraw": "4",
}  # fmt: skip


@pytest.fixture
def panel(qapp: QApplication, qtbot) -> ParameterPanel:
    apply_theme(qapp, "dark")
    made = ParameterPanel()
    qtbot.addWidget(made)
    made.set_models(MODELS)
    made.resize(300, 900)
    made.show()
    with qtbot.waitActive(made):
        made.activateWindow()
    return made


def press(panel: ParameterPanel, name: str) -> None:
    QTest.mouseClick(panel.findChild(QWidget, name), Qt.MouseButton.LeftButton)


def type_number(panel: ParameterPanel, name: str, text: str) -> None:
    spin = panel.findChild(QSpinBox, name)
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, text)


def choose(panel: ParameterPanel, name: str, text: str) -> None:
    """Choose an entry of a combo box by the keyboard."""
    combo = panel.findChild(QComboBox, name)
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    while combo.currentText() != text:
        before = combo.currentText()
        QTest.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentText() != before, f"{text} is not offered"


def test_every_declared_parameter_but_the_prompts_has_a_field(panel: ParameterPanel) -> None:
    assert set(panel.fields) == {row.name for row in SHOWN}


def test_public_names_are_there_once_and_reachable(panel: ParameterPanel) -> None:
    names = (
        "modelComboBox", "schedulerComboBox", "stepsSpinBox", "guidanceScaleSpinBox", "widthSpinBox", "heightSpinBox",
        "seedEdit", "countSpinBox",
    )  # fmt: skip
    found = {name: panel.findChildren(QWidget, name) for name in names}
    assert {name: len(widgets) for name, widgets in found.items()} == dict.fromkeys(names, 1)
    assert [name for name, (widget,) in found.items() if not widget.accessibleName()] == []
    assert [name for name, (widget,) in found.items() if not widget.isVisible()] == []


def test_every_widget_one_can_use_has_an_accessible_name(panel: ParameterPanel) -> None:
    usable = [
        w for kind in (QToolButton, QPushButton, QComboBox, QSpinBox, QLineEdit) for w in panel.findChildren(kind)
    ]
    assert len(usable) > 10
    assert [w.objectName() for w in usable if not w.accessibleName() and not w.objectName().startswith("qt_")] == []


def test_a_fresh_panel_asks_for_the_models_default_request(panel: ParameterPanel) -> None:
    asked, wanted = {}, {}
    for model in (STARTER, *OF_FAMILY.values()):
        panel.set_model(model.key)
        asked[model.key] = panel.request(), panel.options()
        wanted[model.key] = default_request(model), RunOptions()
    assert asked == wanted


def test_a_family_shows_only_what_its_row_leaves_visible(panel: ParameterPanel) -> None:
    for fold in ("advancedFoldButton", "secondPassFoldButton", "detailerFoldButton", "variationFoldButton"):
        press(panel, fold)
    shown, wanted = {}, {}
    for family in FAMILIES:
        panel.set_model(family.key)
        for name, row in parameters_of(OF_FAMILY[family.key]).items():
            if name in panel.fields:
                idle = name in idle_fields({"scheduler": panel.value("scheduler")})
                shown[family.key, name] = panel.field(name).isVisible()
                wanted[family.key, name] = not (row.hidden or idle)
    assert shown == wanted


def test_a_sampler_shows_only_what_acts_on_it(panel: ParameterPanel) -> None:
    for fold in ("advancedFoldButton", "secondPassFoldButton", "variationFoldButton"):
        press(panel, fold)
    first = panel.standing()
    found, wanted = {}, {}
    for spec in SCHEDULERS:
        panel.show_standing(first)
        panel.field("schedule").set_value("beta")
        panel.field("eta").set_value(0.25)
        choose(panel, "schedulerComboBox", spec.title)
        shown = {name: panel.field(name).isVisible() for name in DEPENDENT}
        request = panel.request()
        found[spec.key] = shown, request.schedule, request.eta
        idle = idle_fields({"scheduler": spec.key})
        wanted[spec.key] = (
            {name: name not in idle for name in DEPENDENT},
            "beta" if spec.automatic else "automatic", 0.25 if "eta" in spec.takes else 1.0,
        )  # fmt: skip
    assert found == wanted


def test_what_needs_an_input_picture_is_shown_beside_one_alone(panel: ParameterPanel) -> None:
    panel.field("strength").set_value(0.4)
    assert not any(panel.field(name).isVisible() for name in NEED_PICTURE)
    assert panel.request().strength == 0.75
    panel.field("init_image").set_value("5a" * 32)
    assert {name for name in INIT.dependent if panel.field(name).isVisible()} == INIT.dependent - NEED_GROUND
    panel.field("outpaint").set_value("left=64")
    shown = {name for name in INIT.dependent if panel.field(name).isVisible()}
    assert shown == INIT.dependent - {"outpaint_colour", "init_fit"}
    panel.field("outpaint_fill").set_value("colour")
    assert panel.field("outpaint_colour").isVisible()
    assert panel.request().outpaint == "left=64"
    panel.field("outpaint").set_value("")
    assert not any(panel.field(name).isVisible() for name in MASK.dependent)
    assert panel.request().strength == 0.4
    panel.field("mask").set_value("6b" * 32)
    hidden = {name for name in MASK.dependent if not panel.field(name).isVisible()}
    assert hidden == OF_SOFT_INPAINTING | {"mask_weight"}, "which acts on models for inpainting"
    panel.field("mask_blending").set_value(SOFT_INPAINTING)
    assert all(panel.field(name).isVisible() for name in NEED_PICTURE - NEED_GROUND - {"mask_weight"})
    panel.field("init_image").set_value("")
    assert panel.request().mask == "", "a mask alone is none"


def test_the_schedule_picker_says_what_is_automatic(panel: ParameterPanel) -> None:
    combo = panel.findChild(QComboBox, "scheduleComboBox")
    assert combo.currentText() == "Automatic (Karras)"
    choose(panel, "schedulerComboBox", "Euler")
    assert combo.currentText() == "Automatic (Uniform)"
    choose(panel, "scheduleComboBox", "Beta")
    choose(panel, "schedulerComboBox", "Heun")
    assert combo.currentText() == "Beta"
    assert panel.request().schedule == "beta"


def test_a_state_of_before_schedules_were_apart_is_read(panel: ParameterPanel) -> None:
    panel.restore_state({"values": {"scheduler": "euler_karras"}})
    assert (panel.value("scheduler"), panel.value("schedule")) == ("euler", "karras")


def test_every_value_reaches_the_request_or_the_options(panel: ParameterPanel) -> None:
    panel.set_model("sd1")
    named = (("vae", "soft"), ("upscaler", "4x-sharp"), ("detector", "dino"))
    panel.set_assets([Asset(kind, key, key, Path(f"/models/{key}"), Path("/models")) for kind, key in named])
    first = panel.standing()
    said, wanted = {}, {}
    for row in SHOWN:
        panel.show_standing(first)
        wanted[row.name] = another_value(row)
        said[row.name] = said_of(panel, row, wanted[row.name])
    assert said == wanted


def another_value(row: Parameter) -> object:
    """Return an allowed value that is not the default."""
    by_kind = {
        FieldKind.NUMBER: row.minimum if row.default != row.minimum else row.maximum,
        FieldKind.SEED: 2**64 - 1, FieldKind.MODEL: "sd1", FieldKind.TOGGLE: not row.default,
        FieldKind.CHOICE: next((choice.value for choice in row.choices if choice.value != row.default), None),
        FieldKind.LORAS: (("ink", 0.8),), FieldKind.VAE: "soft", FieldKind.PICTURE: "5a" * 32,
        FieldKind.UPSCALER: "4x-sharp", FieldKind.OPTIONAL: 16, FieldKind.DETECTOR: "dino", FieldKind.SIDES: "left=64",
        FieldKind.TEXT: _TEXTS.get(row.name, "a dog"),
    }  # fmt: skip
    return row.default + (row.multiple_of or 1) if row.kind is FieldKind.INTEGER else by_kind[row.kind]


def said_of(panel: ParameterPanel, row: Parameter, value: object) -> object:
    """Show a value, beside what lets it act; return what the request or the options say then."""
    spec = next((spec for spec in SCHEDULERS if row.name in spec.takes), None)
    models = [replace(OF_FAMILY["sd1"], variant="inpaint")] if row.name == "mask_weight" else MODELS
    panel.set_models(models)
    panel.set_model("sd1")
    if spec is not None:
        panel.field("scheduler").set_value(spec.key)
    if row.name in NEED_PICTURE:
        for name in INPUT_ROLES:
            panel.field(name).set_value("6b" * 32)
    if row.name in NEED_GROUND:
        panel.field("outpaint").set_value("top=8")
    if row.name == "outpaint_colour":
        panel.field("outpaint_fill").set_value("colour")
    if row.name in OF_SOFT_INPAINTING:
        panel.field("mask_blending").set_value(SOFT_INPAINTING)
    if row.name == "finish_upscaler":
        panel.field("finish").set_value(2)
    if row.name in NEED_REGIONS:
        panel.field("detail").set_value("a face")
    if row.name in NEED_SECOND_PASS:
        panel.field("hires").set_value(2)
    if row.name in NEED_TILES:
        panel.field("tile_redraw").set_value("2")
    if row.name in NEED_STRENGTH:
        panel.field("variation_strength").set_value(0.2)
    panel.field(row.name).set_value(value)
    return getattr(panel.options() if row.name in RunOptions.model_fields else panel.request(), row.name)


def test_prompts_are_handed_through(panel: ParameterPanel) -> None:
    request = panel.request("a frog 🐸", "blurry")
    assert (request.prompt, request.negative_prompt) == ("a frog 🐸", "blurry")


def test_choosing_a_model_by_hand_tells_and_brings_its_defaults(panel: ParameterPanel, qtbot) -> None:
    with qtbot.waitSignal(panel.model_chosen) as heard:
        choose(panel, "modelComboBox", OF_FAMILY["sdxl"].name)
    assert heard.args[0] in ("sd1", "sd2", "sdxl")
    assert panel.model is OF_FAMILY["sdxl"]
    assert panel.value("width") == 1024
    assert panel.value("steps") == 25


def test_a_change_of_model_keeps_what_the_user_changed(panel: ParameterPanel) -> None:
    type_number(panel, "stepsSpinBox", "33")
    choose(panel, "modelComboBox", OF_FAMILY["sdxl"].name)
    assert panel.value("steps") == 33
    assert panel.field("steps").is_changed
    assert panel.value("height") == 1024
    assert not panel.field("height").is_changed


def test_a_model_with_a_problem_cannot_be_chosen(panel: ParameterPanel) -> None:
    combo = panel.findChild(QComboBox, "modelComboBox")
    place = combo.findData("broken")
    assert not combo.model().item(place).isEnabled()
    assert "cut short" in combo.itemData(place, Qt.ItemDataRole.ToolTipRole)


def test_the_first_model_that_works_is_chosen(qapp: QApplication, qtbot) -> None:
    panel = ParameterPanel()
    qtbot.addWidget(panel)
    panel.set_models((BROKEN, STARTER))
    assert panel.model is STARTER


def test_a_chosen_model_that_vanished_is_shown_and_refused(panel: ParameterPanel) -> None:
    panel.set_model("sd2")
    panel.set_models((STARTER,))
    with pytest.raises(InvalidRequest, match="sd2") as caught:
        panel.request()
    assert caught.value.field == "model"
    assert panel.field("model").message.isVisible()


def test_a_preset_sets_both_sides(panel: ParameterPanel) -> None:
    presets = panel.findChild(QComboBox, "sizePresetComboBox")
    assert [presets.itemText(i) for i in range(3)] == ["1:1    128 × 128", "5:3    160 × 96", "3:5    96 × 160"]
    presets.setFocus()
    QTest.keyClick(presets, Qt.Key.Key_Down)
    QTest.keyClick(presets, Qt.Key.Key_Return)
    assert (panel.value("width"), panel.value("height")) == (160, 96)


def test_swapping_the_sides_by_the_button(panel: ParameterPanel) -> None:
    panel.field("width").set_value(160)
    panel.field("height").set_value(96)
    press(panel, "swapSizeButton")
    assert (panel.value("width"), panel.value("height")) == (96, 160)
    assert panel.findChild(QComboBox, "sizePresetComboBox").currentData() == (96, 160)


def test_a_size_of_ones_own_is_called_custom(panel: ParameterPanel) -> None:
    type_number(panel, "widthSpinBox", "136")
    presets = panel.findChild(QComboBox, "sizePresetComboBox")
    assert presets.currentIndex() == -1
    assert presets.placeholderText() == "Custom size"


@pytest.mark.parametrize(
    ("size", "name"),
    [((512, 512), "1:1"), ((512, 768), "2:3"), ((832, 1216), "2:3"), ((1344, 768), "16:9"), ((640, 384), "5:3"),
     ((104, 56), "13:7")],
)  # fmt: skip
def test_aspects_have_the_names_people_know(size: tuple[int, int], name: str) -> None:
    assert aspect_name(*size) == name


def test_a_value_that_is_not_allowed_is_told_at_its_widget(panel: ParameterPanel) -> None:
    for widget, field, typed, said in (
        ("widthSpinBox", "width", "500", "Width = 500: allowed is 64 to 4096 in multiples of 8. Nearest: 496 or 504."),
        ("stepsSpinBox", "steps", "0", "Steps = 0: allowed is 1 to 150. Use 1."),
        ("countSpinBox", "count", "1001", "Count = 1001: allowed is 1 to 1000. Use 1000."),
    ):
        type_number(panel, widget, typed)
        with pytest.raises(InvalidRequest) as caught:
            panel.options() if field == "count" else panel.request()
        assert caught.value.field == field
        assert str(caught.value) == said
        assert panel.field(field).error == said
        assert panel.field(field).message.isVisible()
        assert panel.value(field) == int(typed)
        panel.reset()
        assert not panel.field(field).error


def test_every_wrong_field_shows_its_own_message(panel: ParameterPanel) -> None:
    type_number(panel, "stepsSpinBox", "0")
    type_number(panel, "heightSpinBox", "500")
    with pytest.raises(InvalidRequest):
        panel.request()
    assert panel.field("steps").error
    assert panel.field("height").error


def test_a_wrong_value_in_a_folded_group_is_brought_into_view(panel: ParameterPanel) -> None:
    panel.resize(300, 200)
    panel.field("batch_size").set_value(99)
    with pytest.raises(InvalidRequest):
        panel.options()
    field = panel.field("batch_size")
    assert field.isVisible()
    assert field.editor.field.hasFocus()
    assert not field.editor.field.visibleRegion().isEmpty()


def test_a_message_from_elsewhere_is_shown_at_its_field(panel: ParameterPanel) -> None:
    assert panel.show_error(InvalidRequest("steps", "Steps = 1: DPM++ 2S wants 2.", "Use 2."))
    assert panel.field("steps").message.isVisible()
    assert not panel.show_error(InvalidRequest("prompt", "Prompt = ..", ""))


def test_a_request_is_restored_whole(panel: ParameterPanel) -> None:
    request = GenerationRequest(
        model="sdxl",
        width=832,
        height=1216,
        steps=31,
        guidance_scale=4.75,
        scheduler="heun",
        schedule="beta",
        seed=2**63 + 1,
        clip_skip=2,
    )
    panel.restore(request)
    assert panel.request() == request


def test_the_session_comes_back(panel: ParameterPanel, qtbot) -> None:
    choose(panel, "modelComboBox", OF_FAMILY["sdxl"].name)
    type_number(panel, "stepsSpinBox", "44")
    type_number(panel, "countSpinBox", "3")
    panel.set_last_seed(2**64 - 1)
    press(panel, "advancedFoldButton")
    state = json.loads(json.dumps(panel.state()))
    other = ParameterPanel()
    qtbot.addWidget(other)
    other.set_models(MODELS)
    other.restore_state(state)
    assert other.request() == panel.request()
    assert other.options() == panel.options()
    assert other.state() == state
    assert "width" not in state["values"]  # untouched: the model's default of tomorrow holds


def test_a_state_that_cannot_be_shown_leaves_the_defaults(panel: ParameterPanel) -> None:
    before = panel.request()
    for state in (
        {}, {"model": 3, "values": [], "open": "x"},
        {"model": "gone", "values": {"steps": "many", "flux": 1, "seed": -3}},
        {"values": {"scheduler": "none of these", "guidance_scale": True}, "last_seed": "x"},
    ):  # fmt: skip
        panel.restore_state(state)
        assert panel.request() == before, state


def test_resetting_goes_back_to_the_models_defaults(panel: ParameterPanel) -> None:
    panel.set_model("sdxl")
    for row in SHOWN:
        if row.kind is FieldKind.INTEGER:
            panel.field(row.name).set_value(72)
    panel.reset()
    assert panel.request() == default_request(OF_FAMILY["sdxl"])


def test_the_recall_button_brings_the_last_seed(panel: ParameterPanel) -> None:
    panel.set_last_seed(77)
    press(panel, "seedRecallButton")
    assert panel.request().seed == 77
    press(panel, "seedRandomButton")
    assert panel.request().seed is None


def test_nothing_is_cut_off_at_any_sensible_width(panel: ParameterPanel, qtbot) -> None:
    press(panel, "advancedFoldButton")
    for width in (280, 300, 360):
        panel.resize(width, 400)
        qtbot.waitUntil(lambda width=width: panel.widget().width() == panel.viewport().width() <= width)
        assert panel.widget().minimumSizeHint().width() <= panel.viewport().width(), width


def test_changes_are_told(panel: ParameterPanel, qtbot) -> None:
    with qtbot.waitSignal(panel.changed):
        type_number(panel, "stepsSpinBox", "9")


def test_the_picker_can_stand_elsewhere_and_its_message_stays_here(panel: ParameterPanel, qtbot) -> None:
    bar = QWidget()
    qtbot.addWidget(bar)
    panel.take_model_picker().setParent(bar)
    assert bar.findChild(QComboBox, "modelComboBox").currentText().startswith("Starter (built in, ")
    assert not panel.field("model").isVisible()
    panel.set_model("gone")
    with pytest.raises(InvalidRequest, match="gone"):
        panel.request()
    assert panel.field("model").message.isVisible()


def test_without_any_model_it_says_so(qapp: QApplication, qtbot) -> None:
    panel = ParameterPanel()
    qtbot.addWidget(panel)
    panel.set_models(())
    combo = panel.findChild(QComboBox, "modelComboBox")
    assert (combo.currentIndex(), combo.placeholderText()) == (-1, "No model found")
    with pytest.raises(InvalidRequest) as caught:
        panel.request()
    assert caught.value.field == "model"


def test_a_group_in_which_nothing_acts_is_not_there(panel: ParameterPanel) -> None:
    panel.set_model("sd1")
    title = panel.findChild(QWidget, "secondPassFoldButton")
    assert title.isVisible()
    panel.field("init_image").set_value("6b" * 32)
    panel.field("mask").set_value("6b" * 32)
    assert panel.field("hires").isHidden()
    assert not title.isVisible()
    panel.field("init_image").set_value("")
    assert title.isVisible()


@pytest.mark.parametrize("font_pt", [10, 20])
def test_buttons_are_as_high_as_what_they_stand_beside(panel: ParameterPanel, qapp, qtbot, font_pt) -> None:
    apply_theme(qapp, "dark", font_pt)
    try:
        beside = {
            "seedRandomButton": "seedEdit",
            "swapSizeButton": "widthSpinBox",
            "aspectLockButton": "sizePresetComboBox",
        }

        def heights() -> list[int]:
            return [panel.findChild(QWidget, name).height() for pair in beside.items() for name in pair]

        qtbot.waitUntil(lambda: len(set(heights())) == 1, timeout=5_000)
    finally:
        apply_theme(qapp, "dark", 10)


def test_a_blank_text_says_what_it_means(panel: ParameterPanel) -> None:
    shown = {
        row.name: panel.field(row.name).editor.edit.placeholderText() for row in SHOWN if row.kind is FieldKind.TEXT
    }
    assert all(shown.values()), shown


def test_no_field_is_wider_than_the_narrowest_panel(panel: ParameterPanel, qtbot) -> None:
    for button in panel.findChildren(QWidget):
        if button.objectName().endswith("FoldButton"):
            press(panel, button.objectName())
    for name, value in (("hires", 2), ("variation_strength", 0.2), ("detail", "face")):
        panel.field(name).set_value(value)
    panel.resize(panel.minimumWidth(), 900)
    qtbot.waitUntil(lambda: panel.width() == panel.minimumWidth())
    inside, room = panel.widget(), panel.viewport()
    qtbot.waitUntil(lambda: inside.width() <= room.width(), timeout=5_000)


def test_an_emptied_number_shows_what_is_drawn_with(panel: ParameterPanel) -> None:
    spin = panel.findChild(QSpinBox, "stepsSpinBox")
    spin.setFocus()
    spin.selectAll()
    QTest.keyClick(spin, Qt.Key.Key_Delete)
    assert spin.cleanText() == ""
    assert panel.request().steps == spin.value()
    assert spin.cleanText() == str(spin.value())
