"""The ways to write a prompt: A1111's, ComfyUI's and compel's; each row does what that program does.

BREAK, AND, ``[a:b:0.5]``, ``[a|b]`` and ``#`` comments are A1111's alone. Version 0.1 read all three for the words'
weights only, and drew them by A1111's rules: `FIRST_DIALECTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from sdstudio.core.compatibility import FIRST_COMPATIBILITY, NEWEST_COMPATIBILITY
from sdstudio.core.prompts.comfyui_grammar import parse_comfyui
from sdstudio.core.prompts.compel_grammar import read_compel
from sdstudio.core.prompts.first_dialects import first_comfyui, first_compel
from sdstudio.core.prompts.grammar import Chunk, Clause, Wording, parse
from sdstudio.core.prompts.named_files import Naming


class Weighing(Enum):
    """What a token's weight does to its vector."""

    MULTIPLIED = "multiplied"
    """It is multiplied, and all vectors are scaled back to the mean they had (``modules/sd_emphasis.py``)."""
    FROM_EMPTY = "from_empty"
    """It is moved away from the empty prompt's vector in its place (``comfy/sd1_clip.py encode_token_weights``)."""
    MIXED = "mixed"
    """The same, and words that weigh less than 1 are mixed with the prompt in which nothing may look at them
    (compel ``embeddings_provider.py``)."""


class Cutting(Enum):
    """Where a prompt is cut that is longer than the text encoder reads at once."""

    COMMAS = "commas"
    WORDS = "words"
    SENTENCES = "sentences"


class Zeros(Enum):
    """Which empty prompts are zeros instead of vectors, in families that were trained with zeros."""

    NEGATIVE = "negative"
    NEVER = "never"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write a prompt.

    Attributes:
        read: Text -> what it means.
        has_steps: Words may change from step to step, and prompts be joined by AND.
        has_comments: ``#`` begins a comment.
        naming: How a prompt names an embedding.
        weighing: What weights do.
        cutting: Where long prompts are cut.
        zeros: Which empty prompts are zeros.
        pads: The shorter of two prompts is filled up with empty chunks; else both act as if each were alone.
        pools_raw: The vector for the prompt as a whole is that of its characters, brackets and weights among them.
    """

    read: Callable[[str], Wording]
    has_steps: bool = False
    has_comments: bool = True
    naming: Naming = Naming.WORD
    weighing: Weighing = Weighing.MULTIPLIED
    cutting: Cutting = Cutting.COMMAS
    zeros: Zeros = Zeros.NEGATIVE
    pads: bool = True
    pools_raw: bool = False

    def parse(self, text: str) -> tuple[Chunk, ...]:
        """Return the weighed words of a prompt, one chunk for each text that is encoded by itself."""
        return tuple(chunk for clause in self.read(text).clauses for chunk in clause.texts)

    def is_plain(self, text: str) -> bool:
        """Whether a prompt means its bare text: one text, no weight but 1, no escape."""
        wording = self.read(text)
        if len(wording.clauses) > 1 or wording.problem or wording.unread:
            return False
        clause = wording.clauses[0]
        if len(clause.texts) > 1 or clause.weight != 1 or any(span.weight != 1 for span in clause.texts[0]):
            return False
        spans = clause.texts[0]
        return len(spans) <= 1 and " ".join(span.text for span in spans).split() == text.split()


def _in_chunks(parse: Callable[[str], tuple[Chunk, ...]]) -> Callable[[str], Wording]:
    return lambda text: Wording(tuple(Clause((chunk,)) for chunk in parse(text)))


_A1111: Final = Dialect(_in_chunks(parse), has_steps=True)

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "a1111": _A1111,
        "comfyui": Dialect(
            _in_chunks(parse_comfyui),
            has_comments=False,
            naming=Naming.PREFIXED,
            weighing=Weighing.FROM_EMPTY,
            cutting=Cutting.WORDS,
            zeros=Zeros.NEVER,
            pads=False,
        ),
        "compel": Dialect(
            read_compel,
            has_comments=False,
            naming=Naming.ANGLED,
            weighing=Weighing.MIXED,
            cutting=Cutting.SENTENCES,
            zeros=Zeros.BOTH,
            pads=False,
            pools_raw=True,
        ),
    }
)
"""Value of the request's ``prompt_syntax`` -> how it is read."""

FIRST_DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "a1111": _A1111,
        "comfyui": Dialect(_in_chunks(first_comfyui)),
        "compel": Dialect(_in_chunks(first_compel)),
    }
)
"""The same by the rules of version 0.1."""


def dialect_of(syntax: str, compatibility: str = NEWEST_COMPATIBILITY) -> Dialect:
    """Return how a request's prompts are read: by its ``prompt_syntax`` and the version whose rules it follows."""
    return (FIRST_DIALECTS if compatibility == FIRST_COMPATIBILITY else DIALECTS)[syntax]
