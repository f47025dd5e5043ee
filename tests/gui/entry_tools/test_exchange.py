"""Pictures dropped on the window, imported, exported, backed up and checked, by hand."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLabel, QPushButton, QStyleOptionViewItem

from sdstudio.history.exchange.export import export_fields
from sdstudio.history.exchange.importing import import_pictures
from sdstudio.history.exchange.telling import told_by
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.picture_text.texts import read_texts
from sdstudio.ui.entries.recipe_text import recipe_rows
from sdstudio.ui.entry_tools.import_dialog import KINDS
from sdstudio.ui.entry_tools.results_view import Result, ResultsView
from sdstudio.ui.forms.picture_editor import PicturePlace
from sdstudio.ui.widgets.picture_drag import files_of
from tests.unit.history.conftest import picture, recipe
from tests.unit.history.foreign.pictures import A1111, INVOKE_4, comfy_nodes, hidden, png, with_comment

PATIENCE_MS = 30_000


def mime_of(paths: Sequence[Path]) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(window: Any, *paths: Path) -> bool:
    """Drag files over the window and let go, as another program would; False when they are not taken."""
    mime = mime_of(paths)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, mime, buttons, keys)
    enter.ignore()
    window.dragEnterEvent(enter)
    if not enter.isAccepted():
        return False
    window.dropEvent(QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, mime, buttons, keys))
    return True


def test_a_drop_answers_copy_whatever_the_other_program_proposes(studio, others):
    """A program that hears "move" deletes the user's original."""
    mime = mime_of([others / "b.png"])
    both = Qt.DropAction.MoveAction | Qt.DropAction.CopyAction
    for action in (Qt.DropAction.MoveAction, Qt.DropAction.CopyAction):
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
        for target in (studio.window, studio.window.findChild(PicturePlace)):
            enter = QDragEnterEvent(QPoint(9, 9), both, mime, buttons, keys)
            enter.setDropAction(action)
            event = QDropEvent(QPointF(9, 9), both, mime, buttons, keys)
            event.setDropAction(action)
            for one in (enter, event):
                QApplication.sendEvent(target, one)
                assert one.isAccepted()
                assert one.dropAction() == Qt.DropAction.CopyAction


def press(qtbot: Any, parent: Any, name: str) -> None:
    button = parent.findChild(QPushButton, name)
    assert button is not None, name
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def offered(studio: Any, qtbot: Any) -> QDialog:
    """Wait for the dialog that shows what one picture tells."""
    qtbot.waitUntil(lambda: studio.window.findChild(QDialog, "pictureDialog") is not None, timeout=PATIENCE_MS)
    return studio.window.findChild(QDialog, "pictureDialog")


def dialog_of(studio: Any, name: str) -> Any:
    """The dialog that imports, exports or takes care of the pictures, opened by now."""
    found = studio.window.findChild(QDialog, f"{name}Dialog")
    assert found is not None
    return found


def wait_for_import(studio: Any, qtbot: Any, said: str) -> Any:
    dialog = dialog_of(studio, "import")
    qtbot.waitUntil(lambda: said in dialog.message, timeout=PATIENCE_MS)
    return dialog


