from __future__ import annotations

import copy

import accelerate
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.core.errors import Cancelled
from sdstudio.core.prompts.grammar import parse
from sdstudio.core.settings import Settings
from sdstudio.engine.prompting.conditioning import Conditioning
from sdstudio.engine.prompting.tokens import token_chunks
from tests.unit.engine.conftest import request

KNOWN = [family.key for family in FAMILIES if family.pipelines]
LONG = ", ".join(["red heart on a blue background", "cat face and frog"] * 20)  # 40 phrases, more than two chunks


def pixels(image):
    return np.asarray(image.pixels, dtype=np.int16)


def told(here, **values):
    """What the pipeline gets in place of the prompts."""
    return Conditioning(here.pipe, here.pipe.unet, request(**values), FAMILY_BY_KEY[here.model.family]).arguments()


@pytest.fixture
def loaded(studio):
    """A studio whose model is in memory; a fresh one when it gets a family and ``fresh``."""

    def build(family, fresh=False):
        here = studio(family, Settings(previews=False)) if fresh else studio(family)
        here.make(steps=1)
        return here

    return build


@pytest.fixture
def tokenizer(loaded):
    return loaded("sd1").pipe.tokenizer


def stock(pipe, prompt, negative, skip):
    """The stock pipeline's own vectors: positive, negative, and of SDXL the pooled ones."""
    with torch.no_grad():
        return pipe.encode_prompt(
            prompt=prompt, device=torch.device("cpu"), num_images_per_prompt=1, do_classifier_free_guidance=True,
            negative_prompt=negative or None, clip_skip=skip,
        )  # fmt: skip


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("negative", ["", "blue cat, zebra"])
@pytest.mark.parametrize("skip", [1, 2, 3])
@pytest.mark.parametrize("prompt", ["a red heart, 3 frogs!", "red " * 74 + "heart", "", "Blüte 🐸"])
def test_without_weights_it_tells_the_unet_bit_for_bit_what_the_stock_pipeline_tells(
    loaded, family, negative, skip, prompt
):
    here = loaded(family)  # 0.1 skipped layers of the prompt alone, as the stock pipelines do
    ours = told(here, prompt=prompt + "(:1)", negative_prompt=negative, clip_skip=skip, compatibility="0.1")
    theirs = {1: None, 2: None if family == "sdxl" else 1, 3: 1 if family == "sdxl" else 2}[skip]
    names = ["prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"]
    expected = dict(zip(names, stock(here.pipe, prompt, negative, theirs), strict=False))
    assert {name for name, value in ours.items() if value is not None} == set(expected)
    assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_an_encoder_that_wants_a_mask_gets_the_stock_pipelines(loaded):
    here = loaded("sd1", fresh=True)
    without = told(here, prompt="(red:1) cat")["prompt_embeds"]
    here.pipe.text_encoder.config.use_attention_mask = True
    ours = told(here, prompt="(red:1) cat", negative_prompt="frog")
    expected = stock(here.pipe, "red cat", "frog", None)
    assert torch.equal(ours["prompt_embeds"], expected[0])
    assert torch.equal(ours["negative_prompt_embeds"], expected[1])
    assert not torch.equal(ours["prompt_embeds"], without)


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("prompt", ["", "a red heart, 10:30", "red " * 75])
def test_a_plain_short_prompt_is_left_to_the_stock_pipeline(loaded, family, prompt):
    here = loaded(family)
    assert told(here, prompt=prompt, negative_prompt="blue") == {}
    assert told(here, prompt=prompt, negative_prompt="(blue)", guidance_scale=1.0) == {}
    assert told(here, prompt=prompt, negative_prompt="(blue)") != {}
    assert told(here, prompt=prompt + " red" * 76) != {}


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("cut", ["<lora:ink:0.8>", "# on a mat"])
def test_extra_networks_and_comments_are_not_read(loaded, family, cut):
    here = loaded(family)
    ours = told(here, prompt=f"red heart{cut}", negative_prompt="blue")
    expected = stock(here.pipe, "red heart", "blue", None)
    assert torch.equal(ours["prompt_embeds"], expected[0])


@pytest.mark.parametrize("family", KNOWN)
def test_guidance_of_one_encodes_no_negative_prompt(loaded, family):
    here = loaded(family)
    calls = []
    hook = here.pipe.text_encoder.register_forward_pre_hook(lambda module, args: calls.append(1))
    ours = told(here, prompt="(red)", negative_prompt="(blue)", guidance_scale=1.0)
    hook.remove()
    assert len(calls) == 1
    assert not any(name.startswith("negative") for name, value in ours.items() if value is not None)
    assert len(here.make(prompt="(red)", negative_prompt="(blue)", guidance_scale=1.0, steps=1)) == 1


