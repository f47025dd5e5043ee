from __future__ import annotations

import importlib
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sdstudio.core.errors import ModelDamaged, StudioError
from sdstudio.core.events import ModelLoading
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import make_engine
from sdstudio.engine.pictures.safety import GROUND, GROUP, REASON, blocked_picture, installed_filters
from tests.tiny_models import tiny_sd1

ON = Settings(previews=False)
OFF = Settings(previews=False, safety_checker=False)


@pytest.fixture(scope="module")
def checked_model(tmp_path_factory):
    return tiny_sd1(tmp_path_factory.mktemp("checked") / "tiny-checked", safety_checker=True)


def judge(here, threshold):
    """Make the model's own checker find everything (-2) or nothing (2) explicit."""
    checker, _ = here.engine.loaded.checker
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(2)


def test_a_model_that_ships_a_checker_is_judged_by_it(studio, checked_model):
    here = studio("sd1", ON, checked_model)
    here.make([1])
    assert [event.part for event in here.of(ModelLoading)][-1] == "safety_checker"
    judge(here, 2)
    (shown,) = here.make([1])
    assert shown.recipe.blocked == ""
    judge(here, -2)
    (blocked,) = here.make([1])
    assert blocked.recipe.blocked == REASON
    assert not np.array_equal(np.asarray(blocked.pixels), np.asarray(shown.pixels))
    assert blocked.pixels.size == shown.pixels.size


def test_turned_off_nothing_is_loaded_or_judged(studio, checked_model):
    here = studio("sd1", ON, checked_model)
    here.make([1])
    judge(here, -2)
    assert here.make([1])[0].recipe.blocked
    here.engine.configure(OFF)
    (image,) = here.make([1])
    assert image.recipe.blocked == ""
    fresh = studio("sd1", OFF, checked_model)
    fresh.make([1])
    assert "safety_checker" not in [event.part for event in fresh.of(ModelLoading)]
    assert fresh.engine.loaded.checker is None


def test_it_can_be_turned_on_after_a_picture_without_it(studio, checked_model):
    here = studio("sd1", OFF, checked_model)
    (first,) = here.make([1])
    here.engine.configure(ON)
    here.make([1])
    assert here.engine.loaded.checker is not None
    judge(here, -2)
    (second,) = here.make([1])
    assert (first.recipe.blocked, second.recipe.blocked) == ("", REASON)


def test_a_checker_whose_files_are_gone_is_an_error_unless_it_is_turned_off(studio, checked_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(checked_model, folder)
    shutil.rmtree(folder / "safety_checker")
    with pytest.raises(ModelDamaged, match="safety_checker"):
        studio("sd1", ON, folder).make()
    assert len(studio("sd1", OFF, folder).make()) == 1


def test_a_model_without_a_checker_is_drawn_without_one(studio):
    here = studio("sd1", ON)
    assert here.make([1])[0].recipe.blocked == ""


def test_each_picture_of_a_batch_is_judged_by_itself(studio):
    seen = []

    def every_second(picture):
        seen.append(picture.size)
        return "it is the second" if len(seen) == 2 else ""

    here = studio("sd1", Settings(previews=False, safety_filter="mine"), mine=every_second)
    images = here.make([1, 2, 3], batch_size=3)
    assert [image.recipe.blocked for image in images] == ["", "it is the second", ""]
    assert seen == [(64, 64)] * 3


def test_a_filter_sees_the_picture_and_cannot_change_it(studio):
    def painter(picture):
        picture.paste((0, 0, 0), (0, 0, 64, 64))
        return ""

    here = studio("sd1", Settings(previews=False, safety_filter="painter"), painter=painter)
    (expected,) = studio("sd1").make([1])
    (image,) = here.make([1])
    assert np.array_equal(np.asarray(image.pixels), np.asarray(expected.pixels))


def test_a_filter_that_is_not_installed_is_named_before_anything_is_drawn(studio):
    here = studio("sd1", Settings(safety_filter="strict"), other=lambda picture: "")
    with pytest.raises(StudioError, match="Custom filter = strict: installed are: other"):
        here.make()
    assert here.events == []


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (512, 512), (1024, 768), (64, 1024), (4096, 64)])
def test_a_blocked_picture_says_so_in_readable_words(size):
    picture = blocked_picture(size, REASON)
    assert picture.size == size
    array = np.asarray(picture)
    ground = (array == GROUND).all(axis=2)
    assert 0.5 < ground.mean() < 0.995  # a plain picture, with something written on it
    assert array.max() > 180
    assert array.mean() > 40
    rows, columns = np.nonzero(~ground)
    assert rows.min() >= 1 or size[1] <= 64
    assert columns.min() >= 1
    assert columns.max() < size[0] - 1


def test_filters_of_installed_packages_are_found_and_imported_late(tmp_path, monkeypatch, studio):
    package = tmp_path / "nothing_red"
    package.mkdir()
    (package / "__init__.py").write_text("def judge(picture):\n    return 'nothing red, please'\n")
    info = tmp_path / "nothing_red-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nothing-red\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nno-red = nothing_red:judge\nbroken = nothing_blue:judge\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found = installed_filters()
    assert {"no-red", "broken"} <= set(found)
    assert "nothing_red" not in sys.modules
    assert found["no-red"](Image.new("RGB", (8, 8))) == "nothing red, please"
    with pytest.raises(StudioError, match="Custom filter = broken: its package would not load"):
        found["broken"](Image.new("RGB", (8, 8)))
    here = studio("sd1", Settings(previews=False, safety_filter="no-red"))
    here.engine = make_engine(Settings(previews=False, safety_filter="no-red"))
    assert here.make()[0].recipe.blocked == "nothing red, please"
