"""How a file that is attached to a model is known again, and the error when it is made for another kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.core.errors import InvalidRequest, ModelNotFound
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.lora_config import config_path
from sdstudio.core.models.model import ModelInfo

WRONG_FAMILY_HINT: Final = "Take it out, or choose a model that it was made for."

Stamp = tuple[Path, bool, tuple[tuple[int, int], ...]]
"""Path, whether 0.1's rules count, and size and time of change of all that is read: one stamp, one content."""


def wrong_family(
    field: str, what: str, adapter: Adapter, model: ModelInfo, theirs: int = 0, ours: int = 0
) -> InvalidRequest:
    """Return the error about something that was made for another family; both are named.

    Args:
        field: Of the request.
        what: "LoRA" or "Embedding".
        adapter: Which one.
        model: The model it was to be attached to.
        theirs: A size of its layers, that shows its family where nothing else does; 0 when unknown.
        ours: What the model has in its place.
    """
    by_width = next((row for row in FAMILIES if theirs and row.text_width == theirs), None)
    made_for = FAMILY_BY_KEY.get(adapter.family) or by_width
    if made_for is None:
        why = f"it is made for another kind of model; {model.name} is {model.family_row.title}"
    elif made_for is not model.family_row:
        why = f"it is made for {made_for.title}; {model.name} is {model.family_row.title}"
    elif theirs:
        why = f"its layers are {theirs:,} wide, those of {model.name} {ours:,}, though both are {made_for.title}"
    else:
        why = f"none of its layers is one of {model.name}'s, though both are {made_for.title}"
    return InvalidRequest(field, f"{what} = {adapter.name}: {why}.", WRONG_FAMILY_HINT)


def stamp_of(adapter: Adapter, what: str) -> Stamp:
    """Return what shows whether a file is the one that was read before. Raises: ModelNotFound."""
    beside = config_path(adapter.path)
    try:
        stats = [path.stat() for path in (adapter.path, beside) if path is not None and path.exists()]
        if not adapter.path.exists():
            raise FileNotFoundError(adapter.path)
    except OSError as error:
        message = f"{what} = {adapter.name}: {adapter.path} is gone."
        raise ModelNotFound(message, "Take it out, or put it back.") from error
    return adapter.path, adapter.as_first, tuple((status.st_size, status.st_mtime_ns) for status in stats)
