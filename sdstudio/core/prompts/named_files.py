"""What files a job uses beside its model: LoRA, embeddings, a VAE, an upscaler; by name in requests, by path below.

A request names a LoRA in its list, or in the prompt as A1111 does: ``<lora:name:0.8>``, ``<lora:name:te:unet>``,
``<lora:name:te=0.5:unet=1>`` (`core.prompts.extra_networks` reads it). An embedding is any word that is its file's
name, or ``embedding:name``; in ComfyUI's syntax the latter alone, and in compel's ``<name>``, as InvokeAI writes it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sdstudio.catalog.kinds import WEIGHT_MAXIMUM
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts.extra_networks import cut_networks

_EXPLICIT: Final = re.compile(r"\bembedding:\s*+([^\s,:()\[\]{}|<>]++)", re.IGNORECASE)
_FOLDERS: Final = r"(?:[^\s,:()\[\]{}|<>]{1,200}[/\\])"
"""What may stand between ``embedding:`` and a name: the folders that ComfyUI writes before it."""
EMBEDDING_ENDING: Final = r"\.(?:safetensors|pt|bin)"
"""What ComfyUI allows behind an embedding's name that begins with ``embedding:``."""
_ENDING: Final = re.compile(rf"{EMBEDDING_ENDING}$", re.IGNORECASE)
_ANGLED: Final = re.compile(r"<([A-Za-z0-9., _-]{1,200}+)>")
"""What InvokeAI takes for an embedding's name (``app/util/ti_utils.py``)."""


class Naming(Enum):
    """How a prompt names an embedding; the value is the form to write it in."""

    WORD = "{}"
    PREFIXED = "embedding:{}"
    ANGLED = "<{}>"

    def written(self, name: str) -> str:
        """Return how a prompt names an embedding."""
        return self.value.format(name)


@dataclass(frozen=True, slots=True)
class LoraUse:
    """A LoRA that a request names, and how strongly it is to act; ``field`` is where it was named."""

    name: str
    text_weight: float = 1.0
    unet_weight: float = 1.0
    field: str = "prompt"


def lora_uses(
    prompt: str, listed: Iterable[tuple[str, float]] = (), has_comments: bool = True, field: str = "prompt"
) -> tuple[LoraUse, ...]:  # fmt: skip
    """Return the LoRA that a list and a prompt name, in that order; named twice, the weights add up.

    Args:
        prompt: What may name some.
        listed: Names and weights.
        has_comments: ``#`` begins a comment in the prompt, in which nothing is named.
        field: The prompt's.

    Raises:
        InvalidRequest: A tag whose weight is no number, or is too large.
    """
    uses: dict[str, LoraUse] = {}
    in_list = [LoraUse(name, weight, weight, "loras") for name, weight in listed]
    for use in (*in_list, *_tagged(prompt, has_comments, field)):
        before = uses.get(use.name)
        if before is not None:
            text, unet = before.text_weight + use.text_weight, before.unet_weight + use.unet_weight
            use = LoraUse(use.name, text, unet, use.field)
        uses[use.name] = use
    return tuple(uses.values())


def tag(name: str, weight: float) -> str:
    """Return how a prompt names a LoRA."""
    return f"<lora:{name}:{weight:g}>"


def embedding_names(text: str, known: Sequence[str], naming: Naming = Naming.WORD) -> tuple[str, ...]:
    """Return which of these names a prompt uses, in any case, each once and as it is known."""
    return tuple(dict.fromkeys(name for _, name in split_at_embeddings(text, known, naming) if name))


def explicit_embeddings(text: str, naming: Naming = Naming.WORD) -> tuple[str, ...]:
    """Return the names that a prompt calls embeddings: ``embedding:name``, ``embedding:name.pt``.

    In InvokeAI's way none: there ``<name>`` is text where nothing goes by the name.
    """
    if naming is Naming.ANGLED:
        return ()
    named = (_ENDING.sub("", match[1]).replace("\\", "/") for match in _EXPLICIT.finditer(text))
    return tuple(dict.fromkeys(named))


def angled_names(text: str) -> tuple[str, ...]:
    """Return what stands in a prompt as InvokeAI writes an embedding."""
    return tuple(dict.fromkeys(match[1] for match in _ANGLED.finditer(text)))


def split_at_embeddings(text: str, known: Sequence[str], naming: Naming = Naming.WORD) -> Iterator[tuple[str, str]]:
    """Yield a text in order as pairs: words and "", or "" and the name of an embedding that stands there."""
    by_name = {name.casefold(): name for name in known}
    done = 0
    for match in _words(known, naming).finditer(text) if known else ():
        if match.start() > done:
            yield text[done : match.start()], ""
        yield "", by_name[_slashed(match["name"])]
        done = match.end()
    if done < len(text):
        yield text[done:], ""


def _slashed(name: str) -> str:
    return name.casefold().replace("\\", "/")


def _words(names: Sequence[str], naming: Naming) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    alternatives = "|".join(re.escape(name).replace("/", r"[/\\]") for name in longest_first)
    words = rf"(?P<prefix>embedding:\s*{_FOLDERS}??)?(?P<name>{alternatives})(?(prefix)(?:{EMBEDDING_ENDING})?)"
    pattern = rf"(?<![\w-]){words}(?![\w-])"
    if naming is Naming.PREFIXED:  # a word begins with it; brackets part words
        pattern = rf"(?<![^\s()])embedding:{_FOLDERS}??(?P<name>{alternatives})(?:{EMBEDDING_ENDING})?(?![\w-])"
    elif naming is Naming.ANGLED:
        pattern = rf"<(?P<name>{alternatives})>"
    return re.compile(pattern, re.IGNORECASE)


def _tagged(prompt: str, has_comments: bool, field: str) -> Iterator[LoraUse]:
    for network in cut_networks(prompt, has_comments)[1]:
        if not network.is_lora:
            continue
        try:
            weights = network.text_weight, network.unet_weight
        except ValueError:
            weights = math.nan, math.nan
        if not network.name or not all(abs(weight) <= WEIGHT_MAXIMUM for weight in weights):
            whole = prompt[network.start : network.end][:60]
            allowed = f"a number from {-WEIGHT_MAXIMUM:g} to {WEIGHT_MAXIMUM:g}"
            raise InvalidRequest(field, f"{whole}: a LoRA's weight is {allowed}.", "Write <lora:name:0.8>.")
        yield LoraUse(network.name, *weights, field)
