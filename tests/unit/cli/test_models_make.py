"""``models merge`` and ``models convert`` on tiny models, in this process."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.cli import main
from sdstudio.core.models.safetensors_header import read_header


@pytest.fixture
def run(home, tiny_models, monkeypatch, capsys):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


@pytest.fixture
def two(run, home):
    """Two single files of one architecture, the second with other weights."""
    run("models", "convert", "tiny", "--out", "a", "--quiet")
    weights = load_file(home.models / "a.safetensors")
    metadata = read_header(home.models / "a.safetensors").metadata
    other = {name: value + 1 if value.is_floating_point() else value for name, value in weights.items()}
    save_file(other, home.models / "b.safetensors", metadata=metadata)
    return home.models / "a.safetensors", home.models / "b.safetensors"


def test_a_folder_becomes_a_file_that_draws_and_a_folder_again(run, home, tmp_path):
    out, err = run("models", "convert", "tiny", "--json")
    row = json.loads(out)
    assert row["path"] == str(home.models / "tiny.safetensors")
    assert row["size_bytes"] == (home.models / "tiny.safetensors").stat().st_size
    assert "tiny.safetensors 100%" in err
    out, _ = run("models", "convert", home.models / "tiny.safetensors", "--layout", "folder", "--out", "again")
    assert out.strip() == str(home.models / "again")
    listed = {row["path"]: row for row in map(json.loads, run("models", "list", "--json")[0].splitlines())}
    assert listed[str(home.models / "tiny.safetensors")]["problem"] == ""
    for name in (home.models / "tiny.safetensors", "again"):
        out, _ = run("generate", "a red heart", "--model", name, "--out", tmp_path / "x.png", "--seed", 1, "--json")
        assert json.loads(out)["width"] == 64


def test_a_folder_outside_the_library_is_converted_too(run, tiny_models, tmp_path):
    folder = tmp_path / "elsewhere" / "mine"
    shutil.copytree(tiny_models["sd1"], folder)
    out, _ = run("models", "convert", folder, "--out", tmp_path / "mine.safetensors", "--json")
    assert json.loads(out)["path"] == str(tmp_path / "mine.safetensors")
    assert len(load_file(tmp_path / "mine.safetensors")) == json.loads(out)["tensors"]
    _, err = run("models", "convert", folder / "unet", "--out", tmp_path / "no.safetensors", code=1)
    assert f"Choose the folder above it, {folder}" in err


def test_half_precision(run, home):
    run("models", "convert", "tiny", "--precision", "float16", "--out", "half", "--quiet")
    values = load_file(home.models / "half.safetensors").values()
    assert {value.dtype for value in values if value.is_floating_point()} == {torch.float16}


def test_a_ckpt_is_converted_though_it_is_not_drawn_with(run, home, two):
    torch.save({"state_dict": load_file(two[0])}, home.models / "old.ckpt")
    _, err = run("generate", "x", "--model", "old", "--out", home.home / "x.png", code=1)
    assert "old.ckpt is a pickle" in err
    assert "Convert it" in err
    run("models", "convert", "old.ckpt", "--out", "new", "--quiet")
    assert load_file(home.models / "new.safetensors").keys() == load_file(two[0]).keys()


def test_a_merge_says_what_it_was_made_of(run, two, home):
    out, err = run("models", "merge", "a", "b", "--alpha", 0.25, "--out", "mix", "--json")
    row = json.loads(out)
    assert row["notes"] == []
    assert "100%" in err
    first, mixed = load_file(two[0]), load_file(row["path"])
    name = "model.diffusion_model.input_blocks.0.0.bias"
    assert torch.equal(mixed[name], first[name] * 0.75 + (first[name] + 1) * 0.25)
    recipe = json.loads(read_header(home.models / "mix.safetensors").metadata["sd_merge_recipe"])
    assert len(recipe["primary_model_hash"]) == len(recipe["secondary_model_hash"]) == 64
    assert recipe["multiplier"] == 0.25
    out, _ = run("generate", "a heart", "--model", "mix", "--out", home.home / "x.png", "--json")
    picture = json.loads(out)
    assert picture["model"] == "mix"
    digest = hashlib.sha256((home.models / "mix.safetensors").read_bytes()).hexdigest()
    assert picture["model_hash"] == digest[:10]  # as A1111 writes it


def test_three_add_a_difference(run, two, home):
    run("models", "merge", "a", "b", "a", "--alpha", 1, "--out", home.home / "sum", "--quiet")
    name = "model.diffusion_model.input_blocks.0.0.bias"
    assert torch.equal(load_file(home.home / "sum.safetensors")[name], load_file(two[1])[name])


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("merge", "a", "b", "--out", "x", "--alpha", "2"), 2, "Alpha = 2"),
        (("merge", "a", "--out", "x"), 2, "Checkpoints = 1"),
        (("merge", "a", "tiny", "--out", "x"), 2, "it is a folder"),
        (("merge", "a", "nothing", "--out", "x"), 1, "there is no such Checkpoint"),
        (("merge", "a", "b", "--out", "a"), 2, "already"),
        (("merge", "a", "b", "--out", "a:b"), 2, "Name ="),
        (("convert", "a", "--layout", "folder", "--out", "tiny"), 2, "already"),
        (("convert", "a", "--out", "x"), 2, "nothing would change"),
        (("convert", "a", "--precision", "float7"), 2, "float7"),
    ],
)
def test_what_is_refused_is_one_line(run, two, home, argv, code, said):
    before = sorted(home.models.iterdir())
    out, err = run("models", *argv, code=code)
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert sorted(home.models.iterdir()) == before


def test_a_file_is_replaced_only_when_it_is_said(run, two, home):
    run("models", "merge", "a", "b", "--out", "b", "--force", "--quiet")
    assert "sd_merge_recipe" in read_header(home.models / "b.safetensors").metadata


def test_a_lora_that_is_a_pickle_is_written_anew_and_says_the_same(run, home, tmp_path):
    stem = "unet.mid_block.to_k"
    weights = {f"{stem}.lora_A.weight": torch.ones(2, 4), f"{stem}.lora_B.weight": torch.ones(4, 2)}
    folder = home.models / "loras" / "mine"
    folder.mkdir(parents=True)
    for ending in ("pt", "ckpt", "bin"):
        torch.save({"state_dict": weights} if ending == "ckpt" else weights, folder / f"old{ending}.{ending}")
        out, _ = run("models", "convert", f"old{ending}.{ending}", "--json")
        made = json.loads(out)["path"]
        assert made == str(folder / f"old{ending}.safetensors")
        assert {name: value.tolist() for name, value in load_file(made).items()} == {
            name: value.tolist() for name, value in weights.items()
        }
    outside = tmp_path / "elsewhere.pt"
    torch.save(weights, outside)
    run("models", "convert", outside, "--out", tmp_path / "new.safetensors", "--precision", "float16")
    assert {value.dtype for value in load_file(tmp_path / "new.safetensors").values()} == {torch.float16}
    torch.save({"weights": print}, tmp_path / "program.pt")
    _, err = run("models", "convert", tmp_path / "program.pt", "--out", tmp_path / "no.safetensors", code=1)
    assert "Python objects" in err
    assert not (tmp_path / "no.safetensors").exists()


def test_a_peft_folders_configuration_goes_into_the_header(run, home):
    folder = home.models / "loras" / "mine" / "unet"
    folder.mkdir(parents=True)
    names = [f"base_model.model.mid_block.to_k.lora_{half}.weight" for half in "AB"]
    torch.save({name: torch.ones(4, 4) for name in names}, folder / "adapter_model.bin")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 16, "peft_type": "LORA"}))
    run("models", "convert", folder / "adapter_model.bin", "--out", home.models / "loras" / "alone.safetensors")
    said = json.loads(read_header(home.models / "loras" / "alone.safetensors").metadata["lora_adapter_metadata"])
    assert said == {"unet.r": 4, "unet.lora_alpha": 16, "unet.peft_type": "LORA"}
