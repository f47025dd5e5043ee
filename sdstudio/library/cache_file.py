"""A table kept as JSON that can be made again: read whatever lies there, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_cache(path: Path) -> dict[str, Any]:
    """Return the table, an empty one when there is none that can be read."""
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def write_cache(path: Path, table: Mapping[str, Any]) -> None:
    """Write the table; a folder that cannot be written only costs the next start the time."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(table, separators=(",", ":")), encoding="utf-8")
        os.replace(temporary, path)
    except (OSError, UnicodeEncodeError):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
