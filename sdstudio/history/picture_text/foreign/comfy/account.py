"""The account of a graph: which of its nodes were taken over, and what is reported of those that were not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sdstudio.history.picture_text.foreign.comfy.graph import Graph, Node
from sdstudio.history.picture_text.foreign.found import short_text

VALUE_MAXIMUM: Final = 80
"""Longest value of a node that is reported, in characters."""
NODES_MAXIMUM: Final = 12
"""Most nodes of one kind whose values are reported; of more, how many they are."""
_IDLE_INPUTS: Final = frozenset({
    "speak_and_recognation", "control_after_generate", "preview_method", "vae_decode", "image_output", "link_id",
    "save_prefix", "filename_prefix", "log_prompt", "upload", "choose file to upload", "device", "label",
    "Select to add LoRA", "Select to add Wildcard", "insert_lora", "insert_embedding", "insert_saved", "unique_id",
})  # fmt: skip
"""Inputs that act on no pixel."""
_FOLLOWED: Final = frozenset({"model", "clip", "vae", "model1", "clip1"})
"""Links that are followed anyway, to loaders that are read."""


class Account:
    """What became of each node."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._used: set[str] = set()
        self._texts: dict[str, list[str]] = {}

    def take(self, node: Node) -> None:
        """Note that all of a node was taken over, or that it acts on nothing."""
        self._used.add(node.key)

    def has(self, node: Node) -> bool:
        """Whether a node was taken over, or reported."""
        return node.key in self._used

    def report_node(self, node: Node, without: Collection[str] = ()) -> None:
        """Report a node by the name of its class, once, with its values other than those of some inputs."""
        if node.key not in self._used:
            self._used.add(node.key)
            self.report(node.kind or f"Node {node.key}", self._described(node, without))

    def report(self, name: str, text: str) -> None:
        """Report something under a name; what is reported twice appears once."""
        texts = self._texts.setdefault(name, [])
        if text not in texts[:NODES_MAXIMUM]:
            texts.append(text)

    @property
    def unmapped(self) -> dict[str, str]:
        """Name -> what is reported under it."""
        texts_by_name = {}
        for name, texts in self._texts.items():
            text = "; ".join(text for text in texts[:NODES_MAXIMUM] if text)
            more = f"; {len(texts) - NODES_MAXIMUM:,} more" if len(texts) > NODES_MAXIMUM else ""
            texts_by_name[name] = (text or "used there, and not here") + more
        return texts_by_name

    def _described(self, node: Node, without: Collection[str]) -> str:
        parts = []
        for name, value in node.inputs.items():
            if name in without or name in _IDLE_INPUTS:
                continue
            link = self._graph.linked(value)
            if link is not None:
                value = None if name in _FOLLOWED else self._file_of(link[0])
            if isinstance(value, str | int | float):
                text = short_text(value)
                parts.append(f"{name} {text if len(text) <= VALUE_MAXIMUM else text[: VALUE_MAXIMUM - 1] + '…'}")
        return ", ".join(parts)

    def _file_of(self, loader: Node) -> str | None:
        """Return the name of the file that a node loads and nothing else, which is then reported too."""
        names = [value for name, value in loader.inputs.items() if name.endswith("_name") and isinstance(value, str)]
        if len(names) != 1 or "Loader" not in loader.kind or self._graph.links(loader):
            return None
        self._used.add(loader.key)
        return names[0]
