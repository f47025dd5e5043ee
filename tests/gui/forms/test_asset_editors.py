"""LoRA and VAE in the panel: found by typing, weighed, taken out; what does not fit is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QSlider, QToolButton

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.asset_editors import LoraEditor, LoraRow
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.theme import apply_theme

FOLDER = Path("/models")
MODELS = (
    ModelInfo("tiny", "Tiny", FOLDER / "tiny", "sd1", defaults=MappingProxyType({"width": 64, "height": 64})),
    ModelInfo("large", "Large", FOLDER / "large", "sdxl"),
)


def asset(kind, name, family="sd1", **values):
    return Asset(kind, name, name, FOLDER / f"{name}.safetensors", FOLDER, family, size_bytes=1_000_000, **values)


ASSETS = (
    asset("lora", "ink", triggers=("ink style", "wash & line")),
    asset("lora", "detail"),
    asset("lora", "cinema", "sdxl"),
    asset("vae", "soft"),
    asset("vae", "sharp", "sdxl"),
    asset("embedding", "badhands"),
    asset("upscaler", "4x-sharp", "", network="Real-ESRGAN, 4x"),
    asset("upscaler", "swin", "", problem="It is a SwinIR network."),
)


@pytest.fixture
def panel(qapp: QApplication, qtbot) -> ParameterPanel:
    apply_theme(qapp, "dark")
    made = ParameterPanel()
    qtbot.addWidget(made)
    made.set_models(MODELS)
    made.set_assets(ASSETS)
    made.resize(300, 900)
    made.show()
    with qtbot.waitActive(made):
        made.activateWindow()
    return made


@pytest.fixture
def editor(panel: ParameterPanel) -> LoraEditor:
    found = panel.field("loras").editor
    assert isinstance(found, LoraEditor)
    return found


def type_in(editor: LoraEditor, text: str) -> None:
    edit = editor.combo.lineEdit()
    edit.setFocus()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def test_typing_a_name_adds_it_and_clears_the_search(panel, editor) -> None:
    type_in(editor, "INK")
    assert panel.request().loras == (("ink", 1.0),)
    assert editor.combo.currentText() == ""
    type_in(editor, "ink")
    assert panel.request().loras == (("ink", 1.0),)


def test_typing_a_part_offers_what_holds_it(editor) -> None:
    completer = editor.combo.completer()
    completer.setCompletionPrefix("tai")
    found = [completer.completionModel().index(i, 0).data() for i in range(completer.completionCount())]
    assert found == ["detail"]


def test_choosing_from_the_list_adds_it(panel, editor) -> None:
    editor.combo.setCurrentIndex(1)
    editor.combo.activated.emit(1)
    assert panel.request().loras == (("detail", 1.0),)


def test_weights_are_set_by_number_and_slider(panel, editor, qtbot) -> None:
    editor.set_value([("ink", 0.8), ("detail", 1.0)])
    first, second = panel.findChildren(LoraRow)
    spin = first.findChild(QDoubleSpinBox, "loraWeightSpinBox")
    assert spin.accessibleName() == "Weight of ink"
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, "-0.35")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    slider = second.findChild(QSlider, "loraWeightSlider")
    slider.setFocus()
    with qtbot.waitSignal(panel.changed):
        QTest.keyClick(slider, Qt.Key.Key_Left)
    assert panel.request().loras == (("ink", -0.35), ("detail", 0.95))


def test_one_is_taken_out_and_the_mark_takes_all_out(panel, editor) -> None:
    editor.set_value([("ink", 0.8), ("detail", 1.0)])
    QTest.mouseClick(editor.rows[0].findChild(QToolButton, "loraRemoveButton"), Qt.MouseButton.LeftButton)
    assert panel.request().loras == (("detail", 1.0),)
    QTest.mouseClick(panel.field("loras").mark, Qt.MouseButton.LeftButton)
    assert panel.request().loras == ()


def test_trigger_words_go_where_they_are_wanted(panel, editor, qtbot) -> None:
    editor.set_value([("ink", 0.8), ("detail", 1.0)])
    ink, detail = editor.rows
    qtbot.waitUntil(ink.words_button.isVisible)
    assert not detail.words_button.isVisible()
    actions = ink.words_button.menu().actions()
    assert [action.text() for action in actions] == ["ink style", "wash && line"]
    with qtbot.waitSignal(panel.words_wanted) as heard:
        actions[1].trigger()
    assert heard.args == ["wash & line"]


def test_what_is_missing_or_made_for_another_family_is_said(panel, editor) -> None:
    editor.set_value([("ink", 1.0), ("gone", 1.0)])
    assert [row.problem for row in editor.rows] == ["", "Not in the model folders"]
    panel.set_model("large")
    assert editor.rows[0].problem == "Made for Stable Diffusion 1.x"
    items = editor.combo.model()
    assert [items.item(i).isEnabled() for i in range(3)] == [False, False, True]
    panel.set_model("tiny")
    assert editor.rows[0].problem == ""


def test_the_vae_is_chosen_among_those_that_fit(panel) -> None:
    combo = panel.findChild(QComboBox, "vaeComboBox")
    items = combo.model()
    assert [(combo.itemText(i), items.item(i).isEnabled()) for i in range(combo.count())] == [
        ("The model's own", True), ("soft", True), ("sharp", False),
    ]  # fmt: skip
    combo.setCurrentIndex(1)
    assert panel.request().vae == "soft"


def test_an_upscaler_is_chosen_for_an_input_picture_of_any_model(panel) -> None:
    combo = panel.findChild(QComboBox, "upscalerComboBox")
    assert not panel.field("upscaler").isVisible()
    panel.field("init_image").set_value("5a" * 32)
    assert panel.field("upscaler").isVisible()
    assert [combo.itemText(i) for i in range(combo.count())] == ["Lanczos", "4x-sharp", "swin"]
    assert "Real-ESRGAN, 4x" in combo.itemData(1, Qt.ItemDataRole.ToolTipRole)
    assert not combo.model().index(2, 0).flags() & Qt.ItemFlag.ItemIsEnabled
    combo.setCurrentIndex(1)
    assert panel.request().upscaler == "4x-sharp"
    panel.set_model("large")
    assert panel.request().upscaler == "4x-sharp"


def test_a_vae_that_is_gone_is_refused_at_its_field(panel) -> None:
    panel.field("vae").set_value("gone")
    with pytest.raises(InvalidRequest, match="VAE = 'gone'"):
        panel.request()
    assert panel.field("vae").error


def test_a_picture_and_the_last_session_bring_them_back(panel) -> None:
    panel.restore(GenerationRequest(model="tiny", loras=(("ink", 0.7),), vae="soft"))
    assert panel.request().loras == (("ink", 0.7),)
    state = panel.state()
    panel.reset()
    assert panel.request().loras == ()
    panel.restore_state(state)
    assert (panel.request().loras, panel.request().vae) == ((("ink", 0.7),), "soft")
    panel.restore_state({"values": {"loras": [["ink", "much"]], "vae": 3}})
    assert panel.request().loras == (("ink", 0.7),)


@pytest.mark.parametrize("width", [280, 300, 360])
def test_long_names_are_not_cut_off_at_any_sensible_width(width, panel, editor, qtbot) -> None:
    editor.set_value([("a very long name of a LoRA that nobody could ever read in one line of a panel", 1.0)])
    panel.resize(width, 400)
    qtbot.waitUntil(lambda: panel.widget().width() == panel.viewport().width())
    assert panel.widget().minimumSizeHint().width() <= panel.viewport().width()


def test_a_name_of_several_files_is_asked_about_in_its_row(panel, editor) -> None:
    twins = [asset("lora", "style", problem=""), asset("lora", "style")]
    named = [replace(one, key=f"{folder}/style") for one, folder in zip(twins, ("ink", "pony"), strict=True)]
    panel.set_assets((*ASSETS, *named))
    shown = [editor.combo.itemText(place) for place in range(editor.combo.count())]
    assert {"ink/style", "pony/style"} <= set(shown)
    type_in(editor, "style")
    [row] = editor.rows
    assert row.problem == "Several files have this name. Choose ink/style or pony/style."
    row.remove_button.click()
    type_in(editor, "pony/style")
    assert panel.request().loras == (("pony/style", 1.0),)
    assert editor.rows[0].problem == ""


def test_what_a_pictures_names_mean_is_kept_until_another_is_used(panel) -> None:
    panel.restore(GenerationRequest(model="tiny", loras=(("ink", 0.5),), file_hashes=(("ink", "1a2b3c4d5e6f"),)))
    assert panel.request().file_hashes == (("ink", "1a2b3c4d5e6f"),)
    panel.restore(GenerationRequest(model="tiny"))
    assert panel.request().file_hashes == ()
