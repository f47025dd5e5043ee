"""What a path holds: real tiny diffusers folders, whole and broken in the ways downloads and strangers break them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import ModelDamaged, ModelNotFound, ModelPickled, ModelUnsupported
from sdstudio.core.models.model import ModelLayout, default_request
from sdstudio.library.scanning.identify import examine, weight_files

FAMILIES = ("sd1", "sd2", "sdxl")


@pytest.fixture
def copy(tiny_models, tmp_path):
    """Return a function that copies a tiny model, to be broken."""

    def make(key: str = "sd1", name: str = "model") -> Path:
        return Path(shutil.copytree(tiny_models[key], tmp_path / name))

    return make


def _edit(path: Path, **values: object) -> None:
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({**raw, **values}))


def test_how_many_numbers_a_folder_is_made_of_does_not_depend_on_their_precision(copy):
    path = copy()
    whole = examine(path).info.weights
    for file in path.glob("*/*.safetensors"):
        save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)
    halved = examine(path).info
    assert whole > 100_000
    assert abs(halved.weights / whole - 1) < 0.2  # a header is no weights, and these are tiny


@pytest.mark.parametrize("key", FAMILIES)
def test_a_whole_folder_has_no_problem(tiny_models, key):
    finding = examine(tiny_models[key])
    assert finding.error is None
    assert finding.info.problem == ""
    assert finding.info.family == key
    assert finding.info.layout is ModelLayout.FOLDER
    assert finding.info.pipeline == ("StableDiffusionXLPipeline" if key == "sdxl" else "StableDiffusionPipeline")
    assert finding.info.size_bytes == sum(file.stat().st_size for file in tiny_models[key].rglob("*") if file.is_file())
    assert finding.info.name.startswith("Tiny")
    request = default_request(finding.info)
    assert (request.width, request.height, request.steps, request.scheduler) == (64, 64, 4, "euler")


def test_the_files_that_macos_puts_beside_others_are_passed_over(copy):
    path = copy()
    whole = weight_files(examine(path).info)
    for file in [file for file in path.rglob("*") if file.is_file()]:
        (file.parent / f"._{file.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(4000))
    finding = examine(path)
    assert finding.error is None
    assert weight_files(finding.info) == whole
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (path / "tokenizer" / name).unlink(missing_ok=True)
    assert "lacks its vocabulary" in examine(path).info.problem


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text_encoder": [None, None]}, "it was saved without its text_encoder"),
        ({"vae": None}, "it was saved without its vae"),
        ({"unet": [None, "UNet2DConditionModel"], "scheduler": []}, "without its unet and scheduler"),
        ({"_class_name": "KolorsPipeline"}, "is a KolorsPipeline: its text encoder (ChatGLM)"),
        ({"_class_name": "StableUnCLIPPipeline"}, "draws from the output of a prior model"),
        ({"_class_name": "FluxPipeline"}, "its latents are not the four channels"),
        ({"_class_name": "StableDiffusionImg2ImgPipeline"}, "only text-to-image pipelines"),
    ],
)
def test_a_folder_that_cannot_be_drawn_with_says_the_true_reason(copy, change, reason):
    path = copy()
    _edit(path / "model_index.json", **change)
    finding = examine(path)
    assert isinstance(finding.error, ModelUnsupported)
    assert reason in finding.info.problem


@pytest.mark.parametrize("variant", ["fp16", "bf16", "non_ema"])
def test_weights_of_any_variant_are_enough_and_weights_of_another_format_are_named(copy, variant):
    path = copy()
    weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name(f"diffusion_pytorch_model.{variant}.safetensors"))
    assert examine(path).error is None
    weights.with_name(f"diffusion_pytorch_model.{variant}.safetensors").rename(weights.with_suffix(".gguf"))
    assert "no weights (.safetensors) that can be read, only diffusion_pytorch_model.gguf" in examine(path).info.problem


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2"), ([768, 768], "sd1"), (32, "sd1")])
def test_the_attention_width_tells_families_apart(copy, width, family):
    path = copy()
    (path / "sdstudio.json").unlink()
    _edit(path / "unet" / "config.json", cross_attention_dim=width)
    assert examine(path).info.family == family


def test_without_notes_the_trained_size_comes_from_the_unet(copy):
    path = copy()
    (path / "sdstudio.json").unlink()
    info = examine(path).info
    assert info.name == "model"
    assert (info.defaults["width"], info.defaults["height"]) == (64, 64)
    assert info.size_presets[0] == (64, 64)
    assert all(side % 8 == 0 and side >= 64 for size in info.size_presets for side in size)
    _edit(path / "unet" / "config.json", sample_size=64)
    info = examine(path).info
    assert dict(info.defaults) == {}
    assert info.size_presets == info.family_row.sizes


def test_an_index_or_its_folder_is_the_same_model(tiny_models):
    assert examine(tiny_models["sd1"] / "model_index.json").info == examine(tiny_models["sd1"]).info


def test_a_folder_that_is_no_model_says_so(tmp_path):
    with pytest.raises(ModelUnsupported, match=r"is no model: a model's folder holds model_index\.json"):
        examine(tmp_path)


def test_a_component_points_to_the_folder_above(tiny_models):
    with pytest.raises(ModelUnsupported) as caught:
        examine(tiny_models["sd1"] / "unet")
    assert str(tiny_models["sd1"]) in caught.value.hint


def test_a_parent_points_to_the_folder_below(copy, tmp_path):
    path = copy()
    with pytest.raises(ModelUnsupported) as caught:
        examine(tmp_path)
    assert str(path) in caught.value.hint


def test_nothing_there_is_not_found(tmp_path):
    with pytest.raises(ModelNotFound, match="no such file or folder"):
        examine(tmp_path / "gone")


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.txt", "a.png"])
def test_other_files_are_no_models(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelUnsupported):
        examine(tmp_path / name)


@pytest.mark.parametrize(
    "part",
    [
        "unet", "vae", "text_encoder", "tokenizer", "scheduler", "unet/config.json", "vae/config.json",
        "text_encoder/config.json", "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
    ],
)  # fmt: skip
def test_a_missing_part_is_named(copy, part):
    path = copy()
    lost = path / part
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    finding = examine(path)
    assert isinstance(finding.error, ModelDamaged)
    assert part.split("/")[0] in finding.info.problem
    assert "\n" not in finding.info.problem


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_there_only_as_a_pickle_ask_the_setting(copy, part):
    path = copy()
    (weights,) = (path / part).glob("*.safetensors")
    (path / part / "diffusion_pytorch_model.bin").write_bytes(b"pickled")
    assert examine(path).error is None
    weights.unlink()
    finding = examine(path)
    assert isinstance(finding.error, ModelPickled)
    assert f"the weights of its {part} are there only as a pickle" in finding.info.problem
    assert (finding.info.family, finding.info.defaults["width"]) == ("sd1", 64)


def test_a_tokenizer_without_vocabulary_is_damaged(copy):
    path = copy()
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (path / "tokenizer" / name).unlink(missing_ok=True)
    assert "vocabulary" in examine(path).info.problem


@pytest.mark.parametrize("file", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"])
def test_truncated_weights_are_named(copy, file):
    path = copy()
    with (path / file).open("r+b") as weights:
        weights.truncate((path / file).stat().st_size // 2)
    finding = examine(path)
    assert isinstance(finding.error, ModelDamaged)
    assert str(path / file) in finding.info.problem
    assert "missing" in finding.info.problem


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000])
def test_a_broken_json_file_is_named(copy, file, content):
    path = copy()
    (path / file).write_text(content)
    finding = examine(path)
    assert isinstance(finding.error, ModelDamaged)
    assert str(path / file) in finding.info.problem


@pytest.mark.parametrize(
    "change",
    [
        {"unet": ["os", "system"]},
        {"unet": ["my_module", "Net"]},
        {"unet": ["diffusers", "../Net"]},
        {"../unet": ["diffusers", "UNet2DConditionModel"]},
        {"_class_name": ["pipeline", "Mine"]},
        {"_class_name": "pipeline.Mine"},
        {"_class_name": None},
    ],
)
def test_code_of_strangers_is_refused(copy, change):
    path = copy()
    _edit(path / "model_index.json", **change)
    finding = examine(path)
    assert isinstance(finding.error, ModelUnsupported)
    assert "never run" in finding.info.problem


def test_a_model_that_draws_over_pictures_is_refused_and_one_for_inpainting_is_not(copy):
    path = copy()
    _edit(path / "unet" / "config.json", in_channels=8)
    assert isinstance(examine(path).error, ModelUnsupported)
    _edit(path / "unet" / "config.json", in_channels=9)
    for pipeline in ("StableDiffusionPipeline", "StableDiffusionInpaintPipeline"):
        _edit(path / "model_index.json", _class_name=pipeline)
        finding = examine(path)
        assert finding.error is None
        assert (finding.info.variant, finding.info.pipeline) == ("inpaint", pipeline)


@pytest.mark.parametrize("pipeline", ["StableDiffusionImg2ImgPipeline", "StableDiffusionXLImg2ImgPipeline"])
def test_other_kinds_of_pipelines_are_refused(copy, pipeline):
    path = copy()
    _edit(path / "model_index.json", _class_name=pipeline)
    assert pipeline in examine(path).info.problem


def test_an_unknown_text_to_image_pipeline_is_of_the_other_family(copy):
    path = copy()
    (path / "sdstudio.json").unlink()
    _edit(path / "model_index.json", _class_name="PixArtAlphaPipeline")
    finding = examine(path)
    assert finding.error is None
    assert finding.info.family == "other"


def test_a_filter_that_is_named_and_missing_does_not_matter(copy):
    path = copy()
    _edit(path / "model_index.json", safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert examine(path).error is None


def test_a_missing_shard_is_named(copy):
    path = copy()
    (path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    index = path / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-2.safetensors", "b": "../../evil.safetensors"}}))
    assert "a part of its weights" in examine(path).info.problem


def test_bad_notes_are_warnings_and_the_model_draws(copy):
    path = copy()
    _edit(path / "sdstudio.json", steps=0, latent_rgb=[[1, 1, 1]] * 3)
    finding = examine(path)
    assert finding.error is None
    assert finding.info.preview is None
    assert [warning.split(":")[1].split()[0] for warning in finding.info.warnings] == ["steps", "latent_rgb"]


def test_the_weights_of_a_folder_are_listed_in_order(tiny_models):
    info = examine(tiny_models["sdxl"]).info
    names = [path.relative_to(info.path).as_posix() for path in weight_files(info)]
    assert names == [
        "text_encoder/model.safetensors", "text_encoder_2/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip


def test_a_pickle_is_listed_with_the_way_out(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    finding = examine(tmp_path / "a.ckpt")
    assert isinstance(finding.error, ModelUnsupported)
    assert "Convert it, with `sdstudio models convert a.ckpt`" in finding.info.problem


def test_a_single_checkpoint_has_its_family(tmp_path):
    path = tmp_path / "dream.safetensors"
    save_file(
        {
            "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 4, 3, 3),
            "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": torch.zeros(8, 768),
        },
        path,
    )
    finding = examine(path)
    assert (finding.info.key, finding.info.family, finding.info.layout) == ("dream", "sd1", ModelLayout.SINGLE_FILE)
    assert (finding.info.problem, finding.error) == ("", None)


def test_a_text_file_named_safetensors_is_damaged(tmp_path):
    path = tmp_path / "notes.safetensors"
    path.write_text("just some words")
    finding = examine(path)
    assert isinstance(finding.error, ModelDamaged)
    assert str(path) in finding.info.problem
