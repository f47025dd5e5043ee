from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdstudio.app import Studio, build_studio
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request import GenerationRequest, Recipe
from sdstudio.history.store import Entry, History
from tests.unit.jobs.fakes import ScriptedEngine

MODEL_KEY = "tiny"


@pytest.fixture
def build(qtbot: Any, home: StudioPaths, tiny_models: Any) -> Iterator[Callable[..., Studio]]:
    """A function that opens the studio on ``home`` with a scripted engine; close it and call again for a restart."""
    (home.models / MODEL_KEY).symlink_to(tiny_models["sd1"], target_is_directory=True)
    built: list[Studio] = []

    def make(scripts: dict[str, Any] | None = None, make_engine: Any = None) -> Studio:
        studio = build_studio(home.home, make_engine or (lambda settings: ScriptedEngine(settings, scripts)))
        built.append(studio)
        with qtbot.waitExposed(studio.window):
            studio.window.show()
        return studio

    yield make
    for studio in built:
        assert studio.close()
        studio.delete()


@pytest.fixture
def studio(build: Callable[..., Studio]) -> Studio:
    return build()


@pytest.fixture
def history(home: StudioPaths, tmp_path: Path) -> Iterator[History]:
    """A real history with a trash of its own."""
    bin_folder = tmp_path / "trash"
    bin_folder.mkdir()

    def trash(path: Path) -> Path:
        return Path(shutil.move(path, bin_folder / path.name))  # the data folder may lie on another disk

    opened = History(home, trash)
    yield opened
    opened.close()


@pytest.fixture
def save(history: History) -> Callable[..., Entry]:
    """A function that puts a picture into ``history``."""

    def make(prompt: str = "red heart", seed: int = 1, blocked: str = "", **values: Any) -> Entry:
        request = GenerationRequest(**{"width": 64, "height": 64, "prompt": prompt, "seed": seed, **values})
        pixels = Image.new("RGB", (request.width, request.height), (seed % 256, 40, 90))
        recipe = Recipe(app="test", request=request, model_name="Starter", model_family="sd1", blocked=blocked)
        return history.save(pixels, recipe)

    return make
