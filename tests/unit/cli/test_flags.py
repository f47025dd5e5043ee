"""Every declared parameter is a flag; every flag reaches the request; wrong usage ends in one line and code 2."""

from __future__ import annotations

import pytest

from sdstudio.cli import build_parser, main
from sdstudio.cli.context import NOT_FOR_A_RUN
from sdstudio.cli.flags import Parser, add_flags, given
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.settings import Settings

ROWS = [row for row in (*parameters(GenerationRequest), *parameters(RunOptions)) if row.name != "prompt"]
RUN_SETTINGS = [row for row in parameters(Settings) if row.name not in NOT_FOR_A_RUN]
NUMBERS = [row for row in ROWS if row.kind in (FieldKind.INTEGER, FieldKind.NUMBER, FieldKind.SEED)]


def _example(row: Parameter) -> object:
    match row.kind:
        case FieldKind.INTEGER | FieldKind.OPTIONAL | FieldKind.SEED:
            return int(row.minimum or 0)
        case FieldKind.NUMBER:
            return float(row.maximum or 1)
        case FieldKind.CHOICE:
            return row.choices[-1].value
        case FieldKind.LORAS:
            return "name:0.8"
    return f"a value for {row.name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_parameter_of_a_request_is_a_flag_of_generate(row):
    value = True if row.kind is FieldKind.TOGGLE else _example(row)
    words = [] if row.kind is FieldKind.TOGGLE else [str(value)]
    for flag in (row.flag, *row.ui.more_flags):
        args = build_parser().parse_args(["generate", "a heart", flag, *words])
        assert given(args, ROWS) == {row.name: [("name", 0.8)] if row.kind is FieldKind.LORAS else value}
        assert args.prompt == "a heart"


def test_a_sampler_is_named_by_the_word_of_the_window_too():
    args = build_parser().parse_args(["generate", "a heart", "--sampler", "euler"])
    assert given(args, ROWS) == {"scheduler": "euler"}


@pytest.mark.parametrize("command", [["generate", "x"], ["history", "rerun", "1"]])
@pytest.mark.parametrize("row", RUN_SETTINGS, ids=lambda row: row.name)
def test_every_setting_of_the_engine_is_a_flag_of_what_draws(row, command):
    if row.kind is FieldKind.TOGGLE:
        no = "--no-" + row.flag.removeprefix("--")
        assert given(build_parser().parse_args([*command, row.flag]), RUN_SETTINGS) == {row.name: True}
        assert given(build_parser().parse_args([*command, no]), RUN_SETTINGS) == {row.name: False}
    else:
        value = _example(row)
        args = build_parser().parse_args([*command, row.flag, str(value)])
        assert given(args, RUN_SETTINGS) == {row.name: value}


@pytest.mark.parametrize("row", [*ROWS, *RUN_SETTINGS], ids=lambda row: row.name)
def test_help_shows_each_flag_with_its_description(row, capsys):
    assert main(["generate", "--help"]) == 0
    words = "".join(capsys.readouterr().out.split())  # argparse breaks words at hyphens
    assert row.flag in words
    assert "".join(row.description.split()) in words


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.name)
def test_a_word_where_a_number_belongs_is_wrong_usage(row, capsys):
    assert main(["generate", "x", row.flag, "many"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert row.flag in err
    assert "'many' is not allowed: give a" in err


@pytest.mark.parametrize(
    "argv",
    [
        ["frobnicate"], ["generate"], ["generate", "x", "--bogus"], ["generate", "x", "--step", "3"], ["history"],
        ["history", "show"], ["history", "show", "x"], ["history", "show", "0"], ["models"],
        ["history", "list", "--limit", "-1"], ["generate", "x", "--precision", "half"], ["generate", "x", "y"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_one_line_that_points_to_the_help(argv, capsys):
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("sdstudio: ")
    assert captured.err.count("\n") == 1
    assert "--help" in captured.err


def test_the_bench_command_is_there_when_it_is_handed_in(capsys):
    seen = []
    argv = ["bench", "--quick", "--model", "m"]
    assert main(argv, lambda args, console: seen.append((args.quick, args.json, args.model)) or 0) == 0
    assert seen == [(True, False, "m")]
    assert main(argv) == 2


def test_a_percent_sign_in_a_description_is_harmless(capsys):
    parser = Parser(prog="p")
    add_flags(parser, [Parameter("a", "A", "at most 3 % of %(x)s", FieldKind.TEXT, "", parameters(Settings)[0].ui)])
    parser.print_help()
    assert "3 % of %(x)s" in capsys.readouterr().out
