"""Switching between models gives back the memory of the one before, and a model in memory is not read again."""

from __future__ import annotations

import gc
import json
import os
import threading
import weakref

import pytest
import torch

from sdstudio.core.events import ModelLoading
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.work import ConvertOrder
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.convert import convert
from tests.forked import Forked
from tests.unit.engine.conftest import info
from tests.unit.engine.switching_child import switch_and_print_memory


@pytest.fixture(scope="module")
def two(tiny_models, tmp_path_factory):
    """A folder and a single file of another family, to switch between."""
    target = tmp_path_factory.mktemp("switching") / "tiny.safetensors"
    order = ConvertOrder(tiny_models["sdxl"], target, ModelLayout.SINGLE_FILE)
    convert(order, lambda fraction: None, threading.Event())
    return info(tiny_models["sd1"], "sd1"), ModelInfo("tiny", "tiny", target, "sdxl", ModelLayout.SINGLE_FILE)


def test_a_model_that_is_in_memory_is_not_read_again(studio, two):
    here = studio("sd1", Settings(previews=False))
    for model in two:
        here.model = model
        here.make()
        assert here.of(ModelLoading)
        pipe = here.pipe
        here.make(steps=2, prompt="another")
        assert here.of(ModelLoading) == []
        assert here.pipe is pipe


def test_nothing_of_a_model_stays_when_another_is_loaded(studio, two):
    """Not one of its weights: neither in a cycle nor in a cache of the libraries."""
    here = studio("sd1", Settings(previews=False))
    here.model = two[0]
    here.make()
    weights = [weakref.ref(value) for value in here.pipe.unet.parameters()]
    weights += [weakref.ref(value) for value in here.pipe.text_encoder.parameters()]
    networks = [weakref.ref(here.pipe), weakref.ref(here.pipe.unet), weakref.ref(here.pipe.vae)]
    for turn in range(1, 4):
        here.model = two[turn % 2]
        here.make()
    gc.collect()
    assert [ref for ref in (*weights, *networks) if ref() is not None] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_the_same_after_ten_switches(tiny_models, tmp_path):
    """Two models, a folder and a single file, as seen from outside of torch; one that stayed would add 35 MB each time.

    With 246 MB of weights each: 610 MB when both had been loaded, and 610 MB after ten switches more.
    """
    import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(tiny_models["sd1"]), local_files_only=True)
    config = {**pipe.unet.config, "block_out_channels": (128, 256)}
    torch.manual_seed(1)
    pipe.unet = diffusers.UNet2DConditionModel.from_config(config).half()
    pipe.save_pretrained(tmp_path / "folder")
    order = ConvertOrder(tmp_path / "folder", tmp_path / "file.safetensors", ModelLayout.SINGLE_FILE)
    convert(order, lambda fraction: None, threading.Event())
    names = [str(tmp_path / "folder"), str(tmp_path / "file.safetensors")]
    code, printed, said = Forked(switch_and_print_memory, names, os.environ, tmp_path).ended()
    assert code == 0, said
    seen, unloaded = json.loads(printed)
    assert unloaded < seen[-2]
    for before, after in ((seen[0], seen[-2]), (seen[1], seen[-1])):
        assert after <= before * 1.05
