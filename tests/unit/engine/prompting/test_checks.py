from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.core.errors import InvalidRequest
from sdstudio.engine.prompting.checks import diffusers_clip_skip, left_out, too_long
from tests.unit.engine.conftest import request


@pytest.mark.parametrize(
    ("family", "skip", "expected"),
    [("sd1", 1, None), ("sd1", 2, 1), ("sd1", 4, 3), ("sd2", 1, None), ("sd2", 2, 1),
     ("sdxl", 1, None), ("sdxl", 2, None), ("sdxl", 3, 1), ("sdxl", 4, 2)],
)  # fmt: skip
def test_clip_skip_maps_from_a1111_to_diffusers(family, skip, expected):
    assert diffusers_clip_skip(skip, FAMILY_BY_KEY[family]) == expected


def embeddings(here, **values):
    """What the UNet is told about the prompt: (B, 77, width)."""
    seen = []
    here.make(**values, steps=1)
    hook = here.pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    here.make(**values, steps=1, guidance_scale=1.0)
    hook.remove()
    return seen[0]


def test_clip_skip_two_reads_the_second_last_layer_of_sd1(studio):
    here = studio("sd1")
    said = embeddings(here, clip_skip=2)
    tokens = here.pipe.tokenizer("a red heart", padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        layers = here.pipe.text_encoder(tokens, output_hidden_states=True).hidden_states
        expected = here.pipe.text_encoder.final_layer_norm(layers[-2])
    assert torch.allclose(said, expected, atol=1e-6)


def test_clip_skip_reads_earlier_layers_of_both_encoders_of_sdxl(studio):
    here = studio("sdxl")
    one, two, three = (embeddings(here, clip_skip=skip) for skip in (1, 2, 3))
    assert torch.equal(one, two)
    tokens = here.pipe.tokenizer("a red heart", padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        layers = here.pipe.text_encoder(tokens, output_hidden_states=True).hidden_states
    assert torch.allclose(two[..., :16], layers[-2], atol=1e-6)
    assert torch.allclose(three[..., :16], layers[-3], atol=1e-6)


@pytest.mark.parametrize("family", [family.key for family in FAMILIES if family.pipelines])
def test_more_skips_than_layers_are_refused_with_the_number_of_layers(studio, family):
    here = studio(family)
    for skip in (2, 3, 4):
        assert np.asarray(here.make(clip_skip=skip)[0].pixels).shape == (64, 64, 3)
    with pytest.raises(
        InvalidRequest, match="Clip skip = 5: this model's text encoder has 4 layers, so 1 to 4"
    ) as error:
        here.make(clip_skip=5)
    assert error.value.field == "clip_skip"


@pytest.mark.parametrize(
    ("text", "count", "word"),
    [
        ("red " * 75, 0, ""),
        ("red " * 76, 76, "red"),
        ("red, " * 37 + "cat, frog", 77, "frog"),
        ("red " * 74 + "zebra", 79, "zebra"),
        ("RED  \n" * 75 + "Blüte!", 81, "Blüte"),
        ("😀" * 60, 240, "😀" * 30),
    ],
    ids=["fits", "one more", "punctuation", "within a word", "other spelling", "emoji"],
)
def test_the_words_that_are_not_read_are_named(studio, text, count, word):
    here = studio("sd1")
    here.make(steps=1)
    notice = too_long(here.pipe.tokenizer, text, "Prompt")
    told = notice.message if notice else ""
    assert told == (f"Prompt = {count} tokens: this model reads 75, nothing from “{word}” on." if count else "")


def test_what_is_told_is_what_the_encoder_gets(studio):
    here = studio("sd1")
    here.make()
    tokenizer = here.pipe.tokenizer
    text = "red " * 74 + "zebra cat"
    read = tokenizer(text, truncation=True, max_length=77).input_ids
    assert len(read) == 77
    notice = too_long(tokenizer, text, "Prompt")
    assert "zebra" in notice.message  # its first letter is still read, the rest is not
    assert tokenizer.decode(read[-3:-1]).replace(" ", "") == "redz"


@pytest.mark.parametrize(
    ("prompt", "negative", "said"),
    [
        ("a cat <lora:ink:1> # <hypernet:x>", "blurry", None),
        ("<hypernet:x:1> a", "", "<hypernet:x>: not drawn with."),
        ("a", "<lora:bad:1>", "<lora:bad>: not drawn with."),
        ("<a:1><b:1><c:1>", "<d:1>", "<a:1>, <b:1>, <c:1> and 1 more: not drawn with."),
    ],
)
def test_networks_that_do_nothing_are_told(prompt, negative, said):
    notice = left_out(request(prompt=prompt, negative_prompt=negative))
    assert (notice.message if notice else None) == said
