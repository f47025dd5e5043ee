from __future__ import annotations

import pytest

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.attached_text import attached_names
from sdstudio.history.picture_text.pnginfo import infotext, split_infotext

ADAPTERS = [
    {"kind": "lora", "name": "detail", "hash": "1a2b3c4d5e6f", "text_weight": 0.8, "unet_weight": 0.8},
    {"kind": "lora", "name": "ink: soft, wet", "hash": "aabbccddeeff", "text_weight": 1.0, "unet_weight": 0.5},
    {"kind": "embedding", "name": "badhands", "hash": "112233445566"},
    {"kind": "vae", "name": "vae-ft-mse", "hash": "0011223344"},
]


def recipe(adapters=ADAPTERS, **values):
    request = GenerationRequest(**{"prompt": "a heart", "seed": 1, **values})
    return Recipe(app="test", request=request, made_with={"adapters": adapters})


def test_everything_attached_is_written_with_its_hash():
    text = infotext(recipe(loras=(("detail", 0.8),), vae="vae-ft-mse"))
    assert text.startswith("a heart <lora:detail:0.8>\n")
    assert 'Lora hashes: "detail: 1a2b3c4d5e6f, ink soft wet: aabbccddeeff"' in text
    assert 'TI hashes: "badhands: 112233445566"' in text
    assert "VAE hash: 0011223344, VAE: vae-ft-mse" in text
    assert text.splitlines()[-1].startswith("Steps:")


def test_nothing_is_written_where_nothing_is_attached():
    text = infotext(recipe([]))
    assert not {"Lora", "TI", "VAE"} & set(text.replace(":", " ").split())


def test_the_text_is_read_back():
    made = recipe(loras=(("detail", 0.8),), vae="vae-ft-mse", rng="nvidia", negative_prompt="(BadHands:1.2)")
    read = split_infotext(infotext(made))
    assert read.values["prompt"] == "a heart <lora:detail:0.8>"
    assert read.values["vae"] == "vae-ft-mse"
    assert read.values["rng"] == "nvidia"
    assert read.leftovers.pop("Lora hashes") == "ink soft wet: aabbccddeeff", "no tag can hold its name"
    assert set(read.leftovers) <= {"Model", "Version"}


@pytest.mark.parametrize(
    ("said", "means"),
    [(", RNG: CPU", "cpu"), (", RNG: NV", "nvidia"), (", RNG: GPU", "nvidia"), ("", "nvidia")],
)
def test_noise_is_chosen_as_the_text_asks_for(said, means):
    assert split_infotext(f"a heart\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1{said}").values["rng"] == means


def test_a_text_without_parameters_asks_for_no_noise():
    assert "rng" not in split_infotext("just a heart").values


@pytest.mark.parametrize("own", ["None", "Automatic"])
def test_the_models_own_vae_is_no_vae(own):
    text = f"a heart\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, VAE: {own}"
    assert "vae" not in split_infotext(text).values


def test_the_vae_of_a1111_and_forge_loses_its_ending():
    for key in ("VAE", "Module 1"):
        text = f"a heart\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, {key}: vae-ft.safetensors"
        assert split_infotext(text).values["vae"] == "vae-ft"


def test_recipes_of_other_versions_name_nothing():
    assert attached_names(recipe("nonsense")) == ()
    assert attached_names(recipe([{"kind": "lora"}, 3])) == ()
    assert attached_names(recipe()) == ("detail", "ink: soft, wet", "badhands", "vae-ft-mse")
