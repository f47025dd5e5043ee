"""Samplers of k-diffusion that diffusers lacks, does slowly, or does not do as k-diffusion: as diffusers schedulers.

All step in k-diffusion's space, in which a sample is the clean picture plus noise of the level. The rules are those of
DPM-Solver++ (Lu et al. 2022), with ancestral steps or as an SDE, in the form of k-diffusion ``sampling.py``. Where the
fresh noise comes from is k-diffusion's too: the ancestral ones draw once a step, from the generator that drew the
starting noise; the SDE solvers from a Brownian tree, grown from the picture's seed.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Final

import diffusers
import numpy as np
import torch
from diffusers import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor

FULL_NOISE: Final = 1.0


class KSampler(EulerDiscreteScheduler):  # type: ignore[misc]
    """What they share: one model evaluation a call, turned into a clean picture, and stepped on by the subclass.

    Attributes:
        eta: How much of its fresh noise the sampler adds, 0 to 1.
    """

    eta = FULL_NOISE
    sigmas: torch.Tensor
    timesteps: torch.Tensor

    def step(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, generator: Any = None,
        return_dict: bool = True,
    ) -> Any:  # fmt: skip
        """Return the sample at the next level, and the clean one that the model foresees."""
        if self.step_index is None:
            self._init_step_index(timestep)
        sample = sample.to(torch.float32)
        clean = self._clean(model_output, sample)
        following = self._stepped(clean, sample, generator).to(model_output.dtype)
        self._step_index += 1
        if not return_dict:
            return following, clean
        return EulerDiscreteSchedulerOutput(prev_sample=following, pred_original_sample=clean)

    def _clean(self, model_output: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
        level = float(self.sigmas[self.step_index])
        if self.config.prediction_type == "v_prediction":
            return sample / (level**2 + 1) - model_output * (level / math.sqrt(level**2 + 1))
        if self.config.prediction_type == "sample":
            return model_output
        return sample - level * model_output

    def _stepped(self, clean: torch.Tensor, sample: torch.Tensor, generator: Any) -> torch.Tensor:
        raise NotImplementedError

    def _levels(self, ahead: int = 1) -> tuple[float, float]:
        """Return the level that is left, and the one ``ahead`` places further."""
        return float(self.sigmas[self.step_index]), float(self.sigmas[self.step_index + ahead])

    def _fresh(self, like: torch.Tensor, generator: Any) -> torch.Tensor:
        noise: torch.Tensor = randn_tensor(like.shape, generator=generator, device=like.device, dtype=like.dtype)
        return noise


class ConsistencyScheduler(KSampler):
    """Each step goes to the clean picture, and from there back to the next level with fresh noise (``sample_lcm``)."""

    def _stepped(self, clean: torch.Tensor, sample: torch.Tensor, generator: Any) -> torch.Tensor:
        _, there = self._levels()
        return clean + there * self._fresh(clean, generator) if there > 0 else clean


class Ancestral2SScheduler(KSampler):
    """DPM-Solver++(2S) with ancestral steps: the model is asked at each level, and half-way to where the step ends."""

    order = 2

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Set the levels, each with the one between behind it but the last, from which the step goes to zero."""
        super().set_timesteps(num_inference_steps, device)
        levels = self.sigmas.double().numpy()
        halves = np.array([
            math.sqrt(here * ancestral(here, there, self.eta)[0])
            for here, there in itertools.pairwise(levels)
        ])  # fmt: skip
        table = np.log(((1 - self.alphas_cumprod.double().numpy()) / self.alphas_cumprod.double().numpy()) ** 0.5)
        between = np.interp(np.log(halves[:-1]), table, np.arange(len(table)))
        self.sigmas = torch.from_numpy(np.append(np.column_stack([levels[:-1], halves]).ravel(), 0.0)[:-1]).float()
        asked = np.append(np.column_stack([self.timesteps.cpu()[:-1], between]).ravel(), self.timesteps.cpu()[-1])
        self.timesteps = torch.from_numpy(asked.astype(np.float32)).to(device)
        self._begun_at: torch.Tensor | None = None

    def _stepped(self, clean: torch.Tensor, sample: torch.Tensor, generator: Any) -> torch.Tensor:
        if self.step_index % 2 == 0:
            here, between = self._levels()
            self._begun_at = sample
            return toward(sample, clean, here, between)
        here, there = float(self.sigmas[self.step_index - 1]), float(self.sigmas[self.step_index + 1])
        down, up = ancestral(here, there, self.eta)
        following = toward(self._begun_at if self._begun_at is not None else sample, clean, here, down)
        return following + up * self._fresh(clean, generator) if there > 0 else following


