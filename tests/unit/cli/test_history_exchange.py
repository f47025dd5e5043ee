"""``history import|export|backup|check``, called in this process."""

from __future__ import annotations

import json
import zipfile

import pytest
from PIL import Image

from sdstudio.cli import main
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.picture_text.texts import read_texts
from sdstudio.history.store import History
from tests.unit.history.conftest import picture, recipe
from tests.unit.history.foreign.pictures import A1111, INVOKE_4, png


@pytest.fixture
def run(home, monkeypatch, capsys):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


@pytest.fixture
def made(home) -> list[int]:
    """Three pictures in the history; their ids."""
    history = History(home, lambda _path: None)
    ids = [history.save(picture(), recipe(f"secret {n}", seed=n)).id for n in range(3)]
    history.close()
    return ids


def _records(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_pictures_are_imported_and_what_is_lost_or_failed_is_said(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    text = A1111.format(sampler="Euler a", version="v1.10.1").replace("v1-5-pruned-emaonly", "Starter")
    (folder / "a.png").write_bytes(png({"parameters": text}))
    (folder / "b.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    (folder / "c.png").write_bytes(b"")
    out, err = run("history", "import", folder, "--json", code=1)
    first, second, failed = _records(out)
    assert (first["status"], first["program"], first["model_found"]) == ("imported", "A1111 v1.10.1", "starter")
    assert (second["model"], second["model_found"]) == ("Dreamshaper 8", None)
    assert second["not_mapped"]["seamless_x"] == "True"
    assert (failed["status"], failed["reason"]) == ("failed", "the file is empty (0 bytes)")
    assert "2 pictures imported, 1 failed." in err
    out, err = run("history", "import", folder / "a.png", folder / "b.png")
    assert out == ""
    assert "0 pictures imported, 2 already there." in err
    out, err = run("history", "search", "red boat", "--json")
    assert [row["id"] for row in _records(out)] == [second["id"]]


def test_losses_are_notes_for_people(run, tmp_path):
    (tmp_path / "b.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    out, err = run("history", "import", tmp_path / "b.png")
    assert out == f"1  {tmp_path / 'b.png'}\n"
    assert "b.png: the model Dreamshaper 8 is not in the library" in err
    assert "Some settings could not be used: Sampler (not the same) " in err
    assert "; unknown key seamless_x\n" in err


def test_pictures_are_exported_to_a_folder_a_zip_and_a_sheet_at_once(run, made, tmp_path):
    out, err = run("history", "export", made[0], made[2], "--out", tmp_path / "out", "--zip", tmp_path / "a.zip",
                   "--contact-sheet", tmp_path / "s.png", "--columns", 2, "--format", "webp")  # fmt: skip
    written = sorted((tmp_path / "out").iterdir())
    assert [recipe_of(path).request.prompt for path in written] == ["secret 0", "secret 2"]
    assert out.splitlines() == [*map(str, written), str(tmp_path / "a.zip"), str(tmp_path / "s.png")]
    assert err.count("2 pictures exported.") == 3
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert len(archive.namelist()) == 2
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width == 2 * 272 + 16


def test_fields_can_be_stripped_or_all_of_them(run, made, tmp_path):
    run("history", "export", made[0], "--out", tmp_path / "less", "--strip", "prompt, made-with", "--quiet")
    run("history", "export", "--search", "secret", "--out", tmp_path / "none", "--no-metadata", "--quiet")
    (less,) = (tmp_path / "less").iterdir()
    assert "secret" not in json.dumps(read_texts(less))
    assert "Seed: 0" in read_texts(less)["parameters"]
    none = list((tmp_path / "none").iterdir())
    assert [read_texts(path) for path in none] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["1"], "--out, --zip or --contact-sheet"),
        (["--out", "x"], "no picture was named"),
        (["1", "--out", "x", "--format", "gif"], "png, jpeg, webp"),
        (["1", "--out", "x", "--strip", "colour"], "prompt"),
        (["1", "--out", "x", "--quality", "0"], "1 to 100"),
        (["1", "--contact-sheet", "x.gif"], ".png, .jpg or .webp"),
    ],
)
def test_wrong_usage_is_code_2_with_what_is_allowed(run, made, tmp_path, monkeypatch, flags, said):
    monkeypatch.chdir(tmp_path)
    _, err = run("history", "export", *flags, code=2)
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_picture_is_one_line(run, made, tmp_path):
    _, err = run("history", "export", 99, "--out", tmp_path / "x", code=1)
    assert err == "sdstudio: Entry = 99: there is no such picture. Look at the list of pictures.\n"


def test_backup_and_check(run, made, home, tmp_path):
    out, _ = run("history", "backup", tmp_path / "b.zip", "--json")
    (report,) = _records(out)
    assert (report["pictures"], report["missing"]) == (3, [])
    _, err = run("history", "backup", tmp_path / "b.zip", code=1)
    assert "there already" in err
    out, err = run("history", "check")
    assert (out, err.strip()) == ("", "3 pictures checked, everything is in order.")
    (lost,) = home.images.glob("*/000002*")
    lost.unlink()
    out, err = run("history", "check", "--json", code=1)
    assert [(row["kind"], row["id"], row["repaired"]) for row in _records(out)] == [
        ("no_file", 2, ""), ("thumbnail", None, ""),
    ][: len(_records(out))]  # fmt: skip
    assert "--repair" in err
    out, _ = run("history", "check", "--repair", "--deep")
    assert "taken out of the list" in out
    assert run("history", "check", "--deep")[0] == ""