@pytest.fixture
def others(tmp_path: Path) -> Path:
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "a.png").write_bytes(png({"parameters": A1111.format(sampler="Euler a", version="v1.10.1")}))
    (folder / "b.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    (folder / "c.png").write_bytes(png({"prompt": json.dumps(comfy_nodes())}))
    (folder / "d.png").write_bytes(b"")
    return folder


def test_one_dropped_picture_is_offered_with_all_it_tells(studio, qtbot, others):
    assert drop(studio.window, others / "b.png")
    dialog = offered(studio, qtbot)
    words = " ".join(label.text() for label in dialog.findChildren(QLabel))
    for said in ("InvokeAI 4.2.1", "a red boat", "Dreamshaper 8 – not in the library", "seamless_x", "1711236951"):
        assert said in words
    assert studio.history.count() == 0, "nothing is imported by looking"
    press(qtbot, dialog, "usePictureButton")
    assert studio.window.editor.prompt.startswith("a red boat")
    assert studio.window.editor.negative_prompt == "fog"
    assert studio.window.panel.value("steps") == 30
    assert studio.window.panel.model.key == "starter"
    assert "Dreamshaper 8 is not in the library" in studio.window.message.message
    assert studio.history.count() == 0


def test_its_model_is_found_by_name_and_what_is_lost_is_said(studio, qtbot, tmp_path):
    version = "v1.10.1, Refiner: ink [1234abcd]"
    text = A1111.format(sampler="Euler a", version=version).replace("v1-5-pruned-emaonly", "TINY")
    (tmp_path / "a.png").write_bytes(png({"parameters": text}))
    drop(studio.window, tmp_path / "a.png")
    press(qtbot, offered(studio, qtbot), "usePictureButton")
    assert studio.window.panel.model.key == "tiny"
    assert "Refiner" in studio.window.message.message
    assert studio.window.panel.value("hires") == 2


def test_the_offered_picture_can_be_imported_instead(studio, qtbot, others):
    drop(studio.window, others / "c.png")
    press(qtbot, offered(studio, qtbot), "importPictureButton")
    wait_for_import(studio, qtbot, "1 picture imported")
    assert studio.history.count() == 1


def test_a_folder_stays_together_as_a_collection_when_that_is_wished(studio, qtbot, others):
    assert drop(studio.window, others)
    dialog = wait_for_import(studio, qtbot, "3 pictures imported, 1 failed.")
    assert studio.history.marks.collections() == ()
    assert dialog.collect_button.text().strip() == "Make a collection “others”"
    press(qtbot, dialog, "importCollectButton")
    wait_for_import(studio, qtbot, "In the history under Collections: “others”.")
    assert studio.history.listing.facet("collection") == [("others", 3)]
    assert not dialog.collect_button.isVisible()


def test_a_folder_is_imported_with_a_list_and_taken_back_and_brought_back(studio, qtbot, others):
    studio.window.pages.open("History")
    assert drop(studio.window, others)
    dialog = wait_for_import(studio, qtbot, "3 pictures imported, 1 failed.")
    assert dialog.focusWidget().objectName() == "importCloseButton"  # Enter takes nothing back
    lines = [(line.kind, line.name) for line in dialog.results.model.shown]
    assert lines[0] == ("failed", "d.png")
    assert ("no_model", "b.png") in lines
    press(qtbot, dialog, "importResults_failed")
    assert [line.name for line in dialog.results.model.shown] == ["d.png"]
    press(qtbot, dialog, "importResultsCopy")
    assert QApplication.clipboard().text() == "d.png\tthe file is empty (0 bytes)"
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == 3, timeout=PATIENCE_MS)
    press(qtbot, dialog, "importUndoButton")
    wait_for_import(studio, qtbot, "3 pictures moved to the trash.")
    assert studio.history.count() == 0
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == 0, timeout=PATIENCE_MS)
    press(qtbot, dialog, "importUndoButton")
    wait_for_import(studio, qtbot, "3 pictures back in the history.")
    assert studio.history.count() == 3


def test_how_far_it_is_stands_in_the_status_line_and_the_title_too(studio, qtbot, others):
    exchange = studio.window.exchange
    said: list[str] = []
    titles: list[str] = []
    studio.window.generation.title_changed.connect(titles.append)
    studio.window.shell.side_work_changed.connect(lambda text: said.append(f"{text}|{studio.window.status_line.text}"))
    exchange.import_paths([others])
    wait_for_import(studio, qtbot, "3 pictures imported")
    qtbot.waitUntil(lambda: bool(said) and "|Ready" in said[-1], timeout=PATIENCE_MS)
    assert any(line.startswith("Importing pictures 4 of 4|Importing pictures 4 of 4") for line in said)
    assert titles[-1] == ""
    assert any(title.startswith("Importing pictures") for title in titles)


def test_what_is_dropped_during_an_import_follows_it(studio, qtbot, others):
    studio.window.exchange.import_paths([others / "a.png"])
    studio.window.exchange.import_paths([others / "b.png", others / "c.png"])
    wait_for_import(studio, qtbot, "2 pictures imported")
    assert studio.history.count() == 3


