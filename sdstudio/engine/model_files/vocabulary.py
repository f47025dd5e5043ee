"""Whether a tokenizer belongs to its text encoder: as many tokens, marks that it knows, and a length that it takes."""

from __future__ import annotations

from typing import Any, Final

from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.folder import HINT

MARKS: Final = ("bos_token", "eos_token", "pad_token")
LENGTH_MINIMUM: Final = 3
"""Marks for beginning and end, and a token between them."""
UNTOLD: Final = 10**9
"""From here on a length means that there is no limit: transformers' ``VERY_LARGE_INTEGER`` is int(1e30)."""


def check_vocabulary(of: str, tokenizer: Any, encoder: Any, is_clip: bool) -> None:
    """Check a tokenizer against its encoder; one that does not record its length has the encoder's from here on.

    Args:
        of: Model and tokenizer, for messages.
        tokenizer: Of transformers.
        encoder: The text encoder of the same model.
        is_clip: Both are CLIP's, as those of Stable Diffusion are.

    Raises:
        ModelDamaged: They do not belong together.
    """
    words = getattr(encoder.config, "vocab_size", 0)
    if len(tokenizer) * 2 < words:
        raise ModelDamaged(f"{of} knows {len(tokenizer):,} of {words:,} tokens.", HINT)
    if not is_clip:
        return
    for mark in MARKS:
        if getattr(tokenizer, mark) is None:
            raise ModelDamaged(f"{of} has no {mark}.", HINT)
    highest = max(tokenizer.get_vocab().values())
    if highest >= words:
        raise ModelDamaged(f"{of} has a token {highest:,}; its text encoder knows {words:,}, from 0 on.", HINT)
    length, longest = tokenizer.model_max_length, encoder.config.max_position_embeddings
    if type(length) is int and length >= UNTOLD:
        tokenizer.model_max_length = longest
    elif type(length) is not int or not LENGTH_MINIMUM <= length <= longest:
        message = f"{of} says model_max_length = {str(length)[:60]!r}: allowed is {LENGTH_MINIMUM} to {longest}."
        raise ModelDamaged(message, HINT)
