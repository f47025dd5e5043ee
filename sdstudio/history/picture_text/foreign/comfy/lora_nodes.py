"""Nodes that load LoRA, one row each: under which inputs they have names and weights.

Sources: ComfyUI ``nodes.py`` (LoraLoader), and the nodes of rgthree, Comfyroll, Efficiency, Easy-Use, WAS Suite,
pythongosssss, lora_tag_loader and the Impact Pack by the names of their classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import STEP, Graph, Node
from sdstudio.history.picture_text.foreign.comfy.text_nodes import words
from sdstudio.history.picture_text.foreign.comfy.values import Values

LORAS_MAXIMUM: Final = 200
"""Most LoRA that one node is read for."""
_NONE: Final = frozenset({"", "none", "null"})
_TAG: Final = re.compile(r"<lora:([^<>]{1,1000})>")
_NUMBERED: Final = re.compile(r"\d{1,3}$")


@dataclass(frozen=True, slots=True)
class LoraInNode:
    """One LoRA of a node: its name, and how strongly it acts on the UNet and on the text encoders."""

    name: str
    unet_weight: float
    text_weight: float


Raw = tuple[Any, Any, Any]
"""Name, weight on the UNet and weight on the text encoders as they stand in the node."""
Reader = Callable[[Mapping[str, Any], Values], Iterator[Raw]]


def _single(name: str, unet: str, text: str, switch: str = "") -> Reader:
    def read(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
        if not switch or inputs.get(switch) == "On":
            yield inputs.get(name), inputs.get(unet, 1.0), inputs.get(text, inputs.get(unet, 1.0)) if text else 0.0

    return read


def _numbers(inputs: Mapping[str, Any], beginning: str) -> list[str]:
    numbers = {
        match.group(): None for name in inputs if name.startswith(beginning) and (match := _NUMBERED.search(name))
    }
    return list(numbers)[:LORAS_MAXIMUM]


def _comfyroll(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    for at in _numbers(inputs, "lora_name_"):
        if inputs.get(f"switch_{at}") == "On":
            yield inputs[f"lora_name_{at}"], inputs.get(f"model_weight_{at}"), inputs.get(f"clip_weight_{at}")


def _efficiency(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    count = inputs.get("lora_count")
    for at in _numbers(inputs, "lora_name_"):
        if isinstance(count, int) and int(at) > count:
            continue
        if inputs.get("input_mode") == "advanced":
            yield inputs[f"lora_name_{at}"], inputs.get(f"model_str_{at}"), inputs.get(f"clip_str_{at}")
        else:
            yield inputs[f"lora_name_{at}"], inputs.get(f"lora_wt_{at}"), inputs.get(f"lora_wt_{at}")


def _easy(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    count = inputs.get("num_loras")
    if inputs.get("toggle") is False:
        return
    for at in range(1, min(count, LORAS_MAXIMUM) + 1 if isinstance(count, int) else 11):
        each = inputs.get("mode") == "advanced"
        unet, text = ("model_strength", "clip_strength") if each else ("strength", "strength")
        yield inputs.get(f"lora_{at}_name"), inputs.get(f"lora_{at}_{unet}"), inputs.get(f"lora_{at}_{text}")


def _rgthree_stack(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    for at in _numbers(inputs, "lora_"):
        yield inputs.get(f"lora_{at}"), inputs.get(f"strength_{at}"), inputs.get(f"strength_{at}")


def _rgthree_power(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    for name, value in inputs.items():
        if name.casefold().startswith("lora_") and isinstance(value, Mapping) and value.get("on") is True:
            both = value.get("strength")
            second = value.get("strengthTwo")
            yield value.get("lora"), both, both if second is None else second


def _in_tags(name: str, unsaid: float = 1.0) -> Reader:
    """Read ``<lora:name:unet:text>``: other than A1111, these nodes have the UNet's weight first."""

    def read(inputs: Mapping[str, Any], values: Values) -> Iterator[Raw]:
        for match in list(_TAG.finditer(values.text(inputs.get(name))))[:LORAS_MAXIMUM]:
            lora, *weights = match[1].strip(":").split(":")
            if any(weight.startswith("LBW=") for weight in weights):
                weights = [weight for weight in weights if not weight.startswith("LBW=")]
            unet = weights[0] if weights else unsaid
            yield lora, unet, weights[1] if len(weights) > 1 else unet

    return read


def _both(first: Reader, second: Reader) -> Reader:
    def read(inputs: Mapping[str, Any], values: Values) -> Iterator[Raw]:
        yield from first(inputs, values)
        yield from second(inputs, values)

    return read


