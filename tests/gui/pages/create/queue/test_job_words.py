from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sdstudio.core.request.request import GenerationRequest, Written
from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.pages.create.queue.job_words import ended_text

NEW = Job(1, GenerationRequest(prompt="red heart"), (1,), 1, JobState.CANCELLED, "", "", 0, datetime.now(UTC))
RAN = replace(NEW, duration_s=3.0)
JOB = replace(RAN, step=13, step_count=60)
FOUR = replace(JOB, seeds=(1, 2, 3, 4), made=2)
LONG = GenerationRequest(prompt="red " * 30)


SPLIT = Written("{red|blue} heart")


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([JOB], "Cancelled “red heart” at step 13 of 60"),
        ([FOUR], "Cancelled “red heart” at step 13 of 60. 2 of 4 pictures are in the history"),
        ([RAN], "Cancelled “red heart” before its first step"),
        ([NEW], "Cancelled “red heart” before it began"),
        ([replace(JOB, request=GenerationRequest())], "Cancelled at step 13 of 60"),
        ([replace(RAN, request=LONG)], f"Cancelled “{('red ' * 30)[:39]}…” before its first step"),
        ([replace(JOB, state=JobState.DONE, made=1)], "Done: 1 picture in 3 s"),
        ([replace(FOUR, state=JobState.DONE, made=4)], "Done: 4 pictures in 3 s"),
        ([replace(one, state=JobState.DONE, made=one.count) for one in (JOB, FOUR)], "Done: 5 pictures in 6 s"),
        ([replace(JOB, state=JobState.FAILED, message="Disk full.")], "Failed: Disk full."),
        (
            [replace(one, request=GenerationRequest(prompt="red heart", written=SPLIT)) for one in (JOB, NEW)],
            "Cancelled “{red|blue} heart” at step 13 of 60. 0 of 2 pictures are in the history",
        ),
        ([replace(JOB, state=JobState.DONE, made=1), replace(NEW, state=JobState.QUEUED)],
         "Paused: 1 of 2 pictures are in the history"),
    ],
)  # fmt: skip
def test_the_status_line_says_how_a_press_of_generate_ended_and_where(jobs, said):
    assert ended_text(Group(tuple(jobs))) == said
