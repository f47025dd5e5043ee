"""The Create page, built: its widgets, and the controllers that connect them with the queue, the library and files."""

from __future__ import annotations

from dataclasses import dataclass

from sdstudio.core.models.model import ModelInfo
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.input_fields import DETAIL_MASK
from sdstudio.core.request.presets import PresetBook
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.advice import Adviser
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.controller import GenerationController
from sdstudio.ui.pages.create.generate_forever import Forever
from sdstudio.ui.pages.create.input_pictures import InputController
from sdstudio.ui.pages.create.last_picture import LastPicture
from sdstudio.ui.pages.create.mask.controller import MaskController
from sdstudio.ui.pages.create.mask.staging import Staging
from sdstudio.ui.pages.create.models.controller import ModelController
from sdstudio.ui.pages.create.page import CreatePage
from sdstudio.ui.pages.create.panel_head import PanelHead
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.paste import PasteController
from sdstudio.ui.pages.create.presets.controller import PresetController
from sdstudio.ui.pages.create.presets.keeper import PresetKeeper
from sdstudio.ui.pages.create.prompt.controller import PromptController
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.pages.create.queue_controller import QueueController
from sdstudio.ui.pages.create.use_parameters import ParametersController
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.message_bar import MessageBar
from sdstudio.ui.widgets.status_line import StatusLine


@dataclass(frozen=True, slots=True)
class Create:
    """The page and its controllers."""

    page: CreatePage
    widgets: CreateWidgets
    generation: GenerationController
    queue_controller: QueueController
    model_controller: ModelController
    input_controller: InputController
    mask_controller: MaskController
    staging: Staging
    parameters_controller: ParametersController
    paste_controller: PasteController
    last_picture: LastPicture


def build_create(services: Services, shell: Shell, actions: EntryActions, message: MessageBar) -> Create:
    """Build the page.

    Args:
        services: What it works with.
        shell: What is around it.
        actions: Where what is wanted of pictures goes.
        message: Shows what concerns the window as a whole.
    """
    widgets = _build_widgets(services, shell, actions, message)
    panel_head = PanelHead(widgets.panel)
    page = CreatePage(widgets.canvas, widgets.editor, panel_head, widgets.browser, widgets.queue)
    generation = GenerationController(services, shell, widgets, actions)
    history, tasks = services.history, services.tasks
    last_picture = LastPicture(widgets.canvas, history, tasks, generation.offer_examples, shell)
    _generate_forever(services, shell, widgets, generation)
    acts = _change_parameters(services, shell, widgets, panel_head)
    queue_controller = QueueController(services, shell, widgets, generation, acts)
    parameters_controller = ParametersController(
        services, shell, widgets.panel, widgets.editor, widgets.prompt_controller, acts, message, actions
    )
    pictures = InputPictures(services.paths)
    input_controller = InputController(services, shell, widgets.panel, widgets.canvas, pictures, actions)
    input_controller.status_changed.connect(widgets.status.rest)
    region_controller = InputController(services, shell, widgets.panel, widgets.canvas, pictures, actions, DETAIL_MASK)
    region_controller.status_changed.connect(widgets.status.rest)
    mask_controller = _paint(services, shell, widgets, page, input_controller, pictures, actions)
    staging = Staging(widgets.canvas, mask_controller.edit, generation.again, mask_controller.paint, generation.cancel)
    generation.generated.connect(staging.begin)
    services.controller.worker.job_started.connect(staging.take_started)
    services.controller.worker.picture_saved.connect(staging.take_picture)
    ways = [("Edit", mask_controller.paint)]
    input_controller.brought.connect(
        lambda change, name, lost: parameters_controller.tell_input(change, name, lost, ways)
    )
    generation.before_submitting = mask_controller.keep
    generation.view_of = lambda: mask_controller.view
    paste_controller = PasteController(page, widgets.editor, tasks, shell.over)
    paste_controller.take = input_controller.use_offer
    for stop in (
        last_picture.stop,
        input_controller.stop,
        region_controller.stop,
        mask_controller.stop,
        paste_controller.stop,
    ):
        widgets.prompt_controller.stopped.connect(stop)
    return Create(
        page=page,
        widgets=widgets,
        generation=generation,
        queue_controller=queue_controller,
        model_controller=ModelController(services, shell, widgets.panel, widgets.canvas),
        input_controller=input_controller,
        mask_controller=mask_controller,
        staging=staging,
        parameters_controller=parameters_controller,
        paste_controller=paste_controller,
        last_picture=last_picture,
    )


