"""The mask belongs to the request: kept when it is used, restored, dropped with its picture, there after a crash."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QPushButton, QSpinBox, QToolButton

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.mask_editor import NO_MASK
from sdstudio.ui.widgets.picture_drag import Offer
from tests.gui.pages.create.mask.conftest import SIZE, WAIT_MS, Painting


def generate(painting: Any, prompt: str = "frog") -> Any:
    """Press Generate and return the entry that comes of it."""
    window, count = painting.window, painting.studio.history.count()
    window.editor.set_prompt(prompt)
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    painting.qtbot.waitUntil(lambda: painting.studio.history.count() > count, timeout=WAIT_MS)
    painting.qtbot.waitUntil(lambda: window.canvas.entry is not None, timeout=WAIT_MS)
    return painting.studio.history.entries(limit=1)[0]


def saved(studio: Any, size: tuple[int, int] = (64, 96)) -> Any:
    request = GenerationRequest(width=size[0], height=size[1], prompt="toad", seed=3)
    recipe = Recipe(app="test", request=request, model_name="Tiny", model_family="sd1")
    entry = studio.history.save(Image.new("RGB", size, (20, 120, 60)), recipe)
    studio.window.history_model.insert([entry])
    return entry


def undo(painting: Any) -> None:
    painting.window.findChild(QAction, "action_undo").trigger()


def offer(painting: Any, path: Any) -> None:
    """Load a file as the mask, as its field's dialog does."""
    painting.press(painting.field, "maskChooseButton")
    dialog = painting.field.findChild(QFileDialog, "inputPictureDialog")
    dialog.fileSelected.emit(str(path))
    dialog.reject()


def test_generate_keeps_the_mask_shows_the_picture_and_use_parameters_brings_it_back(painting, qtbot):
    window = painting.window
    painting.drag((100, 100), (200, 200))
    painted = painting.pixels()
    entry = generate(painting)
    mask_id = entry.recipe.request.mask
    assert (np.array(Image.open(painting.store.path_of(mask_id))) == painted).all()
    assert not painting.is_open, "what was drawn is seen"
    painting.press(painting.field, "maskRemoveButton")
    qtbot.waitUntil(lambda: painting.mask_id == "", timeout=WAIT_MS)
    assert entry.recipe.request.mask, "the entry keeps its own"
    window.parameters_controller.use(entry)
    qtbot.waitUntil(lambda: painting.field.seen is not None, timeout=WAIT_MS)
    assert painting.mask_id == mask_id
    painting.press(painting.field, "maskPaintButton")
    painting.drag((300, 100))
    assert painting.mask_id != mask_id
    undo(painting)
    assert painting.mask_id == mask_id
    undo(painting)
    assert painting.mask_id == ""
    undo(painting)
    assert (painting.pixels() == painted).all(), "what was cleared is back"


