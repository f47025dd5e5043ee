"""What one window consists of: its widgets, and the controllers that connect them."""

from __future__ import annotations

from dataclasses import dataclass

from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entry_tools.exchange import Exchange
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.controller import Conductor
from sdstudio.ui.pages.create.models.controller import ModelDesk
from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.paste import PasteDesk
from sdstudio.ui.pages.create.prompt.controller import PromptDesk
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.pages.create.queue_controller import QueueDesk
from sdstudio.ui.pages.create.use_parameters import ParametersDesk
from sdstudio.ui.pages.history.controller import HistoryDesk
from sdstudio.ui.pages.learn.controller import ExplainDesk
from sdstudio.ui.pages.library.controller import LibraryDesk
from sdstudio.ui.pages.library.get.controller import Getting
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.status_line import StatusLine
from sdstudio.ui.window.loupe import LoupeDesk
from sdstudio.ui.window.pages import Pages
from sdstudio.ui.window.settings_controller import SettingsDesk
from sdstudio.ui.window.top_bar import TopBar


@dataclass(frozen=True, slots=True)
class Parts:
    """All of it."""

    services: Services
    shell: Shell
    actions: EntryActions
    message: MessageBar
    top_bar: TopBar
    status_line: StatusLine
    pages: Pages
    create_page: CreatePage
    canvas: Canvas
    editor: PromptEditor
    panel: ParameterPanel
    queue_panel: QueuePanel
    history_model: HistoryModel
    browser: HistoryBrowser
    desk: PromptDesk
    conductor: Conductor
    queue_desk: QueueDesk
    parameters_desk: ParametersDesk
    paste_desk: PasteDesk
    model_desk: ModelDesk
    exchange: Exchange
    history_desk: HistoryDesk
    library_desk: LibraryDesk
    getting: Getting
    explain_desk: ExplainDesk
    loupe_desk: LoupeDesk
    settings_desk: SettingsDesk
