"""Drawing a part of a picture anew: what is kept stays bit by bit in every way; the rest is the stock pipelines'."""

from __future__ import annotations

import threading

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import Cancelled, InvalidRequest
from sdstudio.core.events import StepDone
from sdstudio.core.settings import Settings
from sdstudio.engine.batch import Batch, sample
from sdstudio.engine.device.memory import MemoryPlan
from sdstudio.engine.families.base import AROUND
from sdstudio.engine.pictures import seams
from sdstudio.engine.pictures.masked import masked_picture
from sdstudio.engine.samplers.blending import Blending, DifferentialBlending
from sdstudio.engine.samplers.schedulers import build_scheduler
from tests.unit.engine.conftest import align_parts, request

ID = "5a" * 32
VALUES = {"init_image": ID, "mask": ID, "strength": 0.6, "steps": 5, "mask_blur": 0}


def levels(image):
    return np.asarray(getattr(image, "pixels", image), dtype=np.int16)


def save_mask(tmp_path, array, name="mask.png"):
    path = tmp_path / name
    Image.fromarray(array.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "in.png"
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((64, 64)).save(path)
    return path


@pytest.fixture
def square():
    """A mask whose white part keeps to the cells of the latents: 24 px from the left and the top, 24 wide and high."""
    mask = np.zeros((64, 64), np.uint8)
    mask[24:48, 24:48] = 255
    return mask


@pytest.fixture
def masked(studio, picture, tmp_path):
    """Draw over the picture under a mask."""

    def make(mask, family="sd1", seeds=(1,), here=None, path=None, **values):
        here = here or studio(family)
        before = here.picture, here.mask
        here.picture, here.mask = path or picture, save_mask(tmp_path, mask)
        try:
            return here.make(seeds, len(seeds), **{**VALUES, **values})
        finally:
            here.picture, here.mask = before

    return make


def test_what_is_not_masked_stays_bit_by_bit_and_what_is_is_drawn_anew(masked, picture, square):
    old = levels(Image.open(picture))
    (image,) = masked(square)
    assert np.array_equal(levels(image)[square == 0], old[square == 0])
    assert np.abs(levels(image) - old)[square > 0].mean() > 5
    assert image.recipe.request.mask == ID


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("key", ["ddim", "euler", "dpmpp_2m", "heun", "unipc"])
def test_latents_are_those_of_the_stock_inpainting_pipeline(studio, tiny_models, square, family, key):
    here = studio(family)
    here.make()
    loaded = here.engine.loaded
    begin = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(5))
    cells = torch.from_numpy(square.reshape(8, 8, 8, 8).max(axis=(1, 3)) / 255).float()[None, None]
    asked = request(scheduler=key, **{**VALUES, "steps": 6})
    drawn = sample(
        loaded, asked, Batch((11,), 0, 1), MemoryPlan(), device_of(here), None, lambda event: None,
        {"init_image": begin, "mask": cells},
    )  # fmt: skip
    stock = getattr(diffusers, f"StableDiffusion{'XL' if family == 'sdxl' else ''}InpaintPipeline")
    more = {} if family == "sdxl" else {"requires_safety_checker": False}
    pipe = stock(**{**here.pipe.components, "scheduler": loaded.scheduler}, **more)
    pipe.scheduler = build_scheduler(asked, loaded.scheduler.config, FAMILY_BY_KEY[family])
    pipe.set_progress_bar_config(disable=True)
    count = getattr(pipe.scheduler, "steps_taken", 6)
    bare = pipe(
        "a red heart", image=begin, mask_image=torch.from_numpy(square / 255).float()[None, None],
        masked_image_latents=torch.zeros_like(begin), strength=3.5 / count, guidance_scale=5.0, height=64, width=64,
        generator=torch.Generator("cpu").manual_seed(11), num_inference_steps=count, output_type="latent",
    ).images  # fmt: skip
    assert (drawn.latents - bare).abs().max() < 6e-6
    kept = cells[0, 0] == 0
    assert torch.equal(drawn.latents[0][:, kept], begin[0][:, kept])


def device_of(here):
    from sdstudio.engine.device.devices import choose_device

    return choose_device(Settings())


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_every_sampler_keeps_what_is_not_masked(masked, picture, square, spec):
    (image,) = masked(square, scheduler=spec.key, steps=4, strength=0.8)
    old = levels(Image.open(picture))
    assert np.array_equal(levels(image)[square == 0], old[square == 0])
    assert np.abs(levels(image) - old)[square > 0].mean() > 5


