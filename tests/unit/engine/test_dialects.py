"""Prompts of ComfyUI and compel: what the UNet is told, against their published formulas, in float64, written anew.

ComfyUI: ``comfy/sd1_clip.py`` (``encode_token_weights``, ``tokenize_with_weights``), ``comfy/sdxl_clip.py``. Compel
2.4: ``embeddings_provider.py``, ``compel.py``; InvokeAI: ``app/invocations/compel.py``.
"""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import replace

import pytest
import torch

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import EMBEDDING
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.settings import Settings
from sdstudio.engine.prompting.checks import clip_skip_facts
from sdstudio.engine.prompting.conditioning import Conditioning
from sdstudio.engine.prompting.tokens import token_chunks
from sdstudio.history.verdict import causes_of
from tests.tiny_adapters import drawn, write_embedding

from .conftest import Studio, info, request

FAMILIES = ("sd1", "sd2", "sdxl")
ALONE = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
CLOSE = 1e-5


@pytest.fixture(scope="module")
def loaded(tiny_models):
    """A studio whose model is in memory, with text encoders whose vectors have a mean and depend on every token.

    One for each family serves all tests here: none changes it.
    """

    @functools.cache
    def build(family):
        here = Studio(info(tiny_models[family], family))
        here.make(steps=1)
        torch.manual_seed(11)
        with torch.no_grad():
            for number in ("", "_2"):
                for parameter in getattr(here.pipe, f"text_encoder{number}", torch.nn.Module()).parameters():
                    parameter += 0.05 * torch.randn_like(parameter)
        here.references = functools.cache(functools.partial(references_of, here))
        return here

    return build


def told(here, family=None, **values):
    """What the pipeline gets in place of the prompts."""
    row = family or FAMILY_BY_KEY[here.model.family]
    return Conditioning(here.pipe, here.pipe.unet, request(**{"negative_prompt": "", **values}), row).arguments()


class Reference:
    """One text encoder of a pipeline, in float64, asked token by token."""

    def __init__(self, here, number="", skip=1):
        self.tokenizer = getattr(here.pipe, f"tokenizer{number}")
        self.encoder = copy.deepcopy(getattr(here.pipe, f"text_encoder{number}")).double()
        self.is_xl = here.model.family == "sdxl"
        self.layer = -max(skip, 2) if self.is_xl else -skip  # of A1111's count, ComfyUI's CLIPSetLastLayer without sign
        self.kept = {}

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def said(self, ids, masked=()):
        """Hidden states (77, W) as the UNet gets them, and the pooled vector."""
        key = tuple(ids), tuple(masked)
        if key not in self.kept:
            self.kept[key] = self.asked(ids, masked)
        return self.kept[key]

    @torch.no_grad()
    def asked(self, ids, masked):
        assert len(ids) <= 75
        row = [self.tokenizer.bos_token_id, *ids, self.tokenizer.eos_token_id]
        row += [self.tokenizer.pad_token_id] * (77 - len(row))
        mask = torch.tensor([[0 if place in masked else 1 for place in range(77)]])
        out = self.encoder(torch.tensor([row]), attention_mask=mask, output_hidden_states=True)
        z = out.hidden_states[self.layer][0]
        return z if self.is_xl else self.encoder.text_model.final_layer_norm(z), out[0]

    def z(self, ids, masked=()):
        return self.said(ids, masked)[0]

    def moved(self, ids, weights, masked=()):
        """(z - empty) * weight + empty."""
        column = torch.ones(77, 1, dtype=torch.float64)
        column[1 : 1 + len(weights), 0] = torch.tensor(weights, dtype=torch.float64)
        empty = self.z([])
        return (self.z(ids, masked) - empty) * column + empty

    def weighed(self, parts):
        """Tokens and weights of (text, weight) pairs."""
        ids, weights = [], []
        for text, weight in parts:
            ids += self.ids(text)
            weights += [weight] * len(self.ids(text))
        return ids, weights


def references_of(here, skip=1):
    return [Reference(here, number, skip) for number in (("", "_2") if here.model.family == "sdxl" else ("",))]


def references(here, skip=1):
    return here.references(skip)


def close(ours, columns):
    """Whether vectors (1, L, W) are those of the encoders side by side."""
    expected = torch.cat(columns, dim=-1)
    assert ours[0].shape == expected.shape
    return float((ours[0].double() - expected).abs().max()) < CLOSE


