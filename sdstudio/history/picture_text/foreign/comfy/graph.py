"""A ComfyUI graph as it stands in a picture: nodes, links between them, and how much of it may be walked.

A picture holds the graph as JSON: node id -> ``class_type`` and ``inputs``; an input is a value or a link, ``[id,
output]``. Nothing in it can be trusted: links may lead nowhere or in circles, so every walk remembers where it was, and
all walks together visit no more than `WORK_MAXIMUM` nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

WORK_MAXIMUM: Final = 60_000
"""Most visits to nodes by all walks together: a graph of 1,000 nodes takes 10,000, and this many half a second."""
STEP: Final = 10
"""Visits that a step along a chain counts for: it looks at as many inputs."""
KIND_MAXIMUM: Final = 200
"""Longest name of a class or a node, in characters."""

MODEL, CLIP, VAE, LATENT, SIGMAS = "model", "clip", "vae", "latent", "sigmas"
_INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    MODEL: ("model", "model_override", "opt_model", "model_opt", "model1", "base_model", "unet", "diffusion_model"),
    CLIP: ("clip", "clip_override", "opt_clip", "clip_opt", "clip1", "base_clip"),
    VAE: ("vae", "optional_vae", "opt_vae", "vae_override", "vae_opt"),
    LATENT: (
        "latent_image", "optional_latent", "latent", "samples", "samples_to", "samples1", "latent1", "latents",
        "image_to_latent", "pixels", "image",
    ),
    SIGMAS: ("sigmas", "sigmas1", "sigmas_1"),
}  # fmt: skip
"""What is followed -> the names of the inputs that bring it, the nearest to the name first."""
PIPES: Final = ("pipe", "basic_pipe", "sdxl_tuple", "base_ctx", "ctx_01", "context", "detailer_pipe", "any_pipe")
"""Inputs that bring model, prompts, VAE and latents in one."""
CHOICES: Final = ("Input", "select", "index")
"""Inputs of a switch that choose which of its numbered inputs it hands on."""
PASSING: Final = frozenset({
    "Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss", "easy getNode", "Any Switch (rgthree)",
    "Context (rgthree)", "Context Big (rgthree)", "ToBasicPipe", "FromBasicPipe", "FromBasicPipe_v2", "EditBasicPipe",
    "Pack SDXL Tuple", "Unpack SDXL Tuple", "easy pipeIn", "easy pipeOut", "GetNode", "SetNode",
    "TorchCompileModel", "easy cleanGpuUsed", "easy clearCacheAll",
})  # fmt: skip
"""Nodes that hand on what they are given."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One node.

    Attributes:
        key: Its id.
        kind: Its ``class_type``, "" when it has none.
        inputs: Name -> value or link.
    """

    key: str
    kind: str
    inputs: Mapping[str, Any]

    @property
    def passes(self) -> bool:
        """Whether it only hands on what it is given."""
        return self.kind in PASSING


Link = tuple[Node, int]
"""A node and the place of one of its outputs."""


class Graph:
    """The nodes of a graph, and the visits that are left."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._nodes: dict[str, Node | None] = {}
        self.work = 0

    def __len__(self) -> int:
        return len(self._raw)

    def node(self, key: str) -> Node | None:
        """Return a node, ``None`` when there is none of that id, or no inputs in it."""
        if key not in self._nodes:
            raw = self._raw.get(key)
            inputs = raw.get("inputs") if isinstance(raw, Mapping) else None
            kind = raw.get("class_type") if isinstance(raw, Mapping) else None
            named = kind.strip()[:KIND_MAXIMUM] if isinstance(kind, str) else ""
            self._nodes[key] = Node(key, named, inputs) if isinstance(inputs, Mapping) else None
        return self._nodes[key]

    def all(self) -> Iterator[Node]:
        """Yield every node that may still be visited."""
        for key in self._raw:
            node = self.node(key)
            if node is not None:
                yield node
            if not self.visit():
                return

    def having(self, wanted: Callable[[Mapping[str, Any]], bool]) -> list[Node]:
        """Return the nodes whose inputs are as wanted."""
        found = []
        for key, raw in self._raw.items():
            inputs = raw.get("inputs") if isinstance(raw, Mapping) else None
            node = self.node(key) if isinstance(inputs, Mapping) and wanted(inputs) else None
            if node is not None:
                found.append(node)
        return found

    @property
    def is_exhausted(self) -> bool:
        """Whether there was more to walk than allowed."""
        return self.work >= WORK_MAXIMUM

    def visit(self, count: int = 1) -> bool:
        """Count visits; False when there are none left."""
        self.work += count
        return self.work < WORK_MAXIMUM

    def linked(self, value: object) -> Link | None:
        """Return where a link leads, ``None`` for a value or a link to nowhere."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
            node = self.node(str(value[0])) if len(str(value[0])) <= KIND_MAXIMUM else None
            return (node, value[1] if isinstance(value[1], int) else 0) if node is not None else None
        return None

    def links(self, node: Node, without: Iterable[str] = ()) -> list[tuple[str, Link]]:
        """Return the linked inputs of a node by name."""
        left_out = frozenset(without)
        links = [(name, self.linked(value)) for name, value in node.inputs.items() if name not in left_out]
        self.visit(len(links) + 1)
        return [(name, link) for name, link in links if link is not None]

    def first(self, node: Node, names: Sequence[str]) -> Link | None:
        """Return the first of the named inputs that is a link."""
        inputs = node.inputs
        for name in names:
            if name in inputs:
                link = self.linked(inputs[name])
                if link is not None:
                    return link
        return None

    def brings(self, node: Node, role: str) -> bool:
        """Whether a node is given a model, CLIP, VAE, latents or sigmas, and does not load or make them."""
        return self.first(node, _INPUTS[role]) is not None

    def source(self, node: Node, role: str) -> Link | None:
        """Return where a node has its model, CLIP, VAE, latents or sigmas from."""
        found = self._chosen(node, role) or self.first(node, _INPUTS[role]) or self.first(node, PIPES)
        if found is None and node.passes:
            found = next((link for _, link in self.links(node)), None)
        return found

    def _chosen(self, node: Node, role: str) -> Link | None:
        """Return the one of numbered inputs that a switch is set to."""
        at = next((node.inputs[name] for name in CHOICES if isinstance(node.inputs.get(name), int)), None)
        return None if at is None else self.first(node, (f"{role}{at}", f"{role}_{at}", f"input{at}"))

    def chain(self, link: Link | None, role: str) -> Iterator[Link]:
        """Yield the nodes that a model, CLIP, VAE, latents or sigmas came through, nearest first."""
        seen: set[str] = set()
        while link is not None and link[0].key not in seen and self.visit(STEP):
            seen.add(link[0].key)
            yield link
            link = self.source(link[0], role)

    def in_pipe(self, node: Node, names: Sequence[str]) -> tuple[Node, str] | None:
        """Return the node, this or the nearest up its pipe, that has one of the inputs, and which."""
        seen: set[str] = set()
        while node.key not in seen and self.visit(STEP):
            seen.add(node.key)
            name = next((name for name in names if node.inputs.get(name) is not None), None)
            if name is not None:
                return node, name
            before = self.first(node, PIPES)
            if before is None:
                return None
            node = before[0]
        return None

    def upstream(self, links: Iterable[Link]) -> Iterator[Node]:
        """Yield every node that links lead to, directly or not."""
        waiting = [node for node, _ in links]
        seen: set[str] = set()
        while waiting and self.visit():
            node = waiting.pop()
            if node.key not in seen:
                seen.add(node.key)
                yield node
                waiting += [before for _, (before, _) in self.links(node) if before.key not in seen]

    def downstream(self, start: Node) -> Iterator[Node]:
        """Yield every node that uses what a node makes, directly or not, nearest first."""
        users: dict[str, list[Node]] = {}
        for node in self.all():
            for _, (before, _) in self.links(node):
                users.setdefault(before.key, []).append(node)
        waiting, seen, place = [start], {start.key}, 0
        while place < len(waiting) and self.visit():
            for node in users.get(waiting[place].key, ()):
                if node.key not in seen:
                    seen.add(node.key)
                    waiting.append(node)
                    yield node
            place += 1