@pytest.mark.parametrize(
    "values",
    [
        {"masked_content": "fill"}, {"masked_content": "latent_noise", "strength": 1.0},
        {"masked_content": "latent_nothing"}, {"mask_blur": 3}, {"only_masked": 4}, {"only_masked": 0, "mask_blur": 2},
        {"mask_blending": "differential"}, {"mask_blending": "differential", "mask_blur": 4, "only_masked": 8},
        {"mask_mode": "not_masked"}, {"strength": 1.0}, {"rng": "nvidia", "scheduler": "euler_a"},
    ],
    ids=str,
)  # fmt: skip
def test_every_way_is_exact_at_its_edge_in_a_batch_and_again(studio, masked, picture, square, tmp_path, values):
    """Where the share is 0 the picture stays; elsewhere it is round(a new + (1 - a) old) of what was decoded."""
    seeds = (3, 4)
    batch = masked(square, seeds=seeds, **values)
    over = masked_picture(picture, save_mask(tmp_path, square), request(**{**VALUES, **values}))
    old, share = levels(over.original), over.alpha.astype(np.float64)[..., None] / 255
    assert (over.alpha == 0).any()
    assert (over.alpha == 255).any()
    for seed, image in zip(seeds, batch, strict=True):
        assert image.pixels.size == over.original.size
        assert np.array_equal(levels(image)[over.alpha == 0], old[over.alpha == 0])
        assert np.abs(levels(image) - old)[over.alpha == 255].mean() > 3
        (alone,), (again,) = (masked(square, seeds=[seed], **values) for _ in range(2))
        assert np.array_equal(levels(alone), levels(again))
        assert np.abs(levels(image) - levels(alone)).max() <= 2
    new = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    exact = np.floor(share * levels(over.spread(new)) + (1 - share) * old + 0.5)
    assert np.array_equal(levels(over.composed(new, over.alpha)), exact)


def test_a_batch_split_by_memory_and_a_picture_that_was_cancelled_keep_the_rest(studio, masked, picture, square):
    old = levels(Image.open(picture))
    here = studio("sd1", Settings(previews=False, vae_slicing=True))
    for image in masked(square, here=here, seeds=(1, 2, 3)):
        assert np.array_equal(levels(image)[square == 0], old[square == 0])
    here = studio("sd1", Settings(previews=False))

    def stop(event):
        if isinstance(event, StepDone) and event.step == 2:
            here.cancel.set()

    here.picture, here.mask = picture, picture.parent / "mask.png"
    with pytest.raises(Cancelled):
        here.make((1,), 1, stop, **VALUES)
    unfinished = here.engine.take_unfinished()
    kept = []
    here.engine.keep(unfinished, kept.append, threading.Event())
    (image,) = [event for event in kept if hasattr(event, "pixels")]
    assert np.array_equal(levels(image)[square == 0], old[square == 0])
    assert np.abs(levels(image) - old)[square > 0].mean() > 3


def test_only_masked_is_drawn_at_the_full_size_and_the_picture_keeps_its_own(masked, tmp_path):
    path = tmp_path / "large.png"
    rng = np.random.default_rng(8)
    Image.fromarray(rng.integers(0, 256, (160, 200, 3), np.uint8)).save(path)
    mask = np.zeros((160, 200), np.uint8)
    mask[40:60, 120:160] = 255
    (image,) = masked(mask, path=path, only_masked=8, mask_blur=2)
    assert image.pixels.size == (200, 160)
    assert (image.recipe.request.width, image.recipe.request.height) == (64, 64)
    old, new = levels(Image.open(path)), levels(image)
    assert np.array_equal(new[:30], old[:30])
    assert np.array_equal(new[:, :110], old[:, :110])
    assert np.abs(new - old)[40:60, 120:160].mean() > 5


def test_at_strength_0_and_under_a_mask_the_picture_comes_back_whole(masked, tmp_path, square):
    path = tmp_path / "large.png"
    Image.effect_noise((96, 80), 90).convert("RGB").save(path)
    mask = np.zeros((80, 96), np.uint8)
    mask[8:16, 8:16] = 255
    (image,) = masked(mask, path=path, only_masked=8, strength=0)
    assert np.array_equal(levels(image), levels(Image.open(path)))


