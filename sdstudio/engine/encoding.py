"""What a Stable Diffusion UNet is told of a prompt with weights, of any length: A1111's chunks, weighed and joined.

The vectors of an unweighed
chunk are the stock pipeline's bit for bit, since every chunk goes through the encoder alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.chunks import cut_places
from sdstudio.core.prompt_dialects import DIALECTS, Dialect
from sdstudio.engine.embeddings import Embeddings

NO_MEAN: Final = 1e-4
"""Vectors whose mean is below this part of their mean size have none to keep: the quotient would be rounding noise."""
MILDEST: Final = 2.0
"""The vectors are scaled by at most the strongest weight, up or down, and always by as much as this."""


@dataclass(frozen=True, slots=True)
class TokenChunk:
    """What an encoder reads at once, without its marks for beginning and end.

    Attributes:
        ids: The tokens.
        weights: One for each.
    """

    ids: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a UNet is told of a prompt.

    Attributes:
        vectors: (1, L, W).
        pooled: (1, P), ``None`` where the family has none.
    """

    vectors: torch.Tensor
    pooled: torch.Tensor | None

    def silent(self) -> Heard:
        """Return zeros of the same shape."""
        return Heard(torch.zeros_like(self.vectors), None if self.pooled is None else torch.zeros_like(self.pooled))


class PromptEncoder:
    """A pipeline's text encoders, for prompts of one way to write. Each chunk is read once, however often it counts.

    Args:
        pipe: A pipeline of a family that the studio knows.
        family: Which family; it says how a skipped layer is meant.
        dialect: How the prompts are written.
        keep_mean: Scale weighed vectors back to the mean they had (A1111's "Original" emphasis, not its "No norm").
        embeddings: What the prompts may name besides words.
    """

    def __init__(
        self, pipe: Any, family: ModelFamily, dialect: Dialect, keep_mean: bool, embeddings: Embeddings
    ) -> None:
        found = [_reader(pipe, number, family, embeddings) for number in ("", "_2")]
        self._readers = [reader for reader in found if reader is not None]
        self._dialect = dialect
        self._keep_mean = keep_mean
        self._embeddings = embeddings
        self._read: dict[tuple[int, TokenChunk, int | None], tuple[torch.Tensor, torch.Tensor | None]] = {}

    def is_plain(self, text: str) -> bool:
        """Whether the stock pipeline reads a prompt the same: no weights, no BREAK, no longer than one chunk."""
        if not self._dialect.is_plain(text) or self._embeddings.used_in(text):
            return False
        return all(len(_ids(reader.tokenizer, text)) <= reader.length for reader in self._readers)

    def chunk_count(self, text: str) -> int:
        """Return how many chunks a prompt takes."""
        return max(len(side) for side in self._sides(text))

    def heard(self, text: str, count: int, skip: int | None) -> Heard:
        """Return a prompt's vectors, encoders side by side and chunks one after the other; the first chunk as a whole.

        Args:
            text: The prompt, without what is not for the encoder.
            count: Chunks in all; what it lacks is filled with empty ones.
            skip: Diffusers' clip skip.

        Raises:
            Cancelled: By the checks of the encoder's blocks.
        """
        columns: list[torch.Tensor] = []
        whole: torch.Tensor | None = None
        for number, side in enumerate(self._sides(text)):
            chunks = [*side, *[TokenChunk()] * (count - len(side))]
            read = [self._chunk(number, chunk, skip) for chunk in chunks]
            columns.append(torch.cat([vectors for vectors, _ in read], dim=1))
            whole = read[0][1] if read[0][1] is not None else whole
        last = self._readers[-1]
        return Heard(torch.cat(columns, dim=-1).to(device=last.device, dtype=last.encoder.dtype), whole)

    def _sides(self, text: str) -> list[list[TokenChunk]]:
        return [token_chunks(reader.tokenizer, text, self._dialect) for reader in self._readers]

    def _chunk(self, number: int, chunk: TokenChunk, skip: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        key = (number, chunk, skip)
        if key not in self._read:
            vectors, pooled = self._readers[number].vectors(chunk, skip)
            self._read[key] = _weighed(vectors, chunk.weights, self._keep_mean), pooled
        return self._read[key]


def token_chunks(tokenizer: Any, text: str, dialect: Dialect = DIALECTS["a1111"]) -> list[TokenChunk]:
    """Return what of a prompt is read at once, in A1111's way: at least one chunk, maybe empty.

    Args:
        tokenizer: A CLIP tokenizer; two of its ``model_max_length`` tokens mark beginning and end.
        text: The prompt.
        dialect: How it is written.
    """
    length = int(tokenizer.model_max_length) - 2
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    if comma == tokenizer.unk_token_id:
        comma = None
    chunks: list[TokenChunk] = []
    parts = dialect.parse(text)
    for place, spans in enumerate(parts):
        tokens = [(token, span.weight) for span in spans for token in _ids(tokenizer, span.text)]
        if tokens or place < len(parts) - 1 or not chunks:  # nothing after the last BREAK is no chunk
            chunks += _cut(tokens, length, comma, getattr(tokenizer, "inner", frozenset()))
    return chunks


def _cut(
    tokens: list[tuple[int, float]], length: int, comma: int | None, inner: frozenset[int]
) -> Iterator[TokenChunk]:
    """Yield tokens in chunks of at most ``length``, cut after a comma near the end of a full one."""
    for start, end in cut_places([token for token, _ in tokens], length, comma, inner):
        yield _chunk(tokens[start:end])


def _chunk(tokens: Sequence[tuple[int, float]]) -> TokenChunk:
    return TokenChunk(tuple(token for token, _ in tokens), tuple(weight for _, weight in tokens))


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, truncation=False).input_ids)


