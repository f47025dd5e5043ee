from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.history.conftest import picture, recipe


@pytest.fixture
def filled(history):
    for prompt, negative, model in (
        ("Red heart, 100% love_letter", "blurry", "Starter"),
        ("ein ÄPFEL und Öl", "", "Dreamshaper XL"),
        ("猫 in the rain", "red eyes", "Starter"),
        ('say "AND" NEAR(cat) -dog* ^up', "", "Starter"),
    ):
        history.save(picture(), recipe(prompt, negative_prompt=negative, model_name=model, seed=1000))
    return history


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("red", [3, 1]),
        ("RED Heart", [1]),
        ("heart red", [1]),
        ("ear", [4, 1]),
        ("red rain", [3]),
        ("dreamshaper", [2]),
        ("starter red", [3, 1]),
        ("äpfel", [2]),
        ("Äp", [2]),
        ("Ö", [2]),
        ("in", [3, 2]),
        ("rt", [4, 3, 1]),
        ("XL", [2]),
        ("p", [4, 2]),
        ("öl", [2]),
        ("ÖL", [2]),
        ("猫", [3]),
        ("100%", [1]),
        ("0%", [1]),
        ("%", [1]),
        ("_", [1]),
        ("e_", [1]),
        ("%%", []),
        ("love_", [1]),
        ("lovexletter", []),
        ('"', [4]),
        ('"AND"', [4]),
        ("AND", [4]),
        ("NEAR(", [4]),
        ("-dog*", [4]),
        ("^u", [4]),
        ("cat OR heart", []),
        ("\\", []),
        ("   ", [4, 3, 2, 1]),
        ("1000", [4, 3, 2, 1]),
        ("001000", [4, 3, 2, 1]),
        ("blu\0", [1]),
    ],
)  # fmt: skip
def test_what_a_query_finds(filled, query, ids):
    assert [entry.id for entry in filled.entries(query)] == ids
    assert filled.count(query) == len(ids)


@given(st.text(max_size=200))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_query(filled, query):
    assert filled.count(query) == len(filled.entries(query))


@pytest.mark.parametrize("query", ["x" * 60_000, "x " * 60_000, "% " * 5_000, "\ud800\udfff lone", '"' * 3_000])
def test_hostile_queries_are_harmless(filled, query):
    assert filled.count(query) == len(filled.entries(query)) < 4
