"""The Download models view: the catalogue, a search of the Hub, an address, and every download with its progress.

It is built and filled without the network; nothing is contacted before a button is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.downloads import Download, Downloads, DownloadState
from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext
from sdstudio.core.errors import StudioError
from sdstudio.library.getting.catalogue import catalogue
from sdstudio.library.getting.hub import Hub, HubModel
from sdstudio.library.getting.planner import DownloadOrder
from sdstudio.library.getting.tokens import TokenStore
from sdstudio.ui.pages.library.get.download_row import DownloadRow
from sdstudio.ui.pages.library.get.model_card import GetCard, Offer
from sdstudio.ui.pages.library.get.token_panel import TokenPanel
from sdstudio.ui.shell import Services
from sdstudio.ui.theme import GRID, leading_icon, set_icon
from sdstudio.ui.widgets.breaking_row import BreakingRow
from sdstudio.ui.widgets.card_list import CardList
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar

_DOWNLOADS_MAXIMUM_PX: Final = 264
_DOWNLOADS_MINIMUM_PX: Final = 88
_ONE_ROW_PX: Final = 1160
_WORTH: Final = "Recommended models"


class GetModels(QWidget):
    """Offers models and hands orders to `Downloads`.

    Args:
        downloads: Runs them.
        hub: Is searched.
        tokens: Keeps the access token.
        services: Background tasks, and the models folder, to see what is there already.
        wants_checker: Whether the model's own filter is to be got, by the settings now.
        parent: As Qt has it.
    """

    #: A model that has arrived is to be drawn with; carries its path.
    use_requested = TypedSignal[Path]()

    def __init__(
        self,
        downloads: Downloads,
        hub: Hub,
        tokens: TokenStore,
        services: Services,
        wants_checker: Callable[[], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("getModels")
        self._downloads = downloads
        self._hub = hub
        self._tasks = services.tasks
        self._models = services.paths.models
        self._wants_checker = wants_checker
        self._search: Task[Any] | None = None
        self._wants_token = 0
        self._cards: list[tuple[QListWidgetItem, GetCard]] = []
        self._rows: dict[int, tuple[QListWidgetItem, DownloadRow]] = {}
        self.bar = MessageBar("getMessage", self)
        self.token_panel = TokenPanel(tokens, services.tasks, self)
        self.search_edit = self._edit("getSearchEdit", "Search models", "Filter the catalogue, or search the Hub…")
        leading_icon(self.search_edit, "search")
        self.search_button = self._button("hubSearchButton", "Search the Hub", "search")
        self.address_edit = self._edit(
            "getAddressEdit", "Repository or address", "owner/name, or https://….safetensors"
        )
        self.address_button = self._button("getAddressButton", "Check this address", "download")
        self.token_button = self._button("tokenButton", "Access token…", "shield")
        self.back_button = self._button("catalogueButton", "Back to the catalogue", "undo-2")
        self.precision = QComboBox(self)
        self.heading = QLabel(self)
        self.heading.setProperty("role", "heading")
        self.view = CardList("catalogueView", "Models to download", self)
        self.downloads_view = CardList("downloadsView", "Downloads", self)
        self._lay_out()
        self._connect()
        self.show_catalogue()
        for download in downloads.downloads():
            self._on_changed(download)
        self._fit_downloads()

    def show_catalogue(self) -> None:
        """Offer the models worth getting."""
        self._show(_WORTH, [Offer.of_row(row) for row in catalogue()])
        self.back_button.hide()
        self._filter(self.search_edit.text())

    def _show(self, heading: str, offers: list[Offer]) -> None:
        self.heading.setText(heading)
        self.view.clear()
        self._cards = []
        for offer in offers:
            card = GetCard(offer)
            card.get_pressed.connect(self._on_get_pressed)
            self._cards.append((self.view.insert_card(self.view.count(), card), card))
        self.view.fit()
        self._show_states()

    def _show_states(self) -> None:
        states = {row.order.text: row.state for row in self._downloads.downloads() if row.order is not None}
        files = {row.key: row for row in catalogue()}
        for _item, card in self._cards:
            text = card.offer.text
            row = files.get(text)
            name = text.rpartition("/")[2] if row is None else text
            places = (name, f"loras/{name}.safetensors", f"vae/{name}.safetensors")
            card.show_state(states.get(text), any((self._models / place).exists() for place in places))

    def _filter(self, text: str) -> None:
        if self.back_button.isHidden():  # what the Hub has found is not filtered by the next search's words
            fitting = [card.matches(text) for _item, card in self._cards]
            for (item, _card), fits in zip(self._cards, fitting, strict=True):
                item.setHidden(not fits)
            self.heading.setText(_WORTH if any(fitting) else "Nothing in the catalogue fits: search the Hub for it")

    def _on_get_pressed(self, offer: Offer) -> None:
        self.bar.dismiss()
        self._downloads.ask(self._order(offer.text), at_once=offer.is_told)
        self._show_states()

    def _on_address_pressed(self) -> None:
        text = self.address_edit.text().strip()
        if text:
            self.bar.dismiss()
            self._downloads.ask(self._order(text))
            self.address_edit.clear()

    def _order(self, text: str) -> DownloadOrder:
        return DownloadOrder(text, self.precision.currentData(), self._wants_checker())

    def _on_search_pressed(self) -> None:
        if self._search is not None:
            self._search.cancel()
            return
        text = self.search_edit.text().strip()
        self.bar.dismiss()
        self.search_button.setText(" Stop searching")

        def work(task: TaskContext) -> list[HubModel]:
            return self._hub.search(text, cancel=task.cancelled_event)

        def ended(*_anything: object) -> None:
            self._search = None
            self.search_button.setText(" Search the Hub")

        self._search = self._tasks.run("Searching the Hub", work, self._on_found, self._on_search_failed)
        for end in (self._search.succeeded, self._search.failed, self._search.cancelled):
            end.connect(ended)

    def _on_found(self, models: list[HubModel]) -> None:
        if not models:
            self.bar.say("The Hub has no text-to-image model of that name. Try fewer or other words.")
            return
        self.back_button.show()
        self._show(f"{len(models)} found on the Hub", [Offer.of_found(model) for model in models])

    def _on_search_failed(self, error: StudioError) -> None:
        self.bar.say(str(error), "error", [("Try again", self._on_search_pressed)])

    def _on_changed(self, download: Download) -> None:
        if download.id not in self._rows:
            row = DownloadRow(download)
            row.pressed.connect(self._on_row_pressed)
            row.cancel_pressed.connect(self._downloads.cancel)
            row.token_pressed.connect(self._on_token_wanted)
            self._rows[download.id] = (self.downloads_view.insert_card(0, row), row)
            self._fit_downloads()
            self._show_states()
            return
        row = self._rows[download.id][1]
        state = row.download.state
        if row.show_download(download):
            self._fit_downloads()
        if state is not download.state:
            self._show_states()

    def _on_removed(self, number: int) -> None:
        item, _row = self._rows.pop(number)
        self.downloads_view.takeItem(self.downloads_view.row(item))
        self._fit_downloads()
        self._show_states()

    def _on_row_pressed(self, number: int) -> None:
        download = self._rows[number][1].download
        match download.state:
            case DownloadState.RUNNING | DownloadState.WAITING:
                self._downloads.pause(number)
            case DownloadState.CANCELLED:
                self._downloads.undo_cancel(number)
            case DownloadState.DONE if download.path is not None:
                self.use_requested.emit(download.path)
            case _:
                self._downloads.start(number)

    def _on_token_wanted(self, number: int) -> None:
        self._wants_token = number
        self.token_panel.open()

    def _on_token_entered(self) -> None:
        number, self._wants_token = self._wants_token, 0
        if number:
            self._downloads.start(number)

    def _fit_downloads(self) -> None:
        """Give the downloads the height they need, within reason; none, no height."""
        view = self.downloads_view
        view.fit()
        view.setVisible(view.count() > 0)
        height = sum(view.sizeHintForRow(at) for at in range(view.count()))
        view.setFixedHeight(min(height, _DOWNLOADS_MAXIMUM_PX, max(self.height() * 2 // 5, _DOWNLOADS_MINIMUM_PX)))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Share a small height between the downloads and the catalogue."""
        super().resizeEvent(event)
        self._fit_downloads()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Cards have their width only now."""
        QTimer.singleShot(0, self, self._fit_downloads)
        super().showEvent(event)

    def _connect(self) -> None:
        self.search_edit.textChanged.connect(self._filter)
        self.search_edit.returnPressed.connect(self._on_search_pressed)
        self.search_button.clicked.connect(self._on_search_pressed)
        self.address_edit.returnPressed.connect(self._on_address_pressed)
        self.address_button.clicked.connect(self._on_address_pressed)
        self.address_edit.textChanged.connect(lambda text: self.address_button.setEnabled(bool(text.strip())))
        self.address_button.setEnabled(False)
        self.back_button.clicked.connect(self.show_catalogue)
        self.token_button.clicked.connect(self.token_panel.open)
        self.token_panel.entered.connect(self._on_token_entered)
        self._downloads.changed.connect(self._on_changed)
        self._downloads.removed.connect(self._on_removed)

    def _lay_out(self) -> None:
        self.precision.setObjectName("precisionComboBox")
        self.precision.setAccessibleName("Precision of the weights")
        self.precision.setToolTip("Half precision is half as large; pictures look the same")
        self.precision.addItem("Half precision", "fp16")
        self.precision.addItem("Full precision", "full")
        self.address_button.setToolTip("Ask for its size and licence; nothing is downloaded yet")
        self.search_button.setToolTip("Ask huggingface.co for text-to-image models with these words in their name")
        fields = BreakingRow(_ONE_ROW_PX, self)
        fields.first.addWidget(self.search_edit, 1)
        fields.first.addWidget(self.search_button)
        fields.second.addWidget(self.address_edit, 1)
        for widget in (self.address_button, self.precision, self.token_button):
            fields.second.addWidget(widget)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.heading)
        head.addStretch(1)
        head.addWidget(self.back_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID + GRID // 2)
        column.addWidget(fields)
        column.addWidget(self.token_panel)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        column.addWidget(self.downloads_view)  # at the foot: a card that was pressed stays where it is
        LiesOver(self.bar, self.view, "bottom")

    def _edit(self, name: str, title: str, hint: str) -> QLineEdit:
        edit = QLineEdit(self)
        edit.setObjectName(name)
        edit.setAccessibleName(title)
        edit.setPlaceholderText(hint)
        edit.setClearButtonEnabled(True)
        edit.setMaxLength(2000)
        return edit

    def _button(self, name: str, title: str, icon_name: str) -> QPushButton:
        button = QPushButton(f" {title}", self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        set_icon(button, icon_name)
        return button
