"""The Library page as one of the window's pages, with the downloads and the windows to merge and convert behind it."""

from __future__ import annotations

from sdstudio.ui.pages.library.controller import LibraryController
from sdstudio.ui.pages.library.get.controller import DownloadController
from sdstudio.ui.pages.library.model_works.controller import ModelWorksController
from sdstudio.ui.pages.library.page import ModelManager
from sdstudio.ui.shell import Services, Shell, WidgetPage


def build_library(
    services: Services, shell: Shell, controller: LibraryController, downloads: DownloadController
) -> WidgetPage:
    """Build the page, and let its controllers serve it."""
    page = ModelManager(services.paths.models, shell.over)
    controller.add_page(page)
    works = ModelWorksController(services, shell, page)
    shell.models_read.connect(works.show_models)
    downloads.add_page(page)
    return _LibraryShown(page, controller)


class _LibraryShown(WidgetPage):
    def __init__(self, page: ModelManager, controller: LibraryController) -> None:
        super().__init__(page, page.first)
        self._controller = controller

    def opened(self) -> None:
        """Read again what has changed while it was not seen."""
        self._controller.page_opened()