def test_differential_diffusion_lets_a_part_go_when_its_share_of_the_steps_is_left():
    """Before step i of n (from 0 on) what is masked by m may change where m >= 1 - i / n (Levin and Fried 2023)."""
    scheduler = diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    scheduler.set_timesteps(5)
    change = torch.tensor([0.0, 0.19, 0.2, 0.5, 0.6, 0.99, 1.0]).reshape(1, 1, 1, 7)
    blending = DifferentialBlending(change, "original")
    blending.watch(scheduler)
    clean, noise = torch.full((1, 4, 1, 7), 2.0), torch.full((1, 4, 1, 7), 3.0)
    scheduler.add_noise(clean, noise, scheduler.timesteps[:1])
    for index in range(5):
        left = blending.after(scheduler, index, 5, torch.full_like(clean, 77.0))[0, 0, 0]
        may_change = (change[0, 0, 0] > 0) & (change[0, 0, 0].double() >= 1 - (index + 1) / 5 - 1e-9)
        assert torch.equal(left == 77, may_change)
        if index < 4:
            signal = float(scheduler.alphas_cumprod[scheduler.timesteps[index + 1]])
            assert torch.allclose(left[~may_change], torch.tensor(2 * signal**0.5 + 3 * (1 - signal) ** 0.5))
    assert torch.equal(left[~may_change], clean[0, 0, 0][~may_change])


@pytest.mark.parametrize(("content", "share"), [("latent_noise", 1.0), ("latent_nothing", 0.0)])
def test_the_masked_content_in_latent_space_is_the_seeds_noise_or_nothing(content, share):
    scheduler = diffusers.EulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    scheduler.set_begin_index(1)
    clean, noise = torch.randn((2, 2, 4, 2, 2), generator=torch.Generator().manual_seed(3))
    change = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[None, None]
    blending = Blending(change, content)
    blending.watch(scheduler)
    begun = scheduler.add_noise(clean, noise, scheduler.timesteps[1:2])
    wanted = torch.where(change > 0, share * noise, clean) + noise * scheduler.sigmas[1]
    assert torch.allclose(begun, wanted, atol=1e-6)
    assert torch.equal(blending.end(torch.zeros_like(clean)), torch.where(change > 0, 0.0, clean))


def test_what_is_no_mask_of_the_picture_is_refused_at_its_field(studio, masked, picture):
    with pytest.raises(InvalidRequest, match="Mask = 32 x 64 pixels: allowed is the size of the input picture") as size:
        masked(np.full((64, 32), 255, np.uint8))
    with pytest.raises(InvalidRequest, match="all black") as black:
        masked(np.zeros((64, 64), np.uint8))
    with pytest.raises(InvalidRequest, match="nowhere lighter than half") as dark:
        masked(np.full((64, 64), 100, np.uint8))
    assert {raised.value.field for raised in (size, black, dark)} == {"mask"}
    (image,) = masked(np.full((64, 64), 255, np.uint8))
    assert not np.array_equal(levels(image), levels(Image.open(picture)))
    notices = [notice.message for notice in studio("sd1").notices]
    assert notices == ["Mask = all white: the whole picture is drawn anew, as without one."]


def test_the_colours_around_the_mask_are_given_to_what_is_drawn(square):
    """The shift of the ring is carried on into the masked part, from its nearest places."""
    old = np.random.default_rng(2).integers(60, 190, (64, 64, 3)).astype(np.uint8)
    shift = np.zeros((64, 64, 3), np.int16)
    shift[:36] += np.array([3, 9, -2], np.int16)
    shift[36:] += np.array([0, -6, 5], np.int16)
    drawn = Image.fromarray((old + shift).astype(np.uint8))
    result = levels(seams.matched(drawn, Image.fromarray(old), square)) - old
    assert np.abs(result[24:30, 28:44]).max() <= 2
    assert np.abs(result[42:48, 28:44]).max() <= 2
    assert np.abs(result[24:48, 24:48]).mean() < 0.4 * np.abs(shift[24:48, 24:48]).mean()
    all_masked = np.full_like(square, 255)
    assert np.array_equal(levels(seams.matched(drawn, Image.fromarray(old), all_masked)), old + shift)


