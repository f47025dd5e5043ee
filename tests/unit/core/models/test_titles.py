"""Titles of models: never two alike, whatever lies on the disk; keys and names stay what recipes know."""

from __future__ import annotations

from pathlib import Path

from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.titles import model_titles, part_title

STARTER = ModelInfo("starter", "Starter", Path("/app/starter"), "sd1", defaults={"width": 128})


def _file(path: str, key: str = "") -> ModelInfo:
    return ModelInfo(key or path, Path(path).stem, Path(path), "sd1")


def test_the_built_in_model_says_what_it_is_and_a_file_of_its_name_where_it_lies():
    titles = model_titles([STARTER, _file("/home/me/sd15/starter.safetensors"), _file("/m/other.safetensors", "other")])
    assert titles["starter"] == "Starter (built in, 128 px, draws simple things)"
    assert titles["/home/me/sd15/starter.safetensors"] == "starter (in sd15)"
    assert titles["other"] == "other"


def test_as_many_folders_are_named_as_tell_models_apart():
    paths = ["/a/x/v1/deep.safetensors", "/a/y/v1/deep.safetensors", "/b/v2/Deep.safetensors", "/b/v2/deep.ckpt"]
    titles = model_titles([_file(path) for path in paths])
    assert titles[paths[0]] == "deep (in x/v1)"
    assert titles[paths[1]] == "deep (in y/v1)"
    assert titles[paths[3]] == "deep (/b/v2/deep.ckpt)"
    assert len({title.casefold() for title in titles.values()}) == len(paths)


def test_parts_are_told_by_the_words_of_the_field_and_files_by_their_names():
    told = [part_title(part) for part in ("unet", "text_encoder_2", "image_encoder", "LoRA my_style", "")]
    assert told == ["UNet", "second text encoder", "image encoder", "LoRA my_style", ""]
