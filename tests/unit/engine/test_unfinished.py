"""What a cancelled job was drawing can be kept: the clean latents its last step foresaw, decoded and marked."""

from __future__ import annotations

import functools
import threading

import diffusers
import numpy as np
import pytest
import torch

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.core.errors import Cancelled
from sdstudio.core.events import Decoding, ImageMade, StepDone
from sdstudio.engine.samplers.schedulers import build_scheduler
from tests.tiny_models import tiny_sd3

from .conftest import align_parts, request

STEPS = 5  # of 1000 levels, so that ddim steps as often


def cancelled(here, step, seeds=(11,), first=0, **values):
    """Press Cancel when a step of the batch that begins at ``first`` is told, and return what is left of it."""

    def press(event) -> None:
        if isinstance(event, StepDone) and (event.step, event.image) == (step, first):
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(seeds, on_event=press, steps=STEPS, **values)
    return here.engine.take_unfinished()


def kept(here, unfinished):
    told: list = []
    here.engine.keep(unfinished, told.append, threading.Event())
    return [event for event in told if isinstance(event, ImageMade)]


def foreseen_by_a_bare_script(folder, key, step):
    """Return the pixels of the clean latents that a stock pipeline foresees at a step."""
    pipe = diffusers.DiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    pipe.scheduler = build_scheduler(request(scheduler=key, steps=STEPS), pipe.scheduler.config, FAMILY_BY_KEY["sd1"])
    align_parts(pipe)
    clean: list = []
    own = pipe.scheduler.step

    @functools.wraps(own)
    def watched(*args, **kwargs):
        kwargs["return_dict"] = True
        result = own(*args, **kwargs)
        clean.append(result.pred_original_sample)
        return (result.prev_sample,)

    pipe.scheduler.step = watched
    with torch.no_grad():
        pipe(
            "a red heart", width=64, height=64, guidance_scale=5.0, num_inference_steps=STEPS, output_type="latent",
            generator=torch.Generator("cpu").manual_seed(11),
        )  # fmt: skip
        decoded = pipe.vae.decode(clean[step - 1] / pipe.vae.config.scaling_factor).sample
    return np.asarray(pipe.image_processor.postprocess(decoded)[0])


@pytest.mark.parametrize("key", ["euler_a", "ddim"])
def test_what_is_kept_is_bit_by_bit_what_that_step_of_the_same_run_foresaw(studio, tiny_models, key):
    here = studio("sd1")
    unfinished = cancelled(here, 4, scheduler=key)
    assert (unfinished.step, unfinished.total, unfinished.seeds) == (4, STEPS, (11,))
    (picture,) = kept(here, unfinished)
    assert np.array_equal(np.asarray(picture.pixels), foreseen_by_a_bare_script(tiny_models["sd1"], key, 4))
    assert picture.recipe.unfinished == (4, STEPS)
    assert picture.recipe.request == request(scheduler=key, steps=STEPS, seed=11)
    (again,) = kept(here, unfinished)
    assert np.array_equal(np.asarray(again.pixels), np.asarray(picture.pixels))


def test_of_a_batch_all_pictures_are_kept_that_were_being_drawn(studio):
    here = studio("sd1")
    unfinished = cancelled(here, 2, seeds=(1, 2, 3, 4, 5), batch_size=2, first=2)
    assert unfinished.seeds == (3, 4)
    assert [event.recipe.request.seed for event in here.of(ImageMade)] == [1, 2]
    pictures = kept(here, unfinished)
    told = [(one.recipe.request.seed, one.recipe.made_with["batch_index"]) for one in pictures]
    assert told == [(3, 0), (4, 1)]
    assert {one.recipe.unfinished for one in pictures} == {(2, STEPS)}


def test_with_only_the_decoding_left_the_picture_is_a_finished_one(studio):
    here = studio("sd1")
    (whole,) = here.make([11], steps=STEPS)

    def press(event) -> None:
        if isinstance(event, Decoding):
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make([11], on_event=press, steps=STEPS)
    (picture,) = kept(here, here.engine.take_unfinished())
    assert np.array_equal(np.asarray(picture.pixels), np.asarray(whole.pixels))
    assert picture.recipe.unfinished is None


def test_nothing_is_kept_before_the_first_step_nor_of_a_picture_that_was_finished(studio):
    here = studio("sd1")
    here.make([1])
    assert here.engine.take_unfinished() is None
    hook = here.pipe.unet.register_forward_pre_hook(lambda *_: here.cancel.set())
    with pytest.raises(Cancelled):
        here.make([1])
    hook.remove()
    assert here.engine.take_unfinished() is None


def test_of_a_pipeline_whose_latents_are_unknown_nothing_is_kept(studio, tmp_path):
    assert cancelled(studio("other", path=tiny_sd3(tmp_path / "tiny-sd3")), 2) is None
