"""JSON that comes from anywhere: one way to be unreadable, and texts that can be stored."""

from __future__ import annotations

import json
from typing import Any


def json_of(text: str) -> Any:
    """Return the value of a JSON text; half of a surrogate pair, which UTF-8 and SQLite refuse, becomes "?".

    Raises:
        ValueError: It is no JSON, or is nested too deep.
    """
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value
