from __future__ import annotations

from sdstudio.core.prompts.builder import built, prompt_parts
from sdstudio.core.prompts.marks import Known, marks


def test_the_parts_are_those_that_were_asked_for_with_choices_that_are_plain_words():
    parts = prompt_parts()
    assert [part.key for part in parts] == ["subject", "style", "quality", "lighting", "composition", "details"]
    for part in parts:
        assert len(part.choices) == len(set(part.choices)) >= 8
        assert part.title
        assert part.about
        assert all(not marks(choice, Known()) for choice in part.choices)


def test_a_prompt_names_the_parts_in_their_order_and_nothing_twice():
    said = {"details": ["fog", " fog,"], "subject": ["", "a small owl, "], "style": ["ink drawing"]}
    assert built(said) == "a small owl, ink drawing, fog"
    assert built({}) == ""
