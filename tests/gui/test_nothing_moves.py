"""Nothing moves under the hand: what comes and goes has its place kept, or lies over."""

from __future__ import annotations

import struct
import threading
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QSpinBox, QWidget

from sdstudio.app import Studio
from sdstudio.core.errors import Cancelled, OutOfMemory

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton


def places(studio: Studio) -> dict[str, QRect]:
    """Where everything is that a hand may be about to press."""
    window = studio.window
    parts: dict[str, QWidget] = {
        "Generate": window.editor.generate_button,
        "Generate forever": window.editor.forever_button,
        "prompt": window.editor.prompt_edit,
        "fold of the negative prompt": window.editor.findChild(QWidget, "negativePromptFoldButton"),
        "canvas": window.canvas,
        "picture": window.canvas.view,
        "caption": window.canvas.caption,
        "history": window.browser.view,
        "search": window.browser.search_edit,
        "model": window.panel.field("model").editor,
        "pages": window.pages,
    }
    names = ("width", "steps", "guidance_scale", "scheduler", "schedule", "seed", "image_count")
    fields = {name: window.panel.field(name).editor for name in names if name in window.panel.fields}
    QApplication.processEvents()
    found = {name: QRect(part.mapTo(window, QPoint()), part.size()) for name, part in parts.items()}
    inside = window.panel.widget()  # a wrong field is scrolled to
    return found | {name: QRect(part.mapTo(inside, QPoint()), part.size()) for name, part in fields.items()}


def press(studio: Studio, prompt: str, count: int = 1) -> None:
    studio.window.findChild(QSpinBox, "countSpinBox").setValue(count)
    if studio.window.editor.prompt != prompt:
        studio.window.editor.set_prompt(prompt)
    QTest.mouseClick(studio.window.editor.generate_button, LEFT)


@pytest.mark.parametrize("size", [(900, 540), (1600, 1000)])
def test_nothing_on_the_create_page_moves_whatever_happens(build: Any, qtbot: Any, size: tuple[int, int]) -> None:
    go_on = threading.Event()

    def wait(_engine: object, cancel: threading.Event) -> None:
        while not go_on.wait(0.02):
            if cancel.is_set():
                raise Cancelled

    def fail(_engine: object, _cancel: threading.Event) -> None:
        raise OutOfMemory("Memory = 3 GB: the picture needs 7 GB.", "Make it smaller, or close other programs.")

    studio = build({"wait": wait, "fail": fail})
    window = studio.window
    window.resize(*size)
    qtbot.waitUntil(lambda: window.size().toTuple() == size, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: window.status_line.text == "Ready", timeout=WAIT_MS)
    window.panel.field("steps").set_value(12)
    press(studio, "frog")
    qtbot.waitUntil(lambda: window.status_line.text.startswith("Done"), timeout=WAIT_MS)
    at_rest = places(studio)

    def stays(state: str) -> None:
        moved = {name: (at_rest[name], now) for name, now in places(studio).items() if now != at_rest[name]}
        assert not moved, f"{state}: {moved}"

    for count in (1, 4):
        go_on.clear()
        press(studio, "wait", count)
        qtbot.waitUntil(lambda: window.editor.cancel_button.isVisible(), timeout=WAIT_MS)
        stays(f"while {count} are made")
        press(studio, "wait", count)
        qtbot.waitUntil(lambda: "1 waiting" in window.editor.generate_button.text(), timeout=WAIT_MS)
        stays("while one waits")
        go_on.set()
        qtbot.waitUntil(
            lambda: window.status_line.text.startswith("Done") and not window.editor.cancel_button.isVisible(),
            timeout=WAIT_MS,
        )
        qtbot.waitUntil(lambda: "waiting" not in window.editor.generate_button.text(), timeout=WAIT_MS)
        stays(f"when {count} are made")

    go_on.clear()
    press(studio, "wait", 4)
    qtbot.waitUntil(lambda: window.editor.cancel_button.isVisible(), timeout=WAIT_MS)
    QTest.mouseClick(window.editor.cancel_button, LEFT)
    qtbot.waitUntil(lambda: not window.editor.cancel_button.isVisible(), timeout=WAIT_MS)
    stays("when it is cancelled")
    press(studio, "fail")
    qtbot.waitUntil(lambda: "Memory" in window.editor.message, timeout=WAIT_MS)
    stays("when it fails")

    window.panel.field("steps").set_value(3)
    window.panel.field("guidance_scale").set_value(29.0)
    advice = window.findChild(QPushButton, "stepsAdviceButton")
    qtbot.waitUntil(advice.isVisible, timeout=WAIT_MS)
    stays("when advice comes")
    window.panel.field("steps").set_value(9000)
    press(studio, "frog")
    assert window.panel.field("steps").error
    assert window.panel.field("steps").message.isVisible()
    stays("when a field is wrong")
    window.shell.say("Data folder: it is read-only.", "warning")
    assert window.message.isVisible()
    stays("when the window says something")
    entry = window.canvas.entry
    QTest.keyClick(window.canvas.view, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: studio.history.get(entry.id).favourite, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bool(window.browser.bar.message), timeout=WAIT_MS)
    stays("when a picture becomes a favourite")


