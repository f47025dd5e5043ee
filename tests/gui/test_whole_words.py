"""What is read is whole: no word is cut without a tooltip, however small the window and large the font."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)

from sdstudio.app import Studio
from sdstudio.jobs.queue import JobState
from sdstudio.ui.entry_tools.export_dialog import ExportDialog
from sdstudio.ui.pages.library.get.controller import VIEW
from sdstudio.ui.widgets.elided_label import ElidedLabel
from tests.gui.test_dialogs import DIALOGS
from tests.unit.background.fakes import cancelled_at
from tests.unit.history.conftest import picture, recipe

SMALL = (900, 540)


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    return shared_studio


def cut_words(root: QWidget) -> list[str]:
    """Return the words that cannot be read whole where they stand, nor in a tooltip, or that touch an icon."""
    return [said for said in map(_cut, root.findChildren(QWidget)) if said]


def _cut(widget: QWidget) -> str:
    if not widget.isVisible() or widget.visibleRegion().isEmpty():
        return ""
    if isinstance(widget, ElidedLabel):
        return "" if widget.shown == widget.text() or widget.toolTip() else widget.text()
    hint = widget.sizeHint()
    if isinstance(widget, QLabel) and widget.text() and widget.wordWrap():
        return widget.text() if widget.heightForWidth(widget.width()) > widget.height() + 2 else ""
    if isinstance(widget, QLabel | QPushButton | QCheckBox | QToolButton) and widget.text() and not _is_icon(widget):
        fits = hint.width() <= widget.width() + 1 and hint.height() <= widget.height() + 2
        touches = isinstance(widget, QPushButton) and not (widget.icon().isNull() or widget.text().startswith(" "))
        return "" if not touches and (fits or widget.toolTip()) else widget.text()
    if isinstance(widget, QComboBox) and not widget.toolTip():
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = widget.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, widget)
        is_cut = widget.fontMetrics().horizontalAdvance(widget.currentText()) > room.width()
        return widget.currentText() if is_cut else ""
    return ""


def _is_icon(widget: QWidget) -> bool:
    return isinstance(widget, QToolButton) and widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly


def settled(qtbot: Any, root: QWidget) -> list[str]:
    """Wait until everything has been laid out; return what is cut then."""
    try:
        qtbot.waitUntil(lambda: cut_words(root) == [], timeout=2_000)
    except qtbot.TimeoutError:
        return cut_words(root)
    return []


def test_a_cancelled_job_is_told_whole_at_once(build: Callable[..., Studio], qtbot: Any) -> None:
    studio = build({"red heart": cancelled_at(13)})
    window = studio.window
    window.resize(*SMALL)
    window.editor.set_prompt("red heart")
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: [job.state for job in studio.controller.jobs()] == [JobState.CANCELLED])

    def offered() -> set[str]:
        return {button.text() for button in window.queue_panel.findChildren(QPushButton) if button.isVisible()}

    qtbot.waitUntil(lambda: offered() >= {"Run again", "Keep what there is"})
    assert settled(qtbot, window.queue_panel) == []


def test_a_message_is_whole_and_stays_with_its_page(studio: Studio, qtbot: Any) -> None:
    window = studio.window
    window.resize(*SMALL)
    said = "2 downloads were interrupted when the studio was closed."
    window.message.say(said, "info", [("Resume", lambda: None), ("Show", lambda: None)])
    window.browser.offer_undo("1 picture moved to the trash", lambda: None)
    window.editor.show_message("Something about the prompt", "A hint")
    assert settled(qtbot, window) == []
    for page in ("Learn", "Library", "History", "Create"):
        window.pages.open(page)
        qtbot.waitUntil(window.pages.currentWidget().isVisible)
        assert settled(qtbot, window) == [], page
        assert window.message.isVisible(), page
        on_create = page == "Create"
        assert window.browser.bar.isVisible() == on_create, page
        assert window.editor.message.startswith("Something about"), page
        lies_low = window.message.mapTo(window, window.message.rect().center()).y() > window.height() / 2
        assert lies_low != on_create, "where other pages have their buttons"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("font_size", [10, 20])
def test_pages_in_a_small_window_cut_nothing(studio: Studio, qtbot: Any, theme: str, font_size: int) -> None:
    window = studio.window
    window.shell.take_settings(window.shell.settings.model_copy(update={"theme": theme, "font_size": font_size}))
    window.resize(*SMALL)
    try:
        for page in ("Library", "Learn", "History", "Create"):
            if page == "Create" and font_size == 20:  # beside its docks there is no room for a heading of that size
                window.resize(1600, 1000)
            window.pages.open(page)
            assert settled(qtbot, window) == [], page
        window.resize(*SMALL)
        window.pages.open("Library")
        library = window.library_controller.page
        assert library is not None
        for view in ("models", "space", VIEW):
            library.open_view(view)
            assert settled(qtbot, library) == [], view
    finally:
        window.shell.take_settings(window.shell.settings.model_copy(update={"theme": "system", "font_size": 10}))


@pytest.mark.parametrize("name", sorted(DIALOGS))
def test_dialogs_fit_a_small_screen_and_cut_nothing(studio: Studio, qtbot: Any, tmp_path: Path, name: str) -> None:
    dialog = DIALOGS[name](studio, tmp_path)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.show()
    dialog.resize(dialog.size().boundedTo(QSize(*SMALL)))  # as a screen of that size does
    assert settled(qtbot, dialog) == []
    assert dialog.width() <= SMALL[0]
    assert dialog.height() <= SMALL[1]


def test_a_choice_of_folders_begins_at_home_and_is_asked_in_one_way(studio: Studio, qtbot: Any, tmp_path: Path) -> None:
    window = studio.window
    window.exchange.ask_for_folder()
    dialog = window.findChild(QFileDialog)
    assert (dialog.fileMode(), dialog.windowTitle()) == (QFileDialog.FileMode.Directory, "Import a folder of pictures")
    assert Path(dialog.directory().path()) == Path.home()
    dialog.reject()
    entry = studio.history.save(picture(), recipe())
    window.actions_on_entries.ask("export", [entry])
    export = window.findChild(ExportDialog)
    export.target_edit.setText(str(tmp_path))
    [choose] = [button for button in export.findChildren(QPushButton) if button.text().strip() == "Choose…"]
    QTest.mouseClick(choose, Qt.MouseButton.LeftButton)
    dialog = export.findChild(QFileDialog)
    assert (dialog.fileMode(), dialog.directory().path()) == (QFileDialog.FileMode.Directory, str(tmp_path))
    (tmp_path / "here").mkdir()
    dialog.selectFile(str(tmp_path / "here"))
    dialog.accept()
    assert export.target_edit.text() == str(tmp_path / "here")


def test_a_message_that_is_answered_leaves_the_focus_where_it_was(studio: Studio, qtbot: Any) -> None:
    window = studio.window
    window.activateWindow()
    window.editor.prompt_edit.setFocus()
    qtbot.waitUntil(window.editor.prompt_edit.hasFocus)
    pressed: list[str] = []
    window.message.say("1 job is waiting from last time.", "info", [("Start", lambda: pressed.append("Start"))])
    [start] = [button for button in window.message.findChildren(QPushButton) if button.isVisible()]
    QTest.mouseClick(start, Qt.MouseButton.LeftButton)
    assert pressed == ["Start"]
    assert not window.message.isVisible()
    assert window.editor.prompt_edit.hasFocus()
