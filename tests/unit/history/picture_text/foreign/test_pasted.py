"""Text that tells how a picture was made is told from prompts, and read as the picture would be."""

from __future__ import annotations

import json

import pytest

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.pasted import LONGEST, read_pasted
from sdstudio.history.picture_text.pnginfo import infotext

REQUEST = GenerationRequest(
    prompt='a "red" heart, <soft>\nNegative prompt: none', negative_prompt="fog", steps=9, seed=2**64 - 1, width=64,
    height=96, scheduler="euler", clip_skip=2,
)  # fmt: skip
RECIPE = Recipe(app="sdstudio 0.3", request=REQUEST, model_name="Tiny", model_hash="ab" * 32)


def test_the_text_that_every_pictures_menu_copies_is_read_back():
    plain = RECIPE.model_copy(update={"request": REQUEST.model_copy(update={"prompt": "a heart"})})
    reading = read_pasted(infotext(plain))
    assert reading is not None
    for name in ("prompt", "negative_prompt", "steps", "seed", "width", "height", "scheduler", "clip_skip"):
        assert getattr(reading.recipe.request, name) == getattr(plain.request, name), name
    assert reading.assumed == ()


def test_text_without_a_size_assumes_one_and_says_so():
    reading = read_pasted("red heart\nSteps: 9, Sampler: Euler a, CFG scale: 5, Seed: 4")
    assert reading is not None
    assert (reading.program, reading.assumed) == ("A1111", ("Width", "Height"))


@pytest.mark.parametrize(
    "text",
    [
        RECIPE.model_dump_json(),
        json.dumps({"id": 3, "path": "x.png", "recipe": RECIPE.model_dump(mode="json")}),
        json.dumps({"id": 3, "model_name": "Tiny", "duration_s": 1.0, **REQUEST.model_dump(mode="json")}),
    ],
    ids=["recipe", "history show", "generate"],
)
def test_the_studios_own_json_is_read_exactly(text):
    reading = read_pasted(f"\n{text}\n")
    assert reading is not None
    assert reading.program == ""
    assert reading.recipe.request == REQUEST
    assert reading.recipe.model_name == "Tiny"


def test_the_json_of_other_programs_is_read_wherever_it_came_from():
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dream.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "fog", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 96, "batch_size": 1}},
        "5": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 5, "steps": 9, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
                "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
            },
        },
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0]}},
    }  # fmt: skip
    reading = read_pasted(json.dumps(graph))
    assert reading is not None
    assert (reading.program, reading.recipe.request.prompt, reading.recipe.request.height) == ("ComfyUI", "a fox", 96)
    invoke = {"positive_prompt": "a fox", "negative_prompt": "", "steps": 9, "seed": 4, "app_version": "4.2.1"}
    told = read_pasted(json.dumps(invoke))
    assert told is not None
    assert told.program.startswith("InvokeAI")


@pytest.mark.parametrize(
    "text",
    [
        "", "a red heart, masterpiece, (best:1.2), size: large", "{", "{}", '{"a": 1}', "[1, 2]", '{"request": 3}',
        "{a|b}, Steps: many, Seed: none", "x" * (LONGEST + 1), '{"recipe": {"request": []}}', "Steps: 20",
        "{" * 100_000,
    ],
)  # fmt: skip
def test_prompts_and_anything_else_are_left_alone(text):
    assert read_pasted(text) is None
