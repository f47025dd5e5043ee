"""Paths that are none: too long, without a name, in the home of nobody. Each is one line, and no bug."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from sdstudio.cli import main
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from tests.unit.history.conftest import picture, recipe

LONG = "a" * 300
NOBODY = "~nobody-of-this-name/x"


@pytest.fixture
def run(home, tmp_path, monkeypatch, capsys):
    history = History(home, lambda _path: None)
    history.save(picture(), recipe())
    history.close()
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)

    def call(*argv: str) -> tuple[int, str]:
        code = main(argv)
        return code, capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    "command",
    [
        ["history", "import"],
        ["history", "export", "1", "--out"],
        ["history", "export", "1", "--zip"],
        ["history", "export", "1", "--contact-sheet"],
        ["history", "backup"],
        ["history", "rerun", "1", "--out"],
        ["generate", "a heart", "--init-image"],
        ["generate", "a heart", "--model"],
        ["generate", "a heart", "--vae"],
        ["models", "info"],
        ["models", "remove"],
        ["models", "hash"],
        ["models", "add-folder"],
        ["models", "import"],
        ["models", "convert"],
        ["styles", "import"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("path", [LONG, f"{LONG}.png", "/".join("b" for _ in range(2500))], ids=["name", "png", "path"])
def test_a_path_that_is_too_long_is_one_line(run, command, path):
    code, err = run(*command, path)
    assert code in (1, 2)
    assert err
    assert "bug of the studio" not in err


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_zip_without_a_name_is_one_line(run, path):
    code, err = run("history", "export", "1", "--zip", path)
    assert (code, "cannot be used" in err) == (1, True)


def test_a_home_of_nobody_is_a_folder_like_any_other(run, tmp_path):
    assert run("history", "export", "1", "--out", NOBODY)[0] == 0
    assert len(list((tmp_path / NOBODY).iterdir())) == 1
    assert run("history", "import", NOBODY) == (0, "0 pictures imported, 1 already there.\n")
    assert run("history", "backup", f"{NOBODY}.zip")[0] == 0
    assert "no such file" in run("models", "import", f"{NOBODY}.safetensors")[1]


def test_a_home_of_nobody_among_the_settings_keeps_nothing_from_working(run, home):
    Settings(model_folders=(Path(NOBODY),)).save(home.settings)
    code, err = run("models", "scan")
    assert (code, "bug of the studio" in err) == (0, False)


def test_a_data_folder_in_the_home_of_nobody_is_made_there(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SDSTUDIO_HOME", NOBODY)
    assert run("history", "list")[0] == 0
    assert (tmp_path / NOBODY / "history.db").is_file()


def test_a_folder_whose_name_is_not_utf_8_is_not_kept(run, home, tmp_path):
    folder = tmp_path / os.fsdecode(b"mod\xe8les")
    folder.mkdir()
    code, err = run("models", "add-folder", str(folder))
    assert (code, "not UTF-8" in err) == (1, True)
    assert not home.settings.exists()


def test_a_name_too_long_for_its_picture_is_said_before_it_is_drawn(run, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "in.png")
    code, err = run("upscale", "in.png", "--factor", "1", "--out", f"{'n' * 249}.png")
    assert (code, "Choose a shorter, plainer name" in err) == (1, True)
    assert "Enlarging" not in err
