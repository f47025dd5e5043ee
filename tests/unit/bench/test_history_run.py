"""From measurements to figures; the measuring itself is run by the end-to-end test of the command."""

from __future__ import annotations

import pytest

from sdstudio.bench import history_run
from sdstudio.bench.report import HISTORY_PROMISES, VAST
from sdstudio.cli.console import Console

MEASURED = {
    "open": [(0.2, 0.1), (0.4, 0.1), (0.25, 0.2)],
    "frames": [(4.0, 3.0)] * 99 + [(40.0, 5.0)],
    "searches": {
        "'red'": [(0.01, 0.005, 0.1)] * 3,
        "'of a'": [(0.04, 0.03, 0.2), (0.06, 0.03, 0.2), (0.045, 0.03, 0.3)],
    },
    "sorts": {"Seed": [(0.3, 0.1, 0.5)]},
    "peak_mb": 200.0,
}  # fmt: skip


@pytest.fixture
def figures(tmp_path, monkeypatch):
    def measured(entries: int):
        class Scripted:
            def __init__(self, home, _model) -> None:
                self.home = home

            def result(self, module, _count):
                assert module == "history_times"
                return MEASURED if self.home.name == "many" else {**MEASURED, "peak_mb": 120.0}

        filled = []
        monkeypatch.setattr(history_run, "Children", Scripted)
        monkeypatch.setattr(history_run, "fill", lambda paths, count, thumbnails: filled.append((count, thumbnails)))
        found = list(history_run.measured_history(tmp_path, entries, True, Console()))
        return {figure.promise.key: figure for figure in found}, filled

    return measured


def test_a_hundred_thousand_pictures_are_judged_by_every_promise(figures):
    found, filled = figures(VAST)
    assert list(found) == [promise.key for promise in HISTORY_PROMISES]
    assert {key: figure.value for key, figure in found.items()} == {
        "history_open": 0.25, "history_search": 0.045, "history_frames": 0.99, "history_memory": 80.0,
    }  # fmt: skip
    assert all(figure.kept for figure in found.values())
    assert "0.030 s of processor time for 'of a'" in found["history_search"].note
    assert "1.000 by the window's own" in found["history_frames"].note
    assert filled == [(VAST, True), (0, False)]


def test_of_more_the_search_alone_is_promised(figures):
    found, filled = figures(1_000_000)
    assert list(found) == ["history_search_vast"]
    assert found["history_search_vast"].promise.target == 0.15
    assert filled == [(1_000_000, False)]
