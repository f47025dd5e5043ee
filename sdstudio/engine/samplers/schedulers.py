"""How rows of the sampler and schedule tables become a diffusers scheduler for one model.

What the model was trained with is kept; how it is sampled comes from the rows alone, as they were for the request's
compatibility. Every class of a sampler that takes schedules is handed its noise levels (`engine.samplers.level_hooks`).
"""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import diffusers
import numpy as np
import torch

from sdstudio.catalog.families import ModelFamily
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SchedulerSpec, schedule_of
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.request.advanced_fields import LEFT_OUT
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.samplers import k_samplers
from sdstudio.engine.samplers.level_hooks import hand_every_timestep, hand_levels
from sdstudio.engine.samplers.noise import NVIDIA, NvidiaGenerator
from sdstudio.engine.samplers.noise_levels import NoiseTable, stepped_levels
from sdstudio.engine.samplers.stochastic import churn, soften

# What a model was trained with. Everything else in its scheduler's config (spacing, Karras flags, solver order) says
# how its author liked to sample, and would leak into the sampler the user picked.
TRAINED: Final = frozenset(
    {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type",
     "rescale_betas_zero_snr", "original_inference_steps"}
)  # fmt: skip
# Latents are not bounded to -1..1; DDIM, DDPM and Heun clip unless set otherwise, when a model's config does not set
# it.
LATENT: Final[Mapping[str, Any]] = {"clip_sample": False, "thresholding": False}
FULL_START: Final[Mapping[str, Any]] = {"timestep_spacing": "linspace", "steps_offset": 0}
"""Makes the starting noise as strong as the first level is."""
ZERO_SNR_SCHEDULE: Final = "sgm_uniform"
"""What "Automatic" means for a model trained to zero signal: evenly spaced from its last timestep (Lin et al. 2023)."""
ABOVE_ZERO: Final = "sigma_min"
"""``final_sigmas_type`` of a solver whose last step does not end at zero: it need not be of first order."""
SMALLEST_SIGNAL: Final = 2.0**-24
"""Stands for zero signal where something is divided by it, as in diffusers."""
# The tree's ends are rounded to six digits inside torchsde, which then warns about asking a hair beyond them.
warnings.filterwarnings("ignore", message="Should have t[ab]", module="torchsde")
LCM_STEPS: Final = 50
"""``original_inference_steps`` as latent-consistency models are distilled with; LCM refuses more steps than it."""

SAMPLING_FIELDS: Final = (
    "scheduler", "schedule", "steps", "last_level", "prediction", "zero_snr", "eta", "s_churn", "compatibility",
)  # fmt: skip
"""The fields of a request that `build_scheduler` looks at."""


def build_scheduler(request: GenerationRequest, trained: Mapping[str, Any], family: ModelFamily) -> Any:
    """Return a fresh scheduler that samples as the request asks; its ``set_timesteps`` takes the request's steps.

    Args:
        request: Sampler, schedule, steps and what else acts on the sampler.
        trained: The configuration of the scheduler that the model ships.
        family: The model's.

    Raises:
        InvalidRequest: Fewer steps than the class works with.
    """
    spec = row_of(request)
    if request.steps < spec.min_steps:
        message = f"Steps = {request.steps}: {spec.title} needs {spec.min_steps} or more."
        raise InvalidRequest("steps", message, f"Use {spec.min_steps}.")
    zero_snr = request.zero_snr or bool(trained.get("rescale_betas_zero_snr"))
    scheduler = _constructed(spec, request, trained, zero_snr)
    schedule = schedule_of(spec, request.schedule) or spec.levels
    if not schedule:
        if spec.every_timestep and not zero_snr:
            hand_every_timestep(scheduler, request.steps)
        return scheduler
    if zero_snr and request.schedule == AUTOMATIC and spec.automatic:
        schedule = ZERO_SNR_SCHEDULE
    signal = np.asarray(scheduler.alphas_cumprod, dtype=np.float64)
    table = NoiseTable(np.sqrt((1 - signal) / signal), family.align_your_steps, family.key)
    levels, end = stepped_levels(schedule, table, request.steps, leaves_out_last(spec, request))
    end = end or spec.end
    hand_levels(scheduler, table, levels, end)
    if end and "final_sigmas_type" in scheduler.config:
        scheduler.register_to_config(final_sigmas_type=ABOVE_ZERO)
    if isinstance(scheduler, k_samplers.KSampler):
        scheduler.eta = request.eta if "eta" in spec.takes else k_samplers.FULL_NOISE
    elif "eta" in spec.takes and request.eta != 1:
        soften(scheduler, request.eta)
    if "s_churn" in spec.takes and request.s_churn:
        churn(scheduler, request.s_churn, table)
    return scheduler