def test_the_history_stays_where_it_was_scrolled_to_when_pictures_come(build: Any, qtbot: Any) -> None:
    studio = build()
    window, view = studio.window, studio.window.browser.view
    window.panel.field("steps").set_value(1)
    press(studio, "frog", 24)
    qtbot.waitUntil(lambda: window.status_line.text.startswith("Done: 24"), timeout=WAIT_MS)
    view.verticalScrollBar().setValue(view.side_px * 3)
    chosen = view.model().index(view.columns * 3, 0)
    QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(chosen).center())
    entry_id = window.canvas.entry.id
    before = view.visualRect(window.history_model.index_of(entry_id)).top()
    press(studio, "cat face", view.columns)
    qtbot.waitUntil(lambda: studio.history.count() == 24 + view.columns, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: window.history_model.rowCount() == 24 + view.columns, timeout=WAIT_MS)
    after = window.history_model.index_of(entry_id)
    assert view.visualRect(after).top() == before
    assert view.selectionModel().isSelected(after)


def lora(number: int) -> bytes:
    """A file that the library takes for a LoRA, unlike the others."""
    header = b'{"lora_unet_x.lora_down.weight":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    return struct.pack("<Q", len(header)) + header + bytes([number])


def test_the_library_stays_where_it_was_scrolled_to_when_folders_are_read_again(
    home: Any, build: Any, qtbot: Any
) -> None:
    (home.models / "loras").mkdir(exist_ok=True)
    for number in range(40):
        (home.models / "loras" / f"style-{number:02}.safetensors").write_bytes(lora(number))
    studio = build()
    window = studio.window
    window.pages.open("Library")
    window.shell.rescan()
    view = window.library_controller.page.models
    qtbot.waitUntil(lambda: view.model.rowCount() > 40, timeout=WAIT_MS)
    view.list.setCurrentIndex(view.model.index(2))
    bar = view.list.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 200, timeout=WAIT_MS)
    bar.setValue(bar.maximum() // 2)
    chosen, seen = view.current.asset.path, bar.value()
    (home.models / "loras" / "style-99.safetensors").write_bytes(lora(99))
    count = view.model.rowCount()
    window.shell.rescan()
    qtbot.waitUntil(lambda: view.model.rowCount() == count + 1, timeout=WAIT_MS)
    assert view.current.asset.path == chosen
    assert bar.value() == seen
    press_button = window.library_controller.page.rescan_button
    place = press_button.mapTo(window, QPoint())
    listed = view.list.mapTo(window, QPoint())
    window.library_controller.page.bar.say("Something was done.", "info")
    QApplication.processEvents()
    assert window.library_controller.page.bar.isVisible()
    assert (press_button.mapTo(window, QPoint()), view.list.mapTo(window, QPoint())) == (place, listed)
