"""Every widget and controller of the window, built once: the bare window is on the screen before this is imported."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu

from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.settings import Settings
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entry_tools.detail import DetailController
from sdstudio.ui.entry_tools.exchange import Exchange
from sdstudio.ui.entry_tools.upscale import UpscaleController
from sdstudio.ui.entry_tools.verify_and_grid import VerifyAndGrid
from sdstudio.ui.pages.create.build import Create, build_create
from sdstudio.ui.pages.history.controller import HistoryController
from sdstudio.ui.pages.learn.controller import ExplainController
from sdstudio.ui.pages.library.controller import LibraryController
from sdstudio.ui.pages.library.get.controller import DownloadController
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.theme import set_icon
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.window import page_rows
from sdstudio.ui.window.announcing import Desktop, play_done
from sdstudio.ui.window.closing import Closing
from sdstudio.ui.window.commands import Commands
from sdstudio.ui.window.conversion_notice import ConversionNotice
from sdstudio.ui.window.end_of_work import EndOfWork
from sdstudio.ui.window.file_drops import FileDrops
from sdstudio.ui.window.loupe import LoupeController, Shown
from sdstudio.ui.window.main_window import MainWindow
from sdstudio.ui.window.menus import build_menus
from sdstudio.ui.window.mnemonics import give_mnemonics
from sdstudio.ui.window.output_notice import OutputNotice
from sdstudio.ui.window.page_rows import PageSpec
from sdstudio.ui.window.pages import Pages
from sdstudio.ui.window.parts import Parts
from sdstudio.ui.window.settings_controller import SettingsController
from sdstudio.ui.window.top_bar import TopBar
from sdstudio.ui.window.wiring import Wiring

_WIDEST_MESSAGE_PX: Final = 560
_DOCK_PX: Final = 300
"""Docks are about so wide: a message of the window leaves their buttons and fields free."""


def build_window(window: MainWindow, services: Services, settings: Settings) -> Shell:
    """Put everything into the bare window.

    Args:
        window: The bare window.
        services: What it works with.
        settings: As they were loaded.

    Returns:
        What the pages share, for others that show messages in the window.

    Raises:
        ValueError: An action on pictures or a command is handled by nobody.
    """
    shell, specs = Shell(window, settings), page_rows.PAGES
    parts = _build_parts(window, services, shell, specs)
    parts.actions.check_handled()
    commands = Commands(window, parts)
    menu_actions = build_menus(window, commands.by_key())
    _complete_view_menu(window, parts, specs, menu_actions)
    give_mnemonics(window.menuBar())
    parts.pages.serve({spec.key: partial(spec.build, parts) for spec in specs})
    window.take(parts, commands, Closing(parts, window), {spec.key: spec.memory_name for spec in specs})
    wiring = Wiring(parts, commands)
    commands.serve(menu_actions)
    shell.models_read.emit(services.library.models())
    window.restore_state()
    wiring.begin()
    return shell


def _build_parts(window: MainWindow, services: Services, shell: Shell, specs: tuple[PageSpec, ...]) -> Parts:
    actions = EntryActions(window)
    message = MessageBar("windowMessage", window)
    shell.message_wanted.connect(message.say)
    create = build_create(services, shell, actions, message)
    window.when_shown(create.last_picture.bring)
    widgets = create.widgets
    canvas, model, browser = widgets.canvas, widgets.model, widgets.browser
    history_controller = HistoryController(services, shell, model, canvas, actions)
    history_controller.add_browser(browser)
    exchange = _exchange(services, shell, create, actions)
    _tell_of_the_end(services, shell, window)
    pages = Pages(browser, window)
    shell.page_wanted.connect(pages.open)
    pages.opened.connect(lambda _name: exchange.take_back())
    _lay_over(message, pages, window)
    settings_controller = SettingsController(shell)
    worker = services.controller.worker
    OutputNotice(services.history, worker, message, shell, lambda: settings_controller.open().show_group("Files"))
    conversion_notice = ConversionNotice(services, shell)
    library_controller, download_controller = LibraryController(services, shell), DownloadController(services, shell)
    create.model_controller.download_wanted.connect(download_controller.open)
    _ask_of_pictures(services, shell, create, actions, download_controller)
    shown = Shown(pages, canvas, browser, model)
    return Parts(
        services=services,
        shell=shell,
        actions=actions,
        message=message,
        top_bar=TopBar(specs, window),
        status_line=widgets.status,
        conversion_notice=conversion_notice,
        pages=pages,
        create_page=create.page,
        canvas=canvas,
        editor=widgets.editor,
        panel=widgets.panel,
        queue_panel=widgets.queue,
        history_model=model,
        browser=browser,
        prompt_controller=widgets.prompt_controller,
        generation=create.generation,
        queue_controller=create.queue_controller,
        mask_controller=create.mask_controller,
        staging=create.staging,
        parameters_controller=create.parameters_controller,
        paste_controller=create.paste_controller,
        model_controller=create.model_controller,
        exchange=exchange,
        history_controller=history_controller,
        library_controller=library_controller,
        download_controller=download_controller,
        explain_controller=ExplainController(services, shell, actions),
        loupe_controller=LoupeController(shown, actions, history_controller, services.history, services.tasks),
        settings_controller=settings_controller,
    )


def _exchange(services: Services, shell: Shell, create: Create, actions: EntryActions) -> Exchange:
    """Build what imports, exports and copies; what is dropped or pasted becomes the input picture or the parameters."""
    widgets, parameters_controller = create.widgets, create.parameters_controller
    exchange = Exchange(services, shell, widgets.message, widgets.status, actions)
    exchange.input_wanted.connect(create.input_controller.use_file)
    exchange.use_requested.connect(parameters_controller.use_reading)
    create.paste_controller.use = lambda reading, name: parameters_controller.use_pasted(
        exchange.recalled_reading(reading), name
    )
    widgets.model.mime_of = widgets.canvas.mime_of = exchange.mime_of
    exchange.history_changed.connect(widgets.model.reload)
    return exchange


def _ask_of_pictures(
    services: Services, shell: Shell, create: Create, actions: EntryActions, download_controller: DownloadController
) -> None:
    """Build what makes pictures larger or redraws regions, makes them again to compare, and lays them out as a grid."""
    status, prompts = create.widgets.status, create.widgets.prompt_controller
    upscale_controller = UpscaleController(services, shell, InputPictures(services.paths), actions)
    upscale_controller.status_changed.connect(status.rest)
    prompts.stopped.connect(upscale_controller.stop)
    detail_controller = DetailController(services, shell, InputPictures(services.paths), actions)
    detail_controller.status_changed.connect(status.rest)
    detail_controller.download_wanted.connect(download_controller.open)
    prompts.stopped.connect(detail_controller.stop)
    verify_and_grid = VerifyAndGrid(services, shell, actions)
    verify_and_grid.entry_wanted.connect(create.widgets.canvas.show_entry)
    verify_and_grid.progressed.connect(status.show_progress)
    verify_and_grid.rested.connect(status.rest)
    verify_and_grid.title_changed.connect(create.generation.title_changed)


def _tell_of_the_end(services: Services, shell: Shell, window: MainWindow) -> None:
    end = EndOfWork(
        services.controller, lambda: shell.settings, lambda: QApplication.activeWindow() is not None, Desktop(window),
        play_done, window,
    )  # fmt: skip
    window.left.connect(end.tell_now)


def _lay_over(message: MessageBar, pages: Pages, window: MainWindow) -> None:
    """Let messages lie over the pages, and fields leave dropped files to what lies behind."""
    file_drops = FileDrops(window)
    window.when_shown(lambda: file_drops.teach(window))
    over = LiesOver(message, pages, "top", _WIDEST_MESSAGE_PX, margin=_DOCK_PX)

    def make_way(name: str) -> None:
        has_docks = name == "Create"  # other pages have their buttons at the top
        over.lie_at("top" if has_docks else "bottom", _DOCK_PX if has_docks else 0)

    pages.opened.connect(make_way)


def _complete_view_menu(
    window: MainWindow, parts: Parts, specs: tuple[PageSpec, ...], actions: dict[str, QAction]
) -> None:
    """Add what the table of commands cannot know: the pages, and the docks' own actions."""
    menu = window.menuBar().findChild(QMenu, "menuView")
    assert isinstance(menu, QMenu)
    pages = QMenu("&Page", menu)
    for at, spec in enumerate(specs):
        action = pages.addAction(spec.title)
        action.triggered.connect(lambda _checked=False, key=spec.key: parts.pages.open(key))
        action.setShortcut(QKeySequence(f"Alt+{at + 1}"))
        set_icon(action, spec.icon)
        window.addAction(action)
    menu.insertMenu(menu.actions()[0], pages)
    for dock in parts.create_page.docks:
        menu.insertAction(actions["reset_layout"], dock.toggleViewAction())
