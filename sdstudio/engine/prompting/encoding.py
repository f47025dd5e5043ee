"""The vectors that a UNet gets for a prompt with weights, of any length: its chunks, weighed and joined.

The vectors of an unweighed chunk are the stock pipeline's bit for bit, since every chunk goes through the encoder
alone. What a weight does, and where chunks end, the way to write decides (`core.prompts.dialects`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.prompts.dialects import Dialect, Weighing
from sdstudio.engine.adapters.embeddings import Embeddings
from sdstudio.engine.prompting.tokens import TokenChunk, TokenClause, TokenText, chunk_length, token_clauses, token_ids
from sdstudio.engine.prompting.weighing import blended, mixed, moved, multiplied

REPEATED_MAXIMUM: Final = 64
"""Most chunks that two prompts are repeated to, so that they are of one length."""


@dataclass(frozen=True, slots=True)
class PromptEmbeds:
    """The vectors that a UNet gets for a prompt.

    Attributes:
        vectors: (1, L, W).
        pooled: (1, P), ``None`` where the family has none.
    """

    vectors: torch.Tensor
    pooled: torch.Tensor | None

    def zeroed(self) -> PromptEmbeds:
        """Return zeros of the same shape."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return PromptEmbeds(torch.zeros_like(self.vectors), pooled)


