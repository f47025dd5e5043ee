"""What a walk finds and what it passes over: links, loops, pipes, names and folders of every unfriendly sort."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdstudio.library.scanning.walk import Walk


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def _walked(root: Path) -> tuple[list[tuple[str, str]], list[str]]:
    walk = Walk()
    found = [(one.path.relative_to(root).as_posix(), one.hint) for one in walk.candidates(root)]
    return found, [str(trouble) for trouble in walk.troubles]


def test_files_are_found_with_the_kind_their_folder_speaks_for(tmp_path):
    for name in ("a.safetensors", "b.ckpt", "notes.txt", "Lora/people/c.safetensors", "VAE/d.pt", "e.vae.safetensors",
                 "embeddings/f.pt", "upscale_models/g.pth", "controlnet/h.safetensors", "controlnet/h.pth",
                 "unknown/i.pth", "embeddings/optimizer.bin"):  # fmt: skip
        _touch(tmp_path / name)
    found, troubles = _walked(tmp_path)
    assert sorted(found) == [
        ("Lora/people/c.safetensors", "lora"), ("VAE/d.pt", "vae"), ("a.safetensors", ""), ("b.ckpt", ""),
        ("controlnet/h.safetensors", "other"), ("e.vae.safetensors", "vae"), ("embeddings/f.pt", "embedding"),
        ("upscale_models/g.pth", "upscaler"),
    ]  # fmt: skip
    assert troubles == []


def test_a_diffusers_folder_is_one_thing_and_files_beside_its_index_are_others(tmp_path):
    for name in ("m/model_index.json", "m/unet/x.safetensors", "m/whole.safetensors"):
        _touch(tmp_path / name)
    assert _walked(tmp_path)[0] == [("m", "checkpoint"), ("m/whole.safetensors", "")]


def test_hidden_and_foreign_folders_are_not_entered(tmp_path):
    for name in (".cache", "blobs", "venv", "outputs", "datasets--org--pictures", "a/b/c/d/e/f/too-deep"):
        _touch(tmp_path / name / "x.safetensors")
    assert _walked(tmp_path) == ([], [])


def test_links_lead_to_each_file_once_and_loops_end(tmp_path):
    _touch(tmp_path / "real/a.safetensors")
    (tmp_path / "b.safetensors").symlink_to(tmp_path / "real/a.safetensors")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found, [said] = _walked(tmp_path)
    assert len(found) == 1
    assert said == f"{tmp_path / 'self'}: it could not be read: Too many levels of symbolic links."


def test_hard_links_are_names_of_their_own(tmp_path):
    os.link(_touch(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    assert len(_walked(tmp_path)[0]) == 2


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / "a.safetensors").symlink_to(tmp_path / "gone")
    _touch(tmp_path / "b.safetensors")
    found, [said] = _walked(tmp_path)
    assert [name for name, _ in found] == ["b.safetensors"]
    assert said == f"{tmp_path / 'a.safetensors'}: the link leads to nothing."


def test_a_pipe_is_passed_over_unopened(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert _walked(tmp_path) == ([], [])


def test_a_name_that_is_not_utf8_is_told_and_the_rest_is_found(tmp_path):
    with open(os.fsencode(tmp_path) + b"/b\xe9.safetensors", "wb"):
        pass
    os.mkdir(os.fsencode(tmp_path) + b"/f\xe9")
    _touch(tmp_path / "z.safetensors")
    found, troubles = _walked(tmp_path)
    assert [name for name, _ in found] == ["z.safetensors"]
    assert [said.rpartition("/")[2] for said in troubles] == [
        "b\\xe9.safetensors: its name is not UTF-8; rename it to use it.",
        "f\\xe9: its name is not UTF-8; rename it to use it.",
    ]


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_found(tmp_path, monkeypatch):
    _touch(tmp_path / "locked/a.safetensors")
    _touch(tmp_path / "open/b.safetensors")
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)  # whoever runs the tests may be root, whom no mode stops
    found, [said] = _walked(tmp_path)
    assert [name for name, _ in found] == ["open/b.safetensors"]
    assert said == f"{tmp_path / 'locked'}: the folder could not be read: Permission denied."


@pytest.mark.parametrize("name", ["gone", "x" * 4000, "a\0b", "file/below"])
def test_a_root_that_is_not_there_is_told(tmp_path, name):
    _touch(tmp_path / "file")
    found, [said] = _walked(tmp_path / name)
    assert found == []
    assert "\n" not in said
    assert len(said) < 500
