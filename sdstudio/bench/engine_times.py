"""The engine beside the script that a user of diffusers would write: the same model, scheduler, steps, size and seed.

Run as ``python -m sdstudio.bench.engine_times MODEL PAIRS``; the last line of output is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import diffusers
import numpy as np
import torch
from PIL import Image

from sdstudio.bench.alternating import alternate
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, schedule_of
from sdstudio.core.events import EngineEvent, ImageMade, StepDone
from sdstudio.core.models.model import ModelInfo, default_request
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.paths import studio_paths
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine
from sdstudio.library.library import Library

SEED: Final = 7


def bench_request(model: ModelInfo) -> GenerationRequest:
    """Return what is drawn: the model's first example at its own defaults, not enlarged, as a bare script's is not."""
    prompt = model.examples[0] if model.examples else "a red heart"
    return default_request(model).model_copy(update={"prompt": prompt, "seed": SEED, "finish": 1.0})


class StudioEngine:
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
        # Not by AutoPipelineForText2Image, which imports every pipeline there is and gives the same one.
        pipe = diffusers.DiffusionPipeline.from_pretrained(model.path, dtype=torch.float32, local_files_only=True)
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


class _OverPicture:
    """The studio's engine over a picture of its own, of which a mask leaves a circle."""

    def __init__(self, model: ModelInfo, folder: Path) -> None:
        request = bench_request(model)
        height, width = np.mgrid[: request.height, : request.width]
        ramps = np.stack([255 * width / request.width, 255 * height / request.height, 0.0 * width + 128], axis=-1)
        Image.fromarray(ramps.astype(np.uint8)).save(folder / "picture.png")
        far = np.hypot(width - request.width / 2, height - request.height / 2)
        Image.fromarray(((far < request.width / 4) * 255).astype(np.uint8)).save(folder / "mask.png")
        kept = "0" * 64
        over = request.model_copy(update={INIT.field: kept, "strength": 1.0})
        pictures = {INIT: folder / "picture.png", MASK: folder / "mask.png"}
        self._whole = ResolvedRequest(over, model, pictures={INIT: pictures[INIT]})
        self._masked = ResolvedRequest(over.model_copy(update={MASK.field: kept}), model, pictures=pictures)
        self._engine = Engine(Settings(device="cpu", precision="float32", safety_checker=False, previews=False))
        self._step_s = 0.0
        self.edits: list[float] = []

    def whole(self) -> float:
        """Draw over all of the picture and return how long a step took."""
        return self._step(self._whole)

    def masked(self) -> float:
        """Draw under the mask and return how long a step took."""
        start = time.perf_counter()
        step_s = self._step(self._masked)
        self.edits.append(time.perf_counter() - start)
        return step_s

    def _step(self, resolved: ResolvedRequest) -> float:
        self._engine.generate(resolved, (SEED,), 1, self._on_event, threading.Event())
        return self._step_s

    def _on_event(self, event: EngineEvent) -> None:
        if isinstance(event, StepDone):
            self._step_s = event.seconds_per_step

    def close(self) -> None:
        """Free the model."""
        self._engine.close()


def measure(model: ModelInfo, pairs: int) -> dict[str, Any]:
    """Return pairs of seconds for the engine, previews and masks, and by how many grey levels the pictures differ."""
    ours, bare = StudioEngine(model), _Bare(model)

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
    difference = int(np.abs(left - right).max())
    with tempfile.TemporaryDirectory(prefix="sdstudio-bench-") as folder:
        over = _OverPicture(model, Path(folder))
        over.masked()
        over.edits.clear()
        inpainting = alternate(pairs, over.masked, over.whole)
        over.close()
    figures = {"engine": engine, "previews": previews, "inpainting": inpainting}
    return {**figures, "edits": over.edits, "difference": difference}


if __name__ == "__main__":
    found = Library(studio_paths()).find(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(measure(found, int(sys.argv[2]))) + "\n")
