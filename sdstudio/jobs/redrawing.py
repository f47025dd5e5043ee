"""How a recorded picture is drawn once more: its request, its seed, its model, and the switches it was made with."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sdstudio.core.backend import Backend
from sdstudio.core.errors import Cancelled, HistoryError
from sdstudio.core.events import EngineEvent, EventSink, ImageMade, StepDone, Unfinished
from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.jobs.model_hash import SHORT, ModelHash

log = logging.getLogger(__name__)

FindModel = Callable[[str], ModelInfo]
"""Request's model -> model; raises ModelError."""

Resolve = Callable[[GenerationRequest, ModelInfo, threading.Event], ResolvedRequest]
"""Finds the files that a request names: `RequestResolver.resolve`. May raise StudioError and Cancelled."""


def unattached(request: GenerationRequest, model: ModelInfo, cancel: threading.Event) -> ResolvedRequest:
    """Resolve a request that names nothing beside its model: a `Resolve`."""
    del cancel
    return ResolvedRequest(request, model)


class Redrawer:
    """Draws recorded pictures again, one by one.

    Args:
        backend: It is left with the settings of the last picture.
        settings: Of today; a picture's own memory switches go before them.
        find_model: Where models come from.
        resolve: Finds what a request names.
        model_hash: Computes a model's hash.
        flags: Settings that go before a picture's own.
    """

    def __init__(
        self, backend: Backend, settings: Settings, find_model: FindModel, resolve: Resolve, model_hash: ModelHash,
        flags: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self._backend = backend
        self._settings = settings
        self._find_model = find_model
        self._resolve = resolve
        self._model_hash = model_hash
        self._flags = flags

    def draw(self, recipe: Recipe, on_event: EventSink, cancel: threading.Event) -> ImageMade:
        """Draw a picture, an unfinished one to its step; nobody is notified, and it is saved nowhere.

        Raises:
            StudioError: It cannot be drawn: its model is gone, for example.
            Cancelled: ``cancel`` was set.
        """
        seed = recipe.request.own_seed
        if seed is None:
            raise HistoryError("The picture has no seed in its recipe.", "It cannot be drawn again.")
        model = self._find_model(recipe.request.model)
        values = recipe.request.model_dump() | {"model": model.key, "file_hashes": recipe.file_hashes}
        request = GenerationRequest.checked(values, parameters_of(model))
        resolved = self._resolve(request, model, cancel)
        own = self._settings.as_recorded(recipe.made_with, self._backend.status().device)
        self._backend.configure(own.model_copy(update={**self._flags, "previews": False}))
        pictures: list[ImageMade] = []

        last_step = recipe.unfinished[0] if recipe.unfinished is not None else 0

        def keep(event: EngineEvent) -> None:
            if isinstance(event, ImageMade):
                pictures.append(event)
                return
            on_event(event)
            if isinstance(event, StepDone) and event.step == last_step and not event.tiles:
                raise Cancelled

        try:
            self._backend.generate(resolved, (seed,), 1, keep, cancel)
        except Cancelled:
            unfinished = self._backend.take_unfinished()
            if cancel.is_set() or unfinished is None or unfinished.step != last_step:
                raise
            self._backend.keep(unfinished, keep, cancel)
        [picture] = pictures
        now = picture.recipe.model_copy(update={"model_hash": self._model_hash(model, cancel=cancel)[:SHORT]})
        return ImageMade(0, picture.pixels, now)

    def keep(self, unfinished: Unfinished, on_event: EventSink, cancel: threading.Event) -> None:
        """Decode what a cancelled job was drawing, with the settings of today. Raises as `draw`."""
        self._backend.configure(self._settings)
        self._backend.keep(unfinished, on_event, cancel)

    def explain(self, recipe: Recipe, on_event: EventSink, cancel: threading.Event) -> ImageMade:
        """Draw a picture as `draw` does, and emit every step as a `GuidanceStep`. Raises as `draw`."""
        self._backend.record(True)
        try:
            return self.draw(recipe, on_event, cancel)
        finally:
            self._backend.record(False)


def as_recorded(
    history: History, parent_id: int, request: GenerationRequest, settings: Settings, device: str
) -> Settings:
    """Return the settings to draw with: a picture's own memory switches, which shift pixels, when it is made again.

    Args:
        history: Holds the picture.
        parent_id: The picture's entry.
        request: What is drawn; another one than the picture's is drawn with today's settings.
        settings: Today's.
        device: Title of the device in use.
    """
    try:
        recipe = history.get(parent_id).recipe
    except HistoryError as error:
        log.warning("a re-run of entry %d is drawn with today's settings: %s", parent_id, error)
        return settings
    return settings.as_recorded(recipe.made_with, device) if recipe.request == request else settings
