"""``sdstudio models``: what is told of the library, what is added to it and taken out of it, in words and as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sdstudio.cli import main
from sdstudio.cli import models as models_module
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.library.library import Library
from sdstudio.library.remarks import Remark

_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}


@pytest.fixture
def run(home, monkeypatch, capsys):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main(["models", *map(str, argv)]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


@pytest.fixture
def webui(tmp_path) -> Path:
    """Return a folder of A1111 with two equal LoRA and a broken file."""
    root = tmp_path / "webui"
    path = root / "models/Lora/style.safetensors"
    path.parent.mkdir(parents=True)
    save_file(_LORA, path, metadata={"ss_output_name": "sty", "ss_tag_frequency": '{"d": {"sks": 3}}'})
    shutil.copyfile(path, path.with_name("copy of style.safetensors"))  # written twice, its notes change their order
    (root / "models/Stable-diffusion").mkdir()
    (root / "models/Stable-diffusion/broken.safetensors").write_bytes(b"PK\x03\x04 a pickle in disguise")
    return root


def _records(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("text", ['{"theme": "dark",}', '{"theme": "drak", "precision": "float32"}'])
def test_settings_that_cannot_be_read_are_not_replaced_by_defaults(run, home, webui, text):
    home.settings.write_text(text)
    _, err = run("add-folder", webui, code=1)
    assert "Correct the file" in err
    assert home.settings.read_text() == text


def test_a_data_folder_that_cannot_be_written_keeps_no_folder_and_says_so(run, tmp_path, webui, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SDSTUDIO_HOME", str(tmp_path / "file"))
    _, err = run("add-folder", webui, code=1)
    assert "it cannot be used" in err


def test_an_added_folder_is_told_kept_and_seen_in_place(run, home, webui):
    out, _ = run("add-folder", webui)
    assert out == f"{webui} (A1111 or Forge): 1 Checkpoint, 2 LoRA\n"
    run("add-folder", webui)
    assert Settings.load(home.settings)[0].model_folders == (webui,)
    rows = {row["key"]: row for row in _records(run("list", "--json")[0])}
    assert (rows["style"]["kind"], rows["style"]["family"]) == ("lora", "sd1")
    assert rows["style"]["path"] == str(webui / "models/Lora/style.safetensors")
    assert rows["style"]["triggers"] == ["sks"]
    assert "holds pickled Python objects" in rows["broken"]["problem"]
    [row] = _records(run("add-folder", webui, "--json")[0])
    assert (row["program"], row["found"]["lora"]) == ("a1111", 0)


def test_a_kind_can_be_asked_for(run, webui):
    run("add-folder", webui)
    assert {row["kind"] for row in _records(run("list", "--kind", "lora", "--json")[0])} == {"lora"}
    out, _ = run("list", "--kind", "lora")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["copy of style", "style"]


@pytest.mark.parametrize("name", ["gone", "file.txt"])
def test_a_folder_that_is_not_there_is_not_added(run, home, tmp_path, name):
    (tmp_path / "file.txt").touch()
    _, err = run("add-folder", tmp_path / name, code=1)
    assert "there is no such folder" in err
    assert not home.settings.exists()


def test_a_scan_tells_in_one_line_each_what_cannot_be_used(run, webui, tmp_path):
    run("add-folder", webui)
    (webui / "models/Lora/link.safetensors").symlink_to(tmp_path / "gone")
    out, err = run("scan")
    assert f"{webui} (A1111 or Forge)" in err
    broken, link = (next(line for line in out.splitlines() if name in line) for name in ("broken", "link"))
    assert "holds pickled Python objects" in broken
    assert link == f"{webui / 'models/Lora/link.safetensors'}: the link leads to nothing."
    rows = _records(run("scan", "--json")[0])
    assert rows[0]["found"]["lora"] == 2
    assert len(rows) == 3


def test_hashes_are_told_as_other_programs_write_them(run, webui):
    run("add-folder", webui)
    content = (webui / "models/Lora/style.safetensors").read_bytes()
    body = content[8 + int.from_bytes(content[:8], "little") :]
    [row] = _records(run("hash", "style", "--json")[0])
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert row["short_hash"] == row["autov3"] == hashlib.sha256(body).hexdigest()[:12]
    out, err = run("hash", "--kind", "lora", "--quiet")
    assert len(out.splitlines()) == 2
    assert err == ""
    assert next(r for r in _records(run("list", "--json")[0]) if r["key"] == "style")["sha256"] == row["sha256"]


def test_everything_about_one_is_told(run, home, webui):
    run("add-folder", webui)
    library = Library(home, [webui])
    library.keep_remark(library.find_asset("lora", "style"), Remark("mine"))
    history = History(home, lambda _path: None)
    made_with = {"adapters": [{"kind": "lora", "name": "style"}]}
    request = GenerationRequest(width=64, height=64, seed=1)
    entry = history.save(Image.new("RGB", (64, 64)), Recipe(app="t", request=request, made_with=made_with))
    history.close()
    [row] = _records(run("info", "style", "--json")[0])
    assert (row["key"], row["pictures"], row["notes"]) == ("style", 1, "mine")
    assert row["last_used"] == entry.created.isoformat()
    assert row["metadata"]["ss_output_name"] == "sty"
    out, _ = run("info", "style")
    assert "triggers" in out
    assert "mine" in out


@pytest.mark.parametrize("name", ["styl", "/no/such.safetensors", "x" * 5000])
def test_what_is_not_there_is_answered_in_one_line(run, webui, name):
    run("add-folder", webui)
    _, err = run("info", name, code=1)
    assert err.count("\n") == 1
    assert len(err) < 500
    assert name != "styl" or "Did you mean style?" in err


def test_a_folder_is_forgotten_and_its_files_stay(run, home, webui):
    run("add-folder", webui)
    out, _ = run("remove", webui)
    assert "its files are untouched" in out
    assert Settings.load(home.settings)[0].model_folders == ()
    assert (webui / "models/Lora/style.safetensors").exists()


def test_a_model_goes_to_the_trash(run, webui, monkeypatch, tmp_path):
    run("add-folder", webui)
    (tmp_path / "trash").mkdir()
    monkeypatch.setattr(models_module, "send2trash", lambda path: shutil.move(path, tmp_path / "trash"))
    [row] = _records(run("remove", "style", "--json")[0])
    assert row == {"path": str(webui / "models/Lora/style.safetensors"), "done": "trashed"}
    assert (tmp_path / "trash/style.safetensors").exists()
    assert "style" not in [row["key"] for row in _records(run("list", "--json")[0])]


def test_what_the_trash_does_not_take_stays_and_is_told(run, webui, monkeypatch):
    run("add-folder", webui)

    def refuse(_path: Path) -> None:
        raise OSError("no trash on this disk")

    monkeypatch.setattr(models_module, "send2trash", refuse)
    _, err = run("remove", "style", code=1)
    assert "no trash on this disk" in err
    assert (webui / "models/Lora/style.safetensors").exists()


def test_the_real_trash_takes_a_file(run, webui):
    run("add-folder", webui)
    run("remove", "style")
    assert not (webui / "models/Lora/style.safetensors").exists()


def test_the_built_in_model_stays(run):
    _, err = run("remove", "drawings-4x", code=1)
    assert "Upscaler = drawings-4x: it is built in" in err
    _, err = run("remove", "starter", code=1)
    assert "part of the program" in err


def test_space_and_duplicates_are_told_and_copies_linked(run, webui):
    run("add-folder", webui)
    rows = [row for row in _records(run("space", "--json")[0]) if row["folder"] == str(webui)]
    assert [(row["kind"], row["files"]) for row in rows] == [("lora", 2), ("checkpoint", 1)]
    style, copy = webui / "models/Lora/style.safetensors", webui / "models/Lora/copy of style.safetensors"
    [row] = _records(run("space", "--duplicates", "--json")[0])
    assert sorted(row["paths"]) == sorted(map(str, (style, copy)))
    assert row["linked"] == []
    assert not os.path.samefile(style, copy)
    out, _ = run("space", "--duplicates", "--link")
    assert "now a hard link" in out
    assert os.path.samefile(style, copy)
    _, err = run("space", "--duplicates")
    assert "No two files hold the same bytes." in err


def test_what_of_a_lora_is_not_drawn_with_is_told_and_files_of_one_name_are_asked_about(run, webui):
    odd = {"lora_unet_a_attn2_to_k.oft_R": torch.zeros(2, 2), "bundle_emb.wet.clip_l": torch.zeros(1, 768)}
    dora = {"lora_unet_a_attn2_to_k.dora_scale": torch.zeros(4, 1)}
    save_file(_LORA | odd | dora, webui / "models/Lora/odd.safetensors")
    (webui / "models/Lora/more").mkdir()
    save_file(_LORA, webui / "models/Lora/more/style.safetensors")
    run("add-folder", webui)
    [row] = _records(run("info", "odd", "--json")[0])
    assert (row["network"], row["embeddings"]) == ("DoRA", ["wet"])
    said = "1 of its 4 tensors are not drawn with, PEFT's OFT: lora_unet_a_attn2_to_k.oft_R"
    assert row["not_drawn"] == [said]
    assert said in run("info", "odd")[0]
    assert f"note: odd: {said}" in run("list", "--kind", "lora")[1]
    _, err = run("info", "style", code=1)
    assert "several files have this name: more/style, Lora/style" in err
    [row] = _records(run("info", "Lora/style", "--json")[0])
    assert row["path"] == str(webui / "models/Lora/style.safetensors")
