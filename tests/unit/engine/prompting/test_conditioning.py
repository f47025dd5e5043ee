"""What changes from step to step, and prompts joined by AND: against a plain loop that asks the UNet row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.core.prompts.steps import read_terms
from sdstudio.engine.prompting.conditioning import Conditioning
from sdstudio.engine.prompting.guidance import Guidance, StepGuidance
from sdstudio.engine.samplers.schedulers import build_scheduler
from sdstudio.engine.vae import Vae
from tests.unit.engine.conftest import request

CLOSE = 3e-4
"""Of latents up to 30: rows computed together and alone differ in their last digits."""
LONG = ", ".join(["red heart on a blue background", "cat face and frog"] * 8)


def pixels(image):
    return np.asarray(image.pixels, dtype=np.int16)


def made(here, **values):
    """The latents that a request ends with."""
    kept = []
    decode = Vae.decode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vae, "decode", lambda self, drawn: kept.append(drawn.latents.clone()) or decode(self, drawn))
        here.make([3], **values)
    return kept[0]


@torch.no_grad()
def by_hand(here, step_of, **values):
    """The same with a loop of its own: one row of the UNet at a time, no hook, no pipeline."""
    asked = request(**values)
    pipe, family = here.pipe, FAMILY_BY_KEY[here.model.family]
    is_sdxl = here.model.family == "sdxl"
    scheduler = build_scheduler(asked, here.engine.loaded.scheduler.config, family)
    scheduler.set_timesteps(asked.steps)
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn((1, 4, 8, 8), generator=generator) * scheduler.init_noise_sigma
    sizes = pipe._get_add_time_ids((64, 64), (0, 0), (64, 64), torch.float32, 24) if is_sdxl else None

    def heard(text, negative):
        said = pipe.encode_prompt(
            prompt="" if negative else text, device=torch.device("cpu"), num_images_per_prompt=1,
            do_classifier_free_guidance=True, negative_prompt=text if negative else None,
        )  # fmt: skip
        place = 1 if negative else 0
        return said[place], said[place + 2] if is_sdxl else None

    def answer(text, timestep, negative=False):
        vectors, pooled = heard(text, negative)
        added = {"text_embeds": pooled, "time_ids": sizes} if is_sdxl else None
        sample = scheduler.scale_model_input(latents, timestep)
        return pipe.unet(sample, timestep, encoder_hidden_states=vectors, added_cond_kwargs=added).sample

    for call, timestep in enumerate(scheduler.timesteps):
        step = step_of(call)
        negative = answer(asked.negative_prompt, timestep, negative=True)
        direction = sum(
            term.weight * (answer(term.prompt.at(step, asked.steps), timestep) - negative)
            for term in read_terms(asked.prompt)
        )
        begins = (step - 1) / asked.steps
        scale = asked.guidance_scale if asked.guidance_start <= begins < asked.guidance_end else 1.0
        guided = negative + scale * direction
        if asked.guidance_rescale and scale > 1:
            contrast = (negative + direction).std() / guided.std()
            guided = guided * (asked.guidance_rescale * contrast + 1 - asked.guidance_rescale)
        latents = scheduler.step(guided, timestep, latents, return_dict=False)[0]
    return latents


CASES = [
    {"prompt": "[red:blue cat:2] heart"},
    {"prompt": "[red heart|frog|]"},
    {"prompt": "red heart AND frog :0.5 AND pizza:-0.3"},
    {"prompt": "[red:blue:.5] heart AND [cat|frog]", "guidance_rescale": 0.7},
    {"prompt": "red heart", "guidance_start": 0.25, "guidance_end": 0.75},
    {"prompt": "red heart", "guidance_rescale": 0.5},
]


@pytest.mark.parametrize("values", CASES, ids=lambda values: ", ".join(map(str, values.values())))
@pytest.mark.parametrize(
    ("scheduler", "step_of"), [("euler", lambda call: call + 1), ("heun", lambda call: call // 2 + 1)]
)
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_picture_is_what_a_plain_loop_draws(studio, family, scheduler, step_of, values):
    here = studio(family)
    told = {**values, "scheduler": scheduler, "steps": 4, "negative_prompt": "slice of pizza"}
    ours = made(here, **told)
    theirs = by_hand(here, step_of, **told)
    assert float((ours - theirs).abs().max()) < CLOSE
    at_one_step = {name: value for name, value in told.items() if not name.startswith("guidance")}
    plain = by_hand(here, step_of, **{**at_one_step, "prompt": read_terms(told["prompt"])[0].prompt.at(1, 4)})
    assert float((ours - plain).abs().max()) > 3 * CLOSE


@pytest.mark.parametrize("scheduler", ["euler", "heun", "pndm", "dpmpp_2m", "dpmpp_sde", "ddim"])
def test_what_says_the_same_at_every_step_draws_the_same(studio, scheduler):
    here = studio("sd1")
    plain = made(here, prompt="red heart", scheduler=scheduler)
    for prompt in ("[red:red:2] heart", "[red|red] heart", "red heart :0.5 AND red heart :0.5"):
        assert float((made(here, prompt=prompt, scheduler=scheduler) - plain).abs().max()) < CLOSE
    assert float((made(here, prompt="[red:blue:1] heart", scheduler=scheduler) - plain).abs().max()) > 3 * CLOSE


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_batch_is_drawn_as_each_alone(studio, family):
    here = studio(family)
    values = {"prompt": "[red:blue:.5] heart AND (frog:1.3)", "negative_prompt": "[cat|pizza]", "guidance_end": 0.7}
    batch = here.make([5, 6], batch_size=2, **values)
    (alone,) = here.make([6], **values)
    assert np.abs(pixels(batch[1]) - pixels(alone)).max() <= 2


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_words_of_any_length_may_change(studio, family):
    here = studio(family)
    short, long = (made(here, prompt=f"[red:{words}:1] heart", steps=4) for words in ("blue", LONG))
    assert not torch.equal(short, long)


def test_without_guidance_two_prompts_are_still_measured_against_the_negative(studio):
    here = studio("sd1")
    values = {"prompt": "red heart AND frog", "guidance_scale": 1.0, "steps": 4}
    one, other = (made(here, negative_prompt=text, **values) for text in ("pizza", "cat"))
    assert not torch.equal(one, other)
    theirs = by_hand(here, lambda call: call + 1, negative_prompt="pizza", **values)
    assert float((one - theirs).abs().max()) < CLOSE


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({}, [2, 2, 2, 2]),
        ({"guidance_end": 0.5}, [2, 2, 1, 1]),
        ({"guidance_start": 0.5}, [1, 1, 2, 2]),
        ({"prompt": "a AND b AND c"}, [4, 4, 4, 4]),
        ({"prompt": "a AND b", "guidance_end": 0.25}, [3, 3, 3, 3]),
        ({"prompt": "[a|b]"}, [2, 2, 2, 2]),
    ],
)
def test_the_unet_is_asked_no_more_than_it_must(studio, values, rows):
    here = studio("sd1")
    here.make(steps=1)
    seen = []
    block = here.pipe.unet.conv_in.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[0]))
    here.make(steps=4, **values)
    block.remove()
    assert seen == rows


def test_a_text_is_read_once_however_often_it_counts(studio):
    here = studio("sd1")
    here.make(steps=1)
    calls = []
    hook = here.pipe.text_encoder.register_forward_pre_hook(lambda module, args: calls.append(1))
    here.make(steps=8, prompt="[red|blue] heart", negative_prompt="cat")
    hook.remove()
    assert len(calls) == 3


def test_nothing_stays_behind_on_the_unet(studio):
    here = studio("sd1")
    plain = made(here, prompt="red heart")
    before = len(here.pipe.unet._forward_pre_hooks), len(here.pipe.unet._forward_hooks)
    here.make(prompt="[red|blue] heart")
    assert (len(here.pipe.unet._forward_pre_hooks), len(here.pipe.unet._forward_hooks)) == before
    assert torch.equal(made(here, prompt="red heart"), plain)


@pytest.mark.parametrize(
    ("prompt", "is_plain"),
    [("red heart", True), ("red: heart 10:30", True), ("a AND b", False), ("[a|b]", False), ("(a)", False)],
)
def test_a_plain_prompt_is_left_to_the_stock_pipeline(studio, prompt, is_plain):
    here = studio("sd1")
    here.make(steps=1)
    said = Conditioning(here.pipe, here.pipe.unet, request(prompt=prompt), FAMILY_BY_KEY["sd1"])
    assert (said.arguments() == {}) is is_plain
    assert (said.step_guidance() is None) is (prompt not in ("a AND b", "[a|b]"))


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (5, [1, 2, 3, 4, 5]),
        (9, [1, 1, 2, 2, 3, 3, 4, 4, 5]),  # second order: 2N - 1
        (6, [1, 1, 2, 3, 4, 5]),  # PNDM asks twice at its first step
    ],
)
def test_calls_belong_to_the_step_they_are_made_for(calls, expected):
    guidance = StepGuidance(lambda step: None, 5, Guidance(7.0))
    assert [guidance.step_of(call, calls) for call in range(calls)] == expected
