"""Presets of what is written: what of prompts and panel goes into one, what comes out of it, and how each is undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.request.presets import STYLES, Preset, PresetBook, checked_name, merged, read_presets, write_presets
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.field import fits
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.parameter_panel import PROMPT_GROUP, ParameterPanel
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.undo import Change, Undos
from sdstudio.ui.widgets.message_bar import MessageBar

_PROMPTS: Final = tuple(row for row in parameters(GenerationRequest) if row.ui.group == PROMPT_GROUP)


@dataclass(frozen=True, slots=True)
class Held:
    """One value that a preset can hold.

    Attributes:
        name: Of the parameter, or `STYLES`.
        title: What the user reads.
        group: The heading it stands under.
        row: Its declaration, ``None`` for the styles.
        value: As it stands now, as JSON has it.
        is_changed: Whether it differs from the model's default, or from nothing written.
    """

    name: str
    title: str
    group: str
    row: Parameter | None
    value: Any
    is_changed: bool

    def as_text(self, value: Any) -> str:
        """Return a value of it in words."""
        if self.row is not None:
            title = next((choice.title for choice in self.row.choices if choice.value == value), None)
            if title is not None:
                return title
        if value is None:
            return "Random"
        if isinstance(value, bool):
            return "On" if value else "Off"
        if isinstance(value, list):
            return ", ".join(" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in value) or "–"
        return f"{value:g}" if isinstance(value, float) else " ".join(str(value).split()) or "–"


class PresetKeeper(QObject):
    """Makes, uses and keeps presets.

    Args:
        book: Where they are kept.
        panel: The parameters.
        editor: The prompts.
        styles: The styles there are.
        acts: Uses a preset as one act.
        undos: What is done to the book can be taken back.
        message: Shows what was done.
        parent: The window.
    """

    #: The book was changed.
    changed = Signal()

    def __init__(
        self, book: PresetBook, panel: ParameterPanel, editor: PromptEditor, styles: StyleBook, acts: Acts,
        undos: Undos, message: MessageBar, parent: QWidget,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._book = book
        self._panel = panel
        self._editor = editor
        self._styles = styles
        self.acts = acts
        self._undos = undos
        self.message = message
        #: What was done to the book last.
        self.last_change: Change | None = None

    # what there is

    def presets(self) -> tuple[Preset, ...]:
        """Return all presets by their names; a file that cannot be read is reported."""
        try:
            return self._book.presets
        except StudioError as error:
            self.message.say(str(error), "error")
            return ()

    def held(self) -> tuple[Held, ...]:
        """Return everything that a preset can hold, as it stands now. Pictures are none of it."""
        texts = {"prompt": self._editor.prompt, "negative_prompt": self._editor.negative_prompt}
        presets = [
            Held(row.name, row.title, PROMPT_GROUP, row, texts[row.name], bool(texts[row.name])) for row in _PROMPTS
        ]
        styles = list(self._editor.styles)
        presets.append(Held(STYLES, "Styles", PROMPT_GROUP, None, styles, bool(styles)))
        changed = {field.row.name for field in self._panel.changed_fields()}
        for name, field in self._panel.fields.items():
            if field.row.kind is not FieldKind.PICTURE:
                value = _as_json(field.value())
                presets.append(Held(name, field.row.title, field.row.ui.group, field.row, value, name in changed))
        return tuple(presets)

    def differences(self, preset: Preset) -> list[tuple[str, str, str]]:
        """Return what a preset would change: title, the value now, and its own."""
        return [
            (held.title, held.as_text(held.value), held.as_text(preset.values[held.name]))
            for held in self.held()
            if held.name in preset.values and held.value != _as_json(preset.values[held.name])
        ]

    # using

    def use(self, preset: Preset) -> None:
        """Put its values into prompts and panel, and show which cannot be used."""
        left: list[str] = []
        change = self.acts.do(f"Use preset “{preset.name}”", lambda: left.extend(self._put(preset.values)))
        message = f"Using preset “{preset.name}”." if change is not None else f"Preset “{preset.name}” changes nothing."
        if left:
            message += f" Some of its values could not be used: {', '.join(left)}."
        self.acts.tell(change, message, "warning" if left else "info")

    def _put(self, values: Mapping[str, Any]) -> list[str]:
        """Show values; return what cannot be shown, in words."""
        panel, editor, left = self._panel, self._editor, []
        model = values.get("model")
        if isinstance(model, str):
            if panel.offers(model):
                panel.set_model(model)
            else:
                left.append(f"Model {model[:60]}")
        for name, value in values.items():
            field = panel.fields.get(name)
            if field is not None and name != "model" and _is_allowed(field.row, value):
                field.set_value(value)
            elif name == "prompt" and isinstance(value, str):
                editor.set_prompt(value)
            elif name == "negative_prompt" and isinstance(value, str):
                editor.set_negative_prompt(value)
            elif name == STYLES and isinstance(value, list):
                there = {style.name for style in self._styles.styles}
                named = [style for style in value if isinstance(style, str)]
                editor.set_styles([style for style in named if style in there])
                left += [f"style {style[:60]}" for style in named if style not in there]
            elif name != "model":
                left.append(f"{field.row.title if field is not None else name} {str(value)[:40]}")
        return left

    # the book

    def save(self, name: str, names: Iterable[str]) -> None:
        """Keep what stands there now of these parameters under a name. Raises: StudioError."""
        chosen = set(names)
        preset = Preset(checked_name(name), {held.name: held.value for held in self.held() if held.name in chosen})
        there = any(each.name == preset.name for each in self._book.presets)
        what = "replaced" if there else "saved"
        self._change(f"Preset “{preset.name}” {what}", lambda: self._book.add(preset))

    def update(self, preset: Preset) -> None:
        """Give it the values that stand there now. Raises: StudioError."""
        newer = preset.with_values({held.name: held.value for held in self.held()})
        self._change(f"Preset “{preset.name}” updated", lambda: self._book.add(newer))

    def rename(self, preset: Preset, name: str) -> None:
        """Give it another name. Raises: StudioError."""
        self._change(f"Preset “{preset.name}” renamed", lambda: self._book.rename(preset.name, name))

    def remove(self, preset: Preset) -> None:
        """Delete it. Raises: StudioError."""
        self._change(f"Preset “{preset.name}” deleted", lambda: self._book.remove(preset.name))

    def take_from(self, path: Path) -> int:
        """Add the presets of a file, in place of those of their names; return how many. Raises: StudioError."""
        presets = read_presets(path)
        self._change(
            f"{len(presets)} presets imported from {path.name}",
            lambda: self._book.keep(merged(self._book.presets, presets)),
        )
        return len(presets)

    def export(self, presets: Iterable[Preset], path: Path) -> None:
        """Write presets to a file. Raises: StudioError."""
        write_presets(path, presets)

    def _change(self, text: str, act: Callable[[], None]) -> None:
        self.last_change = None
        before = self._book.presets
        act()
        after = self._book.presets
        if after != before:
            self.last_change = Change(text, partial(self._keep, before), partial(self._keep, after))
            self._undos.push(self.last_change)
            self.changed.emit()

    def undo(self) -> None:
        """Take back what was done to the book last."""
        if self.last_change is not None:
            self._undos.undo(self.last_change)

    def _keep(self, presets: tuple[Preset, ...]) -> None:
        self._book.keep(presets)
        self.changed.emit()


def _is_allowed(row: Parameter, value: Any) -> bool:
    """Return whether a value from a file can be shown: no picture, of the right kind and within its bounds."""
    try:
        check_bounds(row, value)
    except InvalidRequest:
        return False
    return row.kind is not FieldKind.PICTURE and fits(row, value)


def _as_json(value: Any) -> Any:
    """Return a value as it comes back from a file."""
    return json.loads(json.dumps(value))
