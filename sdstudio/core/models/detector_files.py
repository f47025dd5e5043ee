"""What kind of detector a folder holds, by its ``config.json``; nothing of it is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.detectors import CONFIG_FILE, DETECTOR_BY_ARCHITECTURE, DetectorSpec
from sdstudio.core.errors import ModelDamaged, ModelUnsupported

_MAXIMUM_BYTES: Final = 10 * 2**20
_FETCH_AGAIN: Final = "Get it again from where it came from."


def detector_in(folder: Path) -> DetectorSpec:
    """Return which detector a folder holds.

    Raises:
        ModelDamaged: Its configuration is missing or cannot be read.
        ModelUnsupported: It is another kind of model, or brings parts from elsewhere.
    """
    path = folder / CONFIG_FILE
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_MAXIMUM_BYTES))
    except OSError as error:
        raise ModelDamaged(f"{folder} lacks its {CONFIG_FILE}.", _FETCH_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise ModelDamaged(f"{path} is damaged.", _FETCH_AGAIN) from error
    spec = detector_of_config(config)
    if spec is None:
        raise ModelUnsupported(f"{folder} holds no detector that the studio looks with.", "Choose another.")
    if config.get("use_timm_backbone") or config.get("use_pretrained_backbone"):
        raise ModelUnsupported(f"{folder}: a part of the detector lies elsewhere (its backbone).", "Choose another.")
    return spec


def detector_of_config(config: Any) -> DetectorSpec | None:
    """Return which detector a configuration describes, ``None`` for none."""
    names = config.get("architectures") if isinstance(config, Mapping) else None
    known = [DETECTOR_BY_ARCHITECTURE.get(str(name)) for name in names] if isinstance(names, list) else []
    return next((spec for spec in known if spec is not None), None)
