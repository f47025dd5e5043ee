"""An engine on tiny random pipelines, and a hand that presses Generate and keeps what comes up."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sdstudio.core.events import EngineEvent, ImageMade, Notice, StepDone
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.models.work import ConvertOrder
from sdstudio.core.request.input_fields import INIT, MASK, InputRole
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.device.aligned import align
from sdstudio.engine.engine import Engine
from sdstudio.engine.model_files.convert import convert


def request(**values: Any) -> GenerationRequest:
    base = {"prompt": "a red heart", "width": 64, "height": 64, "steps": 3, "scheduler": "euler", "guidance_scale": 5.0}
    return GenerationRequest(**{**base, **values})


class Studio:
    """An engine with one model, and every event of the last call."""

    def __init__(self, model: ModelInfo, settings: Settings | None = None, **filters: Any) -> None:
        self.engine = Engine(settings or Settings(previews=False), filters)
        self.model = model
        self.adapters: tuple[Adapter, ...] = ()
        self.finisher: Adapter | None = None
        self.picture: Path | None = None
        self.mask: Path | None = None
        self.pictures: dict[InputRole, Path] = {}
        self.events: list[EngineEvent] = []
        self.cancel = threading.Event()

    def make(
        self, seeds: Sequence[int] = (1,), batch_size: int = 1, on_event: Callable[[EngineEvent], None] | None = None,
        **values: Any,
    ) -> list[ImageMade]:  # fmt: skip
        self.events = []
        self.cancel = threading.Event()

        def keep(event: EngineEvent) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        files = {INIT: self.picture, MASK: self.mask, **self.pictures}
        pictures = {role: path for role, path in files.items() if path is not None}
        resolved = ResolvedRequest.of(request(**values), self.model, self.adapters, pictures, self.finisher)
        self.engine.generate(resolved, seeds, batch_size, keep, self.cancel)
        return self.of(ImageMade)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def steps(self) -> list[StepDone]:
        return self.of(StepDone)

    @property
    def notices(self) -> list[Notice]:
        return self.of(Notice)

    @property
    def pipe(self) -> Any:
        assert self.engine.loaded is not None
        return self.engine.loaded.pipe


_PICKLED = {"text_encoder": "pytorch_model", "unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


def align_parts(pipe: Any) -> None:
    """Move a stock pipeline's weights to where the studio has them: the CPU's kernels round differently elsewhere."""
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            align(part)


def pickle_weights(folder: Path) -> None:
    """Leave a model's weights only as torch saved them before safetensors."""
    for part, name in _PICKLED.items():
        (weights,) = (folder / part).glob("*.safetensors")
        torch.save(load_file(weights), folder / part / f"{name}.bin")
        weights.unlink()


def info(path: Path, family: str) -> ModelInfo:
    return ModelInfo(key=path.name, name=path.name, path=path, family=family)


@pytest.fixture(scope="session")
def shared_studios() -> dict[str, Studio]:
    """Studios with default settings by family; one load serves all tests that change nothing about a model."""
    return {}


@pytest.fixture
def studio(tiny_models: Mapping[str, Path], shared_studios: dict[str, Studio]) -> Callable[..., Studio]:
    """Give a `Studio` of a tiny family: a shared one, or a fresh one when it gets settings, a path or filters."""

    def build(
        family: str = "sd1", settings: Settings | None = None, path: Path | None = None, **filters: Any
    ) -> Studio:
        if settings is None and path is None and not filters:
            if family not in shared_studios:
                shared_studios[family] = Studio(info(tiny_models[family], family.partition("_")[0]))
            shared_studios[family].engine.configure(Settings(previews=False))
            return shared_studios[family]
        return Studio(info(path or tiny_models[family], family), settings, **filters)

    return build


@pytest.fixture
def own_copy(tiny_models: Mapping[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a tiny model to where a test may damage it."""

    def copied(family: str = "sd1") -> Path:
        return Path(shutil.copytree(tiny_models[family], tmp_path / f"model-{family}"))

    return copied


@pytest.fixture(scope="session")
def single_files(tiny_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny models as single files, by family; each made when it is first asked for. Read only."""
    folder = tmp_path_factory.mktemp("single-files")
    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            made[family] = folder / f"tiny-{family}.safetensors"
            order = ConvertOrder(tiny_models[family], made[family], ModelLayout.SINGLE_FILE)
            convert(order, lambda fraction: None, threading.Event())
        return made[family]

    return of
