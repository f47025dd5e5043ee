"""Every widget of the window, built once. A room of its own: the bare window is on the screen before it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QApplication

from sdstudio.background.controller import JobController
from sdstudio.background.explaining import Explainer
from sdstudio.background.model_works import Workshop
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.presets import PresetBook
from sdstudio.history.store import History
from sdstudio.library.library import Library
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.entry_tools.exchange import Exchange
from sdstudio.ui.entry_tools.upscale import UpscaleDesk
from sdstudio.ui.entry_tools.verify_and_grid import Provenance
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.advice import Adviser
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.controller import Conductor
from sdstudio.ui.pages.create.generate_forever import Forever
from sdstudio.ui.pages.create.input_pictures import InputDesk
from sdstudio.ui.pages.create.last_picture import LastPicture
from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.pages.create.panel_head import PanelHead
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.paste import PasteDesk
from sdstudio.ui.pages.create.presets.controller import PresetController
from sdstudio.ui.pages.create.presets.keeper import PresetKeeper
from sdstudio.ui.pages.create.prompt.controller import PromptDesk
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.pages.create.queue_controller import QueueDesk
from sdstudio.ui.pages.create.use_parameters import ParametersDesk
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.pages.history.controller import HistoryDesk
from sdstudio.ui.pages.learn.controller import ExplainDesk
from sdstudio.ui.undo import Undos
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.status_line import StatusLine
from sdstudio.ui.window.announcing import Desktop, play_done
from sdstudio.ui.window.commands import Commands
from sdstudio.ui.window.end_of_work import EndOfWork
from sdstudio.ui.window.file_drops import FileDrops
from sdstudio.ui.window.loupe import LoupeDesk, Shown
from sdstudio.ui.window.output_notice import OutputNotice
from sdstudio.ui.window.pages import Pages
from sdstudio.ui.window.top_bar import TopBar

if TYPE_CHECKING:
    from sdstudio.ui.window.main_window import MainWindow

_WIDEST_MESSAGE_PX: Final = 560
_DOCK_PX: Final = 300
"""Docks are about so wide: a message of the window leaves their buttons and fields free."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the window works with, built by ``app``."""

    paths: StudioPaths
    library: Library
    history: History
    controller: JobController
    tasks: TaskRunner
    workshop: Workshop


