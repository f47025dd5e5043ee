"""No button, field or list of a page moves while things happen, unless the hand itself resized something."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QWidget,
)

from sdstudio.app import Studio
from sdstudio.core.errors import Cancelled, OutOfMemory
from sdstudio.ui.widgets.card_list import CardList
from sdstudio.ui.widgets.message_bar import MessageBar
from tests.gui.conftest import COUNT

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton
PRESSED = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QSlider)
COME_AND_GO = ("chosenChips", "batchStrip", "exampleChips")
"""Their chips and tiles come and go themselves, within a place of their own."""


def places(root: QWidget) -> dict[QWidget, QRect]:
    """Return where everything is that a hand may be about to press; cards of a list and messages move apart."""
    QApplication.processEvents()
    QApplication.processEvents()
    found = {}
    for part in root.findChildren(QWidget):
        if isinstance(part, PRESSED) and part.isVisible() and part.window() is root.window() and not _is_within(part):
            found[part] = QRect(part.mapTo(root.window(), QPoint()), part.size())
    return found


def _is_within(part: QWidget) -> bool:
    above = part.parentWidget()
    while above is not None:
        if isinstance(above, CardList | MessageBar | QComboBox | QAbstractSpinBox) or above.objectName() in COME_AND_GO:
            return True
        above = above.parentWidget()
    return part.objectName().startswith("qt_")


class Stillness:
    """What stood where, and what moved since."""

    def __init__(self, root: QWidget) -> None:
        self.root = root
        self.at_rest = places(root)

    def moved(self) -> dict[str, tuple[QRect, QRect]]:
        """Return what is not where it was: its name -> where it was, and where it is."""
        now = places(self.root)
        return {
            f"{type(part).__name__} {part.objectName()} {part.accessibleName()}": (rect, now[part])
            for part, rect in self.at_rest.items() if part in now and now[part] != rect
        }  # fmt: skip


def wait(_engine: object, cancel: threading.Event) -> None:
    if cancel.wait(20):
        raise Cancelled


def fail(_engine: object, _cancel: threading.Event) -> None:
    raise OutOfMemory("Memory = 3 GB: the picture needs 7 GB.", "Make it smaller.")


def draw(studio: Studio, qtbot: Any, prompt: str) -> None:
    studio.window.editor.set_prompt(prompt)
    QTest.mouseClick(studio.window.editor.generate_button, LEFT)
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done"), timeout=WAIT_MS)


def test_nothing_moves_on_create_while_one_writes_draws_marks_and_chooses(build: Any, qtbot: Any) -> None:
    studio = build({"wait": wait, "fail": fail})
    window = studio.window
    for size in ((900, 540), (1600, 1000)):
        window.resize(*size)
        qtbot.waitUntil(lambda size=size: window.size().toTuple() == size, timeout=WAIT_MS)
        window.panel.field("steps").set_value(12)
        draw(studio, qtbot, "frog")
        still = Stillness(window)
        edit = window.editor.prompt_edit
        edit.setFocus()
        QTest.keyClicks(edit, ", with many words that go on and on" * 12)
        assert still.moved() == {}, "a long prompt is typed"
        window.editor.set_styles(["Photograph", "Film still", "Portrait"])
        assert still.moved() == {}, "a style is chosen"
        window.editor.set_styles(())
        QTest.keyClick(window.canvas.view, Qt.Key.Key_F)
        qtbot.waitUntil(lambda: bool(window.browser.bar.message), timeout=WAIT_MS)
        assert still.moved() == {}, "a picture becomes a favourite"
        window.browser.view.selectAll()
        assert still.moved() == {}, "several are selected"
        window.pages.open("History")
        QTest.mouseClick(window.pages.currentWidget().findChild(QPushButton, "filter_favourite"), LEFT)
        window.pages.open("Create")
        filtered = Stillness(window)
        QTest.mouseClick(window.browser.findChild(QPushButton, "chosen_favourite"), LEFT)
        assert not window.history_model.look.chosen
        assert filtered.moved() == {}, "a filter is taken away beside the pictures"
        window.pages.open("Library")
        window.pages.open("Create")
        assert still.moved() == {}, "its line is given up while nobody sees it"
        window.editor.set_prompt("fail")
        QTest.mouseClick(window.editor.generate_button, LEFT)
        qtbot.waitUntil(lambda: "Memory" in window.editor.message, timeout=WAIT_MS)
        assert still.moved() == {}, "a job fails"
        window.editor.set_prompt("wait")
        QTest.mouseClick(window.editor.generate_button, LEFT)
        qtbot.waitUntil(window.editor.cancel_button.isVisible, timeout=WAIT_MS)
        assert still.moved() == {}, "a job begins"
        QTest.mouseClick(window.editor.cancel_button, LEFT)
        qtbot.waitUntil(lambda: not window.editor.cancel_button.isVisible(), timeout=WAIT_MS)
        assert still.moved() == {}, "it is cancelled"
        window.panel.field("guidance_scale").set_value(1.0)
        window.panel.field("guidance_scale").set_value(29.0)
        qtbot.wait(300)
        assert still.moved() == {}, "advice comes"
        window.panel.field("guidance_scale").reset()


def test_the_prompt_is_made_higher_by_its_edge_and_stays_so(build: Any, qtbot: Any) -> None:
    studio = build()
    window = studio.window
    window.resize(1200, 900)
    edit, grip = window.editor.prompt_edit, window.findChild(QWidget, "promptGrip")
    before, generate = edit.height(), window.editor.generate_button.mapTo(window, QPoint())
    line = edit.fontMetrics().lineSpacing()
    middle = grip.rect().center()
    QTest.mousePress(grip, LEFT, pos=middle)
    QTest.mouseMove(grip, middle - QPoint(0, 3 * line))
    qtbot.waitUntil(lambda: edit.height() == before + 3 * line, timeout=WAIT_MS)
    QTest.mouseRelease(grip, LEFT, pos=middle)
    grip.setFocus()
    QTest.keyClick(grip, Qt.Key.Key_Up)
    QTest.keyClick(grip, Qt.Key.Key_Up)
    QTest.keyClick(grip, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: edit.height() == before + 4 * line, timeout=WAIT_MS)
    assert window.editor.generate_button.mapTo(window, QPoint()) == generate
    edit.setPlainText("\n" * 60)
    assert edit.height() == before + 4 * line
    assert studio.close()
    again = build().window
    again.resize(1200, 900)
    qtbot.waitUntil(lambda: again.editor.prompt_edit.height() == before + 4 * line, timeout=WAIT_MS)


def test_nothing_moves_on_the_history_page_while_one_filters_sorts_and_selects(full_studio: Studio, qtbot: Any) -> None:
    window = full_studio.window
    window.pages.open("History")
    model, page = window.history_model, window.pages.currentWidget()
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == COUNT, timeout=WAIT_MS)
    still = Stillness(page.browser)
    for look in (
        model.look.with_value("favourite", "yes"), model.look.with_value("date", "today"),
        model.look.with_value("date", "today").with_value("size", "96×64").with_value("rating", "0"),
    ):  # fmt: skip
        model.set_look(look)
        qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
        assert still.moved() == {}, str(look)
    model.set_look(model.look.cleared())
    for sort in ("rating", "made", "newest"):
        model.set_look(type(model.look)(sort=sort))
        qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
        assert still.moved() == {}, sort
    page.browser.view.selectAll()
    qtbot.wait(150)
    assert still.moved() == {}, "all are selected"
    page.browser.bar.say("Something was done.", "info")
    assert still.moved() == {}, "a message comes"


def test_nothing_moves_in_the_library_while_hashes_are_computed_and_models_come(build: Any, qtbot: Any) -> None:
    window = build().window
    window.pages.open("Library")
    library = window.pages.currentWidget()
    qtbot.waitUntil(lambda: library.models.details.shown is not None, timeout=WAIT_MS)
    for width in (900, 1600):
        window.resize(width, 700)
        qtbot.waitUntil(lambda width=width: window.width() == width, timeout=WAIT_MS)
        still = Stillness(library)
        library.set_scanning(True)
        assert still.moved() == {}, "folders are scanned"
        library.set_scanning(False)
        library.show_hashing("Hashing 3 of 20: a model with a long name.safetensors")
        assert still.moved() == {}, "hashes are computed"
        library.show_hashing("")
        library.bar.say("Something was done.", "info")
        assert still.moved() == {}, "a message comes"
        library.bar.dismiss()


def test_a_model_of_another_family_moves_nothing_that_the_hand_is_at(
    build: Any, home: Any, tiny_models: Any, qtbot: Any
) -> None:
    (home.models / "sd3").symlink_to(tiny_models["sd3"], target_is_directory=True)
    studio = build()
    window, panel = studio.window, studio.window.panel
    for size in ((900, 540), (1600, 1000)):
        window.resize(*size)
        qtbot.waitUntil(lambda size=size: window.size().toTuple() == size, timeout=WAIT_MS)
        qtbot.wait(100)
        still = Stillness(window)
        around = {part: rect for part, rect in still.at_rest.items() if not panel.isAncestorOf(part)}
        still.at_rest = around
        for key in ("sd3", "starter"):
            QTest.mouseClick(window.findChild(QComboBox, "modelComboBox"), LEFT)
            picker = window.model_controller.picker
            index = picker.model.row_of(key)
            picker.list.scrollTo(index)
            QTest.mouseClick(picker.list.viewport(), LEFT, pos=picker.list.visualRect(index).center())
            assert panel.model.key == key
            assert still.moved() == {}, f"{key} is chosen"


def test_the_field_that_one_is_at_stays_while_others_come_and_go(
    build: Any, home: Any, tiny_models: Any, qtbot: Any
) -> None:
    (home.models / "sd3").symlink_to(tiny_models["sd3"], target_is_directory=True)
    studio = build()
    window, panel = studio.window, studio.window.panel
    window.resize(1200, 600)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    panel.show_standing(replace(panel.standing(), open_groups=("Advanced",)))
    qtbot.wait(100)
    for name in ("steps", "scheduler"):
        field = panel.field(name)
        [first, *_] = [part for part in field.findChildren(QWidget) if isinstance(part, PRESSED) and part.isVisible()]
        first.setFocus()
        assert field.isAncestorOf(QApplication.focusWidget())
        panel.verticalScrollBar().setValue(panel.verticalScrollBar().value() + field.mapTo(panel, QPoint()).y() - 90)
        QApplication.processEvents()
        before = field.mapTo(window, QPoint())
        shown = [each for each in panel.fields.values() if each.isVisible()]
        for key in ("sd3", "starter"):
            panel.set_model(key)
            assert field.mapTo(window, QPoint()) == before, (name, key)
            QApplication.processEvents()
            assert field.mapTo(window, QPoint()) == before, (name, key)
            if key == "sd3":
                assert len([each for each in panel.fields.values() if each.isVisible()]) < len(shown)
