"""Beginning from a picture, by hand: dropped, pasted, chosen, sent from the history; taken away and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.picture_editor import GONE, INVITATION, PictureEditor
from sdstudio.ui.pages.create.hover_bar import HoverBar
from sdstudio.ui.pages.create.input_pictures import fitted
from sdstudio.ui.widgets.picture_drag import offer_of

PATIENCE_MS = 30_000
BUTTONS, KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def studio(shared_studio: Any) -> Any:
    return shared_studio


@pytest.fixture
def editor(studio: Any) -> PictureEditor:
    found = studio.window.panel.field("init_image").editor
    assert isinstance(found, PictureEditor)
    return found


@pytest.fixture
def kept(studio: Any) -> InputPictures:
    return InputPictures(studio.paths)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "holiday photo.png"
    Image.new("RGB", (301, 999), (200, 30, 30)).save(path)
    return path


def files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(target: Any, mime: QMimeData) -> bool:
    """Drag something over a widget and let go; False when it is not taken."""
    enter = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, mime, BUTTONS, KEYS)
    enter.ignore()
    QApplication.sendEvent(target, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(target, QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, mime, BUTTONS, KEYS))
    return True


def press(qtbot: Any, editor: PictureEditor, name: str) -> None:
    button = editor.findChild(QPushButton, f"initImage{name}Button")
    assert button is not None, name
    assert button.isVisible(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_for(qtbot: Any, editor: PictureEditor, name: str) -> None:
    """Wait until the editor shows a picture of this name."""
    qtbot.waitUntil(lambda: editor.seen is not None and editor.seen.name == name, timeout=PATIENCE_MS)
    assert editor.place.small is not None


def saved(studio: Any, **values: Any) -> Any:
    request = GenerationRequest(**{"width": 64, "height": 96, "prompt": "frog", "seed": 3, **values})
    pixels = Image.new("RGB", (request.width, request.height), (20, 120, 60))
    recipe = Recipe(app="test", request=request, model_name="Tiny", model_family="sd1")
    entry = studio.history.save(pixels, recipe)
    studio.window.history_model.insert([entry])
    return entry


def test_a_dropped_file_becomes_the_input_and_what_needs_it_is_shown(studio, qtbot, editor, kept, photo):
    panel = studio.window.panel
    assert editor.place.said == INVITATION
    assert not panel.field("strength").isVisible()
    assert drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    photo.unlink()
    assert kept.path_of(panel.request().init_image).is_file(), "the request outlives the file"
    assert any("301 × 999" in label.text() for label in editor.findChildren(QLabel))
    assert panel.field("strength").isVisible()
    assert panel.field("init_fit").isVisible()
    assert studio.history.count() == 0, "it is no import"


def test_a_picture_dropped_elsewhere_is_still_read_and_may_be_used_all_the_same(studio, qtbot, editor, tmp_path, photo):
    drop(studio.window, files(photo))
    bar = studio.window.message
    qtbot.waitUntil(lambda: "no generation parameters found" in bar.message, timeout=PATIENCE_MS)
    assert editor.value() == ""
    studio.window.pages.open("Library")
    assert bar.message == "", "it is of the page on which it was dropped"
    studio.window.pages.open("Create")
    drop(studio.window, files(photo))
    qtbot.waitUntil(lambda: "no generation parameters found" in bar.message, timeout=PATIENCE_MS)
    button = next(button for button in bar.findChildren(QPushButton) if button.text() == "Use as input")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    wait_for(qtbot, editor, "holiday photo.png")
    qtbot.waitUntil(lambda: "begin from holiday photo.png" in bar.message, timeout=PATIENCE_MS)


def test_no_folder_and_no_words_can_be_dropped(studio, editor, tmp_path):
    words = QMimeData()
    words.setText("a red fox")
    assert offer_of(files(tmp_path)) is None, "a folder is for the window to import"
    assert not drop(editor.place, words)
    QApplication.sendEvent(editor.place, QDragLeaveEvent())
    assert editor.value() == ""


def test_one_dragged_from_the_history_keeps_it_as_its_parent(studio, qtbot, editor, kept):
    entry = saved(studio)
    assert drop(editor.place, studio.window.history_model.files_of([0]))
    wait_for(qtbot, editor, entry.path.name)
    assert kept.parent_of(editor.value()) == entry.id


def test_a_file_of_the_history_is_known_however_it_comes(studio, qtbot, editor, kept):
    entry = saved(studio)
    assert drop(editor.place, files(entry.path))
    wait_for(qtbot, editor, entry.path.name)
    assert kept.parent_of(editor.value()) == entry.id


def test_of_several_the_first_is_taken_and_that_is_said(studio, qtbot, editor, photo, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png")
    assert drop(editor.place, files(photo, tmp_path / "other.png"))
    wait_for(qtbot, editor, "holiday photo.png")
    assert "2 pictures came" in studio.window.status_line.text


def test_a_pasted_picture_and_a_pasted_file(studio, qtbot, editor, photo):
    image = QImage(20, 10, QImage.Format.Format_RGB32)
    image.fill(QColor("green"))
    QApplication.clipboard().setImage(image)
    press(qtbot, editor, "Paste")
    wait_for(qtbot, editor, "Pasted picture.png")
    assert (editor.seen.width, editor.seen.height) == (20, 10)
    QApplication.clipboard().setMimeData(files(photo))
    editor.place.setFocus()
    QTest.keyClick(editor.place, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    wait_for(qtbot, editor, "holiday photo.png")
    QApplication.clipboard().clear()


def test_nothing_on_the_clipboard_is_said_at_the_field(studio, qtbot, editor):
    QApplication.clipboard().clear()
    press(qtbot, editor, "Paste")
    assert "Clipboard: there is no picture on it." in studio.window.panel.field("init_image").error
    assert editor.value() == ""


@pytest.mark.parametrize("by", ["keyboard", "mouse"])
def test_a_file_is_chosen_and_the_focus_stays_at_the_picture(studio, qtbot, editor, photo, by):
    if by == "keyboard":
        editor.place.setFocus()
        QTest.keyClick(editor.place, Qt.Key.Key_Return)
    else:
        editor.choose_button.setFocus()
        QTest.mouseClick(editor.choose_button, Qt.MouseButton.LeftButton)
    dialog = editor.findChild(QFileDialog, "inputPictureDialog")
    dialog.fileSelected.emit(str(photo))
    dialog.reject()
    wait_for(qtbot, editor, "holiday photo.png")
    assert studio.window.focusWidget() is editor.place


@pytest.mark.parametrize(("content", "said"), [
    (b"", "0 bytes"), (b"GIF89a and so on", "no PNG, JPEG or WebP"), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "damaged"),
])  # fmt: skip
def test_what_is_no_picture_is_refused_at_the_field_and_the_one_before_stays(
    studio, qtbot, editor, photo, tmp_path, content, said
):
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    before = editor.value()
    (tmp_path / "bad.png").write_bytes(content)
    drop(editor.place, files(tmp_path / "bad.png"))
    field = studio.window.panel.field("init_image")
    qtbot.waitUntil(lambda: said in field.error, timeout=PATIENCE_MS)
    assert editor.value() == before
    assert editor.place.small is not None


def test_removed_and_brought_back_by_its_button_and_by_undo(studio, qtbot, editor, photo):
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    held = editor.value()
    assert not editor.undo_button.isVisible()
    press(qtbot, editor, "Remove")
    assert studio.window.panel.request().init_image == ""
    assert not studio.window.panel.field("strength").isVisible()
    press(qtbot, editor, "Undo")
    assert (editor.value(), editor.seen.name) == (held, "holiday photo.png")
    assert not editor.undo_button.isVisible()
    editor.place.setFocus()
    QTest.keyClick(editor.place, Qt.Key.Key_Delete)
    assert editor.value() == ""
    studio.window.history_controller.undo()
    assert editor.value() == held


def test_a_replaced_picture_comes_back_too(studio, qtbot, editor, photo):
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    entry = saved(studio)
    studio.window.actions_on_entries.ask("use_as_input", [entry])
    wait_for(qtbot, editor, entry.path.name)
    assert studio.window.shell.undos.last.text == "Input picture replaced"
    press(qtbot, editor, "Undo")
    assert editor.seen.name == "holiday photo.png"


def test_reset_clears_it(studio, qtbot, editor, photo):
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    studio.window.panel.reset()
    assert studio.window.panel.request().init_image == ""
    assert editor.place.said == INVITATION


@pytest.mark.parametrize(
    ("size", "wanted"), [((301, 999), (304, 1000)), ((6000, 3000), (4096, 2048)), ((9, 40), (64, 64))]
)
def test_its_size_is_taken_as_near_as_is_allowed(studio, qtbot, editor, tmp_path, size, wanted):
    Image.new("L", size).save(tmp_path / "a.png")
    drop(editor.place, files(tmp_path / "a.png"))
    wait_for(qtbot, editor, "a.png")
    press(qtbot, editor, "UseSize")
    assert (studio.window.panel.value("width"), studio.window.panel.value("height")) == wanted


def test_a_turned_photograph_is_seen_upright_and_a_clear_ground_white(studio, qtbot, editor, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (300, 200), "blue").save(tmp_path / "turned.jpg", exif=exif)
    drop(editor.place, files(tmp_path / "turned.jpg"))
    wait_for(qtbot, editor, "turned.jpg")
    assert (editor.seen.width, editor.seen.height) == (200, 300)
    assert editor.place.small.height() > editor.place.small.width()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    drop(editor.place, files(tmp_path / "clear.png"))
    wait_for(qtbot, editor, "clear.png")
    assert editor.place.small.pixelColor(20, 20) == QColor("white")


def test_while_it_is_taken_in_nothing_is_drawn_and_what_was_given_up_does_not_come(studio, qtbot, editor, photo):
    drop(editor.place, files(photo))
    with pytest.raises(InvalidRequest, match="being taken in"):
        studio.window.panel.request()
    editor.remove()
    qtbot.waitUntil(lambda: studio.tasks.is_idle, timeout=PATIENCE_MS)
    assert editor.value() == ""
    assert studio.window.panel.request().init_image == ""


def test_a_restored_picture_brings_its_input_back(studio, qtbot, editor, kept, photo):
    key = kept.keep(photo).id
    studio.window.parameters_controller.use(saved(studio, init_image=key, strength=0.3))
    wait_for(qtbot, editor, "holiday photo.png")
    assert studio.window.panel.request("frog").strength == 0.3


def test_an_input_that_is_gone_is_said_at_the_field_and_nothing_is_drawn(studio, qtbot, editor, photo):
    studio.window.parameters_controller.use(saved(studio, init_image="5a" * 32))
    qtbot.waitUntil(lambda: editor.is_gone, timeout=PATIENCE_MS)
    assert editor.place.said == GONE
    assert "gone" in studio.window.panel.field("init_image").error
    with pytest.raises(InvalidRequest, match="gone"):
        studio.window.panel.request()
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    assert studio.window.panel.field("init_image").error == ""


def test_it_is_there_again_after_a_restart(build, qtbot, photo):
    studio = build()
    editor = studio.window.panel.field("init_image").editor
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    held = editor.value()
    photo.unlink()
    assert studio.close()
    editor = build().window.panel.field("init_image").editor
    wait_for(qtbot, editor, "holiday photo.png")
    assert editor.value() == held


class TestUseAsInput:
    def test_from_the_keyboard_with_the_create_page_coming_forward(self, studio, qtbot, editor, kept):
        entry = saved(studio)
        window = studio.window
        window.pages.open("History")
        view = window.pages.browser.view
        view.setFocus()
        view.setCurrentIndex(window.history_model.index(0))
        action = window.findChild(QAction, "action_entry_use_as_input")
        assert action.isEnabled()
        action.trigger()
        wait_for(qtbot, editor, entry.path.name)
        assert window.pages.name == "Create"
        assert kept.parent_of(editor.value()) == entry.id

    def test_the_parameters_come_forward_where_they_were_closed(self, studio, qtbot, editor):
        entry = saved(studio)
        studio.window.create_page.panel_dock.close()
        studio.window.actions_on_entries.ask("use_as_input", [entry])
        wait_for(qtbot, editor, entry.path.name)
        assert editor.isVisible()

    def test_every_place_offers_it(self, studio):
        entry = saved(studio)
        window = studio.window
        window.canvas.show_entry(entry)
        window.pages.open("History")
        assert any(child.objectName() == "hover_use_as_input" for child in window.canvas.findChild(HoverBar).children())
        titles = [action.text() for action in window.actions_on_entries.menu([entry], window).actions()]
        assert any(title.startswith("Use as input") for title in titles)
        assert window.pages.currentWidget().details.findChild(QPushButton, "details_use_as_input") is not None

    def test_a_blocked_picture_is_refused_in_words(self, studio, editor):
        request = GenerationRequest(width=64, height=64, seed=1)
        recipe = Recipe(app="test", request=request, model_family="sd1", blocked="nudity")
        entry = studio.history.save(Image.new("RGB", (64, 64)), recipe)
        studio.window.actions_on_entries.ask("use_as_input", [entry])
        assert "was blocked" in studio.window.message.message
        assert editor.value() == ""


@pytest.mark.parametrize(("fit", "corner", "middle"), [
    ("crop", "red", "red"), ("stretch", "red", "red"), ("pad", "white", "red"),
])  # fmt: skip
def test_the_canvas_begins_with_the_input_in_the_shape_of_the_picture(fit, corner, middle):
    small = QImage(100, 50, QImage.Format.Format_RGB32)
    small.fill(QColor("red"))
    shape = fitted(small, 64, 64, fit)
    assert shape.width() == shape.height()
    assert shape.pixelColor(3, 3) == QColor(corner)
    assert shape.pixelColor(shape.width() // 2, shape.height() // 2) == QColor(middle)


def test_the_place_of_a_picture_shows_what_it_begins_from(studio, qtbot, editor, photo):
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")
    request = studio.window.panel.request("red heart")
    first = studio.window.canvas.first_look(request)
    assert first is not None
    assert first.width() * request.height == first.height() * request.width
    assert studio.window.canvas.first_look(request.model_copy(update={"init_image": ""})) is None


def test_an_offer_is_read_from_what_is_dragged(tmp_path, photo):
    mime = files(photo)
    mime.setData("application/x-sdstudio-entries", b"12,13")
    assert offer_of(mime).entry_id == 12
    mime.setData("application/x-sdstudio-entries", b"no number")
    assert offer_of(mime).entry_id is None
    assert offer_of(QMimeData()) is None


def test_advice_on_the_strength_stands_beside_it_only_with_an_input(studio, qtbot, editor, photo):
    panel = studio.window.panel
    panel.field("strength").set_value(0.95)
    drop(editor.place, files(photo))
    wait_for(qtbot, editor, "holiday photo.png")

    def told() -> bool:
        button = panel.field("strength").findChild(QPushButton, "strengthAdviceButton")
        return button is not None and button.isVisible()

    qtbot.waitUntil(told, timeout=PATIENCE_MS)
    button = panel.field("strength").findChild(QPushButton, "strengthAdviceButton")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert panel.value("strength") == 0.5
    assert not told()
