"""The graph that ComfyUI's window draws, where a picture holds no other."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.comfy.workflow import NODES_MAXIMUM, graph_of
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.picture_text.foreign.reading import read_picture
from tests.unit.history.foreign.pictures import png

Links = dict[str, tuple[str, int]]


def drawn(key: Any, kind: str, values: Any, links: Links | None = None, **more: Any) -> dict[str, Any]:
    """A node with the links that come in, by the input's name: its type and the link's id."""
    inputs = [{"name": name, "type": given[0], "link": given[1]} for name, given in (links or {}).items()]
    return {"id": key, "type": kind, "mode": 0, "widgets_values": values, "inputs": inputs, **more}


def workflow() -> dict[str, Any]:
    """ComfyUI's first graph with a LoRA ("10") between, as the window of 2023 writes it."""
    nodes = [
        drawn(3, "KSampler", [5, "randomize", 25, 6.5, "dpmpp_2m", "karras", 1],
              {"model": ("MODEL", 1), "positive": ("CONDITIONING", 4), "negative": ("CONDITIONING", 6),
               "latent_image": ("LATENT", 2)}),
        drawn(4, "CheckpointLoaderSimple", ["dream.safetensors"]),
        drawn(5, "EmptyLatentImage", [512, 768, 1]),
        drawn(6, "CLIPTextEncode", ["a bottle"], {"clip": ("CLIP", 3)}),
        drawn(7, "CLIPTextEncode", ["blurry"], {"clip": ("CLIP", 5)}),
        drawn(8, "VAEDecode", [], {"samples": ("LATENT", 7), "vae": ("VAE", 8)}),
        drawn(9, "SaveImage", ["ComfyUI"], {"images": ("IMAGE", 9)}),
        drawn(10, "LoraLoader", ["ink.pt", 0.5, 0.5], {"model": ("MODEL", 10), "clip": ("CLIP", 11)},
              outputs=[{"type": "MODEL"}, {"type": "CLIP"}]),
        drawn(11, "Note", ["words for people"]),
    ]  # fmt: skip
    links = [
        [1, 10, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [3, 10, 1, 6, 0, "CLIP"], [4, 6, 0, 3, 1, "CONDITIONING"],
        [5, 10, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "CONDITIONING"], [7, 3, 0, 8, 0, "LATENT"], [8, 4, 2, 8, 1, "VAE"],
        [9, 8, 0, 9, 0, "IMAGE"], [10, 4, 0, 10, 0, "MODEL"], [11, 4, 1, 10, 1, "CLIP"],
    ]  # fmt: skip
    return {"version": 0.4, "nodes": nodes, "links": links}


def read(raw: dict[str, Any]) -> Reading:
    found = read_picture(io.BytesIO(png({"workflow": json.dumps(raw)})))
    assert found is not None
    return found


def test_it_is_read_where_there_is_no_other():
    found = read(workflow())
    request = found.recipe.request
    assert (request.prompt, request.negative_prompt) == ("a bottle <lora:ink:0.5>", "blurry")
    assert (request.seed, request.steps, request.guidance_scale, request.scheduler) == (5, 25, 6.5, "dpmpp_2m")
    assert (request.model, request.width, request.height) == ("dream", 512, 768)
    assert set(found.not_mapped) == {"Workflow"}


def test_what_is_muted_or_bypassed_was_not_run():
    raw = workflow()
    raw["nodes"][7]["mode"] = 4
    assert read(raw).recipe.request.prompt == "a bottle", "a bypassed node hands on what it is given"
    raw["nodes"][7]["mode"] = 2
    assert read(raw).recipe.request.model == "", "what leads through a muted node leads nowhere"
    raw = workflow()
    second = [9, "fixed", 5, 1, "euler", "normal", 0.4]
    raw["nodes"].append(drawn(12, "KSampler", second, {"latent_image": ("LATENT", 7)}, mode=2))
    assert "Pass 2" not in read(raw).not_mapped


def test_newer_windows_write_the_names_of_values():
    raw = workflow()
    names = ("bend", "seed", "power")
    widgets = [{"name": name, "type": "X", "link": None, "widget": {"name": name}} for name in names]
    patch = {**drawn(20, "PatchOfTomorrow", [3, 7, "fixed", 9]), "outputs": [{"type": "MODEL"}]}
    patch["inputs"] = [{"name": "model", "type": "MODEL", "link": 1}, *widgets]
    raw["nodes"].append(patch)
    raw["links"].append([12, 20, 0, 3, 0, "MODEL"])
    raw["nodes"][0]["inputs"][0]["link"] = 12
    assert read(raw).not_mapped["PatchOfTomorrow"] == "bend 3, seed 7, power 9"


def test_a_group_is_what_is_in_it():
    raw = workflow()
    group = {
        "id": "5b1c", "name": "Words", "inputs": [{"name": "clip"}], "outputs": [{"name": "CONDITIONING"}],
        "nodes": [drawn(1, "CLIPTextEncode", ["inside"], {"clip": ("CLIP", 1)})],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0, "type": "CLIP"},
            {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
        ],
    }  # fmt: skip
    raw["definitions"] = {"subgraphs": [group]}
    raw["nodes"][3] = drawn(6, "5b1c", [], {"clip": ("CLIP", 3)})
    assert read(raw).recipe.request.prompt == "inside <lora:ink:0.5>"
    raw["nodes"][3] = drawn(6, "workflow>Words", ["old"], {"clip": ("CLIP", 3)})
    assert "workflow>Words" in read(raw).not_mapped, "a group of before 2025 is told by its name"


