"""How unfinished latents become a small picture: the *predicted clean* latents of a step, times a 4x3 matrix.

A step's result is still noisy; what shows the picture is the scheduler's guess of the clean latents behind it, which
schedulers hand out by several names or not at all; `predicted_clean` knows which.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import torch

from sdstudio.catalog.previews import PreviewSpec
from sdstudio.core.events import PreviewFrame


class Previewer:
    """Watches one scheduler and keeps the newest preview; what nobody took is replaced.

    Args:
        spec: Latent-to-RGB factors of the model.
        device: Where the latents are.
        every_s: At most one in this time.
    """

    def __init__(self, spec: PreviewSpec, device: torch.device, every_s: float = 0.0) -> None:
        self._every_s = every_s
        self._factors = torch.tensor(spec.factors, dtype=torch.float32, device=device)
        self._bias = torch.tensor(spec.bias, dtype=torch.float32, device=device)
        self._due = 0.0
        self._frame: PreviewFrame | None = None

    def watch(self, scheduler: Any) -> None:
        """Look into every step of ``scheduler`` from now on. Its results stay what they are, bit by bit."""
        step = scheduler.step

        @functools.wraps(step)  # pipelines read the signature to see whether a step takes eta and generators
        def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            if time.monotonic() < self._due:
                return step(model_output, timestep, sample, *args, **kwargs)
            wanted = kwargs.pop("return_dict", True)
            result = step(model_output, timestep, sample, *args, return_dict=True, **kwargs)
            clean = predicted_clean(scheduler, result, model_output, timestep, sample)
            if clean is not None:
                self._frame = self.rendered(clean[0])
                self._due = time.monotonic() + self._every_s
            return result if wanted else (result.prev_sample,)

        scheduler.step = watched

    def take(self) -> PreviewFrame | None:
        """Return the newest preview that was not taken yet."""
        frame, self._frame = self._frame, None
        return frame

    def rgb(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn ``latents`` (C, h, w), scaled, into a picture (h, w, 3), float32, about -1..1."""
        return torch.einsum("chw,cr->hwr", latents.float(), self._factors) + self._bias

    def rendered(self, latents: torch.Tensor) -> PreviewFrame | None:
        """Turn ``latents`` (C, h, w), scaled, into pixels; ``None`` when the factors are for other channels."""
        if latents.shape[0] != self._factors.shape[0]:
            return None
        rgb = self.rgb(latents)
        pixels = ((rgb + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()
        return PreviewFrame(pixels.shape[1], pixels.shape[0], pixels.numpy().tobytes())


def predicted_clean(scheduler: Any, result: Any, model_output: Any, timestep: Any, sample: Any) -> torch.Tensor | None:
    """Return the clean latents that a scheduler predicted in the step it has just done, ``None`` when unknown.

    Args:
        scheduler: After its step.
        result: What the step returned.
        model_output: What the model predicted, (B, C, h, w).
        timestep: At which noise level.
        sample: The noisy latents that went in.
    """
    for name in ("pred_original_sample", "denoised"):
        clean = getattr(result, name, None)
        if clean is not None:
            return clean  # type: ignore[no-any-return]
    if getattr(scheduler, "sigmas", None) is not None and hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        # Multistep solvers and UniPC: the noise level is not the timestep's, it lies between two of them.
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[scheduler.step_index - 1])
    elif hasattr(scheduler, "alphas_cumprod"):
        level = scheduler.alphas_cumprod[int(timestep)]
        alpha, sigma = level.sqrt(), (1 - level).sqrt()
    else:
        return None
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return (sample - sigma * model_output) / alpha  # type: ignore[no-any-return]
    if kind == "v_prediction":
        return alpha * sample - sigma * model_output  # type: ignore[no-any-return]
    return model_output if kind == "sample" else None
