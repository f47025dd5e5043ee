"""What is asked of the history for the queue: the pictures of jobs, and how long a step took lately."""

from __future__ import annotations

import pytest
from PIL import Image

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.jobs.queue import JobQueue


def save(history, duration_s: float, **values):
    made_with = values.pop("made_with", {})
    request = GenerationRequest(**{"prompt": "heart", "width": 64, "height": 64, "seed": 1, "steps": 10, **values})
    recipe = Recipe(app="test", request=request, duration_s=duration_s, made_with=made_with)
    return history.save(Image.new("RGB", (64, 64)), recipe)


def test_a_step_takes_what_it_took_lately_for_pictures_of_that_model_and_size(history):
    ask = history.listing.seconds_per_step
    assert ask("starter", 64, 64) is None
    save(history, 500.0)
    for _ in range(7):
        save(history, 2.0, steps=20)
    save(history, 3.0, steps=10)
    save(history, 90.0, width=128)
    save(history, 90.0, model="other")
    assert ask("starter", 64, 64) == pytest.approx((7 * 0.1 + 0.3) / 8), "the first is too long ago"
    assert ask("other", 64, 64) == pytest.approx(9.0)
    assert ask("other", 128, 64) is None
    save(history, 100.0, model="other", hires=2.0, height=128)
    assert ask("other", 64, 128) == pytest.approx(2.0), "10 steps, and 10 that take four times as long"


def test_pictures_that_were_cancelled_imported_or_not_timed_say_nothing_of_a_step(history):
    save(history, 7.0, made_with={"unfinished": {"step": 1, "of": 10}})
    save(history, 7.0, made_with={"imported": {"program": "A1111"}})
    save(history, 0.0)
    assert history.listing.seconds_per_step("starter", 64, 64) is None


def test_the_pictures_of_jobs_are_those_that_are_there_in_their_order(history, home):
    queue = JobQueue(home)
    jobs = queue.submit_all([(GenerationRequest(), [1, 2]), (GenerationRequest(), [3])])
    queue.close()
    request = GenerationRequest(width=64, height=64)
    pixels = Image.new("RGB", (64, 64))
    entries = [
        history.save(pixels, Recipe(app="test", request=request.with_seed(seed)), job_id)
        for seed, job_id in ((1, jobs[0].id), (3, jobs[1].id), (2, jobs[0].id), (4, None))
    ]
    history.delete([entries[0].id])
    assert history.listing.of_jobs([job.id for job in jobs]) == entries[1:3]
    assert history.listing.of_jobs([]) == []
