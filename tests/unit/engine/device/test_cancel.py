from __future__ import annotations

import contextlib
import threading
import time

import numpy as np
import pytest
import torch

from sdstudio.core.errors import Cancelled
from sdstudio.core.events import Decoding, ImageMade, ModelLoading, StepDone
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.settings import Settings
from tests.unit.engine.conftest import request


def stop_in(here, module, call=1):
    """Set the cancel event the ``call``-th time that ``module`` runs, from within it. Returns the hook."""
    calls = []

    def pressed(module, args):
        calls.append(1)
        if len(calls) == call:
            here.cancel.set()

    return module.register_forward_pre_hook(pressed)


def count_runs(modules):
    runs = []
    hooks = [module.register_forward_hook(lambda *args: runs.append(1)) for module in modules]
    return runs, hooks


PLACES = {
    "text encoder": lambda pipe: pipe.text_encoder.encoder.layers[1],
    "inside a step": lambda pipe: pipe.unet.mid_block.attentions[0],
    "decode": lambda pipe: pipe.vae.decoder.up_blocks[1].resnets[0],
}


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("place", PLACES)
def test_cancel_stops_at_the_next_block_and_leaves_the_pipeline_as_it_was(studio, place, family):
    here = studio(family)
    (before,) = here.make([4])
    own_scheduler = here.pipe.scheduler
    hook = stop_in(here, PLACES[place](here.pipe), call=2 if place == "inside a step" else 1)
    with pytest.raises(Cancelled):
        here.make([4])
    hook.remove()
    assert here.of(ImageMade) == []
    assert len(here.steps) == {"text encoder": 0, "inside a step": 1, "decode": 3}[place]
    assert len(here.of(Decoding)) == (place == "decode")
    assert here.pipe.scheduler is own_scheduler
    (after,) = here.make([4])
    assert np.array_equal(np.asarray(before.pixels), np.asarray(after.pixels))


def test_not_one_block_runs_after_the_wish(studio):
    here = studio("sd1")
    here.make()
    later = [*here.pipe.unet.up_blocks[-1].resnets, *here.pipe.vae.decoder.mid_block.resnets]
    runs, hooks = count_runs(later)
    hooks.append(stop_in(here, here.pipe.unet.mid_block.resnets[0]))
    with pytest.raises(Cancelled):
        here.make()
    for hook in hooks:
        hook.remove()
    assert runs == []


def test_cancel_between_steps(studio):
    here = studio("sd1")
    (before,) = here.make([4])
    with pytest.raises(Cancelled):
        here.make([4], on_event=lambda event: here.cancel.set() if isinstance(event, StepDone) else None)
    assert len(here.steps) == 1
    (after,) = here.make([4])
    assert np.array_equal(np.asarray(before.pixels), np.asarray(after.pixels))


def test_cancel_between_the_tiles_of_a_tiled_decode(studio):
    here = studio("sd1", Settings(vae_tiling=True, previews=False))
    here.make()
    here.pipe.vae.tile_latent_min_size, here.pipe.vae.tile_sample_min_size = 4, 32
    first = here.pipe.vae.decoder.mid_block.resnets[0]
    runs, hooks = count_runs([first])
    (before,) = here.make([4])
    tiles = len(runs)
    runs.clear()
    hooks.append(stop_in(here, first, call=2))
    with pytest.raises(Cancelled):
        here.make([4])
    for hook in hooks:
        hook.remove()
    assert tiles == 9
    assert len(runs) == 2
    (after,) = here.make([4])
    assert np.array_equal(np.asarray(before.pixels), np.asarray(after.pixels))


def test_pictures_made_before_the_wish_are_kept(studio):
    here = studio("sd1")
    with pytest.raises(Cancelled):
        here.make([1, 2, 3], on_event=lambda event: here.cancel.set() if isinstance(event, ImageMade) else None)
    assert [image.index for image in here.of(ImageMade)] == [0]


def test_a_wish_from_before_makes_nothing(studio, tiny_models):
    here = studio("sd1")
    here.make()
    cancel = threading.Event()
    cancel.set()
    events = []
    with pytest.raises(Cancelled):
        here.engine.generate(ResolvedRequest(request(), here.model), [1], 1, events.append, cancel)
    assert not [event for event in events if not isinstance(event, ModelLoading)]


def test_cancel_between_two_parts_of_a_load(studio):
    here = studio("sd1", Settings(previews=False))
    with pytest.raises(Cancelled):
        here.make(on_event=lambda event: here.cancel.set() if getattr(event, "part", "") == "unet" else None)
    assert here.of(ModelLoading)[-1].part == "unet"
    assert here.engine.status().model == ""
    assert len(here.make()) == 1


def test_cancel_inside_a_part_of_a_load(studio, monkeypatch):
    """The wish comes while the UNet's weights are copied, one by one, as from_pretrained does."""
    from diffusers import UNet2DConditionModel

    here = studio("sd1", Settings(previews=False))
    real = UNet2DConditionModel.from_pretrained.__func__

    def slow(cls, *args, **kwargs):
        model = real(cls, *args, **kwargs)
        here.cancel.set()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            torch.zeros(10).clone()
        return model

    monkeypatch.setattr(UNet2DConditionModel, "from_pretrained", classmethod(slow))
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        here.make()
    assert time.monotonic() - begun < 10
    monkeypatch.undo()
    dtype = torch.get_default_dtype()
    assert dtype == torch.float32
    fresh = studio("sd1", Settings(previews=False))
    assert np.array_equal(np.asarray(here.make([2])[0].pixels), np.asarray(fresh.make([2])[0].pixels))


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.04, 0.06, 0.09, 0.13])
def test_cancel_at_any_moment_of_a_load_leaves_an_engine_that_works(studio, delay_s):
    reference = np.asarray(studio("sdxl").make([3])[0].pixels)
    here = studio("sdxl", Settings(previews=False))
    timers = []

    def start(event):
        if isinstance(event, ModelLoading) and not timers:
            timers.append(threading.Timer(delay_s, here.cancel.set))
            timers[0].start()

    with contextlib.suppress(Cancelled):
        here.make([3], on_event=start)
    timers[0].join()
    assert np.array_equal(np.asarray(here.make([3])[0].pixels), reference)


def test_checks_stand_in_front_of_every_block(studio):
    here = studio("sd1")
    here.make()
    checks = here.engine.loaded.checks
    kinds = {"ResnetBlock2D", "Transformer2DModel", "BasicTransformerBlock", "Attention", "CLIPEncoderLayer"}
    networks = (here.pipe.unet, here.pipe.vae.decoder, here.pipe.text_encoder)
    blocks = [module for network in networks for module in network.modules() if type(module).__name__ in kinds]
    guarded = [block for block in blocks if block._forward_pre_hooks]
    mid = [here.pipe.unet.mid_block.attentions[0], here.pipe.vae.decoder.mid_block.attentions[0]]
    assert len(guarded) == len(blocks) > 20
    assert all(block._forward_pre_hooks for block in mid)
    assert len(checks) >= len(blocks)
