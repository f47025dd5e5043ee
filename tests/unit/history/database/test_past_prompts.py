from __future__ import annotations

import pytest
from PIL import Image

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.past_prompts import PastPrompt, past_prompts, phrases
from sdstudio.history.store import History


@pytest.fixture
def history(home):
    opened = History(home, lambda path: path.unlink())
    yield opened
    opened.close()


def _save(history: History, prompt: str, negative: str = "", seed: int = 1) -> int:
    request = GenerationRequest(width=64, height=64, prompt=prompt, negative_prompt=negative, seed=seed)
    return history.save(Image.new("RGB", (64, 64)), Recipe(app="test", request=request)).id


def test_each_prompt_is_listed_once_with_its_pictures_and_the_newest_first(history):
    _save(history, "red heart", "blurry")
    _save(history, "blue frog\nin rain")
    again = _save(history, "red heart", "blurry", seed=2)
    other = _save(history, "red heart", "text")
    _save(history, "")
    found = past_prompts(history.listing)
    assert found[0] == PastPrompt("red heart", "text", 1, other)
    assert found[1] == PastPrompt("red heart", "blurry", 2, again)
    assert found[2].prompt == "blue frog\nin rain"
    assert len(found) == 3
    assert past_prompts(history.listing, limit=1) == found[:1]


def test_a_query_finds_words_and_deleted_pictures_are_forgotten(history):
    heart, frog = _save(history, "red heart"), _save(history, "blue frog")
    assert [past.entry_id for past in past_prompts(history.listing, "fro")] == [frog]
    assert past_prompts(history.listing, "nothing like it") == []
    history.delete([heart])
    assert [past.entry_id for past in past_prompts(history.listing)] == [frog]


def test_phrases_are_what_stands_between_commas_and_brackets_the_most_used_first():
    past = [
        PastPrompt("a fox, (soft  light:1.2), __colour__ BREAK golden hour", "blurry, text", 9, 1),
        PastPrompt("an owl, soft light, <lora:ink:1>, x, {red|blue}", "blurry", 1, 2),
    ]
    found = phrases(past)
    assert set(found[:2]) == {"soft light", "blurry"}
    assert {"a fox", "golden hour", "an owl", "red", "blue", "text"} <= set(found)
    assert not {"x", "__colour__", "1.2"} & set(found)
