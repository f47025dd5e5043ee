from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from sdstudio.catalog.families import Override
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.catalog.schedules import SCHEDULES
from sdstudio.core.params import Choice, FieldKind, Infotext, Searchable, Ui, parameters
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.settings import Settings

DECLARATIONS = [
    (model, row) for model in (GenerationRequest, RunOptions, Settings) for row in parameters(model)
]  # fmt: skip


class Sample(BaseModel):
    text: Annotated[str, Field(title="Text", description="Any.", max_length=9), Ui(group="A")] = "x"
    number: Annotated[float, Field(ge=0.5, le=2), Ui(decimals=2, unit="s"), Infotext("Number", 5), Searchable()] = 1.5
    whole: Annotated[int, Field(ge=8, le=64, multiple_of=8), Ui(step=8)] = 16
    toggle: Annotated[bool, Field(title="On"), Ui()] = False
    pick: Annotated[Literal["one_way", "two"], Field(), Ui()] = "two"
    titled: Annotated[Literal["a", "b"], Field(), Ui(titles=("First", "Second"))] = "a"
    table: Annotated[str, Field(), Ui(choices=lambda: [Choice("k", "Key", "About.")])] = "k"
    maybe: Annotated[int | None, Field(ge=0, le=9), Ui(kind=FieldKind.SEED)] = None
    folder: Annotated[Path | None, Field(), Ui()] = None
    folders: Annotated[tuple[Path, ...], Field(), Ui()] = ()
    needed: Annotated[str, Field(), Ui()]
    internal: int = 3


ROWS = {row.name: row for row in parameters(Sample)}


def test_rows_keep_the_order_of_declaration_and_leave_out_what_is_not_shown():
    assert [row.name for row in parameters(Sample)] == [name for name in Sample.model_fields if name != "internal"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("text", FieldKind.TEXT), ("number", FieldKind.NUMBER), ("whole", FieldKind.INTEGER),
        ("toggle", FieldKind.TOGGLE),
        ("pick", FieldKind.CHOICE), ("table", FieldKind.CHOICE), ("maybe", FieldKind.SEED),
        ("folder", FieldKind.FOLDER),
        ("folders", FieldKind.FOLDERS),
    ],
)  # fmt: skip
def test_the_kind_follows_from_the_type(name, kind):
    assert ROWS[name].kind is kind


def test_bounds_markers_and_defaults_are_read_back():
    assert (ROWS["number"].minimum, ROWS["number"].maximum, ROWS["number"].default) == (0.5, 2, 1.5)
    assert (ROWS["whole"].multiple_of, ROWS["text"].max_length) == (8, 9)
    assert ROWS["number"].infotext == Infotext("Number", 5)
    assert ROWS["number"].searchable
    assert not ROWS["whole"].searchable
    assert ROWS["maybe"].optional
    assert not ROWS["whole"].optional
    assert ROWS["needed"].default is None
    assert ROWS["number"].ui.unit == "s"


def test_choices_come_from_the_literal_its_titles_or_a_table():
    assert ROWS["pick"].choices == (Choice("one_way", "One way"), Choice("two", "Two"))
    assert [choice.title for choice in ROWS["titled"].choices] == ["First", "Second"]
    assert ROWS["table"].choices == (Choice("k", "Key", "About."),)


def test_titles_fall_back_to_the_name():
    assert (ROWS["whole"].title, ROWS["text"].title) == ("Whole", "Text")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("number", "0.5 to 2"), ("whole", "8 to 64 in multiples of 8"), ("text", "at most 9 characters"),
        ("pick", "one_way, two"), ("maybe", "0 to 9"), ("toggle", "toggle"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_said_in_words(name, allowed):
    assert ROWS[name].allowed == allowed


def test_the_flag_is_the_name_with_dashes():
    assert {row.name: row.flag for row in parameters(GenerationRequest)}["guidance_scale"] == "--guidance-scale"


def test_an_override_changes_what_it_names_alone():
    row = ROWS["whole"]
    assert row.overridden(None) is row
    changed = row.overridden(Override(default=24, maximum=32))
    assert (changed.default, changed.minimum, changed.maximum, changed.hidden) == (24, 8, 32, False)
    hidden = changed.overridden(Override(hidden=True)).overridden(Override())
    assert (hidden.hidden, hidden.maximum) == (True, 32)


@pytest.mark.parametrize(("model", "row"), DECLARATIONS, ids=lambda value: getattr(value, "name", ""))
def test_every_declared_parameter_is_fit_to_be_shown(model, row):
    assert row.title
    assert row.description.endswith(".")
    assert row.ui.group
    if row.kind in (FieldKind.INTEGER, FieldKind.NUMBER, FieldKind.SEED):
        assert row.minimum < row.maximum
        assert row.default is None or row.minimum <= row.default <= row.maximum
    if row.kind is FieldKind.CHOICE:
        assert row.default in [choice.value for choice in row.choices]
        assert all(choice.title for choice in row.choices)
    model(**({row.name: row.default} if row.default is not None or row.optional else {}))


def test_the_scheduler_choices_are_the_table():
    rows = {row.name: row for row in parameters(GenerationRequest)}
    assert [choice.value for choice in rows["scheduler"].choices] == [spec.key for spec in SCHEDULERS]
    assert [choice.value for choice in rows["schedule"].choices] == [spec.key for spec in SCHEDULES]
