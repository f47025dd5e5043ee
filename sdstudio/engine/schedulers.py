"""How rows of the sampler and schedule tables become a diffusers scheduler for one model.

What the model was trained with is kept; how it is sampled comes from the rows alone. Diffusers can follow three
schedules by flags of its own, some classes none; here every class of a sampler that takes schedules is handed its noise
levels, through the one hook that they share.
"""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import diffusers
import numpy as np
import torch

from sdstudio.catalog.families import ModelFamily
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SchedulerSpec, schedule_of
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.request import GenerationRequest
from sdstudio.engine.noise_levels import Levels, NoiseTable, noise_levels
from sdstudio.engine.stochastic import churn, soften

# What a model was trained with. Everything else in its scheduler's config (spacing, Karras flags, solver order) says
# how its author liked to sample, and would leak into the sampler the user picked.
TRAINED: Final = frozenset(
    {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type",
     "rescale_betas_zero_snr", "original_inference_steps"}
)  # fmt: skip
# Latents are not bounded to -1..1; DDIM, DDPM and Heun clip unless told otherwise, when a model's config does not say.
LATENT: Final[Mapping[str, Any]] = {"clip_sample": False, "thresholding": False}
FULL_START: Final[Mapping[str, Any]] = {"timestep_spacing": "linspace", "steps_offset": 0}
"""Makes the starting noise as strong as the first level is."""
ZERO_SNR_SCHEDULE: Final = "sgm_uniform"
"""What "Automatic" means for a model trained to zero signal: evenly spaced from its last timestep (Lin et al. 2023)."""
SMALLEST_SIGNAL: Final = 2.0**-24
"""Stands for zero signal where something is divided by it, as in diffusers."""
# The tree's ends are rounded to six digits inside torchsde, which then warns about asking a hair beyond them.
warnings.filterwarnings("ignore", message="Should have t[ab]", module="torchsde")
LCM_STEPS: Final = 50
"""``original_inference_steps`` as latent-consistency models are distilled with; LCM refuses more steps than it."""

SAMPLING_FIELDS: Final = ("scheduler", "schedule", "steps", "prediction", "zero_snr", "eta", "s_churn")
"""The fields of a request that `build_scheduler` looks at."""


def build_scheduler(request: GenerationRequest, trained: Mapping[str, Any], family: ModelFamily) -> Any:
    """Return a fresh scheduler that samples as the request says; its ``set_timesteps`` takes the request's steps.

    Args:
        request: Sampler, schedule, steps and what else acts on the sampler.
        trained: The configuration of the scheduler that the model ships.
        family: The model's.

    Raises:
        InvalidRequest: Fewer steps than the class works with.
    """
    spec = SCHEDULER_BY_KEY[request.scheduler]
    if request.steps < spec.min_steps:
        message = f"Steps = {request.steps}: {spec.title} needs {spec.min_steps} or more."
        raise InvalidRequest("steps", message, f"Use {spec.min_steps}.")
    zero_snr = request.zero_snr or bool(trained.get("rescale_betas_zero_snr"))
    scheduler = _constructed(spec, request, trained, zero_snr)
    schedule = schedule_of(spec, request.schedule)
    if not schedule:
        return scheduler
    if zero_snr and request.schedule == AUTOMATIC:
        schedule = ZERO_SNR_SCHEDULE
    signal = np.asarray(scheduler.alphas_cumprod, dtype=np.float64)
    table = NoiseTable(np.sqrt((1 - signal) / signal), family.align_your_steps)
    _hand_levels(scheduler, table, noise_levels(schedule, table, request.steps))
    if "eta" in spec.takes and request.eta != 1:
        soften(scheduler, request.eta)
    if "s_churn" in spec.takes and request.s_churn:
        churn(scheduler, request.s_churn, table)
    return scheduler


def _constructed(
    spec: SchedulerSpec, request: GenerationRequest, trained: Mapping[str, Any], zero_snr: bool
) -> Any:  # fmt: skip
    cls = getattr(diffusers, spec.class_name)
    known = set(cls._get_init_keys(cls))
    own = {key: value for key, value in trained.items() if key in TRAINED}
    config = {**LATENT, **own, **(FULL_START if spec.automatic else {}), **spec.config}
    if request.prediction != AUTOMATIC:
        config["prediction_type"] = request.prediction
    if "original_inference_steps" in known:
        config["original_inference_steps"] = max(config.get("original_inference_steps", LCM_STEPS), request.steps)
    if zero_snr:
        config["rescale_betas_zero_snr"] = True
        if not spec.automatic:  # sampled from the last timestep (Lin et al. 2023, table 2)
            config["timestep_spacing"] = "trailing"
    scheduler = cls.from_config({key: value for key, value in config.items() if key in known})
    if zero_snr and "rescale_betas_zero_snr" not in known:
        betas = _without_signal(scheduler.betas.double())
        config["trained_betas"] = betas.tolist()
        scheduler = cls.from_config({key: value for key, value in config.items() if key in known})
    if zero_snr and scheduler.config.prediction_type == "epsilon":
        scheduler.alphas_cumprod.clamp_(min=SMALLEST_SIGNAL)  # what the noise leaves is divided by its root
    return scheduler


