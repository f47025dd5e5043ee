"""What a text encoder makes of a request: A1111's clip skip on diffusers' scale, and the words it does not read."""

from __future__ import annotations

import re
from typing import Any, Final

from sdstudio.catalog.families import ModelFamily
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.events import Notice
from sdstudio.core.extra_networks import cut_networks

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


def left_out(prompt: str, negative_prompt: str) -> Notice | None:
    """Tell which extra networks of the prompts are not drawn with, ``None`` when all are.

    Only LoRA are, and only from the prompt, as in A1111; the others are cut from the text all the same.
    """
    idle = [network for network in cut_networks(prompt)[1] if not network.is_lora]
    idle += cut_networks(negative_prompt)[1]
    if not idle:
        return None
    names = ", ".join(f"<{network.kind}:{network.name[:40]}>" for network in idle[:3])
    more = f" and {len(idle) - 3} more" if len(idle) > 3 else ""
    return Notice(f"{names}{more}: not drawn with.", "Only <lora:name:weight> in the prompt acts.")


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
    """Tell which part of a prompt the model does not read, ``None`` when it reads all.

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
