"""The History page as one of the window's pages, with the browser that commands mean while it is open."""

from __future__ import annotations

from collections.abc import Mapping

from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.pages.history.controller import HistoryController
from sdstudio.ui.pages.history.page import HistoryPage
from sdstudio.ui.shell import Services, Shell, WidgetPage


class HistoryShown(WidgetPage):
    """The History page."""

    def __init__(
        self,
        services: Services,
        shell: Shell,
        model: HistoryModel,
        actions: EntryActions,
        controller: HistoryController,
    ) -> None:
        page = self._page = HistoryPage(model, actions, services.history, services.tasks, shell.over)
        super().__init__(page, page.first)
        self.browser = page.browser
        controller.add_page(page)

    def state(self) -> Mapping[str, object]:
        """Return the size of its thumbnails, and whether its places are open."""
        return self._page.state()

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered, where it makes sense."""
        self._page.restore_state(state)
