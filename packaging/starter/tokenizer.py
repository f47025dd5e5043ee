"""The starter model's own byte-pair encoding, in the layout `CLIPTokenizer` reads."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from concepts import PALETTE, STYLES, Concept, usable_tags
from nets import CONTEXT_LENGTH, VOCABULARY_SIZE
from popular import POPULAR

START, END = "<|startoftext|>", "<|endoftext|>"
# CLIP's own word pattern, without its special tokens.
WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+", re.IGNORECASE)
TEMPLATE_WORDS = (
    "a an the of on in with background style render rendered icon emoji picture photo drawing illustration cartoon "
    "glossy shiny minimal simple plain vector solid colour color slice piece cute small big happy sad , . - colourful "
    "gray grey brown"
)
LABEL_WEIGHT, TAG_WEIGHT, TEMPLATE_WEIGHT = 8, 2, 200


def byte_symbols() -> dict[int, str]:
    """CLIP's reversible map from bytes to printable characters."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {b: chr(b) for b in printable}
    for offset, byte in enumerate(b for b in range(256) if b not in symbols):
        symbols[byte] = chr(256 + offset)
    order = printable + [b for b in range(256) if b not in printable]
    return {b: symbols[b] for b in order}


def _words(text: str, symbols: dict[int, str]) -> Iterator[tuple[str, ...]]:
    for word in WORDS.findall(text.lower()):
        yield tuple(symbols[b] for b in word.encode())


def count_words(concepts: Iterable[Concept], symbols: dict[int, str]) -> Counter[tuple[str, ...]]:
    """How often each word counts: those of captions most, then labels, then tags."""
    counts: Counter[tuple[str, ...]] = Counter()
    captions = " ".join([TEMPLATE_WORDS, *PALETTE, *STYLES])
    for text, weight in [(captions, TEMPLATE_WEIGHT)] + [
        (" ".join((label, *aliases)), 5 * LABEL_WEIGHT) for label, aliases in POPULAR.items()
    ]:
        for word in _words(text, symbols):
            counts[word] += weight
    for concept in concepts:
        for word in _words(concept.label, symbols):
            counts[word] += LABEL_WEIGHT
        for tag in usable_tags(concept):
            for word in _words(tag, symbols):
                counts[word] += TAG_WEIGHT
    return counts


def _merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    index = 0
    while index < len(word):
        if index + 1 < len(word) and (word[index], word[index + 1]) == pair:
            merged.append(word[index] + word[index + 1])
            index += 2
        else:
            merged.append(word[index])
            index += 1
    return merged


def learn_merges(counts: Counter[tuple[str, ...]], number: int) -> list[tuple[str, str]]:
    """The `number` most useful merges, each the commonest pair at its time."""
    words = [([*word[:-1], word[-1] + "</w>"], count) for word, count in counts.items()]
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for index, (word, count) in enumerate(words):
        for pair in itertools.pairwise(word):
            pairs[pair] += count
            where[pair].add(index)
    merges: list[tuple[str, str]] = []
    while len(merges) < number and pairs:
        best, frequency = max(pairs.items(), key=lambda item: (item[1], item[0]))
        if frequency <= 0:
            break
        merges.append(best)
        for index in list(where[best]):
            word, count = words[index]
            for pair in itertools.pairwise(word):
                pairs[pair] -= count
            merged = _merge(word, best)
            words[index] = (merged, count)
            for pair in itertools.pairwise(merged):
                pairs[pair] += count
                where[pair].add(index)
        del pairs[best]
    return merges


def _pad(vocabulary: list[str], size: int) -> list[str]:
    """Fill up with entries that no text can produce, so that the special tokens keep their places."""
    return vocabulary + [f"<|unused{i}|>" for i in range(size - len(vocabulary))]


def write_tokenizer(concepts: Iterable[Concept], folder: Path) -> None:
    """Learn the vocabulary of 4096 and write the four files.

    `CLIPTokenizer.save_pretrained` leaves out vocab.json and merges.txt, so that these files are the source.
    """
    symbols = byte_symbols()
    characters = list(symbols.values())
    base = characters + [c + "</w>" for c in characters]
    merges = learn_merges(count_words(concepts, symbols), VOCABULARY_SIZE - len(base) - 2)
    vocabulary = list(dict.fromkeys(base + [a + b for a, b in merges]))
    vocabulary = [*_pad(vocabulary, VOCABULARY_SIZE - 2), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": CONTEXT_LENGTH,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
        **special,
    }
    (folder / "vocab.json").write_text(
        json.dumps({v: i for i, v in enumerate(vocabulary)}, ensure_ascii=False), encoding="utf-8"
    )
    lines = ["#version: 0.2", *(" ".join(m) for m in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1), encoding="utf-8")
