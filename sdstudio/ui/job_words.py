"""How a job ended, as the one sentence of the status line."""

from __future__ import annotations

from typing import Final

from sdstudio.core.events import StepDone
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.progress import readable_duration

_PROMPT_SHOWN: Final = 40


def ended_text(job: Job, seconds: float, last_step: StepDone | None) -> str:
    """Return how a job ended: "Done: 2 pictures in 3 s", "Cancelled “red heart” at step 13 of 60".

    Args:
        job: As it ended.
        seconds: How long it ran.
        last_step: The last step it took, ``None`` when it took none.
    """
    match job.state:
        case JobState.DONE:
            pictures = "1 picture" if job.made == 1 else f"{job.made} pictures"
            return f"Done: {pictures} in {readable_duration(seconds)}"
        case JobState.CANCELLED:
            words = " ".join(job.request.prompt.split())
            subject = f"“{words if len(words) <= _PROMPT_SHOWN else words[: _PROMPT_SHOWN - 1] + '…'}”" if words else ""
            at = f"at step {last_step.step} of {last_step.total}" if last_step is not None else "before its first step"
            kept = f". {job.made} of {job.count} pictures are in the history" if job.count > 1 else ""
            return " ".join(part for part in ("Cancelled", subject, at) if part) + kept
        case _:
            return f"Failed: {job.message}"
