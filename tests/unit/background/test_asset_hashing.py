"""Hashes in the background: the smallest first, resting while a picture is drawn, stopped at once."""

from __future__ import annotations

import threading

import pytest
import torch
from safetensors.torch import save_file

from sdstudio.background.asset_hashing import AssetHasher, is_hashed
from sdstudio.library.library import Library

_KEY = "lora_unet_a_attn2_to_k.lora_down.weight"


@pytest.fixture
def library(home, tmp_path):
    """Return a library of three LoRA: large, small, middle."""
    for name, rank in (("large", 64), ("small", 1), ("middle", 8)):
        save_file({_KEY: torch.zeros(rank, 768)}, tmp_path / f"{name}.safetensors")
    return Library(home, [tmp_path])


@pytest.fixture
def busy():
    return threading.Event()


@pytest.fixture
def hasher(qapp, library, busy):
    made = AssetHasher(library, busy.is_set)
    yield made
    made.stop()


def test_every_file_is_told_with_its_hashes_the_smallest_first(hasher, library, qtbot):
    told = []
    hasher.hashed.connect(told.append)
    with qtbot.waitSignal(hasher.ended, timeout=30_000):
        hasher.start(library.assets("lora"))
    assert [asset.key for asset in told] == ["small", "middle", "large"]
    assert all(is_hashed(asset) for asset in told)
    assert all(is_hashed(asset) for asset in library.assets("lora"))
    assert not hasher.is_running


def test_what_is_known_is_not_read_again(hasher, library, qtbot):
    for asset in library.assets("lora"):
        library.hash_asset(asset)
    hasher.start(library.assets("lora"))
    assert not hasher.is_running


def test_it_rests_while_a_picture_is_drawn(hasher, library, busy, qtbot):
    busy.set()
    told = []
    hasher.hashed.connect(told.append)
    hasher.start(library.assets("lora"))
    assert hasher.is_running
    qtbot.wait(50)
    assert told == []
    with qtbot.waitSignal(hasher.ended, timeout=30_000):
        busy.clear()
    assert len(told) == 3


def test_it_stops_while_it_rests(hasher, library, busy):
    busy.set()
    hasher.start(library.assets("lora"))
    hasher.stop()
    assert not hasher.is_running
    assert not any(is_hashed(asset) for asset in library.assets("lora"))


def test_closing_waits_also_for_what_was_stopped_without_waiting(hasher, library, monkeypatch):
    go, reading = threading.Event(), threading.Event()

    def slow(asset, _tell, _cancel):
        reading.set()
        assert go.wait(30)
        return asset

    monkeypatch.setattr(library, "hash_asset", slow)
    hasher.start(library.assets("lora"))
    assert reading.wait(30)
    [thread] = [one for one in threading.enumerate() if one.name == "sdstudio-hashes"]
    hasher.stop(wait=False)
    assert thread.is_alive()
    go.set()
    hasher.stop()
    assert not thread.is_alive()


def test_a_file_that_is_gone_is_passed_over(hasher, library, qtbot, tmp_path):
    assets = library.assets("lora")
    (tmp_path / "small.safetensors").unlink()
    told = []
    hasher.hashed.connect(told.append)
    with qtbot.waitSignal(hasher.ended, timeout=30_000):
        hasher.start(assets)
    assert [asset.key for asset in told] == ["middle", "large"]
