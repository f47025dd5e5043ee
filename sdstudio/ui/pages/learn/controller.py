"""Brings "Explain this picture" to the Learn page: who asks, who draws, who shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QPixmap

from sdstudio.background.explaining import Explainer, Explanation
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent
from sdstudio.core.models.model import ModelInfo
from sdstudio.history.store import Entry, History
from sdstudio.library.prompt_tokens import TokenCounter

if TYPE_CHECKING:
    from sdstudio.ui.pages.learn.page import LearnPage

FindModel = Callable[[str], ModelInfo]


class ExplainDesk(QObject):
    """Serves the Learn page once that is built; what was asked for before is shown then.

    Args:
        explainer: Draws pictures again.
        history: For the newest picture.
        find_model: Whose tokenizer reads the prompt.
        tasks: Where the prompt is read.
        parent: As Qt has it.
    """

    #: The Learn page should be seen now.
    page_wanted = Signal()

    def __init__(
        self, explainer: Explainer, history: History, find_model: FindModel, tasks: TaskRunner, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._explainer = explainer
        self._history = history
        self._find_model = find_model
        self._tasks = tasks
        self._page: LearnPage | None = None
        explainer.begun.connect(self._on_begun)
        explainer.progressed.connect(self._on_progressed)
        explainer.explained.connect(self._on_explained)
        explainer.failed.connect(self._on_failed)
        explainer.finished.connect(self._on_finished)

    def add_page(self, page: LearnPage) -> None:
        """Serve the Learn page."""
        self._page = page
        page.explain_view.newest_wanted.connect(self.explain_newest)
        page.explain_view.cancel_requested.connect(self._explainer.cancel)

    def explain(self, entries: Sequence[Entry]) -> None:
        """Explain a picture, and show the Learn page."""
        self.page_wanted.emit()
        self._explainer.explain(entries[0])

    def explain_newest(self) -> None:
        """Explain the newest picture of the history, or say that there is none."""
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
        image = explanation.pixels.convert("RGB")
        data = image.tobytes()
        shown = QImage(data, image.width, image.height, 3 * image.width, QImage.Format.Format_RGB888)
        self._page.explain_view.show_explanation(explanation, tokens, QPixmap.fromImage(shown.copy()))
