"""What a process does whose memory is looked at while it switches between two models."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import psutil

from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine


def switch_and_print_memory(*names: str) -> None:
    """Draw with two models in turn, 12 times, and print the memory that the process holds after each and at the end."""
    models = []
    for name in names:
        path = Path(name)
        layout = ModelLayout.FOLDER if path.is_dir() else ModelLayout.SINGLE_FILE
        models.append(ModelInfo(path.name, path.name, path, "sd1", layout))
    engine, seen = Engine(Settings(previews=False)), []
    asked = GenerationRequest(prompt="heart", width=64, height=64, steps=1, scheduler="euler", guidance_scale=1.0)
    for turn in range(12):
        engine.generate(ResolvedRequest(asked, models[turn % 2]), [1], 1, lambda event: None, threading.Event())
        seen.append(psutil.Process().memory_info().rss)
    engine.unload()
    print(json.dumps([seen, psutil.Process().memory_info().rss]))  # noqa: T201 (read by the test)
