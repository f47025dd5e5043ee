"""Which single-file checkpoints can be read: one row for each folder of component configurations that ships.

A single file holds weights and nothing else; pipeline class, widths, scheduler and vocabulary come from
``resources/configs/KEY``. Rows with the same width and channels differ in what the network was trained to predict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

EPSILON = "epsilon"
V_PREDICTION = "v_prediction"


@dataclass(frozen=True, slots=True)
class CheckpointSpec:
    """One kind of single-file checkpoint.

    Attributes:
        key: Folder below ``resources/configs``.
        family: Key in ``catalog.families``.
        title: What the user reads.
        pipeline: Diffusers pipeline class that its parts make.
        text_width: Cross-attention width of its UNet.
        channels: Channels that its UNet takes.
        prediction: What its UNet predicts.
        size: Side in pixels it was trained at, 0 where that is its family's.
    """

    key: str
    family: str
    title: str
    pipeline: str
    text_width: int
    channels: int = 4
    prediction: str = EPSILON
    size: int = 0


# Where nothing shows the prediction, the first of two rows is taken: most SD 2 files are 768-v or made from it.
CHECKPOINTS: tuple[CheckpointSpec, ...] = (
    CheckpointSpec("sd1", "sd1", "Stable Diffusion 1.x", "StableDiffusionPipeline", 768),
    CheckpointSpec(
        "sd1-inpaint", "sd1", "Stable Diffusion 1.x for inpainting", "StableDiffusionInpaintPipeline", 768, channels=9
    ),
    CheckpointSpec(
        "sd2", "sd2", "Stable Diffusion 2.x, 768 pixels", "StableDiffusionPipeline", 1024, prediction=V_PREDICTION
    ),
    # 2-base, 2-1-base and sd-turbo
    CheckpointSpec("sd2-base", "sd2", "Stable Diffusion 2.x, 512 pixels", "StableDiffusionPipeline", 1024, size=512),
    CheckpointSpec(
        "sd2-inpaint", "sd2", "Stable Diffusion 2.x for inpainting", "StableDiffusionInpaintPipeline", 1024, channels=9,
        size=512,
    ),
    CheckpointSpec("sdxl", "sdxl", "Stable Diffusion XL", "StableDiffusionXLPipeline", 2048),
    CheckpointSpec(
        "sdxl-inpaint", "sdxl", "Stable Diffusion XL for inpainting", "StableDiffusionXLInpaintPipeline", 2048,
        channels=9,
    ),
)  # fmt: skip

CHECKPOINT_BY_KEY: Mapping[str, CheckpointSpec] = MappingProxyType({row.key: row for row in CHECKPOINTS})


def text_to_image_rows(family: str) -> tuple[CheckpointSpec, ...]:
    """Return the rows of a family's checkpoints that draw from noise alone."""
    return tuple(row for row in CHECKPOINTS if row.family == family and row.channels == 4)


def inpainting_rows(family: str) -> tuple[CheckpointSpec, ...]:
    """Return the rows of a family's checkpoints whose UNet takes a mask and the picture around it too."""
    return tuple(row for row in CHECKPOINTS if row.family == family and row.channels == 9)
