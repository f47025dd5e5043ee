"""How a model in the diffusers layout is read: its ``model_index.json``, and which file of a part holds its weights.

The library, a download's plan and the engine all ask here, so that what is listed, fetched and loaded is the same. An
index may come from anywhere: the classes it names must come from `LIBRARIES`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from sdstudio.catalog.families import FAMILIES, titles_that_take
from sdstudio.catalog.pipelines import DRAWN, NOT_DRAWN, NOT_FROM_TEXT
from sdstudio.core.errors import ModelUnsupported

INDEX_FILE: Final = "model_index.json"

LIBRARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "diffusers": "diffusers",
        "transformers": "transformers",
        "stable_diffusion": "diffusers.pipelines.stable_diffusion",
    }
)
"""Library in an index -> module its classes come from. Any other library could be anything, "os" too."""

OPTIONAL: Final = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
"""Parts that are drawn without."""

VARIANTS: Final = ("", "fp16", "bf16", "fp32", "non_ema")
"""Variants of weights in the order in which they are taken; "" is the plain one."""

_NEEDED: Final = ("text_encoder", "tokenizer", "transformer", "unet", "vae", "scheduler")
"""Parts that a pipeline of no family cannot draw without when its index names them."""

HINT: Final = "Get the file again from where the model came from."
_NO_CODE: Final = "Choose another model: code that comes with a model is never run."
_STEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "safetensors": ("diffusion_pytorch_model", "model"),
    "bin": ("diffusion_pytorch_model", "pytorch_model"),
}


def _weight_names() -> Iterator[str]:
    for ending, stems in _STEMS.items():
        for variant in VARIANTS:
            dotted = f".{variant}" if variant else ""
            yield from (f"{stem}{dotted}.{ending}" for stem in stems)
            for stem in stems:
                yield f"{stem}{dotted}.{ending}.index.json"
                if variant:
                    yield f"{stem}.{ending}.index{dotted}.json"


WEIGHTS: Final = tuple(_weight_names())
"""Files that a part's weights are read from, or that list them; the first that is there is taken."""


def kind_of_part(class_name: str) -> Literal["scheduler", "tokenizer", "processor", "network"]:
    """Return what a part of this class is: only a network has weights."""
    if "Scheduler" in class_name:
        return "scheduler"
    if "Tokenizer" in class_name:
        return "tokenizer"
    return "processor" if "Processor" in class_name or "Extractor" in class_name else "network"


_VARIANT: Final = re.compile(r"\.(" + "|".join(filter(None, VARIANTS)) + r")\.")


def weights_entry(names: Collection[str]) -> str:
    """Return the file among a part's file names that its weights are read from, or that lists them; "" for none."""
    return next((name for name in WEIGHTS if name in names), "")


def variant_of(name: str) -> str:
    """Return the variant in a name of `WEIGHTS`: "fp16" for "model.fp16.safetensors"."""
    match = _VARIANT.search(name)
    return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class ModelIndex:
    """What a ``model_index.json`` names.

    Attributes:
        pipeline: Name of a diffusers class.
        parts: Name -> library (of `LIBRARIES`) and class, in the order of the file.
        absent: Parts that it names as ``null``.
    """

    pipeline: str
    parts: Mapping[str, tuple[str, str]]
    absent: tuple[str, ...] = ()


def read_index(raw: Mapping[str, Any], of: str) -> ModelIndex:
    """Return what an index names.

    Args:
        raw: The JSON object.
        of: Which model it belongs to, for messages.

    Raises:
        ModelUnsupported: It wants code from elsewhere.
    """
    pipeline = raw.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.isidentifier():
        message = f"{of}: its pipeline {str(pipeline)[:60]!r} is code of its own: allowed are classes of diffusers."
        raise ModelUnsupported(message, _NO_CODE)
    parts: dict[str, tuple[str, str]] = {}
    absent: list[str] = []
    for name, entry in raw.items():
        if name.startswith("_") or not isinstance(entry, list) or len(entry) != 2:
            continue
        library, class_name = entry
        if library is None or class_name is None:
            absent.append(name)
            continue
        known = isinstance(library, str) and library in LIBRARIES and isinstance(class_name, str)
        if not known or not class_name.isidentifier() or not name.isidentifier():
            named = f"{str(library)[:40]}.{str(class_name)[:40]}"
            message = f"{of}: its {name[:40]} is {named}: allowed are classes of diffusers and transformers."
            raise ModelUnsupported(message, _NO_CODE)
        parts[name] = (library, class_name)
    return ModelIndex(pipeline, MappingProxyType(parts), tuple(absent))


def check_drawable(index: ModelIndex, of: str) -> None:
    """Check that the studio draws with the pipeline of an index, and that it names all parts that this needs.

    Raises:
        ModelUnsupported: It does not.
    """
    check_pipeline(index.pipeline, of)
    family = next((row for row in FAMILIES if index.pipeline in row.pipelines), None)
    wanted = family.parts if family else [name for name in _NEEDED if name in index.absent]
    lacking = [name for name in wanted if name not in index.parts]
    if lacking:
        message = f"{of}: it was saved without its {' and '.join(lacking)}; {INDEX_FILE} names none."
        raise ModelUnsupported(message, "Get the whole model, or put the folder and its entry in the index back.")


def check_pipeline(pipeline: str, of: str) -> None:
    """Check that the studio draws with this diffusers class. Raises: ModelUnsupported, with the reason."""
    if pipeline in DRAWN or any(pipeline in family.pipelines for family in FAMILIES):
        return
    hint = f"Choose a model of {titles_that_take()}."
    reason = NOT_DRAWN.get(pipeline, "")
    if reason:
        raise ModelUnsupported(f"{of} is a {pipeline}: {reason}, and the studio does not draw with that.", hint)
    if any(word in pipeline for word in NOT_FROM_TEXT):
        raise ModelUnsupported(f"{of} is a {pipeline}: only text-to-image pipelines can be used.", hint)
    raise ModelUnsupported(f"{of} is a {pipeline}, which the studio does not draw with.", hint)
