"""What a request's prompts mean in the syntax they are written in, and whether that can be drawn."""

from __future__ import annotations

from typing import Final

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.grammar import Wording
from sdstudio.core.request.request import GenerationRequest

_HINT: Final = 'Write ("one", "other").blend(1, 0.8), with a number for each, and nothing behind it.'


def wordings(request: GenerationRequest) -> tuple[tuple[str, Wording], ...]:
    """Return what each of a request's prompts means, by the name of its field; words that change as they stand."""
    dialect = dialect_of(request.prompt_syntax, request.compatibility)
    texts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
    return tuple((name, dialect.read(cut_networks(text, dialect.has_comments)[0])) for name, text in texts.items())


def check_prompts(request: GenerationRequest) -> None:
    """Make sure that both prompts can be read.

    Raises:
        InvalidRequest: One holds what its way to write does not allow, like a blend with a weight too many.
    """
    for name, wording in wordings(request):
        if wording.problem:
            title = "Prompt" if name == "prompt" else "Negative prompt"
            raise InvalidRequest(name, f"{title}: {wording.problem}.", _HINT)
