"""What a request's prompts say to a pipeline, from the first step to the last.

A prompt that is plain, short and says the same at every step is left to the stock pipeline, which reads it the same.
Otherwise the pipeline gets vectors; and where one set of vectors for all steps is not enough (prompt editing, AND,
guidance that begins late, ends early or is rescaled), a `Guide` stands before the UNet and hands it the right ones.
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
from sdstudio.engine.prompting.encoding import Heard, PromptEncoder
from sdstudio.engine.prompting.guidance import Guidance, Guide, StepWords


class Conditioning:
    """A request's prompts, read.

    Args:
        pipe: A pipeline of a family that the studio knows.
        request: The prompts, how they are written, and how they guide.
        family: Which family.
        embeddings: What the prompts may name besides words.

    Raises:
        InvalidRequest: A prompt holds what its way to write does not allow.
    """

    def __init__(
        self, pipe: Any, request: GenerationRequest, family: ModelFamily, embeddings: Embeddings | None = None
    ) -> None:
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
        self._guided = request.guidance_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
        prompts = [*(term.prompt for term in self._terms), *([self._negative] if self._asks_negative else [])]
        steps = request.steps
        self._texts = {text for prompt in prompts for _, text in prompt.schedule(steps)}
        self._is_stepped = not all(prompt.is_static for prompt in prompts)
        self._count = 0

    def arguments(self) -> dict[str, Any]:
        """Return what tells the pipeline its prompts as vectors, those of the first step; empty for plain ones.

        Raises:
            Cancelled: By the checks of the encoder's blocks.
        """
        if not self._differs and self.guide() is None and all(self._encoder.is_plain(text) for text in self._texts):
            return {}
        words = self._words(1)
        said: dict[str, Any] = {"prompt": None, "negative_prompt": None}
        for name, heard in (("", words.terms[0][1]), ("negative_", words.negative if self._guided else None)):
            if heard is not None:
                said[f"{name}prompt_embeds"] = heard.vectors
                if heard.pooled is not None:
                    said[f"{name}pooled_prompt_embeds"] = heard.pooled
        return said

    def guide(self) -> Guide | None:
        """Return who tells the UNet what the pipeline cannot; ``None`` where there is nothing of that kind."""
        request = self._request
        guidance = Guidance(
            request.guidance_scale, request.guidance_rescale, request.guidance_start, request.guidance_end
        )
        if not self._is_stepped and len(self._terms) == 1 and not (self._guided and guidance.is_special):
            return None
        return Guide(self._words, request.steps, guidance)

    @property
    def _asks_negative(self) -> bool:
        return self._guided or len(self._terms) > 1

    @property
    def _differs(self) -> bool:
        """Whether the stock pipelines would read something else, skip other layers, or tell zeros where this does not.

        They leave the layers of the negative prompt unskipped, and tell zeros for it alone, when it is empty.
        """
        has_own_zeros = self._has_own_zeros and "" in self._texts
        return self._is_cut or has_own_zeros or (self._asks_negative and self._skips[1] is not None)

    def _words(self, step: int) -> StepWords:
        steps = self._request.steps
        terms = tuple(
            (term.weight, self._heard(term.prompt.at(step, steps), self._skips[0], self._zeros is Zeros.BOTH))
            for term in self._terms
        )
        if not self._asks_negative:
            return StepWords(terms, None)
        text = self._negative.at(step, steps)
        return StepWords(terms, self._heard(text, self._skips[1], self._zeros is not Zeros.NEVER))

    def _heard(self, text: str, skip: int | None, is_zero_when_empty: bool) -> Heard:
        self._count = self._count or self._encoder.chunk_count(sorted(self._texts))
        heard = self._encoder.heard(text, self._count, skip)
        return heard.silent() if is_zero_when_empty and not text else heard
