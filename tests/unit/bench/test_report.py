"""How measured times become figures, and when a promise counts as kept."""

from __future__ import annotations

import json

import pytest

from sdstudio.bench.alternating import Pairs
from sdstudio.bench.report import (
    ENGINE,
    HISTORY_OPEN,
    HISTORY_PROMISES,
    HISTORY_SEARCH_VAST,
    LIBRARY_PROMISES,
    PROMISES,
    TICKS,
    amount,
    ratio,
    share,
    table,
)


def test_a_ratio_is_the_median_over_pairs():
    figure = ratio(ENGINE, Pairs([(1.0, 1.0), (9.0, 1.0), (1.01, 1.0), (2.02, 2.0), (1.0, 2.0)], 0, 0.0))
    assert figure.value == pytest.approx(1.01)
    assert figure.low < figure.value < figure.high
    assert figure.samples == 5
    assert figure.kept


def test_one_pair_is_enough():
    figure = ratio(ENGINE, Pairs([(3.0, 2.0)], 0, 0.0))
    assert (figure.value, figure.low, figure.high) == (1.5, 1.5, 1.5)
    assert not figure.kept


def test_a_share_counts_what_is_under_the_limit():
    figure = share(TICKS, [10.0] * 98 + [25.0, 80.0], 25)
    assert figure.value == 0.98
    assert figure.note == "worst 80 ms"
    assert not figure.kept
    assert share(TICKS, [10.0] * 99 + [80.0], 25).kept


def test_an_amount_is_the_median():
    figure = amount(HISTORY_OPEN, [0.5, 0.1, 0.2], "a note")
    assert (figure.value, figure.samples, figure.note) == (0.2, 3, "a note")
    assert figure.low < figure.value < figure.high
    assert amount(HISTORY_OPEN, [0.4]).low == 0.4
    assert not amount(HISTORY_OPEN, [0.4]).kept


EVERY = [*PROMISES, *HISTORY_PROMISES, HISTORY_SEARCH_VAST, *LIBRARY_PROMISES]


@pytest.mark.parametrize("promise", EVERY, ids=lambda promise: promise.key)
def test_every_promise_makes_a_row(promise):
    figure = ratio(promise, Pairs([(1.0, 1.0)], 0, 0.0), "a note")
    row = table([figure])[1]
    assert promise.title in row
    assert f"{promise.target:g}" in row[2]
    assert row[-1] in ("kept (a note)", "MISSED (a note)")
    assert json.loads(json.dumps(figure.as_row()))["figure"] == promise.key
