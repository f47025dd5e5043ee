"""How a loaded text-to-image pipeline draws over a picture: the stock image-to-image pipeline on the same parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import diffusers

from sdstudio.core.errors import InvalidRequest
from sdstudio.engine.model_files.loading import LoadedModel

PIPELINES: Final[Mapping[type, Any]] = {
    diffusers.StableDiffusionPipeline: diffusers.StableDiffusionImg2ImgPipeline,
    diffusers.StableDiffusionXLPipeline: diffusers.StableDiffusionXLImg2ImgPipeline,
}


def check_begins(loaded: LoadedModel) -> None:
    """Raise `InvalidRequest` for a model that cannot begin from a picture: one for inpainting, another family."""
    pipe = loaded.pipe
    if type(pipe) in PIPELINES and pipe.unet.config.in_channels == pipe.vae.config.latent_channels:
        return
    said = f"Input picture: {loaded.info.name} cannot begin from one."
    raise InvalidRequest("init_image", said, "Choose a Stable Diffusion 1, 2 or XL model that is not for inpainting.")


def image_pipeline(loaded: LoadedModel) -> Any:
    """Return the pipeline that draws over a picture with the parts of a loaded one; it has no scheduler yet."""
    pipe = loaded.pipe
    parts = {**pipe.components, "scheduler": None}  # a constructor would rewrite the configuration of the model's own
    if isinstance(pipe, diffusers.StableDiffusionXLPipeline):
        parts |= {"force_zeros_for_empty_prompt": pipe.config.force_zeros_for_empty_prompt, "add_watermarker": False}
    else:
        parts["requires_safety_checker"] = False
    made = PIPELINES[type(pipe)](**parts)
    made.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return made
