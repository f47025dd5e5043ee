"""The ways on from the built-in model: offered on the first screen and below the list of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from sdstudio.app import Studio, build_studio
from tests.tiny_models import tiny_sd1
from tests.unit.background.fakes import ScriptedEngine

WAIT_MS = 20_000


@pytest.fixture
def webui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A1111's folder in a home of its own."""
    person = tmp_path / "person"
    folder = person / "stable-diffusion-webui"
    tiny_sd1(folder / "models/Stable-diffusion/painted")
    monkeypatch.setenv("HOME", str(person))
    for name in ("HF_HOME", "XDG_CACHE_HOME", "INVOKEAI_ROOT", "COMFYUI_PATH"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def studio(qtbot: Any, home: Any, webui: Path) -> Any:
    """The studio with the built-in model alone."""
    built = build_studio(home.home, lambda settings: ScriptedEngine(settings, None))
    built.window.resize(1200, 800)
    with qtbot.waitExposed(built.window):
        built.window.show()
    yield built
    assert built.close()
    built.delete()


def press(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def use_button(studio: Studio, folder: Path) -> QPushButton | None:
    dialog = studio.window.findChild(QLabel, "programsSaid").window()
    found = [each for each in dialog.findChildren(QPushButton) if each.accessibleName() == f"Use {folder}"]
    return found[0] if found else None


def test_the_first_screen_leads_to_the_models_of_another_program(studio: Studio, webui: Path, qtbot: Any) -> None:
    ways = studio.window.canvas.empty.ways
    assert [way.accessibleName() for way in ways] == ["Use models of another program…", "Download a model…"]
    assert all(way.isVisible() for way in ways)
    press(ways[0])
    said = studio.window.findChild(QLabel, "programsSaid")
    assert said.text() == "Looking on this computer…"
    qtbot.waitUntil(lambda: use_button(studio, webui) is not None, timeout=WAIT_MS)
    button = use_button(studio, webui)
    assert "found" in said.text()
    assert "A1111 or Forge  ·  1 model" in [label.text() for label in button.parentWidget().findChildren(QLabel)]
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert not button.isEnabled()
    assert button.text() == "In use"
    qtbot.waitUntil(lambda: studio.window.panel.offers("painted"), timeout=WAIT_MS)
    assert studio.window.shell.settings.model_folders == (webui,)
    qtbot.waitUntil(lambda: studio.window.canvas.empty.ways == [], timeout=WAIT_MS)
    studio.window.shell.undos.undo()
    assert button.isEnabled()
    qtbot.waitUntil(lambda: not studio.window.panel.offers("painted"), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(studio.window.canvas.empty.ways) == 2, timeout=WAIT_MS)


def test_the_first_screen_leads_to_the_download_page(studio: Studio, qtbot: Any) -> None:
    press(studio.window.canvas.empty.ways[1])
    assert studio.window.pages.name == "Library"
    downloads = studio.window.download_controller
    qtbot.waitUntil(lambda: downloads.view is not None and downloads.view.isVisible(), timeout=WAIT_MS)


def test_the_list_of_models_leads_there_too(studio: Studio) -> None:
    studio.window.model_controller.open()
    press(studio.window.findChild(QPushButton, "pickerProgramsButton"))
    assert not studio.window.model_controller.picker.isVisible()
    assert studio.window.findChild(QLabel, "programsSaid").isVisible()


def test_where_there_is_little_room_the_ways_on_stay(studio: Studio) -> None:
    studio.window.resize(900, 540)
    QTest.qWait(100)
    empty = studio.window.canvas.empty
    assert [way.isVisible() for way in empty.ways] == [True, True]
    shown = [chip for chip in (*empty.suggestions, *empty.ways) if chip.isVisible()]
    assert all(empty.rect().contains(chip.geometry()) for chip in shown)
