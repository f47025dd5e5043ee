"""What comes up while a picture is made: frozen values that the engine emits and the window shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from PIL import Image

from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """A small picture of unfinished latents.

    Attributes:
        width: In pixels, an eighth of the picture's.
        height: In pixels.
        rgb: ``width * height * 3`` bytes, row by row, 8 bits each.
    """

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """A model is being read; ``fraction`` 0..1 of its components are there, ``part`` is the one being read."""

    model: str
    fraction: float
    part: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know about a picture that is made all the same: that its prompt was too long."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class NotConverted:
    """A model is drawn with by torch only because its networks are not converted yet for the chosen device."""

    model: ModelInfo


@dataclass(frozen=True, slots=True)
class Enlarging:
    """A picture goes through an upscaler: ``tile`` of ``total`` tiles are done, one took so long each."""

    tile: int
    total: int
    seconds_per_tile: float


@dataclass(frozen=True, slots=True)
class StepDone:
    """One denoising call is done.

    Attributes:
        step: 1..total; ``total`` counts calls, 2N-1 for second-order schedulers. Within a call that goes tile by tile
            it is the last that was done, from 0 on.
        total: Calls in all for this batch.
        image: Index of the batch's first picture among all of the job's.
        count: Pictures in this batch.
        image_count: Pictures in the whole job.
        seconds_per_step: Measured over the steps so far.
        preview: Of the batch's first picture, ``None`` when throttled, off or unknown for this model.
        tile: Of the next call so many tiles are done.
        tiles: Tiles of a call; 0 where it goes in one piece.
        left: How many calls that take as long this batch still has; negative where all do.
        whole: How many it has in all, counted like that.
    """

    step: int
    total: int
    image: int
    count: int
    image_count: int
    seconds_per_step: float
    preview: PreviewFrame | None = None
    tile: int = 0
    tiles: int = 0
    left: float = -1.0
    whole: float = 0.0

    @property
    def done(self) -> float:
        """How many calls are done, with the share of the next one."""
        return self.step + (self.tile / self.tiles if self.tiles else 0)

    @property
    def work(self) -> tuple[float, float]:
        """How many calls as long as this one the batch still has, and has in all."""
        return (self.total - self.done, self.total) if self.left < 0 else (self.left, self.whole)


@dataclass(frozen=True, slots=True)
class RegionStep:
    """One step over a region of a finished picture is done.

    Attributes:
        region: 1..regions.
        regions: Of this picture.
        step: 1..total.
        total: Steps over this region.
        image: Index of the picture among all of the job's.
        image_count: Pictures in the whole job.
        seconds_per_step: Measured over the steps so far.
    """

    region: int
    regions: int
    step: int
    total: int
    image: int
    image_count: int
    seconds_per_step: float


@dataclass(frozen=True, slots=True, eq=False)
class GuidanceStep:
    """What the UNet predicted at one step, emitted only while an engine records: small pictures of clean latents.

    Every picture is float32 (h, w, 3), an eighth of the picture's size; 0..1 is what a screen shows, more is beyond it.
    They follow from the latents by one matrix, so that ``uncond + s * (cond - uncond)`` of the pictures is the picture
    of the latents that a guidance scale of ``s`` gives at this step.

    Attributes:
        step: 1..total.
        total: Calls of the UNet in all.
        noisy: The latents that went in.
        uncond: Predicted with the negative prompt, ``None`` where guidance is off.
        cond: Predicted with the prompt.
        guided: Both joined by the guidance scale, as it was drawn.
    """

    step: int
    total: int
    noisy: npt.NDArray[np.float32]
    uncond: npt.NDArray[np.float32] | None
    cond: npt.NDArray[np.float32]
    guided: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The VAE turns a large picture into latents: ``tile`` of ``total`` tiles are done."""

    tile: int
    total: int


@dataclass(frozen=True, slots=True)
class Decoding:
    """The VAE turns the latents of picture ``image`` (0-based) of ``image_count`` into pixels.

    Of a large picture ``tile`` of ``tiles`` tiles are done; ``tiles`` is 0 where it goes in one piece.
    """

    image: int
    image_count: int
    tile: int = 0
    tiles: int = 0


@dataclass(frozen=True, slots=True)
class ImageMade:
    """One picture is finished and not yet saved.

    Attributes:
        index: 0-based place among the job's pictures.
        pixels: RGB, 8 bits.
        recipe: Its request with its own seed, and what it was made with. ``recipe.blocked`` is why a safety filter
            replaced it, "" when none did.
    """

    index: int
    pixels: Image.Image
    recipe: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Unfinished:
    """The pictures that were being drawn when a job was cancelled, as far as they had come.

    Attributes:
        resolved: What they were drawn from, and with what.
        seeds: One for each.
        step: The last step that was done.
        total: Steps there would have been; as many as were done when only the decoding was left.
        drawn: The engine's own, in main memory.
    """

    resolved: ResolvedRequest
    seeds: tuple[int, ...]
    step: int
    total: int
    drawn: object


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine runs on and holds at this moment.

    Attributes:
        device: What the user reads: "CPU", "NVIDIA RTX 4090".
        dtype: Number format of the weights: "float32".
        used_bytes: Memory in use on the device; this process's share of main memory on the CPU. 0 when unknown.
        total_bytes: The device's memory, the computer's on the CPU. 0 when unknown.
        model: Key of the loaded model, "" when none is.
        versions: Library -> version ("torch", "diffusers", "transformers").
        is_accelerator: Whether the device has memory of its own.
    """

    device: str
    dtype: str
    used_bytes: int = 0
    total_bytes: int = 0
    model: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_accelerator: bool = False


EngineEvent = (
    ModelLoading
    | Notice
    | NotConverted
    | Enlarging
    | Encoding
    | StepDone
    | RegionStep
    | GuidanceStep
    | Decoding
    | ImageMade
)
EventSink = Callable[[EngineEvent], None]