class PromptEncoder:
    """A pipeline's text encoders, for prompts of one way to write. Each chunk is read once, however often it counts.

    Args:
        pipe: A pipeline of a family that the studio knows.
        family: Which family; it decides how a skipped layer is meant.
        dialect: How the prompts are written.
        keep_mean: Scale weighed vectors back to the mean they had (A1111's "Original" emphasis, not its "No norm").
        embeddings: What the prompts may name besides words.
    """

    def __init__(
        self, pipe: Any, family: ModelFamily, dialect: Dialect, keep_mean: bool, embeddings: Embeddings
    ) -> None:
        readers = [_reader(pipe, number, family, embeddings) for number in ("", "_2")]
        self._readers = [reader for reader in readers if reader is not None]
        self._dialect = dialect
        self._keep_mean = keep_mean
        self._embeddings = embeddings
        self._read: dict[_Key, tuple[torch.Tensor, torch.Tensor | None]] = {}

    def is_plain(self, text: str) -> bool:
        """Whether the stock pipeline reads a prompt the same: no weights, no BREAK, no longer than one chunk."""
        if not self._dialect.is_plain(text) or self._embeddings.used_in(text):
            return False
        return all(len(token_ids(reader.tokenizer, text)) <= reader.length for reader in self._readers)

    def chunk_count(self, texts: Sequence[str]) -> int:
        """Return how many chunks prompts take that are encoded together.

        Where the shorter is filled up with empty chunks, that is as many as the longer has. Where it is not, both are
        repeated to a common multiple: a vector that is there as often as every other counts no more than once, so
        that both act as if each were alone (ComfyUI ``comfy/conds.py CONDCrossAttn.concat``; InvokeAI masks what it
        fills up with, to the same end).
        """
        counts = [max(sum(clause.length for clause in side) for side in self._sides(text)) for text in texts]
        common = math.lcm(*counts)
        return max(counts) if self._dialect.pads or common > REPEATED_MAXIMUM else common

    def embeds(self, text: str, count: int, skip: int | None) -> PromptEmbeds:
        """Return a prompt's vectors, encoders side by side and chunks one after the other, and those of it as a whole.

        Args:
            text: The prompt, without what is not for the encoder.
            count: Chunks in all, from `chunk_count`.
            skip: Diffusers' clip skip.

        Raises:
            Cancelled: By the checks of the encoder's blocks.
        """
        sides = self._sides(text)
        own = max(sum(clause.length for clause in side) for side in sides)
        columns: list[torch.Tensor] = []
        whole: torch.Tensor | None = None
        for number, side in enumerate(sides):
            parts = [self._clause(number, clause, skip) for clause in side]
            column = self._filled(number, torch.cat(parts, dim=1), own, skip)
            if not self._dialect.pads and count % own == 0:
                column = column.repeat(1, count // own, 1)
            columns.append(self._filled(number, column, count, skip))
            first = side[0].texts[0].chunks[0]
            if self._dialect.pools_raw:
                ids = tuple(token_ids(self._readers[number].tokenizer, text)[: self._readers[number].length])
                first = TokenChunk(ids)
            pooled = self._chunk(number, skip, first, frozenset())[1]
            whole = pooled if pooled is not None else whole
        last = self._readers[-1]
        return PromptEmbeds(torch.cat(columns, dim=-1).to(device=last.device, dtype=last.encoder.dtype), whole)

    def _sides(self, text: str) -> list[list[TokenClause]]:
        return [token_clauses(reader.tokenizer, text, self._dialect) for reader in self._readers]

    def _clause(self, number: int, clause: TokenClause, skip: int | None) -> torch.Tensor:
        texts = [self._filled(number, self._text(number, text, skip), clause.length, skip) for text in clause.texts]
        vectors = blended(texts, clause.shares)
        if clause.weight == 1:
            return vectors
        empty = self._empty(number, skip).repeat(1, clause.length, 1).to("cpu", torch.float64)
        return (empty + (vectors.to("cpu", torch.float64) - empty) * clause.weight).to(vectors)

    def _text(self, number: int, text: TokenText, skip: int | None) -> torch.Tensor:
        """Return the weighed vectors of one text, (1, 77 for each chunk, W)."""

        def encode(chunk: TokenChunk, masked: frozenset[int]) -> torch.Tensor:
            return self._chunk(number, skip, chunk, masked)[0]

        weighing = self._dialect.weighing
        if weighing is Weighing.MIXED:
            return mixed(text, self._empty(number, skip), encode)
        parts: list[torch.Tensor] = []
        for chunk in text.chunks:
            vectors = encode(chunk, frozenset())
            if weighing is Weighing.MULTIPLIED:
                parts.append(multiplied(vectors, chunk.weights, self._keep_mean))
            elif all(weight == 1 for weight in chunk.weights):
                parts.append(vectors)
            else:
                parts.append(moved(vectors, self._empty(number, skip), chunk.weights))
        return torch.cat(parts, dim=1)

    def _filled(self, number: int, vectors: torch.Tensor, count: int, skip: int | None) -> torch.Tensor:
        """Return vectors with empty chunks behind them, so that there are ``count``."""
        missing = count - vectors.shape[1] // (self._readers[number].length + 2)
        return torch.cat([vectors, *[self._empty(number, skip)] * missing], dim=1) if missing > 0 else vectors

    def _empty(self, number: int, skip: int | None) -> torch.Tensor:
        return self._chunk(number, skip, TokenChunk(), frozenset())[0]

    def _chunk(
        self, number: int, skip: int | None, chunk: TokenChunk, masked: frozenset[int]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return a chunk's bare vectors, and what the encoder makes of it as a whole; each is read once."""
        key = (number, chunk.ids, skip, masked)
        if key not in self._read:
            self._read[key] = self._readers[number].vectors(chunk.ids, skip, masked)
        return self._read[key]


_Key = tuple[int, tuple[int, ...], int | None, frozenset[int]]
"""Which encoder, the tokens, diffusers' clip skip, the places that nothing may look at."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """One text encoder with its tokenizer.

    Attributes:
        encoder: A CLIP text model, with or without projection.
        tokenizer: Its own tokenizer.
        device: Where its inputs go.
        final_norm: Whether its last layer norm is applied to its output, also after a skipped layer.
        embeddings: What it may read besides words; the tokenizer knows them.
    """

    encoder: Any
    tokenizer: Any
    device: torch.device
    final_norm: bool
    embeddings: Embeddings

    @property
    def length(self) -> int:
        """Tokens of a chunk."""
        return chunk_length(self.tokenizer)

    @torch.no_grad()
    def vectors(
        self, ids: tuple[int, ...], skip: int | None, masked: frozenset[int]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return a chunk's bare vectors (1, L, W), and what the encoder makes of the whole chunk (1, P), if it does.

        Args:
            ids: Its tokens.
            skip: Diffusers' clip skip.
            masked: Places of 0 to L - 1 that no other may look at.
        """
        output = self._encoded(ids, skip is not None or not self.final_norm, masked)
        if self.final_norm:
            vectors = output[0]
            if skip is not None:
                vectors = self.encoder.text_model.final_layer_norm(output.hidden_states[-(skip + 1)])
        else:
            vectors = output.hidden_states[-((skip or 0) + 2)]
        pooled = output[0] if not self.final_norm and output[0].ndim == 2 else None
        return vectors, pooled

    def _encoded(self, ids: tuple[int, ...], layers: bool, masked: frozenset[int]) -> Any:
        tokenizer = self.tokenizer
        padding = (tokenizer.pad_token_id,) * (self.length - len(ids))
        whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *padding]
        options: dict[str, Any] = {"output_hidden_states": True} if layers else {}
        wants_mask = self.final_norm and getattr(self.encoder.config, "use_attention_mask", False)
        if wants_mask or masked:
            mask = [1] * (len(ids) + 2) + [0 if wants_mask else 1] * len(padding)
            mask = [0 if place in masked else value for place, value in enumerate(mask)]
            options["attention_mask"] = torch.tensor([mask], device=self.device)
        with self.embeddings.within(self.encoder, tokenizer, whole) as row:
            return self.encoder(torch.tensor([row], device=self.device), **options)


def _reader(pipe: Any, number: str, family: ModelFamily, embeddings: Embeddings) -> _Reader | None:
    encoder = getattr(pipe, f"text_encoder{number}", None)
    if encoder is None:
        return None
    tokenizer = embeddings.tokenizer(getattr(pipe, f"tokenizer{number}"), encoder)
    return _Reader(encoder, tokenizer, pipe._execution_device, family.final_norm_on_skip, embeddings)
