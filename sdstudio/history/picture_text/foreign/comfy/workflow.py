"""ComfyUI's other graph, the one that its window draws, made into the one that is run.

A picture of which only this one is left has its values without names, in the order in which a node shows them; nodes
that are muted or bypassed still stand in it, and so do groups of nodes as one. Sources: ComfyUI's frontend
``src/utils/executionUtil.ts``, ``schemas/comfyWorkflowSchema.ts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NODES_MAXIMUM: Final = 5_000
"""Most nodes that are read, those inside of groups counted each time."""
DEPTH_MAXIMUM: Final = 8
"""Deepest that groups may stand in groups."""
MUTED, BYPASSED = 2, 4
_INPUT_NODE, _OUTPUT_NODE = -10, -20
"""Ids that stand for a group's own inputs and outputs inside it."""
_CONTROL: Final = frozenset({"fixed", "randomize", "increment", "decrement"})
_SEEDS: Final = frozenset({"seed", "noise_seed"})
_SAMPLED: Final = ("steps", "cfg", "sampler_name", "scheduler")
_WIDGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "KSampler": ("seed", *_SAMPLED, "denoise"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", *_SAMPLED, "start_at_step", "end_at_step", "return_with_leftover_noise",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "RandomNoise": ("noise_seed",), "CFGGuider": ("cfg",), "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "KarrasScheduler": ("steps", "sigma_max", "sigma_min", "rho"),
    "ExponentialScheduler": ("steps", "sigma_max", "sigma_min"),
    "CheckpointLoaderSimple": ("ckpt_name",), "VAELoader": ("vae_name",), "UNETLoader": ("unet_name", "weight_dtype"),
    "CLIPLoader": ("clip_name", "type"), "DualCLIPLoader": ("clip_name1", "clip_name2", "type"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "CLIPTextEncode": ("text",), "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "CLIPTextEncodeSDXL": (
        "width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l",
    ),
    "EmptyLatentImage": ("width", "height", "batch_size"), "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"), "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "ControlNetLoader": ("control_net_name",), "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "FreeU": ("b1", "b2", "s1", "s2"), "FreeU_V2": ("b1", "b2", "s1", "s2"), "FluxGuidance": ("guidance",),
    "ModelSamplingDiscrete": ("sampling", "zsnr"), "RescaleCFG": ("multiplier",),
    "ConditioningAverage": ("conditioning_to_strength",), "ConditioningSetTimestepRange": ("start", "end"),
    "PrimitiveNode": ("value",), "PrimitiveString": ("value",), "PrimitiveStringMultiline": ("value",),
    "PrimitiveInt": ("value",), "PrimitiveFloat": ("value",), "String Literal": ("string",),
    "StringConcatenate": ("string_a", "string_b", "delimiter"), "LoadImage": ("image",),
}  # fmt: skip
"""``class_type`` -> its values in the order in which it shows them; newer windows write their names beside them."""

_Place = tuple[str, int]
"""A node's id and one of its outputs."""


@dataclass
class _Level:
    """The nodes of one graph, or of one group in it.

    Attributes:
        prefix: Stands before the ids of its nodes: "7:" inside of group 7.
        links: Id of a link -> where it begins.
        given: Places of a group's inputs, outside of it.
        outputs: Links that lead to a group's outputs.
    """

    prefix: str
    nodes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    links: dict[str, _Place] = field(default_factory=dict)
    given: dict[int, _Place | None] = field(default_factory=dict)
    outputs: dict[int, _Place] = field(default_factory=dict)


