"""The sentence about settings of another program's picture that the studio could not use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sdstudio.core.params import parameters
from sdstudio.core.request.input_fields import MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.origin import INPUT_PICTURE
from sdstudio.history.picture_text.pnginfo import keys_of

_VALUE_SHOWN: Final = 40
_BESIDE_FIELDS: Final = frozenset({INPUT_PICTURE, MASK.title, "Model hash"})


def unused_settings(not_mapped: Mapping[str, str]) -> str:
    """Return "Some settings could not be used: Sampler Foo; unknown keys G, cf, U", with no full stop.

    Args:
        not_mapped: As a `Reading` has it: name -> text. A name that the studio has a field for has a value that it
            does not allow; every other name is a key that it does not know.
    """
    rows = parameters(GenerationRequest)
    fields = {key for row in rows for key in (row.title, *keys_of(row.name))} | _BESIDE_FIELDS
    known = [name for name in not_mapped if name.partition(" (")[0] in fields]  # "Sampler (not the same)" too
    unknown = [name for name in not_mapped if name not in known]
    values = [f"{name} {_short(not_mapped[name])}".strip() for name in known]
    if unknown:
        values.append(f"unknown key{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}")
    return f"Some settings could not be used: {'; '.join(values)}"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _VALUE_SHOWN else words[: _VALUE_SHOWN - 1] + "…"
