"""The UNet's inputs at each step, and what becomes of its outputs: prompt editing, AND, guidance that pauses.

The stock pipelines call the UNet once a step for ``[negative, positive]`` and go ``negative + scale * (positive -
negative)`` from there. A `StepGuidance` puts a pair of hooks before and after the UNet: it asks for other rows than
the pipeline did and returns the two that the pipeline's own formula turns into the right direction. That is one place
for SD 1, 2 and XL, text to image, image to image and inpainting alike, for samplers with one evaluation a step or two,
and neither a pipeline nor a scheduler is written anew for it. A step callback could change the vectors, but not their
number, and comes after each step, not before; where guidance pauses, half the evaluations are saved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sdstudio.engine.prompting.encoding import PromptEmbeds


@dataclass(frozen=True, slots=True)
class StepPrompts:
    """The prompts of one step.

    Attributes:
        terms: Weight and vectors of each prompt joined by AND.
        negative: ``None`` where nothing is measured against it.
    """

    terms: tuple[tuple[float, PromptEmbeds], ...]
    negative: PromptEmbeds | None


@dataclass(frozen=True, slots=True)
class Guidance:
    """How prompts guide: how strongly, how far the contrast is taken back, and in which part of the steps."""

    scale: float
    rescale: float = 0.0
    start: float = 0.0
    end: float = 1.0

    @property
    def is_special(self) -> bool:
        """Whether this differs from the stock pipelines, so that hooks are needed."""
        return self.rescale > 0 or self.start > 0 or self.end < 1

    def acts(self, step: int, steps: int) -> bool:
        """Whether it guides at a step, from 1 on; the step counts whose beginning lies in the part."""
        return self.start <= (step - 1) / steps < self.end


class StepGuidance:
    """Gives a pipeline's UNet the prompts of each step.

    Args:
        prompts_at: Step, from 1 on -> its prompts.
        steps: The request's.
        guidance: How it guides.
    """

    def __init__(self, prompts_at: Callable[[int], StepPrompts], steps: int, guidance: Guidance) -> None:
        self._prompts_at = prompts_at
        self._steps = steps
        self._guidance = guidance

    @contextlib.contextmanager
    def hooked(self, pipe: Any, unet: nn.Module) -> Iterator[None]:
        """Within the block it acts on every call of the UNet; one run of the pipeline for each block."""
        hooks = _UnetHooks(self, pipe)
        handles = (
            unet.register_forward_pre_hook(hooks.before, with_kwargs=True),
            unet.register_forward_hook(hooks.after),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def step_of(self, call: int, calls: int) -> int:
        """Return the step, from 1 on, that a call of the UNet belongs to.

        Second-order samplers call 2N - 1 times for N steps, PNDM N + 1 times: both fall to the same share.

        Args:
            call: From 0 on.
            calls: How many there are.
        """
        return min(call * self._steps // max(calls, 1), self._steps - 1) + 1

    def prompts_at(self, step: int) -> StepPrompts:
        """Return the prompts of a step."""
        return self._prompts_at(step)

    def acts(self, step: int) -> bool:
        """Whether the prompts guide at a step."""
        return self._guidance.acts(step, self._steps)

    def guided(
        self, negative: torch.Tensor | None, terms: torch.Tensor, weights: torch.Tensor, acts: bool
    ) -> GuidedRows:
        """Return what the pipeline's formula is to be given.

        Args:
            negative: (B, C, h, w), or ``None`` where it was not computed.
            terms: (N, B, C, h, w), one for each prompt joined by AND.
            weights: (N, 1, 1, 1, 1).
            acts: Whether it guides at this step.
        """
        positive = terms[0] if negative is None else negative + (weights * (terms - negative)).sum(0)
        if terms.shape[0] == 1 and weights[0] == 1:
            positive = terms[0]
        if not acts or negative is None:
            return GuidedRows(positive, positive)
        if not self._guidance.rescale:
            return GuidedRows(negative, positive)
        guided = negative + self._guidance.scale * (positive - negative)
        rescaled = _rescaled(guided, positive, self._guidance.rescale)
        return GuidedRows(rescaled, rescaled)


@dataclass(frozen=True, slots=True)
class GuidedRows:
    """The two rows of a guided step, each (B, C, h, w)."""

    negative: torch.Tensor
    positive: torch.Tensor


class _UnetHooks:
    """One run of a pipeline: which call it is, and which rows were computed in it."""

    def __init__(self, guidance: StepGuidance, pipe: Any) -> None:
        self._guidance = guidance
        self._pipe = pipe
        self._call = 0
        self._latest: tuple[int, StepPrompts] = (0, StepPrompts((), None))
        self._has_negative = False

    def before(
        self, _unet: Any, args: tuple[Any, ...], pipeline_kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put the rows that are to be computed in place of the pipeline's."""
        step = self._step()
        prompts = self._prompts(step)
        guided = bool(self._pipe.do_classifier_free_guidance)
        acts = self._guidance.acts(step) and guided
        self._has_negative = prompts.negative is not None and (acts or len(prompts.terms) > 1)
        rows = [*([prompts.negative] if self._has_negative and prompts.negative is not None else [])]
        rows += [embeds for _, embeds in prompts.terms]
        given = int(args[0].shape[0])
        batch = given // 2 if guided else given
        sides = [place > 0 or not self._has_negative for place in range(len(rows))]  # False: the negative's half
        kwargs = {name: _rearranged(value, given, batch, sides) for name, value in pipeline_kwargs.items()}
        first, *others = (_rearranged(value, given, batch, sides) for value in args)
        kwargs["encoder_hidden_states"] = torch.cat([row.vectors.expand(batch, -1, -1) for row in rows]).to(first)
        if rows[0].pooled is not None and isinstance(kwargs.get("added_cond_kwargs"), dict):
            pooled = torch.cat([row.pooled.expand(batch, -1) for row in rows if row.pooled is not None])
            kwargs["added_cond_kwargs"]["text_embeds"] = pooled.to(pipeline_kwargs["added_cond_kwargs"]["text_embeds"])
        return (first, *others), kwargs

    def after(self, _unet: Any, _args: Any, output: Any) -> Any:
        """Put the rows that the pipeline expects in place of the UNet's."""
        is_tuple = isinstance(output, tuple)
        rows = output[0] if is_tuple else output.sample
        step = self._step()
        prompts = self._prompts(step)
        self._call += 1
        pieces = rows.unflatten(0, (len(prompts.terms) + self._has_negative, -1))
        negative, terms = (pieces[0], pieces[1:]) if self._has_negative else (None, pieces)
        weights = torch.tensor([weight for weight, _ in prompts.terms]).to(rows).view(-1, 1, 1, 1, 1)
        guided = bool(self._pipe.do_classifier_free_guidance)
        result = self._guidance.guided(negative, terms, weights, self._guidance.acts(step) and guided)
        expected = torch.cat([result.negative, result.positive]) if guided else result.positive
        if is_tuple:
            return (expected, *output[1:])
        output.sample = expected
        return output

    def _step(self) -> int:
        calls = getattr(self._pipe, "num_timesteps", None) or len(self._pipe.scheduler.timesteps)
        return self._guidance.step_of(self._call, calls)

    def _prompts(self, step: int) -> StepPrompts:
        if self._latest[0] != step:
            self._latest = step, self._guidance.prompts_at(step)
        return self._latest[1]


def _rearranged(value: Any, given: int, batch: int, sides: list[bool]) -> Any:
    """Return for the rows asked what the pipeline made for ``given`` ones, whose second half is the positive's."""
    match value:
        case torch.Tensor() if value.ndim and value.shape[0] == given:
            return torch.cat([value[given - batch :] if positive else value[:batch] for positive in sides])
        case dict() | Mapping():
            return {name: _rearranged(item, given, batch, sides) for name, item in value.items()}
        case list() | tuple():
            return type(value)(_rearranged(item, given, batch, sides) for item in value)
    return value


def _rescaled(guided: torch.Tensor, positive: torch.Tensor, rescale: float) -> torch.Tensor:
    """Return the guided direction with the positive one's contrast, mixed in by ``rescale`` (Lin et al. 2023, 3.4)."""
    dims = tuple(range(1, guided.ndim))
    matched = guided * (positive.std(dim=dims, keepdim=True) / guided.std(dim=dims, keepdim=True))
    return rescale * matched + (1 - rescale) * guided
