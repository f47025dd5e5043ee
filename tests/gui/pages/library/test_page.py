"""The Library page: what was found, what is known and said about it, what is wrong with it, and where space goes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
)
from safetensors.torch import save_file

from sdstudio.catalog.built_in import KEYS
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.core.models.asset import Asset
from sdstudio.core.readable import readable_size
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.database.usage import Use
from sdstudio.library.remarks import Remark
from sdstudio.library.scanning.places import Trouble
from sdstudio.library.space import goes_with
from sdstudio.ui.pages.library import tidying as library_tidying
from sdstudio.ui.pages.library.asset_details import rows_of
from sdstudio.ui.pages.library.asset_model import SORTS, ShownAsset
from sdstudio.ui.pages.library.page import ModelManager
from sdstudio.ui.theme import apply_theme

ROOT = Path("/models")
_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}


def _row(kind: str, name: str, family: str = "sd1", size: int = 1000, **values: object) -> ShownAsset:
    more = {key: values.pop(key) for key in ("use", "cover", "in_use") if key in values}
    path = ROOT / f"{name}.safetensors"
    return ShownAsset(Asset(kind, name, name, path, ROOT, family, size_bytes=size, **values), **more)  # type: ignore[arg-type]


def _used(pictures: int, day: int) -> Use:
    from datetime import UTC, datetime

    return Use(pictures, datetime(2026, 11, day, tzinfo=UTC))


ROWS = (
    _row("checkpoint", "Starter", size=38_000_000, in_use=True, use=_used(3, 2), modified_s=3.0),
    _row("checkpoint", "Big one", "sdxl", 6_900_000_000, variant="turbo", modified_s=1.0),
    _row("checkpoint", "Cut short", "other", problem="unet is damaged: 10 of 20 bytes are missing."),
    _row("lora", "Style", "sdxl", 200_000_000, triggers=("sks", "grainy film"), alias="sty", body_sha256="abc" * 20,
         sha256="f" * 64, use=_used(1, 9), modified_s=2.0),
    _row("embedding", "bad hands", "", 12_000),
)  # fmt: skip


@pytest.fixture
def manager(qapp: QApplication, qtbot, tmp_path: Path) -> ModelManager:
    apply_theme(qapp, "dark")
    made = ModelManager(tmp_path)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    with qtbot.waitExposed(made):
        made.show()
    made.models.chosen.connect(lambda row: made.models.details.show_asset(row, Remark("kept", None, {"steps": 7})))
    made.models.show_assets(ROWS)
    return made


def shown(manager: ModelManager) -> list[str]:
    model = manager.models.model
    return [model.row_of(model.index(at)).asset.name for at in range(model.rowCount())]


def choose(combo: QComboBox, text: str) -> None:
    combo.setFocus()
    combo.setCurrentText(text)


def press(manager: ModelManager, name: str) -> None:
    QTest.mouseClick(manager.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def said(manager: ModelManager) -> str:
    return " ".join(label.text().replace("\u200b", "") for label in manager.models.details.findChildren(QLabel))


class TestTheList:
    def test_everything_is_listed_by_name_with_its_facts_for_readers(self, manager):
        assert shown(manager) == ["bad hands", "Big one", "Cut short", "Starter", "Style"]
        model = manager.models.model
        spoken = [model.data(model.index(at), Qt.ItemDataRole.AccessibleTextRole) for at in range(5)]
        assert spoken[1] == "Big one, Checkpoint, Stable Diffusion XL, Turbo, 6.9 GB"
        assert "10 of 20 bytes are missing" in spoken[2]
        assert spoken[3].startswith("Starter, in use, ")

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("big", ["Big one"]),
            ("grainy", ["Style"]),
            ("sty", ["Style"]),
            ("models safetensors", None),
            ("abcabc", ["Style"]),
        ],
    )
    def test_words_are_looked_for_in_names_folders_triggers_and_hashes(self, manager, qtbot, words, found):
        everything = shown(manager)
        QTest.keyClicks(manager.models.search_edit, words)
        QTest.keyClick(manager.models.search_edit, Qt.Key.Key_Return)
        assert shown(manager) == (everything if found is None else found)

    def test_kind_and_family_narrow_and_counts_say_so(self, manager):
        choose(manager.models.kind_combo, "Checkpoints")
        assert shown(manager) == ["Big one", "Cut short", "Starter"]
        choose(manager.models.family_combo, "Stable Diffusion XL")
        assert shown(manager) == ["Big one"]
        assert manager.models.count.text() == "1 of 5"
        choose(manager.models.kind_combo, "All kinds")
        choose(manager.models.family_combo, "Other or unknown")
        assert shown(manager) == ["bad hands", "Cut short"]

    @pytest.mark.parametrize(
        ("title", "first"),
        [
            ("Largest first", "Big one"),
            ("Newest first", "Starter"),
            ("Most used first", "Starter"),
            ("Last used first", "Style"),
        ],
    )
    def test_the_order_can_be_chosen(self, manager, title, first):
        choose(manager.models.sort_combo, title)
        assert shown(manager)[0] == first
        assert len(shown(manager)) == len(ROWS)
        assert title in [shown_title for shown_title, _order in SORTS.values()]

    def test_nothing_found_says_what_to_do(self, manager):
        manager.models.search_edit.setText("zzz")
        QTest.keyClick(manager.models.search_edit, Qt.Key.Key_Return)
        [button] = manager.models.none.suggestions
        assert button.isVisible()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert len(shown(manager)) == len(ROWS)
        assert manager.models.list.isVisible()

    def test_a_thousand_are_shown_at_once(self, manager):
        manager.models.show_assets([_row("lora", f"style {at}") for at in range(1000)])
        assert manager.models.model.rowCount() == 1000
        manager.grab()


class TestTheDetails:
    def test_the_chosen_one_is_told_with_what_was_said_about_it(self, manager):
        manager.models.choose(ROOT / "Style.safetensors")
        details = manager.models.details
        assert details.shown.asset.name == "Style"
        assert "Stable Diffusion XL" in said(manager)
        assert details.notes_edit.toPlainText() == "kept"
        assert ("AutoV3", "abcabcabcabc") in rows_of(ROWS[3])
        assert ("Hash", "ffffffffff") in rows_of(ROWS[3])
        assert details.prompt_button.isVisible()
        assert not details.use_button.isVisible()

    def test_in_the_beginning_the_model_in_use_is_told(self, manager):
        assert manager.models.current.asset.name == "Starter"
        assert manager.models.details.shown.asset.name == "Starter"
        manager.models.choose(ROOT / "Style.safetensors")
        manager.models.show_assets(ROWS)
        assert manager.models.current.asset.name == "Style"

    def test_a_problem_is_told_whole_and_the_model_is_not_offered(self, manager):
        manager.models.choose(ROOT / "Cut short.safetensors")
        assert "unet is damaged: 10 of 20 bytes are missing." in said(manager)
        assert not manager.models.details.use_button.isEnabled()

    def test_use_is_asked_for_by_button_double_click_and_enter(self, manager, qtbot):
        manager.models.choose(ROOT / "Big one.safetensors")
        details, view = manager.models.details, manager.models.list
        with qtbot.waitSignal(details.use_pressed) as told:
            QTest.mouseClick(details.use_button, Qt.MouseButton.LeftButton)
        assert told.args == ["Big one"]
        view.setFocus()
        with qtbot.waitSignal(details.use_pressed):
            QTest.keyClick(view, Qt.Key.Key_Return)
        with qtbot.waitSignal(details.trash_pressed):
            QTest.keyClick(view, Qt.Key.Key_Delete)

    def test_a_lora_goes_into_the_prompt_and_its_words_to_the_clipboard(self, manager, qtbot):
        manager.models.choose(ROOT / "Style.safetensors")
        details = manager.models.details
        with qtbot.waitSignal(details.words_pressed) as told:
            QTest.mouseClick(details.prompt_button, Qt.MouseButton.LeftButton)
        assert told.args == ["<lora:Style:1>"]
        words = details.findChild(QListWidget, "triggerView")
        item = words.item(1)
        QTest.mouseClick(words.viewport(), Qt.MouseButton.LeftButton, pos=words.visualItemRect(item).center())
        assert QApplication.clipboard().text() == "grainy film"

    def test_notes_are_told_when_they_are_left(self, manager, qtbot):
        manager.models.choose(ROOT / "Style.safetensors")
        edit = manager.models.details.notes_edit
        edit.setFocus()
        QTest.keyClicks(edit, "so ")
        with qtbot.waitSignal(manager.models.details.notes_written) as told:
            manager.models.search_edit.setFocus()
        assert told.args[1] == "so kept"
        assert told.args[0].name == "Style"

    def test_notes_of_one_are_not_written_to_the_next(self, manager):
        told: list[tuple[str, str]] = []
        manager.models.details.notes_written.connect(lambda asset, text: told.append((asset.name, text)))
        manager.models.choose(ROOT / "Style.safetensors")
        QTest.keyClicks(manager.models.details.notes_edit, "x")
        manager.models.choose(ROOT / "Starter.safetensors")
        assert told == [("Style", "xkept")]


def test_every_interactive_widget_has_a_name(manager):
    kinds = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit)
    manager.models.choose(ROOT / "Style.safetensors")
    found = [widget for kind in kinds for widget in manager.findChildren(kind)]
    own = [widget for widget in found if not any(isinstance(above, kinds) for above in _above(widget))]
    assert len(own) > 20
    assert [(type(widget), widget.objectName()) for widget in own if not widget.accessibleName()] == []
    assert [widget.accessibleName() for widget in own if not widget.objectName()] == []


def _above(widget):
    while (widget := widget.parentWidget()) is not None:
        yield widget


def test_what_was_left_out_is_told_in_one_line(manager):
    label = manager.findChild(QLabel, "libraryTroubles")
    assert not label.isVisible()
    manager.show_troubles([Trouble("/a/b", "the link leads to nothing."), Trouble("/c", "it could not be read.")])
    assert label.text().startswith("Left out: /a/b: the link leads to nothing.")
    assert "/c: it could not be read." in label.toolTip()


@pytest.mark.parametrize(
    ("size", "text"), [(0, ""), (38_000_000, "38 MB"), (900, "900 bytes"), (1, "1 byte"), (2_130_000_000, "2.1 GB")]
)
def test_sizes_are_readable(size, text):
    assert readable_size(size) == text


def test_a_model_of_the_hugging_face_cache_goes_with_its_repository(tmp_path):
    snapshot = tmp_path / "hub/models--org--name/snapshots/abc"
    snapshot.mkdir(parents=True)
    asset = Asset("checkpoint", "name", "name", snapshot, tmp_path)
    assert goes_with(asset) == tmp_path / "hub/models--org--name"
    assert goes_with(Asset("lora", "a", "a", tmp_path / "a", tmp_path)) == tmp_path / "a"


def test_others_bring_views_and_buttons(manager, qtbot):
    page = QLabel("more")
    pressed: list[str] = []
    button = manager.add_view("more", "More models", "download", page)
    manager.add_action("mergeButton", "Merge…", "shuffle", lambda: pressed.append("merge"))
    assert not page.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert page.isVisible()
    assert button.accessibleName() == "More models view"
    press(manager, "mergeButton")
    assert pressed == ["merge"]
    manager.open_view("models")
    assert manager.models.isVisible()


class TestInTheStudio:
    @pytest.fixture
    def page(self, studio, qtbot):
        """Return the Library page of a studio with a folder of another program; what is thrown away lies in a trash."""
        studio.window.pages.open("Library")
        page = studio.window.library_controller.page
        qtbot.waitUntil(lambda: page.models.model.rowCount() > 0)
        return page

    @pytest.fixture
    def webui(self, studio, page, qtbot, tmp_path):
        root = tmp_path / "webui"
        for name in ("models/Lora/style", "models/Stable-diffusion/one", "models/Stable-diffusion/two"):
            path = root / f"{name}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(_LORA, path)
        page.folder_added.emit(root)
        qtbot.waitUntil(lambda: "style" in shown(page))
        return root

    def _choose(self, page, qtbot, path):
        page.models.choose(path)
        qtbot.waitUntil(lambda: page.models.details.shown is not None and page.models.details.shown.asset.path == path)

    def test_use_goes_back_to_creating_with_the_model(self, studio, page, tiny_models, qtbot):
        shutil.copytree(tiny_models["sd1"], studio.paths.models / "other")
        studio.window.shell.rescan()
        qtbot.waitUntil(lambda: studio.paths.models / "other" in [r.asset.path for r in page.models.model.everything])
        self._choose(page, qtbot, studio.paths.models / "other")
        QTest.mouseClick(page.models.details.use_button, Qt.MouseButton.LeftButton)
        combo = studio.window.findChild(QComboBox, "modelComboBox")
        assert combo.currentData() == "other"
        assert studio.window.pages.name == "Create"
        [row] = [row for row in page.models.model.everything if row.in_use]
        assert row.asset.key == "other"

    def test_looking_again_finds_what_was_put_there(self, studio, page, tiny_models, qtbot):
        before = page.models.model.rowCount()
        studio.window.library_controller.watch.stop()
        shutil.copytree(tiny_models["sd1"], studio.paths.models / "new")
        press(page, "rescanButton")
        assert not page.rescan_button.isEnabled()
        qtbot.waitUntil(lambda: page.models.model.rowCount() == before + 1)
        assert page.rescan_button.isEnabled()

    def test_a_watched_folder_is_looked_into_by_itself(self, studio, page, webui, qtbot):
        assert str(webui / "models/Lora") in studio.window.library_controller.watch.folders
        save_file(_LORA, webui / "models/Lora/arrived.safetensors")
        qtbot.waitUntil(lambda: "arrived" in shown(page), timeout=30_000)
        (webui / "models/Lora/arrived.safetensors").unlink()
        qtbot.waitUntil(lambda: "arrived" not in shown(page), timeout=30_000)

    def test_a_drive_that_vanishes_is_told_and_the_rest_works_on(self, studio, page, webui, qtbot, tmp_path):
        shutil.move(webui, tmp_path / "unplugged")
        studio.window.shell.rescan()
        qtbot.waitUntil(lambda: "style" not in shown(page))
        assert "the folder is not there" in page.findChild(QLabel, "libraryTroubles").text()
        assert "tiny" in [row.asset.key for row in page.models.model.everything]
        shutil.move(tmp_path / "unplugged", webui)
        studio.window.shell.rescan()
        qtbot.waitUntil(lambda: "style" in shown(page))

    def test_an_added_folder_is_kept_and_read(self, studio, page, tiny_models, qtbot, tmp_path):
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        shutil.copytree(tiny_models["sd1"], folder / "far")
        press(page, "addFolderButton")
        dialog = page.findChild(QFileDialog)
        dialog.fileSelected.emit(str(folder))
        dialog.close()
        qtbot.waitUntil(lambda: "far" in [row.asset.key for row in page.models.model.everything])
        assert Settings.load(studio.paths.settings)[0].model_folders == (folder,)

    def test_a_damaged_model_is_listed_and_not_offered(self, studio, page, tiny_models, qtbot):
        broken = studio.paths.models / "broken"
        broken.mkdir()
        index = json.loads((tiny_models["sd1"] / "model_index.json").read_text())
        (broken / "model_index.json").write_text(json.dumps(index))
        studio.window.shell.rescan()
        qtbot.waitUntil(lambda: "broken" in shown(page))
        self._choose(page, qtbot, broken)
        assert page.models.details.shown.asset.problem
        assert not page.models.details.use_button.isEnabled()

    def test_lora_are_hashed_by_themselves(self, page, webui, qtbot):
        def hashed() -> list[str]:
            return [row.asset.name for row in page.models.model.everything if row.asset.body_sha256]

        qtbot.waitUntil(lambda: set(hashed()) >= {"style", "one", "two"}, timeout=30_000)
        self._choose(page, qtbot, webui / "models/Lora/style.safetensors")
        assert not page.models.details.hash_button.isVisible()

    def test_notes_covers_and_values_are_kept_and_taken_back(self, studio, page, qtbot):
        path = studio.paths.models / "tiny"
        self._choose(page, qtbot, path)
        details = page.models.details
        before = studio.library.find("tiny").defaults["steps"]
        QTest.keyClicks(details.notes_edit, "lovely")
        details.notes_edit.finish()
        assert studio.library.remarks.of(path).notes == "lovely"
        studio.window.panel.fields["steps"].set_value(9)
        press(page, "keepValuesButton")
        assert studio.library.find("tiny").defaults["steps"] == 9
        shown = [label.text() for label in details.findChildren(QLabel) if label.text().startswith("Saved by you: ")]
        sampler = SCHEDULER_BY_KEY[studio.window.panel.value("scheduler")].title
        assert ["steps 9" in text and f"sampler {sampler}" in text for text in shown] == [True]
        Image.new("RGB", (80, 80), "red").save(studio.paths.home / "cover.png")
        press(page, "coverFileButton")
        dialog = page.findChild(QFileDialog)
        dialog.fileSelected.emit(str(studio.paths.home / "cover.png"))
        dialog.close()
        qtbot.waitUntil(lambda: studio.library.remarks.of(path).cover is not None)
        assert studio.library.remarks.of(path).notes == "lovely"
        undos = studio.window.shell.undos
        for _ in range(3):
            undos.undo()
        assert studio.library.remarks.of(path) == Remark()
        assert studio.library.find("tiny").defaults["steps"] == before

    @pytest.mark.parametrize(("kind", "key"), KEYS.items())
    def test_what_is_built_in_stays_and_says_why(self, studio, page, qtbot, kind, key):
        path = studio.library.find_asset(kind, key).path
        self._choose(page, qtbot, path)
        button = page.models.details.trash_button
        assert not button.isEnabled()
        assert button.toolTip() == library_tidying.BUILT_IN_STAYS
        page.models.list.setFocus()
        QTest.keyClick(page.models.list, Qt.Key.Key_Delete)
        assert page.bar.message == library_tidying.BUILT_IN_STAYS
        assert path.exists()
        self._choose(page, qtbot, studio.paths.models / "tiny")
        assert button.isEnabled()
        assert button.toolTip() == ""

    def test_the_built_in_model_is_called_what_it_is(self, page):
        titles = [page.models.model.index(row).data() for row in range(page.models.model.rowCount())]
        assert "Starter (built in, 512 px, draws simple things)" in titles

    def test_nothing_of_the_details_lies_under_the_scroll_bar(self, studio, page, qtbot):
        studio.window.resize(900, 540)
        self._choose(page, qtbot, studio.paths.models / "tiny")
        area = page.models.details.findChild(QScrollArea)
        qtbot.waitUntil(lambda: area.verticalScrollBar().isVisible())
        buttons = [each for each in area.widget().findChildren(QPushButton) if each.isVisible()]
        assert len(buttons) >= 5
        rights = [each.mapTo(area.viewport(), QPoint(each.width(), 0)).x() for each in buttons]
        assert max(rights) <= area.viewport().width()

    def test_a_file_goes_to_the_trash_and_comes_back(self, studio, page, webui, qtbot, monkeypatch, tmp_path):
        trash = tmp_path / "trash"
        trash.mkdir()
        monkeypatch.setattr(library_tidying, "move_to_trash", lambda path: Path(shutil.move(path, trash / path.name)))
        path = webui / "models/Lora/style.safetensors"
        self._choose(page, qtbot, path)
        press(page, "trashModelButton")
        qtbot.waitUntil(lambda: "style" not in shown(page))
        assert not path.exists()
        studio.window.shell.undos.undo()
        qtbot.waitUntil(lambda: "style" in shown(page))
        assert path.exists()

    def test_copies_become_links_and_copies_again(self, studio, page, webui, qtbot):
        one, two, style = (webui / "models" / name for name in (
            "Stable-diffusion/one.safetensors", "Stable-diffusion/two.safetensors", "Lora/style.safetensors",
        ))  # fmt: skip
        page.open_view("space")
        press(page, "findDuplicatesButton")
        qtbot.waitUntil(lambda: page.space.twice.topLevelItemCount() == 1, timeout=30_000)
        assert page.space.twice.topLevelItem(0).childCount() == 3
        press(page, "linkCopiesButton")
        qtbot.waitUntil(lambda: os.path.samefile(one, two) and os.path.samefile(one, style), timeout=30_000)
        qtbot.waitUntil(lambda: "No two files" in page.space.twice_said.text(), timeout=30_000)
        studio.window.shell.undos.undo()
        qtbot.waitUntil(lambda: not os.path.samefile(one, two) and not os.path.samefile(one, style), timeout=30_000)
        assert one.read_bytes() == two.read_bytes() == style.read_bytes()
        qtbot.waitUntil(lambda: page.space.search_button.isVisible(), timeout=30_000)

    def test_the_space_is_shown_by_folder_and_kind(self, page, webui, qtbot):
        tree = page.space.tree

        def tops() -> list[str]:
            return [tree.topLevelItem(at).text(0) for at in range(tree.topLevelItemCount())]

        qtbot.waitUntil(lambda: f"{webui}  (A1111 or Forge)" in tops())
        item = tree.topLevelItem(tops().index(f"{webui}  (A1111 or Forge)"))
        assert [item.child(at).text(0) for at in range(item.childCount())] == ["LoRA  (3)"]
        page.open_view("space")
        tree.itemActivated.emit(item.child(0).child(0), 0)
        assert page.models.isVisible()
        assert page.models.current is not None

    def test_uses_are_counted(self, studio, page, qtbot):
        recipe = Recipe(app="t", request=GenerationRequest(model="tiny", width=64, height=64, seed=1))
        studio.history.save(Image.new("RGB", (64, 64)), recipe)
        studio.window.library_controller.renew()
        qtbot.waitUntil(lambda: any(r.use and r.asset.key == "tiny" for r in page.models.model.everything))
        self._choose(page, qtbot, studio.paths.models / "tiny")
        assert "1, last" in said(page)


def test_the_list_of_models_shows_that_it_has_the_focus(manager, qtbot):
    manager.activateWindow()
    qtbot.waitUntil(manager.isActiveWindow, timeout=20_000)
    files = manager.models.list
    files.setCurrentIndex(manager.models.model.index(0))
    files.setFocus()
    QApplication.processEvents()
    with_focus = files.grab().toImage()
    files.clearFocus()
    QApplication.processEvents()
    assert files.grab().toImage() != with_focus
