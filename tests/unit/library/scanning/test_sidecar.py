"""Pictures and words that other programs put beside a model."""

from __future__ import annotations

import json

import pytest

from sdstudio.library.scanning import sidecar
from sdstudio.library.scanning.sidecar import pictures_beside, words_beside


@pytest.mark.parametrize("name", ["a.preview.png", "a.png", "A.PREVIEW.JPG", "a.webp", "a.thumb.jpeg"])
def test_a_picture_beside_a_model_is_its(tmp_path, name):
    model = tmp_path / "a.safetensors"
    (tmp_path / name).touch()
    assert pictures_beside([model]) == {model: tmp_path / name}


def test_the_preview_goes_before_any_other(tmp_path):
    model = tmp_path / "a.safetensors"
    for name in ("a.png", "a.preview.jpg", "b.png"):
        (tmp_path / name).touch()
    assert pictures_beside([model]) == {model: tmp_path / "a.preview.jpg"}


def test_a_folder_a_huge_file_and_a_place_that_is_gone_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sidecar, "MAXIMUM_BYTES", 10)
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").write_bytes(b"x" * 11)
    assert pictures_beside([tmp_path / "a.ckpt", tmp_path / "b.ckpt", tmp_path / "gone" / "c.ckpt"]) == {}


def test_words_come_from_a1111_and_its_helpers(tmp_path):
    lora = tmp_path / "style.v1.safetensors"
    assert words_beside(lora) == ()
    (tmp_path / "style.v1.json").write_text(json.dumps({"activation text": "sks, old film ,", "preferred weight": 0.7}))
    (tmp_path / "style.v1.civitai.info").write_text(json.dumps({"trainedWords": ["sks", "grain\nyes", 3]}))
    assert words_beside(lora) == ("sks", "old film", "grain yes")


def test_words_come_from_stability_matrix_and_the_lora_manager(tmp_path):
    (tmp_path / "a.cm-info.json").write_text(json.dumps({"ModelName": "A", "TrainedWords": ["sks", "film"]}))
    (tmp_path / "b.metadata.json").write_text(json.dumps({"civitai": {"trainedWords": ["sks"]}, "trainedWords": ["x"]}))
    (tmp_path / "c.metadata.json").write_text(json.dumps({"civitai": None, "trainedWords": "no list"}))
    assert words_beside(tmp_path / "a.safetensors") == ("sks", "film")
    assert words_beside(tmp_path / "b.safetensors") == ("sks", "x")
    assert words_beside(tmp_path / "c.safetensors") == ()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"activation text": 3}', b'{"activation text": "' + b"x" * 2**20]
)
def test_what_is_no_such_file_gives_no_words(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert words_beside(tmp_path / "a.safetensors") == ()
