"""The built-in model as tests draw with it: in this process, without a window or a history."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sdstudio.catalog.built_in import STARTER
from sdstudio.core.events import ImageMade
from sdstudio.core.models.model import default_request
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine
from sdstudio.library.library import Library

Draw = Callable[..., list[np.ndarray]]
FEW = 8
"""Steps that are enough: what a prompt, a seed or a strength does is as plain as after the starter's own 25."""


def drawer(home: Path, picture: Path | None = None, mask: Path | None = None, **usual: Any) -> Draw:
    """A function that draws a prompt with the starter's own values: one float array (128, 128, 3) in 0..255 a seed.

    Requests with an ``init_image``, whichever it names, begin from ``picture``, and those with a ``mask`` take that.
    Values that are ``usual`` hold where a call gives none. Pictures are not enlarged, which shows nothing of the model.
    """
    model = Library(StudioPaths(home).create()).find(STARTER)
    pictures = {role: path for role, path in ((INIT, picture), (MASK, mask)) if path is not None}
    engine = Engine(Settings(previews=False))

    def drawn(prompt: str, seeds: tuple[int, ...] = (1,), **values: Any) -> list[np.ndarray]:
        made: list[np.ndarray] = []

        def keep(event: object) -> None:
            if isinstance(event, ImageMade):
                made.append(np.asarray(event.pixels, np.float64))

        wanted = {**default_request(model).model_dump(), "finish": 1.0, **usual, "prompt": prompt, **values}
        resolved = ResolvedRequest.of(GenerationRequest.checked(wanted), model, pictures=pictures)
        engine.generate(resolved, seeds, len(seeds), keep, threading.Event())
        return made

    return drawn