def test_imported_pictures_of_every_format_are_seen_with_what_they_tell(studio, qtbot, tmp_path):
    text = A1111.format(sampler="Euler a", version="v1.10.1")
    for kind in ("JPEG", "WEBP"):
        (tmp_path / f"a.{kind.lower()}").write_bytes(with_comment(kind, text))
    (tmp_path / "b.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    studio.window.exchange.import_paths([tmp_path])
    wait_for_import(studio, qtbot, "3 pictures imported")
    entries = studio.history.entries()
    assert {entry.path.suffix for entry in entries} == {".jpeg", ".webp", ".png"}
    for entry in entries:
        studio.window.canvas.show_entry(entry)
        assert studio.window.canvas.view.picture.width() == 64
    rows = dict(recipe_rows(next(entry for entry in entries if entry.path.suffix == ".png")))
    assert rows["Made with"] == "InvokeAI 4.2.1"
    assert "seamless_x: True" in rows["Settings not used"]
    assert " in " not in rows["Made"], "nobody knows how long it took"


def test_an_import_can_be_stopped(studio, qtbot, tmp_path, others):
    studio.window.exchange.import_paths([others] * 2)
    dialog_of(studio, "import").bar.stop_button.click()
    assert wait_for_import(studio, qtbot, "imported").bar.isHidden()


def test_a_picture_that_cannot_be_used_is_one_line(studio, qtbot, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "says nothing.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_bytes(b"text")
    for name, said in (
        ("empty.png", "empty"), ("text.png", "no PNG"), ("says nothing.png", "no generation parameters"),
    ):  # fmt: skip
        drop(studio.window, tmp_path / name)
        qtbot.waitUntil(lambda said=said: said in studio.window.message.message, timeout=PATIENCE_MS)
        assert "\n" not in studio.window.message.message, name
        assert studio.history.count() == 0, name
        studio.window.message.dismiss()


def test_a_picture_dropped_on_the_prompt_is_for_the_window(studio, others):
    edit = studio.window.editor.prompt_edit
    mime = mime_of([others / "a.png"])
    mime.setText(str(others / "a.png"))  # file managers give both
    assert not edit.canInsertFromMimeData(mime)
    words = QMimeData()
    words.setText("a red fox")
    assert edit.canInsertFromMimeData(words)


def test_what_is_no_picture_is_not_taken(studio, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert not drop(studio.window, tmp_path / "notes.txt")
    assert not drop(studio.window)


def test_an_imported_picture_runs_again_with_its_model_found(studio, qtbot, tmp_path):
    text = A1111.format(sampler="Euler a", version="v1.10.1").replace("v1-5-pruned-emaonly", "Tiny")
    text = text.replace("512x768", "64x64").replace("<lora:hat:0.8>", "")
    (tmp_path / "a.png").write_bytes(png({"parameters": text}))
    studio.window.exchange.import_paths([tmp_path / "a.png"])
    wait_for_import(studio, qtbot, "1 picture imported")
    (entry,) = studio.history.entries()
    with qtbot.waitSignal(studio.worker.picture_saved, timeout=PATIENCE_MS):
        studio.window.actions_on_entries.ask("rerun", [entry])
    newest = studio.history.entries()[0]
    assert newest.recipe.request.model == "tiny"
    assert newest.parent_id == entry.id


def export_dialog(studio: Any, count: int = 2) -> Any:
    entries = [studio.history.save(picture(), recipe(f"secret {n}", seed=n)) for n in range(count)]
    studio.window.actions_on_entries.ask("export", entries)
    return dialog_of(studio, "export")


def choose(combo: Any, key: str) -> None:
    combo.setCurrentIndex(combo.findData(key))


def test_pictures_are_exported_to_a_zip_without_a_ticked_off_field(studio, qtbot, tmp_path):
    dialog = export_dialog(studio)
    choose(dialog.as_combo, "zip")
    choose(dialog.format_combo, "webp")
    choose(dialog.tells_combo, "chosen")
    assert set(dialog.boxes) == {row.key for row in export_fields()}
    dialog.boxes["prompt"].setChecked(False)
    dialog.target_edit.setText(str(tmp_path / "a.zip"))
    press(qtbot, dialog, "exportButton")
    qtbot.waitUntil(lambda: dialog.message == "2 pictures exported.", timeout=PATIENCE_MS)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "out")
    written = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in written] == [".webp", ".webp"]
    assert all("secret" not in json.dumps(read_texts(path)) for path in written)
    assert not dialog.reveal_button.isHidden()


def test_only_what_counts_is_shown(studio, qtbot):
    dialog = export_dialog(studio)
    assert (dialog.quality_spin.isVisible(), dialog.columns_spin.isVisible()) == (False, False)
    choose(dialog.format_combo, "jpeg")
    assert dialog.quality_spin.isVisible()
    choose(dialog.as_combo, "sheet")
    assert (dialog.format_combo.isVisible(), dialog.columns_spin.isVisible()) == (False, True)
    assert dialog.target_edit.text().endswith("contact sheet.png")


def test_an_export_that_fails_says_why_and_lists_what_failed(studio, qtbot, tmp_path):
    dialog = export_dialog(studio)
    studio.history.entries()[0].path.write_bytes(b"")
    dialog.target_edit.setText(str(tmp_path / "out"))
    press(qtbot, dialog, "exportButton")
    qtbot.waitUntil(lambda: dialog.message == "1 of 2 pictures exported, 1 failed.", timeout=PATIENCE_MS)
    assert [line.text for line in dialog.results.model.shown] == ["the file is empty (0 bytes)"]
    (tmp_path / "file").write_text("x")
    dialog.target_edit.setText(str(tmp_path / "file"))
    press(qtbot, dialog, "exportButton")
    qtbot.waitUntil(lambda: "stand in each other's way" in dialog.message, timeout=PATIENCE_MS)


def test_a_saved_copy_tells_how_it_was_made_unless_told_not_to(studio, tmp_path):
    entry = studio.history.save(picture(), recipe("a secret"))
    exchange, endings = studio.window.exchange, ("png", "jpg", "webp")
    for ending in endings:
        exchange.save_copy(entry, tmp_path / f"a.{ending}")
        assert recipe_of(tmp_path / f"a.{ending}") == entry.recipe, ending
    studio.window.shell.take_settings(studio.window.shell.settings.model_copy(update={"copies_tell": False}))
    for ending in endings:
        exchange.save_copy(entry, tmp_path / f"b.{ending}")
        assert read_texts(tmp_path / f"b.{ending}") == {}, ending
    studio.window.actions_on_entries.ask("export", [entry])
    assert dialog_of(studio, "export").tells_combo.currentData() == "nothing"


HIDDEN = "privateword\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 42, Size: 64x64, Model: m"


def test_what_is_copied_or_dragged_out_tells_nothing_where_copies_are_not_to_tell(studio, qtbot, tmp_path):
    secret = studio.history.save(picture(size=(64, 64)), recipe("a secret"))
    (tmp_path / "in.png").write_bytes(hidden(HIDDEN, mark=b"stealth_rgbcomp"))
    studio.window.exchange.import_paths([tmp_path / "in.png"])
    wait_for_import(studio, qtbot, "1 picture imported")
    (foreign,) = [entry for entry in studio.history.entries() if entry.id != secret.id]
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == 2, timeout=PATIENCE_MS)
    clipboard = QApplication.clipboard()

    def handed_out(mime):
        assert mime.hasUrls()
        assert mime.data("text/uri-list").data().startswith(b"file://")
        return files_of(type_of_others(mime))

    def type_of_others(mime):
        """What another program gets."""
        others = QMimeData()
        others.setUrls(mime.urls())
        return others

    dragged = studio.window.history_model.files_of([0, 1])
    assert {path.name for path in handed_out(dragged)} == {foreign.path.name, secret.path.name}
    studio.window.shell.take_settings(studio.window.shell.settings.model_copy(update={"copies_tell": False}))
    model = studio.window.history_model
    bare = handed_out(model.files_of([0, 1]))
    for entry in (foreign, secret):
        one = studio.window.exchange.mime_of([entry])
        assert one.hasImage()
        image = QImage(one.imageData())
        assert (image.width(), image.text()) == (64, "")
        bare += handed_out(one)
        clipboard.setText("nothing yet")
        studio.window.actions_on_entries.ask("copy", [entry])
        qtbot.waitUntil(lambda: clipboard.mimeData().hasUrls(), timeout=PATIENCE_MS)
        bare += files_of(clipboard.mimeData())
    assert len(bare) == 6
    for path in bare:
        assert "secret" not in path.name
        with path.open("rb") as file:
            assert told_by(file) == {}
        assert recipe_of(path) is None
    assert {path.name for path in files_of(model.files_of([0, 1]))} == {foreign.path.name, secret.path.name}, (
        "the studio's own windows get the pictures themselves"
    )
    assert not model.mime_of([secret] * 40).hasUrls(), "too many to write while somebody waits"


