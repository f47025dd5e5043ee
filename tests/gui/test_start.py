"""How the window comes up: what is read before its content stands on the screen, and that all of it stands at once."""

from __future__ import annotations

import subprocess
import sys

from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton

from sdstudio.app import furnished, open_entrance
from sdstudio.background.tasks import TaskRunner
from tests.unit.background.fakes import ScriptedEngine

LATER = (
    "torch", "diffusers", "transformers", "tokenizers", "numpy", "yaml", "httpx",
    "sdstudio.history.care.backup", "sdstudio.history.care.checkup", "sdstudio.history.exchange.export",
    "sdstudio.history.exchange.importing", "sdstudio.history.picture_text.foreign.programs",
    "sdstudio.history.picture_text.foreign.reading", "sdstudio.history.picture_text.foreign.stealth",
    "sdstudio.history.picture_text.pnginfo", "sdstudio.history.verdict", "sdstudio.history.xy_grid",
    "sdstudio.background.verifying", "sdstudio.ui.entry_tools.grid_window", "sdstudio.ui.pages.history.page",
    "sdstudio.ui.pages.learn.page", "sdstudio.ui.pages.library.page", "sdstudio.ui.window.settings_dialog",
    "sdstudio.ui.entry_tools.verify_window",
)  # fmt: skip
"""What the first sight of the window does not need."""
FURNITURE = ("PIL", "pydantic", "sdstudio.core.settings", "sdstudio.history.store", "sdstudio.ui.window.build")
"""What is not needed for the bare window either, which is shown before."""


def test_nothing_is_imported_that_the_first_sight_of_the_window_does_not_need(home):
    code = f"""
import os, sys
from sdstudio.app import furnished, open_entrance
import sdstudio.app, sdstudio.background.tasks
entrance = open_entrance()
entrance.window.show()
entrance.app.processEvents()
print([name for name in {FURNITURE} if name in sys.modules], flush=True)
sdstudio.background.tasks.TaskRunner.release = lambda _self: None  # as until here: other threads begin afterwards
furnished(entrance)
print([name for name in {LATER} if name in sys.modules], flush=True)
os._exit(0)
"""
    environment = {"SDSTUDIO_HOME": str(home.home), "QT_QPA_PLATFORM": "offscreen", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "[]\n[]\n", done.stderr


def test_qt_looks_at_each_widget_with_the_style_sheet_once(home):
    code = """
import os
from collections import Counter
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from shiboken6 import getCppPointer
import sdstudio.background.tasks
from sdstudio.app import furnished, open_entrance

looks = Counter()

class App(QApplication):
    def notify(self, receiver, event):
        if event.type() == QEvent.Type.StyleChange:
            looks[getCppPointer(receiver)[0]] += 1
        return super().notify(receiver, event)

app = App([])
entrance = open_entrance()
entrance.window.show()
app.processEvents()
sdstudio.background.tasks.TaskRunner.release = lambda _self: None
studio = furnished(entrance)
assert app.styleSheet()
generate = studio.window.editor.generate_button
print(looks[getCppPointer(generate)[0]], looks.most_common(1)[0][1] <= 2, len(looks) > 300, flush=True)
os._exit(0)
"""
    environment = {"SDSTUDIO_HOME": str(home.home), "QT_QPA_PLATFORM": "offscreen", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "1 True True\n", done.stderr


def test_everything_is_laid_out_and_painted_before_any_other_event(home, qtbot, qapp):
    entrance = open_entrance(home.home)
    entrance.window.show()
    qtbot.waitExposed(entrance.window)
    studio = furnished(entrance, lambda settings: ScriptedEngine(settings, {}))
    try:
        window = studio.window
        generate = window.findChild(QPushButton, "generateButton")
        assert generate.isVisible()
        assert generate.isEnabled()
        assert window.findChild(QPlainTextEdit, "promptEdit").isVisible()
        places = {button.objectName(): button.geometry() for button in window.findChildren(QPushButton)}
        for _ in range(20):
            QApplication.sendPostedEvents()
        assert {button.objectName(): button.geometry() for button in window.findChildren(QPushButton)} == places
        assert qapp.styleSheet(), "the style sheet is back"
    finally:
        studio.close()
        studio.delete()


def test_work_that_is_held_begins_when_it_is_released(qtbot):
    tasks, begun = TaskRunner(), []
    tasks.hold()
    tasks.run("Held", lambda _task: begun.append("held"))
    qtbot.wait(50)
    assert begun == []
    tasks.release()
    qtbot.waitUntil(lambda: begun == ["held"])
    tasks.run("At once", lambda _task: begun.append("at once"))
    qtbot.waitUntil(lambda: begun == ["held", "at once"])
    tasks.close()
