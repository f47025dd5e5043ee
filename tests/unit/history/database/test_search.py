from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdstudio.history.database.look import Look
from tests.unit.history.conftest import picture, recipe, written


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


def test_imported_pictures_are_found_by_their_folder(filled, home):
    with written(home) as db:
        db.execute("UPDATE entries SET folder = '/disk/Old pictures/a1111' WHERE id = 1")
        db.execute("UPDATE entries SET folder = '/disk/100%/a1111/grids' WHERE id = 2")
    for query, ids in (
        ("folder:a1111", [2, 1]), ("folder:A1111/grids", [2]), ("folder:a1111\\grids", [2]),
        ('folder:"old pictures"', [1]), ('folder:"old pic', [1]), ("folder:old pictures", []), ("folder:", [2, 1]),
        ("folder:a1111 heart", [1]), ("heart folder:grids", []), ("folder:disk folder:100%", [2]), ("folder:1000", []),
        ("myfolder:a1111", []),
    ):  # fmt: skip
        assert [entry.id for entry in filled.entries(query)] == ids, query
        assert filled.count(query) == len(ids)


SPELLINGS = {
    "é": ("café", "cafe\u0301", "CAFÉ", "CAFE\u0301", "ｃａｆé"),
    "ệ": ("Việt", "Vie\u0302\u0323t", "Vie\u0323\u0302t", "Vi\u00ea\u0323t", "VIỆT"),
    "han": ("한국", unicodedata.normalize("NFD", "한국")),
    "angstrom": ("Å", "\u212b", "A\u030a", "å"),
    "dotted": ("İstanbul", "istanbul", "ISTANBUL", "Istanbul", "I\u0307stanbul", "i\u0307stanbul"),
    "dotless": ("ışık", "IŞIK", "Işık", "I\u015fik"),
    "short dotted": ("İz", "iz", "I\u0307z"),
    "sharp": ("Straße", "STRASSE", "strasse", "STRAẞE"),
    "sigma": ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    "wide": ("ｃａｔ", "cat", "CAT"),
    "ligature": ("ﬁsh", "fish"),
}


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS)
def test_a_word_is_found_however_its_letters_were_composed(history, spellings):
    for prompt in spellings:
        history.save(picture(), recipe(f"a {prompt}, x"))
        history.save(picture(), recipe("x", negative_prompt=f"{prompt} y", model_name=f"m {prompt}"))
    every = list(range(2 * len(spellings), 0, -1))
    for asked in spellings:
        for query in (asked, f"x {asked}"):
            assert [entry.id for entry in history.entries(query)] == every, ascii(query)
            assert history.count(query) == len(every)
        prompts = {words[1] for words in history.listing.words(every)}
        assert prompts == {f"a {prompt}, x" for prompt in spellings} | {"x"}, "they are shown as they were written"


def test_a_dotted_capital_is_a_letter_like_any_other(history):
    for prompt in ("İ", "x İ y", "İİİ", "ıl"):
        history.save(picture(), recipe(prompt, model_name="base"))
    wanted = {"İ": [4, 3, 2, 1], "i": [4, 3, 2, 1], "İ y": [2], "İİ": [3], "ı": [4, 3, 2, 1], "İıİ": [3], "IL": [4]}
    assert {query: [entry.id for entry in history.entries(query)] for query in wanted} == wanted


def test_tags_and_collections_are_the_same_that_read_the_same(history):
    entry = history.save(picture(), recipe())
    history.marks.add_tag([entry.id], "cafe\u0301")
    history.marks.add_tag([entry.id], "café")
    history.marks.collect([entry.id], "Ame\u0301lie")
    assert history.marks.tags(entry.id) == ("café",)
    for facet, value in (("tag", "café"), ("tag", "cafe\u0301"), ("collection", "Amélie")):
        assert list(history.listing.ids(Look().with_value(facet, value))) == [entry.id]


@given(st.text(max_size=200))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_query(filled, query):
    assert filled.count(query) == len(filled.entries(query))


@pytest.mark.parametrize("query", ["x" * 60_000, "x " * 60_000, "% " * 5_000, "\ud800\udfff lone", '"' * 3_000])
def test_hostile_queries_are_harmless(filled, query):
    assert filled.count(query) == len(filled.entries(query)) < 4
