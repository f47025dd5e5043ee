"""The list of models on the real window: opened, searched and chosen from by mouse and keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QPushButton

from sdstudio.app import Studio
from sdstudio.core.events import EngineStatus
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.titles import model_titles
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.database.usage import Newest
from sdstudio.ui.pages.create.models.list import ModelListModel, heart_rect
from sdstudio.ui.pages.create.models.picker import ModelPicker
from sdstudio.ui.pages.create.models.rows import Known, Room, rows_of

WAIT_MS = 20_000
BUILT_IN = "Starter (built in, 512 px, draws simple things)"


@pytest.fixture
def models(home, tiny_models) -> None:
    """Put models beside the built-in one: one of its name, one of another family, one that is damaged."""
    (home.models / "sd15").mkdir(parents=True)
    (home.models / "sd15" / "starter").symlink_to(tiny_models["sd2"], target_is_directory=True)
    (home.models / "xl").symlink_to(tiny_models["sdxl"], target_is_directory=True)
    (home.models / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")


@pytest.fixture
def studio(models: None, build: Callable[..., Studio]) -> Studio:
    return build()


def box_of(studio: Studio) -> QComboBox:
    return studio.window.findChild(QComboBox, "modelComboBox")


def opened(studio: Studio) -> ModelPicker:
    """Open the list by a click."""
    QTest.mouseClick(box_of(studio), Qt.MouseButton.LeftButton)
    picker = studio.window.model_controller.picker
    assert picker is not None
    assert picker.isVisible()
    return picker


def titles(picker: ModelPicker) -> list[str]:
    return [row.title for row in picker.model.rows]


def click(picker: ModelPicker, key: str, on_heart: bool = False) -> None:
    index = picker.model.row_of(key)
    picker.list.scrollTo(index)
    line = picker.list.visualRect(index)
    place = heart_rect(line).center() if on_heart else line.center()
    QTest.mouseClick(picker.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_every_model_stands_once_under_its_family_and_no_two_are_called_alike(studio: Studio) -> None:
    picker = opened(studio)
    assert titles(picker) == [
        "Stable Diffusion 1.x", BUILT_IN, "Tiny SD 1", "Stable Diffusion 2.x", "Tiny SD 2",
        "Stable Diffusion XL", "Tiny SDXL", "Cannot be used", "cut",
    ]  # fmt: skip
    reason = picker.model.rows[-1].second_line
    assert "damaged" in reason
    click(picker, "cut")
    assert picker.isVisible()
    assert studio.window.panel.model.key == "starter"


def test_a_click_chooses_and_the_panel_follows(studio: Studio) -> None:
    click(opened(studio), "xl")
    picker = studio.window.model_controller.picker
    assert not picker.isVisible()
    assert box_of(studio).currentData() == "xl"
    assert box_of(studio).currentText() == "Tiny SDXL"
    assert studio.window.panel.model.family == "sdxl"
    [current] = [row for row in opened(studio).model.rows if row.is_current]
    assert current.model.key == "xl"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_F4])
def test_keys_open_search_walk_and_choose(studio: Studio, key: Qt.Key) -> None:
    box = box_of(studio)
    box.setFocus()
    QTest.keyClick(box, key)
    picker = studio.window.model_controller.picker
    assert picker.isVisible()
    QTest.keyClicks(picker.search_edit, "tiny")
    assert titles(picker) == [
        "Stable Diffusion 1.x", "Tiny SD 1", "Stable Diffusion 2.x", "Tiny SD 2", "Stable Diffusion XL", "Tiny SDXL",
    ]  # fmt: skip
    QTest.keyClick(picker.search_edit, Qt.Key.Key_Down)  # past the heading
    QTest.keyClick(picker.search_edit, Qt.Key.Key_Return)
    assert not picker.isVisible()
    assert box.currentText() == "Tiny SD 2"
    assert box.hasFocus()


def test_a_letter_begins_the_search_and_esc_changes_nothing(studio: Studio) -> None:
    box = box_of(studio)
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_X)
    picker = studio.window.model_controller.picker
    assert picker.search_edit.text() == "x"
    QTest.keyClicks(picker.search_edit, "l")
    assert titles(picker) == ["Stable Diffusion XL", "Tiny SDXL"]
    QTest.keyClicks(picker.search_edit, "yz")
    assert titles(picker) == []
    assert not picker.list.isVisible()
    QTest.keyClick(picker.search_edit, Qt.Key.Key_Escape)
    assert not picker.isVisible()
    assert box.currentData() == "starter"


def test_favourites_stand_at_the_head_are_kept_and_can_be_taken_back(studio: Studio, build: Any) -> None:
    picker = opened(studio)
    click(picker, "xl", on_heart=True)
    assert picker.isVisible()
    assert titles(picker)[:2] == ["Favourites", "Tiny SDXL"]
    assert titles(picker).count("Tiny SDXL") == 1
    QTest.keyClick(picker.search_edit, Qt.Key.Key_Down)
    QTest.keyClick(picker.search_edit, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert titles(picker)[:3] == ["Favourites", BUILT_IN, "Tiny SDXL"]
    picker.close()
    studio.window.shell.undos.undo()
    assert titles(opened(studio))[:3] == ["Favourites", "Tiny SDXL", "Stable Diffusion 1.x"]
    assert studio.close()
    again = build()
    QTest.qWait(0)
    deadline = time.monotonic() + 20
    while titles(opened(again))[0] != "Favourites" and time.monotonic() < deadline:
        again.window.model_controller.picker.close()
        QTest.qWait(50)
    assert titles(again.window.model_controller.picker)[:2] == ["Favourites", "Tiny SDXL"]


def test_what_drew_last_is_near_with_its_picture(studio: Studio, qtbot: Any) -> None:
    request = GenerationRequest(prompt="heart", model="xl", width=64, height=64, seed=1)
    entry = studio.history.save(Image.new("RGB", (64, 64), "red"), Recipe(app="test", request=request))
    studio.worker.picture_saved.emit(entry)
    picker = opened(studio)
    assert titles(picker)[:2] == ["Recent", "Tiny SDXL"]
    assert picker.model.rows[1].cover == entry.thumbnail
    line = picker.list.visualRect(picker.model.index(1))

    def is_painted() -> bool:
        shown = picker.list.viewport().grab(line).toImage().pixelColor(24, line.height() // 2)
        return bool(shown.red() > 200 and shown.green() < 60)

    qtbot.waitUntil(is_painted, timeout=WAIT_MS)


def test_a_download_is_offered_in_the_foot(studio: Studio, qtbot: Any) -> None:
    picker = opened(studio)
    QTest.mouseClick(picker.findChild(QPushButton, "pickerDownloadButton"), Qt.MouseButton.LeftButton)
    assert not picker.isVisible()
    assert studio.window.pages.name == "Library"
    downloads = studio.window.download_controller
    qtbot.waitUntil(lambda: downloads.view is not None and downloads.view.isVisible(), timeout=WAIT_MS)


def test_each_model_says_what_drawing_needs_of_what_is_free() -> None:
    model = ModelInfo("m", "m", Path("/m.safetensors"), "sdxl", size_bytes=6_900_000_000, weights=3_450_000_000)
    wide = EngineStatus("CPU", "float32", 1, 16 * 10**9)
    half = EngineStatus("GPU", "float16", 1, 16 * 10**9, is_accelerator=True)
    rooms = [Room(), Room(wide, 16 * 10**9), Room(half, 16 * 10**9), Room(half, 16 * 10**9, Settings(offload="model"))]
    told = [rows_of([model], Known(), "", room)[1] for room in rooms]
    assert [row.second_line for row in told] == [
        "6.9 GB",
        "may not fit: needs about 17.3 GB, 16.0 GB free  ·  6.9 GB",
        "needs about 10.4 GB, 16.0 GB free  ·  6.9 GB",
        "needs about 5.7 GB, 16.0 GB free  ·  6.9 GB",
    ]
    assert [row.is_tight for row in told] == [False, True, False, False]
    assert told[1].need_in_parts == (
        "Needs about 17.3 GB of memory at 1024 × 1024: 13.8 GB for its weights in float32, 3.5 GB while it draws. "
        "16.0 GB can be used. A smaller picture needs less; so do the switches under Speed and memory in the settings."
    )
    loaded = replace(half, model="m")
    chosen = [Room(loaded, 12 * 10**9, values={"width": side, "height": side, "batch_size": 2}) for side in (512, 2048)]
    told = [rows_of([model], Known(), "m", room)[1] for room in chosen]
    assert told[0].second_line == "in memory now  ·  6.9 GB"
    assert told[1].second_line.startswith("in memory now, may not fit: needs about 33.0 GB")


def test_the_list_follows_the_size_that_is_set(studio: Studio, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: studio.window.shell.status is not None, timeout=WAIT_MS)
    picker = opened(studio)
    [before] = [row for row in picker.model.rows if row.is_current]
    assert "128 × 128" in before.need_in_parts
    picker.close()
    for side in ("width", "height"):
        studio.window.panel.field(side).set_value(1024)
    picker = opened(studio)
    [row] = [row for row in picker.model.rows if row.is_current]
    assert "1024 × 1024" in row.need_in_parts
    index = picker.model.row_of(row.model.key)
    assert "1024 × 1024" in picker.model.data(index, Qt.ItemDataRole.ToolTipRole)


def test_a_thousand_models_are_there_at_once(qtbot: Any) -> None:
    models = [
        ModelInfo(f"m{n}", f"Model {n:04}", Path(f"/models/{n % 7}/model{n}.safetensors"), ("sd1", "sdxl")[n % 2])
        for n in range(1000)
    ]
    newest = {model.key: Newest(Path("/none.png"), datetime.fromtimestamp(n)) for n, model in enumerate(models[:40])}
    began = time.perf_counter()
    shown = ModelListModel()
    shown.show_rows(rows_of(models, Known(frozenset({"m999"}), {}, newest), "m500"))
    for text in ("m", "mo", "model 09", "model 099"):
        shown.narrow(text)
    taken_s = time.perf_counter() - began
    assert [row.title for row in shown.rows][:3] == ["Favourites", "Model 0999", "Stable Diffusion 1.x"]
    assert len(shown.rows) == 14  # three headings, 0990 to 0999, and 0099
    assert taken_s < 1.0  # 0.05 s here
    assert len(set(model_titles(models).values())) == 1000


def test_the_closed_box_keeps_what_matters_of_a_long_title(studio: Studio) -> None:
    box = box_of(studio)
    studio.window.resize(1600, 1000)
    QTest.qWait(50)
    assert box.shown_text == BUILT_IN
    studio.window.resize(900, 540)
    QTest.qWait(50)
    assert box.shown_text == "Starter (built in)"
    width = box.width()
    click(opened(studio), "xl")
    assert box.width() == width