def test_a_copy_that_hid_text_says_that_it_was_taken_out(studio, tmp_path):
    (tmp_path / "in.png").write_bytes(hidden(HIDDEN, mark=b"stealth_rgbcomp"))
    entry = import_pictures(studio.history, [tmp_path / "in.png"]).taken[0].entry
    studio.window.shell.take_settings(studio.window.shell.settings.model_copy(update={"copies_tell": False}))
    studio.window.exchange.save_copy(entry, tmp_path / "out.png")
    assert "Text hidden in its pixels was taken out." in studio.window.status_line.text
    studio.window.exchange.ask_where_to_save(entry)
    dialog = studio.window.findChild(QFileDialog)
    assert [Path(name).name for name in dialog.selectedFiles()] == [f"picture-{entry.id:06d}.png"]
    dialog.reject()


def test_a_copy_that_cannot_be_saved_is_one_line(studio, tmp_path):
    entry = studio.history.save(picture(), recipe())
    studio.window.exchange.save_copy(entry, tmp_path / "a.gif")
    assert ".png, .jpg or .webp" in studio.window.message.message


def test_backup_and_check_by_hand(studio, qtbot, tmp_path):
    entry, other = (studio.history.save(picture(), recipe(str(n))) for n in range(2))
    studio.window.exchange.open_care()
    dialog = dialog_of(studio, "care")
    dialog.target_edit.setText(str(tmp_path / "b.zip"))
    press(qtbot, dialog, "backupButton")
    qtbot.waitUntil(lambda: "2 pictures and all settings backed up" in dialog.message, timeout=PATIENCE_MS)
    assert zipfile.is_zipfile(tmp_path / "b.zip")
    assert not dialog.repair_button.isEnabled()
    entry.path.unlink()
    press(qtbot, dialog, "checkButton")
    qtbot.waitUntil(lambda: "1 to repair" in dialog.message, timeout=PATIENCE_MS)
    press(qtbot, dialog, "repairButton")
    qtbot.waitUntil(lambda: "1 repaired" in dialog.message, timeout=PATIENCE_MS)
    assert [each.id for each in studio.history.entries()] == [other.id]
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == 1, timeout=PATIENCE_MS)