COMFYUI = [
    ("a (red heart:1.5) on blue", [("a", 1), ("red heart", 1.5), ("on blue", 1)]),
    ("a (red (heart)) [on] (blue:0.3)", [("a", 1), ("red", 1.1), ("heart", 1.21), ("[on]", 1), ("blue", 0.3)]),
    ("#1 (cat:0) \\(frog\\) (pizza:-1)", [("#1", 1), ("cat", 0), ("(frog)", 1), ("pizza", -1)]),
    ("(red)(heart) a) (cat:2) BREAK frog", [("red", 1.1), ("heart", 1.1), ("a) (cat:2) BREAK frog", 1)]),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_comfyuis_weights_move_each_vector_away_from_the_empty_prompts(loaded, family):
    here = loaded(family)
    for skip in (1, 2, 3):
        sides = references(here, skip)
        for prompt, parts in COMFYUI:
            ours = told(here, prompt=prompt, negative_prompt="(cat:1.4)", clip_skip=skip, prompt_syntax="comfyui")
            assert close(ours["prompt_embeds"], [side.moved(*side.weighed(parts)) for side in sides]), (skip, prompt)
            negative = [side.moved(*side.weighed([("cat", 1.4)])) for side in sides]
            assert close(ours["negative_prompt_embeds"], negative)
            if family == "sdxl":  # the whole prompt's vector bears no weight
                pooled = sides[1].said(sides[1].weighed(parts)[0])[1]
                assert float((ours["pooled_prompt_embeds"].double() - pooled).abs().max()) < CLOSE


def sizes(tokenizer, text, syntax, compatibility="0.2"):
    return [len(chunk.ids) for chunk in token_chunks(tokenizer, text, dialect_of(syntax, compatibility))]


CUTS = {
    "comfyui": [
        ("", [0]),
        ("red " * 75, [75]),
        ("red " * 76, [75, 1]),
        ("red " * 60 + ", " + "cat " * 20, [75, 6]),  # a comma is a word as any other
        ("red " * 60 + "BREAK cat", [65]),  # a word of four tokens
        ("red " * 74 + "cat, frog", [74, 3]),  # a word of two tokens begins the next chunk
        ("red " * 73 + "cat, frog", [75, 1]),
        ("red " * 70 + "zebras1", [70, 7]),  # of seven tokens: still whole
        ("red " * 70 + "zebras12 cat", [75, 4]),  # of eight: cut
        ("x" * 200, [75, 75, 50]),
        ("red " * 74 + "(cat:1.2)(frog:1.2)\nred", [75, 2]),
        ("red " * 74 + "cat(,:1.0)", [75, 1]),  # a bracket parts words
        ("red\n" * 80, [75, 5]),
    ],
    "compel": [
        ("red " * 75, [75]),
        ("red. " + "cat " * 80, [2, 75, 5]),  # behind the last sentence, wherever that is
        ("red " * 10 + ", " + "cat " * 80, [11, 75, 5]),  # else behind the last phrase
        ("red " * 10 + ". " + "red " * 10 + "; " + "cat " * 70, [11, 11, 70]),
        ("red " * 74 + "zebra", [74, 5]),  # else behind the last word
        ("x" * 100, [75, 25]),
        ("(red)++ " * 40 + ". " + "cat " * 60, [41, 60]),
        ('("red cat", "frog").and()', [2, 1]),
    ],
}


@pytest.mark.parametrize("syntax", CUTS)
def test_long_prompts_are_cut_where_each_program_cuts_them(loaded, syntax):
    tokenizer = loaded("sd1").pipe.tokenizer
    assert [(text, sizes(tokenizer, text, syntax)) for text, _ in CUTS[syntax]] == CUTS[syntax]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_chunk_of_comfyui_is_measured_against_the_empty_prompt(loaded, family):
    here = loaded(family)
    prompt = "red " * 74 + "(cat, frog:1.3) heart"
    ours = told(here, prompt=prompt, prompt_syntax="comfyui")
    columns = []
    for side in references(here):
        cat, comma, frog, red, heart = (side.ids(word)[0] for word in ("cat", ",", "frog", "red", "heart"))
        second = side.moved([cat, comma, frog, heart], [1.3, 1.3, 1.3, 1])
        columns.append(torch.cat([side.z([red] * 74), second]))
    assert close(ours["prompt_embeds"], columns)
    empty = [torch.cat([side.z([])] * 2) for side in references(here)]
    assert close(ours["negative_prompt_embeds"], empty)  # of SDXL too: ComfyUI knows no zeros
    if family == "sdxl":
        pooled = references(here)[1].said([red] * 74)[1]
        assert float((ours["pooled_prompt_embeds"].double() - pooled).abs().max()) < CLOSE


@pytest.mark.parametrize("syntax", ["comfyui", "compel"])
def test_prompts_of_two_lengths_act_as_if_each_were_alone(loaded, syntax):
    here = loaded("sd1")
    words = {"prompt": "red " * 80, "negative_prompt": "blue cat " * 80, "prompt_syntax": syntax}
    ours = told(here, **words)  # two chunks and three
    alone = {
        name: told(here, prompt=words[name], prompt_syntax=syntax, guidance_scale=1.0)["prompt_embeds"]
        for name in ("prompt", "negative_prompt")
    }
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for ours_name, name in (("prompt_embeds", "prompt"), ("negative_prompt_embeds", "negative_prompt")):
        assert ours[ours_name].shape[1] == 6 * 77
        with torch.no_grad():
            said, apart = (here.pipe.unet(sample, 500, vectors).sample for vectors in (ours[ours_name], alone[name]))
        assert float((said - apart).abs().max()) < 1e-5
    padded = told(here, **{**words, "prompt_syntax": "a1111"})
    assert padded["prompt_embeds"].shape[1] == padded["negative_prompt_embeds"].shape[1] == 3 * 77


def mixed(side, parts):
    """Compel's vectors of one chunk: weights below 1 are mixed with the prompt in which the words are masked."""
    ids, weights = side.weighed(parts)
    vectors, shares, at = [side.moved(ids, weights)], [1.0], 1
    for text, weight in parts:
        count = len(side.ids(text))
        if weight < 1:
            vectors.append(side.moved(ids, weights, range(at, at + count)))
            shares.append(math.tan((1 - max(weight, 1e-5)) * math.pi / 2))
        at += count
    return sum(vector * share for vector, share in zip(vectors, shares, strict=True)) / sum(shares)


COMPEL = [
    ("a (red heart)1.3 on blue", [("a", 1), ("red heart", 1.3), ("on blue", 1)]),
    ("a (red heart)0.5 on blue", [("a", 1), ("red heart", 0.5), ("on blue", 1)]),
    ('cat-- "#1 frog"0 (pizza)++ red', [("cat", 0.81), ("#1 frog", 0), ("pizza", 1.21), ("red", 1)]),
    ("(red (cat)0.5 heart)+ \\(frog\\)", [("red", 1.1), ("cat", 0.55), ("heart", 1.1), ("(frog)", 1)]),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_compels_weights_below_one_mix_with_the_prompt_without_the_words(loaded, family):
    here = loaded(family)
    for skip in (1, 3):
        sides = references(here, skip)
        for prompt, parts in COMPEL:
            ours = told(here, prompt=prompt, negative_prompt="cat-", clip_skip=skip, prompt_syntax="compel")
            assert close(ours["prompt_embeds"], [mixed(side, parts) for side in sides]), (skip, prompt)
            assert close(ours["negative_prompt_embeds"], [mixed(side, [("cat", 0.9)]) for side in sides])
            if family == "sdxl":  # of the prompt as it stands, brackets and numbers with it
                pooled = sides[1].said(sides[1].ids(prompt))[1]
                assert float((ours["pooled_prompt_embeds"].double() - pooled).abs().max()) < CLOSE


@pytest.mark.parametrize("family", FAMILIES)
def test_blend_mixes_vectors_and_and_joins_them(loaded, family):
    here = loaded(family)
    sides = references(here)
    ours = told(here, prompt='("red heart", "(cat)0.5 frog").blend(1, 0.6)', prompt_syntax="compel")
    parts = [[("red heart", 1)], [("cat", 0.5), ("frog", 1)]]
    columns = [(mixed(side, parts[0]) + 0.6 * mixed(side, parts[1])) / 1.6 for side in sides]
    assert close(ours["prompt_embeds"], columns)
    ours = told(here, prompt='("red heart", "blue cat").and(1, 0.5)', prompt_syntax="compel")
    columns = []
    for side in sides:
        red, blue = side.z(side.ids("red heart")), side.z(side.ids("blue cat"))
        columns.append(torch.cat([red, side.z([]) + (blue - side.z([])) * 0.5]))
    assert close(ours["prompt_embeds"], columns)
    long = " ".join(["red heart on a cat."] * 20)  # 120 tokens, cut at 72
    ours = told(here, prompt=f'("blue", "{long}").blend(1, -3, no_normalize)', prompt_syntax="compel")
    columns = []
    for side in sides:
        words = side.ids(long)
        short = torch.cat([side.z(side.ids("blue")), side.z([])])
        columns.append(short - 3 * torch.cat([side.z(words[:72]), side.z(words[72:])]))
    assert close(ours["prompt_embeds"], columns)


def test_masked_words_of_compel_may_reach_over_two_chunks(loaded):
    here = loaded("sd1")
    (side,) = references(here)
    ours = told(here, prompt="red " * 70 + "(cat frog " + "blue " * 8 + ")0.4 heart", prompt_syntax="compel")
    red, cat, frog, blue, heart = (side.ids(word)[0] for word in ("red", "cat", "frog", "blue", "heart"))
    first, second = [red] * 70 + [cat, frog] + [blue] * 3, [blue] * 5 + [heart]
    weights = [1] * 70 + [0.4] * 5, [0.4] * 5 + [1]
    plain = torch.cat([side.moved(first, weights[0]), side.moved(second, weights[1])])
    without = torch.cat([side.moved(first, weights[0], range(71, 76)), side.moved(second, weights[1], range(1, 6))])
    share = math.tan(0.6 * math.pi / 2)
    assert close(ours["prompt_embeds"], [(plain + share * without) / (1 + share)])


@pytest.mark.parametrize(
    ("syntax", "prompt_is_zero", "negative_is_zero"),
    [("a1111", False, True), ("comfyui", False, False), ("compel", True, True)],
)
def test_which_empty_prompts_of_sdxl_are_zeros_is_each_programs_own(loaded, syntax, prompt_is_zero, negative_is_zero):
    here = loaded("sdxl")
    assert here.pipe.config.force_zeros_for_empty_prompt
    ours = told(here, prompt="", negative_prompt="", clip_skip=3, prompt_syntax=syntax)
    for name, is_zero in (("", prompt_is_zero), ("negative_", negative_is_zero)):
        assert bool(ours[f"{name}prompt_embeds"].any()) is not is_zero
        assert bool(ours[f"{name}pooled_prompt_embeds"].any()) is not is_zero
    ours = told(here, prompt="", negative_prompt="", prompt_syntax=syntax, compatibility="0.1")
    assert ours == {}  # left to the stock pipeline, whose negative prompt is zeros


def test_emphasis_is_a1111s_alone(loaded):
    here = loaded("sd1")
    for syntax, prompt in (("comfyui", "a (red:1.6) cat"), ("compel", "a red+++++ cat"), ("a1111", "a (red:1.6) cat")):
        kept, left = (
            told(here, prompt=prompt, prompt_syntax=syntax, emphasis=emphasis)["prompt_embeds"]
            for emphasis in ("original", "no_norm")
        )
        assert torch.equal(kept, left) is (syntax != "a1111")


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_prompts_are_left_to_the_stock_pipeline_whatever_the_syntax(loaded, family):
    here = loaded(family)
    for syntax in ("comfyui", "compel"):
        for prompt in ("a red heart, 10:30 #1", "a  cat\n and frog", "red " * 75):
            assert told(here, prompt=prompt, negative_prompt="blue", prompt_syntax=syntax) == {}
            with torch.no_grad():
                stock = here.pipe.encode_prompt(prompt=prompt, device=torch.device("cpu"), **ALONE)[0]
            ours = told(here, prompt=f"{prompt}<lora:x:1>", negative_prompt="blue", prompt_syntax=syntax)
            assert torch.equal(ours["prompt_embeds"], stock)


def test_each_program_names_embeddings_in_its_own_way(studio, tmp_path):
    here = studio("sd1", Settings(previews=False))
    here.make(steps=1)
    vectors = here.pipe.text_encoder.get_input_embeddings().weight[here.pipe.tokenizer("red heart").input_ids[1:-1]]
    path = write_embedding(tmp_path / "style.safetensors", {"emb": vectors.clone()})
    adapter = Adapter(EMBEDDING, "style", path, "sd1")
    cases = {"comfyui": ("a (embedding:style:1.3), cat", "a (red heart:1.3), cat", "a style, cat"),
             "compel": ("a <style>++, cat", 'a "red heart"++, cat', "a style, cat")}  # fmt: skip
    for syntax, (named, words, bare) in cases.items():
        expected = drawn(here, prompt=words, prompt_syntax=syntax)
        assert (drawn(here, adapter, prompt=named, prompt_syntax=syntax) == expected).all()
        text = drawn(here, prompt=bare, prompt_syntax=syntax)
        assert (drawn(here, adapter, prompt=bare, prompt_syntax=syntax) == text).all()
        assert (expected != text).any()
    drawn(here, prompt="a <other> cat", prompt_syntax="compel")
    assert [notice.message for notice in here.notices] == ["<other> (no embedding of this name): not drawn with."]


def test_what_compel_says_and_nobody_draws_is_told(studio):
    here = studio("sd1")
    here.make(steps=1, prompt="a cat.swap(frog) withLora(ink, 0.5)", prompt_syntax="compel")
    (notice,) = here.notices
    assert "cat.swap(frog) (drawn without the exchange)" in notice.message
    assert "write <lora:ink:1>" in notice.message
    with pytest.raises(InvalidRequest, match=r"Negative prompt: \.blend\(\.\.\) has 1 weights for 2 prompts"):
        here.make(steps=1, negative_prompt='("a", "b").blend(1)', prompt_syntax="compel")


@pytest.mark.parametrize("syntax", ["a1111", "comfyui", "compel"])
@pytest.mark.parametrize("family", FAMILIES)
def test_clip_skip_counts_for_both_prompts(loaded, family, syntax):
    here = loaded(family)
    for skip in (2, 3, 4):
        ours = told(here, prompt="red heart", negative_prompt="blue, bad cat", clip_skip=skip, prompt_syntax=syntax)
        if family == "sdxl" and skip == 2:  # its second last layer is the one it reads anyway
            assert ours == {}
            continue
        for name, text in (("prompt_embeds", "red heart"), ("negative_prompt_embeds", "blue, bad cat")):
            assert close(ours[name], [side.z(side.ids(text)) for side in references(here, skip)])


def test_a_family_may_have_diffusers_rule_and_its_recipe_tells(loaded):
    here = loaded("sd1")
    family = replace(FAMILY_BY_KEY["sd1"], skips_negative=False)
    values = {"prompt": "(red:1.2) heart", "negative_prompt": "blue", "clip_skip": 2}
    with torch.no_grad():
        stock = here.pipe.encode_prompt("red", torch.device("cpu"), 1, True, negative_prompt="blue", clip_skip=1)[1]
    assert torch.equal(told(here, family, **values)["negative_prompt_embeds"], stock)
    assert told(here, family, prompt="red", negative_prompt="blue", clip_skip=2) == {}
    assert clip_skip_facts(request(**values), family) == {"negative_clip_skip": "none, as in diffusers"}
    assert clip_skip_facts(request(**values), FAMILY_BY_KEY["sd1"]) == {"negative_clip_skip": "as the prompt's"}
    assert clip_skip_facts(request(**{**values, "clip_skip": 1}), family) == {}
    assert clip_skip_facts(request(**values, guidance_scale=1.0), family) == {}
    (then,), (now,) = (here.make(**values, compatibility=version) for version in ("0.1", "0.2"))
    (cause,) = causes_of(then.recipe, now.recipe)
    assert str(cause) == "Clip skip of the negative prompt: none, as in diffusers then, as the prompt's now"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_request_of_the_first_version_is_drawn_by_its_rules(loaded, family):
    """All were multiplied, scaled back on demand, cut at commas; ``#`` hid words, and no negative was skipped."""
    here = loaded(family)
    cases = [("comfyui", "a (red heart:1.5) # x", 1.5), ("compel", "a (red heart)1.3 # x", 1.3)]
    for syntax, prompt, weight in cases:
        for emphasis in ("original", "no_norm"):
            ours = told(here, prompt=prompt, negative_prompt="blue", clip_skip=3, prompt_syntax=syntax,
                        emphasis=emphasis, compatibility="0.1")  # fmt: skip
            columns = []
            for side in references(here, 3):
                z = side.z(side.ids("a red heart"))
                column = torch.ones(77, 1, dtype=torch.float64)
                column[2:4] = weight
                scale = z.mean() / (z * column).mean() if emphasis == "original" else 1.0
                columns.append(z * column * scale)
            assert close(ours["prompt_embeds"], columns)
            assert close(ours["negative_prompt_embeds"], [side.z(side.ids("blue")) for side in references(here)])
        text = "red " * 60 + ", " + "cat " * 20
        assert sizes(here.pipe.tokenizer, text, syntax, "0.1") == [61, 20]
        ours = told(here, prompt=text, negative_prompt="blue", prompt_syntax=syntax, compatibility="0.1")
        assert close(ours["negative_prompt_embeds"], [torch.cat([side.z(side.ids("blue")), side.z([])])
                                                     for side in references(here)])  # fmt: skip