def _without_signal(betas: torch.Tensor) -> torch.Tensor:
    """Return betas shifted and scaled so that the last timestep holds no signal (Lin et al. 2023, algorithm 1)."""
    root = (1 - betas).cumprod(0).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    signal = (root**2).clamp(min=SMALLEST_SIGNAL)
    return 1 - torch.cat([signal[:1], signal[1:] / signal[:-1]])


def _hand_levels(scheduler: Any, table: NoiseTable, levels: Levels) -> None:
    """Make a scheduler step at these noise levels, in every copy of it too."""
    if hasattr(scheduler, "_convert_to_karras"):

        def given(in_sigmas: Any, num_inference_steps: int | None = None) -> Levels:
            return levels.copy()

        scheduler._convert_to_karras = given
        scheduler.register_to_config(use_karras_sigmas=True)  # leads through the hook; costs at construction
        scheduler.set_timesteps = types.MethodType(_set_from_first, scheduler)  # bound anew in a deep copy
        return
    scheduler.own_levels = torch.from_numpy(np.append(levels, 0.0).astype(np.float32))
    scheduler.own_timesteps = torch.from_numpy(table.timesteps(levels).astype(np.float32))
    scheduler.set_timesteps = types.MethodType(_set_own, scheduler)  # bound anew in a deep copy, as no closure is


def _set_from_first(self: Any, num_inference_steps: int, device: Any = None) -> None:
    """Begin at the first level whatever its timestep: of two that are rounded to the same, diffusers takes the second.

    Every step would then be one level too far, and the last one have none left. A picture to begin from tells the place
    itself, afterwards.
    """
    type(self).set_timesteps(self, num_inference_steps, device)
    self.set_begin_index(0)


def _set_own(self: Any, num_inference_steps: int, device: Any = None) -> None:
    _set_from_first(self, num_inference_steps, device)
    self.sigmas = self.own_levels.clone()
    self.timesteps = self.own_timesteps.to(device)


def is_diffusion(own: Any) -> bool:
    """Whether the model that ships the scheduler ``own`` was trained on the noise levels that the table's rows are for.

    Flow matching models (SD 3, Flux) were not, and are sampled with their own scheduler only.
    """
    return hasattr(own, "alphas_cumprod")


def keep_format(scheduler: Any) -> None:
    """Make a scheduler step in its latents' number format under autocast.

    Most schedulers turn their result into the model output's format; under autocast that is half precision, and the
    latents would lose digits at every step.
    """
    step = scheduler.step

    @functools.wraps(step)
    def kept(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return step(model_output.to(sample.dtype), timestep, sample, *args, **kwargs)

    scheduler.step = kept


def seed_noise(scheduler: Any, seeds: Sequence[int], like: torch.Tensor) -> None:
    """Make a scheduler that draws its own noise (DPM++ SDE) draw each image's from that image's seed, on the CPU.

    Without this its Brownian tree would be random, one for the whole batch, and differ between devices.

    Args:
        scheduler: A fresh ``DPMSolverSDEScheduler``.
        seeds: One for each image of the batch.
        like: A tensor of the batch's latents' shape, dtype and device.
    """
    set_timesteps = scheduler.set_timesteps

    @functools.wraps(set_timesteps)
    def with_noise(*args: Any, **kwargs: Any) -> None:
        set_timesteps(*args, **kwargs)
        scheduler.noise_sampler = _BrownianNoise(scheduler.sigmas, seeds, like)

    scheduler.set_timesteps = with_noise


class _BrownianNoise:
    """One Brownian tree for each image, grown on the CPU so that the noise is the same on every device."""

    def __init__(self, sigmas: torch.Tensor, seeds: Sequence[int], like: torch.Tensor) -> None:
        from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler  # noqa: PLC0415 (needs torchsde)

        positive = sigmas[sigmas > 0]
        shape = torch.empty(like.shape, dtype=torch.float32)
        self._sampler = BrownianTreeNoiseSampler(shape, positive.min().item(), positive.max().item(), list(seeds))
        self._like = like

    def __call__(self, sigma: torch.Tensor, sigma_next: torch.Tensor) -> torch.Tensor:
        noise = self._sampler(sigma.cpu(), sigma_next.cpu())
        return noise.to(device=self._like.device, dtype=self._like.dtype)  # type: ignore[no-any-return]
