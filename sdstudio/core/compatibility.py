"""Whose rules a request follows where versions of the studio differ, and the syntax that prompts have by default."""

from __future__ import annotations

from typing import Final

FIRST_COMPATIBILITY: Final = "0.1"
"""The rules of every request that names none: it was written before there was a choice."""

NEWEST_COMPATIBILITY: Final = "0.2"
"""The rules of new requests."""

A1111: Final = "a1111"
"""The syntax of prompts that is the default, and the one that emphasis belongs to."""
