"""A prompt's tokens, each with its weight, in the chunks that a text encoder reads one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sdstudio.core.prompts.chunks import cut_places, sentence_places, word_places, words_of
from sdstudio.core.prompts.dialects import DIALECTS, Cutting, Dialect
from sdstudio.core.prompts.grammar import Chunk


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
class TokenText:
    """One text of a prompt.

    Attributes:
        chunks: At least one, maybe empty.
        spans: Stretches of one weight: first token, the token after the last, weight; counted over all chunks.
    """

    chunks: tuple[TokenChunk, ...]
    spans: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenClause:
    """What stands by itself: one text, or several that are mixed in these shares, and how strongly it counts."""

    texts: tuple[TokenText, ...]
    shares: tuple[float, ...] = (1.0,)
    weight: float = 1.0

    @property
    def length(self) -> int:
        """How many chunks its vectors take."""
        return max(len(text.chunks) for text in self.texts)


def token_clauses(tokenizer: Any, text: str, dialect: Dialect) -> list[TokenClause]:
    """Return what of a prompt is encoded; at least one clause, maybe empty.

    Args:
        tokenizer: A CLIP tokenizer; two of its ``model_max_length`` tokens mark beginning and end.
        text: The prompt.
        dialect: How it is written.
    """
    all_clauses: list[TokenClause] = []
    clauses = dialect.read(text).clauses
    for place, clause in enumerate(clauses):
        texts = tuple(_token_text(tokenizer, spans, dialect.cutting) for spans in clause.texts)
        is_empty = not any(chunk.ids for one in texts for chunk in one.chunks)
        if is_empty and all_clauses and place == len(clauses) - 1 and dialect.cutting is Cutting.COMMAS:
            break  # nothing after the last BREAK is no chunk
        all_clauses.append(TokenClause(texts, clause.shares, clause.weight))
    return all_clauses


def token_chunks(tokenizer: Any, text: str, dialect: Dialect = DIALECTS["a1111"]) -> list[TokenChunk]:
    """Return all chunks of a prompt, in order; of texts that are mixed those of the longest.

    Args:
        tokenizer: As `token_clauses` takes it.
        text: The prompt.
        dialect: How it is written.
    """
    clauses = token_clauses(tokenizer, text, dialect)
    longest = (max(clause.texts, key=lambda one: len(one.chunks)) for clause in clauses)
    return [chunk for one in longest for chunk in one.chunks]


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """Return a text's tokens, without marks for beginning and end."""
    return list(tokenizer(text, add_special_tokens=False, truncation=False).input_ids)


def chunk_length(tokenizer: Any) -> int:
    """Return how many tokens a chunk holds besides the marks for beginning and end."""
    return int(tokenizer.model_max_length) - 2


def _token_text(tokenizer: Any, spans: Chunk, cutting: Cutting) -> TokenText:
    sizes: list[int] = []
    ids: list[int] = []
    weights: list[float] = []
    places: list[tuple[int, int, float]] = []
    for span in spans:
        begun = len(ids)
        for word in words_of(span.text) if cutting is Cutting.WORDS else (span.text,):
            groups = getattr(tokenizer, "groups", None)
            for group in groups(word) if groups is not None else (token_ids(tokenizer, word),):
                ids += group
                sizes.append(len(group))
        weights += [span.weight] * (len(ids) - begun)
        if len(ids) > begun:
            places.append((begun, len(ids), span.weight))
    cuts = _cuts(tokenizer, ids, sizes, cutting)
    chunks = tuple(TokenChunk(tuple(ids[start:end]), tuple(weights[start:end])) for start, end in cuts)
    return TokenText(chunks, tuple(places))


def _cuts(tokenizer: Any, ids: list[int], sizes: list[int], cutting: Cutting) -> Iterator[tuple[int, int]]:
    length = chunk_length(tokenizer)
    match cutting:
        case Cutting.WORDS:
            return word_places(sizes, length)
        case Cutting.SENTENCES:
            return sentence_places([str(token) for token in tokenizer.convert_ids_to_tokens(ids)], length)
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    if comma == tokenizer.unk_token_id:
        comma = None
    return cut_places(ids, length, comma, getattr(tokenizer, "inner", frozenset()))