@pytest.mark.parametrize("forced", [True, False])
def test_an_empty_negative_prompt_of_sdxl_is_zeros_only_where_the_model_says_so(loaded, forced):
    here = loaded("sdxl", fresh=True)
    here.pipe.register_to_config(force_zeros_for_empty_prompt=forced)
    ours = told(here, prompt=f"(red:1.2) {LONG}")
    assert ours["negative_prompt_embeds"].shape == ours["prompt_embeds"].shape
    assert bool(ours["negative_prompt_embeds"].any()) is not forced
    assert bool(ours["negative_pooled_prompt_embeds"].any()) is not forced


def lopsided(here):
    """Give the text encoders' layers a mean, as trained ones have; random ones have none."""
    with torch.no_grad():
        for name in ("text_encoder", "text_encoder_2"):
            encoder = getattr(here.pipe, name, None)
            if encoder is not None:
                encoder.text_model.final_layer_norm.bias += 0.4
                for layer in encoder.text_model.encoder.layers:
                    layer.mlp.fc2.bias += 0.3
    return here


def reference(encoder, tokenizer, rows, layer, norm):
    """Slow and in float64: rows of (id, weight) of 75 or less -> vectors (1, 77 * rows, W)."""
    encoder = copy.deepcopy(encoder).double()
    joined = []
    for row in rows:
        ids = [tokenizer.bos_token_id, *(token for token, _ in row), tokenizer.eos_token_id]
        weights = [1.0, *(weight for _, weight in row), 1.0]
        while len(ids) < 77:
            ids.append(tokenizer.pad_token_id)
            weights.append(1.0)
        with torch.no_grad():
            vectors = encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states[layer][0]
            vectors = encoder.text_model.final_layer_norm(vectors) if norm else vectors
        weighed = torch.stack([vector * weight for vector, weight in zip(vectors, weights, strict=True)])
        joined.append(weighed * vectors.mean() / weighed.mean())
    return torch.cat(joined)[None]


@pytest.mark.parametrize(
    ("family", "skip", "layer"),
    [("sd1", 1, -1), ("sd1", 2, -2), ("sd2", 1, -1), ("sd2", 3, -3), ("sdxl", 1, -2), ("sdxl", 2, -2), ("sdxl", 3, -3)],
)
def test_weights_multiply_each_tokens_vector_and_the_mean_is_kept(loaded, family, skip, layer):
    here = lopsided(loaded(family, fresh=True))
    ours = told(here, prompt="a (red heart:1.5) [on] blue BREAK (frog:0.3)", negative_prompt="cat", clip_skip=skip)
    columns = []
    for number in ("", "_2") if family == "sdxl" else ("",):
        tokenizer = getattr(here.pipe, f"tokenizer{number}")
        red, heart, on, blue, frog, a = tokenizer.convert_tokens_to_ids(
            ["red</w>", "heart</w>", "on</w>", "blue</w>", "frog</w>", "a</w>"]
        )
        rows = [[(a, 1), (red, 1.5), (heart, 1.5), (on, 1 / 1.1), (blue, 1)], [(frog, 0.3)]]
        encoder = getattr(here.pipe, f"text_encoder{number}")
        columns.append(reference(encoder, tokenizer, rows, layer, norm=family != "sdxl"))
    expected = torch.cat(columns, dim=-1)
    assert ours["prompt_embeds"].shape == expected.shape
    assert float((ours["prompt_embeds"].double() - expected).abs().max()) < 1e-5
    assert ours["prompt_embeds"].dtype == torch.float32


@pytest.mark.parametrize("family", KNOWN)
def test_without_norm_the_weights_alone_act(loaded, family):
    here = lopsided(loaded(family, fresh=True))
    ours = told(here, prompt="red (heart:1.5)", negative_prompt="cat", emphasis="no_norm")["prompt_embeds"]
    factors = torch.ones(77)
    factors[2] = 1.5
    plain = stock(here.pipe, "red heart", "", None)[0]
    assert torch.allclose(ours, plain * factors[None, :, None], rtol=1e-5, atol=1e-6)


def test_what_another_syntax_does_not_know_is_text(loaded):
    here = loaded("sd1")
    ours = told(here, prompt="(red:1) [heart] BREAK [a:b:1] AND c # d", prompt_syntax="comfyui")["prompt_embeds"]
    assert torch.equal(ours, stock(here.pipe, "red [heart] BREAK [a:b:1] AND c # d", "", None)[0])


