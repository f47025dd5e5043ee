"""A second, larger pass in one job: the same as the two jobs done by hand, and as A1111 counts and interpolates."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch.nn import functional

from sdstudio.core.errors import Cancelled, InvalidRequest, OutOfMemory
from sdstudio.core.events import Decoding, ImageMade, StepDone
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import LATENT
from sdstudio.engine import within_memory
from sdstudio.engine.second_pass import enlarged_latents, second_request


def pixels(image) -> np.ndarray:
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.mark.parametrize(("family", "scheduler"), [("sd1", "euler_a"), ("sdxl", "dpmpp_2m_sde")])
def test_it_equals_the_two_jobs_done_by_hand(studio, tmp_path, family, scheduler):
    here = studio(family)
    values = {"scheduler": scheduler, "steps": 3, "width": 64, "height": 80}
    second = {"hires": 1.5, "hires_strength": 0.5, "hires_prompt": "a blue heart"}
    made = here.make(seeds=(5, 6), batch_size=2, **values, **second)
    assert [image.pixels.size for image in made] == [(96, 120)] * 2
    assert [step.step for step in here.steps] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in here.steps} == {6}
    for image, seed in zip(made, (5, 6), strict=True):
        (first,) = here.make(seeds=(seed,), **values)
        first.pixels.save(tmp_path / "first.png")
        here.picture = tmp_path / "first.png"
        over = {"init_image": "5a" * 32, "strength": 0.5, "prompt": "a blue heart"}
        (by_hand,) = here.make(seeds=(seed,), **{**values, "width": 96, "height": 120, "steps": 6}, **over)
        here.picture = None
        assert np.abs(pixels(image) - pixels(by_hand)).max() <= 2
        request = image.recipe.request
        assert (request.seed, request.hires, request.width) == (seed, 1.5, 64)
        assert image.recipe.made_with["second_pass"]["scheduler"] == by_hand.recipe.made_with["scheduler"]
        (again,) = here.make(seeds=(seed,), **request.model_dump())
        assert np.abs(pixels(again) - pixels(image)).max() <= 1


def test_without_strength_it_is_only_enlarged(studio):
    here = studio("sd1")
    (first,) = here.make()
    (larger,) = here.make(hires=2, hires_strength=0)
    right = np.asarray(first.pixels.resize((128, 128), 1), dtype=np.int16)
    assert (pixels(larger) == right).all()
    assert len(here.steps) == 3


def test_latents_are_interpolated_as_torch_does(studio, monkeypatch):
    here = studio("sd1")
    drawn = []
    own = within_memory.sample

    def kept(*args):
        drawn.append(own(*args))
        return drawn[-1]

    monkeypatch.setattr(within_memory, "sample", kept)
    for name, (mode, antialias) in LATENT.items():
        (image,) = here.make(hires=1.5, hires_strength=0, hires_upscaler=name)
        right = functional.interpolate(drawn[-1].latents, (12, 12), mode=mode, antialias=antialias)
        vae = here.pipe.vae
        with torch.no_grad():
            decoded = vae.decode(right / vae.config.scaling_factor).sample
        values = ((decoded[0] / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        assert np.abs(pixels(image) - values).max() <= 1, name


@pytest.mark.parametrize(
    ("strength", "steps", "asked", "run"), [(0.5, 20, 0, 20), (0.3, 20, 0, 20), (1.0, 20, 7, 7), (0.07, 20, 3, 3)]
)
def test_exactly_the_steps_that_are_asked_for_are_run(strength, steps, asked, run):
    request = GenerationRequest(steps=steps, hires=2, hires_strength=strength, hires_steps=asked)
    second = second_request(request)
    assert second.steps_run == run
    assert second.steps == max(int(run / min(strength, 0.999)), run)  # A1111: steps / min(strength, 0.999)
    assert (second.width, second.height, second.hires) == (1024, 1024, 1)
    assert second_request(request.model_copy(update={"hires_scheduler": "heun"})).scheduler == "heun"


def test_sizes_are_cut_to_whole_cells_and_bounded():
    assert second_size(512, 520, {"hires": 1.3}) == (664, 672)  # 665.6 and 676
    with pytest.raises(InvalidRequest, match="8192 x 8192 is too large: at most 4096") as caught:
        GenerationRequest.checked({"width": 2048, "height": 2048, "hires": 4})
    assert (caught.value.field, caught.value.hint) == ("hires", "Use 2 or less, or begin smaller.")


def test_a_second_pass_that_is_cancelled_keeps_what_it_has_come_to(studio):
    here = studio("sd1")

    def stop(event):
        if isinstance(event, StepDone) and event.step == 5:
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(hires=2, on_event=stop)
    left = here.engine.take_unfinished()
    assert (left.step, left.total) == (5, 6)
    made = []
    here.cancel.clear()
    here.engine.keep(left, made.append, here.cancel)
    (image,) = [event for event in made if isinstance(event, ImageMade)]
    assert image.pixels.size == (128, 128)
    assert image.recipe.unfinished == (5, 6)


def test_cancelled_between_the_passes_the_first_can_be_kept(studio):
    here = studio("sd1")

    def stop(event):
        if isinstance(event, Decoding):
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(hires=2, on_event=stop)
    left = here.engine.take_unfinished()
    assert (left.step, left.total) == (3, 6)
    made = []
    here.engine.keep(left, made.append, threading.Event())
    (image,) = [event for event in made if isinstance(event, ImageMade)]
    assert (pixels(image) == pixels(here.make()[0])).all()
    assert image.recipe.unfinished == (3, 6)


def test_pictures_whose_second_pass_is_done_are_there_when_another_part_is_cancelled(studio, monkeypatch):
    here = studio("sd1")
    own = within_memory.sample

    def short(loaded, request, batch, *args):
        if request.width > 64 and len(batch.seeds) > 1:
            raise MemoryError
        return own(loaded, request, batch, *args)

    def stop(event):
        if isinstance(event, StepDone) and event.step == 4 and event.image == 1:
            here.cancel.set()

    monkeypatch.setattr(within_memory, "sample", short)
    with pytest.raises(Cancelled):
        here.make(seeds=(5, 6), batch_size=2, hires=2, on_event=stop)
    (first,) = here.of(ImageMade)
    assert (first.recipe.request.seed, first.recipe.made_with["batch_index"]) == (5, 0)
    left = here.engine.take_unfinished()
    assert left.seeds == (6,)
    made = []
    here.engine.keep(left, made.append, threading.Event())
    (second,) = [event for event in made if isinstance(event, ImageMade)]
    assert [second.recipe.made_with[name] for name in ("batch_size", "batch_index")] == [2, 1]


@pytest.mark.parametrize("resize", ["128x96", "96x0", "64x160"])
def test_another_shape_is_covered_and_cut_on_both_sides_alike(studio, tmp_path, monkeypatch, resize):
    here = studio("sd1")
    size = second_size(64, 80, {"hires_resize": resize})
    assert size == {"128x96": (128, 96), "96x0": (96, 120), "64x160": (64, 160)}[resize]
    values = {"width": 64, "height": 80}
    (made,) = here.make(hires_resize=resize, hires_steps=2, hires_schedule="karras", **values)
    (first,) = here.make(**values)
    first.pixels.save(tmp_path / "first.png")
    here.picture = tmp_path / "first.png"
    over = {"width": size[0], "height": size[1], "steps": 4, "strength": 0.625, "schedule": "karras"}
    (by_hand,) = here.make(init_image="5a" * 32, **over)
    here.picture = None
    assert made.recipe.made_with["second_pass"]["schedule"] == "karras"
    assert np.abs(pixels(made) - pixels(by_hand)).max() <= 2


def test_latents_of_another_shape_are_cut_as_a1111_does():
    latents = torch.randn(1, 4, 10, 8)
    request = GenerationRequest(width=64, height=80, hires_resize="128x96", hires_upscaler="Latent")
    whole = functional.interpolate(latents, (20, 16), mode="bilinear")
    assert (enlarged_latents(latents, request, 8) == whole[..., 4:16, :]).all()
    request = request.model_copy(update={"hires_resize": "64x160"})
    whole = functional.interpolate(latents, (20, 16), mode="bilinear")
    assert (enlarged_latents(latents, request, 8) == whole[..., 4:12]).all()


def test_one_that_does_not_fit_goes_down_the_ladder_and_says_so(studio, monkeypatch):
    here = studio("sd1")
    own = within_memory.sample
    at_once = []

    def short(loaded, request, batch, *args):
        if request.width > 64:
            at_once.append(len(batch.seeds))
            if len(batch.seeds) > 1:
                raise MemoryError
        return own(loaded, request, batch, *args)

    monkeypatch.setattr(within_memory, "sample", short)
    made = here.make(seeds=(5, 6), batch_size=2, hires=2)
    assert [image.pixels.size for image in made] == [(128, 128)] * 2
    assert at_once == [2, 1, 1]
    assert "Not enough memory" in here.notices[0].message
    monkeypatch.setattr(within_memory, "lower_plan", lambda *_: None)
    with pytest.raises(OutOfMemory, match="Second pass = 128 x 128"):
        here.make(seeds=(5, 6), batch_size=2, hires=2)
