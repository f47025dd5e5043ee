from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sdstudio.core.events import StepDone
from sdstudio.core.request import GenerationRequest
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.job_words import ended_text

JOB = Job(1, GenerationRequest(prompt="red heart"), (1,), 1, JobState.CANCELLED, "", "", 0, datetime.now(UTC))
FOUR = replace(JOB, seeds=(1, 2, 3, 4), made=2)
LONG = GenerationRequest(prompt="red " * 30)
STEP = StepDone(13, 60, 0, 1, 1, 0.1)


@pytest.mark.parametrize(
    ("job", "step", "said"),
    [
        (JOB, STEP, "Cancelled “red heart” at step 13 of 60"),
        (FOUR, STEP, "Cancelled “red heart” at step 13 of 60. 2 of 4 pictures are in the history"),
        (JOB, None, "Cancelled “red heart” before its first step"),
        (replace(JOB, request=GenerationRequest()), STEP, "Cancelled at step 13 of 60"),
        (replace(JOB, request=LONG), None, f"Cancelled “{('red ' * 30)[:39]}…” before its first step"),
        (replace(JOB, state=JobState.DONE, made=1), STEP, "Done: 1 picture in 3 s"),
        (replace(FOUR, state=JobState.DONE, made=4), STEP, "Done: 4 pictures in 3 s"),
        (replace(JOB, state=JobState.FAILED, message="Disk full."), STEP, "Failed: Disk full."),
    ],
)  # fmt: skip
def test_the_status_line_says_which_picture_was_cancelled_and_where(job, step, said):
    assert ended_text(job, 3.0, step) == said
