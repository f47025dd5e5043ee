"""The panel of parameters: which groups there are, what a change of model does to values, what is kept for next time.

Everything shown comes from the declarations of `GenerationRequest` and `RunOptions` as the chosen model changes them;
the prompts stand elsewhere (`PromptEditor`) and are handed to `ParameterPanel.request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.models.titles import model_titles
from sdstudio.core.params import Choice, Parameter, parameters
from sdstudio.core.request.detail_fields import DETAIL_GROUP
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.rules import DECIDING, DEPENDENT, idle_fields, idle_prompt_fields, named, schedule_choices
from sdstudio.core.request.seed_fields import VARIATION_GROUP
from sdstudio.core.request.tile_fields import NEED_TILES, SECOND_PASS_GROUP
from sdstudio.ui.forms.asset_editors import LoraEditor, offer
from sdstudio.ui.forms.editors import ChoiceEditor, SeedEditor
from sdstudio.ui.forms.field import Field, fits
from sdstudio.ui.forms.fold import Fold
from sdstudio.ui.forms.made_size import MadeSize
from sdstudio.ui.forms.size_field import SizeField
from sdstudio.ui.forms.steady import steady
from sdstudio.ui.theme import GRID, mark

PROMPT_GROUP: Final = "Prompt"
FOLDED_GROUPS: Final = frozenset({"Advanced", SECOND_PASS_GROUP, DETAIL_GROUP, VARIATION_GROUP})
SIZE_FIELDS: Final = ("width", "height")
MIN_WIDTH: Final = 280


@dataclass(frozen=True, slots=True)
class PanelStanding:
    """Everything the panel shows at one moment.

    Attributes:
        values: The values of all fields, the model's too.
        file_hashes: What the names in them mean.
        open_groups: Groups that are not folded.
    """

    values: Mapping[str, Any]
    file_hashes: tuple[tuple[str, str], ...] = ()
    open_groups: tuple[str, ...] = ()


class ParameterPanel(QScrollArea):
    """All parameters but the prompts, one field each."""

    #: After every change of any value, by the user or by the program.
    changed = Signal()
    #: Words are to go into the prompt: the trigger words of a LoRA.
    words_wanted = Signal(str)
    #: Whenever another model becomes the chosen one, by the user or by the program; with its key.
    model_chosen = Signal(str)
    #: One of the fields should be seen now; the panel may be hidden.
    wanted = Signal()
    #: One field went back to its default by its mark: its name, and the value it had.
    field_reset = TypedSignal[str, object]()
    #: All fields of a group are to go back to their defaults; carries its name.
    group_reset_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("parameterPanel")
        self._models: dict[str, ModelInfo] = {}
        self._model_key = ""
        self._file_hashes: tuple[tuple[str, str], ...] = ()
        self._assets: tuple[Asset, ...] = ()
        self._fields: dict[str, Field] = {}
        self._folds: dict[str, Fold] = {}
        self._size: SizeField | None = None
        self._build()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus, and are scrolled to
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(MIN_WIDTH)

    # models

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer these models; one with a problem is shown and cannot be chosen. The chosen one stays chosen."""
        self._models = {model.key: model for model in models}
        editor = self._model_editor()
        titles = model_titles(models)
        broken = frozenset(model.key for model in models if not model.is_usable)
        wanted = self._model_key or next((model.key for model in models if not model.problem), "")
        editor.set_choices([_model_choice(model, titles[model.key]) for model in models], broken)
        self.set_model(wanted)

    def set_model(self, key: str) -> None:
        """Choose a model by its key. A key that is not offered is shown as missing and refused by `request`."""
        editor = self._model_editor()
        before = editor.value()
        editor.set_value(key)
        if editor.value() == before:  # or the change has told
            self._take_model(key)

    def set_assets(self, assets: Sequence[Asset]) -> None:
        """Offer these LoRA and VAEs; those that do not fit the model are shown and cannot be chosen."""
        self._assets = tuple(assets)
        family = self.model.family if self.model is not None else ""
        offer({name: field.editor for name, field in self._fields.items()}, self._assets, family)

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, ``None`` when there is none or it is missing."""
        return self._models.get(self._model_key)

    def offers(self, key: str) -> bool:
        """Return whether a model with this key can be chosen."""
        return key in self._models

    def take_model_picker(self) -> QWidget:
        """Hand out the model's picker to stand elsewhere; a message about the model goes with it."""
        self._model_part.hide()
        model = self._fields["model"]
        model.say_below(model.editor)
        return model.editor

    # values

    def field(self, name: str) -> Field:
        """Return the field of a parameter, for example to show a message at it."""
        return self._fields[name]

    @property
    def fields(self) -> Mapping[str, Field]:
        """Every field by its parameter's name."""
        return self._fields

    def value(self, name: str) -> Any:
        """Return the value of a field, allowed or not."""
        return self._fields[name].value()

    def request(self, prompt: str = "", negative_prompt: str = "") -> GenerationRequest:
        """Build the request from the fields and these prompts.

        Raises:
            InvalidRequest: A value is not allowed. Every wrong field shows its message; the first is raised and brought
                into view.
        """
        rows = parameters_of(self.model)
        acting = [name for name, row in rows.items() if name in self._fields and self._acts(row)]
        self._raise_first([self._fields[name].check() for name in acting])
        # Kept where nothing is drawn in tiles too: the model begins with others than the declaration.
        values = {name: self.value(name) for name in NEED_TILES if self._fields[name].check() is None}
        values |= {name: self.value(name) for name in acting} | {"file_hashes": self._file_hashes}
        try:
            return GenerationRequest.checked({**values, "prompt": prompt, "negative_prompt": negative_prompt}, rows)
        except InvalidRequest as error:
            self.show_error(error)
            raise

    def options(self) -> RunOptions:
        """Build the run options from the fields. Raises: InvalidRequest, as `request` does."""
        names = [row.name for row in parameters(RunOptions)]
        self._raise_first([self._fields[name].check() for name in names])
        return RunOptions.checked({name: self.value(name) for name in names})

    def show_error(self, error: InvalidRequest) -> bool:
        """Show a message at the field it is about and bring that into view. False when the field stands elsewhere."""
        field = self._fields.get(error.field)
        if field is None:
            return False
        field.show_error(error.message, error.hint)
        self.go_to(error.field)
        return True

    def go_to(self, name: str) -> None:
        """Bring a field into view, with its group opened, and put the focus there."""
        field = self._fields[name]
        fold = self._folds.get(field.row.ui.group)
        if fold is not None:
            fold.set_open(True)
        self.wanted.emit()
        # A fold that has just opened has its height only when it is laid out, and a place in it only then.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        field.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self.ensureWidgetVisible(field, 0, 2 * GRID)

    def show_field(self, name: str) -> None:
        """Bring a field into view."""
        self.wanted.emit()
        self.ensureWidgetVisible(self._fields[name])

    def add_note(self, name: str, note: QWidget) -> None:
        """Keep the place of a hint below a field; below both sides of the size for one of them."""
        below = self._size if name in SIZE_FIELDS and self._size is not None else self._fields[name]
        below.keep_line(note)

    def restore(self, request: GenerationRequest) -> None:
        """Show all parameters of a request, its model too; what its names mean is kept until the next."""
        self.set_model(request.model)
        self._file_hashes = request.file_hashes
        for name, field in self._fields.items():
            if name != "model" and name in GenerationRequest.model_fields:
                field.set_value(getattr(request, name))

    def reset(self, group: str = "") -> None:
        """Go back to the model's defaults, of one group or of all."""
        if not group:
            self._file_hashes = ()
        for name, field in self._fields.items():
            if name != "model" and group in ("", field.row.ui.group):
                field.reset()

    def changed_fields(self, group: str = "") -> tuple[Field, ...]:
        """Return the fields that act and differ from the model's defaults, of one group or of all but the model."""
        return tuple(
            field
            for name, field in self._fields.items()
            if name != "model" and group in ("", field.row.ui.group) and field.is_changed and self._acts(field.row)
        )

    def standing(self) -> PanelStanding:
        """Return everything that is shown."""
        values = {name: field.value() for name, field in self._fields.items()}
        opened = tuple(name for name, fold in self._folds.items() if fold.is_open)
        return PanelStanding(values, self._file_hashes, opened)

    def show_standing(self, standing: PanelStanding) -> None:
        """Show again what `standing` returned."""
        self.set_model(str(standing.values["model"] or ""))
        self._file_hashes = standing.file_hashes
        for name, field in self._fields.items():
            if name != "model":
                field.set_value(standing.values[name])
        for name, fold in self._folds.items():
            fold.set_open(name in standing.open_groups)

    def set_last_seed(self, seed: int, name: str = "seed") -> None:
        """Show which seed, or variation seed, the last picture had, for the recall button."""
        field = self._fields.get(name)
        if field is not None and isinstance(field.editor, SeedEditor):
            field.editor.set_last_seed(seed)

    # last session

    def state(self) -> dict[str, Any]:
        """Return what to keep for the next start, as JSON: the model, what differs from its defaults, the folds."""
        changed = {name: field.value() for name, field in self._fields.items() if name != "model" and field.is_changed}
        seed = self._fields["seed"].editor if "seed" in self._fields else None
        last = seed.last_seed if isinstance(seed, SeedEditor) else None
        open_groups = [name for name, fold in self._folds.items() if fold.is_open]
        locked = self._size is not None and self._size.lock.isChecked()
        state = {"model": self._model_key, "values": changed, "last_seed": last, "open": open_groups}
        return {**state, "aspect_locked": locked}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Show what `state` returned. What no field can show (another version's) is left at its default."""
        model = state.get("model")
        if isinstance(model, str) and (model in self._models or not self._models):
            self.set_model(model)
        values = state.get("values")
        for name, value in _with_keys(values).items() if isinstance(values, Mapping) else ():
            field = self._fields.get(name)
            if field is not None and name != "model" and fits(field.row, value):
                field.set_value(value)
        if isinstance(state.get("last_seed"), int):
            self.set_last_seed(state["last_seed"])
        if self._size is not None:
            self._size.lock.setChecked(state.get("aspect_locked") is True)
        opened = state.get("open")
        for name, fold in self._folds.items():
            fold.set_open(isinstance(opened, list) and name in opened)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as looks good."""
        return QSize(MIN_WIDTH + 3 * GRID, 600)

    # building

    def _build(self) -> None:
        inside = QWidget()
        mark(inside, "bare", True)
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(12, 12, 12, 2 * GRID)
        self._column.setSpacing(12)
        groups: dict[str, list[Parameter]] = {}
        for row in (*parameters_of(None).values(), *parameters(RunOptions)):
            if row.ui.group != PROMPT_GROUP:
                groups.setdefault(row.ui.group, []).append(row)
        for place, (group, rows) in enumerate(groups.items()):
            part = self._group(group, rows, has_line=place < len(groups) - 1)
            self._column.addWidget(part)
            if "model" in (row.name for row in rows):
                self._model_part = part
        self._column.addStretch(1)
        self.setWidget(inside)
        self._fields["model"].changed.connect(self._on_model_changed)
        for name in DECIDING:
            self._fields[name].changed.connect(self._show_acting)
        self._show_acting()
        self.changed.connect(self._mark_groups)
        MadeSize(self._fields)

    def _group(self, group: str, rows: Sequence[Parameter], has_line: bool) -> QWidget:
        for row in rows:
            field = self._fields[row.name] = Field(row, stacked=row.name in SIZE_FIELDS)
            field.changed.connect(self.changed)
            field.was_reset.connect(partial(self.field_reset.emit, row.name))
            if isinstance(field.editor, LoraEditor):
                field.editor.words_wanted.connect(self.words_wanted)
        fields: list[QWidget] = [self._fields[row.name] for row in rows if row.name not in SIZE_FIELDS]
        if len(fields) < len(rows):
            self._size = SizeField(self._fields["width"], self._fields["height"])
            fields.insert(0, self._size)
        fold = Fold(group, fields, foldable=group in FOLDED_GROUPS, has_line=has_line)
        if group in FOLDED_GROUPS:
            self._folds[group] = fold
            fold.reset_wanted.connect(partial(self.group_reset_wanted.emit, group))
        return fold

    def _model_editor(self) -> ChoiceEditor:
        editor = self._fields["model"].editor
        assert isinstance(editor, ChoiceEditor)
        return editor

    def _on_model_changed(self) -> None:
        self._take_model(str(self._model_editor().value() or ""))

    def _take_model(self, key: str) -> None:
        model = self._models.get(key)
        rows = parameters_of(model)
        with steady(self, self._fields.values()):
            for name, field in self._fields.items():
                if name in rows and name != "model":
                    field.set_row(rows[name])
                    field.setVisible(self._acts(rows[name]))
            if self._size is not None:
                self._size.set_sizes(model.size_presets if model is not None else ())
            if key != self._model_key:
                self._model_key = key
                self.set_assets(self._assets)
                self.model_chosen.emit(key)
            self._show_groups()
            self._mark_groups()

    def _acts(self, row: Parameter) -> bool:
        """Whether a parameter means something to the chosen model and beside what decides that of others."""
        beside = {name: self.value(name) for name in DECIDING}
        return not row.hidden and row.name not in idle_fields(beside) | idle_prompt_fields(beside)

    def _show_acting(self) -> None:
        """Show what acts beside the chosen sampler, input picture and syntax, and what the automatic schedule is."""
        rows = parameters_of(self.model)
        with steady(self, self._fields.values()):
            for name in DEPENDENT:
                self._fields[name].setVisible(self._acts(rows[name]))
            self._show_groups()
        editor = self._fields["schedule"].editor
        assert isinstance(editor, ChoiceEditor)
        editor.set_choices(schedule_choices(str(self.value("scheduler"))))

    def _show_groups(self) -> None:
        for fold in self._folds.values():
            fold.show_if_any()

    def _mark_groups(self) -> None:
        for group, fold in self._folds.items():
            fold.show_changed([field.row.title for field in self.changed_fields(group)])

    def _raise_first(self, wrong: Sequence[InvalidRequest | None]) -> None:
        for error in wrong:
            if error is not None:
                self.show_error(error)
                raise error


def _with_keys(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return kept values with sampler and schedule apart, as a version before kept them in one."""
    try:
        return named(values)
    except InvalidRequest:
        return values


def _model_choice(model: ModelInfo, title: str) -> Choice:
    about = f"{model.family_row.title}. {model.problem or model.family_row.about}"
    note = "" if not model.problem else " (needs a VAE)" if model.lacks_vae else " (cannot be used)"
    return Choice(model.key, f"{title}{note}", about)
