"""How the two sides of a sampler's guidance came to be: the nodes that encode words, and those that change the result.

Words are taken over; what joins several of them, keeps one to a part of the picture or of the steps, or adds a picture
to them, is reported by the name of its node.
Sources: ComfyUI ``nodes.py``, ``comfy_extras/nodes_clip_sdxl.py``, ``nodes_flux.py``, ``nodes_sd3.py``; smZNodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import Graph, Link, Node
from sdstudio.history.picture_text.foreign.comfy.model_nodes import Clip, ModelNodes, is_sampler
from sdstudio.history.picture_text.foreign.comfy.text_nodes import TEXT_MAXIMUM, VALUE_NODES, joined, without_tags
from sdstudio.history.picture_text.foreign.comfy.values import NOT_WORDS, Values

POSITIVE, NEGATIVE = "positive", "negative"
COMFYUI, A1111 = ("ComfyUI", "No norm"), ("A1111", "Original")
"""Ways to read weights, and what becomes of them, by the titles of the request's fields."""
_TAG_WORDS: Final = re.compile(r"<(?=\w{1,40}:[^<>]{1,1000}>)")


@dataclass(frozen=True, slots=True)
class Encoder:
    """A kind of node that encodes words.

    Attributes:
        texts: Its inputs with words, the one that counts most first; "" stands for the side that is asked for.
        idle: Other inputs -> values with which they do nothing.
        tags: It reads ``<lora:..>`` and encodes the rest.
    """

    texts: tuple[str, ...] = ("text",)
    idle: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    tags: bool = False


_SIZES: Final = (("width", "height"), ("target_width", "target_height"))
"""Sizes that an encoder of SDXL is reported."""
_ADVANCED: Final[Mapping[str, tuple[object, ...]]] = {
    "token_normalization": ("none",), "weight_interpretation": ("comfy",),
    "positive_token_normalization": ("none",), "positive_weight_interpretation": ("comfy",),
    "negative_token_normalization": ("none",), "negative_weight_interpretation": ("comfy",),
    "a1111_prompt_style": (False,),
}  # fmt: skip
ENCODERS: Final[Mapping[str, Encoder]] = {
    "CLIPTextEncode": Encoder(),
    "Text to Conditioning": Encoder(),
    "CLIPTextEncodeSDXL": Encoder(("text_g", "text_l"), {"crop_w": (0,), "crop_h": (0,)}),
    "CLIPTextEncodeSDXLRefiner": Encoder(("text",), {"ascore": ()}),
    "CLIPTextEncodeFlux": Encoder(("t5xxl", "clip_l"), {"guidance": ()}),
    "CLIPTextEncodeSD3": Encoder(("clip_g", "clip_l", "t5xxl"), {"empty_padding": ("none",)}),
    "CLIPTextEncodeHunyuanDiT": Encoder(("bert", "mt5xl")),
    "CLIPTextEncodePixArtAlpha": Encoder(),
    "CLIPTextEncodeLumina2": Encoder(("user_prompt",), {"system_prompt": ()}),
    "BNK_CLIPTextEncodeAdvanced": Encoder(("text",), _ADVANCED),
    "BNK_CLIPTextEncodeSDXLAdvanced": Encoder(("text_g", "text_l"), {**_ADVANCED, "balance": (0.5,)}),
    "smZ CLIPTextEncode": Encoder(("text",), {"use_old_emphasis_implementation": (False,), "with_SDXL": (False,)}),
    "ImpactWildcardEncode": Encoder(("populated_text",), tags=True),
    "Power Prompt (rgthree)": Encoder(("prompt",), tags=True),
    "Power Prompt - Simple (rgthree)": Encoder(("prompt",)),
    "SDXL Power Prompt - Positive (rgthree)": Encoder(("prompt_g", "prompt_l"), tags=True),
    "SDXL Power Prompt - Simple / Negative (rgthree)": Encoder(("prompt_g", "prompt_l")),
    "Efficient Loader": Encoder(("",), _ADVANCED),
    "Eff. Loader SDXL": Encoder(("",), _ADVANCED),
    "easy fullLoader": Encoder(("",), _ADVANCED, tags=True),
    "easy a1111Loader": Encoder(("",), _ADVANCED, tags=True),
    "easy comfyLoader": Encoder(("",), _ADVANCED, tags=True),
}
"""``class_type`` -> where its words are."""


@dataclass
class Side:
    """One side of the guidance.

    Attributes:
        words: What was encoded, each text once, nearest the sampler first.
        length: Of all words together, in characters.
        syntax: (prompt syntax, emphasis) of the first encoder.
        clip: The text encoders of the first.
    """

    words: dict[str, None] = field(default_factory=dict)
    length: int = 0
    syntax: tuple[str, str] | None = None
    clip: Clip | None = None

    @property
    def text(self) -> str:
        """All words; several texts stand on lines of their own."""
        return joined(self.words, "\n")


