"""The window as a whole: a prompt becomes a picture in the history, and nothing of it is lost at the next start."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from sdstudio.core.errors import OutOfMemory, SaveFailed
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.jobs.queue import JobState
from sdstudio.ui.widgets.status_line import STARTING
from sdstudio.ui.window.main_window import TITLE
from sdstudio.ui.window.menus import MENUS
from sdstudio.ui.window.page_rows import PAGE_KEYS
from tests.unit.background.fakes import ScriptedEngine, until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def find(studio, kind, name):
    found = studio.window.findChild(kind, name)
    assert found is not None, name
    return found


def write(studio, prompt: str) -> None:
    edit = find(studio, QPlainTextEdit, "promptEdit")
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, prompt)


def set_number(studio, name: str, value: int) -> None:
    spin = find(studio, QAbstractSpinBox, name)
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, str(value))
    QTest.keyClick(spin, Qt.Key.Key_Tab)


def generate(studio) -> None:
    QTest.mouseClick(find(studio, QPushButton, "generateButton"), Qt.MouseButton.LeftButton)


def view(studio) -> QAbstractItemView:
    return find(studio, QAbstractItemView, "historyView")


def pictures(studio) -> int:
    return view(studio).model().rowCount()


def at_row(studio, row: int) -> QPoint:
    return view(studio).visualRect(view(studio).model().index(row, 0)).center()


def click_row(studio, row: int) -> None:
    QTest.mouseClick(view(studio).viewport(), Qt.MouseButton.LeftButton, pos=at_row(studio, row))


def trigger(studio, key: str) -> None:
    find(studio, QAction, f"action_{key}").trigger()


def make_picture(studio, qtbot, prompt: str, seed: str = "7") -> None:
    before = pictures(studio)
    write(studio, prompt)
    find(studio, QLineEdit, "seedEdit").setText(seed)
    set_number(studio, "widthSpinBox", 64)
    set_number(studio, "heightSpinBox", 128)
    set_number(studio, "stepsSpinBox", 3)
    generate(studio)
    qtbot.waitUntil(lambda: pictures(studio) == before + 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done"), timeout=WAIT_MS)


class TestMaking:
    def test_a_prompt_becomes_a_picture_on_the_canvas_and_in_the_history(self, studio, qtbot):
        previews = []
        studio.worker.job_event.connect(lambda _event: previews.append(studio.window.canvas.view.has_preview))
        make_picture(studio, qtbot, "red heart")
        entry = studio.window.canvas.entry
        assert entry.recipe.request.prompt == "red heart"
        assert entry.recipe.request.seed == 7
        assert any(previews)
        assert recipe_of(entry.path).request == entry.recipe.request
        assert studio.window.windowTitle() == TITLE

    def test_ctrl_enter_makes_one_too(self, studio, qtbot):
        write(studio, "frog")
        QTest.keyClick(
            find(studio, QPlainTextEdit, "promptEdit"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier
        )
        qtbot.waitUntil(lambda: pictures(studio) == 1, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: studio.window.canvas.entry is not None)
        assert studio.window.canvas.entry.recipe.request.prompt == "frog"

    def test_progress_is_told_in_status_line_and_title_and_goes_away(self, studio, qtbot):
        told = []
        bar = find(studio, QProgressBar, "progressBar")
        studio.worker.job_event.connect(
            lambda _event: told.append(
                (studio.window.status_line.text, studio.window.windowTitle(), bar.value(), bar.isVisible())
            )
        )
        make_picture(studio, qtbot, "red heart")
        text, title, value, visible = next(line for line in told if "ep 3 of 3" in line[0])
        assert "it/s" in text
        assert "left" in text
        assert "100%" in title
        assert "red heart" in title
        assert (value, visible) == (bar.maximum(), True)
        assert not bar.isVisible()

    def test_cancel_stops_and_says_so_and_the_next_job_works(self, shared_build, qtbot):
        studio = shared_build({"slow": until_cancelled})
        write(studio, "slow")
        generate(studio)
        cancel = find(studio, QPushButton, "cancelButton")
        qtbot.waitUntil(cancel.isVisible, timeout=WAIT_MS)
        QTest.mouseClick(cancel, Qt.MouseButton.LeftButton)
        said = "Cancelled “slow” before its first step"
        qtbot.waitUntil(lambda: studio.window.status_line.text == said, timeout=WAIT_MS)
        assert not cancel.isVisible()
        make_picture(studio, qtbot, "red heart")

    def test_the_place_is_kept_while_the_engine_is_still_starting(self, build, qtbot):
        gate = threading.Event()

        def make_engine(settings):
            assert gate.wait(20)
            return ScriptedEngine(settings)

        studio = build(make_engine=make_engine)
        canvas = studio.window.canvas
        write(studio, "red heart")
        generate(studio)
        assert canvas.view.isVisible()
        assert canvas.view.caption == STARTING
        trigger(studio, "cancel")
        assert canvas.empty.isVisible()
        generate(studio)
        gate.set()
        qtbot.waitUntil(lambda: pictures(studio) == 1, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: canvas.entry is not None)

    def test_escape_cancels(self, shared_build, qtbot):
        studio = shared_build({"slow": until_cancelled})
        write(studio, "slow")
        generate(studio)
        qtbot.waitUntil(lambda: studio.queue.jobs()[0].state is JobState.RUNNING, timeout=WAIT_MS)
        trigger(studio, "cancel")
        qtbot.waitUntil(lambda: studio.queue.jobs()[0].state is JobState.CANCELLED, timeout=WAIT_MS)
        assert pictures(studio) == 0

    def test_a_job_of_several_pictures_shows_them_side_by_side(self, studio, qtbot):
        set_number(studio, "countSpinBox", 3)
        make = studio.window.canvas.strip
        write(studio, "heart")
        generate(studio)
        qtbot.waitUntil(lambda: pictures(studio) == 3, timeout=WAIT_MS)
        assert len(make.entries) == 3
        assert make.isVisible()

    def test_jobs_submitted_while_one_runs_wait_and_are_counted(self, shared_build, qtbot):
        studio = shared_build({"slow": until_cancelled})
        for prompt in ("slow", "second"):
            write(studio, prompt)
            generate(studio)
        qtbot.waitUntil(lambda: studio.queue.jobs()[0].state is JobState.RUNNING, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "1 waiting" in find(studio, QPushButton, "generateButton").text())
        assert [job.request.prompt for job in studio.queue.jobs()] == ["slow", "second"]
        studio.controller.cancel_all()


class TestSaidWhereItIsAbout:
    def test_a_wrong_size_is_told_at_its_field_and_makes_no_job(self, studio):
        find(studio, QSpinBox, "widthSpinBox").setValue(500)
        generate(studio)
        assert studio.window.panel.field("width").message.text()
        assert studio.controller.jobs() == ()

    @pytest.mark.parametrize("where", ["closed", "full screen", "another page"])
    def test_a_wrong_size_brings_its_field_from_where_it_is_hidden(self, studio, where):
        panel = studio.window.panel
        set_number(studio, "widthSpinBox", 3)
        match where:
            case "closed":
                studio.window.create_page.panel_dock.close()
            case "full screen":
                trigger(studio, "full_screen")
            case _:
                studio.window.pages.open("History")
        trigger(studio, "generate")
        assert panel.field("width").message.isVisible()
        assert panel.viewport().rect().contains(panel.field("width").message.mapTo(panel.viewport(), QPoint()))
        assert find(studio, QSpinBox, "widthSpinBox").hasFocus()
        assert studio.window.editor.isVisible()

    def test_an_endless_prompt_is_told_over_the_full_screen(self, studio):
        find(studio, QPlainTextEdit, "promptEdit").setPlainText("x" * 100_000)
        trigger(studio, "full_screen")
        trigger(studio, "generate")
        assert find(studio, QLabel, "promptMessage").isVisible()

    def test_an_endless_prompt_is_told_at_the_prompt(self, studio):
        find(studio, QPlainTextEdit, "promptEdit").setPlainText("x" * 100_000)
        generate(studio)
        assert "100,000" in studio.window.editor.message
        assert studio.controller.jobs() == ()

    @pytest.mark.parametrize("prompt", ["", "🐸 on a 🟦 background", "قلب أحمر", "\ud83d"])
    def test_any_text_is_a_prompt(self, studio, qtbot, prompt):
        find(studio, QPlainTextEdit, "promptEdit").setPlainText(prompt)
        generate(studio)
        qtbot.waitUntil(lambda: pictures(studio) == 1, timeout=WAIT_MS)
        [entry] = studio.history.entries()
        assert entry.recipe.request.prompt == ("" if prompt == "\ud83d" else prompt)  # half a letter is none

    def test_a_model_that_is_gone_is_told_at_the_prompt(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart")
        studio.window.panel.set_model("gone")
        generate(studio)
        assert "gone" in studio.window.editor.message
        assert len(studio.controller.jobs()) == 1
        box = find(studio, QComboBox, "modelComboBox")
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Home)
        assert studio.window.panel.model is not None
        assert studio.window.editor.message == ""

    def test_a_failure_names_what_to_do_and_no_dialog_opens(self, shared_build, qtbot):
        def fail(_engine, _cancel) -> None:
            raise OutOfMemory("Not enough memory for 512 x 512.", "Make it smaller.")

        studio = shared_build({"heart": fail})
        write(studio, "heart")
        generate(studio)
        qtbot.waitUntil(lambda: bool(studio.window.editor.message), timeout=WAIT_MS)
        assert studio.window.editor.message == "Not enough memory for 512 x 512. Make it smaller."
        assert QApplication.activeModalWidget() is None

    @pytest.mark.logs("unexpected error")
    def test_an_unexpected_error_offers_its_report_and_the_studio_goes_on(self, shared_build, qtbot):
        def crash(_engine, _cancel) -> None:
            raise ZeroDivisionError("a bug")

        studio = shared_build({"bug": crash})
        write(studio, "bug")
        generate(studio)
        qtbot.waitUntil(lambda: "a bug" in studio.window.message.message, timeout=WAIT_MS)
        [copy] = [b for b in studio.window.message.findChildren(QPushButton) if b.text() == "Copy report"]
        QTest.mouseClick(copy, Qt.MouseButton.LeftButton)
        assert "ZeroDivisionError" in QApplication.clipboard().text()
        make_picture(studio, qtbot, "red heart")

    def test_a_picture_that_could_not_be_saved_is_kept_until_it_can(self, studio, qtbot, monkeypatch):
        real, disk = studio.history.save, {"full": True}

        def save(*args, **kwargs):
            if disk["full"]:
                raise SaveFailed("Disk full: the picture was not saved.", "Free some space.")
            return real(*args, **kwargs)

        monkeypatch.setattr(studio.history, "save", save)
        write(studio, "red heart")
        generate(studio)
        qtbot.waitUntil(lambda: "kept in memory" in studio.window.message.message, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "Disk full" in studio.window.editor.message, timeout=WAIT_MS)
        studio.window.shell.say("Something else.")
        close = studio.window.message.findChild(QToolButton, "dismissMessageButton")
        QTest.mouseClick(close, Qt.MouseButton.LeftButton)
        assert "kept in memory" in studio.window.message.message, "said again once what covered it has gone"
        disk["full"] = False
        *_, again = [b for b in studio.window.message.findChildren(QPushButton) if b.text() == "Save again"]
        QTest.mouseClick(again, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: pictures(studio) == 1, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: studio.window.message.message == "")
        assert studio.controller.worker.unsaved == ()

    def test_a_picture_that_could_not_be_saved_can_be_kept_in_another_folder(
        self, studio, qtbot, monkeypatch, tmp_path
    ):
        real = studio.history.save

        def save(*args, out=None, **kwargs):
            if out is None:
                raise SaveFailed("Disk full: the picture was not saved.", "Free some space.")
            return real(*args, out=out, **kwargs)

        monkeypatch.setattr(studio.history, "save", save)
        write(studio, "red heart")
        generate(studio)
        qtbot.waitUntil(lambda: "kept in memory" in studio.window.message.message, timeout=WAIT_MS)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        [button] = [b for b in studio.window.message.findChildren(QPushButton) if b.text() == "Save elsewhere…"]
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        [dialog] = studio.window.findChildren(QFileDialog)
        dialog.selectFile(str(elsewhere))
        dialog.accept()
        qtbot.waitUntil(lambda: pictures(studio) == 1, timeout=WAIT_MS)
        assert [file.suffix for file in elsewhere.iterdir()] == [".png"]
        qtbot.waitUntil(lambda: studio.window.message.message == "")


class TestHistory:
    def test_use_all_parameters_restores_everything(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart", seed="18446744073709551615")
        write(studio, "something else")
        find(studio, QLineEdit, "seedEdit").setText("")
        set_number(studio, "widthSpinBox", 256)
        set_number(studio, "stepsSpinBox", 9)
        studio.window.panel.field("scheduler").set_value("euler")
        trigger(studio, "entry_restore")
        entry = studio.window.canvas.entry
        restored = studio.window.panel.request(studio.window.editor.prompt, studio.window.editor.negative_prompt)
        assert restored == entry.recipe.request

    def test_a_click_shows_the_picture(self, studio, qtbot):
        make_picture(studio, qtbot, "first", seed="1")
        make_picture(studio, qtbot, "second", seed="2")
        click_row(studio, 1)
        assert studio.window.canvas.entry.recipe.request.prompt == "first"

    def test_re_run_makes_the_same_pixels_and_variation_others(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart", seed="5")
        original = studio.window.canvas.entry
        trigger(studio, "entry_rerun")
        qtbot.waitUntil(lambda: pictures(studio) == 2, timeout=WAIT_MS)
        again = studio.history.entries(limit=1)[0]
        assert again.recipe.request == original.recipe.request
        assert again.parent_id == original.id
        assert Image.open(again.path).tobytes() == Image.open(original.path).tobytes()
        qtbot.waitUntil(lambda: studio.window.canvas.entry is not None and studio.window.canvas.entry.id == again.id)
        trigger(studio, "entry_variations")
        qtbot.waitUntil(lambda: pictures(studio) == 3, timeout=WAIT_MS)
        other = studio.history.entries(limit=1)[0].recipe.request
        assert other.seed != 5
        assert other.with_seed(5) == original.recipe.request
        trigger(studio, "entry_alike")
        qtbot.waitUntil(lambda: pictures(studio) == 7, timeout=WAIT_MS)
        alike = [entry.recipe.request for entry in studio.history.entries(limit=4)]
        assert {request.seed for request in alike} == {other.seed}
        assert len({request.variation_seed for request in alike}) == 4
        assert {request.variation_strength for request in alike} == {0.15}
        strip = studio.window.canvas.strip
        qtbot.waitUntil(lambda: len(strip.entries) == 4, timeout=WAIT_MS)
        chosen = strip.entries[1]
        click_row(studio, [entry.id for entry in studio.history.entries(limit=4)].index(chosen.id))
        trigger(studio, "entry_alike")
        qtbot.waitUntil(lambda: pictures(studio) == 11, timeout=WAIT_MS)
        for entry in studio.history.entries(limit=4):
            further = entry.recipe.request
            assert further.earlier_variations == f"{chosen.recipe.request.variation_seed}:0.15"
            assert (further.seed, further.variation_strength, entry.parent_id) == (other.seed, 0.1, chosen.id)

    def test_deleted_pictures_go_to_the_trash_and_undo_brings_them_back(self, studio, qtbot):
        make_picture(studio, qtbot, "first", seed="1")
        make_picture(studio, qtbot, "second", seed="2")
        entry = studio.history.entries(limit=1)[0]
        click_row(studio, 0)
        QTest.keyClick(view(studio), Qt.Key.Key_Delete)
        assert pictures(studio) == 1
        assert not entry.path.exists()
        assert studio.window.canvas.entry.recipe.request.prompt == "first"
        assert "1 picture" in studio.window.browser.bar.message
        undo = find(studio, QAction, "action_undo")
        assert undo.isEnabled()
        assert undo.text() == "&Undo: 1 picture moved to the trash"
        trigger(studio, "undo")
        assert pictures(studio) == 2
        assert entry.path.is_file()
        assert studio.window.browser.bar.message == ""
        qtbot.waitUntil(entry.thumbnail.is_file, timeout=WAIT_MS)

    @pytest.mark.parametrize("page", ["Create", "History"])
    def test_pressed_again_delete_goes_on_with_what_took_the_place(self, studio, qtbot, page):
        for number in range(3):
            make_picture(studio, qtbot, f"picture {number}", seed=str(number))
        studio.window.pages.open(page)
        grid = studio.window.pages.browser.view
        grid.setFocus()
        QTest.keyClick(grid, Qt.Key.Key_Home)
        for left in (2, 1, 0):
            QTest.keyClick(grid, Qt.Key.Key_Delete)
            qtbot.waitUntil(lambda left=left: pictures(studio) == left, timeout=WAIT_MS)
        assert grid.model().rowCount() == 0

    def test_only_the_prompt_or_only_the_seed_can_be_taken(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart", seed="42")
        write(studio, "frog")
        find(studio, QLineEdit, "seedEdit").setText("")
        set_number(studio, "stepsSpinBox", 9)
        trigger(studio, "entry_restore_seed")
        assert find(studio, QLineEdit, "seedEdit").text() == "42"
        assert studio.window.editor.prompt == "frog"
        trigger(studio, "entry_restore_prompt")
        assert studio.window.editor.prompt == "red heart"
        assert find(studio, QSpinBox, "stepsSpinBox").value() == 9

    def test_all_but_the_seed_can_be_taken(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart", seed="42")
        write(studio, "frog")
        set_number(studio, "stepsSpinBox", 9)
        trigger(studio, "entry_remix")
        assert studio.window.editor.prompt == "red heart"
        assert find(studio, QSpinBox, "stepsSpinBox").value() == 3
        assert find(studio, QLineEdit, "seedEdit").text() == ""

    def test_looking_at_details_leaves_prompts_and_parameters_alone(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart", seed="42")
        make_picture(studio, qtbot, "green frog", seed="43")
        write(studio, "being written")
        set_number(studio, "stepsSpinBox", 9)
        before = studio.window.panel.request("", "")
        studio.window.pages.open("History")
        grid = studio.window.pages.browser.view
        for row in (0, 1):
            QTest.mouseClick(
                grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.visualRect(grid.model().index(row)).center()
            )
        QTest.keyClick(grid, Qt.Key.Key_Left)
        assert studio.window.panel.request("", "") == before
        assert studio.window.editor.prompt == "being written"

    def test_a_key_rates_and_undo_takes_it_back(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart")
        click_row(studio, 0)
        entry = studio.window.canvas.entry
        QTest.keyClick(view(studio), Qt.Key.Key_4)
        qtbot.waitUntil(lambda: studio.history.get(entry.id).rating == 4, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "4 ★" in studio.window.browser.bar.message, timeout=WAIT_MS)
        trigger(studio, "undo")
        assert studio.history.get(entry.id).rating == 0
        assert studio.window.browser.bar.message == ""

    def test_two_selected_pictures_are_compared(self, studio, qtbot):
        make_picture(studio, qtbot, "first", seed="1")
        make_picture(studio, qtbot, "second", seed="2")
        click_row(studio, 0)
        QTest.keyClick(view(studio), Qt.Key.Key_X)
        assert studio.window.findChild(QDialog, "compareWindow") is None
        view(studio).selectAll()
        QTest.keyClick(view(studio), Qt.Key.Key_X)
        window = find(studio, QDialog, "compareWindow")
        assert window.isVisible()
        assert not window.isModal()
        window.close()

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
    def test_save_as_writes_a_copy(self, studio, qtbot, tmp_path, ending):
        make_picture(studio, qtbot, "red heart")
        trigger(studio, "entry_save_as")
        dialog = studio.window.findChild(QFileDialog)
        dialog.fileSelected.emit(str(tmp_path / f"copy{ending}"))
        dialog.close()
        with Image.open(tmp_path / f"copy{ending}") as copy:
            assert copy.size == (256, 512)
        if ending == ".png":
            assert recipe_of(tmp_path / "copy.png") == studio.window.canvas.entry.recipe

    def test_a_copy_that_cannot_be_saved_is_told(self, studio, qtbot, tmp_path):
        make_picture(studio, qtbot, "red heart")
        trigger(studio, "entry_save_as")
        dialog = studio.window.findChild(QFileDialog)
        dialog.fileSelected.emit(str(tmp_path / "missing" / "copy.png"))
        dialog.close()
        assert "copy.png" in studio.window.message.message

    def test_copy_puts_the_picture_on_the_clipboard(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart")
        trigger(studio, "entry_copy")
        mime = QApplication.clipboard().mimeData()
        assert mime.imageData().size().toTuple() == (256, 512)
        assert [url.toLocalFile() for url in mime.urls()] == [str(studio.window.canvas.entry.path)]
        trigger(studio, "entry_copy_prompt")
        assert QApplication.clipboard().text() == "red heart"

    def test_a_dropped_picture_brings_its_parameters(self, studio, qtbot, tmp_path):
        make_picture(studio, qtbot, "red heart", seed="99")
        wanted = studio.window.canvas.entry.recipe.request
        file = shutil.copy(studio.window.canvas.entry.path, tmp_path / "dropped.png")
        write(studio, "frog")
        find(studio, QLineEdit, "seedEdit").setText("")
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(file))])
        drop = QDropEvent(
            QPointF(300, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
        studio.window.dropEvent(drop)
        qtbot.waitUntil(lambda: studio.window.findChild(QPushButton, "usePictureButton") is not None, timeout=20_000)
        assert studio.window.editor.prompt == "frog", "it is only offered"
        qtbot.mouseClick(studio.window.findChild(QPushButton, "usePictureButton"), Qt.MouseButton.LeftButton)
        assert studio.window.panel.request(studio.window.editor.prompt, studio.window.editor.negative_prompt) == wanted

    def test_a_picture_made_elsewhere_says_that_it_holds_nothing(self, studio, tmp_path):
        Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
        studio.window.parameters_controller.use_file(tmp_path / "plain.png")
        assert "plain.png" in studio.window.message.message


class TestActionsOfTheMenu:
    @pytest.mark.parametrize("page", ["Create", "History"])
    def test_a_selected_picture_is_enough_after_a_restart(self, build, qtbot, page):
        first = build()
        make_picture(first, qtbot, "red heart")
        assert first.close()
        studio = build()
        action = find(studio, QAction, "action_entry_copy_prompt")
        assert not action.isEnabled()
        studio.window.pages.open(page)
        grid = studio.window.pages.browser.view
        qtbot.waitUntil(lambda: grid.model().rowCount() == 1, timeout=WAIT_MS)
        grid.setFocus()
        QTest.keyClick(grid, Qt.Key.Key_Home)
        QTest.keyClick(grid, Qt.Key.Key_Space)
        QTest.keyClick(studio.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
        assert action.isEnabled()
        qtbot.waitUntil(lambda: pictures(studio) == 2, timeout=WAIT_MS)

    def test_on_the_history_page_they_mean_the_selected_one(self, studio, qtbot):
        make_picture(studio, qtbot, "first", seed="1")
        make_picture(studio, qtbot, "second", seed="2")
        studio.window.pages.open("History")
        browser = studio.window.pages.browser
        browser.view.setFocus()
        QTest.keyClick(browser.view, Qt.Key.Key_End)
        browser.focus_search()
        trigger(studio, "entry_copy_prompt")
        assert QApplication.clipboard().text() == "first"


def test_undo_is_offered_only_when_there_is_something_to_take_back(studio):
    action = find(studio, QAction, "action_undo")
    assert not action.isEnabled()
    assert action.text() == "&Undo"


class TestFocus:
    def test_a_page_that_is_opened_takes_the_keys(self, studio, qtbot):
        window = studio.window
        make_picture(studio, qtbot, "red heart")
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
        expected = {"History": "historyGrid", "Library": "modelView", "Create": "promptEdit", "Learn": "learnPage"}
        for name, focused in expected.items():
            QTest.mouseClick(find(studio, QPushButton, f"page{name}Button"), Qt.MouseButton.LeftButton)
            assert window.focusWidget().objectName() == focused

    def test_tab_goes_from_top_to_bottom(self, studio, qtbot):
        def stops(first: QWidget) -> list[str]:
            found, widget = [], first
            while (widget := widget.nextInFocusChain()) is not first:
                found.append(widget.objectName())
            return found

        names = stops(find(studio, QPushButton, "pageLearnButton"))
        places = [names.index(name) for name in ("modelComboBox", "settingsButton", "promptEdit", "generateButton")]
        assert places == sorted(places)
        studio.window.pages.open("Library")
        names = stops(find(studio, QPushButton, "pageLearnButton"))
        down = ("rescanButton", "modelFilterEdit", "modelSortComboBox", "modelView", "modelNotesEdit")
        places = [names.index(name) for name in down]
        assert places == sorted(places)


class TestNextStart:
    def test_page_prompts_parameters_and_layout_come_back(self, build, qtbot):
        studio = build()
        write(studio, "a heart that is remembered")
        studio.window.editor.set_negative_prompt("blurry")
        set_number(studio, "stepsSpinBox", 33)
        set_number(studio, "countSpinBox", 4)
        studio.window.create_page.queue_dock.hide()
        studio.window.pages.open("History")
        assert studio.close()
        again = build()
        assert again.window.pages.name == "History"
        again.window.pages.open("Create")
        assert again.window.editor.prompt == "a heart that is remembered"
        assert again.window.editor.negative_prompt == "blurry"
        assert find(again, QSpinBox, "stepsSpinBox").value() == 33
        assert find(again, QSpinBox, "countSpinBox").value() == 4
        assert again.window.create_page.queue_dock.isHidden()
        assert not again.window.create_page.history_dock.isHidden()

    @pytest.mark.parametrize("page", ["Create", "Learn"])
    def test_docks_are_as_wide_as_they_were_whichever_page_was_open(self, build, qtbot, page):
        studio = build()
        studio.window.resize(900, 540)
        docks = studio.window.create_page
        qtbot.waitUntil(lambda: docks.width() == 900, timeout=20_000)
        docks.resizeDocks([docks.panel_dock, docks.history_dock], [310, 240], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda: docks.history_dock.width() == 240, timeout=20_000)
        for _start in range(2):
            studio.window.pages.open(page)
            assert studio.close()
            studio = build()
            assert studio.window.pages.name == page
        studio.window.pages.open("Create")
        again = studio.window.create_page
        qtbot.waitUntil(lambda: again.history_dock.width() == 240, timeout=20_000)
        assert again.panel_dock.width() == 310

    def test_a_crash_loses_no_prompt_of_more_than_a_moment_ago(self, build, qtbot, home):
        studio = build()
        write(studio, "typed and never generated")
        qtbot.waitUntil(lambda: home.window_state.is_file() and b"never generated" in home.window_state.read_bytes())
        assert studio.controller.jobs() == ()

    def test_a_spoilt_memory_is_as_if_there_were_none(self, build, home):
        home.window_state.write_bytes(b"[General]\npanel=not json\ngeometry=@ByteArray(xx)\nwindow=[1]\n\xff\xfe")
        studio = build()
        assert studio.window.pages.name == "Create"

    def test_the_layout_can_be_reset(self, studio):
        for dock in studio.window.create_page.docks:
            dock.hide()
        trigger(studio, "reset_layout")
        assert all(dock.isVisible() for dock in studio.window.create_page.docks)


class TestPagesAndMenus:
    def test_every_page_opens_from_its_button(self, studio):
        for name in PAGE_KEYS:
            QTest.mouseClick(find(studio, QPushButton, f"page{name}Button"), Qt.MouseButton.LeftButton)
            assert studio.window.pages.name == name
            assert find(studio, QPushButton, f"page{name}Button").isChecked(), name

    def test_pages_are_built_when_they_are_opened(self, studio):
        assert studio.window.findChild(QWidget, "learnPage") is None
        studio.window.pages.open("Learn")
        assert studio.window.findChild(QWidget, "learnPage") is not None

    def test_every_command_has_an_action_and_no_shortcut_is_given_twice(self, studio):
        keys = [command.key for commands in MENUS.values() for command in commands]
        actions = [find(studio, QAction, f"action_{key}") for key in keys]
        shortcuts = [s.toString() for action in actions for s in action.shortcuts()]
        assert len(shortcuts) == len(set(shortcuts))

    def test_searching_puts_the_cursor_into_the_field_of_the_open_page(self, studio):
        studio.window.pages.open("Learn")
        trigger(studio, "search")
        assert studio.window.pages.name == "Create"
        assert studio.window.focusWidget() is find(studio, QLineEdit, "historySearchEdit")
        studio.window.pages.open("History")
        trigger(studio, "search")
        assert studio.window.focusWidget() is find(studio, QLineEdit, "historyGridSearchEdit")

    def test_full_screen_leaves_only_the_canvas_and_escape_brings_all_back(self, studio):
        trigger(studio, "full_screen")
        assert studio.window.isFullScreen()
        assert not studio.window.top_bar.isVisible()
        assert not studio.window.editor.isVisible()
        assert studio.window.canvas.isVisible()
        QTest.keyClick(studio.window.canvas.view, Qt.Key.Key_Escape)
        assert not studio.window.isFullScreen()
        assert studio.window.top_bar.isVisible()
        assert studio.window.editor.isVisible()

    def test_zoom_commands_act_on_the_canvas(self, studio, qtbot):
        make_picture(studio, qtbot, "red heart")
        trigger(studio, "actual_size")
        assert studio.window.canvas.view.zoom == 1.0
        trigger(studio, "zoom_in")
        assert studio.window.canvas.view.zoom == 1.25
        trigger(studio, "fit")
        assert studio.window.canvas.view.is_fitted

    def test_about_names_versions_and_is_no_trap(self, studio):
        trigger(studio, "about")
        dialog = studio.window.findChild(QDialog, "aboutDialog")
        QTest.mouseClick(
            next(b for b in dialog.findChildren(QPushButton) if b.text() == "Copy"), Qt.MouseButton.LeftButton
        )
        assert "Python" in QApplication.clipboard().text()
        assert str(studio.paths.home) in QApplication.clipboard().text()
        dialog.close()

    def test_settings_reach_engine_file_and_theme(self, studio, qtbot):
        trigger(studio, "settings")
        dialog = studio.window.findChild(QDialog, "settingsDialog")
        assert dialog.isVisible()
        assert not dialog.isModal()
        dialog.field("theme").set_value("light")
        qtbot.waitUntil(
            lambda: '"light"' in studio.paths.settings.read_text() if studio.paths.settings.exists() else False
        )
        dialog.close()

    def test_public_names_are_there(self, studio):
        names = (
            "promptEdit negativePromptEdit generateButton cancelButton modelComboBox schedulerComboBox stepsSpinBox "
            "guidanceScaleSpinBox widthSpinBox heightSpinBox seedEdit countSpinBox canvas progressBar historyView "
            "historySearchEdit queueView"
        )
        for name in names.split():
            assert len(studio.window.findChildren(QWidget, name)) == 1, name
        studio.window.pages.open("Library")
        assert len(studio.window.findChildren(QWidget, "modelView")) == 1

    def test_everything_that_can_be_used_has_an_accessible_name(self, studio):
        for name in PAGE_KEYS:
            studio.window.pages.open(name)
        kinds = (
            QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit,
        )  # fmt: skip
        nameless = [
            f"{type(widget).__name__} {widget.objectName()}"
            for kind in kinds
            for widget in studio.window.findChildren(kind)
            if not widget.accessibleName() and not widget.objectName().startswith("qt_") and _is_ours(widget)
        ]
        assert nameless == []


def _is_ours(widget: QWidget) -> bool:
    """Say whether a widget is not a part that Qt builds into one of ours."""
    parents = []
    parent = widget.parentWidget()
    while parent is not None:
        parents.append(parent)
        parent = parent.parentWidget()
    built_in = (QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView)
    inside = any(isinstance(parent, built_in) for parent in parents)
    scroll_bar = type(widget).__name__ == "QScrollBar"
    dock_button = widget.metaObject().className() == "QDockWidgetTitleButton"
    return not (inside or scroll_bar or dock_button)


def test_the_window_is_there_before_torch():
    code = (
        "import sys, sdstudio.ui.window.main_window, sdstudio.app;"
        "sys.exit(bool({'torch', 'diffusers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0


def test_what_is_written_is_on_disk_while_one_goes_on_writing(studio, home, qtbot):
    edit = studio.window.editor.prompt_edit

    def is_kept() -> bool:
        QTest.keyClick(edit, Qt.Key.Key_A)
        return home.window_state.is_file() and "aaa" in home.window_state.read_text()

    qtbot.waitUntil(is_kept)
    assert len(studio.window.editor.prompt) > 3
