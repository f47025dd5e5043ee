"""Brings "Explain this picture" to the Learn page: who asks, who draws, who shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QPixmap

from sdstudio.background.explaining import Explainer, Explanation
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent
from sdstudio.history.store import Entry
from sdstudio.library.prompt_tokens import TokenCounter
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.images import as_qimage

if TYPE_CHECKING:
    from sdstudio.ui.pages.learn.page import LearnPage


class ExplainController(QObject):
    """Serves the Learn page once that is built; what was asked for before is shown then.

    Args:
        services: Draws pictures again; the newest picture, and the model whose tokenizer reads the prompt.
        shell: What is around the page.
        actions: One of them explains a picture.
    """

    def __init__(self, services: Services, shell: Shell, actions: EntryActions) -> None:
        super().__init__(shell.over)
        self._explainer = explainer = Explainer(services.controller.worker, shell.over)
        self._history = services.history
        self._find_model = services.library.find
        self._tasks = services.tasks
        self._shell = shell
        self._page: LearnPage | None = None
        explainer.begun.connect(self._on_begun)
        explainer.progressed.connect(self._on_progressed)
        explainer.explained.connect(self._on_explained)
        explainer.failed.connect(self._on_failed)
        explainer.finished.connect(self._on_finished)
        actions.handle("explain", lambda entries: self.explain([shell.recall(entries[0])]))

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"learn": lambda: self._shell.page_wanted.emit("Learn")}

    def add_page(self, page: LearnPage) -> None:
        """Serve the Learn page."""
        self._page = page
        page.explain_view.newest_wanted.connect(self.explain_newest)
        page.explain_view.cancel_requested.connect(self._explainer.cancel)

    def explain(self, entries: Sequence[Entry]) -> None:
        """Explain a picture, and show the Learn page."""
        self._shell.page_wanted.emit("Learn")
        self._explainer.explain(entries[0])

    def explain_newest(self) -> None:
        """Explain the newest picture of the history, or show that there is none."""
        try:
            newest = self._history.entries(limit=1)
        except StudioError as error:
            self._on_failed(error)
            return
        if newest:
            self._explainer.explain(newest[0])
        else:
            self._on_failed(StudioError("There is no picture yet.", "Draw one on the Create page."))

    def _on_begun(self, entry: Entry) -> None:
        if self._page is not None:
            self._page.explain_view.begin(entry.recipe.request.prompt)
            self._page.show_explanation()

    def _on_progressed(self, event: EngineEvent) -> None:
        if self._page is not None:
            self._page.explain_view.show_progress(event)

    def _on_failed(self, error: StudioError) -> None:
        if self._page is not None:
            self._page.explain_view.show_error(error)

    def _on_finished(self) -> None:
        if self._page is not None and not self._explainer.is_busy:
            self._page.explain_view.settle()

    def _on_explained(self, explanation: Explanation) -> None:
        request = explanation.entry.recipe.request

        def read(_task: object) -> list[str]:
            try:
                counter = TokenCounter.of(self._find_model(request.model))
            except StudioError:
                counter = None
            if counter is None:
                return []
            return counter.tokens(request.prompt, request.prompt_syntax, request.compatibility)

        self._tasks.run("Reading the prompt", read, lambda tokens: self._show(explanation, tokens))

    def _show(self, explanation: Explanation, tokens: list[str]) -> None:
        if self._page is None:
            return
        picture = QPixmap.fromImage(as_qimage(explanation.pixels))
        self._page.explain_view.show_explanation(explanation, tokens, picture)
