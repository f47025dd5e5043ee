"""A request's prompts as arguments of a pipeline, from the first step to the last.

A prompt that is plain, short and the same at every step is left to the stock pipeline, which reads it the same.
Otherwise the pipeline gets vectors; and where one set of vectors for all steps is not enough (prompt editing, AND,
guidance that begins late, ends early or is rescaled), a `StepGuidance` gives the UNet the right ones at each step.
"""

from __future__ import annotations

from typing import Any

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.prompts.dialects import Zeros, dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.steps import SteppedPrompt, Term, read_steps, read_terms
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.wording import check_prompts
from sdstudio.engine.adapters.embeddings import Embeddings
from sdstudio.engine.prompting.checks import negative_clip_skip, positive_clip_skip
from sdstudio.engine.prompting.encoding import PromptEmbeds, PromptEncoder
from sdstudio.engine.prompting.guidance import Guidance, StepGuidance, StepPrompts


class Conditioning:
    """A request's prompts, read.

    Args:
        pipe: A pipeline whose text encoders are CLIP's.
        unet: What it draws with.
        request: The prompts, how they are written, and how they guide.
        family: Which family.
        embeddings: What the prompts may name besides words.

    Raises:
        InvalidRequest: A prompt holds what its way to write does not allow.
    """

    def __init__(
        self, pipe: Any, unet: Any, request: GenerationRequest, family: ModelFamily,
        embeddings: Embeddings | None = None,
    ) -> None:  # fmt: skip
        self._request = request
        check_prompts(request)
        dialect = dialect_of(request.prompt_syntax, request.compatibility)
        has_zeros = bool(getattr(pipe.config, "force_zeros_for_empty_prompt", False))
        self._zeros = dialect.zeros if has_zeros else Zeros.NEVER
        self._has_own_zeros = has_zeros and dialect.zeros is not Zeros.NEGATIVE
        named = (embeddings or Embeddings()).named(dialect.naming)
        self._encoder = PromptEncoder(pipe, family, dialect, request.emphasis == "original", named)
        self._skips = positive_clip_skip(request, family), negative_clip_skip(request, family)
        texts = [cut_networks(text, dialect.has_comments)[0] for text in (request.prompt, request.negative_prompt)]
        self._is_cut = texts != [request.prompt, request.negative_prompt]
        if dialect.has_steps:
            self._terms, self._negative = read_terms(texts[0]), read_steps(texts[1])
        else:
            whole, self._negative = (SteppedPrompt.of_text(text) for text in texts)
            self._terms = (Term(whole, 1.0),)
        self._guided = request.guidance_scale > 1 and unet.config.time_cond_proj_dim is None
        prompts = [*(term.prompt for term in self._terms), *([self._negative] if self._asks_negative else [])]
        steps = request.steps
        self._texts = {text for prompt in prompts for _, text in prompt.schedule(steps)}
        self._is_stepped = not all(prompt.is_static for prompt in prompts)
        self._count = 0

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments for its prompts as vectors, those of the first step; empty for plain ones.

        Raises:
            Cancelled: By the checks of the encoder's blocks.
        """
        is_plain = all(self._encoder.is_plain(text) for text in self._texts)
        if is_plain and not self._differs and self.step_guidance() is None:
            return {}
        prompts = self._prompts_at(1)
        kwargs: dict[str, Any] = {"prompt": None, "negative_prompt": None}
        for name, embeds in (("", prompts.terms[0][1]), ("negative_", prompts.negative if self._guided else None)):
            if embeds is not None:
                kwargs[f"{name}prompt_embeds"] = embeds.vectors
                if embeds.pooled is not None:
                    kwargs[f"{name}pooled_prompt_embeds"] = embeds.pooled
        return kwargs

    def step_guidance(self) -> StepGuidance | None:
        """Return what changes the UNet's inputs step by step; ``None`` where the pipeline's own will do."""
        request = self._request
        guidance = Guidance(
            request.guidance_scale, request.guidance_rescale, request.guidance_start, request.guidance_end
        )
        if not self._is_stepped and len(self._terms) == 1 and not (self._guided and guidance.is_special):
            return None
        return StepGuidance(self._prompts_at, request.steps, guidance)

    @property
    def _asks_negative(self) -> bool:
        return self._guided or len(self._terms) > 1

    @property
    def _differs(self) -> bool:
        """Whether this differs from the stock pipeline in text, skipped layers or zeros, so that hooks are needed.

        They leave the layers of the negative prompt unskipped, and pass zeros for it alone, when it is empty.
        """
        has_own_zeros = self._has_own_zeros and "" in self._texts
        return self._is_cut or has_own_zeros or (self._asks_negative and self._skips[1] is not None)

    def _prompts_at(self, step: int) -> StepPrompts:
        steps = self._request.steps
        terms = tuple(
            (term.weight, self._embeds(term.prompt.at(step, steps), self._skips[0], self._zeros is Zeros.BOTH))
            for term in self._terms
        )
        if not self._asks_negative:
            return StepPrompts(terms, None)
        text = self._negative.at(step, steps)
        return StepPrompts(terms, self._embeds(text, self._skips[1], self._zeros is not Zeros.NEVER))

    def _embeds(self, text: str, skip: int | None, is_zero_when_empty: bool) -> PromptEmbeds:
        self._count = self._count or self._encoder.chunk_count(sorted(self._texts))
        embeds = self._encoder.embeds(text, self._count, skip)
        return embeds.zeroed() if is_zero_when_empty and not text else embeds
