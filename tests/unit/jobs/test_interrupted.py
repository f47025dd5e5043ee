from __future__ import annotations

import pytest

from sdstudio.jobs.interrupted import CLOSED, interrupted_message


@pytest.mark.parametrize(
    ("made", "count", "said", "hint"),
    [
        (3, 4, f"{CLOSED} 3 of 4 pictures are in the history.", "Run it again for the others."),
        (1, 4, f"{CLOSED} 1 of 4 pictures is in the history.", "Run it again for the others."),
        (0, 4, CLOSED, "Run it again."),
    ],
)
def test_an_interrupted_job_says_how_many_of_its_pictures_there_are(made, count, said, hint):
    assert interrupted_message(CLOSED, made, count) == (said, hint)
