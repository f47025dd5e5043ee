"""What a batch had come to when it was cancelled: the clean latents that its last step predicted.

The latents of a step in the middle are mostly noise, and so is what a VAE makes of them. What the live view shows, and
what A1111 keeps of an interrupted picture (``last_latent`` of ``modules/sd_samplers_common.py``), is the scheduler's
guess of the clean latents behind them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch

from sdstudio.core.errors import Cancelled
from sdstudio.engine.pictures.preview import predicted_clean


@dataclass(frozen=True, slots=True)
class SampledBatch:
    """What the sampling of a batch ended with.

    Attributes:
        latents: (B, C, h, w), scaled; or, ``decoded``, pixels (B, 3, H, W) in 0..1.
        decoded: The pipeline decoded itself, as one whose latents the studio does not know.
        scheduler: Class and configuration that sampled, for the recipe.
        schedule: Key of the noise schedule, else the spacing of the scheduler's own timesteps.
    """

    latents: torch.Tensor
    decoded: bool
    scheduler: dict[str, Any]
    schedule: str


class CancelledBatch(Cancelled):
    """Cancelled between two steps of a batch, with what it had come to, in main memory.

    Attributes:
        drawn: As far as it came.
        step: The last step that was done.
        total: Steps there would have been.
    """

    def __init__(self, drawn: SampledBatch, step: int, total: int) -> None:
        super().__init__()
        self.drawn = drawn
        self.step = step
        self.total = total


class LastStep:
    """Watches one scheduler and knows what its last step predicted.

    Attributes:
        step: The last step that was done; 0 before the first.
        total: Steps in all.
    """

    def __init__(self) -> None:
        self.step = 0
        self.total = 0
        self._arguments: tuple[Any, ...] = ()

    def watch(self, scheduler: Any) -> None:
        """Look into every step of ``scheduler`` from now on. Its results stay what they are, bit by bit."""
        step = scheduler.step

        @functools.wraps(step)  # pipelines read the signature to see whether a step takes eta and generators
        def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            wanted = kwargs.pop("return_dict", True)
            result = step(model_output, timestep, sample, *args, return_dict=True, **kwargs)
            self._arguments = (scheduler, result, model_output, timestep, sample)
            return result if wanted else (result.prev_sample,)

        scheduler.step = watched

    def latents(self) -> torch.Tensor | None:
        """Return the clean latents in main memory, ``None`` before the first step.

        Where a scheduler foresees none, they are those it stepped to.
        """
        if not self._arguments:
            return None
        clean = predicted_clean(*self._arguments)
        return (self._arguments[1].prev_sample if clean is None else clean).detach().to("cpu", copy=True)

    def forget(self) -> None:
        """Let go of what the last step worked with: it lies on the device."""
        self._arguments = ()
