"""What the engine asks of a family's code: the one place that knows the parts of its pipelines."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import torch
from torch import nn

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.events import Notice
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.adapters.embeddings import Embeddings
from sdstudio.engine.device.memory import MemorySwitch

AROUND: Final = "around the mask"
"""Among what a batch is drawn over: the picture with the masked part hidden, which is no field of a request."""


@dataclass(frozen=True, slots=True)
class TextInputs:
    """A request's prompts, as a pipeline takes them.

    Attributes:
        kwargs: Arguments in place of plain ``prompt`` and ``negative_prompt``; empty where the pipeline reads those.
        hooks: Entered around the call of the pipeline; changes what its network gets from step to step.
    """

    kwargs: Mapping[str, Any] = field(default_factory=dict)
    hooks: contextlib.AbstractContextManager[Any] = field(default_factory=contextlib.nullcontext)


@dataclass(frozen=True, slots=True)
class Begin:
    """What a batch begins from.

    Attributes:
        pipe: The pipeline that draws: the model's own, or another one on the same parts, which has no scheduler yet.
        kwargs: What that pipeline is given of the inputs, for one picture: tensors (1, ..) that a batch repeats.
        hooks: Entered around the call of the pipeline, within those of the prompts; gives its network what it needs of
            the inputs besides.
        from_noise: Whether all steps are run from noise alone, though the pipeline is one that draws over a picture.
    """

    pipe: Any
    kwargs: Mapping[str, torch.Tensor] = field(default_factory=dict)
    hooks: contextlib.AbstractContextManager[Any] = field(default_factory=contextlib.nullcontext)
    from_noise: bool = False


class Family(Protocol):
    """The code of one or more rows of ``catalog.families``. It keeps no state: one object serves every model."""

    @property
    def gives_latents(self) -> bool:
        """Whether `draw` returns latents (B, C, h, w) that the pipeline's VAE decodes; else it returns pixels.

        Previews, unfinished pictures and a second decode in float32 need latents.
        """

    @property
    def has_clip(self) -> bool:
        """Whether its text encoders and tokenizers are CLIP's."""

    def pipeline_class(self, name: str) -> Any:
        """Return the class that a model's index names."""

    def left_out(self) -> tuple[str, ...]:
        """Return the parts that are not loaded, and are ``None`` in the pipeline."""

    def build_kwargs(self) -> Mapping[str, Any]:
        """Return what the pipeline is built with besides its parts."""

    def denoiser(self, pipe: Any) -> nn.Module:
        """Return the network that is called at every step."""

    def check(self, pipe: Any, request: GenerationRequest, row: ModelFamily) -> Sequence[Notice]:
        """Return what of a request these parts do not follow. Raises: InvalidRequest, where they cannot draw it."""

    def text(self, pipe: Any, request: GenerationRequest, row: ModelFamily, embeddings: Embeddings) -> TextInputs:
        """Return a request's prompts, encoded where the pipeline would not do it as asked. Raises: Cancelled."""

    def begins_from(self, pipe: Any) -> frozenset[str]:
        """Return the fields of a request whose pictures this pipeline can begin from."""

    def looks_around(self, pipe: Any) -> bool:
        """Whether its network is shown the mask and what is around the masked part, as one for inpainting is."""

    def begin(self, pipe: Any, inputs: Mapping[str, torch.Tensor]) -> Begin:
        """Return what draws over these inputs; the pipeline itself for none.

        Args:
            pipe: The model's own.
            inputs: By the fields of `begins_from`: latents (1, C, h, w) of the input picture, and the mask
                (1, 1, h, w), 1 where it is drawn anew. Where the network `looks_around`, always that mask, and as
                `AROUND` the latents of the picture with the masked part hidden.
        """

    def draw(self, pipe: Any, kwargs: Mapping[str, Any], model_name: str) -> torch.Tensor:
        """Run a pipeline. Raises: ModelUnsupported, where its own rules forbid what is asked for."""

    def switches(self) -> tuple[MemorySwitch, ...]:
        """Return the switches of the memory plan, in the order in which they are thrown."""

    def lora_networks(self) -> tuple[str, ...]:
        """Return the parts that a LoRA can change."""