def graph_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return the graph that would be run, an empty one where this is no workflow.

    Groups whose nodes are not written in them stay one node, of a kind that nobody knows.
    """
    return _Flattening(workflow).made


class _Flattening:
    def __init__(self, workflow: Mapping[str, Any]) -> None:
        self.made: dict[str, Any] = {}
        definitions = workflow.get("definitions")
        groups = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
        self._groups = {
            group["id"]: group for group in _objects(groups) if isinstance(group.get("id"), str)
        }  # fmt: skip
        self._left = NODES_MAXIMUM
        self._group_outputs: dict[str, _Level] = {}
        self._add(_level(workflow, "", {}), 0)
        self._join_named()

    def _add(self, level: _Level, depth: int) -> None:
        for key, node in level.nodes.items():
            self._left -= 1
            if self._left < 0:
                return
            kind = node.get("type")
            if node.get("mode") in (MUTED, BYPASSED) or not isinstance(kind, str):
                continue
            given = {
                at: self._source(level, slot.get("link")) for at, slot in enumerate(_objects(node.get("inputs")))
            }  # fmt: skip
            group = self._groups.get(kind)
            if group is not None and depth < DEPTH_MAXIMUM:
                inner = _level(group, f"{level.prefix}{key}:", given)
                self._group_outputs[level.prefix + key] = inner
                self._add(inner, depth + 1)
            else:
                self.made[level.prefix + key] = {"class_type": kind, "inputs": self._inputs(node, kind, given)}

    def _inputs(self, node: Mapping[str, Any], kind: str, given: Mapping[int, _Place | None]) -> dict[str, Any]:
        inputs = dict(_values(node, kind))
        for at, slot in enumerate(_objects(node.get("inputs"))):
            place = given[at]
            if place is not None:
                inputs[str(slot.get("name", at))] = list(place)
        return inputs

    def _source(self, level: _Level, link: object) -> _Place | None:
        """Return where a link begins, through bypassed nodes, and out of groups."""
        place = level.links.get(str(link)) if link is not None else None
        seen: set[_Place] = set()
        while place is not None and place not in seen:
            seen.add(place)
            if place[0] == str(_INPUT_NODE):
                return level.given.get(place[1])
            node = level.nodes.get(place[0])
            if node is None or node.get("mode") == MUTED:
                return None
            if node.get("mode") != BYPASSED:
                return level.prefix + place[0], place[1]
            place = _through(level, node, place[1])
        return None

    def _join_named(self) -> None:
        """Lead links that end at a group's output into it, and GetNode to the SetNode of its name."""
        named = {
            name: key for key, node in self.made.items()
            if node["class_type"] == "SetNode" and isinstance(name := node["inputs"].get("widget_1"), str)
        }  # fmt: skip
        for node in self.made.values():
            for name, value in list(node["inputs"].items()):
                if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
                    place = self._inside((value[0], value[1]))
                    node["inputs"][name] = list(place) if place is not None else None
            if node["class_type"] in ("GetNode", "SetNode"):
                wanted = node["inputs"].pop("widget_1", None)
                if node["class_type"] == "GetNode" and isinstance(wanted, str) and wanted in named:
                    node["inputs"] = {"value": [named[wanted], 0]}

    def _inside(self, place: _Place) -> _Place | None:
        seen: set[_Place] = set()
        while place[0] in self._group_outputs and place not in seen:
            seen.add(place)
            level = self._group_outputs[place[0]]
            found = level.outputs.get(place[1])
            begins = self._source(level, f"out {place[1]}") if found is not None else None
            if begins is None:
                return None
            place = begins
        return place


def _level(raw: Mapping[str, Any], prefix: str, given: dict[int, _Place | None]) -> _Level:
    level = _Level(prefix, given=given)
    for node in _objects(raw.get("nodes")):
        if isinstance(node.get("id"), int | str):
            level.nodes[str(node["id"])] = node
    links = raw.get("links")
    for link in links if isinstance(links, list) else ():
        key, begins, slot, ends, place = _ends(link)
        if isinstance(slot, int):
            level.links[str(key)] = (str(begins), slot)
            if ends == _OUTPUT_NODE and isinstance(place, int):
                level.outputs[place] = (str(begins), slot)
                level.links[f"out {place}"] = (str(begins), slot)
    return level


def _ends(link: object) -> tuple[Any, Any, Any, Any, Any]:
    """Return a link's id, where it begins and where it ends, in either spelling."""
    if isinstance(link, list) and len(link) >= 5:
        return link[0], link[1], link[2], link[3], link[4]
    if isinstance(link, Mapping):
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        found = [link.get(name) for name in names]
        return found[0], found[1], found[2], found[3], found[4]
    return None, None, None, None, None


def _through(level: _Level, node: Mapping[str, Any], output: int) -> _Place | None:
    """Return what a bypassed node hands on: the first input that is linked and of the output's type."""
    outputs = list(_objects(node.get("outputs")))
    kind = outputs[output].get("type") if 0 <= output < len(outputs) else None
    for slot in _objects(node.get("inputs")):
        if slot.get("type") == kind and slot.get("link") is not None:
            return level.links.get(str(slot["link"]))
    return None


def _values(node: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of a node by name; by number where their names are unknown."""
    values = node.get("widgets_values")
    if isinstance(values, Mapping):
        yield from ((str(name), value) for name, value in values.items() if not isinstance(value, list))
    if not isinstance(values, list):
        return
    widgets = _objects([slot.get("widget") for slot in _objects(node.get("inputs"))])
    named = [widget["name"] for widget in widgets if isinstance(widget.get("name"), str)]
    names = list(_WIDGETS.get(kind, ()))
    if not names and len(named) == sum(not _is_control(value) for value in values):
        names = named
    at = 0
    for value in values:
        if _is_control(value) and at and names[at - 1 : at] and names[at - 1] in _SEEDS:
            continue
        name = names[at] if at < len(names) else f"widget_{at + 1}"
        at += 1
        if not isinstance(value, list):  # a pair would be taken for a link
            yield name, value


def _is_control(value: object) -> bool:
    """Whether a value is what becomes of a seed, and is no value of the node."""
    return isinstance(value, str) and value in _CONTROL


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()
