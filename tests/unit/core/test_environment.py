from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sdstudio.core.environment import settle_environment

NAMES = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_DEACTIVATE_ASYNC_LOAD")


def test_what_others_read_is_settled_and_the_users_word_stands(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "0")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    settle_environment()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_HUB_DISABLE_XET"] == "0"
    assert os.environ["HF_ENDPOINT"] == "https://mirror.example"
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.parametrize("first", ["sdstudio.library.getting.hub", "sdstudio.library.getting.tokens"])
def test_the_hubs_library_is_imported_into_a_settled_environment(first):
    code = f"import sys, {first}; assert 'huggingface_hub' not in sys.modules; " + (
        "from sdstudio.library.getting.hub import _library; _library(); import huggingface_hub.constants as c; "
        "assert c.HF_HUB_DISABLE_TELEMETRY and c.HF_HUB_DISABLE_XET; assert 'torch' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment, timeout=120).returncode == 0


def test_torch_is_imported_into_an_environment_where_threads_do_not_spin_for_long():
    code = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))

sys.meta_path.insert(0, Watch())
import sdstudio.engine.engine
"""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert (done.stdout.split(), done.returncode) == (["3000"], 0), done.stderr
