"""What of a prompt is not for the text encoder: ``#`` comments, and ``<lora:name:weight>`` in A1111's spelling.

A1111 cuts comments first (``modules/processing_scripts/comments.py``), then everything that reads ``<word:..>``
(``modules/extra_networks.py``), whatever the word is: what is left goes to the encoder. Both are read here in one go
from left to right, so that a network in a comment is none and a hash behind a backslash is a character. ComfyUI and
compel know no comments: there a hash is a character wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LORA_KINDS: Final = frozenset({"lora", "lyco"})
"""Words that name a LoRA; A1111 takes both for the same since 1.5."""

# A1111's own expression is ``<(\w+):([^>]+)>``; bounds and the excluded "<" keep the search linear.
_ESCAPED: Final = r"(?P<escaped>\\[\s\S]?)"
_COMMENT: Final = r"(?P<line>(?:(?<=\n)|\A)\#[^\n]*(?:\n|\Z)) | (?P<comment>\#[^\n]*)"
_NETWORK: Final = r"<(?P<kind>\w{1,40}):(?P<arguments>[^<>]{1,1000})>"
_CUT: Final = re.compile(f"{_ESCAPED} | {_COMMENT} | {_NETWORK}", re.VERBOSE)
_CUT_NETWORKS: Final = re.compile(f"{_ESCAPED} | {_NETWORK}", re.VERBOSE)


@dataclass(frozen=True, slots=True)
class ExtraNetwork:
    """One ``<kind:name:..>`` of a prompt.

    Attributes:
        kind: Its first word in lower case: "lora", "lyco", "hypernet" or any other.
        name: What it names, as written.
        positional: What follows the name without a ``key=``.
        named: What follows the name as ``key=value``.
        start: Where its ``<`` stands in the prompt.
        end: Behind its ``>``.
    """

    kind: str
    name: str
    positional: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    start: int = 0
    end: int = 0

    @property
    def is_lora(self) -> bool:
        """Whether it names a LoRA."""
        return self.kind in LORA_KINDS

    @property
    def text_weight(self) -> float:
        """How strongly it acts on the text encoder: the first number, or ``te=``; 1 when there is none.

        Raises:
            ValueError: What stands there is no number.
        """
        weight = dict(self.named).get("te", self.positional[0] if self.positional else "1")
        return float(weight)

    @property
    def unet_weight(self) -> float:
        """How strongly it acts on the UNet: the second number, or ``unet=``; as on the text encoder when there is none.

        Raises:
            ValueError: What stands there is no number.
        """
        weight = dict(self.named).get("unet", self.positional[1] if len(self.positional) > 1 else "")
        return float(weight) if weight else self.text_weight


def cut_networks(text: str, has_comments: bool = True) -> tuple[str, tuple[ExtraNetwork, ...]]:
    """Return a prompt without its comments and extra networks, and the networks in their order.

    A line that is a comment goes whole; a comment behind words leaves the end of its line.

    Args:
        text: Any text; there is no wrong one.
        has_comments: ``#`` begins a comment.
    """
    kept: list[str] = []
    networks: list[ExtraNetwork] = []
    place = 0
    for match in _cuts(text, has_comments):
        kept.append(text[place : match.start()])
        place = match.end()
        if match["kind"]:
            networks.append(_network(match))
    kept.append(text[place:])
    return "".join(kept), tuple(networks)


def without_loras(text: str) -> str:
    """Return a prompt without the tags that name LoRA; all else stays as it is written."""
    for network in reversed(cut_networks(text)[1]):
        if network.is_lora:
            text = text[: network.start].rstrip(" ") + text[network.end :]
    return text.strip()


def comments(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the comments of a prompt begin and end."""
    for match in _cuts(text, True):
        if not match["kind"]:
            yield match.start(), match.end()


def _cuts(text: str, has_comments: bool) -> Iterator[re.Match[str]]:
    pattern = _CUT if has_comments else _CUT_NETWORKS
    return (match for match in pattern.finditer(text) if match.lastgroup != "escaped")


def _network(match: re.Match[str]) -> ExtraNetwork:
    name, *others = match["arguments"].split(":")
    positional = tuple(item.strip() for item in others if "=" not in item)
    named = tuple((key.strip(), value.strip()) for key, _, value in (i.partition("=") for i in others if "=" in i))
    return ExtraNetwork(match["kind"].lower(), name.strip(), positional, named, match.start(), match.end())