def test_every_button_and_field_of_the_dialogs_has_a_name(studio, qtbot, others):
    from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QWidget

    export = export_dialog(studio)
    studio.window.exchange.open_care()
    studio.window.exchange.import_paths([others])
    wait_for_import(studio, qtbot, "imported")
    for dialog in (export, dialog_of(studio, "care"), dialog_of(studio, "import")):
        for widget in dialog.findChildren(QWidget):
            if isinstance(widget, QAbstractButton | QComboBox | QLineEdit | QAbstractSpinBox):
                inner = widget.objectName().startswith("qt_") or isinstance(widget.parent(), QAbstractSpinBox)
                table = widget.metaObject().className() == "QTableCornerButton"
                assert inner or table or (widget.objectName() and widget.accessibleName()), widget


def test_long_names_in_the_list_keep_their_endings(qtbot):
    view = ResultsView("importResults", KINDS)
    qtbot.addWidget(view)
    name = "a picture with a very long name that does not fit into its column 00017.png"
    view.show_results([Result("failed", name, "it is empty")])
    index = view.model.index(0, 0)
    option = QStyleOptionViewItem()
    view.view.itemDelegateForIndex(index).initStyleOption(option, index)
    assert option.textElideMode == Qt.TextElideMode.ElideMiddle
    assert name in index.data(Qt.ItemDataRole.ToolTipRole)