def test_the_field_shows_the_mask_and_how_much_is_painted_and_clears_it(painting, qtbot):
    field = painting.field
    assert field.place.said == NO_MASK
    painting.key("r")
    painting.drag((100, 0), (200, 299))
    qtbot.waitUntil(lambda: field.seen is not None, timeout=WAIT_MS)
    assert field.seen.name in ("25 % painted", "24 % painted")
    small = field.place.small
    red, plain = (small.pixelColor(round(x / SIZE[0] * small.width()), small.height() // 2) for x in (150, 300))
    assert red.red() > plain.red() + 60
    painting.window.shell.take_settings(painting.window.shell.settings.model_copy(update={"mask_colour": "green"}))
    assert field.place.small.pixelColor(round(0.375 * small.width()), small.height() // 2).green() > 140
    painting.press(field, "maskRemoveButton")
    qtbot.waitUntil(lambda: field.place.said == NO_MASK, timeout=WAIT_MS)
    assert painting.window.panel.request().mask == ""
    undo(painting)
    assert painting.window.panel.request().mask


def test_a_new_picture_of_another_size_drops_the_mask_and_says_so(painting, qtbot):
    painting.drag((100, 100), (200, 200))
    painted = painting.pixels()
    painting.window.actions_on_entries.ask("use_as_input", [saved(painting.studio)])
    message = painting.window.message
    qtbot.waitUntil(lambda: "The mask was dropped: it is 400 × 304" in message.message, timeout=WAIT_MS)
    assert (painting.mask_id, painting.is_open) == ("", False)
    button = next(each for each in message.findChildren(QPushButton) if each.text() == "Undo")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert (painting.pixels() == painted).all()
    qtbot.waitUntil(lambda: painting.picture.seen.name == "holiday photo.png", timeout=WAIT_MS)
    same = saved(painting.studio, SIZE)
    painting.window.actions_on_entries.ask("use_as_input", [same])
    qtbot.waitUntil(lambda: painting.picture.seen.name == same.path.name, timeout=WAIT_MS)
    assert (painting.pixels() == painted).all(), "on one of its size it stays"
    painting.window.findChild(QToolButton, "resetAllButton").click()
    assert painting.window.panel.request().mask == ""
    undo(painting)
    assert (painting.pixels() == painted).all(), "a reset is taken back with the mask"
    qtbot.waitUntil(lambda: painting.picture.seen is not None, timeout=WAIT_MS)
    painting.picture.remove()
    assert painting.window.panel.request().mask == ""
    assert "went with the input picture" in message.message
    undo(painting)
    assert (painting.pixels() == painted).all()


def test_the_field_shows_the_mask_over_a_new_picture_of_its_size(painting, qtbot, tmp_path):
    painting.drag((200, 150))
    qtbot.waitUntil(lambda: painting.field.seen is not None, timeout=WAIT_MS)
    Image.new("RGB", SIZE, (200, 30, 40)).save(tmp_path / "red.png")
    painting.picture.offered.emit(Offer(tmp_path / "red.png"))
    corner = (0, 0)
    qtbot.waitUntil(lambda: painting.field.seen.small.pixelColor(*corner).red() > 150, timeout=WAIT_MS)


def test_edit_opens_any_picture_in_place(studio, qtbot, home, photo):
    painting, entry = Painting(studio, qtbot, home), saved(studio, (128, 96))
    window = studio.window
    window.canvas.show_entry(entry)
    window.canvas.view.setFocus()
    QTest.keyClick(window.canvas.view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: painting.is_open, timeout=WAIT_MS)
    assert painting.store.parent_of(painting.picture.value()) == entry.id
    assert window.message.message == "", "nothing lies over what is painted on"
    assert window.findChild(QSpinBox, "maskSizeSpinBox").value() == 128 // 12, "a brush that suits the picture"
    qtbot.waitUntil(lambda: painting.layer.hasFocus(), timeout=WAIT_MS)
    QTest.mouseClick(window.findChild(QPushButton, "maskDoneButton"), Qt.MouseButton.LeftButton)
    assert window.canvas.isVisible()
    window.pages.open("History")
    window.pages.browser.view.setCurrentIndex(window.history_model.index(0))
    window.findChild(QAction, "action_entry_edit").trigger()
    qtbot.waitUntil(lambda: painting.is_open and window.pages.name == "Create", timeout=WAIT_MS)
    QTest.keyClick(painting.layer, Qt.Key.Key_Escape)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(photo))])
    QApplication.clipboard().setMimeData(mime)
    window.findChild(QAction, "action_paste").trigger()
    qtbot.waitUntil(lambda: "begin from holiday photo.png" in window.message.message, timeout=WAIT_MS)
    edit = next(each for each in window.message.findChildren(QPushButton) if each.text() == "Edit")
    qtbot.mouseClick(edit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: painting.is_open, timeout=WAIT_MS)
    QApplication.clipboard().clear()


def test_without_any_picture_it_says_what_to_do(studio, qtbot):
    studio.window.findChild(QAction, "action_mask_paint").trigger()
    assert "no picture to paint on" in studio.window.message.message


def test_the_mask_is_there_after_a_restart_and_after_a_crash(build, qtbot, home, photo):
    painting = Painting(build(), qtbot, home)
    painting.begin(photo)
    painting.drag((100, 100), (200, 200))
    qtbot.waitUntil(home.mask_draft.is_file, timeout=WAIT_MS)  # written while the hand rests
    qtbot.waitUntil(lambda: painting.field.seen is not None, timeout=WAIT_MS)
    held, state = painting.mask_id, home.window_state
    assert hashlib.sha256(home.mask_draft.read_bytes()).hexdigest() == held
    qtbot.waitUntil(lambda: state.is_file() and held in state.read_text(), timeout=WAIT_MS)  # so a crash loses nothing
    painted = painting.pixels()
    painting.drag((300, 50))
    last = painting.mask_id
    assert painting.studio.close()
    again = Painting(build(), qtbot, home)
    qtbot.waitUntil(lambda: again.field.seen is not None, timeout=WAIT_MS)
    assert again.mask_id == last
    assert (again.pixels() >= painted).all()
    again.press(again.field, "maskPaintButton")
    again.drag((50, 250))
    assert again.pixels()[250, 50] > 0
    undo(again)
    assert again.mask_id == last


@pytest.mark.parametrize(("name", "said"), [
    ("black", "it is all black"), ("text", "no PNG, JPEG or WebP"), ("cut", "damaged"),
])  # fmt: skip
def test_what_is_no_mask_is_refused_and_nothing_is_lost(painting, qtbot, tmp_path, name, said):
    painting.drag((100, 100), (200, 200))
    painted, path = painting.pixels(), tmp_path / "bad mask.png"
    Image.new("L", SIZE).save(path)
    if name != "black":
        path.write_bytes(b"words" if name == "text" else path.read_bytes()[:60])
    offer(painting, path)
    message = painting.window.message
    qtbot.waitUntil(lambda: said in message.message, timeout=WAIT_MS)
    assert "The mask is as it was." in message.message
    assert (painting.pixels() == painted).all()