@dataclass(frozen=True, slots=True)
class Furniture:
    """The widgets of one window, and who connects them."""

    actions_on_entries: EntryActions
    message: MessageBar
    top_bar: TopBar
    canvas: Canvas
    editor: PromptEditor
    desk: PromptDesk
    status_line: StatusLine
    panel: ParameterPanel
    queue_panel: QueuePanel
    history_model: HistoryModel
    browser: HistoryBrowser
    create_page: CreatePage
    pages: Pages
    conductor: Conductor
    history_desk: HistoryDesk
    loupe_desk: LoupeDesk
    commands: Commands
    exchange: Exchange
    parameters_desk: ParametersDesk
    paste_desk: PasteDesk

    @classmethod
    def made(cls, rooms: Rooms, window: MainWindow) -> Furniture:
        """Build everything for a window; nothing is laid out yet."""
        actions = EntryActions(window)
        message = MessageBar("windowMessage", window)
        canvas = Canvas(actions, rooms.tasks, window)
        editor = PromptEditor(window)
        status_line = StatusLine(editor.cancel_button, window)
        panel = ParameterPanel(window)
        queue_panel = QueuePanel(rooms.controller, window)
        model = HistoryModel(rooms.history, Thumbnails(rooms.history, rooms.tasks, window), rooms.tasks, window)
        browser = HistoryBrowser(model, actions, parent=window)
        panel_head = PanelHead(panel)
        create_page = CreatePage(canvas, editor, panel_head, browser, queue_panel)
        desk = PromptDesk(editor, rooms.paths, rooms.library, rooms.history, rooms.tasks, window)
        history_desk = HistoryDesk(rooms.history, model, canvas, message, rooms.tasks, window)
        history_desk.add_browser(browser)
        players = CreateWidgets(editor, desk, panel, canvas, browser, model, queue_panel, status_line, message)
        conductor = Conductor(players, actions, rooms.controller, rooms.history, window)
        conductor.grant(history_desk.wishes)
        queue_panel.undos = history_desk.undos
        _show_last_picture(rooms, players, conductor, window)
        _generate_forever(players, conductor, rooms.controller, window)
        acts = _change_parameters(rooms, players, panel_head, history_desk.undos, window)
        QueueDesk(players, conductor, rooms.controller, rooms.history, acts, window)
        parameters_desk = _use_parameters(players, conductor, acts, window)
        input_desk = _begin_from_pictures(rooms, players, conductor, history_desk.undos, window)
        exchange = Exchange(rooms.library, rooms.history, rooms.tasks, message, status_line, window)
        paste_desk = PasteDesk(create_page, editor, rooms.tasks, window)
        _take_from_elsewhere(exchange, paste_desk, input_desk, parameters_desk)
        desk.stopped.connect(paste_desk.stop)
        model.mime_of = canvas.mime_of = exchange.mime_of
        _verify(rooms, players, conductor, window)
        _tell_of_the_end(rooms.controller, window)
        OutputNotice(rooms.history, rooms.controller.worker, message, window)
        pages = Pages(create_page, browser, model, actions, rooms.history, rooms.tasks, rooms.paths.models, window)
        _lay_over(message, pages, window)
        _explain(rooms, conductor, pages, window)
        loupe_desk = LoupeDesk(Shown(pages, canvas, browser, model), actions, history_desk, rooms.history, rooms.tasks)
        conductor.grant({"look": loupe_desk.look})
        return cls(
            actions_on_entries=actions,
            message=message,
            top_bar=TopBar(window),
            canvas=canvas,
            editor=editor,
            desk=desk,
            status_line=status_line,
            panel=panel,
            queue_panel=queue_panel,
            history_model=model,
            browser=browser,
            create_page=create_page,
            pages=pages,
            conductor=conductor,
            history_desk=history_desk,
            loupe_desk=loupe_desk,
            commands=Commands(window, rooms.paths, rooms.history),
            exchange=exchange,
            parameters_desk=parameters_desk,
            paste_desk=paste_desk,
        )


def _generate_forever(
    players: CreateWidgets, conductor: Conductor, controller: JobController, window: MainWindow
) -> None:
    editor, panel = players.editor, players.panel

    def written() -> object:
        state = panel.state()
        return None if panel.value("seed") is None else (state["model"], state["values"], editor.state())

    bar = MessageBar("foreverMessage", editor)
    editor.add_note(bar)

    def free_seed() -> None:
        panel.field("seed").set_value(None)

    Forever(editor.forever_button, controller, conductor.generate, written, editor.show_message, bar, free_seed, window)


def _lay_over(message: MessageBar, pages: Pages, window: MainWindow) -> None:
    """Let messages lie over the pages, and fields leave dropped files to what lies behind."""
    file_drops = FileDrops(window)
    window.when_shown(lambda: file_drops.teach(window))
    over = LiesOver(message, pages, "top", _WIDEST_MESSAGE_PX, margin=_DOCK_PX)

    def make_way(name: str) -> None:
        has_docks = name == "Create"  # other pages have their buttons at the top
        over.lie_at("top" if has_docks else "bottom", _DOCK_PX if has_docks else 0)

    pages.opened.connect(make_way)


def _explain(rooms: Rooms, conductor: Conductor, pages: Pages, window: MainWindow) -> None:
    """Build who explains a picture on the Learn page."""
    explainer = Explainer(rooms.controller.worker, window)
    desk = ExplainDesk(explainer, rooms.history, rooms.library.find, rooms.tasks, window)
    conductor.grant({"explain": lambda entries: desk.explain([conductor.recall(entries[0])])})
    pages.learn_added.connect(desk.add_page)
    desk.page_wanted.connect(lambda: pages.open("Learn"))