class PromptNodes:
    """Follows conditioning to the words."""

    def __init__(self, graph: Graph, account: Account, values: Values, models: ModelNodes) -> None:
        self._graph = graph
        self._account = account
        self._values = values
        self._models = models
        self._sizes: dict[str, set[tuple[object, object]]] = {}

    def report_sizes(self, size: tuple[object, object]) -> None:
        """Report the sizes that encoders of SDXL were given, where they are not the picture's."""
        for kind, sizes in self._sizes.items():
            for width, height in sorted(sizes - {size}, key=repr):
                self._account.report(kind, f"told a size of {str(width)[:12]}x{str(height)[:12]}")

    def follow(self, link: Link | None, name: str) -> Side:
        """Return what conditions one side, ``POSITIVE`` or ``NEGATIVE``."""
        side = Side()
        waiting, seen = [link] if link is not None else [], set[str]()
        while waiting and self._graph.visit():
            node, _ = waiting.pop()
            if node.key in seen:
                continue
            seen.add(node.key)
            if node.kind in ENCODERS:
                self._encode(node, ENCODERS[node.kind], name, side)
                continue
            if node.kind in VALUE_NODES and not node.passes:  # a strength that is linked, not a conditioning
                self._account.take(node)
                continue
            if node.kind == "ConditioningZeroOut":  # zeros are not what an empty prompt is encoded to
                self._account.report_node(node, ("conditioning",))
                continue
            before = self._before(node, name)
            if not before:
                self._encode_unknown(node, name, side)
            elif not (node.passes or is_sampler(node)):
                self._account.report_node(node, ("conditioning",))
            else:
                self._account.take(node)
            waiting += reversed(before)
        return side

    def _before(self, node: Node, name: str) -> list[Link]:
        """Return the conditioning that a node is given for a side."""
        other = NEGATIVE if name == POSITIVE else POSITIVE
        links = self._graph.links(node, NOT_WORDS - {"conditioning"})
        found = [
            link for key, link in links
            if "cond" in key.casefold() or key.startswith(name) or key in ("base", "to", "from", "prompt_cond")
        ]  # fmt: skip
        piped = self._graph.in_pipe(node, (name,)) if not found else None
        if piped is not None and piped[0] is not node:
            found = [link for link in [self._graph.linked(piped[0].inputs[piped[1]])] if link is not None]
        if not found and node.passes:
            found = [link for key, link in links if not key.startswith(other)]
        if not found and links:  # of a node that is not known: whatever words come through
            bearing = {key: link for key, link in links if link[0].key in self._bearers and other[:3] not in key}
            found = [link for key, link in bearing.items() if name[:3] in key] or list(bearing.values())
        return found

    @cached_property
    def _bearers(self) -> frozenset[str]:
        """The nodes that what an encoder made goes through, itself among them; samplers are their end."""
        users: dict[str, list[Node]] = {}
        found: dict[str, Node] = {}
        for node in self._graph.all():
            if node.kind in ENCODERS:
                found[node.key] = node
            elif not is_sampler(node):
                for key, value in node.inputs.items():
                    link = self._graph.linked(value) if key == "conditioning" or key not in NOT_WORDS else None
                    if link is not None:
                        users.setdefault(link[0].key, []).append(node)
        waiting = list(found.values())
        while waiting and self._graph.visit():
            new = [node for node in users.get(waiting.pop().key, ()) if node.key not in found]
            found |= {node.key: node for node in new}
            waiting += new
        return frozenset(found)

    def _encode(self, node: Node, row: Encoder, name: str, side: Side) -> None:
        texts = []
        for key in row.texts:
            text = self._values.text(node.inputs.get(key or name))
            texts.append(without_tags(text).strip() if row.tags else _TAG_WORDS.sub(r"\\<", text).strip())
            if texts[-1] != text.strip() and not row.tags:
                self._account.report("Prompt", "<name:..> is only words there, and is marked as such with a backslash")
        self._account.take(node)
        self._add(node, next((text for text in texts if text), ""), side)
        others = [(key, text) for key, text in zip(row.texts, texts, strict=True) if text and text not in side.words]
        for key, text in others:
            self._account.report(node.kind, f"{key} {text[:200]}")
        for key, idle in row.idle.items():
            value = self._values.plain(node.inputs.get(key), key)
            if value is not None and value not in idle:
                self._account.report(node.kind, f"{key} {str(value)[:80]}")
        if row.tags and "BREAK" in "".join(texts):
            self._account.report(node.kind, "BREAK")
        if node.kind == "CLIPTextEncodeSDXL":
            for names in _SIZES:
                width, height = (self._values.plain(node.inputs.get(key), key) for key in names)
                self._sizes.setdefault(node.kind, set()).add((width, height))
        side.syntax = side.syntax or self._syntax(node)

    def _syntax(self, node: Node) -> tuple[str, str]:
        """Return how an encoder reads weights; a way that the studio has not is reported."""
        if node.kind != "smZ CLIPTextEncode":
            return COMFYUI
        parser = self._values.plain(node.inputs.get("parser"), "parser")
        if parser == "A1111":
            return A1111 if node.inputs.get("mean_normalization", True) is True else (A1111[0], COMFYUI[1])
        if parser != "comfy":
            self._account.report(node.kind, f"parser {str(parser)[:80]}")
        return COMFYUI

    def _encode_unknown(self, node: Node, name: str, side: Side) -> None:
        """Take the words of a node that is not known for an encoder's, and report it."""
        self._account.report_node(node, ("clip",))
        self._add(node, self._values.text_of(node, name == NEGATIVE).strip(), side)

    def _add(self, node: Node, text: str, side: Side) -> None:
        if text and text not in side.words and side.length <= TEXT_MAXIMUM:
            side.words[text] = None
            side.length += len(text)
        clip = self._models.follow_clip(node)
        if side.clip is None:
            side.clip = clip
        elif (clip.skip, clip.loras, clip.loader) != (side.clip.skip, side.clip.loras, side.clip.loader):
            self._account.report("CLIP", "not the same for all words")
