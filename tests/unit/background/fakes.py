"""A scriptable engine without torch: each prompt is a script, so a test says what happens by what it asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sdstudio.core.errors import Cancelled
from sdstudio.core.events import (
    Decoding,
    EngineStatus,
    EventSink,
    GuidanceStep,
    ImageMade,
    ModelLoading,
    PreviewFrame,
    StepDone,
    Unfinished,
)
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings

MODEL = ModelInfo("starter", "Starter", Path("starter"), "sd1")

Script = Callable[["ScriptedEngine", threading.Event], None]


class ScriptedEngine:
    """Goes through all the motions of a job; a prompt found in ``scripts`` is acted out before its first step."""

    def __init__(self, settings: Settings, scripts: dict[str, Script] | None = None) -> None:
        self.settings = [settings]
        self.scripts = {} if scripts is None else scripts  # shared with the test, which may add to it later
        self.threads: list[int] = [threading.get_ident()]
        self.asked: list[tuple[str, tuple[int, ...], int]] = []
        self.closed = False
        self.recording = False
        self.unfinished: Unfinished | None = None
        self.stop_at = 0  # a script may set it: at this step somebody presses Cancel

    def configure(self, settings: Settings) -> None:
        self.settings.append(settings)

    def generate(
        self,
        resolved: ResolvedRequest,
        seeds: Sequence[int],
        batch_size: int,
        on_event: EventSink,
        cancel: threading.Event,
    ) -> None:
        request, model = resolved.request, resolved.model
        self.threads.append(threading.get_ident())
        self.asked.append((request.prompt, tuple(seeds), batch_size))
        on_event(ModelLoading(model.name, 1.0, "unet"))
        self.scripts.get(request.prompt, lambda _engine, _cancel: None)(self, cancel)
        for first in range(0, len(seeds), batch_size):
            batch = seeds[first : first + batch_size]
            for step in range(1, request.steps + 1):
                if cancel.is_set():
                    if step > 1:  # as the engine, which looks before the next step
                        self.unfinished = Unfinished(resolved, tuple(batch), step - 1, request.steps, None)
                    raise Cancelled
                preview = PreviewFrame(1, 1, bytes((step, 0, 0)))
                if self.recording:
                    on_event(guidance_step(step, request.steps))
                on_event(StepDone(step, request.steps, first, len(batch), len(seeds), 0.01, preview))
                if step == self.stop_at:
                    self.stop_at = 0
                    cancel.set()
            for place, seed in enumerate(batch):
                on_event(Decoding(first + place, len(seeds)))
                on_event(ImageMade(first + place, picture(request, seed), recipe(request, seed)))

    def take_unfinished(self) -> Unfinished | None:
        unfinished, self.unfinished = self.unfinished, None
        return unfinished

    def keep(self, unfinished: Unfinished, on_event: EventSink, cancel: threading.Event) -> None:
        for place, seed in enumerate(unfinished.seeds):
            made_with = {"unfinished": {"step": unfinished.step, "of": unfinished.total}}
            told = recipe(unfinished.resolved.request, seed).model_copy(update={"made_with": made_with})
            on_event(ImageMade(place, picture(unfinished.resolved.request, seed), told))

    def record(self, on: bool) -> None:
        self.recording = on

    def status(self) -> EngineStatus:
        return EngineStatus("CPU", "float32", 1, 2, "starter", {"torch": "0"})

    def unload(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def picture(request: GenerationRequest, seed: int) -> Image.Image:
    return Image.new("RGB", request.made_size, (seed % 256, 40, 90))


def recipe(request: GenerationRequest, seed: int) -> Recipe:
    return Recipe(app="test", request=request.with_seed(seed), model_name="Starter", model_family="sd1")


def guidance_step(step: int, total: int) -> GuidanceStep:
    """A recorded step of flat colours: uncond grows green, cond grows red, guided is red beyond what a screen shows."""
    flat = np.zeros((8, 8, 3), np.float32)
    uncond, cond = flat + np.float32([0, step / total, 0]), flat + np.float32([step / total, 0, 0])
    return GuidanceStep(step, total, flat + np.float32(0.5), uncond, cond, uncond + 7 * (cond - uncond))


def cancelled_at(step: int) -> Script:
    """Return a script: somebody presses Cancel at this step of the first picture."""

    def act(engine: ScriptedEngine, _cancel: threading.Event) -> None:
        engine.stop_at = step

    return act


def until_cancelled(_engine: ScriptedEngine, cancel: threading.Event) -> None:
    """Script: work that ends only because someone cancels it."""
    if not cancel.wait(30):
        raise TimeoutError("nobody cancelled within 30 s")
    raise Cancelled
