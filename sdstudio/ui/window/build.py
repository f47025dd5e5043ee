"""Every widget and controller of the window, built once: the bare window is on the screen before this is imported."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu

from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.settings import Settings
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entry_tools.exchange import Exchange
from sdstudio.ui.entry_tools.upscale import UpscaleDesk
from sdstudio.ui.entry_tools.verify_and_grid import Provenance
from sdstudio.ui.pages.create.build import Create, build_create
from sdstudio.ui.pages.history.controller import HistoryDesk
from sdstudio.ui.pages.learn.controller import ExplainDesk
from sdstudio.ui.pages.library.controller import LibraryDesk
from sdstudio.ui.pages.library.get.controller import Getting
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.theme import set_icon
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.window import page_rows
from sdstudio.ui.window.announcing import Desktop, play_done
from sdstudio.ui.window.closing import Closing
from sdstudio.ui.window.commands import Commands
from sdstudio.ui.window.end_of_work import EndOfWork
from sdstudio.ui.window.file_drops import FileDrops
from sdstudio.ui.window.loupe import LoupeDesk, Shown
from sdstudio.ui.window.main_window import MainWindow
from sdstudio.ui.window.menus import build_menus
from sdstudio.ui.window.mnemonics import give_mnemonics
from sdstudio.ui.window.output_notice import OutputNotice
from sdstudio.ui.window.page_rows import PageSpec
from sdstudio.ui.window.pages import Pages
from sdstudio.ui.window.parts import Parts
from sdstudio.ui.window.settings_controller import SettingsDesk
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
        What the pages share, for whoever else has something to say in the window.

    Raises:
        ValueError: Nobody does what an action on pictures or a command says.
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
    shell.said.connect(message.say)
    create = build_create(services, shell, actions, message)
    window.when_shown(create.last_picture.bring)
    widgets = create.widgets
    canvas, model, browser = widgets.canvas, widgets.model, widgets.browser
    history_desk = HistoryDesk(services, shell, model, canvas, actions)
    history_desk.add_browser(browser)
    exchange = _exchange(services, shell, create, actions)
    _ask_of_pictures(services, shell, create, actions)
    _tell_of_the_end(services, shell, window)
    pages = Pages(browser, window)
    shell.page_wanted.connect(pages.open)
    _lay_over(message, pages, window)
    settings_desk = SettingsDesk(shell)
    worker = services.controller.worker
    OutputNotice(services.history, worker, message, shell, lambda: settings_desk.open().show_group("Files"))
    library_desk, getting = LibraryDesk(services, shell), Getting(services, shell)
    create.model_desk.download_wanted.connect(getting.open)
    shown = Shown(pages, canvas, browser, model)
    return Parts(
        services=services,
        shell=shell,
        actions=actions,
        message=message,
        top_bar=TopBar(specs, window),
        status_line=widgets.status,
        pages=pages,
        create_page=create.page,
        canvas=canvas,
        editor=widgets.editor,
        panel=widgets.panel,
        queue_panel=widgets.queue,
        history_model=model,
        browser=browser,
        desk=widgets.desk,
        conductor=create.conductor,
        queue_desk=create.queue_desk,
        parameters_desk=create.parameters_desk,
        paste_desk=create.paste_desk,
        model_desk=create.model_desk,
        exchange=exchange,
        history_desk=history_desk,
        library_desk=library_desk,
        getting=getting,
        explain_desk=ExplainDesk(services, shell, actions),
        loupe_desk=LoupeDesk(shown, actions, history_desk, services.history, services.tasks),
        settings_desk=settings_desk,
    )


def _exchange(services: Services, shell: Shell, create: Create, actions: EntryActions) -> Exchange:
    """Build what imports, exports and copies; what is dropped or pasted becomes the input picture or the parameters."""
    widgets, parameters_desk = create.widgets, create.parameters_desk
    exchange = Exchange(services, shell, widgets.message, widgets.status, actions)
    exchange.input_wanted.connect(create.input_desk.use_file)
    exchange.use_requested.connect(parameters_desk.use_reading)
    create.paste_desk.use = lambda reading, name: parameters_desk.use_pasted(exchange.recalled_reading(reading), name)
    widgets.model.mime_of = widgets.canvas.mime_of = exchange.mime_of
    exchange.history_changed.connect(widgets.model.reload)
    return exchange


def _ask_of_pictures(services: Services, shell: Shell, create: Create, actions: EntryActions) -> None:
    """Build what makes pictures larger, makes them again to compare, and lays them out as a grid."""
    status, desk = create.widgets.status, create.widgets.desk
    upscale_desk = UpscaleDesk(services, shell, InputPictures(services.paths), actions)
    upscale_desk.told.connect(status.rest)
    desk.stopped.connect(upscale_desk.stop)
    provenance = Provenance(services, shell, actions)
    provenance.entry_wanted.connect(create.widgets.canvas.show_entry)
    provenance.progressed.connect(status.show_progress)
    provenance.rested.connect(status.rest)
    provenance.title_changed.connect(create.conductor.title_changed)


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
