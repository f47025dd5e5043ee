"""Five stars to press: the rating of a picture, pressed again to take it away."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.history.database.look import RATING_MAXIMUM
from sdstudio.ui.entries.cell import STAR
from sdstudio.ui.theme import GRID, pixmap, tokens

_SIDE_PX = 20


class Stars(QWidget):
    """Shows a rating and asks for another.

    Args:
        parent: As Qt has it.
        side_px: Of one star.
    """

    #: Another rating is wanted; carries 0 to 5.
    rated = Signal(int)

    def __init__(self, parent: QWidget | None = None, side_px: int = _SIDE_PX) -> None:
        super().__init__(parent)
        self.setObjectName("ratingStars")
        self.setAccessibleName("Rating")
        self.setToolTip("Rate it: keys 0 to 5")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._side_px = side_px
        self._stars = 0
        self._under_pointer = 0

    @property
    def stars(self) -> int:
        """The rating shown."""
        return self._stars

    def set_stars(self, stars: int) -> None:
        """Show a rating."""
        self._stars = stars
        self.setAccessibleDescription(f"{stars} of {RATING_MAXIMUM}")
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the room of five stars."""
        return QSize(RATING_MAXIMUM * (self._side_px + GRID // 2), self._side_px + GRID)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw full and empty stars; those up to the pointer are promised."""
        painter = QPainter(self)
        shown = self._under_pointer or self._stars
        for at in range(RATING_MAXIMUM):
            icon = "star-full" if at < shown else "star"
            color = (STAR if tokens().is_dark else "warning") if at < shown else "muted"
            star = pixmap(icon, color, self._side_px, self.devicePixelRatioF())
            place = QRectF(at * (self._side_px + GRID // 2), GRID // 2, self._side_px, self._side_px)
            painter.drawPixmap(place, star, QRectF(star.rect()))
        if self.hasFocus():
            painter.setPen(tokens().accent_text)
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 4, 4)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Promise the stars up to the pointer."""
        self._under_pointer = self._at(event)
        self.update()

    def leaveEvent(self, event: object) -> None:  # noqa: N802
        """Show the rating again."""
        self._under_pointer = 0
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ask for the rating pressed; the same one again asks for none."""
        stars = self._at(event)
        self._under_pointer = 0
        self.rated.emit(0 if stars == self._stars else stars)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Digits and arrows rate."""
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1, Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1}
        if event.text().isdigit() and int(event.text()) <= RATING_MAXIMUM:
            self.rated.emit(int(event.text()))
        elif event.key() in steps:
            self.rated.emit(min(max(self._stars + steps[Qt.Key(event.key())], 0), RATING_MAXIMUM))
        else:
            super().keyPressEvent(event)

    def _at(self, event: QMouseEvent) -> int:
        return min(max(int(event.position().x()) // (self._side_px + GRID // 2) + 1, 1), RATING_MAXIMUM)