@dataclass(frozen=True, slots=True)
class _Reader:
    """One text encoder with its tokenizer.

    Attributes:
        encoder: A CLIP text model, with or without projection.
        tokenizer: Its own tokenizer.
        device: Where its inputs go.
        final_norm: Whether its last layer norm is applied to what it says, also after a skipped layer.
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
        return int(self.tokenizer.model_max_length) - 2

    @torch.no_grad()
    def vectors(self, chunk: TokenChunk, skip: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return a chunk's bare vectors (1, L, W), and what the encoder makes of the whole chunk (1, P), if it does.

        Args:
            chunk: Its tokens.
            skip: Diffusers' clip skip.
        """
        said = self._said(chunk.ids, skip is not None or not self.final_norm)
        if self.final_norm:
            vectors = said[0]
            if skip is not None:
                vectors = self.encoder.text_model.final_layer_norm(said.hidden_states[-(skip + 1)])
        else:
            vectors = said.hidden_states[-((skip or 0) + 2)]
        pooled = said[0] if not self.final_norm and said[0].ndim == 2 else None
        return vectors, pooled

    def _said(self, ids: tuple[int, ...], layers: bool) -> Any:
        tokenizer = self.tokenizer
        padding = (tokenizer.pad_token_id,) * (self.length - len(ids))
        whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *padding]
        options: dict[str, Any] = {"output_hidden_states": True} if layers else {}
        if self.final_norm and getattr(self.encoder.config, "use_attention_mask", False):
            mask = [1] * (len(ids) + 2) + [0] * len(padding)
            options["attention_mask"] = torch.tensor([mask], device=self.device)
        with self.embeddings.within(self.encoder, tokenizer, whole) as row:
            return self.encoder(torch.tensor([row], device=self.device), **options)


def _reader(pipe: Any, number: str, family: ModelFamily, embeddings: Embeddings) -> _Reader | None:
    encoder = getattr(pipe, f"text_encoder{number}", None)
    if encoder is None:
        return None
    tokenizer = embeddings.tokenizer(getattr(pipe, f"tokenizer{number}"), encoder)
    return _Reader(encoder, tokenizer, pipe._execution_device, family.final_norm_on_skip, embeddings)


def _weighed(vectors: torch.Tensor, weights: tuple[float, ...], keep_mean: bool) -> torch.Tensor:
    """Return each token's vector times its weight, and on demand all scaled to the mean they had (A1111's "Original").

    Where the mean lies near zero, as in many SDXL models, A1111's quotient blows the vectors up or turns their sign,
    and spoils the picture (its issue 14867). A scale that the weights cannot account for is left out here.
    """
    if all(weight == 1 for weight in weights):
        return vectors
    plain = vectors.to("cpu", torch.float64)  # a few thousand numbers; the mean of float32 would lose its last digits
    row = torch.ones(plain.shape[1], dtype=torch.float64)
    row[1 : 1 + len(weights)] = torch.tensor(weights, dtype=torch.float64)
    heavy = plain * row[None, :, None]
    if not keep_mean:
        return heavy.to(vectors)
    before, after = float(plain.mean()), float(heavy.mean())
    sizes = [abs(weight) for weight in weights if weight]
    most = max([MILDEST, *sizes, *(1 / size for size in sizes)])
    if abs(before) > NO_MEAN * float(plain.abs().mean()) and after and 1 / most <= before / after <= most:
        heavy *= before / after
    return heavy.to(vectors)
