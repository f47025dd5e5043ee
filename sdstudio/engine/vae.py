"""From latents to pixels and back, with the pipeline's VAE."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents
from PIL import Image

from sdstudio.core.errors import InvalidNumbers
from sdstudio.engine.batch import OTHER_HINT
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.masked import Pixels
from sdstudio.engine.pictures.seamless import edges_joined, with_margin, without_margin
from sdstudio.engine.unfinished import SampledBatch


class Vae:
    """Turns a batch's latents into pictures, and a picture into latents; again in float32 when the VAE overflows.

    Args:
        loaded: Whose VAE.
        plan: Memory switches in force.
        device: Where it works.
        seamless: Which edges of a picture meet (`GenerationRequest.seamless`).

    Attributes:
        retried: The VAE overflowed and worked again in float32.
    """

    def __init__(self, loaded: LoadedModel, plan: MemoryPlan, device: Device, seamless: str = "off") -> None:
        self._seamless = seamless
        self._pipe = loaded.pipe
        self._plan = plan
        self._device = device
        self.retried = False

    @torch.no_grad()
    def decode(self, drawn: SampledBatch) -> list[Image.Image]:
        """Return the pictures of the given latents.

        Raises:
            InvalidNumbers: The VAE makes NaN in float32 too.
            Cancelled: By the checks of the model.
            RuntimeError: Also when memory ran out.
        """
        if drawn.decoded:
            pixels = drawn.latents
            self._check(pixels)
            return self._pictures(pixels * 2 - 1)
        pixels = self._in_time(lambda dtype: self._decoded(drawn.latents, dtype))
        self._check(pixels)
        return self._pictures(pixels)

    @torch.no_grad()
    def encode(self, picture: Image.Image | Pixels) -> torch.Tensor:
        """Return the latents (1, C, h, w) of a picture, scaled as a UNet takes them: the middle of what the VAE allows.

        The stock pipelines draw them at random, from the numbers that the noise of the seed is then missing.

        Raises: As `decode`.
        """
        pixels = self._pipe.image_processor.preprocess(picture)
        latents = self._in_time(lambda dtype: self._encoded(pixels, dtype))
        self._pipe.maybe_free_model_hooks()  # under offloading the VAE would stay on the device while the UNet works
        if not latents.isfinite().all():
            raise InvalidNumbers("The picture encoder (VAE) made invalid numbers (NaN or infinity).", OTHER_HINT)
        return latents

    def _in_time(self, work: Callable[[torch.dtype], torch.Tensor]) -> torch.Tensor:
        """Return what the VAE makes in its own number format, or in float32 where that overflows."""
        vae = self._pipe.vae
        # As StableDiffusionXLPipeline does and StableDiffusionPipeline does not, whatever their VAE's config holds.
        upcast = vae.dtype == torch.float16 and bool(vae.config.force_upcast) and hasattr(self._pipe, "upcast_vae")
        result = work(torch.float32 if upcast else vae.dtype)
        if not result.isfinite().all() and vae.dtype != torch.float32 and not upcast:
            self.retried = True
            result = work(torch.float32)
        return result

    def _decoded(self, latents: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return pixels (B, 3, H, W), about -1..1, computed in ``dtype``; the VAE keeps its own number format."""
        vae = self._pipe.vae
        with self._in_format(vae.dtype, dtype):
            z = latents.to(dtype)
            std, shift = self._spread(z)
            return self._decoded_seamless(z * std / vae.config.scaling_factor + shift)

    def _decoded_seamless(self, z: torch.Tensor) -> torch.Tensor:
        """Return pixels of latents as the VAE takes them; where it works in tiles, each tile's edges are not joined."""
        vae = self._pipe.vae
        if self._seamless != "off" and self._plan.vae_tiling:
            return without_margin(vae.decode(with_margin(z, self._seamless), return_dict=False)[0], z, self._seamless)
        with edges_joined(self._seamless, vae):
            return vae.decode(z, return_dict=False)[0]  # type: ignore[no-any-return]

    def _encoded(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return latents (1, C, h, w) of pixels (1, 3, H, W) in -1..1, computed in ``dtype``."""
        vae = self._pipe.vae
        own = vae.dtype
        with self._in_format(own, dtype):
            with edges_joined("off" if self._plan.vae_tiling else self._seamless, vae):
                z = retrieve_latents(vae.encode(pixels.to(self._device.torch_device, dtype)), sample_mode="argmax")
            std, shift = self._spread(z)
            return ((z - shift) * vae.config.scaling_factor / std).to(own)  # type: ignore[no-any-return]

    def _spread(self, like: torch.Tensor) -> tuple[Any, Any]:
        """Return the deviation and the mean of the VAE's latents, where its config holds them."""
        config = self._pipe.vae.config
        mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        if mean is None or std is None:
            return 1, 0
        scale, shift = (torch.tensor(values).view(1, -1, 1, 1).to(like) for values in (std, mean))
        return scale, shift

    @contextlib.contextmanager
    def _in_format(self, own: torch.dtype, dtype: torch.dtype) -> Iterator[None]:
        if own == dtype:
            yield
            return
        vae = self._pipe.vae
        away = self._plan.offload == "sequential"
        if away:  # its weights are hooked away on "meta", where a new number format would be lost
            self._pipe.remove_all_hooks()
            vae.to(self._device.torch_device)
        vae.to(dtype=dtype)
        try:
            yield
        finally:
            vae.to(dtype=own)
            if away:
                self._pipe.to("cpu", silence_dtype_warnings=True)
                self._pipe.enable_sequential_cpu_offload(device=self._device.torch_device)

    def _check(self, pixels: torch.Tensor) -> None:
        if not pixels.isfinite().all():
            raise InvalidNumbers("The picture decoder (VAE) made invalid numbers (NaN or infinity).", OTHER_HINT)

    def _pictures(self, pixels: torch.Tensor) -> list[Image.Image]:
        pictures: Sequence[Image.Image] = self._pipe.image_processor.postprocess(pixels, output_type="pil")
        return [picture.convert("RGB") for picture in pictures]
