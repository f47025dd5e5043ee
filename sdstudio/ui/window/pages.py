"""Which pages there are, and that each is built only when it is opened for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.window.top_bar import PAGES

if TYPE_CHECKING:
    from sdstudio.ui.pages.history.page import HistoryPage
    from sdstudio.ui.pages.library.page import ModelManager


class Pages(QStackedWidget):
    """The pages, one over the other.

    Args:
        create: The Create page, always there.
        browser: The browser in its dock.
        model: What all browsers show.
        actions: Where wishes about pictures go.
        history: What the History page filters by and shows of a picture.
        tasks: Where that is read.
        models_folder: Shown on the Library page.
        parent: As Qt has it.
    """

    #: Another page is open; carries its name.
    opened = Signal(str)
    #: The History page was built; carries it.
    history_added = Signal(object)
    #: The Learn page was built; carries it.
    learn_added = Signal(object)
    #: The Library page was built; carries it.
    library_added = Signal(object)

    def __init__(
        self,
        create: CreatePage,
        browser: HistoryBrowser,
        model: HistoryModel,
        actions: EntryActions,
        history: History,
        tasks: TaskRunner,
        models_folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.create_page = create
        self.library: ModelManager | None = None
        self._dock_browser = browser
        self._page_browser: HistoryBrowser | None = None
        self._model = model
        self._actions = actions
        self._history = history
        self._tasks = tasks
        self._models_folder = models_folder
        self._history_page: HistoryPage | None = None
        self._history_state: Mapping[str, object] = {}
        self._built: dict[str, QWidget] = {"Create": create}
        self.addWidget(create)

    @property
    def name(self) -> str:
        """The name of the open page."""
        return next(name for name, widget in self._built.items() if widget is self.currentWidget())

    @property
    def browser(self) -> HistoryBrowser:
        """The browser that is seen, or would be on the Create page."""
        if self.name == "History" and self._page_browser is not None:
            return self._page_browser
        return self._dock_browser

    def open(self, name: str) -> None:
        """Open a page; a name that no page has is not opened."""
        if name not in {known for known, _icon, _about in PAGES}:
            return
        if name not in self._built:
            self._built[name] = self._build(name)
            self.addWidget(self._built[name])
        self.setCurrentWidget(self._built[name])
        first = getattr(self._built[name], "first", self._built[name])
        first.setFocus(Qt.FocusReason.OtherFocusReason)  # or it would fall to the model's list of choices
        for dock in self.create_page.docks:  # a floating dock is a window of its own and would stay
            if dock.isFloating():
                dock.setVisible(name == "Create")
        self.opened.emit(name)

    def state(self) -> Mapping[str, object]:
        """Return what is to be remembered of the History page for the next start."""
        return self._history_page.state() if self._history_page is not None else self._history_state

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered, for when the page is built."""
        self._history_state = state

    def _build(self, name: str) -> QWidget:
        if name == "History":
            from sdstudio.ui.pages.history.page import HistoryPage as Built  # noqa: PLC0415 (not needed to show the window)

            page = Built(self._model, self._actions, self._history, self._tasks, self)
            self._page_browser = page.browser
            page.restore_state(self._history_state)
            self._history_page = page
            self.history_added.emit(page)
            return page
        if name == "Library":
            from sdstudio.ui.pages.library.page import ModelManager  # noqa: PLC0415 (as above)

            self.library = ModelManager(self._models_folder, self)
            self.library_added.emit(self.library)
            return self.library
        from sdstudio.ui.pages.learn.page import LearnPage  # noqa: PLC0415 (as above)

        learn = LearnPage(self)
        self.learn_added.emit(learn)
        return learn