def _manager(inputs: Mapping[str, Any], _values: Values) -> Iterator[Raw]:
    """Read the list that LoRA Manager's loader keeps."""
    kept = inputs.get("loras")
    rows = kept.get("__value__") if isinstance(kept, Mapping) else kept
    for row in rows[:LORAS_MAXIMUM] if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("active") is True:
            yield row.get("name"), row.get("strength"), row.get("clipStrength", row.get("strength"))


_PLAIN: Final = _single("lora_name", "strength_model", "strength_clip")
LORA_NODES: Final[Mapping[str, Reader]] = {
    "LoraLoader": _PLAIN, "LoraLoader|pysssss": _PLAIN, "Load Lora": _PLAIN, "Lora Loader": _PLAIN,
    "LoraLoaderModelOnly": _single("lora_name", "strength_model", ""),
    "LoraLoaderBypass": _PLAIN, "LoraLoaderBypassModelOnly": _single("lora_name", "strength_model", ""),
    "NunchakuFluxLoraLoader": _single("lora_name", "lora_strength", ""),
    "CR Load LoRA": _single("lora_name", "strength_model", "strength_clip", "switch"),
    "Efficient Loader": _single("lora_name", "lora_model_strength", "lora_clip_strength"),
    "Eff. Loader SDXL": _single("lora_name", "lora_model_strength", "lora_clip_strength"),
    **{f"easy {kind}Loader": _both(_single("lora_name", "lora_model_strength", "lora_clip_strength"),
                                   _in_tags("positive")) for kind in ("full", "a1111", "comfy")},
    "Lora Loader Stack (rgthree)": _rgthree_stack, "Power Lora Loader (rgthree)": _rgthree_power,
    "CR LoRA Stack": _comfyroll, "LoRA Stacker": _efficiency, "easy loraStack": _easy,
    "Lora Loader (LoraManager)": _manager, "Lora Stacker (LoraManager)": _manager,
    "LoraTagLoader": _in_tags("text", 0.0), "ImpactWildcardEncode": _in_tags("populated_text"),
    "Power Prompt (rgthree)": _in_tags("prompt"), "SDXL Power Prompt - Positive (rgthree)": _in_tags("prompt_g"),
    "CR Apply LoRA Stack": lambda _inputs, _values: iter(()), "easy loraStackApply": lambda _inputs, _values: iter(()),
    "Apply LoRA Stack": lambda _inputs, _values: iter(()),
}  # fmt: skip
"""``class_type`` -> what it loads, beside what its stack brings."""
_STACKS: Final = ("lora_stack", "optional_lora_stack", "lora_stack_input")


class LoraReader:
    """Reads the LoRA of nodes, and of the stacks that are linked to them."""

    def __init__(self, graph: Graph, account: Account, values: Values) -> None:
        self._graph = graph
        self._account = account
        self._values = values
        self._read: dict[str, tuple[LoraInNode, ...]] = {}

    def of(self, node: Node) -> tuple[LoraInNode, ...]:
        """Return the LoRA that a node applies; what it loads and is not understood is reported."""
        if node.key not in self._read:
            loras = list(self._own(node))
            seen = {node.key}
            link = self._graph.first(node, _STACKS)
            while link is not None and link[0].key not in seen and self._graph.visit(STEP):
                seen.add(link[0].key)
                if link[0].kind in LORA_NODES:
                    self._account.take(link[0])
                elif not link[0].passes:
                    self._account.report_node(link[0])
                loras += self._own(link[0])
                link = self._graph.first(link[0], _STACKS)
            self._read[node.key] = tuple(loras)
        return self._read[node.key]

    def known(self, key: str, place: int) -> LoraInNode:
        """Return a LoRA of a node that was read."""
        return self._read[key][place]

    def _own(self, node: Node) -> Iterator[LoraInNode]:
        reader = LORA_NODES.get(node.kind)
        if reader is None and "lora_name" in node.inputs:
            reader = _PLAIN if "strength_model" in node.inputs else _single("lora_name", "strength", "strength")
        for name, unet, text in reader(node.inputs, self._values) if reader is not None else ():
            title = words(self._values.plain(name, "lora_name"))
            if title.casefold() in _NONE:
                if name is not None and self._graph.linked(name) is not None:
                    self._account.report(node.kind, "a LoRA whose name is not told")
                continue
            on_unet, on_text = self._values.number(unet, "strength"), self._values.number(text, "strength")
            if on_unet is None or on_text is None:
                self._account.report(node.kind, f"{title[:80]}: its weight is no number")
            elif on_unet or on_text:
                yield LoraInNode(title, on_unet, on_text)
