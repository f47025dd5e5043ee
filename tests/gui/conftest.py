from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdstudio.app import Studio, build_studio
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries import model as history_model
from sdstudio.ui.first_paint import all_widgets_alive
from tests.conftest import MEMORY
from tests.gui.shared_window import SharedWindow
from tests.unit.background.fakes import ScriptedEngine

MODEL_KEY = "tiny"
COUNT = 230
"""Pictures of `full_studio`."""
FIRST = 100
"""Rows that it reads at once."""
FULL_SIZE = (1200, 800)
OWN = {"monkeypatch", "build", "home"}
"""Who asks for one of these gets no shared window: it is about another data folder, or something is patched."""


@pytest.fixture
def build(qtbot: Any, qapp: Any, home: StudioPaths, tiny_models: Any) -> Iterator[Callable[..., Studio]]:
    """A function that opens the studio on ``home`` with a scripted engine; close it and call again for a restart."""
    SharedWindow.close_open()
    (home.models / MODEL_KEY).symlink_to(tiny_models["sd1"], target_is_directory=True)
    built: list[Studio] = []

    def make(scripts: dict[str, Any] | None = None, make_engine: Any = None) -> Studio:
        if built and not built[-1].window.isVisible():  # a restart
            before = built.pop()
            assert before.close()
            before.delete()
        with all_widgets_alive():
            qapp.setStyleSheet("")  # as at the start of the program: a window is built four times as fast
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


@pytest.fixture(scope="module")
def lent(qapp: Any, tiny_models: Any) -> Iterator[SharedWindow]:
    """The window that `shared_build` lends."""

    def prepare(home: StudioPaths) -> None:
        (home.models / MODEL_KEY).symlink_to(tiny_models["sd1"], target_is_directory=True)

    window = SharedWindow(prepare)
    yield window
    window.close()


@pytest.fixture
def shared_build(lent: SharedWindow, request: pytest.FixtureRequest) -> Iterator[Callable[..., Studio]]:
    """As `build`, but a window that other tests have used and left, or had put back, as it was at its start.

    A test that looks into its own data folder, opens another window or patches something gets windows of its own.
    """
    if set(inspect.signature(request.function).parameters) & OWN:
        yield request.getfixturevalue("build")
        return
    yield lent.lend
    lent.take_back(request.node.nodeid)


@pytest.fixture
def shared_studio(shared_build: Callable[..., Studio]) -> Studio:
    return shared_build()


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


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with more pictures than the history reads at once, in memory where that is to be had."""
    within = MEMORY if MEMORY.is_dir() else tmp_path_factory.getbasetemp()
    folder = tempfile.mkdtemp(prefix="sdstudio-test-", dir=within)
    home = StudioPaths(Path(folder) / "home").create()
    history = History(home, lambda path: path)
    for number in range(1, COUNT + 1):
        side = (96, 64) if number % 2 else (64, 96)
        request = GenerationRequest(width=side[0], height=side[1], prompt=f"picture {number}", seed=number)
        recipe = Recipe(app="test", request=request, model_name="Starter", model_family="sd1")
        history.save(Image.new("RGB", side, (number % 256, 40, 90)), recipe)
    history.close()
    yield home.home
    shutil.rmtree(folder)


def fill(home: StudioPaths, filled: Path) -> None:
    """Put the pictures of `filled` into a data folder."""
    shutil.rmtree(home.images)
    shutil.copytree(filled / home.images.relative_to(home.home), home.images)
    for file in filled.glob(f"{home.database.name}*"):
        shutil.copy2(file, home.home / file.name)


@pytest.fixture
def full_studio(
    build: Callable[..., Studio], filled: Path, home: StudioPaths, monkeypatch: pytest.MonkeyPatch
) -> Studio:
    """The window on a data folder with many pictures, as large as it is on most screens."""
    fill(home, filled)
    monkeypatch.setattr(history_model, "FIRST", FIRST)
    made = build()
    made.window.resize(*FULL_SIZE)
    return made


@pytest.fixture(scope="module")
def lent_full(qapp: Any, tiny_models: Any, filled: Path) -> Iterator[SharedWindow]:
    """The window that `shared_full_studio` lends."""

    def prepare(home: StudioPaths) -> None:
        (home.models / MODEL_KEY).symlink_to(tiny_models["sd1"], target_is_directory=True)
        fill(home, filled)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(history_model, "FIRST", FIRST)
        window = SharedWindow(prepare, ("Create", "History"), FULL_SIZE)
        yield window
        window.close()


@pytest.fixture
def shared_full_studio(request: pytest.FixtureRequest) -> Iterator[Studio]:
    """As `full_studio`, but shared as `shared_build` tells."""
    if set(inspect.signature(request.function).parameters) & OWN:
        yield request.getfixturevalue("full_studio")
        return
    lent = request.getfixturevalue("lent_full")
    yield lent.lend()
    lent.take_back(request.node.nodeid)
