"""A list of cards that are as wide as the list and as high as their words need at that width."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from sdstudio.ui.theme import GRID


class CardList(QListWidget):
    """Cards are widgets; they stay where they are until they are taken out."""

    def __init__(self, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the cards' buttons take the focus
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.fit)

    def insert_card(self, at: int, card: QWidget) -> QListWidgetItem:
        """Put a card at a place."""
        holder = QWidget()  # keeps the gap below; the list's own spacing would also push cards off the left edge
        gap = QVBoxLayout(holder)
        gap.setContentsMargins(0, 0, GRID // 2, GRID)
        gap.addWidget(card)
        holder.installEventFilter(self)
        item = QListWidgetItem()
        self.insertItem(at, item)
        self.setItemWidget(item, holder)
        return item

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """A card has more text, or its words have only now got their font: it needs another height."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._soon.start()
        return super().eventFilter(watched, event)

    def fit(self) -> None:
        """Give every card the height its words need now."""
        for at in range(self.count()):
            width = self.viewport().width()
            holder = self.itemWidget(self.item(at))
            layout = holder.layout() if holder is not None else None
            if layout is not None:
                layout.activate()
                height = layout.heightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()
                self.item(at).setSizeHint(QSize(0, height))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Words wrap differently at another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()
            self.doItemsLayout()  # heights that stay the same lay nothing out: cards would lie under the scroll bar
