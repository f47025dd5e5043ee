"""The window that many tests share: what they did is put back, and where something is left the next gets another."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit

from tests.gui.shared_window import SharedWindow
from tests.unit.history.conftest import picture, recipe


def test_what_a_test_did_is_put_back(lent: SharedWindow, qtbot: Any) -> None:
    studio = lent.lend({"asked": lambda engine, _cancel: None})
    window, paths = studio.window, studio.paths
    before = window.panel.standing(), window.editor.state(), window.shell.settings, window.size()
    QTest.keyClicks(window.findChild(QPlainTextEdit, "promptEdit"), "asked")
    window.panel.field("steps").set_value(2)
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: studio.history.count() == 1)
    entry = studio.history.save(picture(), recipe())
    studio.history.marks.rate([entry.id], 5)
    studio.history.delete([entry.id])
    window.panel.field("width").set_value(3)
    window.panel.field("width").check()
    window.shell.take_settings(before[2].model_copy(update={"copies_tell": False}))
    window.resize(900, 540)
    window.message.say("Something was done.")
    window.create_page.queue_dock.close()
    lent.take_back("this test")
    assert lent.differs == {}
    assert lent.lend() is studio
    assert (window.panel.standing(), window.editor.state(), window.shell.settings, window.size()) == before
    assert studio.history.count() == 0
    assert studio.controller.jobs() == ()
    assert [path for path in paths.images.rglob("*") if path.is_file()] == []
    assert studio.history.save(picture(), recipe()).id == 1
    assert window.shell.undos.last is None
    assert window.panel.field("width").error == window.message.message == ""
    assert window.create_page.queue_dock.isVisible()


def test_a_window_that_is_left_otherwise_is_not_lent_again(lent: SharedWindow) -> None:
    left: dict[str, Any] = {
        "what can be used": lambda studio: studio.window.top_bar.setEnabled(False),
        "a page": lambda studio: studio.window.pages.open("Learn"),
        "a dialog": lambda studio: studio.window.settings_controller.open(),
        "a file that is read at the start": lambda studio: studio.paths.styles.write_text("name,prompt\n"),
        "closed": lambda studio: studio.window.leave(),
    }
    for name, leave in left.items():
        studio = lent.lend()
        leave(studio)
        lent.take_back(name)
        assert name in lent.differs, name
        assert lent.lend() is not studio, name
