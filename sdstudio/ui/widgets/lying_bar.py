"""A message that lies over what is above a widget, so that nothing moves when it comes and goes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from sdstudio.ui.theme import GRID
from sdstudio.ui.widgets.message_bar import MessageBar


class LyingBar(MessageBar):
    """A message bar over whatever is above another widget.

    Args:
        name: objectName.
        below: The widget above whose upper edge it lies, as wide as that. Both have one parent.
    """

    def __init__(self, name: str, below: QWidget) -> None:
        super().__init__(name, below.parentWidget())
        self._below = below
        below.installEventFilter(self)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Lie where it belongs."""
        super().showEvent(event)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Follow the widget below."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move) and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        """Take the height of other words."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and not self.isHidden():
            self._place()
        return done

    def _place(self) -> None:
        frame = self._below.geometry()
        height = max(self.heightForWidth(frame.width()), self.minimumSizeHint().height())
        top = max(0, frame.top() - height - GRID // 2)
        self.setGeometry(frame.left(), top, frame.width(), height)
        self.raise_()