def _build_widgets(services: Services, shell: Shell, actions: EntryActions, message: MessageBar) -> CreateWidgets:
    """Build the widgets, in the order in which Tab goes from one to the next."""
    over, history, tasks = shell.over, services.history, services.tasks
    canvas = Canvas(actions, tasks, over)
    editor = PromptEditor(over)
    editor.message_over.uncut = canvas.caption.facts
    status_line = StatusLine(editor.cancel_button, over)
    panel = ParameterPanel(over)
    queue_panel = QueuePanel(services.controller, over)
    queue_panel.undos = shell.undos
    model = HistoryModel(history, Thumbnails(history, tasks, over), tasks, over)
    browser = HistoryBrowser(model, actions, parent=over)
    prompts = PromptController(editor, services.paths, services.library, history, tasks, over)
    shell.model_of = lambda: panel.model
    shell.entry_of = lambda: canvas.entry
    shell.values_of = lambda: {name: field.value() for name, field in panel.fields.items()}
    shell.words_wanted.connect(editor.append_prompt)

    def show_models(models: tuple[ModelInfo, ...]) -> None:
        panel.set_models(models)
        panel.set_assets(services.library.assets())

    shell.models_read.connect(show_models)  # before whatever asks for the model that is drawn with
    return CreateWidgets(editor, prompts, panel, canvas, browser, model, queue_panel, status_line, message)


def _paint(
    services: Services, shell: Shell, widgets: CreateWidgets, page: CreatePage, inputs: InputController,
    pictures: InputPictures, actions: EntryActions,
) -> MaskController:  # fmt: skip
    controller = MaskController(services, shell, widgets.panel, widgets.canvas, page.stage, inputs, pictures)
    actions.handle("edit", lambda entries: controller.edit(entries[0]))
    return controller


def _generate_forever(
    services: Services, shell: Shell, widgets: CreateWidgets, generation: GenerationController
) -> None:
    editor, panel = widgets.editor, widgets.panel

    def written() -> object:
        state = panel.state()
        return None if panel.value("seed") is None else (state["model"], state["values"], editor.state())

    bar = MessageBar("foreverMessage", editor)
    editor.add_note(bar)

    def free_seed() -> None:
        panel.field("seed").set_value(None)

    controller, button = services.controller, editor.forever_button
    Forever(button, controller, generation.generate, written, editor.show_message, bar, free_seed, shell)


def _change_parameters(services: Services, shell: Shell, widgets: CreateWidgets, panel_head: PanelHead) -> Acts:
    """Build what changes many parameters at once, with one undo for all: reset, presets, advice."""
    panel, editor, prompts = widgets.panel, widgets.editor, widgets.prompt_controller
    acts = Acts(panel, editor, shell.undos, widgets.message, shell)
    panel_head.reset_wanted.connect(lambda: acts.reset())
    book = PresetBook.of(services.paths)
    keeper = PresetKeeper(book, panel, editor, prompts.styles, acts, shell.undos, widgets.message, shell.over)
    panel_head.presets_asked.connect(PresetController(keeper, shell.over).fill)
    prompts.style_kept.connect(acts.keep)
    prompts.do = acts.do
    adviser = Adviser(panel, editor, acts, services.tasks, shell)
    services.controller.worker.picture_saved.connect(adviser.take_picture)
    prompts.stopped.connect(adviser.stop)
    return acts
