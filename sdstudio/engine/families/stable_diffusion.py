"""Stable Diffusion 1, 2 and XL: a UNet that takes the vectors of CLIP, latents that the VAE decodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import diffusers
import torch
from torch import nn

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.events import Notice
from sdstudio.core.models.lora_names import NETWORKS
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.adapters.embeddings import Embeddings
from sdstudio.engine.families.any_pipeline import AnyPipeline
from sdstudio.engine.families.base import AROUND, Begin, TextInputs
from sdstudio.engine.prompting.checks import check_clip_skip_of
from sdstudio.engine.prompting.conditioning import Conditioning

# The studio runs a checker itself (engine.pictures.safety) and has no image prompts.
LEFT_OUT: Final = ("safety_checker", "feature_extractor", "image_encoder")

# Text to image -> image to image. They are looked up here because diffusers imports a pipeline when it is first named,
# and the first picture is spared that wait.
PIPELINES: Final[Mapping[type, Any]] = {
    diffusers.StableDiffusionPipeline: diffusers.StableDiffusionImg2ImgPipeline,
    diffusers.StableDiffusionXLPipeline: diffusers.StableDiffusionXLImg2ImgPipeline,
}


@contextmanager
def _shown(unet: nn.Module, mask: torch.Tensor, around: torch.Tensor) -> Iterator[None]:
    """Within the block a UNet is given what is masked (1, 1, h, w) and latents (1, C, h, w) behind its own channels."""
    channels = torch.cat([(mask > 0).to(around), around], dim=1)

    def before(_unet: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        rows = args[0]
        more = channels.to(rows).expand(rows.shape[0], -1, -1, -1)
        return (torch.cat([rows, more], dim=1), *args[1:]), kwargs

    handle = unet.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


class StableDiffusion(AnyPipeline):
    """The `Family` of SD 1, 2 and XL."""

    gives_latents = True
    has_clip = True

    def pipeline_class(self, name: str) -> Any:
        """Return the class that draws from text, also for a model whose index names the one for inpainting."""
        return super().pipeline_class(name.replace("Inpaint", ""))

    def left_out(self) -> tuple[str, ...]:
        """Return the safety checker and what reads pictures."""
        return LEFT_OUT

    def build_kwargs(self) -> Mapping[str, Any]:
        """Return what SD 1 and 2, and XL, ask about what is left out."""
        return {"requires_safety_checker": False, "add_watermarker": False}

    def denoiser(self, pipe: Any) -> nn.Module:
        """Return the UNet."""
        return pipe.unet  # type: ignore[no-any-return]

    def check(self, pipe: Any, request: GenerationRequest, row: ModelFamily) -> Sequence[Notice]:
        """Return nothing: prompts are read to their end, whatever their length. Raises: InvalidRequest."""
        check_clip_skip_of(pipe, request, row)
        return ()

    def text(self, pipe: Any, request: GenerationRequest, row: ModelFamily, embeddings: Embeddings) -> TextInputs:
        """Return the prompts as vectors, where the stock pipeline would read them differently. Raises: Cancelled."""
        unet = self.denoiser(pipe)
        conditioning = Conditioning(pipe, unet, request, row, embeddings)
        step_guidance = conditioning.step_guidance()
        hooks = step_guidance.hooked(pipe, unet) if step_guidance is not None else nullcontext()
        return TextInputs(conditioning.arguments(), hooks)

    def begins_from(self, pipe: Any) -> frozenset[str]:
        """Return the input picture and a mask of it, unless the UNet wants channels that nobody fills."""
        plain = pipe.unet.config.in_channels == pipe.vae.config.latent_channels
        can = type(pipe) in PIPELINES and (plain or self.looks_around(pipe))
        return frozenset({INIT.field, MASK.field} if can else ())

    def looks_around(self, pipe: Any) -> bool:
        """Return whether the UNet takes latents, the mask and the latents of the picture around it."""
        return bool(pipe.unet.config.in_channels == 2 * pipe.vae.config.latent_channels + 1)

    def begin(self, pipe: Any, inputs: Mapping[str, torch.Tensor]) -> Begin:
        """Return the stock image-to-image pipeline on the same parts, for a UNet for inpainting in any case.

        The stock inpainting pipelines give such a UNet the same channels; the image-to-image one leaves every sampler
        its own noise, and its latents may be put back after each step.
        """
        if not inputs:
            return Begin(pipe)
        # Without a scheduler: a constructor would rewrite the configuration of the model's own.
        parts = {**pipe.components, "scheduler": None}
        if isinstance(pipe, diffusers.StableDiffusionXLPipeline):
            parts["force_zeros_for_empty_prompt"] = pipe.config.force_zeros_for_empty_prompt
            parts["add_watermarker"] = False
        else:
            parts["requires_safety_checker"] = False
        over_picture = PIPELINES[type(pipe)](**parts)
        over_picture.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
        if not self.looks_around(pipe):
            return Begin(over_picture, {"image": inputs[INIT.field]})
        around = inputs[AROUND]
        hooks = _shown(self.denoiser(pipe), inputs[MASK.field], around)
        begin = inputs.get(INIT.field, torch.zeros_like(around))
        return Begin(over_picture, {"image": begin}, hooks, from_noise=INIT.field not in inputs)

    def draw(self, pipe: Any, kwargs: Mapping[str, Any], model_name: str) -> torch.Tensor:
        """Return latents (B, 4, h, w)."""
        return pipe(**kwargs, output_type="latent").images  # type: ignore[no-any-return]

    def lora_networks(self) -> tuple[str, ...]:
        """Return the UNet and the text encoders."""
        return NETWORKS