def test_the_pooled_vector_of_sdxl_is_the_first_chunks_and_bears_no_weight(loaded):
    here = loaded("sdxl")
    ours = told(here, prompt="(red heart:1.7) BREAK frog", negative_prompt="(cat:0.2)")
    _, _, pooled, negative_pooled = stock(here.pipe, "red heart", "cat", None)
    assert torch.equal(ours["pooled_prompt_embeds"], pooled)
    assert torch.equal(ours["negative_pooled_prompt_embeds"], negative_pooled)


@pytest.mark.parametrize("weight", [1.5, -1.0, 0.0, 50.0])
def test_a_mean_near_zero_is_not_kept_where_it_would_blow_the_vectors_up(loaded, weight):
    here = loaded("sd1")  # its last layer norm is untrained: every vector's mean is rounding noise
    plain = stock(here.pipe, "red heart", "", None)[0]
    ours = told(here, prompt=f"red (heart:{weight})")["prompt_embeds"]
    factors = torch.ones(77)
    factors[2] = weight
    assert torch.allclose(ours, plain * factors[None, :, None], atol=1e-5)


def test_a_scale_that_the_weights_cannot_account_for_is_left_out(loaded):
    here = loaded("sd1", fresh=True)
    with torch.no_grad():
        here.pipe.text_encoder.final_layer_norm.bias += 0.4
    plain = stock(here.pipe, "red heart", "", None)[0]
    # 75 vectors of mean 0.4, two of weight -37.4: the mean all but vanishes.
    ours = told(here, prompt="(red heart:-37.4)")["prompt_embeds"]
    factors = torch.ones(77)
    factors[1:3] = -37.4
    assert torch.allclose(ours, plain * factors[None, :, None], rtol=1e-5, atol=1e-5)


def sizes(tokenizer, text):
    return [len(chunk.ids) for chunk in token_chunks(tokenizer, text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0]),
        ("red", [1]),
        ("red " * 75, [75]),
        ("red " * 76, [75, 1]),
        ("red " * 150, [75, 75]),
        ("red " * 151, [75, 75, 1]),
        # A comma is a token: "red " x n + ", " has the comma as token n + 1.
        ("red " * 70 + ", " + "cat " * 10, [71, 10]),
        ("red " * 55 + ", " + "cat " * 30, [56, 30]),  # the comma is the 20th token from the end
        ("red " * 54 + ", " + "cat " * 30, [75, 10]),  # the 21st: too far
        ("red " * 74 + ", cat", [75, 1]),
        ("red " * 75 + ", cat", [75, 2]),  # the comma itself begins the next chunk
        ("red " * 60 + ", " + "red " * 14 + ", cat", [75, 2]),  # so it does though another was near
        ("red " * 60 + ", " + "cat " * 14, [75]),  # full, and nothing follows
        ("red " * 60 + ", " + "cat " * 5 + ", " + "frog " * 20, [67, 20]),  # after the last comma
        ("red BREAK cat", [1, 1]),
        ("red BREAK", [1]),
        ("BREAK red", [0, 1]),
        ("red BREAK BREAK cat", [1, 0, 1]),
        ("red " * 75 + "BREAK cat", [75, 1]),
        ("red " * 80 + "BREAK cat", [75, 5, 1]),
        ("red " * 60 + ", BREAK " + "cat " * 80, [61, 75, 5]),
    ],
)
def test_prompts_are_cut_where_a1111_cuts_them(tokenizer, text, expected):
    assert sizes(tokenizer, text) == expected


def test_what_moves_to_the_next_chunk_keeps_its_weight(tokenizer):
    first, second = token_chunks(tokenizer, "red " * 70 + ", (cat " + "frog " * 9 + ":1.4)")
    assert set(first.weights) == {1.0}
    assert second.weights == (1.4,) * 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.sampled_from(["red ", "cat ", ", ", " BREAK ", "(frog:1.2) ", "red heart on a blue " * 9])))
