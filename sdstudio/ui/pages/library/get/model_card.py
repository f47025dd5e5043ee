"""One model that can be got, as a card: what it is for, what it needs, under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.downloads import DownloadState
from sdstudio.background.signals import TypedSignal
from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import KIND_BY_KEY
from sdstudio.core.folding import folded
from sdstudio.library.getting.catalogue import CatalogueRow
from sdstudio.library.getting.hub import HubModel
from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon

GET: Final = "Download"
GOT: Final = "In the library"
PAGES: Final = "https://huggingface.co/"

_BUTTON_TITLES: Final = {
    DownloadState.ASKING: "Asking…",
    DownloadState.READY: "See above",
    DownloadState.FAILED: "See above",
    DownloadState.PAUSED: "Paused",
    DownloadState.CANCELLED: "Cancelled",
    DownloadState.DONE: GOT,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a card shows.

    Attributes:
        text: What to ask for: a catalogue key or a repository.
        repo: Its repository on the Hub.
        title: What the user reads.
        facts: One line about it.
        about: What it is for.
        note: What to know before.
        is_told: Whether size and licence are among the facts, so that it can be downloaded without asking again.
    """

    text: str
    repo: str
    title: str
    facts: str
    about: str = ""
    note: str = ""
    is_told: bool = False

    @classmethod
    def of_row(cls, row: CatalogueRow) -> Offer:
        """Show a row of the catalogue."""
        facts = (
            KIND_BY_KEY[row.kind].title,
            FAMILY_BY_KEY[row.family].title if row.family else "",
            f"about {row.size_gb:g} GB" if row.size_gb else "",
            f"needs about {row.memory_gb:g} GB of memory" if row.memory_gb else "",
            f"{row.width} × {row.height}" if row.width and row.height else "",
            f"{row.steps} steps" if row.steps else "",
            row.licence,
        )
        line = "  ·  ".join(fact for fact in facts if fact)
        return cls(row.key, row.repo, row.title, line, row.about, row.note, row.size_gb is not None)

    @classmethod
    def of_found(cls, model: HubModel) -> Offer:
        """Show a repository that a search has found."""
        downloads = f"{model.downloads:,} downloads in the last month" if model.downloads else ""
        licence = f"licence {model.licence}" if model.licence else "no licence named"
        note = "Its authors want you to accept their terms: it needs an access token." if model.gated else ""
        return cls(
            model.repo, model.repo, model.repo, "  ·  ".join(fact for fact in (downloads, licence) if fact), note=note
        )


class GetCard(QFrame):
    """A card with a button to get the model."""

    #: It is to be got; carries the `Offer`.
    get_pressed = TypedSignal[Offer]()

    def __init__(self, offer: Offer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self.setAccessibleName(f"Model {offer.title}")
        self.offer = offer
        self._icon = QLabel(self)
        self._icon.setFixedSize(24, 24)
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        lines = ((offer.title, "heading"), (offer.facts, "muted"), (offer.about, ""), (offer.note, "caption"))
        for text, role in lines:
            if text:
                label = QLabel(text, self)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setWordWrap(True)
                if role:
                    label.setProperty("role", role)
                words.addWidget(label)
        self.get_button = QPushButton(GET, self)
        self.get_button.setAccessibleName(f"Download {offer.title}")
        self.get_button.setToolTip(
            "Download it now" if offer.is_told else "Ask for its size and licence; nothing is downloaded yet"
        )
        self.get_button.clicked.connect(lambda: self.get_pressed.emit(self.offer))
        self.page_button = QToolButton(self)
        self.page_button.setAccessibleName(f"Open the page of {offer.title}")
        self.page_button.setToolTip(f"Open {PAGES}{offer.repo} in the browser: pictures, licence, terms to accept")
        mark(self.page_button, "ghost", True)
        set_icon(self.page_button, "link")
        self.page_button.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(f"{PAGES}{offer.repo}")))
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID * 2, GRID + GRID // 2, GRID + GRID // 2, GRID + GRID // 2)
        row.setSpacing(GRID * 2)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.page_button)
        row.addWidget(self.get_button)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._draw_icon)
        self._draw_icon()

    def show_state(self, state: DownloadState | None, is_there: bool) -> None:
        """Return whether it is being got, or was."""
        title = GOT if is_there else _BUTTON_TITLES.get(state, "Downloading…") if state is not None else GET
        self.get_button.setText(title)
        self.get_button.setEnabled(title == GET)

    def matches(self, text: str) -> bool:
        """Whether a filter lets it through."""
        whole = folded(f"{self.offer.title} {self.offer.text} {self.offer.facts} {self.offer.about}")
        return all(word in whole for word in folded(text).split())

    def _draw_icon(self) -> None:
        self._icon.setPixmap(pixmap("box", "accent_text", 24, self.devicePixelRatioF()))
