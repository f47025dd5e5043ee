"""What an input of a node is: the value written in it, or the one that other nodes make and a link brings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import CLIP, MODEL, PIPES, VAE, Graph, Link, Node
from sdstudio.history.picture_text.foreign.comfy.text_nodes import TEXT_MAXIMUM, VALUE_NODES, joined, words
from sdstudio.history.picture_text.foreign.found import number_in

_TEXT_KEYS: Final = (
    "text", "text_g", "text_l", "prompt", "string", "value", "clip_l", "clip_g", "t5xxl", "positive", "negative",
)  # fmt: skip
_TEXT_PARTS: Final = ("text", "string", "prompt")
_NUMBER_KEYS: Final = ("value", "seed", "noise_seed", "int", "float", "number")
_SAME: Final = {
    "sampler_name": ("sampler",), "noise_seed": ("seed",), "steps": ("steps_total",), "width": ("empty_latent_width",),
    "height": ("empty_latent_height",), "scheduler": ("scheduler_name",),
}  # fmt: skip
NOT_WORDS: Final = frozenset({
    "clip", "model", "vae", "image", "images", "control_net", "latent", "mask", "pixels", "opt_model", "opt_clip",
    "samples", "latent_image", "conditioning", "clip_vision", "clip_vision_output",
})  # fmt: skip
"""Inputs that bring neither text nor number."""
_CHARACTERS_A_VISIT: Final = 200


class Values:
    """Reads inputs; a node on the way that is not known is reported, and what it may have made is guessed."""

    def __init__(self, graph: Graph, account: Account) -> None:
        self._graph = graph
        self._account = account
        self._made: dict[tuple[str, int, str], object] = {}

    def plain(self, value: object, name: str = "") -> object:
        """Return an input's value: a text, a number or a truth value, ``None`` when it is not known.

        Args:
            value: As it stands in the node.
            name: Of the input: a node that is not known may have one of the same name.
        """
        link = self._graph.linked(value)
        found = self._of(link, name) if link is not None else value
        if isinstance(found, dict) and isinstance(found.get("content"), str):  # pythongosssss' pickers with pictures
            found = found["content"]
        return found if isinstance(found, str | int | float) else None

    def text_of(self, node: Node, negative: bool) -> str:
        """Return the text of a node that is not known, "" when there is none: of two sides, that one."""
        return self.text([node.key, int(negative)])

    def text(self, value: object) -> str:
        """Return an input's text, "" when there is none."""
        return words(self.plain(value))

    def number(self, value: object, name: str = "") -> float | None:
        """Return an input's number, also one written as text, ``None`` when there is none or it is not finite."""
        return number_in(self.plain(value, name))

    def _of(self, link: Link, name: str) -> object:
        """Compute what a link brings, inputs first; a node that needs what it makes itself gets ``None``."""
        waiting, opened = [link], set[tuple[str, int, str]]()
        while waiting and self._graph.visit():
            node, output = waiting[-1]
            place = (node.key, output, name)
            if place in self._made:
                waiting.pop()
            elif place in opened:
                self._made[place] = self._computed(node, output, name)
                waiting.pop()
            else:
                opened.add(place)
                for before, its_output in self._sources(node, name):
                    wanted = (before.key, its_output, name)
                    if wanted not in self._made and wanted not in opened:
                        waiting.append((before, its_output))
        return self._made.get((link[0].key, link[1], name))

    def _sources(self, node: Node, name: str) -> list[Link]:
        """Return what a node may make its value of: of one that holds many things, those of that name, or its pipe."""
        links = self._graph.links(node, NOT_WORDS)
        if node.passes and len(links) > 1:
            wanted = {name, *_SAME.get(name, ()), *PIPES}
            links = [link for link in links if link[0] in wanted or link[0].startswith("any_")]
        links_seen = dict.fromkeys(link for _, link in links)
        return [link for link in links_seen if link[0].kind in VALUE_NODES or not self._is_elsewhere(link[0])]

    def _is_elsewhere(self, node: Node) -> bool:
        """Whether a node is on the way of models and not of values, and is met there."""
        return any(self._graph.brings(node, role) for role in (MODEL, CLIP, VAE)) and not node.passes

    def _computed(self, node: Node, output: int, name: str) -> object:
        values: dict[str, Any] = {}
        brought = dict[str, Any]()
        self._graph.visit(len(node.inputs))
        for key, value in node.inputs.items():
            link = self._graph.linked(value)
            if link is None:
                values[key] = value if isinstance(value, str | int | float) else None
            elif key not in NOT_WORDS:
                values[key] = brought[key] = self._made.get((link[0].key, link[1], name))
        row = VALUE_NODES.get(node.kind)
        if row is None and node.passes:
            self._account.take(node)
            value = _guessed_value(values, name)
            if value is None:
                value = next((values[pipe] for pipe in PIPES if values.get(pipe) is not None), None)
        elif row is None:
            self._account.report_node(node)
            value = _guessed_value(values, name) if name else _guessed_text(values, brought, output)
        else:
            value = row.read(values, output)
            if row.exact:
                self._account.take(node)
            else:
                self._account.report_node(node)
        if isinstance(value, str):
            value = value[:TEXT_MAXIMUM]
            self._graph.visit(len(value) // _CHARACTERS_A_VISIT)
        return value


def _guessed_text(values: dict[str, Any], brought: dict[str, Any], output: int) -> str:
    """Return the texts of a node that is not known, on lines of their own; of two sides, that of the output.

    Args:
        values: All its inputs.
        brought: Those of them that other nodes made: texts under whatever name, when no name shows that it is one. Of
            two sides, all of that side.
        output: Which output they are for.
    """
    sides = ("pos", "neg")
    if all(any(side in name and isinstance(value, str) for name, value in values.items()) for side in sides):
        values = {name: value for name, value in values.items() if sides[output != 1] not in name}
        brought = {name: value for name, value in values.items() if sides[output == 1] in name}
    names: dict[str, None] = dict.fromkeys(name for name in _TEXT_KEYS if name in values)
    names |= dict.fromkeys(name for name in values if name.startswith(_TEXT_PARTS))
    inner = [name for name in values if any(part in name for part in _TEXT_PARTS)]
    return _lines(values, names) or _lines(values, inner) or _lines(brought, brought)


def _lines(values: dict[str, Any], names: Iterable[str]) -> str:
    """Return the different texts of some inputs on lines of their own."""
    found: dict[str, None] = {}
    size = 0
    for name in names:
        text = words(values[name]).strip() if isinstance(values[name], str) else ""
        if text and text not in found and size <= TEXT_MAXIMUM:
            found[text] = None
            size += len(text)
    return joined(found, "\n")


def _guessed_value(values: dict[str, Any], name: str) -> object:
    named = (name, *_SAME.get(name, ()), *_NUMBER_KEYS)
    return next((values[key] for key in named if values.get(key) is not None), None)
