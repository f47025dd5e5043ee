from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.core.errors import OutOfMemory
from sdstudio.core.events import ImageMade
from sdstudio.core.settings import Settings
from sdstudio.engine.device.devices import KIND_BY_KEY, Device, DeviceKind
from sdstudio.engine.device.memory import LADDER, SWITCHES, MemoryPlan, apply, is_out_of_memory, thriftier

CPU = Device(KIND_BY_KEY["cpu"], torch.float32)
APPLE = Device(KIND_BY_KEY["mps"], torch.float16)
GPU = Device(
    DeviceKind("cuda", lambda: True, lambda: "Test GPU", lambda: (0, 0), lambda: None, torch.float16, torch.float16),
    torch.float16,
)


def processors(pipe):
    return {type(processor).__name__ for processor in pipe.unet.attn_processors.values()}


def layout(network):
    weights = [
        weight for weight in network.parameters() if weight.ndim == 4 and min(weight.shape[1], weight.shape[2]) > 1
    ]
    return {weight.is_contiguous(memory_format=torch.channels_last) for weight in weights}


def hooked(pipe):
    return [hasattr(part, "_hf_hook") for part in (pipe.unet, pipe.vae, pipe.text_encoder)]


# Switch -> setting -> what is seen on the pipeline, off and on.
OBSERVED = {
    "attention_slicing": (True, processors, {"AttnProcessor2_0"}, {"SlicedAttnProcessor"}),
    "vae_slicing": (True, lambda pipe: pipe.vae.use_slicing, False, True),
    "vae_tiling": (True, lambda pipe: pipe.vae.use_tiling, False, True),
    "channels_last": (True, lambda pipe: layout(pipe.unet) | layout(pipe.vae), {False}, {True}),
    "cudnn_benchmark": (True, lambda pipe: torch.backends.cudnn.benchmark, False, True),
}


def test_every_switch_is_observed_here():
    assert set(OBSERVED) | {"offload"} == {switch.name for switch in SWITCHES}


@pytest.mark.parametrize("name", OBSERVED)
def test_a_switch_acts_is_recorded_and_can_be_turned_off_again(studio, name):
    value, look, off, on = OBSERVED[name]
    here = studio("sd1", Settings(previews=False))
    (before,) = here.make([5], scheduler="ddim")
    assert look(here.pipe) == off
    assert before.recipe.made_with["memory"] == {}
    here.engine.configure(Settings(previews=False, **{name: value}))
    (image,) = here.make([5], scheduler="ddim")
    assert look(here.pipe) == on
    assert image.recipe.made_with["memory"] == {name: value}
    assert np.abs(np.asarray(image.pixels, dtype=int) - np.asarray(before.pixels)).mean() < 2
    here.engine.configure(Settings(previews=False))
    (after,) = here.make([5], scheduler="ddim")
    assert look(here.pipe) == off
    assert np.array_equal(np.asarray(after.pixels), np.asarray(before.pixels))


@pytest.mark.parametrize("key", ["euler", "dpmpp_2m", "heun", "dpmpp_sde", "pndm"])
def test_autocast_computes_in_half_and_keeps_weights_and_latents(studio, key):
    here = studio("sd1")
    (before,) = here.make([5], scheduler=key)
    seen, latents = [], []
    hooks = [
        here.pipe.unet.conv_in.register_forward_hook(lambda module, args, output: seen.append(output.dtype)),
        here.pipe.unet.register_forward_pre_hook(lambda module, args: latents.append(args[0].dtype)),
    ]
    here.engine.configure(Settings(previews=False, autocast=True))
    (image,) = here.make([5], scheduler=key)
    for hook in hooks:
        hook.remove()
    assert set(seen) == {torch.bfloat16}
    assert set(latents) == {torch.float32}
    assert here.pipe.unet.dtype == torch.float32
    assert image.recipe.made_with["memory"] == {"autocast": True}
    difference = np.abs(np.asarray(image.pixels, dtype=int) - np.asarray(before.pixels))
    assert 0 < difference.mean() < 12


def test_offloading_hooks_every_part_and_is_taken_back_without_a_trace(studio):
    """On the CPU's own device, for want of another: the hooks move nothing, but they are the ones a GPU gets."""
    here = studio("sdxl", Settings(previews=False))
    (before,) = here.make([5])
    loaded = here.engine.loaded
    apply(MemoryPlan(offload="model"), MemoryPlan(), loaded.pipe, torch.device("cpu", 0))
    assert hooked(loaded.pipe) == [True, True, True]
    (image,) = here.make([5])  # the engine believes that nothing is offloaded, so it changes nothing
    assert np.array_equal(np.asarray(image.pixels), np.asarray(before.pixels))
    apply(MemoryPlan(), MemoryPlan(offload="model"), loaded.pipe, torch.device("cpu"))
    assert hooked(loaded.pipe) == [False, False, False]
    assert {weight.device.type for weight in loaded.pipe.unet.parameters()} == {"cpu"}
    (after,) = here.make([5])
    assert np.array_equal(np.asarray(after.pixels), np.asarray(before.pixels))


