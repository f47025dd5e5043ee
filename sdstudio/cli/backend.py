"""Where the commands get what draws and what merges and converts; the engine is imported nowhere else in ``cli``.

Both are imported when they are called for, since torch takes longer to import than most commands run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sdstudio.core.backend import Backend
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.work import ModelWorks
from sdstudio.core.settings import Settings

Converter = Callable[[ModelInfo, Path, bool, Callable[[float, str], None], threading.Event], tuple[Path, int]]
"""Model, folder, whether pickles may be opened, who is told of progress, cancel -> folder and number of networks."""


def make_backend(settings: Settings) -> Backend:
    """Return the local engine."""
    from sdstudio.engine.engine import make_engine  # noqa: PLC0415 (torch, only to draw)

    return make_engine(settings)


def make_works() -> ModelWorks:
    """Return what merges and converts model files."""
    from sdstudio.engine.model_files.works import Works  # noqa: PLC0415 (torch, only to merge and convert)

    return Works()


def make_converter() -> Converter:
    """Return what converts a model's networks for OpenVINO (`engine.openvino.conversion.converted`)."""
    from sdstudio.engine.openvino.conversion import converted  # noqa: PLC0415 (torch, only to convert)

    return converted
