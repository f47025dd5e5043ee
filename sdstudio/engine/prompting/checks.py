"""What a text encoder makes of a request: A1111's clip skip on diffusers' scale, and the words it does not read."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.compatibility import FIRST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.events import Notice
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.named_files import Naming, angled_names
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.wording import wordings

WORD: Final = re.compile(r"\w+")
NO_BLANKS: Final = re.compile(r"\S+")


def diffusers_clip_skip(clip_skip: int, family: ModelFamily) -> int | None:
    """Return diffusers' ``clip_skip`` for A1111's (1 = use all layers), ``None`` for "do not skip".

    SD 1 and 2 skip ``n - 1`` layers and apply the last layer norm. SDXL reads the second last layer anyway, so 1 and 2
    mean the same there and ``n`` skips ``n - 2`` more (A1111 ``sd_hijack_clip``; diffusers takes
    ``hidden_states[-(clip_skip + 2)]`` in ``pipeline_stable_diffusion_xl``).
    """
    skipped = clip_skip - 1 if family.final_norm_on_skip else clip_skip - 2
    return skipped if skipped > 0 else None


def positive_clip_skip(request: GenerationRequest, family: ModelFamily) -> int | None:
    """Return diffusers' ``clip_skip`` for a request's prompt, ``None`` for "do not skip"."""
    return diffusers_clip_skip(request.clip_skip, family)


def negative_clip_skip(request: GenerationRequest, family: ModelFamily) -> int | None:
    """Return the same for its negative prompt, which diffusers' pipelines and version 0.1 never skip a layer of.

    A1111, Forge, ComfyUI and InvokeAI set the layer on the text encoder, for whichever prompt it reads
    (``sd_hijack_clip``, ``CLIPSetLastLayer``, InvokeAI ``buildSD1Graph.ts``).
    """
    is_skipped = family.skips_negative and request.compatibility != FIRST_COMPATIBILITY
    return diffusers_clip_skip(request.clip_skip, family) if is_skipped else None


def clip_skip_facts(request: GenerationRequest, family: ModelFamily) -> dict[str, str]:
    """Return what a recipe records of a skipped layer: whether the negative prompt's is skipped too."""
    if positive_clip_skip(request, family) is None or request.guidance_scale <= 1:
        return {}
    skipped = negative_clip_skip(request, family) is not None
    return {"negative_clip_skip": "as the prompt's" if skipped else "none, as in diffusers"}


def left_out(request: GenerationRequest, embeddings: Collection[str] = ()) -> Notice | None:
    """Return a notice of what of the prompts is not drawn with, ``None`` when all is.

    Of extra networks only LoRA are, and only from the prompt, as in A1111; the others are cut from the text all the
    same. Of compel, what changes words under way is not; and what InvokeAI writes for an embedding is text where there
    is none of the name.

    Args:
        request: Its prompts.
        embeddings: Names of those that are there.
    """
    dialect = dialect_of(request.prompt_syntax, request.compatibility)
    prompt, negative = (cut_networks(text, dialect.has_comments) for text in (request.prompt, request.negative_prompt))
    idle = [network for network in prompt[1] if not network.is_lora]
    idle += negative[1]
    names = [f"<{network.kind}:{network.name[:40]}>" for network in idle]
    names += [note for _, wording in wordings(request) for note in wording.unread]
    if dialect.naming is Naming.ANGLED:
        known = {name.casefold() for name in embeddings}
        angled = [name for text, _ in (prompt, negative) for name in angled_names(text)]
        names += [f"<{name[:40]}> (no embedding of this name)" for name in angled if name.casefold() not in known]
    if not names:
        return None
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    hint = "Only <lora:name:weight> in the prompt acts." if idle else "The rest of the prompt is drawn."
    return Notice(f"{', '.join(names[:3])}{more}: not drawn with.", hint)


def check_clip_skip_of(pipe: Any, request: GenerationRequest, family: ModelFamily) -> None:
    """Make sure that a pipeline's text encoders have as many layers as a request skips. Raises: InvalidRequest."""
    if diffusers_clip_skip(request.clip_skip, family):
        encoders = [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
        check_clip_skip(request.clip_skip, [encoder for encoder in encoders if encoder is not None])


def check_clip_skip(clip_skip: int, encoders: list[Any]) -> None:
    """Make sure that every text encoder has that many layers.

    Raises:
        InvalidRequest: It has fewer.
    """
    layers = min((int(encoder.config.num_hidden_layers) for encoder in encoders), default=clip_skip)
    if clip_skip > layers:
        raise InvalidRequest(
            "clip_skip",
            f"Clip skip = {clip_skip}: this model's text encoder has {layers} layers, so 1 to {layers}.",
            f"Use {layers}, or 1 for all layers.",
        )


def too_long(tokenizer: Any, text: str, title: str) -> Notice | None:
    """Return a notice of which part of a prompt the model does not read, ``None`` when it reads all.

    Args:
        tokenizer: A CLIP tokenizer; two of its ``model_max_length`` tokens mark start and end.
        text: The prompt.
        title: "Prompt" or "Negative prompt".
    """
    limit = int(tokenizer.model_max_length)
    if len(text.encode()) <= limit - 2:  # a token is at least one byte; an emoji may be four tokens
        return None
    words = tokenizer(text, truncation=False, padding=False, return_offsets_mapping=True)
    count = len(words["input_ids"])
    if count <= limit:
        return None
    start = words["offset_mapping"][limit - 1][0]
    return Notice(
        f"{title} = {count - 2} tokens: this model reads {limit - 2}, nothing from “{_word_at(text, start)}” on.",
        "Put what matters first, or shorten it.",
    )


def _word_at(text: str, position: int) -> str:
    """Return the word that a position lies in, else the next one; at most 30 characters of it."""
    while position > 0 and text[position - 1].isalnum() and text[position].isalnum():
        position -= 1
    word = WORD.search(text, position) or NO_BLANKS.search(text, position)
    return word.group()[:30] if word else ""
