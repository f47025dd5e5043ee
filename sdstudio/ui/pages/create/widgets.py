"""The widgets of the Create page that its controllers update."""

from __future__ import annotations

from dataclasses import dataclass

from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.prompt.controller import PromptController
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.status_line import StatusLine


@dataclass(frozen=True, slots=True)
class CreateWidgets:
    """What the page consists of, and what of the window shows its work."""

    editor: PromptEditor
    prompt_controller: PromptController
    panel: ParameterPanel
    canvas: Canvas
    browser: HistoryBrowser
    model: HistoryModel
    queue: QueuePanel
    status: StatusLine
    message: MessageBar
