"""The Download models view, pressed like a hand would, on a hub of its own."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backends import fail
from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton

from sdstudio.background import downloads as jobs_downloads
from sdstudio.background.downloads import DownloadState
from sdstudio.library.getting.download import stage, unfinished
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.meter import DownloadProgress
from sdstudio.library.getting.planner import DownloadOrder, Planner
from sdstudio.ui.pages.library.get.download_row import DownloadRow, going
from sdstudio.ui.pages.library.get.model_card import GOT, GetCard
from sdstudio.ui.pages.library.get.view import GetModels
from sdstudio.ui.window.closing_dialog import ClosingDialog
from tests.gui.test_nothing_moves_anywhere import places
from tests.loopback_hub import GOOD_TOKEN, LoopbackHub, files_of
from tests.unit.library.getting.test_planner import LORA

LONG_MS = 60_000
"""Nothing here takes a second; the machine may be busy with something else."""


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch) -> Iterator[None]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def server(hub_server: LoopbackHub, tiny_models) -> LoopbackHub:
    hub_server.add("stabilityai/sd-turbo", files_of(tiny_models["sd1"]))
    hub_server.add("org/style", {"style.safetensors": LORA}, licence="openrail")
    return hub_server


@pytest.fixture
def view(server, studio, qtbot) -> GetModels:
    studio.window.pages.open("Library")
    click(studio.window.library_controller.page, "getViewButton")
    made = studio.window.download_controller.view
    assert made is not None
    return made


def click(parent, name: str) -> None:
    QTest.mouseClick(parent.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def press(button: QPushButton) -> None:
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def cards(view: GetModels) -> dict[str, GetCard]:
    found = [view.view.itemWidget(view.view.item(at)).findChild(GetCard) for at in range(view.view.count())]
    return {card.offer.text: card for card in found}


def shown(view: GetModels) -> list[str]:
    """The models whose cards are not filtered out."""
    hidden = [view.view.item(at).isHidden() for at in range(view.view.count())]
    return [text for text, is_hidden in zip(cards(view), hidden, strict=True) if not is_hidden]


def row(view: GetModels) -> DownloadRow:
    """The newest download."""
    return view.downloads_view.itemWidget(view.downloads_view.item(0)).findChild(DownloadRow)


def wait_for(qtbot, view: GetModels, state: DownloadState) -> DownloadRow:
    qtbot.waitUntil(lambda: view.downloads_view.count() > 0 and row(view).download.state is state, timeout=LONG_MS)
    return row(view)


def look_at(view: GetModels, text: str) -> None:
    QTest.keyClicks(view.address_edit, text)
    QTest.keyClick(view.address_edit, Qt.Key.Key_Return)


def test_the_menu_opens_it(server, studio, qtbot):
    [action] = [action for action in studio.window.findChildren(QAction) if action.text() == "&Download models…"]
    action.trigger()
    qtbot.waitUntil(
        lambda: (
            studio.window.download_controller.view is not None and studio.window.download_controller.view.isVisible()
        )
    )
    assert server.asked == []


def test_nothing_is_contacted_before_somebody_asks(view, server):
    assert len(cards(view)) > 10
    QTest.keyClicks(view.search_edit, "turbo")
    assert server.asked == []


def test_a_download_that_comes_moves_no_card_and_no_field(view, server, studio, qtbot):
    for size in ((900, 540), (1600, 1000)):
        studio.window.resize(*size)
        qtbot.waitUntil(lambda size=size: studio.window.size().toTuple() == size, timeout=LONG_MS)
        qtbot.wait(20)
        lists = (view.view, view.downloads_view)
        fields = {part: rect for part, rect in places(view).items() if part not in lists}
        stood = {text: card.mapTo(studio.window, QPoint()) for text, card in cards(view).items()}
        look_at(view, "org/style")
        wait_for(qtbot, view, DownloadState.READY)
        now = places(view)
        assert {part: now.get(part) for part in fields} == fields, size
        assert {text: card.mapTo(studio.window, QPoint()) for text, card in cards(view).items()} == stood, size
        row(view).close_button.click()
        qtbot.waitUntil(lambda: not view.downloads_view.isVisible(), timeout=LONG_MS)


def test_a_model_of_the_catalogue_arrives_and_can_be_used_at_once(view, server, studio, qtbot):
    card = cards(view)["sd-turbo"]
    said = " ".join(label.text() for label in card.findChildren(QLabel))
    assert "about 2.6 GB" in said
    assert "Stability AI Community Licence" in said
    qtbot.wait(50)  # the fields above are laid out in two rows
    place = card.mapTo(studio.window, QPoint())
    press(card.get_button)
    assert not card.get_button.isEnabled()
    done = wait_for(qtbot, view, DownloadState.DONE)
    assert view.downloads_view.isVisible()
    assert card.mapTo(studio.window, QPoint()) == place  # nothing moved under the hand
    assert (studio.paths.models / "sd-turbo" / "model_index.json").exists()
    assert "has arrived" in studio.window.message.message
    qtbot.waitUntil(lambda: card.get_button.text() == GOT)
    press(done.button)
    combo = studio.window.findChild(QComboBox, "modelComboBox")
    qtbot.waitUntil(lambda: combo.currentData() == "sd-turbo", timeout=LONG_MS)
    assert studio.window.pages.name == "Create"
    assert studio.window.panel.value("steps") == 2
    assert studio.window.panel.value("scheduler") == "euler_a"


def test_the_page_of_a_model_is_opened_in_the_browser(view, server):
    class Browser(QObject):
        opened: list[str] = []  # noqa: RUF012 (of this test alone)

        @Slot(QUrl)
        def open(self, url: QUrl) -> None:
            self.opened.append(url.toString())

    browser = Browser()
    QDesktopServices.setUrlHandler("https", browser, "open")
    try:
        QTest.mouseClick(cards(view)["sd-turbo"].page_button, Qt.MouseButton.LeftButton)
    finally:
        QDesktopServices.unsetUrlHandler("https")
    assert browser.opened == ["https://huggingface.co/stabilityai/sd-turbo"]
    assert server.asked == []


def test_the_catalogue_is_filtered_while_typing(view):
    QTest.keyClicks(view.search_edit, "Lightning 4step")
    assert shown(view) == ["sdxl-lightning-4step"]
    QTest.keyClicks(view.search_edit, " no such thing")
    assert "search the Hub" in view.heading.text()
    view.search_edit.clear()
    assert view.heading.text() == "Recommended models"
    assert shown(view) == list(cards(view))


def test_what_a_search_finds_tells_its_size_and_licence_before_a_byte_comes(view, server, studio, qtbot):
    QTest.keyClicks(view.search_edit, "style")
    press(view.search_button)
    qtbot.waitUntil(lambda: "org/style" in cards(view), timeout=LONG_MS)
    press(cards(view)["org/style"].get_button)
    ready = wait_for(qtbot, view, DownloadState.READY)
    assert "licence openrail" in ready.detail.text()
    assert "into loras/style.safetensors" in ready.detail.text()
    assert not (studio.paths.models / "loras").exists()
    press(ready.button)
    wait_for(qtbot, view, DownloadState.DONE)
    assert (studio.paths.models / "loras" / "style.safetensors").read_bytes() == LORA
    press(view.back_button)
    assert "sd-turbo" in cards(view)


def test_a_search_without_a_network_is_said_beside_it(view, server, qtbot):
    server.stop()
    press(view.search_button)
    qtbot.waitUntil(lambda: "cannot be reached" in view.bar.message, timeout=LONG_MS)
    assert view.search_button.text().strip() == "Search the Hub"


def test_an_address_is_looked_at_and_downloaded(view, server, studio, qtbot):
    server.plain["/files/other.safetensors"] = LORA
    look_at(view, f"{server.url}/files/other.safetensors")
    press(wait_for(qtbot, view, DownloadState.READY).button)
    wait_for(qtbot, view, DownloadState.DONE)
    assert (studio.paths.models / "loras" / "other.safetensors").exists()


@pytest.mark.parametrize("text", ["nonsense", "org/nothing", "http://example.org/x.safetensors"])
def test_what_cannot_be_had_is_said_at_the_row_and_can_be_dismissed(view, qtbot, text):
    look_at(view, text)
    failed = wait_for(qtbot, view, DownloadState.FAILED)
    assert failed.detail.text() == str(failed.download.error)
    assert failed.button.text() == "Retry"
    QTest.mouseClick(failed.close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.downloads_view.count() == 0)
    assert view.downloads_view.isHidden()


def test_a_token_opens_a_gated_repository(view, server, studio, qtbot):
    server.add("org/gated", {"gated.safetensors": LORA}, gated=True)
    look_at(view, "org/gated")
    failed = wait_for(qtbot, view, DownloadState.FAILED)
    assert "accepted their terms" in failed.detail.text()
    press(failed.token_button)
    edit = view.findChild(QLineEdit, "tokenEdit")
    assert edit.isVisible()
    assert edit.echoMode() is QLineEdit.EchoMode.Password
    QTest.keyClicks(edit, GOOD_TOKEN)
    click(view, "tokenEnterButton")
    press(wait_for(qtbot, view, DownloadState.READY).button)
    wait_for(qtbot, view, DownloadState.DONE)
    assert "until the studio is closed" in view.token_panel.message.text()
    assert not any(GOOD_TOKEN.encode() in file.read_bytes() for file in studio.paths.home.rglob("*") if file.is_file())


def test_a_download_is_paused_resumed_and_goes_on_where_it_was(view, server, studio, qtbot):
    big = lora_of(400_000)
    server.add("org/big", {"big.safetensors": big})
    server.fault("big.safetensors", "stall", after=200_000, times=1)
    look_at(view, "org/big")
    press(wait_for(qtbot, view, DownloadState.READY).button)
    running = wait_for(qtbot, view, DownloadState.RUNNING)
    qtbot.waitUntil(lambda: running.bar.fraction > 0.3, timeout=LONG_MS)
    assert "of 400 KB" in running.detail.text()
    tab = studio.window.library_controller.page.findChild(QPushButton, "getViewButton")
    assert tab.text().endswith("%")
    assert studio.window.status_line.text.startswith("Downloading ")
    assert studio.window.windowTitle().startswith("Downloading ")
    press(running.button)
    assert running.download.state is DownloadState.PAUSED
    press(running.button)
    wait_for(qtbot, view, DownloadState.DONE)
    assert tab.text().strip() == "Download models"
    assert studio.window.status_line.text == "Ready"
    assert (studio.paths.models / "loras" / "big.safetensors").read_bytes() == big
    assert server.ranges("big.safetensors")[-1].startswith("bytes=")


def test_a_cancelled_download_can_be_taken_back_and_else_is_deleted(view, server, studio, qtbot, monkeypatch):
    server.add("org/big", {"big.safetensors": lora_of(400_000)})
    server.fault("big.safetensors", "stall", after=200_000)
    look_at(view, "org/big")
    press(wait_for(qtbot, view, DownloadState.READY).button)
    running = wait_for(qtbot, view, DownloadState.RUNNING)
    QTest.mouseClick(running.close_button, Qt.MouseButton.LeftButton)
    assert running.download.state is DownloadState.CANCELLED
    press(running.button)
    assert running.download.state is DownloadState.PAUSED
    monkeypatch.setattr(jobs_downloads, "UNDO_MS", 1)
    QTest.mouseClick(running.close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.downloads_view.count() == 0, timeout=LONG_MS)
    assert unfinished(studio.paths.models) == []


def test_a_failing_server_is_waited_for_and_retried_by_hand(view, server, qtbot):
    look_at(view, "org/style")
    ready = wait_for(qtbot, view, DownloadState.READY)
    server.fault("style.safetensors", "status", status=404)
    press(ready.button)
    failed = wait_for(qtbot, view, DownloadState.FAILED)
    assert "there is nothing there" in failed.detail.text()
    server.heal()
    press(failed.button)
    wait_for(qtbot, view, DownloadState.DONE)


def test_a_download_of_an_earlier_run_is_offered_at_the_start(server, build, home, qtbot):
    plan = Planner(Hub()).plan(DownloadOrder("org/style"))
    stage(home.models, plan)
    window = build().window
    qtbot.waitUntil(lambda: "interrupted" in window.message.message, timeout=LONG_MS)
    [resume] = [button for button in window.message.findChildren(QPushButton) if button.text() == "Resume"]
    press(resume)
    qtbot.waitUntil(lambda: window.download_controller.view is not None)
    wait_for(qtbot, window.download_controller.view, DownloadState.DONE)
    assert (home.models / "loras" / "style.safetensors").exists()


def test_closing_the_studio_stops_a_download_and_keeps_what_has_arrived(server, build, home, qtbot):
    server.add("org/big", {"big.safetensors": lora_of(400_000)})
    server.fault("big.safetensors", "stall", after=200_000)
    studio = build()
    number = studio.window.download_controller.downloads.ask(DownloadOrder("org/big"), at_once=True)
    qtbot.waitUntil(server.stalled.is_set, timeout=LONG_MS)
    assert not studio.window.close()
    [question] = studio.window.findChildren(ClosingDialog)
    assert question.findChild(QLabel, "closingWorks").text() == "•  Downloading big"
    click(question, "stopAndKeepButton")
    assert not studio.window.isVisible()
    assert studio.close()
    [left] = unfinished(home.models)
    assert left.plan.title == "big"
    assert number == 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("sdstudio-task")] == []


def test_progress_reads_well():
    assert going(DownloadProgress(10**9, 2 * 10**9, 10**7)) == "1.0 GB of 2.0 GB  ·  10 MB/s  ·  1 min 40 s left"
    assert going(DownloadProgress(10**9, 2 * 10**9)) == "1.0 GB of 2.0 GB  ·  waiting for data"
    assert going(DownloadProgress(0, 2 * 10**9, 0.0, "The connection broke.")).endswith("The connection broke.")


def lora_of(size: int) -> bytes:
    header = b'{"lora_unet_x.lora_down.weight":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    return struct.pack("<Q", len(header)) + header + bytes(size)


def test_many_downloads_leave_room_for_the_catalogue_in_the_smallest_window(view, studio, qtbot):
    studio.window.resize(studio.window.minimumSize())
    for number in range(6):
        look_at(view, f"nonsense{number}")
    qtbot.waitUntil(lambda: view.downloads_view.count() == 6, timeout=LONG_MS)
    qtbot.waitUntil(lambda: view.view.geometry().bottom() < view.downloads_view.geometry().top(), timeout=LONG_MS)
    assert view.view.height() > view.downloads_view.height() // 2
    assert view.downloads_view.height() >= 88
