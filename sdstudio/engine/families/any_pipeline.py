"""Any text-to-image pipeline of diffusers, driven by what all of them have; it reads prompts and decodes by itself.

A family of its own begins as a class that inherits from `AnyPipeline` and adds what it can do besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import diffusers
import torch
import transformers
from torch import nn

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.events import Notice
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.adapters.embeddings import Embeddings
from sdstudio.engine.device.memory import SWITCHES, MemorySwitch
from sdstudio.engine.families.base import Begin, TextInputs
from sdstudio.engine.prompting.checks import check_clip_skip_of, too_long

# Both libraries log to stderr what the studio emits as events or checks itself, and draw bars over the CLI's.
# Here, because a pipeline warns while it is imported, and families import theirs.
diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


class AnyPipeline:
    """A `Family` that takes nothing for granted but the arguments that text-to-image pipelines share."""

    gives_latents = False
    has_clip = False

    def pipeline_class(self, name: str) -> Any:
        """Return the class of diffusers that a model's index names."""
        return getattr(diffusers, name)

    def left_out(self) -> tuple[str, ...]:
        """Return nothing: every part that is there is loaded."""
        return ()

    def build_kwargs(self) -> Mapping[str, Any]:
        """Return nothing: the parts are enough."""
        return {}

    def denoiser(self, pipe: Any) -> nn.Module:
        """Return the UNet or the transformer."""
        network = getattr(pipe, "unet", None)
        return network if network is not None else pipe.transformer  # type: ignore[no-any-return]

    def check(self, pipe: Any, request: GenerationRequest, row: ModelFamily) -> Sequence[Notice]:
        """Return which part of the prompts is not read, where that can be known. Raises: InvalidRequest."""
        check_clip_skip_of(pipe, request, row)
        tokenizer = getattr(pipe, "tokenizer", None)
        if not isinstance(tokenizer, transformers.CLIPTokenizer):
            return ()
        texts = [(request.prompt, "Prompt")]
        if request.guidance_scale > 1:
            texts.append((request.negative_prompt, "Negative prompt"))
        return [notice for notice in (too_long(tokenizer, text, title) for text, title in texts) if notice is not None]

    def text(self, pipe: Any, request: GenerationRequest, row: ModelFamily, embeddings: Embeddings) -> TextInputs:
        """Return nothing: the pipeline reads the prompts."""
        return TextInputs()

    def begins_from(self, pipe: Any) -> frozenset[str]:
        """Return nothing: it draws from text alone."""
        return frozenset()

    def looks_around(self, pipe: Any) -> bool:
        """Return that it is shown no mask."""
        return False

    def begin(self, pipe: Any, inputs: Mapping[str, torch.Tensor]) -> Begin:
        """Return the pipeline itself."""
        return Begin(pipe)

    def draw(self, pipe: Any, kwargs: Mapping[str, Any], model_name: str) -> torch.Tensor:
        """Return pixels (B, 3, H, W), 0..1. Raises: ModelUnsupported."""
        try:
            return pipe(**kwargs, output_type="pt").images  # type: ignore[no-any-return]
        except ValueError as error:
            # Such pipelines have rules of their own, about sizes mostly, and raise ValueError for them.
            hint = "Try the size the model was made for."
            raise ModelUnsupported(f"{model_name} cannot draw this: {error}", hint) from error

    def switches(self) -> tuple[MemorySwitch, ...]:
        """Return those of every pipeline."""
        return SWITCHES

    def lora_networks(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()
