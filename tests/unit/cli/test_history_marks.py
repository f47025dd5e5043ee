"""The history on the command line: narrowed by every facet, ordered, rated and tagged."""

from __future__ import annotations

import json

import pytest

from sdstudio.cli import main
from sdstudio.history.database.look import FACETS
from sdstudio.history.store import History
from tests.unit.history.conftest import picture, recipe


@pytest.fixture
def run(home, capsys, monkeypatch):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    history = History(home, lambda _path: None)
    rows = (("red", "euler", 64), ("green", "lcm", 64), ("blue", "euler", 128))
    for number, (prompt, scheduler, width) in enumerate(rows):
        made = recipe(prompt, scheduler=scheduler, width=width, seed=30 - number, model_name=f"Model {number}")
        history.save(picture(size=(width, 64)), made)
    history.close()

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main(["history", *map(str, argv)]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


def ids(run, *argv: object) -> list[int]:
    return [json.loads(line)["id"] for line in run("list", *argv, "--json")[0].splitlines()]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ((), [3, 2, 1]),
        (("--sort", "oldest"), [1, 2, 3]),
        (("--sort", "seed"), [3, 2, 1]),
        (("--scheduler", "euler"), [3, 1]),
        (("--scheduler", "euler", "--scheduler", "lcm"), [3, 2, 1]),
        (("--scheduler", "euler", "--size", "64x64"), [1]),
        (("--model", "Model 1"), [2]),
        (("--rating", "4"), [2]),
        (("--rating", "0"), [3, 1]),
        (("--favourite",), [3]),
        (("--tag", "wip"), [3, 2]),
        (("--tag", "wip", "--favourite"), [3]),
        (("--collection", "best"), [1]),
        (("--date", "today"), [3, 2, 1]),
        (("--date", "1999-12"), []),
        (("--limit", "1", "--sort", "oldest"), [1]),
    ],
)
def test_flags_narrow_and_order_the_list(run, flags, found):
    run("mark", 2, "--stars", 4)
    run("mark", 3, "--favourite")
    run("mark", 2, 3, "--tag", "wip")
    run("mark", 1, "--collect", "Best")
    assert ids(run, *flags) == found


@pytest.mark.parametrize("facet", FACETS, ids=lambda row: row.key)
def test_every_facet_has_a_flag(run, facet):
    assert f"--{facet.key}" in run("list", "--help")[0]
    assert f"--{facet.key}" in run("search", "--help")[0]


def test_a_search_can_be_narrowed_too(run):
    out, _ = run("search", "r", "--scheduler", "lcm", "--json")
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["green"]
    out, err = run("search", "red", "--scheduler", "lcm")
    assert (out, err.strip()) == ("", "No pictures match.")


def test_marks_are_given_shown_and_taken(run):
    out, _ = run("mark", 1, 2, "--stars", 3, "--favourite", "--tag", "a", "--tag", "b", "--collect", "Best", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows == [
        {"id": number, "rating": 3, "favourite": True, "tags": ["a", "b"], "collections": ["Best"]} for number in (1, 2)
    ]
    out, _ = run("mark", 1, "--stars", 0, "--no-favourite", "--untag", "a", "--uncollect", "best")
    assert out == "1  ☆☆☆☆☆    b\n"
    facts = json.loads(run("list", "--tag", "a", "--json")[0])
    assert (facts["id"], facts["rating"], facts["favourite"]) == (2, 3, True)


def test_a_picture_that_is_not_there_changes_nothing(run):
    _, err = run("mark", 1, 99, "--stars", 5, code=1)
    assert "99" in err
    assert ids(run, "--rating", "1") == []


@pytest.mark.parametrize("flags", [("--rating", "6"), ("--date", "yesterday"), ("--sort", "colour")])
def test_values_that_are_not_allowed_are_wrong_usage(run, flags):
    _, err = run("list", *flags, code=2)
    assert flags[1] in err


def test_one_name_that_is_refused_changes_nothing(run):
    run("mark", 1, "--stars", 5, "--tag", "good", "--collect", " ", code=1)
    assert ids(run, "--rating", "1") == ids(run, "--tag", "good") == []


@pytest.mark.parametrize("flag", ["tag", "collection", "model", "size"])
@pytest.mark.parametrize("value", ["\udcff", "\x1b[31m", "x" * 5000, "' OR 1=1 --"])
def test_any_text_may_be_looked_for(run, flag, value):
    assert ids(run, f"--{flag}", value) == []


def test_a_tag_is_found_as_it_was_given(run):
    run("mark", 1, "--tag", " two  words ")
    assert ids(run, "--tag", " two  words ") == [1]


def test_a_tag_that_is_no_name_is_refused(run):
    _, err = run("mark", 1, "--tag", " ", code=1)
    assert "1 to 60 characters" in err
