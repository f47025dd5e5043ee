"""The engine beside the script that a user of diffusers would write: the same model, scheduler, steps, size and seed.

Run as ``python -m sdstudio.bench.engine_times MODEL PAIRS``; the last line of output is JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import diffusers
import numpy as np
import torch
from PIL import Image

from sdstudio.bench.report import alternate
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, schedule_of
from sdstudio.core.events import EngineEvent, ImageMade
from sdstudio.core.models.model import ModelInfo, default_request
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.paths import studio_paths
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine
from sdstudio.library.library import Library

SEED: Final = 7


def bench_request(model: ModelInfo) -> GenerationRequest:
    """Return what is drawn: the model's first example at its own defaults."""
    prompt = model.examples[0] if model.examples else "a red heart"
    return default_request(model).model_copy(update={"prompt": prompt, "seed": SEED})


class _Ours:
    """The studio's engine, one picture a call."""

    def __init__(self, model: ModelInfo) -> None:
        self._resolved = ResolvedRequest(bench_request(model), model)
        self._engine = Engine(Settings(device="cpu", precision="float32"))
        self.picture = Image.new("RGB", (1, 1))

    def seconds(self, previews: bool) -> float:
        """Draw and return how long it took."""
        settings = Settings(device="cpu", precision="float32", safety_checker=False, previews=previews)
        self._engine.configure(settings)
        start = time.perf_counter()
        self._engine.generate(self._resolved, (SEED,), 1, self._on_event, threading.Event())
        return time.perf_counter() - start

    def _on_event(self, event: EngineEvent) -> None:
        if isinstance(event, ImageMade):
            self.picture = event.pixels

    def close(self) -> None:
        """Free the model."""
        self._engine.close()


class _Bare:
    """Diffusers alone."""

    def __init__(self, model: ModelInfo) -> None:
        self._request = bench_request(model)
        spec = SCHEDULER_BY_KEY[self._request.scheduler]
        pipe = diffusers.AutoPipelineForText2Image.from_pretrained(
            model.path, dtype=torch.float32, local_files_only=True
        )
        if getattr(pipe, "safety_checker", None) is not None:
            pipe.safety_checker = None
        config = dict(spec.config)
        if spec.automatic:
            karras = schedule_of(spec, self._request.schedule) == "karras"
            config |= {"timestep_spacing": "linspace", "steps_offset": 0, "use_karras_sigmas": karras}
        pipe.scheduler = getattr(diffusers, spec.class_name).from_config(pipe.scheduler.config, **config)
        pipe.set_progress_bar_config(disable=True)
        self._pipe = pipe
        self.picture = Image.new("RGB", (1, 1))

    def seconds(self) -> float:
        """Draw and return how long it took."""
        request = self._request
        start = time.perf_counter()
        self.picture = self._pipe(
            request.prompt, width=request.width, height=request.height, num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale, generator=torch.Generator("cpu").manual_seed(SEED),
        ).images[0]  # fmt: skip
        return time.perf_counter() - start


def measure(model: ModelInfo, pairs: int) -> dict[str, Any]:
    """Return pairs of seconds for the engine and for previews, and by how many grey levels the pictures differ."""
    ours, bare = _Ours(model), _Bare(model)

    def plain() -> float:
        return ours.seconds(previews=False)

    def with_previews() -> float:
        return ours.seconds(previews=True)

    warm_up: tuple[Callable[[], float], ...] = (plain, with_previews, bare.seconds)
    for once in warm_up:
        once()
    engine = alternate(pairs, plain, bare.seconds)
    previews = alternate(pairs, with_previews, plain)
    ours.close()
    left, right = (np.asarray(picture, dtype=np.int16) for picture in (ours.picture, bare.picture))
    return {"engine": engine, "previews": previews, "difference": int(np.abs(left - right).max())}


if __name__ == "__main__":
    found = Library(studio_paths()).find(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(measure(found, int(sys.argv[2]))) + "\n")
