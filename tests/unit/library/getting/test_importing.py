"""Models from elsewhere on this computer: looked at, linked or copied, and never half there."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from sdstudio.core.errors import Cancelled, ModelDamaged, ModelError, ModelUnsupported, SaveFailed
from sdstudio.library.getting import importing
from sdstudio.library.getting.download import STAGING, unfinished
from sdstudio.library.getting.importing import import_model
from sdstudio.library.library import Library
from tests.unit.library.getting.test_planner import LORA


@pytest.fixture
def source(tiny_models, home) -> Path:
    """A model folder on the data folder's own disk."""
    path = home.home / "elsewhere" / "mine"
    shutil.copytree(tiny_models["sd1"], path)
    return path


def test_a_folder_is_linked_and_drawable(source, home):
    told: list[float] = []
    imported = import_model(source, home.models, on_progress=told.append)
    assert imported.linked
    assert imported.kind == "checkpoint"
    assert told[-1] == 1.0
    inside = imported.path / "unet" / "diffusion_pytorch_model.safetensors"
    assert inside.samefile(source / "unet" / "diffusion_pytorch_model.safetensors")
    assert Library(home).find(imported.path.name).problem == ""
    shutil.rmtree(source)
    assert Library(home).find(imported.path.name).problem == ""


def test_the_index_of_a_folder_stands_for_the_folder(source, home):
    imported = import_model(source / "model_index.json", home.models)
    assert imported.path.is_dir()
    assert Library(home).find(imported.path.name).problem == ""


def test_a_copy_shares_nothing(source, home):
    imported = import_model(source, home.models, copy=True)
    assert not imported.linked
    inside = imported.path / "unet" / "diffusion_pytorch_model.safetensors"
    original = source / "unet" / "diffusion_pytorch_model.safetensors"
    assert not inside.samefile(original)
    assert inside.read_bytes() == original.read_bytes()


def test_another_disk_means_a_copy(source, home, monkeypatch):
    def refuse(*_paths: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(importing.os, "link", refuse)
    assert not import_model(source, home.models).linked


def test_a_single_file_goes_where_its_kind_lies(home, tmp_path):
    file = tmp_path / "style.safetensors"
    file.write_bytes(LORA)
    imported = import_model(file, home.models)
    assert (imported.path, imported.kind) == (home.models / "loras" / "style.safetensors", "lora")


def test_a_snapshot_of_hugging_faces_cache_is_followed_into_its_blobs(source, home, tmp_path):
    snapshot = home.home / "hub" / "models--org--name" / "snapshots" / "abc"
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir(parents=True)
    for path in source.rglob("*"):
        if path.is_file():
            blob = blobs / path.relative_to(source).as_posix().replace("/", "-")
            shutil.copy(path, blob)
            link = snapshot / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    imported = import_model(snapshot, home.models)
    assert not any(path.is_symlink() for path in imported.path.rglob("*"))
    assert Library(home).find(imported.path.name).problem == ""


def test_a_link_to_anywhere_else_is_refused(source, home, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    (source / "tokenizer" / "notes.txt").symlink_to(secret)
    with pytest.raises(ModelUnsupported, match="outside the model"):
        import_model(source, home.models)


def test_what_is_not_part_of_a_model_stays_where_it_is(source, home):
    (source / "run.py").write_text("print('no')")
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "config.json").write_text("{}")
    imported = import_model(source, home.models)
    assert not (imported.path / "run.py").exists()
    assert not (imported.path / "deep").exists()


def test_a_damaged_model_is_refused_and_nothing_is_left(source, home):
    file = source / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ModelDamaged):
        import_model(source, home.models)
    assert list(home.models.iterdir()) == []


def test_pickles_are_refused(home, tmp_path):
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"PK")
    with pytest.raises(ModelUnsupported, match="Python objects"):
        import_model(file, home.models)


@pytest.mark.parametrize("name", ["missing.safetensors", "missing", "missing.ckpt", "notes.txt"])
def test_what_is_no_model_is_refused_by_name(home, tmp_path, name):
    if name == "notes.txt":
        (tmp_path / name).write_text("hello")
    with pytest.raises(ModelError, match=name):
        import_model(tmp_path / name, home.models)
    assert list(home.models.iterdir()) == []


def test_a_name_that_is_taken_is_not_overwritten(source, home):
    import_model(source, home.models)
    with pytest.raises(SaveFailed, match="is there already"):
        import_model(source, home.models)


def test_a_stop_leaves_nothing(source, home):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        import_model(source, home.models, copy=True, cancel=cancel)
    assert unfinished(home.models) == []
    assert [path.name for path in home.models.iterdir()] == [STAGING]
    assert [path.name for path in (home.models / STAGING).iterdir() if not path.name.startswith(".")] == []