def row_of(request: GenerationRequest) -> SchedulerSpec:
    """Return the row of a request's sampler, as it was for the request's compatibility."""
    return SCHEDULER_BY_KEY[request.scheduler].at(request.compatibility)


def leaves_out_last(spec: SchedulerSpec, request: GenerationRequest) -> bool:
    """Whether the last level before zero is left out: as the sampler does, or as the request asks."""
    return spec.leaves_out_last if request.last_level == AUTOMATIC else request.last_level == LEFT_OUT


def scheduler_class(spec: SchedulerSpec) -> Any:
    """Return the class of a row: diffusers', or the studio's own."""
    return getattr(k_samplers, spec.class_name, None) or getattr(diffusers, spec.class_name)


def _constructed(
    spec: SchedulerSpec, request: GenerationRequest, trained: Mapping[str, Any], zero_snr: bool
) -> Any:  # fmt: skip
    cls = scheduler_class(spec)
    known = set(cls._get_init_keys(cls))
    own = {key: value for key, value in trained.items() if key in TRAINED}
    config = {**LATENT, **own, **(FULL_START if spec.automatic or spec.levels else {}), **spec.config}
    if request.prediction != AUTOMATIC:
        config["prediction_type"] = request.prediction
    if "original_inference_steps" in known:
        config["original_inference_steps"] = max(config.get("original_inference_steps", LCM_STEPS), request.steps)
    if zero_snr:
        config["rescale_betas_zero_snr"] = True
        if not (spec.automatic or spec.levels):  # sampled from the last timestep (Lin et al. 2023, table 2)
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


def draws_own_noise(scheduler: Any) -> bool:
    """Whether a scheduler draws its noise from seeds, and not from the generators handed to the pipeline."""
    return hasattr(scheduler, "noise_sampler")


def seed_noise(scheduler: Any, seeds: Sequence[int], like: torch.Tensor, source: str) -> None:
    """Make a scheduler that draws its own noise (DPM++ SDE) draw each image's from that image's seed.

    Without this its Brownian tree would be random, one for the whole batch, and differ between devices.

    Args:
        scheduler: A fresh one that `draws_own_noise`.
        seeds: One for each image of the batch.
        like: A tensor of the batch's latents' shape, dtype and device.
        source: Whose numbers: "cpu" or "nvidia".
    """
    set_timesteps = scheduler.set_timesteps

    @functools.wraps(set_timesteps)
    def with_noise(*args: Any, **kwargs: Any) -> None:
        set_timesteps(*args, **kwargs)
        scheduler.noise_sampler = _BrownianNoise(scheduler.sigmas, seeds, like, source)

    scheduler.set_timesteps = with_noise


class _BrownianNoise:
    """One Brownian tree for each image, grown on the CPU so that the noise is the same on every device."""

    def __init__(self, sigmas: torch.Tensor, seeds: Sequence[int], like: torch.Tensor, source: str) -> None:
        from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler  # noqa: PLC0415 (needs torchsde)

        positive = sigmas[sigmas > 0]
        shape = torch.empty(like.shape, dtype=torch.float32)
        self._like, self._source = like, source
        with _numbers_of(source):
            self._sampler = BrownianTreeNoiseSampler(shape, positive.min().item(), positive.max().item(), list(seeds))

    def __call__(self, sigma: torch.Tensor, sigma_next: torch.Tensor) -> torch.Tensor:
        with _numbers_of(self._source):
            noise = self._sampler(sigma.cpu(), sigma_next.cpu())
        return noise.to(device=self._like.device, dtype=self._like.dtype)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _numbers_of(source: str) -> Iterator[None]:
    """Within the block, Brownian trees are grown from a source's numbers; torchsde's own are the CPU's.

    WORKAROUND(torchsde 0.2): it seeds a generator of torch's for each node of the tree, and takes no other.
    """
    module = sys.modules.get("torchsde._brownian.brownian_interval") if source == NVIDIA else None
    if module is None:
        yield
        return

    def drawn(size: Sequence[int], dtype: torch.dtype, device: Any, seed: int) -> torch.Tensor:
        return NvidiaGenerator(int(seed)).randn(size).to(device=device, dtype=dtype)

    own = module._randn
    module._randn = drawn  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module._randn = own  # type: ignore[attr-defined]
