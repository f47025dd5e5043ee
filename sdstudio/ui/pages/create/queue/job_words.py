"""The words for jobs that came together: their name, how they ended, and what is left of them."""

from __future__ import annotations

from typing import Final

from sdstudio.core.readable import readable_duration
from sdstudio.jobs.queue import Group, JobState

_NAME_SHOWN: Final = 40


def title_of(group: Group) -> str:
    """Return what was asked for in one line: as it was written, where that stands for several prompts."""
    written = group.jobs[0].request.written
    if len(group.jobs) > 1 and written is not None:
        return " ".join(written.prompt.split()) or "No prompt"
    return group.jobs[0].prompt


def quoted(group: Group) -> str:
    """Return the name of what was asked for within a sentence, "" where it has no words."""
    title = title_of(group) if group.jobs[0].request.prompt.strip() else ""
    return f"“{title if len(title) <= _NAME_SHOWN else title[: _NAME_SHOWN - 1] + '…'}”" if title else ""


def pictures(count: int) -> str:
    """Return a number of pictures."""
    return "1 picture" if count == 1 else f"{count} pictures"


def stopped_where(group: Group) -> str:
    """Return at which step a group was cancelled: "at step 13 of 60"."""
    stopped = [job for job in group.jobs if job.state is JobState.CANCELLED and job.step_count]
    if stopped:
        return f"at step {stopped[-1].step} of {stopped[-1].step_count}"
    return "before its first step" if any(job.duration_s for job in group.jobs) else "before it began"


def in_history(group: Group) -> str:
    """Return how many of a group's pictures are there, "" for one that is about one picture."""
    return f"{group.made} of {group.count} pictures are in the history" if group.count > 1 else ""


def ended_text(group: Group) -> str:
    """Return how a group ended: "Done: 2 pictures in 3 s", "Cancelled “red heart” at step 13 of 60"."""
    match group.state:
        case JobState.DONE:
            return f"Done: {pictures(group.made)} in {readable_duration(group.duration_s)}"
        case JobState.CANCELLED:
            text = " ".join(part for part in ("Cancelled", quoted(group), stopped_where(group)) if part)
            return ". ".join(part for part in (text, in_history(group)) if part)
        case JobState.QUEUED:
            return f"Paused: {group.made} of {pictures(group.count)} are in the history"
        case state:
            return f"Failed: {next(job.message for job in group.jobs if job.state is state)}"
