"""From latents to pixels and back, with the pipeline's VAE."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
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
from sdstudio.engine.tiles import TileDone, Tiles, tiles_of
from sdstudio.engine.unfinished import SampledBatch

_TILE_PX: Final = 512
_THRIFTY_TILE_PX: Final = 256
"""Side of a tile where a larger picture is worked on tile by tile; the decoder of Stable Diffusion takes 1.1 GB for the
first, 0.4 for the second."""
_OVERLAPS: Final = 4
"""Neighbouring tiles overlap by a quarter, as in diffusers."""


class Vae:
    """Turns a batch's latents into pictures, and a picture into latents; again in float32 when the VAE overflows.

    Args:
        loaded: Whose VAE.
        plan: Memory switches in force.
        device: Where it works.
        seamless: Which edges of a picture meet (`GenerationRequest.seamless`).
        on_tile: Work in tiles, so that memory does not grow with the picture, and call this after each; ``None`` for
            work on whole pictures.

    Attributes:
        retried: The VAE overflowed and worked again in float32.
    """

    def __init__(
        self, loaded: LoadedModel, plan: MemoryPlan, device: Device, seamless: str = "off",
        on_tile: TileDone | None = None,
    ) -> None:  # fmt: skip
        self._seamless = seamless
        self._on_tile = on_tile
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
        if self._on_tile is not None:
            return [self._decoded_in_tiles(latents[None], self._on_tile) for latents in drawn.latents]
        pixels = self._in_time(lambda dtype: self._decoded(drawn.latents, dtype, self._seamless))
        self._check(pixels)
        return self._pictures(pixels)

    @torch.no_grad()
    def encode(self, picture: Image.Image | Pixels) -> torch.Tensor:
        """Return the latents (1, C, h, w) of a picture, scaled as a UNet takes them: the middle of what the VAE allows.

        The stock pipelines draw them at random, from the numbers that the noise of the seed is then missing.

        Raises: As `decode`.
        """
        if self._on_tile is not None and isinstance(picture, Image.Image):
            latents = self._encoded_in_tiles(picture, self._on_tile)
        else:
            latents = self._latents(picture, self._seamless)
        self._pipe.maybe_free_model_hooks()  # under offloading the VAE would stay on the device while the UNet works
        if not latents.isfinite().all():
            raise InvalidNumbers("The picture encoder (VAE) made invalid numbers (NaN or infinity).", OTHER_HINT)
        return latents

    def _latents(self, picture: Image.Image | Pixels, seamless: str) -> torch.Tensor:
        pixels = self._pipe.image_processor.preprocess(picture)
        return self._in_time(lambda dtype: self._encoded(pixels, dtype, seamless))

    def _tiles(self, height: int, width: int) -> Tiles:
        """Return the tiles of latents of this size."""
        side = (_THRIFTY_TILE_PX if self._plan.vae_tiling else _TILE_PX) // self._pipe.vae_scale_factor
        return tiles_of((height, width), side, side // _OVERLAPS)

    def _decoded_in_tiles(self, latents: torch.Tensor, on_tile: TileDone) -> Image.Image:
        """Return the picture of latents (1, C, h, w); edges that meet see what stands at the opposite one."""
        is_seamless = self._seamless != "off"
        canvas = with_margin(latents, self._seamless) if is_seamless else latents
        cell = self._pipe.vae_scale_factor
        height, width = canvas.shape[-2:]
        levels = torch.empty((1, 3, height * cell, width * cell), dtype=torch.uint8)

        def decoded(part: torch.Tensor) -> torch.Tensor:
            pixels = self._in_time(lambda dtype: self._decoded(part, dtype, "off"))
            self._check(pixels)
            return pixels

        for top, rows in self._tiles(height, width).strips(canvas, cell, decoded, on_tile):
            levels[..., top : top + rows.shape[-2], :] = ((rows / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        if is_seamless:
            levels = without_margin(levels, latents, self._seamless)
        return Image.fromarray(np.ascontiguousarray(levels[0].permute(1, 2, 0).numpy()))

    def _encoded_in_tiles(self, picture: Image.Image, on_tile: TileDone) -> torch.Tensor:
        cell = self._pipe.vae_scale_factor
        height, width = picture.height // cell, picture.width // cell
        nothing = torch.zeros(()).expand(height, width)

        def encoded(part: torch.Tensor, top: int, left: int) -> torch.Tensor:
            box = (left * cell, top * cell, (left + part.shape[-1]) * cell, (top + part.shape[-2]) * cell)
            return self._latents(picture.crop(box), "off")

        return self._tiles(height, width).joined(nothing, encoded, on_tile).to(self._pipe.vae.dtype)

    def _in_time(self, work: Callable[[torch.dtype], torch.Tensor]) -> torch.Tensor:
        """Return what the VAE makes in its own number format, or in float32 where that overflows."""
        vae = self._pipe.vae
        # As StableDiffusionXLPipeline does and StableDiffusionPipeline does not, whatever their VAE's config holds.
        upcast = vae.dtype == torch.float16 and bool(vae.config.force_upcast) and hasattr(self._pipe, "upcast_vae")
        if self.retried and not upcast:
            return work(torch.float32)  # the next tile would overflow too
        result = work(torch.float32 if upcast else vae.dtype)
        if not result.isfinite().all() and vae.dtype != torch.float32 and not upcast:
            self.retried = True
            result = work(torch.float32)
        return result

    def _decoded(self, latents: torch.Tensor, dtype: torch.dtype, seamless: str) -> torch.Tensor:
        """Return pixels (B, 3, H, W), about -1..1, computed in ``dtype``; the VAE keeps its own number format."""
        vae = self._pipe.vae
        with self._in_format(vae.dtype, dtype):
            z = latents.to(dtype)
            std, shift = self._spread(z)
            return self._decoded_seamless(z * std / vae.config.scaling_factor + shift, seamless)

    def _decoded_seamless(self, z: torch.Tensor, seamless: str) -> torch.Tensor:
        """Return pixels of latents as the VAE takes them; where it works in tiles, each tile's edges are not joined."""
        vae = self._pipe.vae
        if seamless != "off" and self._plan.vae_tiling:
            return without_margin(vae.decode(with_margin(z, seamless), return_dict=False)[0], z, seamless)
        with edges_joined(seamless, vae):
            return vae.decode(z, return_dict=False)[0]  # type: ignore[no-any-return]

    def _encoded(self, pixels: torch.Tensor, dtype: torch.dtype, seamless: str) -> torch.Tensor:
        """Return latents (1, C, h, w) of pixels (1, 3, H, W) in -1..1, computed in ``dtype``."""
        vae = self._pipe.vae
        own = vae.dtype
        with self._in_format(own, dtype):
            with edges_joined("off" if self._plan.vae_tiling else seamless, vae):
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
