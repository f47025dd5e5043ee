"""``sdstudio detail``: regions of files and of pictures of the history, marked by hand or found."""

from __future__ import annotations

import json
import shutil

import keyring
import numpy as np
import pytest
from keyring.backends import fail
from PIL import Image

from sdstudio.cli import main
from sdstudio.history.picture_text.foreign.reading import recipe_of
from tests.loopback_hub import files_of
from tests.tiny_detectors import tiny_grounding_dino


@pytest.fixture
def run(home, tiny_models, monkeypatch, capsys):
    """Return a function that runs a command on a data folder with one tiny model."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")

    def call(*argv: object, code: int = 0) -> tuple[list[dict], str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")], captured.err

    yield call
    keyring.set_keyring(before)


DRAW = ("--model", "tiny", "--width", 64, "--height", 64, "--steps", 4, "--json")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (70, 90, 3), np.uint8)).save(path)
    return path


def changed(after, before) -> np.ndarray:
    return (np.asarray(Image.open(after), np.int16) != np.asarray(Image.open(before), np.int16)).any(-1)


def test_regions_of_a_file_are_redrawn_with_their_own_prompts(run, photo, tmp_path):
    boxes = "10,10,40,40; 60,30,80,60"
    regions = ("--boxes", boxes, "--prompt", "a frog [SEP] a cat", "--strength", 0.8, "--padding", 4, "--blur", 1)
    [row], _ = run("detail", photo, *regions, *DRAW, "--seed", 3, "--out", tmp_path / "out.png")
    assert row["regions"] == [{"box": [10, 10, 40, 40]}, {"box": [60, 30, 80, 60]}]
    assert (row["detail_prompt"], row["seed"], row["strength"]) == ("a frog [SEP] a cat", 3, 0.0)
    there = changed(tmp_path / "out.png", photo)
    assert there[10:40, 10:40].mean() > 0.9
    there[4:46, 4:46] = there[24:66, 54:86] = False
    assert not there.any()


def test_a_picture_of_the_history_keeps_what_it_was_drawn_with_and_verifies(run):
    [first], _ = run("generate", "a red heart", *DRAW, "--seed", 7, "--guidance-scale", 3, "--hires", 1.5)
    size = ("--width", 64, "--height", 64, "--json")
    [row], _ = run("detail", first["id"], "--boxes", "8,8,40,40", "--guidance", 2, *size)
    assert (row["prompt"], row["seed"], row["model"], row["hires"]) == ("a red heart", 7, "tiny", 1)
    assert Image.open(row["path"]).size == (96, 96)
    verified, _ = run("history", "verify", row["id"], "--json")
    assert [one["outcome"] for one in verified] == ["identical"]


def test_a_detector_is_got_from_the_hub_and_looks(run, photo, tmp_path, hub_server):
    _, err = run("detail", photo, "--query", "a face", *DRAW, code=2)
    assert "there is none to look for 'a face'" in err
    assert "sdstudio models download grounding-dino-tiny" in err
    hub_server.add("IDEA-Research/grounding-dino-tiny", files_of(tiny_grounding_dino(tmp_path / "dino")))
    [got], _ = run("models", "download", "grounding-dino-tiny", "--json")
    assert got["kind"] == "detector"
    listed, _ = run("models", "list", "--kind", "detector", "--json")
    assert [one["key"] for one in listed] == ["grounding-dino-tiny"]
    run("models", "import", tmp_path / "dino", "--json")
    listed, _ = run("models", "list", "--kind", "detector", "--json")
    assert [one["key"] for one in listed] == ["dino", "grounding-dino-tiny"]
    query = ("--detector", "grounding-dino-tiny", "--query", "a face. a frog.", "--confidence", 0.05, "--top-k", 2)
    [row], _ = run("detail", photo, *query, *DRAW, "--out", tmp_path / "out.png")
    assert len(row["regions"]) == 2
    recipe = recipe_of(tmp_path / "out.png")
    assert recipe.made_with["adapters"][0]["name"] == "grounding-dino-tiny"
    [none], err = run("detail", photo, *query[:4], "--confidence", 1, *DRAW, "--out", tmp_path / "none.png")
    assert none["regions"] == []
    assert "nothing was found for 'a face. a frog.'" in err
    assert not changed(tmp_path / "none.png", photo).any()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "there is nothing to redraw"),
        (("--query", " "), "there is nothing to redraw"),
        (("--query", "., !"), "allowed are words"),
        (("--boxes", "1,2,3"), "left,top,right,bottom"),
        (("--boxes", "95,0,99,9"), "outside of the picture, 90 x 70"),
        (("--detail-mask", "gone.png"), "gone.png"),
        (("--boxes", "1,1,9,9", "--strength", "0"), "0.05 to 1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(run, photo, flags, words):
    _, err = run("detail", photo, *flags, *DRAW, code=1 if "gone.png" in words else 2)
    assert words in err
    assert err.count("\n") == 1
