"""Where one paints, in the place of the canvas: the input picture, the mask over it, and the tools."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from sdstudio.core.settings import Settings
from sdstudio.ui.pages.create.mask.brush import Hand
from sdstudio.ui.pages.create.mask.ground_layer import GroundLayer, GroundView
from sdstudio.ui.pages.create.mask.layer import MaskLayer
from sdstudio.ui.pages.create.mask.rows import COLOURS
from sdstudio.ui.pages.create.mask.tool_bar import MaskToolBar
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.picture_view import MARGIN_PX

HIDDEN: Final = "The mask is hidden, and acts all the same. H shows it."
_LEAST_PX: Final = GRID * 12
_LOW_PX: Final = 240
"""On a picture lower than this, a note would cover too much of it."""


class MaskPage(QWidget):
    """The picture with the layer over it, and the tool bar below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maskPage")
        self.setAccessibleName("Canvas, painting a mask")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.hand = Hand(self)
        self.view = GroundView(self)
        self.view.setAccessibleName("Picture under the mask")
        self.view.setMinimumSize(160, GRID)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.layer = MaskLayer(self.view, self.hand)
        self.ground = GroundLayer(self.view)
        self.bar = MaskToolBar(self.hand, self)
        self.bar.typed.connect(lambda: self.layer.setFocus(Qt.FocusReason.OtherFocusReason))
        self.bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.layer)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addWidget(self.view, 1)
        column.addWidget(self.bar)
        self._words = self._note = ""
        self._said = _pill(self, "maskSaid")
        self._zoom = _pill(self, "maskZoom")
        self.view.zoom_changed.connect(self._on_zoom_changed)
        self.view.installEventFilter(self)
        self.setMinimumHeight(_LEAST_PX)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As small as the canvas may be."""
        return QSize(160, _LEAST_PX)

    def show_look(self, settings: Settings) -> None:
        """Show the mask in the colour that the settings say, and let a pen's pressure be what they say."""
        self.hand.pressure = settings.pen_pressure
        self.layer.set_colour(QColor(COLOURS[settings.mask_colour]), settings.mask_opacity / 100)

    def set_hidden(self, is_hidden: bool) -> None:
        """Show the picture without the mask, and say so; or with it."""
        self.layer.set_hidden(is_hidden)
        self.bar.show_hidden(is_hidden)
        self.tell(self._words)

    def tell(self, words: str) -> None:
        """Say how far work is at the top of the picture; "" when it has ended."""
        self._words = words
        self._show_words()

    def note(self, words: str) -> None:
        """Say something about the picture that is painted on, while there is nothing else to say; "" for nothing."""
        self._note = words
        self._show_words()

    def _show_words(self) -> None:
        note = self._note if self.view.height() >= _LOW_PX else ""
        words = self._words or (HIDDEN if self.layer.is_hidden else note)
        self._said.setText(words)
        self._said.setVisible(bool(words))
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Keep what is said in its corner."""
        if event.type() == QEvent.Type.Resize:
            self._show_words()
        return False

    def _on_zoom_changed(self, zoom: float) -> None:
        self._zoom.setText(f"{zoom:.0%}")
        self._zoom.setVisible(not self.view.is_fitted)
        self._place()

    def _place(self) -> None:
        area = self.view.geometry()
        room = area.width() - 2 * GRID
        for pill in (self._said, self._zoom):
            pill.setWordWrap(False)
            pill.adjustSize()
            if pill.width() > room:
                pill.setWordWrap(True)
                pill.resize(room, pill.heightForWidth(room))
            pill.raise_()
        # below the grip of the picture's upper edge
        self._said.move(area.center().x() - self._said.width() // 2, area.top() + MARGIN_PX + GRID)
        corner = QPoint(self._zoom.width() + GRID, self._zoom.height() + GRID)
        self._zoom.move(area.bottomRight() - corner)


def _pill(parent: QWidget, name: str) -> QLabel:
    pill = QLabel(parent)
    pill.setObjectName(name)
    pill.setTextFormat(Qt.TextFormat.PlainText)
    pill.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    mark(pill, "role", "pill")
    pill.hide()
    return pill
