"""What ships with the program in ``resources``: one model, and one upscaler for what it draws."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sdstudio.catalog.kinds import CHECKPOINT, UPSCALER

STARTER: Final = "starter"
"""Key of the model, and its folder."""

DRAWINGS: Final = "drawings-4x"
"""Key of the upscaler, and its file without the ending; requests name it by this."""

UPSCALER_FOLDER: Final = "upscaler"
UPSCALER_NAME: Final = "Drawings, 4x (built in)"
"""What the user reads."""

KEYS: Final[Mapping[str, str]] = MappingProxyType({CHECKPOINT: STARTER, UPSCALER: DRAWINGS})
"""Kind of a file -> key of the one that ships."""


def is_built_in(kind: str, key: str) -> bool:
    """Whether the file of this kind and key is part of the program, so that nobody may throw it away."""
    return KEYS.get(kind) == key
