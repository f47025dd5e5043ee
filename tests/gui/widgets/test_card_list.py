"""Lists of cards: whatever the width becomes, no card lies under the scroll bar."""

from __future__ import annotations

from typing import Any

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from sdstudio.ui.widgets.card_list import CardList


def test_cards_stay_beside_the_scroll_bar(qtbot: Any) -> None:
    cards = CardList("cards", "Cards")
    qtbot.addWidget(cards)
    cards.resize(300, 200)
    cards.show()
    made = [QLabel("A card with words that wrap in a narrow list") for _ in range(12)]
    for at, card in enumerate(made):
        card.setWordWrap(True)
        cards.insert_card(at, card)
    cards.fit()
    for width in (300, 287, 420, 260):
        cards.resize(width, 200)
        QTest.qWait(50)
        assert cards.verticalScrollBar().isVisible()
        rights = {card.mapTo(cards.viewport(), card.rect().topRight()).x() for card in made}
        assert max(rights) < cards.viewport().width(), width
        assert max(rights) > cards.viewport().width() - 16, width
