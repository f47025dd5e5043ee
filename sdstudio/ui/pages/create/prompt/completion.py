"""What a prompt can go on with while it is typed: LoRA, embeddings, wildcards, styles and phrases used before.

`wanted` reads what stands before the cursor, `offers_for` finds what fits; both are plain text. `CompletionList` shows
it below the cursor and takes the keys while it is open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QPlainTextEdit

from sdstudio.catalog.kinds import EMBEDDING, LORA
from sdstudio.core.folding import folded
from sdstudio.ui.theme import GRID, icon, mark

OfferKind = Literal["lora", "embedding", "wildcard", "style", "phrase"]

LEAST: Final = 2
"""Letters of a word after which phrases are offered."""
OFFERED: Final = 40
_ROWS: Final = 8
_WIDTH_PX: Final = 360
_ICONS: Final[dict[OfferKind, str]] = {
    LORA: "sparkles", EMBEDDING: "box", "wildcard": "shuffle", "style": "palette", "phrase": "history",
}  # fmt: skip
_NETWORK: Final = re.compile(r"<(?:lo?r?a?|lora:([^<>:\n]*))?$")
_WILDCARD: Final = re.compile(r"__([\w./-]*)$")
_PHRASE: Final = re.compile(r"[^,\n()\[\]{}|<>]*$")
_PAST: Final = re.compile(r"__\S+?__")
_WORD: Final = re.compile(r"[\w.-]+$")


@dataclass(frozen=True, slots=True)
class Offer:
    """Something a prompt may go on with.

    Attributes:
        kind: What it is.
        name: What is looked for and shown.
        text: What is written; "" for a style, which is chosen instead.
    """

    kind: OfferKind
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is being typed: kinds that can come here, letters so far, how many characters before the cursor go."""

    kinds: frozenset[OfferKind]
    letters: str
    replaced: int
    word: str = ""


def wanted(before: str) -> Wanted | None:
    """Read what stands before the cursor; ``None`` where nothing is offered."""
    network = _NETWORK.search(before)
    if network is not None:
        return Wanted(frozenset({LORA}), network[1] or "", len(network.group()))
    wildcard = _WILDCARD.search(before)
    if wildcard is not None and before[: wildcard.start()].count("__") % 2 == 0:
        return Wanted(frozenset({"wildcard"}), wildcard[1], len(wildcard.group()))
    phrase = _PHRASE.search(before)
    letters = _PAST.split(phrase.group())[-1].lstrip() if phrase else ""
    if len(letters) < LEAST or not letters[-1].isalnum():
        return None
    word = _WORD.search(letters)
    return Wanted(frozenset({"phrase", EMBEDDING, "style"}), letters, len(letters), word.group() if word else "")


def offers_for(asked: Wanted, offers: Sequence[Offer], limit: int = OFFERED) -> list[tuple[Offer, int]]:
    """Return what fits, each with the number of characters before the cursor that it replaces.

    Names that begin with the letters come first. What is typed whole already is not offered.
    """
    first: list[tuple[Offer, int]] = []
    others: list[tuple[Offer, int]] = []
    for offer in offers:
        if offer.kind not in asked.kinds:
            continue
        single = asked.word and offer.kind in (EMBEDDING, "style")
        letters, replaced = (asked.word, len(asked.word)) if single else (asked.letters, asked.replaced)
        at = folded(offer.name).find(folded(letters)) if len(letters) >= LEAST or not single else -1
        if at < 0 or offer.text == letters:
            continue
        (first if at == 0 else others).append((offer, replaced))
        if len(first) >= limit:
            break
    return [*first, *others][:limit]


