"""A detector of transformers that finds what words name in a picture.

It works on the CPU, so that its boxes do not depend on the device that draws. Pictures are brought into its form by
Pillow and numpy: torchvision is not needed. Of boxes that lie over each other the surest stays.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
import transformers
from PIL import Image

from sdstudio.catalog.detectors import WEIGHTS_FILE, DetectorSpec
from sdstudio.core.errors import ModelDamaged
from sdstudio.core.events import EventSink, ModelLoading
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.detector_files import detector_in
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.engine.device.interrupt import interruptible
from sdstudio.engine.pictures.regions import Found

_OVERLAP: Final = 0.5
"""Boxes that share more of their union are one thing."""
_LEAST_SCORE: Final = 0.01
_PHRASE_TOKENS: Final = 16
"""Length of a phrase that OWL-ViT and OWLv2 were trained with."""


class TextDetector:
    """One detector, read when it is first asked.

    Args:
        adapter: Its weights' file; what else it needs lies beside it.
        on_event: Where it is told that it is read.
        cancel: Set by another thread to stop.
    """

    def __init__(self, adapter: Adapter, on_event: EventSink, cancel: threading.Event) -> None:
        self._folder = adapter.path.parent
        self._name = adapter.name
        self._on_event = on_event
        self._cancel = cancel
        self._parts: tuple[DetectorSpec, Any, Any, Any] | None = None

    def find(self, picture: Image.Image, query: str) -> Sequence[Found]:
        """Return what it takes for one of the phrases of a query such as "a face. a hand.", the surest first.

        Raises:
            ModelError: Its folder is damaged, or of another kind.
            Cancelled: ``cancel`` was set.
        """
        phrases = phrases_of(query)
        if not phrases:
            return []
        spec, model, processor, tokenizer = self._read()
        inputs = processor(picture, return_tensors="pt")
        look = _one_text if spec.is_one_text else _each_phrase
        scores, labels, boxes = interruptible(self._cancel, lambda: look(model, inputs, tokenizer, phrases))
        width, height = picture.size
        if spec.is_padded:
            width = height = max(width, height)
        centres, sizes = boxes[:, :2], boxes[:, 2:]
        corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1) * (width, height, width, height)
        kept = _without_doubles(scores, corners)
        return [Found(tuple(corners[at].tolist()), float(scores[at]), phrases[labels[at]]) for at in kept]

    def _read(self) -> tuple[DetectorSpec, Any, Any, Any]:
        if self._parts is None:
            self._on_event(ModelLoading(self._name, 0.0, "detector"))
            self._parts = interruptible(self._cancel, self._loaded)
        return self._parts

    def _loaded(self) -> tuple[DetectorSpec, Any, Any, Any]:
        folder = str(self._folder)
        spec = detector_in(self._folder)
        read_header(self._folder / WEIGHTS_FILE)  # cut off or no such file: says so
        module, name = spec.processor
        processor_class = getattr(import_module(f"transformers.models.{module}"), name)
        try:
            model, report = getattr(transformers, spec.architecture).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
            processor = processor_class.from_pretrained(folder, local_files_only=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except _OF_DAMAGED as error:
            raise ModelDamaged(f"{folder}: the detector cannot be read ({type(error).__name__}).", _AGAIN) from error
        lacking = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
        if lacking:
            raise ModelDamaged(f"{folder}: the detector lacks {len(lacking)} weights, {lacking[0][:80]} say.", _AGAIN)
        return spec, model.eval(), processor, tokenizer


_OF_DAMAGED: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ImportError)
"""What transformers raises for folders that are damaged."""
_AGAIN: Final = "Get it again from where it came from, or choose another detector."
_Seen = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Of n boxes: scores (n), indices of phrases (n), and centre and size (n, 4) as shares of the picture."""


def phrases_of(query: str) -> list[str]:
    """Return the phrases of a query in lower case, each once; they end with a dot or a comma."""
    parts = (" ".join(part.split()).casefold() for part in re.split(r"[.,;\n]", query))
    return list(dict.fromkeys(part for part in parts if re.search(r"\w", part)))


@torch.inference_mode()
def _one_text(model: Any, inputs: Any, tokenizer: Any, phrases: Sequence[str]) -> _Seen:
    """Look for all phrases as one text; a box belongs to the phrase of the word that it fits best."""
    text = "".join(f"{phrase}. " for phrase in phrases).strip()
    length = int(model.config.max_text_len)
    tokens = tokenizer(text, return_tensors="pt", return_offsets_mapping=True, truncation=True, max_length=length)
    places = tokens.pop("offset_mapping")[0].tolist()
    output = model(**inputs, **tokens)
    ends = np.cumsum([len(phrase) + 2 for phrase in phrases])
    of_phrase = [int(np.searchsorted(ends, begin, "right")) if end > begin else -1 for begin, end in places]
    logits = output.logits[0, :, : len(places)]
    logits[:, [at < 0 for at in of_phrase]] = -torch.inf  # the marks around the text
    best, tokens_at = logits.max(1)
    return best.sigmoid().numpy(), np.asarray(of_phrase)[tokens_at.numpy()], output.pred_boxes[0].numpy()


@torch.inference_mode()
def _each_phrase(model: Any, inputs: Any, tokenizer: Any, phrases: Sequence[str]) -> _Seen:
    """Look for each phrase by itself."""
    tokens = tokenizer(
        list(phrases), return_tensors="pt", padding="max_length", truncation=True, max_length=_PHRASE_TOKENS
    )
    output = model(**inputs, input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    best, phrase_at = output.logits[0].max(1)
    return best.sigmoid().numpy(), phrase_at.numpy(), output.pred_boxes[0].numpy()


def _without_doubles(scores: np.ndarray[Any, Any], corners: np.ndarray[Any, Any]) -> list[int]:
    """Return the indices of boxes (n, 4), the surest first, without those that lie over a surer one."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable").tolist():
        if not np.isfinite(corners[at]).all() or not scores[at] >= _LEAST_SCORE:
            continue
        if all(_shared(corners[at], corners[other]) <= _OVERLAP for other in kept):
            kept.append(at)
    return kept


def _shared(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Return which share of their union two boxes have in common."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.clip(sides, 0, None)))
    areas = [float(np.prod(np.clip(box[2:] - box[:2], 0, None))) for box in (one, other)]
    return common / max(sum(areas) - common, 1e-9)