def _show_last_picture(rooms: Rooms, players: CreateWidgets, conductor: Conductor, window: MainWindow) -> None:
    """Show the last picture on the canvas at the start."""
    last_picture = LastPicture(players.canvas, rooms.history, rooms.tasks, conductor.offer_examples, window)
    window.when_shown(last_picture.bring)
    players.desk.stopped.connect(last_picture.stop)


def _change_parameters(
    rooms: Rooms, players: CreateWidgets, panel_head: PanelHead, undos: Undos, window: MainWindow
) -> Acts:
    """Build who changes many parameters at once, with one undo for all: reset, presets, advice."""
    panel, editor = players.panel, players.editor
    acts = Acts(panel, editor, undos, players.message, window)
    panel_head.reset_wanted.connect(lambda: acts.reset())
    keeper = PresetKeeper(
        PresetBook.of(rooms.paths), panel, editor, players.desk.styles, acts, undos, players.message, window
    )
    panel_head.presets_asked.connect(PresetController(keeper, window).fill)
    players.desk.style_kept.connect(acts.keep)
    players.desk.do = acts.do
    adviser = Adviser(panel, editor, acts, rooms.tasks, window)
    rooms.controller.worker.picture_saved.connect(adviser.take_picture)
    players.desk.stopped.connect(adviser.stop)
    return acts


def _take_from_elsewhere(
    exchange: Exchange, paste_desk: PasteDesk, input_desk: InputDesk, parameters_desk: ParametersDesk
) -> None:
    """Let what is dropped or pasted become the input picture or the parameters."""
    exchange.input_wanted.connect(input_desk.use_file)
    exchange.use_requested.connect(parameters_desk.use_reading)
    input_desk.brought.connect(parameters_desk.tell_input)
    paste_desk.take = input_desk.use_offer
    paste_desk.use = lambda reading, name: parameters_desk.use_pasted(exchange.recalled_reading(reading), name)


def _verify(rooms: Rooms, players: CreateWidgets, conductor: Conductor, window: MainWindow) -> None:
    """Build who makes pictures again to compare, and lays them out as a grid."""
    provenance = Provenance(rooms.controller, rooms.tasks, window)
    conductor.grant(provenance.wishes)
    provenance.recall = lambda entry: conductor.recall(entry)
    provenance.entry_wanted.connect(players.canvas.show_entry)
    provenance.progressed.connect(players.status.show_progress)
    provenance.rested.connect(players.status.rest)
    provenance.title_changed.connect(conductor.title_changed)


def _use_parameters(players: CreateWidgets, conductor: Conductor, acts: Acts, window: MainWindow) -> ParametersDesk:
    """Build who uses what pictures were made with."""
    desk = ParametersDesk(players.panel, players.editor, players.desk, acts, players.message, window)
    desk.recall = lambda entry: conductor.recall(entry)
    desk.attention_wanted.connect(conductor.attention_wanted)
    conductor.grant(desk.wishes)
    return desk


def _tell_of_the_end(controller: JobController, window: MainWindow) -> None:
    end = EndOfWork(
        controller, lambda: window.settings, lambda: QApplication.activeWindow() is not None, Desktop(window),
        play_done, window,
    )  # fmt: skip
    window.left.connect(end.tell_now)


def _begin_from_pictures(
    rooms: Rooms, players: CreateWidgets, conductor: Conductor, undos: Undos, window: MainWindow
) -> InputDesk:
    """Build who serves input pictures and makes pictures larger; return the first."""
    pictures = InputPictures(rooms.paths)
    input_desk = InputDesk(players.panel, pictures, rooms.history, undos, rooms.tasks, window)
    input_desk.connect_to(conductor, players.canvas)
    upscale_desk = UpscaleDesk(pictures, rooms.controller, rooms.library, players.panel, rooms.tasks, window)
    upscale_desk.connect_to(conductor)
    for each in (input_desk, upscale_desk):
        each.told.connect(players.status.rest)
        players.desk.stopped.connect(each.stop)
    return input_desk
