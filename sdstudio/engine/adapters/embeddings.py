"""Textual inversion: vectors that stand in a prompt for a word. They are put in while an encoder reads, and only then.

Tokenizer and encoder are left as they are: a token number beyond the vocabulary stands for a vector. The encoder gets
token 0 in its place (as A1111 does, so that the end of the text is still found), and a hook behind its table of words
puts the vector there.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import safetensors
import safetensors.torch
import torch

from sdstudio.core.errors import ModelDamaged, ModelUnsupported
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.prompts.named_files import Naming, split_at_embeddings
from sdstudio.engine.weight_files.pickles import unpickled

FILE_MAXIMUM_BYTES: Final = 64 * 2**20
"""Largest embedding file; real ones have a few dozen vectors, some 100 kB."""
STAND_IN: Final = 0


class Embeddings:
    """The embeddings that are loaded, by name, for encoders of several widths."""

    def __init__(self, files: Mapping[str, Sequence[torch.Tensor]] | None = None, naming: Naming = Naming.WORD) -> None:
        """Take each name's vectors, one tensor (count, width) for each width of encoder, and how prompts name them."""
        self._files = files or {}
        self._naming = naming
        self._names = tuple(files or {})
        self._rows: dict[int, list[torch.Tensor]] = {}
        self._places: dict[tuple[str, int], range] = {}
        for name, tensors in (files or {}).items():
            for tensor in tensors:
                rows = self._rows.setdefault(tensor.shape[1], [])
                self._places[name, tensor.shape[1]] = range(len(rows), len(rows) + tensor.shape[0])
                rows.extend(tensor.float())

    def named(self, naming: Naming) -> Embeddings:
        """Return the same for prompts that name them in another way."""
        return self if naming is self._naming else Embeddings(self._files, naming)

    def used_in(self, text: str) -> bool:
        """Whether a prompt names one of them."""
        return any(name for _, name in split_at_embeddings(text, self._names, self._naming))

    def tokenizer(self, tokenizer: Any, encoder: Any) -> Any:
        """Return an encoder's tokenizer, that knows the embeddings too; itself when there are none."""
        return _Tokenizer(tokenizer, self, _width(encoder)) if self._names else tokenizer

    def ids(self, tokenizer: Any, width: int, text: str) -> list[int]:
        """Return a text's tokens; those beyond the vocabulary stand for vectors of the encoder of this width.

        A name without vectors of this width is nothing to its encoder, as in ComfyUI.
        """
        return [token for group in self.groups(tokenizer, width, text) for token in group]

    def groups(self, tokenizer: Any, width: int, text: str) -> Iterator[list[int]]:
        """Yield the same, the tokens of each embedding and of what stands between two by themselves."""
        words = len(tokenizer)
        for plain, name in split_at_embeddings(text, self._names, self._naming):
            if name:
                yield [words + place for place in self._places.get((name, width), ())]
            else:
                yield list(tokenizer(plain, add_special_tokens=False, truncation=False).input_ids)

    def inner(self, tokenizer: Any, width: int) -> frozenset[int]:
        """Return the tokens that go on with a name's vectors, all but the first of each."""
        words = len(tokenizer)
        rows = (places for (_, wide), places in self._places.items() if wide == width)
        return frozenset(words + place for places in rows for place in places[1:])

    @contextlib.contextmanager
    def within(self, encoder: Any, tokenizer: Any, ids: Sequence[int]) -> Iterator[list[int]]:
        """Within the block the encoder reads the vectors; give it the tokens that are handed out."""
        words = len(tokenizer)
        places = [place for place, token in enumerate(ids) if token >= words]
        if not places:
            yield list(ids)
            return
        table = encoder.get_input_embeddings()
        rows = self._rows[_width(encoder)]
        vectors = torch.stack([rows[ids[place] - words] for place in places])

        def put_in(_module: Any, _args: Any, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[:, places] = vectors.to(output)
            return output

        handle = table.register_forward_hook(put_in)
        try:
            yield [STAND_IN if token >= words else token for token in ids]
        finally:
            handle.remove()


class _Tokenizer:
    """A tokenizer that reads names of embeddings as their vectors, and everything else as its own."""

    def __init__(self, tokenizer: Any, embeddings: Embeddings, width: int) -> None:
        self._tokenizer = tokenizer
        self._embeddings = embeddings
        self._width = width
        self.inner = embeddings.inner(tokenizer, width)

    def __call__(self, text: str, **_options: Any) -> SimpleNamespace:
        return SimpleNamespace(input_ids=self._embeddings.ids(self._tokenizer, self._width, text))

    def groups(self, text: str) -> Iterator[list[int]]:
        """Yield a text's tokens, those of each embedding by themselves."""
        return self._embeddings.groups(self._tokenizer, self._width, text)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """Return what tokens are called; those of an embedding end no word."""
        words = len(self._tokenizer)
        known = self._tokenizer.convert_ids_to_tokens([token if token < words else STAND_IN for token in ids])
        return ["" if token >= words else str(name) for token, name in zip(ids, known, strict=True)]

    def __len__(self) -> int:
        return len(self._tokenizer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _width(encoder: Any) -> int:
    return int(encoder.get_input_embeddings().weight.shape[1])


def read_embedding(path: Path) -> tuple[torch.Tensor, ...]:
    """Read an embedding: one tensor (count, width) for each encoder it was made for, float32.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: It cannot be read.
        ModelUnsupported: It is no embedding, or holds several.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            read_header(path)
            _check_size(path)
            content: Any = safetensors.torch.load_file(path)
        else:
            _check_size(path)
            # Data only: anything else in the file is refused.
            content = unpickled(path, (torch.nn.ParameterDict, torch.nn.Parameter))
    except (
        safetensors.SafetensorError, OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError,
        TypeError, AttributeError,
    ) as error:  # fmt: skip
        first = str(error).strip().split("\n")[0][:120]
        if isinstance(error, pickle.UnpicklingError):
            first = "it holds Python objects besides its vectors"
        message = f"Embedding = {path.name}: it could not be read ({first})."
        raise ModelDamaged(message, "Get the file again from where it came from.") from error
    tensors = tuple(vectors_of(content))
    if not tensors:
        raise ModelUnsupported(f"Embedding = {path.name}: it holds no vectors.", "Choose another file.")
    widths = [tensor.shape[1] for tensor in tensors]
    if len(set(widths)) < len(widths):
        message = f"Embedding = {path.name}: it holds {len(widths)} words of its own; files with one are read."
        raise ModelUnsupported(message, "Get its words as a file each.")
    return tensors


def _check_size(path: Path) -> None:
    if path.stat().st_size > FILE_MAXIMUM_BYTES:
        allowed = f"at most {FILE_MAXIMUM_BYTES // 2**20} MB"
        raise ModelUnsupported(f"Embedding = {path.name}: {allowed} is read.", "Choose another file.")


def vectors_of(content: Any) -> Iterator[torch.Tensor]:
    """Yield the vectors of A1111's (``string_to_param``, ``emb_params``, ``clip_l``) and diffusers' files (a token)."""
    params = _named(content).get("string_to_param", content)
    for tensor in _named(params).values():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.ndim in (1, 2) and tensor.numel():
            yield tensor.detach().reshape(-1, tensor.shape[-1]).float()


def _named(content: Any) -> Mapping[Any, Any]:
    """Return a file's values by name: of a dictionary, or of a ``ParameterDict`` of any version of torch.

    Until torch 1.11 its values lay among a module's parameters and nowhere else; its own ``values`` fails on those.
    """
    if isinstance(content, torch.nn.ParameterDict):
        own = vars(content)
        names = own.get("_keys") or {}
        plain = {name: own[name] for name in names if isinstance(name, str) and name in own}
        return {**plain, **_named(own.get("_parameters"))}
    return content if isinstance(content, Mapping) else {}
