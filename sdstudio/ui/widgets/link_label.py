"""Words with links in them: Tab goes from link to link, the one it stands at is framed, Enter follows it.

Qt's own label takes the focus as a whole first, which nobody sees, and takes it where there is no link, too.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLabel, QWidget

_FLAG = Qt.TextInteractionFlag
_BY_TAB = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class LinkLabel(QLabel):
    """Rich text; a stop of Tab only while there is a link in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self._has_links = False

    def say(self, text: str) -> None:
        """Show a text."""
        self.setText(text)
        self._has_links = "<a " in text
        links = _FLAG.LinksAccessibleByMouse | _FLAG.LinksAccessibleByKeyboard
        self.setTextInteractionFlags(links if self._has_links else _FLAG.NoTextInteraction)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if self._has_links else Qt.FocusPolicy.NoFocus)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 (Qt's name)
        """Stand at the first link, or at the last one where Tab goes back."""
        super().focusInEvent(event)
        if self._has_links and event.reason() in _BY_TAB:
            self.focusNextPrevChild(event.reason() == Qt.FocusReason.TabFocusReason)
