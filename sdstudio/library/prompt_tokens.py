"""How many tokens a prompt has for a model, read from its tokenizer's files alone: no torch, no transformers.

A folder's own tokenizer is read; single files carry none, and all their families read with CLIP's vocabulary, which
ships with the studio.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sdstudio.core.compatibility import NEWEST_COMPATIBILITY
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import resources
from sdstudio.core.prompts.chunks import cut_places, sentence_places, word_places, words_of
from sdstudio.core.prompts.dialects import Cutting, Dialect, dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.grammar import Chunk, Span, parse
from sdstudio.core.prompts.marks import pieces
from sdstudio.core.prompts.steps import read_terms

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE_MAXIMUM_BYTES: Final = 20_000_000
USUAL_LENGTH: Final = 77
_END: Final = "<|endoftext|>"
_PARTS: Final = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True, slots=True)
class ChunkCount:
    """What of a prompt is read at once.

    Attributes:
        used: Its tokens.
        limit: How many a chunk holds.
        start: Where its first word stands in the prompt; where the chunk before ends when it has none.
        end: Behind its last word.
    """

    used: int
    limit: int
    start: int
    end: int


def within(chunks: Sequence[ChunkCount], text: str, written: str) -> tuple[ChunkCount, ...]:
    """Return chunks of a text with the places that they have in what was written, around which styles have put words.

    Args:
        chunks: As they were counted in ``text``.
        text: What was written, with the words of styles.
        written: What was written.
    """
    bare = written.strip()
    ahead = text.find(bare) - (len(written) - len(written.lstrip()))
    last = len(written)
    return tuple(
        replace(chunk, start=min(max(chunk.start - ahead, 0), last), end=min(max(chunk.end - ahead, 0), last))
        for chunk in chunks
    )


class TokenCounter:
    """Counts for one tokenizer. May be used from any thread.

    Args:
        tokenizer: As the package tokenizers has it.
        length: Tokens that the encoder reads at once, two of which mark beginning and end.
    """

    def __init__(self, tokenizer: Tokenizer, length: int) -> None:
        self._tokenizer = tokenizer
        self._limit = length - 2
        self._comma: int | None = tokenizer.token_to_id(",</w>")

    @classmethod
    def of(cls, model: ModelInfo) -> TokenCounter | None:
        """Return the counter of a model, ``None`` when its tokenizer is none of CLIP's kind, or cannot be read."""
        folder = model.path / "tokenizer" if model.path.is_dir() else resources() / "configs" / "clip"
        try:
            tokenizer = _read(folder)
            length = _length(folder)
        except Exception:  # noqa: BLE001 (tokenizers raises bare Exception for files it cannot read)
            return None
        return cls(tokenizer, length) if tokenizer is not None else None

    def chunks(
        self, text: str, syntax: str = "a1111", steps: int = 20, compatibility: str = NEWEST_COMPATIBILITY
    ) -> tuple[ChunkCount, ...]:
        """Return the chunks of a prompt as the engine cuts it; at least one.

        Args:
            text: As it was written, its templates unresolved.
            syntax: Key of ``prompt_dialects.DIALECTS``.
            compatibility: The version by whose rules it is read.
            steps: How many there are, for prompts whose words change; the longest of their texts is counted, and the
                places of its words are not returned.
        """
        dialect = dialect_of(syntax, compatibility)
        if dialect.has_steps:
            bare = cut_networks(text)[0]
            terms = read_terms(bare)
            if len(terms) == 1 and terms[0].prompt.is_static:
                return self._with_places(text)
            texts = {each for term in terms for _, each in term.prompt.schedule(steps)}
        else:
            texts = {cut_networks(text, dialect.has_comments)[0]}
        counts = [self._without_places(each, dialect) for each in texts]
        return max(counts, key=lambda chunks: (len(chunks), chunks[-1].used))

    def _without_places(self, text: str, dialect: Dialect) -> tuple[ChunkCount, ...]:
        counts: list[ChunkCount] = []
        clauses = dialect.read(text).clauses
        for number, clause in enumerate(clauses):
            longest = max((self._cuts(spans, dialect.cutting) for spans in clause.texts), key=len)
            is_last = number == len(clauses) - 1 and dialect.cutting is Cutting.COMMAS
            if longest[-1][1] or not counts or not is_last:  # nothing after the last BREAK is no chunk
                counts += [ChunkCount(end - start, self._limit, 0, 0) for start, end in longest]
        return tuple(counts)

    def _cuts(self, spans: Chunk, cutting: Cutting) -> list[tuple[int, int]]:
        """Return where the chunks of one text begin and end, counted in its tokens."""
        if cutting is Cutting.WORDS:
            words = (word for span in spans for word in words_of(span.text))
            return list(word_places([len(self._encoded(word).ids) for word in words], self._limit))
        encoded = [self._encoded(span.text) for span in spans]
        if cutting is Cutting.SENTENCES:
            return list(sentence_places([token for one in encoded for token in one.tokens], self._limit))
        return list(cut_places([token for one in encoded for token in one.ids], self._limit, self._comma))

    def _with_places(self, text: str) -> tuple[ChunkCount, ...]:
        counts: list[ChunkCount] = []
        at = 0
        parts = self._parts(text)
        for number, (ids, where) in enumerate(parts):
            if not ids and counts and number == len(parts) - 1:
                break  # nothing after the last BREAK is no chunk
            for start, end in cut_places(ids, self._limit, self._comma):
                first, last = (where[start][0], where[end - 1][1]) if end > start else (at, at)
                counts.append(ChunkCount(end - start, self._limit, first, last))
                at = last
        return tuple(counts)

    def tokens(self, text: str, syntax: str = "a1111", compatibility: str = NEWEST_COMPATIBILITY) -> list[str]:
        """Return what of a prompt each token stands for, in order; see `chunks` for how it is read."""
        dialect = dialect_of(syntax, compatibility)
        if not dialect.has_steps:
            spans = (span for chunk in dialect.parse(cut_networks(text, dialect.has_comments)[0]) for span in chunk)
            return [span.text[start:end] for span in spans for start, end in self._encoded(span.text).offsets]
        return [text[start:end] for _, where in self._parts(text) for start, end in where]

    def _parts(self, text: str) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Return tokens and places of each stretch between BREAKs."""
        places: dict[int, list[int]] = {}
        for piece in pieces(text):
            places.setdefault(piece.part, []).extend(piece.places)
        parts = enumerate(parse(cut_networks(text)[0]))
        return [self._tokens(spans, places.get(number, [])) for number, spans in parts]

    def _encoded(self, text: str) -> Any:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _tokens(self, spans: Sequence[Span], places: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the tokens of words that stand at these places, and where in the prompt each begins and ends."""
        ids: list[int] = []
        where: list[tuple[int, int]] = []
        at = 0
        for span in spans:
            encoding = self._encoded(span.text)
            ids += encoding.ids
            own = places[at : at + len(span.text)]
            where += [(own[start], own[max(start, end - 1)] + 1) for start, end in encoding.offsets]
            at += len(span.text)
        return ids, where


def _read(folder: Path) -> Tokenizer | None:
    from tokenizers import Tokenizer  # noqa: PLC0415 (a tenth of a second; the window opens before)

    whole, vocabulary, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    for file in (whole, vocabulary, merges):
        if file.exists() and file.stat().st_size > FILE_MAXIMUM_BYTES:
            return None
    if whole.exists():
        tokenizer = Tokenizer.from_file(str(whole))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer if tokenizer.token_to_id(_END) is not None else None
    return _clip(vocabulary, merges) if vocabulary.exists() and merges.exists() else None


def _clip(vocabulary: Path, merges: Path) -> Tokenizer:
    """Build CLIP's tokenizer of its two files as transformers 5 does (``models/clip/tokenization_clip.py``)."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers  # noqa: PLC0415 (as above)
    from tokenizers.models import BPE  # noqa: PLC0415

    model = BPE.from_file(
        str(vocabulary), str(merges), unk_token=_END, end_of_word_suffix="</w>", continuing_subword_prefix=""
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_PARTS), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def _length(folder: Path) -> int:
    try:
        config: Any = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        length = int(config["model_max_length"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return USUAL_LENGTH
    return length if 2 < length <= 512 else USUAL_LENGTH