def test_values_that_are_handed_on_by_name_arrive():
    raw = workflow()
    raw["nodes"] += [drawn(20, "SetNode", ["MODEL"], {"MODEL": ("MODEL", 1)}), drawn(21, "GetNode", ["MODEL"])]
    raw["links"].append([12, 21, 0, 3, 0, "MODEL"])
    raw["nodes"][0]["inputs"][0]["link"] = 12
    assert read(raw).recipe.request.model == "dream"


def test_a_group_in_itself_ends():
    group = {"id": "g", "nodes": [drawn(at, "g", []) for at in range(4)], "links": []}
    raw = {"nodes": [drawn(1, "g", [])], "links": [], "definitions": {"subgraphs": [group]}}
    assert len(graph_of(raw)) <= NODES_MAXIMUM
    raw["nodes"] = [drawn(at, "X", [], {"x": ("X", at)}, mode=4, outputs=[{"type": "X"}]) for at in range(9)]
    raw["nodes"].append(drawn("end", "KSampler", [1, "fixed", 2, 3, "euler", "normal", 1], {"latent_image": ("X", 0)}))
    raw["links"] = [[at, (at + 1) % 9, 0, at, 0, "X"] for at in range(9)]
    assert graph_of(raw)["end"]["inputs"]["steps"] == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["id", "type", "nodes", "links", "inputs", "widgets_values", "mode", "link", "name", "widget", "outputs"]
    ), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.data())
def test_any_value_in_the_place_of_another_is_read_to_something_allowed(data):
    raw = workflow()
    for _ in range(data.draw(st.integers(1, 5))):
        place: Any = data.draw(st.sampled_from([raw, *raw["nodes"], *raw["links"]])) if isinstance(
            raw.get("nodes"), list) and isinstance(raw.get("links"), list) else raw  # fmt: skip
        if isinstance(place, dict) and place:
            place[data.draw(st.sampled_from(list(place)))] = data.draw(anything)
        elif isinstance(place, list) and place:
            place[data.draw(st.integers(0, len(place) - 1))] = data.draw(anything)
    found = read_picture(io.BytesIO(png({"workflow": json.dumps(raw)})))
    if found is not None:
        request = found.recipe.request
        assert GenerationRequest.model_validate(request.model_dump()) == request
