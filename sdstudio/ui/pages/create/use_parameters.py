"""Using what a picture was made with: which of it goes into prompts and panel, and the message about the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from sdstudio.core.errors import StudioError
from sdstudio.core.params import parameters
from sdstudio.core.pictures.opening import OPEN_FILTER, shown
from sdstudio.core.request.input_fields import DETAIL_MASK, INIT, INPUT_ROLES, MASK, idle_without_picture
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.origin import Reading, origin_of
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.prompt.controller import PromptController
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.message_bar import MessageAction, MessageBar, Tone

_MADE_WITH: Final = {
    INIT: ("from a picture", "from no picture"),
    MASK: ("with a mask", "without a mask"),
    DETAIL_MASK: ("with painted regions", "without painted regions"),
}
"""Role of an input picture -> how a sentence reads when there was one, and when there was none."""
_NAME_LETTERS: Final = 40


class ParametersController(QObject):
    """Does what the rows of "Use parameters" name, each as one act.

    Args:
        services: The history, whose pictures are offered first.
        shell: What is around the page.
        panel: The parameters.
        editor: The prompts.
        prompts: Knows the styles.
        acts: Does acts.
        message: Shows what went wrong.
        actions: Those of "Use parameters" are done here.
    """

    def __init__(
        self, services: Services, shell: Shell, panel: ParameterPanel, editor: PromptEditor, prompts: PromptController,
        acts: Acts, message: MessageBar, actions: EntryActions,
    ) -> None:  # fmt: skip
        super().__init__(shell.over)
        self._shell = shell
        self._history = services.history
        self._panel = panel
        self._editor = editor
        self._prompts = prompts
        self._acts = acts
        self._message = message
        actions.handle("restore", lambda entries: self.use(entries[0]))
        actions.handle("restore_prompt", lambda entries: self._use_prompt(entries[0]))
        actions.handle("restore_written", lambda entries: self._use_template(entries[0]))
        actions.handle("restore_seed", lambda entries: self._use_seed(entries[0]))
        actions.handle("remix", lambda entries: self.use(entries[0], with_seed=False))
        actions.handle("copy_parameters", lambda entries: _copy(entries[0]))

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"open_recipe": self.ask_for_file}

    def ask_for_file(self) -> None:
        """Let the user choose a picture whose parameters to use."""
        folder = str(self._history.placing.folder)
        dialog = QFileDialog(self._shell.over, "Open a picture's parameters", folder, OPEN_FILTER)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.use_file(Path(path)))
        dialog.open()

    def use(self, entry: Entry, with_seed: bool = True) -> None:
        """Use everything a picture was made with; without its seed, each run draws a new one."""
        recipe = self._shell.recall(entry).recipe
        if not with_seed:
            recipe = recipe.model_copy(update={"request": recipe.request.model_copy(update={"seed": None})})
        self._use(recipe, name_of(entry), "" if with_seed else " but the seed")

    def use_file(self, path: Path) -> None:
        """Use what a picture file records."""
        from sdstudio.history.picture_text.foreign.reading import read_picture  # noqa: PLC0415 (brings in every program's reader)

        try:
            reading = read_picture(path)
        except StudioError as error:
            self._message.say(str(error), "warning")
            return
        if reading is None:
            self._message.say(f"{path.name}: no generation parameters found.", "warning")
            return
        self.use_reading(reading, shown(path.name))

    def use_reading(self, reading: Reading, name: str) -> None:
        """Use what was read, and show what could not be used."""
        self._use(reading.recipe, name, "", reading)

    def use_pasted(self, reading: Reading, name: str) -> None:
        """Use what a text holds; what it does not hold stays as it is."""
        names = {row.title: row.name for row in parameters(GenerationRequest)}
        now = {"prompt": self._editor.prompt, "negative_prompt": self._editor.negative_prompt}
        now |= {name: field.value() for name, field in self._panel.fields.items()}
        kept = {names[title]: now[names[title]] for title in reading.assumed}
        recipe = reading.recipe
        request = recipe.request.model_copy(update=kept)
        self.use_reading(replace(reading, recipe=recipe.model_copy(update={"request": request})), name)

    def tell_input(self, change: Change | None, name: str, lost: str, more: Sequence[MessageAction] = ()) -> None:
        """Show that a picture became the input picture, and what went with the one before."""
        self._acts.tell(change, f"The next pictures begin from {name}. {lost}".rstrip(), "info", more)

    # inside

    def _use(self, recipe: Recipe, name: str, but: str, reading: Reading | None = None) -> None:
        request, panel = recipe.request, self._panel
        sentences = [f"Using the parameters of {name}{but}."]
        tone: Tone = "info"
        ways: list[MessageAction] = []
        origin = reading or origin_of(recipe)
        if origin_of(recipe) is not None and not panel.offers(request.model) and panel.model is not None:
            title = recipe.model_name or "of the picture"
            sentences.append(f"The model {title} is not in the library: {panel.model.name} stays chosen.")
            tone = "warning"
            request = request.model_copy(update={"model": panel.model.key})
        for role in INPUT_ROLES.values():
            if role.field in idle_without_picture(dict(request)):
                continue
            held = str(panel.value(role.field))
            if not held or role.picture_in(request):
                continue
            with_one, name_of_role = _MADE_WITH[role], role.title.lower()
            if origin is not None and role.title in origin.not_mapped:
                request = request.model_copy(update={role.field: held})
                sentences.append(f"It was made {with_one[0]} that it does not hold: your {name_of_role} stays.")
            else:
                sentences.append(f"It was made {with_one[1]}: the {name_of_role} is removed.")
                ways.append((f"Keep the {name_of_role}", partial(panel.field(role.field).set_value, held)))
        unused = dict(reading.not_mapped) if reading is not None else {}
        for role in INPUT_ROLES.values():
            if role.picture_in(request):
                unused.pop(role.title, None)  # shown already
        if unused:
            from sdstudio.history.picture_text.foreign.unused import unused_settings  # noqa: PLC0415 (not needed to show the window)

            sentences.append(f"{unused_settings(unused)}.")

        def act() -> None:
            panel.restore(request.model_copy(update={"file_hashes": recipe.file_hashes}))
            self._editor.restore_prompts(request.prompt, request.negative_prompt)

        change = self._acts.do(f"Use parameters of {name}{but}", act)
        self._acts.tell(change, " ".join(sentences), tone, ways)
        self._shell.attention_wanted.emit()

    def _use_prompt(self, entry: Entry) -> None:
        request = entry.recipe.request
        name = name_of(entry)
        change = self._acts.do(
            f"Use the prompt of {name}", lambda: self._editor.restore_prompts(request.prompt, request.negative_prompt)
        )
        self._acts.tell(change, f"Using the prompt of {name}.")
        self._shell.attention_wanted.emit()

    def _use_template(self, entry: Entry) -> None:
        name = name_of(entry)
        change = self._acts.do(f"Use the prompt template of {name}", lambda: self._prompts.use_written(entry))
        self._acts.tell(change, f"Using the prompt template of {name}.")
        self._shell.attention_wanted.emit()

    def _use_seed(self, entry: Entry) -> None:
        name = name_of(entry)
        field = self._panel.field("seed")
        change = self._acts.do(f"Use the seed of {name}", lambda: field.set_value(entry.recipe.request.seed))
        self._acts.tell(change, f"Using the seed of {name}: {entry.recipe.request.seed}.")
        self._shell.attention_wanted.emit()


def _copy(entry: Entry) -> None:
    from sdstudio.history.picture_text.pnginfo import infotext  # noqa: PLC0415 (not needed to show the window)

    QApplication.clipboard().setText(infotext(entry.recipe))


def name_of(entry: Entry) -> str:
    """Return what a picture is called in a sentence: the beginning of its prompt, else its number."""
    words = " ".join(entry.recipe.request.prompt.split())
    if not words:
        return f"picture {entry.id}"
    return f"“{words}”" if len(words) <= _NAME_LETTERS else f"“{words[: _NAME_LETTERS - 1].rstrip()}…”"
