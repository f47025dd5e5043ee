"""What is measured runs as an installed program does."""

from __future__ import annotations

import pytest

from sdstudio.bench.children import Children
from sdstudio.bench.shown import SHOWN


@pytest.mark.parametrize("how", ["0", "1", None])
def test_byte_code_is_kept_between_the_processes_and_nowhere_else(tmp_path, monkeypatch, how):
    if how is None:
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    else:
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", how)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    Children(tmp_path, "starter").seconds_until("empty_window", SHOWN)
    kept = [file.name.split(".")[0] for file in (tmp_path / "byte-code").rglob("*.pyc")]
    assert ("shown" in kept) == (how is not None)
