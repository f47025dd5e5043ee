"""Errors in the words of the window: what the command line calls a command or a flag is a page, a menu or a field here.

Errors are raised below both, in the command line's words. Whatever shows one in the window passes it through
`in_window`; a test reads every message of the sources and finds those that have no row here.
"""

from __future__ import annotations

import re
from typing import Final

_CONVERT: Final = "Convert… on the Library page."

ROWS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"See the Library page, or `sdstudio models list[^`]*`\.", "See the Library page."),
        (r"the VAE field, or --vae NAME\.", "the field VAE among the parameters."),
        (r"Convert it: sdstudio models convert \"[^\"]*\" \(or Convert… on the Library page\)\.", f"Use {_CONVERT}"),
        (r"Convert it once: sdstudio models convert \"[^\"]*\"", f"Convert it once: {_CONVERT}"),
        (r"(Convert it(?: first)?), with `sdstudio models convert[^`]*`\.", rf"\1: {_CONVERT}"),
        (r"Write it anew with `sdstudio models convert [^`]*`: (.*)", rf"Write it anew: {_CONVERT} The reason: \1"),
        (r"on the Library page, or with `sdstudio models download [^`]*`;", "under Download models… in the File menu;"),
        (r"See them all with `sdstudio schedulers`\.", "They are all in the list of the field Sampler."),
        (r"See the names with `sdstudio styles list`\.", "See the names under Styles… in the Edit menu."),
        (r"See the catalogue with `sdstudio models catalogue`\.", "See them under Download models… in the File menu."),
    )
)
"""Words of the command line, and those of the window instead."""


def in_window(text: str) -> str:
    """Return a message in the words of the window."""
    if "sdstudio " not in text and "--" not in text:
        return text
    for pattern, words in ROWS:
        text = pattern.sub(words, text)
    return text
