"""Where pictures go: names, folders, and what is left when they cannot be written."""

from __future__ import annotations

import pytest
from PIL import Image

from sdstudio.cli.destinations import PathDestination
from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.reading import recipe_of


def _recipe(prompt="a red heart", seed=7):
    return Recipe(app="test", request=GenerationRequest(prompt=prompt, seed=seed))


def _save(destination, count=3, prompt="a red heart"):
    destination.prepare()
    return [destination.save(i, Image.new("RGB", (8, 8)), _recipe(prompt, 7 + i)).path for i in range(count)]


def test_a_png_name_is_numbered_and_replaced(tmp_path):
    out = tmp_path / "heart.png"
    for _ in range(2):
        paths = _save(PathDestination.of(str(out)))
        assert [path.name for path in paths] == ["heart.png", "heart-1.png", "heart-2.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heart-1.png", "heart-2.png", "heart.png"]
    assert recipe_of(paths[2]) == _recipe(seed=9)


def test_a_folder_gets_speaking_names_and_nothing_is_replaced(tmp_path):
    first = _save(PathDestination.of(str(tmp_path / "new" / "deep")), 1)
    second = _save(PathDestination.of(str(tmp_path / "new" / "deep")), 1)
    assert [path.name for path in (*first, *second)] == ["a-red-heart-7.png", "a-red-heart-7-1.png"]


@pytest.mark.parametrize("prompt", ["", "🐸", "قلب أحمر", "../../etc/passwd", "a\nb", "x" * 20_000, "..", "CON"])
def test_a_prompt_makes_a_plain_name_inside_the_folder(tmp_path, prompt):
    [path] = _save(PathDestination.of(str(tmp_path)), 1, prompt)
    assert path.parent == tmp_path
    assert path.name.isascii()
    assert len(path.name) < 80
    assert path.is_file()


def test_a_folder_named_like_a_png_is_a_folder(tmp_path):
    (tmp_path / "odd.png").mkdir()
    [path] = _save(PathDestination.of(str(tmp_path / "odd.png")), 1)
    assert path.parent == tmp_path / "odd.png"


@pytest.mark.parametrize("out", ["", "a\0b", "heart.jpg", "heart.WEBP"])
def test_a_name_that_cannot_be_is_refused(out):
    with pytest.raises(InvalidRequest) as caught:
        PathDestination.of(out)
    assert caught.value.field == "out"


def test_a_folder_that_cannot_be_made_is_told_before_any_work_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SaveFailed, match="cannot be written"):
        PathDestination.of(str(tmp_path / "file" / "x" / "heart.png")).prepare()
    with pytest.raises(SaveFailed, match="cannot be written"):
        PathDestination.of("/proc/nothing/here").prepare()
    with pytest.raises(SaveFailed):
        PathDestination.of(str(tmp_path / "new" / ("y" * 300))).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_preparing_leaves_no_trace_when_no_picture_comes(tmp_path):
    destination = PathDestination.of(str(tmp_path / "a" / "b" / "heart.png"))
    destination.prepare()
    assert list((tmp_path / "a" / "b").iterdir()) == []
    destination.abandon()
    assert list(tmp_path.iterdir()) == []


def test_folders_stay_when_a_picture_came(tmp_path):
    destination = PathDestination.of(str(tmp_path / "a" / "heart.png"))
    _save(destination, 1)
    destination.abandon()
    assert (tmp_path / "a" / "heart.png").is_file()