class CompletionList(QListWidget):
    """The list below the cursor of one prompt. It never has the focus.

    Args:
        edit: The field it completes.
    """

    #: A style was chosen; with its name. Its letters are gone from the prompt.
    style_chosen = Signal(str)

    def __init__(self, edit: QPlainTextEdit) -> None:
        super().__init__(edit.window())
        self.setObjectName(f"{edit.objectName()}Completion")
        self.setAccessibleName("Suggestions")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        mark(self, "field", True)
        self._edit = edit
        self._offers: Sequence[Offer] = ()
        self._typed = False
        edit.installEventFilter(self)
        edit.textChanged.connect(self._on_text_changed)
        edit.cursorPositionChanged.connect(lambda: None if self._typed else self.hide())
        self.itemClicked.connect(self._take)
        self.hide()

    def set_offers(self, offers: Sequence[Offer]) -> None:
        """Take everything there is to offer."""
        self._offers = offers

    def offer(self) -> None:
        """Show what fits before the cursor, or nothing."""
        cursor = self._edit.textCursor()
        block = cursor.block().text().encode("utf-16-le")[: 2 * cursor.positionInBlock()].decode("utf-16-le", "ignore")
        asked = wanted(block) if not cursor.hasSelection() else None
        offers = offers_for(asked, self._offers) if asked is not None else []
        self.clear()
        for offer, replaced in offers:
            item = QListWidgetItem(icon(_ICONS[offer.kind], "muted"), offer.name)
            item.setData(Qt.ItemDataRole.UserRole, (offer, replaced))
            self.addItem(item)
        self.setVisible(bool(offers))
        if offers:
            self.setCurrentRow(0)
            self._place()
            QTimer.singleShot(0, self, self._place)  # a field that grows with its text has moved only then

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Take the keys that move and choose while the list is open, and go when the field loses the focus."""
        if event.type() in (QEvent.Type.FocusOut, QEvent.Type.Hide):
            self.hide()
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if event.key() == Qt.Key.Key_Escape and not self.isHidden():
                event.accept()  # else it is the menu's, and stops the running job
                return True
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if self.isHidden():
                self._typed = bool(event.text().strip()) or event.key() == Qt.Key.Key_Backspace
                return self._asked_for(event)
            return self._on_key(event)
        return False

    def _asked_for(self, event: QKeyEvent) -> bool:
        is_asked = event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if is_asked:
            self.offer()
        return is_asked

    def _on_key(self, event: QKeyEvent) -> bool:
        self._typed = bool(event.text().strip()) or event.key() == Qt.Key.Key_Backspace
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        match event.key():
            case Qt.Key.Key_Down | Qt.Key.Key_Up:
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                self.setCurrentRow((self.currentRow() + step) % self.count())
            case Qt.Key.Key_Tab | Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._take(self.currentItem())
            case Qt.Key.Key_Escape:
                self.hide()
            case _:
                return False
        return True

    def _on_text_changed(self) -> None:
        if self._typed and self._edit.hasFocus():
            QTimer.singleShot(0, self, self._offer_and_rest)  # the cursor moves after the text
        else:
            self.hide()

    def _offer_and_rest(self) -> None:
        if self._typed:  # Escape may have come meanwhile
            self.offer()
        self._typed = False

    def _take(self, item: QListWidgetItem) -> None:
        offer, replaced = item.data(Qt.ItemDataRole.UserRole)
        self._typed = False
        self.hide()
        cursor = self._edit.textCursor()
        move = QTextCursor.MoveOperation.Left
        cursor.movePosition(move, QTextCursor.MoveMode.KeepAnchor, replaced)
        cursor.insertText(offer.text)
        self._edit.setTextCursor(cursor)
        if offer.kind == "style":
            self.style_chosen.emit(offer.name)

    def _place(self) -> None:
        window = self._edit.window()
        if self.parentWidget() is not window:
            self.setParent(window)
            self.show()
        rows = min(self.count(), _ROWS)
        size = QSize(_WIDTH_PX, rows * self.sizeHintForRow(0) + GRID)
        below = self._edit.mapTo(window, self._edit.cursorRect().bottomLeft()) + QPoint(0, GRID // 2)
        above = self._edit.mapTo(window, self._edit.cursorRect().topLeft()) - QPoint(0, size.height() + GRID // 2)
        at = below if below.y() + size.height() <= window.height() or above.y() < 0 else above
        at.setX(max(0, min(at.x(), window.width() - size.width())))
        self.setGeometry(at.x(), at.y(), size.width(), size.height())
        self.raise_()