@pytest.mark.parametrize("family", ["sd1_inpaint", "sdxl_inpaint"])
@pytest.mark.parametrize("key", ["euler", "dpmpp_2m"])
def test_a_model_for_inpainting_draws_as_its_stock_pipeline_does(studio, tiny_models, picture, square, family, key):
    here = studio(family)
    here.make()
    loaded = here.engine.loaded
    assert [notice.message for notice in here.notices] == [
        f"{loaded.info.name} is a model for inpainting: without a mask it draws the whole picture."
    ]
    asked = request(scheduler=key, **{**VALUES, "steps": 6})
    pipe = diffusers.DiffusionPipeline.from_pretrained(str(tiny_models[family]), local_files_only=True)
    align_parts(pipe)
    pipe.scheduler = build_scheduler(asked, pipe.scheduler.config, FAMILY_BY_KEY[family.partition("_")[0]])
    pipe.set_progress_bar_config(disable=True)
    mask = torch.from_numpy(square / 255).float()[None, None]
    pixels_in = pipe.image_processor.preprocess(Image.open(picture))
    with torch.no_grad():
        begin, around = (
            pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
            for pixels in (pixels_in, pixels_in * (mask < 0.5))
        )
    cells = torch.nn.functional.interpolate(mask, (8, 8))
    inputs = {"init_image": begin, "mask": cells, AROUND: around}
    drawn = sample(loaded, asked, Batch((11,), 0, 1), MemoryPlan(), device_of(here), None, lambda event: None, inputs)
    count = getattr(pipe.scheduler, "steps_taken", 6)

    def put_back(_pipe, index, _timestep, tensors):
        following = pipe.scheduler.timesteps[index + 4 : index + 5]
        kept = begin if index == 2 else pipe.scheduler.add_noise(begin, noise, following)
        return {"latents": (1 - cells) * kept + cells * tensors["latents"]}

    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator("cpu").manual_seed(11))
    bare = pipe(
        "a red heart", image=begin, mask_image=mask, masked_image_latents=around, strength=3.5 / count,
        guidance_scale=5.0, height=64, width=64, generator=torch.Generator("cpu").manual_seed(11),
        num_inference_steps=count, output_type="latent", callback_on_step_end=put_back,
    ).images  # fmt: skip
    assert (drawn.latents - bare).abs().max() < 6e-6
    here.picture, here.mask = picture, save_mask(picture.parent, square)
    try:
        (image,) = here.make((11,), **{**VALUES, "steps": 6, "scheduler": key})
        (edited,) = here.make((11,), **{**VALUES, "scheduler": key, "prompt": "[a red heart:a blue cat:0.3]"})
        (seeing,) = here.make((11,), **{**VALUES, "steps": 6, "scheduler": key, "mask_weight": 0.0})
    finally:
        here.picture = here.mask = None
    old = levels(Image.open(picture))
    for one in (image, edited, seeing):
        assert np.array_equal(levels(one)[square == 0], old[square == 0])
    for other in (edited, seeing):
        assert not np.array_equal(levels(image), levels(other))
    assert here.notices == []


@pytest.mark.parametrize("family", ["sd1_inpaint", "sdxl_inpaint"])
def test_a_model_for_inpainting_draws_from_text_under_a_full_mask(studio, tiny_models, family):
    here = studio(family)
    for key in ("euler", "ddim"):
        (image,) = here.make((7,), scheduler=key, steps=4)
        pipe = diffusers.DiffusionPipeline.from_pretrained(str(tiny_models[family]), local_files_only=True)
        align_parts(pipe)
        asked = request(scheduler=key, steps=4)
        pipe.scheduler = build_scheduler(asked, pipe.scheduler.config, FAMILY_BY_KEY[family.partition("_")[0]])
        pipe.set_progress_bar_config(disable=True)
        grey = torch.zeros((1, 3, 64, 64))
        with torch.no_grad():
            around = pipe.vae.encode(grey).latent_dist.mode() * pipe.vae.config.scaling_factor
        bare = pipe(
            "a red heart", image=grey, mask_image=torch.ones((1, 1, 64, 64)), masked_image_latents=around, strength=1.0,
            guidance_scale=5.0, height=64, width=64, generator=torch.Generator("cpu").manual_seed(7),
            num_inference_steps=getattr(pipe.scheduler, "steps_taken", 4),
        ).images[0]  # fmt: skip
        assert np.abs(levels(image) - levels(bare)).max() <= 1
    (sde,) = here.make((7,), scheduler="dpmpp_2m_sde", steps=3)
    assert levels(sde).std() > 0


def test_a_single_file_for_inpainting_draws_as_its_folder_does(studio, single_files, masked, square, picture):
    (of_folder,) = masked(square, "sd1_inpaint")
    (of_file,) = masked(square, here=studio("sd1", Settings(previews=False), single_files("sd1_inpaint")))
    assert np.array_equal(levels(of_folder), levels(of_file))
