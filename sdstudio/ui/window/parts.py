"""What one window consists of: its widgets, and the controllers that connect them."""

from __future__ import annotations

from dataclasses import dataclass

from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entry_tools.exchange import Exchange
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.controller import GenerationController
from sdstudio.ui.pages.create.mask.controller import MaskController
from sdstudio.ui.pages.create.mask.staging import Staging
from sdstudio.ui.pages.create.models.controller import ModelController
from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.paste import PasteController
from sdstudio.ui.pages.create.prompt.controller import PromptController
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.pages.create.queue_controller import QueueController
from sdstudio.ui.pages.create.use_parameters import ParametersController
from sdstudio.ui.pages.history.controller import HistoryController
from sdstudio.ui.pages.learn.controller import ExplainController
from sdstudio.ui.pages.library.controller import LibraryController
from sdstudio.ui.pages.library.get.controller import DownloadController
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.status_line import StatusLine
from sdstudio.ui.window.conversion_notice import ConversionNotice
from sdstudio.ui.window.loupe import LoupeController
from sdstudio.ui.window.pages import Pages
from sdstudio.ui.window.settings_controller import SettingsController
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
    conversion_notice: ConversionNotice
    pages: Pages
    create_page: CreatePage
    canvas: Canvas
    editor: PromptEditor
    panel: ParameterPanel
    queue_panel: QueuePanel
    history_model: HistoryModel
    browser: HistoryBrowser
    prompt_controller: PromptController
    generation: GenerationController
    queue_controller: QueueController
    mask_controller: MaskController
    staging: Staging
    parameters_controller: ParametersController
    paste_controller: PasteController
    model_controller: ModelController
    exchange: Exchange
    history_controller: HistoryController
    library_controller: LibraryController
    download_controller: DownloadController
    explain_controller: ExplainController
    loupe_controller: LoupeController
    settings_controller: SettingsController
