"""A model is got from a hub in the window and draws, with the real client, the real engine and nothing faked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit, QPushButton

from sdstudio.app import Studio, build_studio
from sdstudio.background.downloads import DownloadState
from tests.gui.pages.library.get.test_view import cards, click, press, wait_for
from tests.loopback_hub import files_of

ENGINE_MS = 180_000


@pytest.fixture
def files(tiny_models) -> dict[str, bytes]:
    """Built before the window is: its worker imports diffusers on another thread."""
    return files_of(tiny_models["sd1"])


@pytest.fixture
def studio(home, files, qtbot) -> Iterator[Studio]:
    made = build_studio(home.home)
    with qtbot.waitExposed(made.window):
        made.window.show()
    yield made
    assert made.close()
    made.delete()


def test_a_model_is_got_in_the_window_and_draws_with_its_recommended_parameters(studio, hub_server, files, qtbot):
    hub_server.add("stabilityai/sd-turbo", files)
    window = studio.window
    window.pages.open("Library")
    click(window.library_controller.page, "getViewButton")
    view = window.download_controller.view
    press(cards(view)["sd-turbo"].get_button)
    press(wait_for(qtbot, view, DownloadState.DONE).button)
    qtbot.waitUntil(lambda: window.panel.model is not None and window.panel.model.key == "sd-turbo", timeout=ENGINE_MS)
    for name in ("width", "height"):
        window.panel.field(name).set_value(64)
    edit = window.findChild(QPlainTextEdit, "promptEdit")
    edit.selectAll()
    QTest.keyClicks(edit, "a red heart")
    QTest.mouseClick(window.findChild(QPushButton, "generateButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: studio.history.count() == 1, timeout=ENGINE_MS)
    [entry] = studio.history.entries()
    request = entry.recipe.request
    assert (request.model, request.steps, request.scheduler) == ("sd-turbo", 2, "euler_a")
    assert entry.recipe.model_name == "SD Turbo"
    assert Image.open(entry.path).size == (64, 64)
