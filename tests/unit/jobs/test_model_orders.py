"""Wishes to merge and convert: what is refused at which field, where results go, and that recipes get their hashes."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelLayout
from sdstudio.core.models.work import ConvertOptions, MergeMode, MergeOptions, WorkReport
from sdstudio.jobs.model_orders import carried_out, convert_order, merge_order, target_of


def asset(folder, name, family="sd1", sha256=""):
    path = folder / f"{name}.safetensors"
    path.write_bytes(b"x")
    return Asset("checkpoint", name, name, path, folder, family, sha256=sha256)


@pytest.fixture
def three(tmp_path):
    return [asset(tmp_path, name) for name in "abc"]


def test_two_make_a_weighted_sum_and_three_a_difference(three, tmp_path):
    order = merge_order(three[:2], MergeOptions(alpha=0.25, precision="float16"), tmp_path / "m.safetensors")
    assert (order.mode, order.alpha, order.precision) == (MergeMode.WEIGHTED_SUM, 0.25, "float16")
    order = merge_order(three, MergeOptions(mode="add_difference"), tmp_path / "m.safetensors")
    assert [given.path.stem for given in order.inputs] == ["a", "b", "c"]


@pytest.mark.parametrize(("count", "mode"), [(1, "weighted_sum"), (3, "weighted_sum"), (2, "add_difference")])
def test_a_wrong_number_is_refused(three, tmp_path, count, mode):
    with pytest.raises(InvalidRequest, match=f"Checkpoints = {count}"):
        merge_order(three[:count], MergeOptions(mode=mode), tmp_path / "m.safetensors")


def test_two_families_are_refused_with_both_named(three, tmp_path):
    other = asset(tmp_path, "xl", "sdxl")
    with pytest.raises(InvalidRequest, match="B = xl: it is Stable Diffusion XL, A is Stable Diffusion 1"):
        merge_order([three[0], other], MergeOptions(), tmp_path / "m.safetensors")


def test_a_folder_is_refused(three, tmp_path):
    folder = Asset("checkpoint", "f", "f", tmp_path, tmp_path, "sd1")
    with pytest.raises(InvalidRequest, match="B = f: it is a folder"):
        merge_order([three[0], folder], MergeOptions(), tmp_path / "m.safetensors")


def test_what_is_there_is_refused_at_the_name(three, tmp_path):
    with pytest.raises(InvalidRequest, match="already") as error:
        merge_order(three[:2], MergeOptions(), three[2].path)
    assert error.value.field == "name"
    assert merge_order(three[:2], MergeOptions(), three[2].path, replace_target=True).replace
    with pytest.raises(InvalidRequest, match="already"):
        convert_order(three[0].path, ConvertOptions(layout="folder"), tmp_path)
    assert convert_order(three[0].path, ConvertOptions(layout="folder"), tmp_path / "x").layout is ModelLayout.FOLDER


@pytest.mark.parametrize(
    ("name", "layout", "expected"),
    [
        ("mix", "file", "/models/mix.safetensors"),
        (" mix.safetensors ", "file", "/models/mix.safetensors"),
        ("v1.5 mix", "file", "/models/v1.5 mix.safetensors"),
        ("v1.5", "folder", "/models/v1.5"),
        ("/elsewhere/mix", "file", "/elsewhere/mix.safetensors"),
        ("смесь 🐸", "folder", "/models/смесь 🐸"),
    ],
)
def test_a_bare_name_goes_into_the_models_folder(name, layout, expected):
    assert target_of(name, layout, Path("/models")) == Path(expected)


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a:b", "x" * 200, "a\nb", "what?", '"'])
def test_names_that_not_every_system_allows_are_refused(name):
    for layout in ("file", "folder"):
        with pytest.raises(InvalidRequest, match="Name = ") as error:
            target_of(name, layout, Path("/models"))
        assert error.value.field == "name"


class Works:
    def __init__(self):
        self.orders = []

    def merge(self, order, on_progress, cancel):
        self.orders.append(order)
        for part in (0.5, 1.0):
            on_progress(part)
        return WorkReport(order.target, 1, 1)

    convert = merge


def test_hashes_that_nobody_knows_are_computed_before_the_merge(three, tmp_path):
    hashed, told, works = [], [], Works()

    def hash_asset(given, on_progress=None, cancel=None):
        hashed.append(given.key)
        on_progress(1.0)
        return replace(given, sha256=f"sha-{given.key}")

    inputs = [replace(three[0], sha256="known"), *three[1:]]
    order = merge_order(inputs, MergeOptions(mode="add_difference"), tmp_path / "m.safetensors")
    carried_out(works, order, inputs, hash_asset, told.append, threading.Event())
    assert hashed == ["b", "c"]
    assert [given.sha256 for given in works.orders[0].inputs] == ["known", "sha-b", "sha-c"]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_a_conversion_hashes_nothing(three, tmp_path):
    works = Works()
    order = convert_order(three[0].path, ConvertOptions(layout="folder"), tmp_path / "x")
    assert carried_out(works, order, three[:1], None, lambda part: None, threading.Event()).path == tmp_path / "x"