class _SdeScheduler(KSampler):
    """DPM-Solver++ as an SDE, of second or third order over the steps before.

    Attributes:
        noise_sampler: Draws the noise of a step from one level to another; `seed_noise` of
            ``engine/samplers/schedulers.py`` sets it.
    """

    noise_sampler: Any = None

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Set the levels, and forget the steps of the run before."""
        super().set_timesteps(num_inference_steps, device)
        self._before: list[tuple[torch.Tensor, float]] = []

    def _stepped(self, clean: torch.Tensor, sample: torch.Tensor, generator: Any) -> torch.Tensor:
        here, there = self._levels()
        if there == 0:
            return clean
        length = math.log(here / there)
        stretched = length * (1 + self.eta)
        following = math.exp(-stretched) * sample - math.expm1(-stretched) * clean
        following = following + self._corrected(clean, length, stretched)
        self._before = [*self._before[-1:], (clean, length)]
        if self.eta:
            following = following + self._noise(clean, here, there)
        return following

    def _noise(self, like: torch.Tensor, here: float, there: float) -> torch.Tensor:
        noise: torch.Tensor = self.noise_sampler(torch.tensor(here), torch.tensor(there))
        return noise.to(like) * (there * math.sqrt(-math.expm1(-2 * self.eta * math.log(here / there))))

    def _corrected(self, clean: torch.Tensor, length: float, stretched: float) -> torch.Tensor | float:
        raise NotImplementedError

    def _slope(self, clean: torch.Tensor, length: float) -> torch.Tensor:
        """Return by how much the clean picture would change over this step, going by the step before."""
        before, its_length = self._before[-1]
        return (clean - before) * (length / its_length)


class Sde2MScheduler(_SdeScheduler):
    """``sample_dpmpp_2m_sde`` with the midpoint rule."""

    def _corrected(self, clean: torch.Tensor, length: float, stretched: float) -> torch.Tensor | float:
        return -0.5 * math.expm1(-stretched) * self._slope(clean, length) if self._before else 0.0


class Sde2MHeunScheduler(_SdeScheduler):
    """``sample_dpmpp_2m_sde`` with Heun's rule."""

    def _corrected(self, clean: torch.Tensor, length: float, stretched: float) -> torch.Tensor | float:
        return _phi_2(stretched) * self._slope(clean, length) if self._before else 0.0


class Sde3MScheduler(Sde2MHeunScheduler):
    """``sample_dpmpp_3m_sde``; its second step is of second order.

    WORKAROUND(diffusers 0.42): the third order of ``DPMSolverMultistepScheduler`` as an SDE takes the curvature with a
    wrong sign (its ``- 0.5`` should be ``+ 0.5``), and does not come near.
    """

    def _corrected(self, clean: torch.Tensor, length: float, stretched: float) -> torch.Tensor | float:
        if len(self._before) < 2:
            return super()._corrected(clean, length, stretched)
        (earlier, first), (before, second) = self._before
        nearer, further = self._slope(clean, length), (before - earlier) * (length / first)
        r0, r1 = second / length, first / length
        curvature = (nearer - further) / (r0 + r1)
        phi_2 = _phi_2(stretched)
        return phi_2 * (nearer + curvature * r0) - (phi_2 / stretched - 0.5) * curvature


def _phi_2(h: float) -> float:
    return math.expm1(-h) / h + 1


def ancestral(here: float, there: float, eta: float) -> tuple[float, float]:
    """Return the level to step down to, and the fresh noise that lifts it to ``there`` (``get_ancestral_step``)."""
    if here == 0:
        return 0.0, 0.0
    up = min(there, eta * math.sqrt(there**2 * max(here**2 - there**2, 0.0) / here**2))
    return math.sqrt(max(there**2 - up**2, 0.0)), up


def toward(sample: torch.Tensor, clean: torch.Tensor, here: float, there: float) -> torch.Tensor:
    """Return the sample at another level on the straight way to the clean picture."""
    return clean + (sample - clean) * (there / here)


class _FewAtFirst:
    """Leaves out that diffusers' DPM2 computes the levels of all training timesteps while it is constructed.

    Nobody reads them before `set_timesteps`, and they take a third of a second of every job.
    """

    def set_timesteps(
        self, num_inference_steps: int, device: Any = None, num_train_timesteps: int | None = None
    ) -> None:
        """Compute the levels of a number of steps; of two, while the constructor asks."""
        steps = num_inference_steps if hasattr(self, "_begin_index") else 2  # what the constructor sets last
        super().set_timesteps(steps, device, num_train_timesteps)  # type: ignore[misc]


class KDPM2DiscreteScheduler(_FewAtFirst, diffusers.KDPM2DiscreteScheduler):  # type: ignore[misc]
    """DPM2 of k-diffusion as diffusers has it."""


class KDPM2AncestralDiscreteScheduler(_FewAtFirst, diffusers.KDPM2AncestralDiscreteScheduler):  # type: ignore[misc]
    """DPM2 a of k-diffusion as diffusers has it."""
