"""`sdstudio bench` from end to end, on a tiny model: every figure is measured; none is judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sdstudio.bench.report import HISTORY_PROMISES, PROMISES


@pytest.mark.slow
def test_bench_measures_every_promise(home, tiny_models):
    done = subprocess.run(
        [sys.executable, "-m", "sdstudio", "bench", "--quick", "--json", "--model", tiny_models["sd1"]],
        env={**os.environ, "SDSTUDIO_HOME": str(home.home)}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["figure"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(rows) == [promise.key for promise in PROMISES]
    for promise in PROMISES:
        row = rows[promise.key]
        assert row["value"] > 0
        assert row["samples"] >= 4
        assert row["kept"] == (row["value"] <= row["target"] if promise.at_most else row["value"] >= row["target"])
    assert "same pixels" in rows["engine"]["note"] or "pixels differ by up to" in rows["engine"]["note"]


@pytest.mark.slow
def test_bench_measures_the_history_on_generated_pictures(home):
    command = [sys.executable, "-m", "sdstudio", "bench", "history", "--entries", "300", "--quick", "--json"]
    done = subprocess.run(
        command, env={**os.environ, "SDSTUDIO_HOME": str(home.home)}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["figure"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(rows) == [promise.key for promise in HISTORY_PROMISES]
    for promise in HISTORY_PROMISES:
        row = rows[promise.key]
        assert row["kept"] == (row["value"] <= row["target"] if promise.at_most else row["value"] >= row["target"])
    assert rows["history_frames"]["samples"] == 300
    assert 0 < rows["history_search"]["value"] < 60
    assert not home.database.exists()
