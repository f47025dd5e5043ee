"""The Create page as one of the window's pages: its floating docks come and go with it."""

from __future__ import annotations

from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.shell import WidgetPage


class CreateShown(WidgetPage):
    """The Create page."""

    def __init__(self, page: CreatePage) -> None:
        super().__init__(page, page.first)
        self._page = page

    def opened(self) -> None:
        """Show the docks that float."""
        self._show_floating(True)

    def left(self) -> None:
        """Hide the docks that float: they would stay over the other pages."""
        self._show_floating(False)

    def _show_floating(self, visible: bool) -> None:
        for dock in self._page.docks:
            if dock.isFloating():
                dock.setVisible(visible)
