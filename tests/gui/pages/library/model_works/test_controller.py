"""Merging and converting from the Library page: ordered, watched, stopped, refused, and in the library in the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget

from sdstudio.background.model_works import ModelWorkRunner
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import Cancelled, SaveFailed
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import MergeMode, WorkReport
from sdstudio.ui.pages.library.model_works.convert_dialog import ConvertDialog
from sdstudio.ui.pages.library.model_works.merge_dialog import MergeDialog
from sdstudio.ui.theme import apply_theme


class ScriptedWorks:
    """Goes one step each time it is let, and then ends as it is told."""

    def __init__(self):
        self.orders = []
        self.go = threading.Semaphore(0)
        self.error = None
        self.notes = ()

    def merge(self, order, on_progress, cancel):
        self.orders.append(order)
        for step in range(1, 5):
            if not self.go.acquire(timeout=60):
                raise AssertionError("nobody let the work go on")
            if cancel.is_set():
                raise Cancelled
            on_progress(step / 4)
        if self.error is not None:
            raise self.error
        return WorkReport(order.target, 2_100_000_000, 1130, self.notes)

    convert = merge


@pytest.fixture
def works():
    return ScriptedWorks()


@pytest.fixture
def model_work(qapp, works):
    apply_theme(qapp, "dark")
    tasks = TaskRunner()
    yield ModelWorkRunner(tasks, lambda asset, on_progress=None, cancel=None: asset, lambda: works)
    works.go.release(100)
    tasks.close()


def asset(folder: Path, name: str, family: str = "sd1") -> Asset:
    return Asset(
        "checkpoint",
        Path(name).stem,
        Path(name).stem,
        folder / name,
        folder,
        family,
        size_bytes=2_000_000_000,
        sha256="x",
    )


@pytest.fixture
def assets(tmp_path):
    folder = tmp_path / "theirs"
    (folder / "folder").mkdir(parents=True)
    names = [("dream.safetensors", "sd1"), ("real.safetensors", "sd1"), ("base.safetensors", "sd1"),
             ("xl.safetensors", "sdxl"), ("old.ckpt", "sd1"), ("folder", "sd1")]  # fmt: skip
    return [asset(folder, name, family) for name, family in names]


def shown(qtbot, dialog: QWidget) -> QWidget:
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.show()
    return dialog


@pytest.fixture
def merging(qtbot, model_work, assets, tmp_path) -> MergeDialog:
    dialog = MergeDialog(model_work, tmp_path)
    dialog.set_models(assets)
    return shown(qtbot, dialog)


@pytest.fixture
def converting(qtbot, model_work, assets, tmp_path) -> ConvertDialog:
    dialog = ConvertDialog(model_work, tmp_path)
    dialog.set_models(assets)
    return shown(qtbot, dialog)


def press(dialog: QWidget, name: str) -> None:
    QTest.mouseClick(dialog.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def offered(field) -> list[str]:
    return [field.editor.combo.itemData(at) for at in range(field.editor.combo.count())]


def test_only_single_files_are_offered_to_merge(merging):
    assert offered(merging.inputs[0]) == ["dream", "real", "base", "xl"]
    assert merging.empty.isHidden()
    merging.set_models(())
    assert not merging.empty.isHidden()
    assert not merging.start_button.isEnabled()


def test_the_first_field_has_the_focus_and_not_a_button(merging, converting):
    for dialog in (merging, converting):
        assert dialog.focusWidget() is not None
        assert not isinstance(dialog.focusWidget(), QPushButton)


def test_a_merge_is_ordered_with_a_name_that_follows_from_its_inputs(qtbot, merging, works, model_work, tmp_path):
    merging.inputs[0].set_value("dream")
    merging.inputs[1].set_value("real")
    merging.alpha.set_value(0.25)
    assert merging.name_field.value() == "dream-real-0.25"
    press(merging, "mergeDialogStartButton")
    assert merging.running
    assert not merging.inputs[0].isEnabled()
    works.go.release(2)
    qtbot.waitUntil(lambda: "50%" in merging.state.text() and "left" in merging.state.text(), timeout=30_000)
    with qtbot.waitSignal(model_work.made, timeout=30_000):
        works.go.release(2)
    qtbot.waitUntil(lambda: not merging.running, timeout=30_000)
    order = works.orders[0]
    assert [given.path.name for given in order.inputs] == ["dream.safetensors", "real.safetensors"]
    assert (order.mode, order.alpha, order.precision) == (MergeMode.WEIGHTED_SUM, 0.25, "keep")
    assert order.target == tmp_path / "dream-real-0.25.safetensors"
    assert "Made dream-real-0.25.safetensors: 2.1 GB" in merging.message.message
    assert merging.inputs[0].isEnabled()
    assert merging.bar.isHidden()


def test_adding_a_difference_asks_for_a_third(merging):
    assert merging.inputs[2].isHidden()
    merging.mode.set_value("add_difference")
    assert not merging.inputs[2].isHidden()
    assert "A + alpha · (B − C)" in merging.formula.text()


def test_what_is_missing_or_does_not_fit_is_said_where_it_is(merging, works):
    press(merging, "mergeDialogStartButton")
    assert "A is not chosen yet" in merging.inputs[0].error
    merging.inputs[0].set_value("dream")
    merging.inputs[1].set_value("xl")
    press(merging, "mergeDialogStartButton")
    assert "B = xl: it is Stable Diffusion XL" in merging.inputs[1].error
    merging.inputs[1].set_value("real")
    merging.name_field.set_value("a:b")
    press(merging, "mergeDialogStartButton")
    assert "Name =" in merging.name_field.error
    merging.name_field.set_value("mix")
    merging.alpha.set_value(1.5)
    press(merging, "mergeDialogStartButton")
    assert "Alpha = 1.5" in merging.alpha.error
    assert works.orders == []


def test_a_name_that_was_typed_stays(merging):
    merging.inputs[0].set_value("dream")
    merging.name_field.editor.field.clear()
    QTest.keyClicks(merging.name_field.editor.field, "mine")
    merging.inputs[1].set_value("real")
    assert merging.name_field.value() == "mine"


def begun(dialog):
    dialog.inputs[0].set_value("dream")
    dialog.inputs[1].set_value("real")
    press(dialog, "mergeDialogStartButton")
    return dialog


def test_cancel_stops_and_says_that_nothing_is_left(qtbot, merging, works):
    begun(merging)
    press(merging, "mergeDialogCancelButton")
    assert merging.state.text() == "Cancelling…"
    assert not merging.cancel_button.isEnabled()
    works.go.release(1)
    qtbot.waitUntil(lambda: not merging.running, timeout=30_000)
    assert "Cancelled" in merging.message.message
    assert merging.start_button.isVisible()


def test_a_failure_is_said_in_the_window_and_it_can_be_tried_again(qtbot, merging, works):
    works.error = SaveFailed("Disk of /models: 2.10 GB are needed, 1.00 GB are free.", "Free some space.")
    begun(merging)
    works.go.release(4)
    qtbot.waitUntil(lambda: not merging.running, timeout=30_000)
    assert "2.10 GB are needed" in merging.message.message
    works.error, works.notes = None, ("B lacks 2 weights, which are A's: x, y.",)
    press(merging, "mergeDialogStartButton")
    works.go.release(4)
    qtbot.waitUntil(lambda: not merging.running, timeout=30_000)
    assert "B lacks 2 weights" in merging.message.message


def test_a_closed_window_goes_on_and_tells_how_far_it_is(qtbot, merging, works, model_work):
    told = []
    merging.text_changed.connect(told.append)
    begun(merging)
    merging.close()
    with qtbot.waitSignal(model_work.made, timeout=30_000):
        works.go.release(4)
    qtbot.waitUntil(lambda: told[-1:] == [""], timeout=30_000)
    assert any("left" in said for said in told)


@pytest.mark.parametrize(
    ("model", "layout", "name"), [("old", "file", "old"), ("folder", "file", "folder"), ("dream", "folder", "dream")]
)
def test_a_conversion_proposes_the_other_layout(qtbot, converting, works, model_work, tmp_path, model, layout, name):
    converting.choose(model)
    assert (converting.layout_field.value(), converting.name_field.value()) == (layout, name)
    press(converting, "convertDialogStartButton")
    with qtbot.waitSignal(model_work.made, timeout=30_000):
        works.go.release(4)
    target = works.orders[0].target
    assert target == tmp_path / (f"{name}.safetensors" if layout == "file" else name)


def test_a_conversion_that_would_change_nothing_is_said_at_the_layout(converting, works):
    converting.choose("dream")
    converting.layout_field.set_value("file")
    press(converting, "convertDialogStartButton")
    assert "nothing would change" in converting.layout_field.error
    converting.precision.set_value("float16")
    assert converting.layout_field.error == ""
    assert converting.name_field.value() == "dream-float16"


def test_every_control_has_a_name_for_screen_readers(merging, converting):
    for dialog in (merging, converting):
        for button in dialog.findChildren(QPushButton):
            assert button.accessibleName()
            assert button.objectName() or button.parent() is dialog.message


def test_a_model_converted_on_the_library_page_appears_there(qtbot, studio, home):
    """Through the real engine: a tiny folder becomes a single file that can be drawn with."""
    window = studio.window
    window.pages.open("Library")
    page = window.library_controller.page
    qtbot.waitUntil(lambda: page.models.model.index_of(home.models / "tiny").isValid(), timeout=60_000)
    page.models.choose(home.models / "tiny")
    QTest.mouseClick(page.findChild(QPushButton, "convertButton"), Qt.MouseButton.LeftButton)
    dialog = window.findChild(ConvertDialog)
    assert dialog.isVisible()
    assert dialog.model.value() == "tiny"  # it is looked at
    assert not dialog.isModal()
    dialog.name_field.set_value("as-a-file")
    told = []
    studio.window.windowTitleChanged.connect(told.append)
    press(dialog, "convertDialogStartButton")

    def listed():
        found = {model.key: model for model in studio.library.models()}
        return "as-a-file" in found and found["as-a-file"].problem == ""

    qtbot.waitUntil(listed, timeout=120_000)
    qtbot.waitUntil(lambda: "as-a-file" in offered(dialog.model), timeout=30_000)
    assert (home.models / "as-a-file.safetensors").is_file()
    assert any(title.startswith("Converting") for title in told)
    assert studio.window.windowTitle() == "SD Studio"
    dialog.close()