def test_no_token_is_lost_and_no_chunk_too_long(tokenizer, words):
    text = "".join(words)
    chunks = token_chunks(tokenizer, text)
    ids = [
        token
        for part in parse(text)
        for span in part
        for token in tokenizer(span.text, add_special_tokens=False).input_ids
    ]
    assert [token for chunk in chunks for token in chunk.ids] == ids
    assert all(len(chunk.ids) == len(chunk.weights) <= 75 for chunk in chunks)


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize(("prompt", "negative"), [(LONG, "blue"), ("red", LONG), ("red", "a BREAK b BREAK c")])
def test_both_prompts_get_as_many_chunks_as_the_longer_one(loaded, family, prompt, negative):
    here = loaded(family)
    ours = told(here, prompt=prompt, negative_prompt=negative)
    count = max(len(token_chunks(here.pipe.tokenizer, text)) for text in (prompt, negative))
    assert count >= 3
    assert ours["prompt_embeds"].shape[1] == ours["negative_prompt_embeds"].shape[1] == 77 * count
    assert len(here.make(prompt=prompt, negative_prompt=negative, steps=1)) == 1


def test_a_chunk_that_only_fills_up_is_an_empty_prompt(loaded):
    here = loaded("sd2")  # its pad token is another than its end token
    ours = told(here, prompt="red BREAK cat", negative_prompt="frog")
    empty = stock(here.pipe, "", "", None)[0]
    assert torch.equal(ours["negative_prompt_embeds"][:, 77:], empty)


@pytest.mark.parametrize("family", KNOWN)
def test_the_last_of_three_hundred_words_counts(studio, family):
    here = studio(family)
    words = "red heart on a blue background and the cat of pizza " * 27
    (one,) = here.make([3], prompt=words + "red heart frog")
    assert here.notices == []
    (two,) = here.make([3], prompt=words + "red heart cat")
    (again,) = here.make([3], prompt=words + "red heart frog")
    assert not np.array_equal(pixels(one), pixels(two))
    assert np.array_equal(pixels(one), pixels(again))


@pytest.mark.parametrize("family", KNOWN)
def test_a_weight_changes_the_picture_and_a_weight_of_one_does_not(studio, family):
    here = studio(family)
    bare, one, heavy, more = (
        pixels(here.make([3], prompt=f"a {red} heart", negative_prompt="blue")[0])
        for red in ("red", "(red:1)", "(red:1.5)", "(red:1.6)")
    )
    assert np.array_equal(bare, one)
    assert not np.array_equal(bare, heavy)
    assert not np.array_equal(heavy, more)
    negative = pixels(here.make([3], prompt="a red heart", negative_prompt="(blue:1.5)")[0])
    assert not np.array_equal(bare, negative)


def test_a_picture_of_a_batch_is_the_same_made_alone(studio):
    here = studio("sdxl")
    batch = here.make([5, 6], batch_size=2, prompt=f"(cat:1.3) {LONG}")
    (alone,) = here.make([6], prompt=f"(cat:1.3) {LONG}")
    assert np.abs(pixels(batch[1]) - pixels(alone)).max() <= 2


@pytest.mark.parametrize("settings", [Settings(precision="bfloat16"), Settings(autocast=True, attention_slicing=True)])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_other_number_formats_stay_as_they_are(studio, family, settings):
    here = studio(family, settings)
    seen = []
    here.make(steps=1)
    hook = here.pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    here.make(steps=1)
    (image,) = here.make(steps=1, prompt="a (red:1.0001) heart")
    hook.remove()
    assert image.pixels.getbbox() is not None
    assert seen[0].dtype == seen[1].dtype == here.pipe.text_encoder.dtype
    assert torch.allclose(seen[0].float(), seen[1].float(), atol=0.05)


def test_a_cancel_stops_between_two_layers_of_a_chunk(loaded):
    here = loaded("sd1")
    calls = []

    def wish(module, args):
        calls.append(1)
        if len(calls) == 2:
            here.cancel.set()

    hook = here.pipe.text_encoder.register_forward_pre_hook(wish)
    with pytest.raises(Cancelled):
        here.make(prompt=LONG)
    hook.remove()
    assert len(calls) == 2
    assert len(here.make(prompt=LONG, steps=1)) == 1


@pytest.mark.parametrize("family", KNOWN)
def test_weights_that_are_hooked_away_are_fetched_for_every_chunk(loaded, family):
    here = loaded(family, fresh=True)
    values = {"prompt": f"(red:1.3) {LONG}", "negative_prompt": "(blue)", "clip_skip": 3}
    expected = told(here, **values)
    for part in here.pipe.components.values():  # what sequential CPU offload does, with the CPU as its accelerator
        if isinstance(part, torch.nn.Module):
            accelerate.cpu_offload(part, torch.device("cpu"), offload_buffers=True)
    assert {parameter.device.type for parameter in here.pipe.text_encoder.parameters()} == {"meta"}
    ours = told(here, **values)
    names = [name for name, value in expected.items() if value is not None]
    assert all(torch.equal(ours[name], expected[name]) for name in names)