def test_masks_of_other_kinds_are_read_and_what_is_special_is_said(painting, qtbot, tmp_path):
    message, width, height = painting.window.message, *SIZE
    half = np.zeros((height, width), np.uint8)
    half[:, : width // 2] = 255
    wide = Image.fromarray(half.astype(np.uint16) * 257)
    clear = Image.new("RGBA", SIZE)
    clear.putalpha(Image.fromarray(half))
    second = Image.new("RGB", SIZE, "white")
    for image, more, said in (
        (wide, {}, "16 bits"), (clear, {}, "opaque part"),
        (Image.fromarray(half).convert("RGB"), {"save_all": True, "append_images": [second]}, "animated"),
    ):  # fmt: skip
        image.save(tmp_path / f"{said}.png", **more)
        offer(painting, tmp_path / f"{said}.png")
        qtbot.waitUntil(lambda said=said: said in message.message, timeout=WAIT_MS)
        painting.settled()
        assert (painting.pixels() == half).all(), said
        painting.window.findChild(QAction, "action_mask_clear").trigger()
        painting.settled()
    Image.new("L", SIZE, 255).save(tmp_path / "white.png")
    offer(painting, tmp_path / "white.png")
    qtbot.waitUntil(lambda: "all white" in message.message, timeout=WAIT_MS)
    painting.settled()
    assert (painting.pixels() == 255).all()


def test_a_mask_of_another_size_is_offered_to_be_stretched(painting, qtbot, tmp_path):
    small = Image.new("L", (200, 152))
    small.paste(255, (0, 0, 100, 152))
    small.save(tmp_path / "small.png")
    painting.drag((300, 100))
    painted = painting.pixels()
    offer(painting, tmp_path / "small.png")
    message = painting.window.message
    qtbot.waitUntil(lambda: "small.png is 200 × 152, and the picture 400 × 304" in message.message, timeout=WAIT_MS)
    assert (painting.pixels() == painted).all()
    button = next(each for each in message.findChildren(QPushButton) if each.text() == "Stretch it")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: painting.pixels()[150, 100] == 255, timeout=WAIT_MS)
    assert painting.pixels()[150, 300] == 0
    undo(painting)
    assert (painting.pixels() == painted).all()


def test_a_mask_is_saved_to_a_file_and_taken_from_a_transparent_picture(studio, qtbot, home, tmp_path):
    path = tmp_path / "cut out.png"
    image = Image.new("RGBA", SIZE, (90, 60, 20, 255))
    image.paste((0, 0, 0, 0), (100, 100, 300, 200))
    image.save(path)
    painting = Painting(studio, qtbot, home)
    painting.begin(path)
    studio.window.findChild(QAction, "action_mask_alpha").trigger()
    qtbot.waitUntil(lambda: painting.mask_id != "", timeout=WAIT_MS)
    painting.settled()
    mask = painting.pixels()
    assert (mask[100:200, 100:300] == 255).all()
    assert mask.sum(dtype=np.int64) == 255 * 200 * 100
    studio.window.findChild(QAction, "action_mask_save").trigger()
    dialog = studio.window.findChild(QFileDialog, "saveMaskDialog")
    dialog.fileSelected.emit(str(tmp_path / "kept.png"))
    dialog.reject()
    qtbot.waitUntil(lambda: "saved to kept.png" in studio.window.message.message, timeout=WAIT_MS)
    assert (np.array(Image.open(tmp_path / "kept.png")) == mask).all()
    painting.picture.offered.emit(Offer(tmp_path / "kept.png"))
    qtbot.waitUntil(lambda: painting.picture.seen.name == "kept.png", timeout=WAIT_MS)
    studio.window.findChild(QAction, "action_mask_alpha").trigger()
    qtbot.waitUntil(lambda: "nothing of it is transparent" in studio.window.message.message, timeout=WAIT_MS)


def test_of_a_picture_that_was_finished_larger_only_the_masked_part_is_drawn(studio, qtbot):
    window, panel = studio.window, studio.window.panel
    window.editor.set_prompt("frog")
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.canvas.entry is not None, timeout=WAIT_MS)
    assert (panel.value("width"), window.canvas.view.picture.width()) == (128, 512)
    assert panel.value("only_masked") is None
    QTest.keyClick(window.canvas.view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: panel.value("only_masked") == 32, timeout=WAIT_MS)
    said = "Only what is masked is drawn, at 128 × 128; the picture keeps its 512 × 512."
    qtbot.waitUntil(lambda: said in [label.text() for label in window.findChildren(QLabel) if label.isVisible()])
    QTest.mouseClick(window.findChild(QAbstractButton, "onlyMaskedResetButton"), Qt.MouseButton.LeftButton)
    assert panel.value("only_masked") is None
