"""What a request's prompts mean in the syntax they are written in, and whether that can be drawn."""

from __future__ import annotations

from typing import Final

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.grammar import Wording
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import prompt_texts

_HINT: Final = 'Write ("one", "other").blend(1, 0.8), with a number for each, and nothing behind it.'


def wordings(request: GenerationRequest) -> tuple[tuple[str, Wording], ...]:
    """Return what each of a request's prompts means, by the name of its field; words that change as they stand."""
    dialect = dialect_of(request.prompt_syntax, request.compatibility)
    cut = dialect.has_comments
    return tuple((name, dialect.read(cut_networks(text, cut)[0])) for name, text in prompt_texts(request).items())


def check_prompts(request: GenerationRequest) -> None:
    """Make sure that all prompts can be read.

    Raises:
        InvalidRequest: One holds what its way to write does not allow, like a blend with a weight too many.
    """
    for name, wording in wordings(request):
        if wording.problem:
            title = type(request).model_fields[name].title
            raise InvalidRequest(name, f"{title}: {wording.problem}.", _HINT)