def test_sequential_offloading_takes_every_weight_away_and_gives_it_back(studio):
    here = studio("sd1", Settings(previews=False))
    (before,) = here.make([5])
    pipe = here.engine.loaded.pipe
    apply(MemoryPlan(offload="sequential"), MemoryPlan(), pipe, torch.device("cpu", 0))
    assert {weight.device.type for weight in pipe.unet.parameters()} == {"meta"}
    apply(
        MemoryPlan(offload="sequential", channels_last=True),
        MemoryPlan(offload="sequential"),
        pipe,
        torch.device("cpu", 0),
    )
    assert hooked(pipe) == [True, True, True]
    apply(MemoryPlan(), MemoryPlan(offload="sequential", channels_last=True), pipe, torch.device("cpu"))
    assert layout(pipe.unet) == {False}
    (after,) = here.make([5])
    assert np.array_equal(np.asarray(after.pixels), np.asarray(before.pixels))


def test_a_plan_that_was_broken_off_is_carried_out_from_wherever_it_stopped(studio):
    here = studio("sd1", Settings(previews=False))
    here.make(steps=1)
    pipe = here.engine.loaded.pipe
    pipe.vae.to(memory_format=torch.channels_last)
    apply(MemoryPlan(), None, pipe, torch.device("cpu"))
    assert layout(pipe.unet) | layout(pipe.vae) == {False}
    pipe.vae.to("meta")
    apply(MemoryPlan(), None, pipe, torch.device("meta"))
    assert {
        weight.device.type for part in (pipe.unet, pipe.vae, pipe.text_encoder) for weight in part.parameters()
    } == {"meta"}


def test_offloading_to_a_cpu_from_a_cpu_is_neither_done_nor_recorded(studio):
    here = studio("sd1", Settings(previews=False, offload="sequential"))
    (image,) = here.make()
    assert image.recipe.made_with["memory"] == {}
    assert hooked(here.pipe) == [False, False, False]


def descent(plan, stage, device, count):
    told = []
    while (lower := thriftier(plan, stage, device, count)) is not None:
        plan, words = lower
        count = min(count, plan.batch_size) if stage == "sampling" else count
        told.append(words)
    return told


def test_the_ladder_goes_down_by_stage_and_ends():
    assert descent(MemoryPlan(4), "sampling", GPU, 4) == [
        "fewer pictures at once", "fewer pictures at once", "CPU offload of whole models", "sequential CPU offload",
    ]  # fmt: skip
    assert descent(MemoryPlan(4), "decoding", GPU, 4) == [
        "VAE slicing", "VAE tiling", "CPU offload of whole models", "sequential CPU offload",
    ]  # fmt: skip
    assert descent(MemoryPlan(), "loading", GPU, 1) == ["CPU offload of whole models", "sequential CPU offload"]
    assert descent(MemoryPlan(), "sampling", CPU, 1) == []
    assert descent(MemoryPlan(), "sampling", APPLE, 1)[0] == "attention slicing"
    assert descent(MemoryPlan(), "decoding", CPU, 1) == ["VAE tiling"]
    assert descent(MemoryPlan(offload="sequential", attention_slicing=True), "sampling", APPLE, 1) == []
    assert {rung.message for rung in LADDER} >= set(descent(MemoryPlan(4), "sampling", APPLE, 4))


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.05 GB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (MemoryError(), True),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error, full):
    assert is_out_of_memory(error) is full


def test_a_real_failed_allocation_is_recognised():
    with pytest.raises(RuntimeError) as error:
        torch.empty(10**15)
    assert is_out_of_memory(error.value)


class Full:
    """Makes a network run out of memory: always, or while ``when`` says so."""

    def __init__(self, network, when=lambda args: True, error=None):
        self.calls = 0

        def pressed(module, args):
            self.calls += 1
            if when(args):
                if error is None:
                    torch.empty(10**15)
                raise error

        self.hook = network.register_forward_pre_hook(pressed)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.hook.remove()


def test_the_foot_of_the_ladder_names_size_and_hint_and_the_engine_works_again(studio):
    here = studio("sd1", Settings(previews=False))
    (before,) = here.make([5], width=128, height=128)
    with Full(here.pipe.unet) as full, pytest.raises(OutOfMemory) as error:
        here.make([5], width=128, height=128)
    assert error.value.message == "Size = 128 x 128: the memory of CPU does not suffice."
    assert error.value.hint == "Try 64 x 64, or close other programs."
    assert full.calls == 1
    assert here.notices == []
    assert here.of(ImageMade) == []
    (after,) = here.make([5], width=128, height=128)
    assert after.recipe.made_with["memory"] == {}
    assert np.array_equal(np.asarray(after.pixels), np.asarray(before.pixels))


