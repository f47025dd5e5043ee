"""`sdstudio bench` from end to end, on a tiny model: every figure is measured; none is judged here."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys

import pytest

from sdstudio.__main__ import main
from sdstudio.bench.report import HISTORY_PROMISES, PROMISES
from tests.forked import Forked


def as_main(module: str, *arguments: str) -> None:
    """Be the program that a module is."""
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


@pytest.fixture
def forks(monkeypatch, tmp_path):
    """Let the modules that bench runs to their end be forked from a process that has imported torch."""

    def run(command, env, **_more):
        _python, _flag, *program = command
        code, out, err = Forked(as_main, program, env, tmp_path).ended()
        return subprocess.CompletedProcess(command, code, out, err)

    with monkeypatch.context() as patched:
        patched.setattr("sdstudio.bench.children.subprocess.run", run)
        yield


@pytest.mark.slow
def test_bench_measures_every_promise(home, tiny_models, monkeypatch, capsys, forks):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    code = main(["bench", "--quick", "--json", "--model", str(tiny_models["sd1"])])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    rows = {row["figure"]: row for row in map(json.loads, printed.out.splitlines())}
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
