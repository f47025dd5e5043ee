"""Graphs that mean harm, or are damaged: every one ends soon, counted in visits to nodes, and none is a bug."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.request.request import PROMPT_MAXIMUM, GenerationRequest
from sdstudio.history.picture_text.foreign.comfy.graph import WORK_MAXIMUM
from sdstudio.history.picture_text.foreign.comfy.picture import read_graph
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.picture_text.texts import TEXT_MAXIMUM
from tests.unit.history.foreign.graphs import Nodes, node, plain, read
from tests.unit.history.foreign.pictures import png

COUNT = 20_000  # ten visits each are three times what is walked


def chain(kind: str, name: str, last: Any, count: int = COUNT, **inputs: Any) -> Nodes:
    """Nodes "c0", "c1".. that each have the next as an input, the last one ``last``."""
    return {
        f"c{at}": {"class_type": kind, "inputs": {name: [f"c{at + 1}", 0] if at + 1 < count else last, **inputs}}
        for at in range(count)
    }


def encoded(key: str) -> dict[str, Any]:
    return node("CLIPTextEncode", text=[key, 0], clip=["4", 1])


def doubling(kind: str, names: tuple[str, str], last: str, levels: int = 60, **inputs: Any) -> Nodes:
    """A node of each level has the next level's twice: 2^60 copies of ``last``."""
    return {
        f"c{at}": node(kind, **dict.fromkeys(names, [f"c{at + 1}", 0] if at + 1 < levels else last), **inputs)
        for at in range(levels)
    }


