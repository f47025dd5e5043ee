from __future__ import annotations

import pytest

from sdstudio.bench.history_rows import COMMON, fill
from sdstudio.core.paths import StudioPaths
from sdstudio.history.database.look import Look
from sdstudio.history.store import History
from sdstudio.history.thumbnails import SIDE


@pytest.fixture
def filled(quick_folder):
    paths = StudioPaths(quick_folder / "home")
    fill(paths, 1200, thumbnails=True)
    history = History(paths, lambda _path: None)
    yield history
    history.close()


def test_a_generated_history_is_read_searched_and_shown_like_any_other(filled):
    assert filled.count() == 1200
    newest = filled.entries(limit=1)[0]
    assert newest.id == 1200
    assert newest.thumbnail.is_file()
    assert newest.recipe.request.prompt
    assert SIDE == 256
    found = filled.entries(newest.recipe.request.prompt)
    assert newest.id in {entry.id for entry in found}
    assert {value for value, _ in filled.listing.facet("size")} == {"512×512", "512×768", "768×512", "640×640"}


def test_words_are_as_uneven_as_peoples(filled):
    counts = [filled.count(word) for word in (COMMON[3], COMMON[10], COMMON[-1])]
    assert 0 < counts[2] < counts[1] < counts[0] < 1200
    assert 0 < filled.listing.count(Look(chosen=(("favourite", "yes"),))) < 100


def test_the_same_count_is_the_same_history(filled, tmp_path):
    again = StudioPaths(tmp_path / "again")
    fill(again, 20, thumbnails=False)
    other = History(again, lambda _path: None)
    prompts = [entry.recipe.request.prompt for entry in other.entries()]
    assert prompts == [filled.get(number).recipe.request.prompt for number in range(20, 0, -1)]
    other.close()
