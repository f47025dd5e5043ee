"""How work on many files says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[int, int, str], None]
"""Takes how many are done, how many there are, and the name of the next one."""
