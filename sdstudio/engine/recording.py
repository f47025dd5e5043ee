"""What the UNet predicts at every step, with the prompt and without it, as small pictures: for explaining a picture.

A hook behind the UNet keeps its output for both halves of a batch; the scheduler's step then shows how the sampler
uses it. Copies of the scheduler are asked what clean latents they predict from each half, so that this holds for every
sampler. The run itself stays what it is, bit by bit.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import nn

from sdstudio.core.events import EventSink, GuidanceStep
from sdstudio.engine.pictures.preview import Previewer, predicted_clean

RECORDED_MAXIMUM: Final = 32
"""Steps that are emitted: evenly spread, the last one among them."""


@contextlib.contextmanager
def recorded(
    pipe: Any, network: nn.Module, guidance_scale: float, previewer: Previewer, on_event: EventSink
) -> Iterator[None]:
    """Emit a `GuidanceStep` for the first picture of what the pipeline draws within the block.

    Args:
        pipe: Its scheduler may be put in within the block.
        network: What it calls at every step.
        guidance_scale: As it is drawn with.
        previewer: Turns latents into pictures.
        on_event: Called with the steps.
    """
    recorder = _Recorder(pipe, guidance_scale, previewer, on_event)
    hook = network.register_forward_hook(recorder.keep)
    try:
        yield
    finally:
        hook.remove()


class _Recorder:
    def __init__(self, pipe: Any, guidance_scale: float, previewer: Previewer, on_event: EventSink) -> None:
        self._pipe = pipe
        self._guidance_scale = guidance_scale
        self._previewer = previewer
        self._on_event = on_event
        self._output: torch.Tensor | None = None
        self._watched: Any = None
        self._step = 0

    def keep(self, _unet: Any, _arguments: Any, output: Any) -> None:
        """Keep the first output of the UNet before a step, and watch the scheduler that will take it."""
        if self._pipe.scheduler is not self._watched:
            self._watch(self._pipe.scheduler)
        if self._output is None:
            self._output = (output[0] if isinstance(output, tuple) else output.sample).detach()

    def _watch(self, scheduler: Any) -> None:
        self._watched, self._step = scheduler, 0
        step = scheduler.step

        @functools.wraps(step)  # pipelines read the signature to see whether a step takes eta and generators
        def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            self._step += 1
            if self._is_wanted(scheduler):
                self._tell(scheduler, step, model_output, timestep, sample, kwargs)
            self._output = None
            return step(model_output, timestep, sample, *args, **kwargs)

        scheduler.step = watched

    def _is_wanted(self, scheduler: Any) -> bool:
        total = _total(scheduler)
        if total <= RECORDED_MAXIMUM:
            return True
        return self._step * RECORDED_MAXIMUM // total > (self._step - 1) * RECORDED_MAXIMUM // total

    def _tell(
        self, scheduler: Any, step: Callable[..., Any], guided: torch.Tensor, timestep: Any, sample: torch.Tensor,
        kwargs: dict[str, Any],
    ) -> None:  # fmt: skip
        """Emit the UNet's output, as clean latents predicted by copies of the scheduler before it steps."""
        output_rows, count = self._output, guided.shape[0]
        outputs: dict[str, torch.Tensor | None] = {"guided": guided, "uncond": None, "cond": guided}
        if output_rows is not None and output_rows.shape[0] > count and self._guidance_scale > 1:
            uncond = output_rows[:count]
            # Of several prompts joined by AND none is "cond": this is what stands in its place in the formula.
            outputs |= {"uncond": uncond, "cond": uncond + (guided - uncond) / self._guidance_scale}
        pictures: dict[str, Any] = {}
        for name, output in outputs.items():
            clean = None if output is None else _foreseen(scheduler, step, output, timestep, sample, kwargs)
            pictures[name] = None if clean is None else self._picture(clean)
        if pictures["guided"] is None or pictures["cond"] is None:
            return
        total = _total(scheduler)
        noisy = self._picture(sample / _level(scheduler))
        self._on_event(GuidanceStep(self._step, total, noisy, **pictures))

    def _picture(self, latents: torch.Tensor) -> Any:
        return ((self._previewer.rgb(latents[0]) + 1) / 2).cpu().numpy()


def _foreseen(
    scheduler: Any, step: Callable[..., Any], output: torch.Tensor, timestep: Any, sample: torch.Tensor,
    kwargs: dict[str, Any],
) -> torch.Tensor | None:  # fmt: skip
    """Return the clean latents (B, C, h, w) that the scheduler would predict from this output."""
    twin = copy.copy(scheduler)
    for name, value in vars(scheduler).items():
        if isinstance(value, list):  # what multistep solvers remember; the tensors in it are never written to
            setattr(twin, name, list(value))
    own = inspect.unwrap(step)
    own = types.MethodType(own.__func__, twin) if inspect.ismethod(own) else type(scheduler).step.__get__(twin)
    twin.step = own
    options = {name: value for name, value in kwargs.items() if name != "return_dict"}
    if options.get("generator") is not None:
        options["generator"] = _same_noise(options["generator"])
    result = own(output, timestep, sample, return_dict=True, **options)
    return predicted_clean(twin, result, output, timestep, sample)


def _same_noise(generator: Any) -> Any:
    """Return generators that stand where these stand, so that these are not moved on."""
    if isinstance(generator, list):
        return [_same_noise(one) for one in generator]
    if isinstance(generator, torch.Generator):
        twin = torch.Generator(generator.device)
        twin.set_state(generator.get_state())
        return twin
    return copy.deepcopy(generator)


def _total(scheduler: Any) -> int:
    """Return how often a scheduler steps: over a picture it begins within its timesteps."""
    return len(scheduler.timesteps) - (getattr(scheduler, "begin_index", None) or 0)


def _level(scheduler: Any) -> float:
    """Return by how much noisy latents are larger than clean ones: k-style samplers add noise and take nothing away."""
    if float(getattr(scheduler, "init_noise_sigma", 1.0)) <= 1.5 or getattr(scheduler, "sigmas", None) is None:
        return 1.0
    index = scheduler.step_index if scheduler.step_index is not None else scheduler.begin_index or 0
    return float((scheduler.sigmas[index].float() ** 2 + 1) ** 0.5)
