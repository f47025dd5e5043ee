"""A model is converted for OpenVINO once a picture was drawn with it, by the real command in a process of its own."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from sdstudio.background.conversions import Conversion
from sdstudio.core.events import NotConverted
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.window.conversion_notice import ConversionNotice
from tests.gui.window.test_file_format import drawn
from tests.unit.background.fakes import ScriptedEngine

pytest.importorskip("openvino")
PATIENCE_MS = 270_000


class NeverConverted(ScriptedEngine):
    """Draws, and says each time that the model is not converted."""

    def generate(self, resolved, seeds, batch_size, on_event, cancel):
        on_event(NotConverted(resolved.model))
        super().generate(resolved, seeds, batch_size, on_event, cancel)


@pytest.fixture
def window(build, qtbot):
    studio = build(make_engine=NeverConverted)
    drawn(studio, qtbot, 1)
    return studio


def message(studio):
    return studio.window.findChild(MessageBar, "windowMessage").message


@pytest.mark.slow
def test_it_is_converted_with_progress_once(window, qtbot):
    studio, shares = window, []
    studio.window.findChild(Conversion).progressed.connect(shares.append)
    assert message(studio).startswith("Tiny") or "is being converted for OpenVINO, once." in message(studio)
    qtbot.waitUntil(lambda: "OpenVINO draws with it from the next picture on" in message(studio), timeout=PATIENCE_MS)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    (folder,) = studio.paths.converted.iterdir()
    assert {file.name for file in folder.glob("*.xml")} == {"unet.xml", "vae_decoder.xml", "vae_encoder.xml"}
    drawn(studio, qtbot, 2)
    assert studio.window.findChild(ConversionNotice).current is None


def test_cancel_ends_its_process_and_leaves_nothing(window, qtbot):
    studio = window
    notice = studio.window.findChild(ConversionNotice)
    with qtbot.waitSignal(notice.current.progressed, timeout=PATIENCE_MS):
        pass
    button = next(
        button for button in studio.window.findChild(MessageBar, "windowMessage").findChildren(QPushButton)
        if button.text() == "Cancel"
    )  # fmt: skip
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert notice.current is None
    assert not studio.paths.converted.exists() or list(studio.paths.converted.glob("[!.]*")) == []
    drawn(studio, qtbot, 2)
    assert notice.current is None  # what was given up is not begun again


def test_closing_the_window_ends_it_too(window):
    notice = window.window.findChild(ConversionNotice)
    conversion = notice.current
    assert conversion is not None
    assert window.close()
    assert notice.current is None
