"""A1111's text there and back, in the spelling before version 1.9 and in the one since, through a real picture."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from sdstudio.catalog.names import to_a1111
from sdstudio.catalog.schedulers import SCHEDULERS, schedule_of
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.picture_text.pnginfo import infotext
from tests.unit.history.conftest import recipe
from tests.unit.history.foreign.pictures import png, with_comment

PAIRS = [(spec, schedule) for spec in SCHEDULERS for schedule in spec.schedules if schedule not in ("", "automatic")]
WORDS = st.from_regex(re.compile(r"[a-z(),.:<>\[\]{}|0-9é猫]{1,12}", re.ASCII), fullmatch=True)
PROMPTS = st.lists(WORDS, min_size=1, max_size=8).map(" ".join).filter(lambda text: not text.startswith("{"))


@st.composite
def requests(draw: st.DrawFn) -> GenerationRequest:
    spec, schedule = draw(st.sampled_from(PAIRS))
    return GenerationRequest.checked({
        "model": "v1-5", "prompt": draw(PROMPTS), "negative_prompt": draw(st.just("") | PROMPTS),
        "width": draw(st.integers(8, 256)) * 8, "height": draw(st.integers(8, 256)) * 8,
        "steps": draw(st.integers(1, 150)), "guidance_scale": draw(st.integers(2, 60)) / 2,
        "seed": draw(st.integers(0, SEED_MAXIMUM)), "clip_skip": draw(st.integers(1, 12)),
        "scheduler": spec.key, "schedule": schedule, "rng": draw(st.sampled_from(["cpu", "nvidia"])),
    })  # fmt: skip


def was_spelled(request: GenerationRequest) -> bool:
    """Whether the spelling before 1.9 could say it: "LCM" alone meant LCM's own levels, and no word even ones."""
    return (request.scheduler, request.schedule) != ("lcm_any", "uniform")


def told(text: str, container: str) -> GenerationRequest:
    """Return the request that a picture with this text tells."""
    data = png({"parameters": text}) if container == "png" else with_comment(container, text)
    found = read_picture(io.BytesIO(data))
    assert found is not None
    assert found.assumed == ()
    assert found.not_mapped == {}
    return found.recipe.request


@given(requests(), st.sampled_from(["png", "JPEG", "WEBP"]))
def test_the_spelling_since_1_9_comes_back_whole(request, container):
    text = infotext(recipe().model_copy(update={"request": request, "model_name": "v1-5"}))
    assert told(text, container) == request


@given(requests().filter(was_spelled), st.sampled_from(["png", "JPEG", "WEBP"]))
def test_the_spelling_before_1_9_comes_back_whole(request, container):
    text = infotext(recipe().model_copy(update={"request": request, "model_name": "v1-5"}))
    sampler, schedule = to_a1111(request.scheduler, request.schedule)
    label = "" if request.schedule == "uniform" else f" {schedule}"
    old = text.replace(f"Sampler: {sampler}, Schedule type: {schedule}", f"Sampler: {sampler}{label}")
    old = re.sub(r"Version: [^,]*$", "Version: v1.8.0", old)
    assert old != text
    read = told(old, container)
    spec = next(spec for spec in SCHEDULERS if spec.key == request.scheduler)
    assert schedule_of(spec, read.schedule) == schedule_of(spec, request.schedule)
    assert read.model_copy(update={"schedule": request.schedule}) == request