def test_memory_that_runs_out_while_it_is_being_saved_is_said_as_such(studio, monkeypatch):
    here = studio("sd1", Settings(previews=False))
    here.make([5])

    begun: list[MemoryPlan] = []

    def refuse(plan, *rest):
        begun.append(plan)
        if len(begun) > 1:  # the first plan is that of the job itself
            raise torch.OutOfMemoryError("CUDA out of memory.")
        apply(plan, *rest)

    with Full(here.pipe.unet), monkeypatch.context() as patched:
        patched.setattr("sdstudio.engine.model_files.loading.apply", refuse)
        with pytest.raises(OutOfMemory, match="Size = 64 x 64"):
            here.make([5])
    assert len(here.make([5])) == 1


def test_a_batch_that_does_not_fit_is_made_in_smaller_ones(studio):
    here = studio("sd1", Settings(previews=False))
    alone = here.make([1, 2, 3, 4, 5], batch_size=1, guidance_scale=1.0)
    error = torch.OutOfMemoryError("CUDA out of memory.")
    with Full(here.pipe.unet, lambda args: args[0].shape[0] > 1, error):
        images = here.make([1, 2, 3, 4, 5], batch_size=5, guidance_scale=1.0)
    assert [notice.message for notice in here.notices] == [
        "Not enough memory: trying again with fewer pictures at once."
    ] * 2
    assert [image.recipe.request.seed for image in images] == [1, 2, 3, 4, 5]
    assert {image.recipe.made_with["batch_size"] for image in images} == {1}
    for image, other in zip(images, alone, strict=True):
        assert np.array_equal(np.asarray(image.pixels), np.asarray(other.pixels))


def test_a_decode_that_does_not_fit_is_tiled_without_drawing_again(studio):
    here = studio("sd1", Settings(previews=False))
    here.make([5])
    drawn = []
    count = here.pipe.unet.register_forward_hook(lambda *args: drawn.append(1))
    here.pipe.vae.tile_latent_min_size, here.pipe.vae.tile_sample_min_size = 4, 32
    with Full(here.pipe.vae.decoder, lambda args: args[0].shape[-1] > 4):
        (image,) = here.make([5])
    count.remove()
    assert len(drawn) == 3
    assert image.recipe.made_with["memory"] == {"vae_tiling": True}
    assert [notice.message for notice in here.notices] == ["Not enough memory: trying again with VAE tiling."]


def test_a_decode_of_a_batch_that_does_not_fit_goes_picture_by_picture(studio):
    here = studio("sd1", Settings(previews=False))
    alone = here.make([1, 2, 3])
    with Full(here.pipe.vae.decoder, lambda args: args[0].shape[0] > 1):
        images = here.make([1, 2, 3], batch_size=3)
    assert [image.recipe.made_with["memory"] for image in images] == [{"vae_slicing": True}] * 3
    for image, other in zip(images, alone, strict=True):
        assert np.abs(np.asarray(image.pixels, dtype=int) - np.asarray(other.pixels)).max() <= 2


def test_thrift_ends_with_its_job(studio):
    here = studio("sd1", Settings(previews=False))
    here.make([5])
    runs = []
    with Full(here.pipe.vae.decoder, lambda args: not runs and (runs.append(1) or True)):
        (thrifty,) = here.make([5])
    assert thrifty.recipe.made_with["memory"] == {"vae_tiling": True}
    (image,) = here.make([5])
    assert image.recipe.made_with["memory"] == {}
    assert not here.pipe.vae.use_tiling


def test_other_runtime_errors_come_out_as_they_are(studio):
    here = studio("sd1", Settings(previews=False))
    here.make()
    with Full(here.pipe.unet, error=RuntimeError("a bug")), pytest.raises(RuntimeError, match="a bug"):
        here.make()
    assert len(here.make()) == 1


def test_a_load_that_does_not_fit_says_so_and_can_be_tried_again(studio, monkeypatch):
    from diffusers import AutoencoderKL

    here = studio("sd1", Settings(previews=False))
    monkeypatch.setattr(AutoencoderKL, "from_pretrained", classmethod(lambda cls, *args, **kwargs: torch.empty(10**15)))
    with pytest.raises(OutOfMemory, match="to load"):
        here.make()
    monkeypatch.undo()
    assert here.engine.status().model == ""
    assert len(here.make()) == 1
