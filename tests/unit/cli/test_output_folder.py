"""The command line keeps pictures where the settings say, finds them there, and says when they could not get there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sdstudio.cli import main
from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.foreign.reading import recipe_of


@pytest.fixture
def run(home, tiny_models, monkeypatch, capsys):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")

    def call(*argv: object, code: int = 0) -> tuple[list[dict], str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")], captured.err

    return call


@pytest.mark.logs("a picture goes to the data folder")
def test_pictures_there_are_drawn_found_begun_from_verified_exported_and_checked(run, home, tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    Settings(output_folder=output, name_pattern="{seed}", file_format="webp").save(home.settings)
    draw = ("generate", "a red heart", "--model", "tiny", "--steps", 2, "--seed", 5, "--json")
    ([first], said) = run(*draw)
    assert first["path"] == str(output / "5.webp")
    assert "note:" not in said
    ([second], _) = run(*draw, "--init-image", first["path"], "--strength", 0.5)
    assert second["path"] == str(output / "5-2.webp")
    (rows, _) = run("history", "list", "--json")
    assert [row["id"] for row in rows] == [second["id"], first["id"]]
    ([verdict], _) = run("history", "verify", first["id"], "--json", "--quiet")
    assert verdict["outcome"] == "identical"
    run("history", "check", "--deep", "--repair")
    run("history", "export", first["id"], "--out", tmp_path / "exported")
    (copy,) = (tmp_path / "exported").iterdir()
    assert recipe_of(copy).request == recipe_of(Path(first["path"])).request
    ([named], _) = run(*draw, "--out", tmp_path / "named.png")
    assert named["path"] == str(tmp_path / "named.png")
    output.rename(tmp_path / "unplugged")
    ([kept], said) = run(*draw)
    assert Path(kept["path"]).is_relative_to(home.images)
    assert said.count(f"note: Output folder = {output}: it is not there. Pictures are kept in the data folder") == 1


def test_doctor_says_that_an_output_folder_is_not_there(home, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    Settings(output_folder=tmp_path / "gone").save(home.settings)
    main(["doctor", "--json"])
    (found,) = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["subject"] == "Output folder"]
    assert found["state"] == "note"
    assert found["finding"] == f"{tmp_path / 'gone'}: it is not there"
    assert found["cure"].startswith("Pictures are kept in the data folder meanwhile. Plug in its disk")
