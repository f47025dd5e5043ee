"""The message of jobs that the end of the program cut short: why, and how many of their pictures there are."""

from __future__ import annotations

from typing import Final

CLOSED: Final = "Interrupted when the studio closed."
CRASHED: Final = "Interrupted when the studio ended unexpectedly."


def interrupted_message(why: str, made: int, count: int) -> tuple[str, str]:
    """Return message and hint for a job of which ``made`` of ``count`` pictures are saved.

    Args:
        why: `CLOSED` or `CRASHED`.
        made: How many are saved.
        count: How many it was to make.
    """
    if not made:
        return why, "Run it again."
    verb = "is" if made == 1 else "are"
    return f"{why} {made} of {count} pictures {verb} in the history.", "Run it again for the others."
