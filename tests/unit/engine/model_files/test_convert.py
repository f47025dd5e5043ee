"""Models written in another layout or number format, and what is refused before a byte is written."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import Cancelled, ModelDamaged, ModelUnsupported, StudioError
from sdstudio.core.models.checkpoint import FIRST_CONV, PARTS_KEY, prediction_of
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.models.work import ConvertOrder, MergeInput, MergeOrder
from sdstudio.core.paths import resources
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.model_files.folder import check_files
from sdstudio.engine.model_files.merge import merge
from sdstudio.engine.model_files.own_parts import own_parts
from sdstudio.engine.model_files.single_file import lay_out
from sdstudio.library.library import Library
from sdstudio.library.scanning.identify import examine
from tests.unit.engine.conftest import pickle_weights
from tests.unit.engine.model_files.test_folder import rewrite_index

FILE, FOLDER = ModelLayout.SINGLE_FILE, ModelLayout.FOLDER


def run(source, target, layout, precision="keep", on_progress=lambda fraction: None, cancel=None, replace=False):
    return convert(ConvertOrder(source, target, layout, precision, replace), on_progress, cancel or threading.Event())


@pytest.fixture
def tiny(tiny_models):
    return tiny_models["sd1"]


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_folder_that_became_a_file_and_a_folder_again_draws_the_same(studio, tiny_models, tmp_path, family):
    file = run(tiny_models[family], tmp_path / "x.safetensors", FILE).path
    back = run(file, tmp_path / "back", FOLDER).path
    half = Settings(previews=False, precision="bfloat16")
    pixels = []
    for path in (tiny_models[family], back):
        here = studio(family, half, path)
        here.model = ModelInfo("x", "x", path, family)
        pixels.append(np.asarray(here.make()[0].pixels))
    assert np.array_equal(*pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "x.safetensors"]
    assert json.loads((back / "sdstudio.json").read_text())["family"] == family
    pipe = diffusers.DiffusionPipeline.from_pretrained(str(back), local_files_only=True)  # as other programs do
    assert type(pipe).__name__ == json.loads((tiny_models[family] / "model_index.json").read_text())["_class_name"]


def test_the_built_in_model_becomes_a_file_that_draws_the_same(studio, tmp_path):
    file = run(resources() / "starter", tmp_path / "starter-copy.safetensors", FILE).path
    pixels = []
    for path, layout in ((resources() / "starter", FOLDER), (file, FILE)):
        here = studio("sd1", Settings(previews=False), path)
        here.model = ModelInfo("x", "x", path, "sd1", layout)
        pixels.append(np.asarray(here.make(steps=2)[0].pixels, dtype=int))
    assert np.abs(pixels[0] - pixels[1]).max() <= 1


def test_half_precision_halves_a_file_and_keeps_whole_numbers(tmp_path):
    weights = {"a.weight": torch.randn(100, 10), "ids": torch.arange(7)}
    save_file(weights, tmp_path / "x.safetensors", metadata={"modelspec.title": "X"})
    told = []
    report = run(tmp_path / "x.safetensors", tmp_path / "half.safetensors", FILE, "float16", told.append)
    half = load_file(report.path)
    assert torch.equal(half["a.weight"], weights["a.weight"].half())
    assert torch.equal(half["ids"], weights["ids"])
    assert read_header(report.path).metadata == {"format": "pt", "modelspec.title": "X"}
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_half_precision_of_a_folder_draws(studio, tiny, tmp_path):
    report = run(tiny, tmp_path / "half", FOLDER, "float16")
    assert report.size_bytes < sum(path.stat().st_size for path in tiny.rglob("*") if path.is_file())
    networks = [load_file(path) for path in report.path.rglob("*.safetensors")]
    assert {value.dtype for each in networks for value in each.values() if value.is_floating_point()} == {torch.float16}
    assert len(studio("sd1", Settings(previews=False), report.path).make()) == 1


def test_half_precision_of_a_folder_of_shards_is_one_file(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "shards")
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    pipe.unet.save_pretrained(folder / "unet", max_shard_size="200KB")
    report = run(folder, tmp_path / "half", FOLDER, "bfloat16")
    assert [path.name for path in (report.path / "unet").glob("*.safetensors")] == [
        "diffusion_pytorch_model.safetensors"
    ]
    assert not list(report.path.rglob("*.index.json"))
    check_files(report.path)


def test_a_folder_of_pickles_becomes_safetensors_of_the_same_weights(tiny, tmp_path):
    old = Path(shutil.copytree(tiny, tmp_path / "old"))
    pickle_weights(old)
    new = run(old, tmp_path / "new", FOLDER).path
    assert not list(new.rglob("*.bin"))
    pairs = [(path, new / path.relative_to(tiny)) for path in tiny.rglob("*.safetensors")]
    file = run(old, tmp_path / "new.safetensors", FILE).path
    pairs.append((run(tiny, tmp_path / "same.safetensors", FILE).path, file))
    for path, written in pairs:
        before, after = load_file(path), load_file(written)
        assert before.keys() == after.keys()
        assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_ckpt_becomes_safetensors_with_every_weight(tmp_path):
    weights = {"a.weight": torch.randn(100, 10).half(), "ids": torch.arange(7), "shared": torch.ones(4)}
    torch.save({"state_dict": {**weights, "same": weights["shared"]}, "epoch": 3}, tmp_path / "old.ckpt")
    found = load_file(run(tmp_path / "old.ckpt", tmp_path / "new.safetensors", FILE).path)
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    assert torch.equal(found["same"], weights["shared"])


@pytest.mark.parametrize(("name", "yaml"), [("mine", "model:\n  parameterization: v\n"), ("mine-vpred", "")])
def test_what_a_file_predicts_goes_with_it_under_another_name(tmp_path, name, yaml):
    weights = {FIRST_CONV: torch.randn(4, 4, 3, 3)}
    torch.save({"state_dict": weights}, tmp_path / f"{name}.ckpt")
    if yaml:
        (tmp_path / f"{name}.yaml").write_text(yaml)
    written = run(tmp_path / f"{name}.ckpt", tmp_path / "new.safetensors", FILE).path
    assert prediction_of(written, read_header(written)) == "v_prediction"
    inputs = tuple(MergeInput(path) for path in (tmp_path / f"{name}.ckpt", written))
    made = merge(MergeOrder(inputs, tmp_path / "sum.safetensors"), lambda done: None, threading.Event()).path
    assert prediction_of(made, read_header(made)) == "v_prediction"


def test_what_lightning_left_in_a_ckpt_is_passed_over(tmp_path, monkeypatch):
    """Stable Diffusion 1.4 and 1.5 were published like this; the class stands in for one that is not installed."""
    import argparse
    import sys
    import types

    import numpy

    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    ran = []
    state = {"__module__": module.__name__, "__setstate__": lambda self, state: ran.append(state)}
    module.ModelCheckpoint = type("ModelCheckpoint", (), state)
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kept = module.ModelCheckpoint()
    kept.best = 1
    weights = {"a": torch.randn(3)}
    beside = {"callbacks": {module.ModelCheckpoint: kept}, "score": numpy.float64(2), "args": argparse.Namespace(x=1)}
    torch.save({"state_dict": weights, **beside}, tmp_path / "old.ckpt")
    monkeypatch.delitem(sys.modules, module.__name__)
    found = load_file(run(tmp_path / "old.ckpt", tmp_path / "new.safetensors", FILE).path)
    assert torch.equal(found["a"], weights["a"])
    assert ran == []


def test_a_ckpt_with_programs_is_refused(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(1)}, "odd": threading.Event}, tmp_path / "evil.ckpt")
    with pytest.raises(ModelUnsupported, match="Python objects"):
        run(tmp_path / "evil.ckpt", tmp_path / "x.safetensors", FILE)
    (tmp_path / "junk.ckpt").write_bytes(b"PK\x03\x04 junk")
    with pytest.raises((ModelDamaged, ModelUnsupported), match=r"junk\.ckpt"):
        run(tmp_path / "junk.ckpt", tmp_path / "x.safetensors", FILE)
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("source", "target", "layout", "said"),
    [
        ("tiny", "x.safetensors", "file", ""),
        ("tiny", "x.ckpt", "file", r"a \.safetensors file is allowed"),
        ("tiny", "folder", "folder", "nothing would change"),
        ("tiny", "there", "folder", "already"),
        ("tiny", "none/x.safetensors", "file", "its folder is not there"),
    ],
)
def test_orders_without_sense_are_refused(tiny, tmp_path, source, target, layout, said):
    (tmp_path / "there").mkdir()
    chosen = FILE if layout == "file" else FOLDER
    precision = "float16" if said == "already" else "keep"
    if not said:
        assert run(tiny, tmp_path / target, chosen).tensors > 100
        with pytest.raises(StudioError, match="already"):
            run(tiny, tmp_path / target, chosen)
        assert run(tiny, tmp_path / target, chosen, replace=True).tensors > 100
        return
    with pytest.raises(StudioError, match=said):
        run(tiny, tmp_path / target, chosen, precision)
    with pytest.raises(StudioError, match="Precision = float7"):
        run(tiny, tmp_path / "x", chosen, "float7")


def test_a_library_that_looks_meanwhile_sees_no_half_made_model(tiny, home):
    seen = []

    def look(fraction):
        if len(seen) < 3:
            seen.append({model.path.name for model in Library(home).models()})

    run(run(tiny, home.home / "x.safetensors", FILE).path, home.models / "new", FOLDER, on_progress=look)
    run(tiny, home.models / "new.safetensors", FILE, on_progress=look)
    assert seen[0] == seen[1] == seen[2] == {"starter"}


@pytest.mark.parametrize("layout", [FILE, FOLDER])
def test_a_cancelled_conversion_leaves_nothing(tiny, tmp_path, layout):
    source = tiny if layout is FILE else run(tiny, tmp_path / "source.safetensors", FILE).path
    before, cancel, told = set(tmp_path.iterdir()), threading.Event(), []

    def look(fraction):
        told.append(fraction)
        if len(told) == 40:
            cancel.set()

    with pytest.raises(Cancelled):
        run(source, tmp_path / ("x.safetensors" if layout is FILE else "x"), layout, "keep", look, cancel)
    assert set(tmp_path.iterdir()) == before


def test_weights_that_have_no_place_in_a_single_file_are_named(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "odd")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file({**weights, "odd_layer.weight": torch.zeros(2)}, file, metadata={"format": "pt"})
    report = None
    with pytest.raises(ModelUnsupported, match=r"unet have no place in a single file, the first is odd_layer\.weight"):
        report = run(folder, tmp_path / "x.safetensors", FILE)
    assert report is None


def test_an_inpainting_model_is_converted_both_ways(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "inpaint")
    rewrite_index(folder, _class_name="StableDiffusionInpaintPipeline")
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "in_channels": 9}))
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    wide = torch.randn(weights["conv_in.weight"].shape[0], 9, 3, 3)
    save_file({**weights, "conv_in.weight": wide}, file, metadata={"format": "pt"})
    single = run(folder, tmp_path / "x.safetensors", FILE).path
    assert torch.equal(load_file(single)["model.diffusion_model.input_blocks.0.0.weight"], wide)
    back = run(single, tmp_path / "back", FOLDER).path
    assert torch.equal(load_file(back / "unet" / file.name)["conv_in.weight"], wide)
    assert examine(single).info.variant == "inpaint"
    assert examine(single).error is None


def test_a_pipeline_without_a_single_file_layout_is_named(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "other")
    rewrite_index(folder, _class_name="StableDiffusionPAGPipeline")
    with pytest.raises(ModelUnsupported, match="is a StableDiffusionPAGPipeline"):
        run(folder, tmp_path / "x.safetensors", FILE)


def test_what_every_program_knows_is_not_written_into_the_header(tmp_path):
    """A folder with the configuration of its family carries none of it."""
    from sdstudio.core.models.checkpoint import VOCABULARY_FILES

    folder = shutil.copytree(resources() / "configs" / "sd1", tmp_path / "plain")
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        save_file({"x": torch.zeros(1)}, folder / part / f"{name}.safetensors")
    for file in VOCABULARY_FILES:
        shutil.copyfile(resources() / "configs" / "clip" / file, folder / "tokenizer" / file)
    assert own_parts(check_files(folder)) == {}
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "attention_head_dim": 4}))
    carried = own_parts(check_files(folder))
    assert json.loads(carried[PARTS_KEY])["configs"]["unet"]["attention_head_dim"] == 4
    assert json.loads(carried[PARTS_KEY])["vocabularies"] == {}


def test_configurations_are_laid_out_as_diffusers_reads_them(tiny, tmp_path):
    from sdstudio.core.models.checkpoint import embedded_parts

    file = run(tiny, tmp_path / "x.safetensors", FILE).path
    parts = embedded_parts(file, read_header(file))
    assert parts is not None
    (tmp_path / "laid").mkdir()
    lay_out(parts, tmp_path / "laid")
    names = {path.relative_to(tmp_path / "laid").as_posix() for path in (tmp_path / "laid").rglob("*.*")}
    assert names >= {
        "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
        "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json",
        "tokenizer/merges.txt",
    }  # fmt: skip
