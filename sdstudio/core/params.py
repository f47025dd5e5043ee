"""How one declaration of a field becomes a widget, a command-line flag, a line in a PNG and a column in the history.

A declared field is ``Annotated[type, Field(title=.., description=.., ge=.., le=..), Ui(..), Infotext(..),
Searchable()]`` on a frozen pydantic model; `parameters` reads such a model back as plain `Parameter` rows that know
nothing of pydantic.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sdstudio.catalog.families import Override
from sdstudio.catalog.kinds import WEIGHT_MAXIMUM

T = TypeVar("T")

_BOUNDS = {"minimum": "ge", "maximum": "le", "multiple_of": "multiple_of", "max_length": "max_length"}
"""Our name of a bound -> the attribute pydantic's field metadata carries it under."""


class FieldKind(Enum):
    """What a field is to its reader; every widget, flag and column follows from it."""

    TEXT = "text"
    INTEGER = "integer"
    OPTIONAL = "integer or none"
    NUMBER = "number"
    TOGGLE = "toggle"
    CHOICE = "choice"
    SEED = "seed"
    MODEL = "model"
    FOLDER = "folder"
    FOLDERS = "folders"
    LORAS = "LoRA"
    VAE = "VAE"
    PICTURE = "picture"
    SIDES = "sides"
    UPSCALER = "upscaler"
    DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a choice: what is stored, what is read, and a sentence about it."""

    value: Any
    title: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Ui:
    """How a field is shown.

    Attributes:
        group: Heading it stands under; fields of one group keep the order of declaration.
        unit: Written behind the value, with a blank where usual ("px").
        step: What one notch of the widget changes.
        decimals: Digits behind the point of a number.
        kind: Overrides the kind that follows from the type.
        choices: Called for the values of a choice that is a table elsewhere.
        slider: Show a slider beside the number.
        titles: Titles for the values of a ``Literal``, in its order.
        flag: The command-line flag where it is not the field's name: that of one item of a list.
        more_flags: Other command-line flags that mean the same.
        check: Raises InvalidRequest for a value that is wrong although its type and bounds are right.
        begins: What a number that may be none begins with when it is wanted.
        blank: What is shown in place of a text that is blank.
    """

    group: str = "Sampling"
    unit: str = ""
    step: float = 1
    decimals: int = 0
    kind: FieldKind | None = None
    choices: Callable[[], Sequence[Choice]] | None = None
    slider: bool = False
    titles: tuple[str, ...] = ()
    flag: str = ""
    more_flags: tuple[str, ...] = ()
    check: Callable[[Any], object] | None = None
    begins: int = 0
    blank: str = ""


@dataclass(frozen=True, slots=True)
class Infotext:
    """The key under which A1111's ``parameters`` text carries the field.

    Attributes:
        key: As A1111 spells it.
        order: Keys are written in ascending order.
        optional: Left out at the declared default, which is what a missing key means to A1111.
        texts: What A1111 writes for the values of a choice, in its order; without them their titles.
        blank: What it writes for a blank text.
    """

    key: str
    order: int
    optional: bool = False
    texts: tuple[str, ...] = ()
    blank: str = ""


@dataclass(frozen=True, slots=True)
class Searchable:
    """The history keeps an index over this field."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared field, read back."""

    name: str
    title: str
    description: str
    kind: FieldKind
    default: Any
    ui: Ui
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    max_length: int | None = None
    choices: tuple[Choice, ...] = ()
    optional: bool = False
    hidden: bool = False
    infotext: Infotext | None = None
    searchable: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag, ``--guidance-scale``."""
        return self.ui.flag or "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """What is allowed, in words: ``64 to 4096 in multiples of 8``."""
        if self.kind is FieldKind.CHOICE:
            return ", ".join(str(choice.value) for choice in self.choices)
        if self.kind is FieldKind.PICTURE:
            return "the id of a picture that is kept, 64 hexadecimal digits"
        if self.kind is FieldKind.SIDES:
            return "left, top, right and bottom with the pixels that each adds, as in left=128,top=64"
        if self.kind is FieldKind.LORAS:
            return f"a name and a weight from {-WEIGHT_MAXIMUM:g} to {WEIGHT_MAXIMUM:g} for each"
        if self.minimum is not None and self.maximum is not None:
            bounds = (self.minimum, self.maximum)
            text = " to ".join(f"{bound:g}" if self.kind is FieldKind.NUMBER else str(int(bound)) for bound in bounds)
            return text + (f" in multiples of {self.multiple_of}" if self.multiple_of else "")
        if self.max_length is not None:
            return f"at most {self.max_length:,} characters"
        return str(self.kind.value)

    def overridden(self, override: Override | None) -> Parameter:
        """Return this parameter as a family or model changes it."""
        if override is None:
            return self
        return replace(
            self,
            default=self.default if override.default is None else override.default,
            minimum=self.minimum if override.minimum is None else override.minimum,
            maximum=self.maximum if override.maximum is None else override.maximum,
            hidden=self.hidden or override.hidden,
        )


@cache
def parameters(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """Return every declared field of ``model`` that has a ``Ui``, in order of declaration."""
    rows = []
    for name, info in model.model_fields.items():
        ui = _marker(info, Ui)
        if ui is not None:
            rows.append(_parameter(name, info, ui))
    return tuple(rows)


def _parameter(name: str, info: FieldInfo, ui: Ui) -> Parameter:
    base, optional = _without_none(info.annotation)
    choices: tuple[Choice, ...] = ()
    if ui.choices is not None:
        choices = tuple(ui.choices())
    elif typing.get_origin(base) is Literal:
        values = typing.get_args(base)
        titles = ui.titles or tuple(str(value).replace("_", " ").capitalize() for value in values)
        choices = tuple(Choice(value, title) for value, title in zip(values, titles, strict=True))
    bounds: dict[str, Any] = {}
    for rule in info.metadata:
        for ours, theirs in _BOUNDS.items():
            if getattr(rule, theirs, None) is not None:
                bounds[ours] = getattr(rule, theirs)
    return Parameter(
        name=name,
        title=info.title or name.replace("_", " ").capitalize(),
        description=info.description or "",
        kind=ui.kind or _kind(base, bool(choices), optional),
        default=None if info.default is PydanticUndefined else info.default,
        ui=ui,
        choices=choices,
        optional=optional,
        infotext=_marker(info, Infotext),
        searchable=_marker(info, Searchable) is not None,
        **bounds,
    )


def _kind(base: Any, has_choices: bool, optional: bool) -> FieldKind:
    if has_choices:
        return FieldKind.CHOICE
    if base is bool:
        return FieldKind.TOGGLE
    if base is int:
        return FieldKind.OPTIONAL if optional else FieldKind.INTEGER
    if base is float:
        return FieldKind.NUMBER
    if base is Path:
        return FieldKind.FOLDER
    if typing.get_origin(base) is tuple and typing.get_args(base)[:1] == (Path,):
        return FieldKind.FOLDERS
    return FieldKind.TEXT


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        others = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        return others[0], len(others) < len(typing.get_args(annotation))
    return annotation, False


def _marker(info: FieldInfo, kind: type[T]) -> T | None:
    return next((rule for rule in info.metadata if isinstance(rule, kind)), None)