LARGE: dict[str, Callable[[], Nodes]] = {
    "models": lambda: plain(sampler={"model": ["c0", 0]}) | chain("FreeU", "model", ["4", 0], b1=1),
    "loras": lambda: (
        plain(sampler={"model": ["c0", 0]}) | chain("LoraLoaderModelOnly", "model", ["4", 0], lora_name="a")
    ),
    "stack": lambda: (
        plain(sampler={"model": ["10", 0]}, n10=node("CR Apply LoRA Stack", model=["4", 0], lora_stack=["c0", 0]))
        | chain("CR LoRA Stack", "lora_stack", 1, switch_1="On", lora_name_1="a", model_weight_1=1, clip_weight_1=1)
    ),
    "texts": lambda: plain(n6=encoded("c0")) | chain("StringConcatenate", "string_a", "x", string_b="y", delimiter=""),
    "unknown texts": lambda: plain(n6=encoded("c0")) | chain("X", "text", "x"),
    "conditionings": lambda: plain(sampler={"positive": ["c0", 0]}) | chain("ConditioningZ", "conditioning", ["6", 0]),
    "latents": lambda: plain(sampler={"latent_image": ["c0", 0]}) | chain("LatentFlip", "samples", ["5", 0]),
    "sigmas": lambda: (
        {**plain(), "3": node("SamplerCustom", noise_seed=1, sigmas=["c0", 0], latent_image=["5", 0])}
        | chain("FlipSigmas", "sigmas", 1)
    ),
    "pipes": lambda: {**plain(), "3": node("KSampler", seed=1, steps=2, pipe=["c0", 0])} | chain("P", "pipe", 1),
    "samplers": lambda: chain("KSampler", "latent_image", ["5", 0], seed=1, steps=20),
    "many samplers": lambda: {
        f"s{at}": node("KSampler", seed=at, steps=20, latent_image=["5", 0]) for at in range(COUNT)
    },
    "many nodes": lambda: plain() | {f"u{at}": node(f"Kind {at}", images=["8", 0]) for at in range(COUNT)},
    "many inputs": lambda: plain(
        n6=node("Text Concatenate", delimiter="", **{f"t{at}": ["7", 0] for at in range(COUNT)})
    ),
    "many words": lambda: plain(
        n6=encoded("10"),
        n11=node("PrimitiveString", value="word " * 5_000),
        n10=node("Text Concatenate", delimiter=" ", **{f"t{at}": ["11", 0] for at in range(COUNT)}),
    ),
    "doubling texts": lambda: (
        plain(n6=encoded("c0")) | doubling("StringConcatenate", ("string_a", "string_b"), "xy", delimiter="")
    ),
    "doubling unknown": lambda: plain(n6=encoded("c0")) | doubling("X", ("a", "b"), "x"),
    "doubling conditionings": lambda: (
        plain(sampler={"positive": ["c0", 0]})
        | doubling("ConditioningCombine", ("conditioning_1", "conditioning_2"), "x")
    ),
    "growing replacements": lambda: (
        plain(n6=encoded("c0")) | doubling("StringReplace", ("string", "replace"), "xxxx", find="x")
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_graph_is_walked_no_further_than_allowed(name):
    nodes = LARGE[name]()
    found = read_graph(nodes)
    assert found is not None
    # Beyond the limit, one more look at each node's links is all there is.
    links = sum(len(item["inputs"]) for item in nodes.values())
    assert found.work <= WORK_MAXIMUM + 2 * links + len(nodes)
    assert len(found.positive) <= PROMPT_MAXIMUM + 1
    if found.work >= WORK_MAXIMUM:
        assert "Graph" in found.unmapped
    assert sum(map(len, found.unmapped.values())) < TEXT_MAXIMUM


def test_a_picture_with_as_many_nodes_as_its_texts_may_hold_is_read():
    nodes: Nodes = {f"{at}": {"inputs": {}} for at in range(100, 90_000)} | plain()
    text = json.dumps(nodes, separators=(",", ":"))
    assert len(text) <= TEXT_MAXIMUM
    found = read_picture(io.BytesIO(png({"prompt": text})))
    assert found is not None
    assert found.recipe.request.prompt == "a bottle"


def test_a_prompt_that_is_too_long_is_told():
    left = read(LARGE["doubling texts"]()).not_mapped
    assert left["prompt"].startswith("xyxy")


def test_what_is_told_of_a_picture_is_bounded_and_says_so():
    nodes = plain(sampler={"model": ["c0", 0]})
    nodes |= {f"c{at}": node(f"Patch {at}", model=[f"c{at + 1}" if at < 99 else "4", 0]) for at in range(100)}
    left = read(nodes).not_mapped
    assert len(left) < 100
    assert "Patch 99" in left["And more"]


CIRCLES = [
    plain(sampler={"model": ["10", 0]}, n10=node("LoraLoader", lora_name=["10", 0], model=["10", 0], clip=["10", 0])),
    plain(n6=node("CLIPTextEncode", text=["10", 0], clip=["6", 0]), n10=node("StringConcatenate", string_a=["10", 0])),
    plain(n6=node("CLIPTextEncode", text=["10", 0]), n10=node("X", text=["11", 0]), n11=node("Y", text=["10", 0])),
    plain(sampler={"positive": ["10", 0]}, n10=node("ConditioningCombine", conditioning_1=["10", 0])),
    plain(sampler={"latent_image": ["3", 0], "seed": ["3", 0], "steps": ["3", 0]}),
    plain(n4=node("CheckpointLoaderSimple", ckpt_name=["4", 0])),
    plain(sampler={"sigmas": ["10", 0], "sampler": ["10", 0], "noise": ["3", 0], "guider": ["3", 0]},
          n10=node("Reroute", value=["10", 0])),
    plain(sampler={"pipe": ["3", 0], "positive": None}),
]  # fmt: skip


@pytest.mark.parametrize("nodes", CIRCLES, ids=range(len(CIRCLES)))
def test_a_circle_is_gone_round_once(nodes):
    found = read_graph(nodes)
    assert found is not None
    assert found.work < 500


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=6), st.just("None"),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.tuples(st.sampled_from(["3", "4", "5", "6", "10", "11", "99", 4]), st.one_of(st.integers(-2, 9), st.booleans()))
    .map(list),
)  # fmt: skip
SEED = plain(
    sampler={"model": ["10", 0], "positive": ["11", 0]},
    n10=node("CR LoRA Stack", switch_1="On", lora_name_1="a", model_weight_1=1, clip_weight_1=1, model=["4", 0],
             lora_stack=["12", 0], sampling="eps", zsnr=True, multiplier=0.5),
    n11=node("CLIPTextEncodeSDXL", text_g="a", text_l="b", width=1, height=2, crop_w=0, crop_h=0, clip=["4", 1]),
    n12=node("SplitSigmas", sigmas=["5", 0], step=2, scheduler="karras", steps=3, populated_text="<lora:a:b:c>"),
)  # fmt: skip
KINDS = [
    "CR LoRA Stack", "LoRA Stacker", "easy loraStack", "Power Lora Loader (rgthree)", "Lora Loader Stack (rgthree)",
    "LoraTagLoader", "ImpactWildcardEncode", "Lora Loader (LoraManager)", "ModelSamplingDiscrete", "RescaleCFG",
    "smZ CLIPTextEncode", "Efficient Loader", "KarrasScheduler", "VPScheduler", "SamplerEulerAncestral", "RandomNoise",
    "CFGGuider", "BasicGuider", "Text Concatenate", "JoinStringMulti", "Text String", "StringSubstring", "Reroute",
    "CaseConverter", "StringFunction|pysssss", "ToBasicPipe", "ConditioningZeroOut", "KSampler Config (rgthree)", "X",
]  # fmt: skip


@given(st.data())
def test_any_value_and_any_kind_of_node_in_the_place_of_another_is_read_to_something_allowed(data):
    nodes: dict[str, Any] = json.loads(json.dumps(SEED))
    for key in data.draw(st.lists(st.sampled_from(list(nodes)), max_size=4)):
        nodes[key]["class_type"] = data.draw(st.sampled_from(KINDS) | ODD)
    for _ in range(data.draw(st.integers(0, 8))):
        inputs = nodes[data.draw(st.sampled_from(list(nodes)))]["inputs"]
        name = data.draw(st.sampled_from([*inputs, "lora_1", "string_1", "inputcount", "pipe", "loras"]))
        inputs[name] = data.draw(ODD)
    text = json.dumps(nodes)
    found = read_picture(io.BytesIO(png({"prompt": text})))
    if found is not None:
        request = found.recipe.request
        assert GenerationRequest.model_validate(request.model_dump()) == request
