"""Single files draw what the folder they were made from draws, offline, and what is wrong with one is one line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from sdstudio.catalog.checkpoints import CHECKPOINTS
from sdstudio.catalog.kinds import LORA
from sdstudio.core.errors import Cancelled, ModelDamaged, ModelLoadFailed, ModelUnsupported
from sdstudio.core.events import ModelLoading
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.checkpoint import PARTS_KEY
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.folder import Component, FileParts, ModelFiles
from sdstudio.engine.model_files.loading import find_files
from sdstudio.engine.model_files.single_file import CLIP_TOKENS, SingleFileReader, check_single_file, notices_of
from tests.tiny_adapters import change_of, write_kohya

FAMILIES = ("sd1", "sd2", "sdxl")
QUIET = Settings(previews=False)


def single(path, family="sd1"):
    return ModelInfo(path.stem, path.stem, path, family, ModelLayout.SINGLE_FILE)


def drawn(studio, model, settings=QUIET, *adapters, **values):
    here = studio(model.family, settings, model.path)
    here.model, here.adapters = model, adapters
    (image,) = here.make(**values)
    return np.asarray(image.pixels, dtype=int), here


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_and_the_file_made_from_it_draw_the_same_pixels(studio, tiny_models, single_files, family):
    half = Settings(previews=False, precision="bfloat16")
    folder = ModelInfo("folder", "folder", tiny_models[family], family)
    pixels, _ = drawn(studio, folder, half)
    same, _ = drawn(studio, single(single_files(family), family), half)
    assert np.array_equal(pixels, same)
    pixels, here = drawn(studio, folder)
    same, other = drawn(studio, single(single_files(family), family))
    assert np.array_equal(pixels, same)
    for part in ("unet", "vae", "text_encoder", *(["text_encoder_2"] if family == "sdxl" else [])):
        ours, theirs = getattr(here.pipe, part).state_dict(), getattr(other.pipe, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert type(here.pipe) is type(other.pipe)
    assert other.pipe.scheduler.config.prediction_type == here.pipe.scheduler.config.prediction_type


def test_nothing_is_asked_from_the_network_nor_written_to_the_terminal(studio, single_files, monkeypatch, capfd):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    drawn(studio, single(single_files("sdxl"), "sdxl"))
    assert asked == []
    assert capfd.readouterr() == ("", "")


def test_progress_goes_up_part_by_part_and_the_file_is_read_once(studio, single_files):
    _, here = drawn(studio, single(single_files("sd1")))
    told = here.of(ModelLoading)
    assert {event.part for event in told} == {"scheduler", "text_encoder", "tokenizer", "unet", "vae", ""}
    fractions = [event.fraction for event in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    here.make()
    assert here.of(ModelLoading) == []


@pytest.mark.parametrize("part", ["text_encoder", "unet", "vae"])
def test_loading_stops_when_it_is_cancelled(studio, single_files, part):
    here = studio("sd1", QUIET)
    here.model = single(single_files("sd1"))

    def stop(event):
        if isinstance(event, ModelLoading) and event.part == part:
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(on_event=stop)
    assert here.engine.status().model == ""
    assert len(here.make()) == 1


def test_the_format_of_the_settings_is_that_of_every_network(studio, single_files):
    _, here = drawn(studio, single(single_files("sdxl"), "sdxl"), Settings(precision="float16", previews=False))
    networks = (here.pipe.unet, here.pipe.vae, here.pipe.text_encoder, here.pipe.text_encoder_2)
    assert {network.dtype for network in networks} == {torch.float16}


def changed(path, target, change, **notes):
    weights = load_file(path)
    change(weights)
    save_file(weights, target, metadata={**read_header(path).metadata, **notes})
    return target


@pytest.mark.parametrize(("prefix", "part"), [("first_stage_model.", "VAE"), ("cond_stage_model.", "text_encoder")])
def test_a_file_that_lacks_a_part_is_named_before_anything_is_read(studio, single_files, tmp_path, prefix, part):
    def cut(weights):
        for name in [name for name in weights if name.startswith(prefix)]:
            del weights[name]

    path = changed(single_files("sd1"), tmp_path / "part.safetensors", cut)
    here = studio("sd1", QUIET)
    here.model = single(path)
    with pytest.raises((ModelDamaged, ModelUnsupported), match=rf"part\.safetensors holds no {part}"):
        here.make()
    assert here.events == []


def test_a_missing_weight_is_noticed(studio, single_files, tmp_path):
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    path = changed(single_files("sd1"), tmp_path / "x.safetensors", lambda weights: weights.pop(name))
    with pytest.raises((ModelDamaged, ModelLoadFailed), match="its unet"):
        drawn(studio, single(path))


def test_a_weight_of_another_shape_is_noticed(studio, single_files, tmp_path):
    def change(weights):
        weights["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(16, 9, 3, 3)

    path = changed(single_files("sd1"), tmp_path / "x.safetensors", change)
    with pytest.raises(ModelLoadFailed, match="its unet would not load"):
        drawn(studio, single(path))


def test_a_truncated_file_is_named(studio, single_files, tmp_path):
    path = tmp_path / "x.safetensors"
    shutil.copyfile(single_files("sd1"), path)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(ModelDamaged, match="100 of its"):
        drawn(studio, single(path))


def test_a_file_of_another_kind_is_named(studio, tmp_path):
    save_file({"lora_unet_down_blocks_0.lora_down.weight": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelUnsupported, match=r"lora\.safetensors is no checkpoint"):
        drawn(studio, single(tmp_path / "lora.safetensors"))


def test_parts_that_name_code_from_elsewhere_are_refused(studio, single_files, tmp_path):
    parts = json.loads(read_header(single_files("sd1")).metadata[PARTS_KEY])
    parts["index"]["unet"] = ["os", "system"]
    path = changed(
        single_files("sd1"), tmp_path / "x.safetensors", lambda weights: None, **{PARTS_KEY: json.dumps(parts)}
    )
    with pytest.raises(ModelUnsupported, match=r"its unet is os\.system"):
        drawn(studio, single(path))


def test_text_weights_without_their_inner_prefix_are_read(studio, single_files, tmp_path):
    """NovelAI's files of 2022 and those merged from them."""

    def rename(weights):
        for name in [name for name in weights if name.startswith("cond_stage_model.transformer.text_model.")]:
            weights[name.replace("text_model.", "")] = weights.pop(name)

    pixels, _ = drawn(studio, single(single_files("sd1")))
    same, _ = drawn(studio, single(changed(single_files("sd1"), tmp_path / "x.safetensors", rename)))
    assert np.abs(pixels - same).max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_what_published_files_hold_besides_is_passed_over(studio, single_files, tmp_path, family):
    """Position numbers (as half precision in many merges), training leftovers, OpenCLIP's last layer and its mask."""

    def add(weights):
        prefix = "conditioner.embedders.0" if family == "sdxl" else "cond_stage_model"
        weights[f"{prefix}.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None].half()
        for name in ("alphas_cumprod", "betas", "model_ema.decay", "cond_stage_model.logit_scale"):
            weights[name] = torch.zeros(3)
        if family == "sd2":
            weights["cond_stage_model.model.attn_mask"] = torch.zeros(77, 77)
            weights["cond_stage_model.model.logit_scale"] = torch.zeros(())
            del weights[f"{prefix}.transformer.text_model.embeddings.position_ids"]

    pixels, _ = drawn(studio, single(single_files(family), family))
    same, _ = drawn(studio, single(changed(single_files(family), tmp_path / "x.safetensors", add), family))
    assert np.abs(pixels - same).max() <= 1


def test_a_file_that_says_so_predicts_v_and_ends_at_zero_signal(studio, single_files, tmp_path):
    def tell(weights):
        weights["v_pred"] = torch.zeros(0)
        weights["ztsnr"] = torch.zeros(0)

    _, here = drawn(studio, single(changed(single_files("sdxl"), tmp_path / "x.safetensors", tell), "sdxl"))
    assert here.pipe.scheduler.config.prediction_type == "v_prediction"
    assert here.pipe.scheduler.config.rescale_betas_zero_snr is True


def test_a_yaml_that_changes_what_is_predicted_loads_the_file_anew(studio, single_files, tmp_path):
    path = changed(
        single_files("sd1"), tmp_path / "x.safetensors", lambda weights: None, **{"modelspec.prediction_type": ""}
    )
    _, here = drawn(studio, single(path))
    assert here.pipe.scheduler.config.prediction_type == "epsilon"
    path.with_suffix(".yaml").write_text('parameterization: "v"')
    here.make()
    assert here.pipe.scheduler.config.prediction_type == "v_prediction"


@pytest.fixture
def ckpt(single_files, tmp_path):
    """A tiny checkpoint as people had them in 2022, with its own parts beside it in no header: a pickle has none."""
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(single_files("sd1")), "global_step": 7}, path)
    return path


def test_a_pickle_is_refused_by_default_with_the_way_out(studio, ckpt):
    with pytest.raises(ModelUnsupported, match=r"old\.ckpt is a pickle") as error:
        drawn(studio, single(ckpt))
    assert "sdstudio models convert" in error.value.hint


def test_a_pickle_that_may_be_opened_is_warned_about(ckpt, monkeypatch):
    """Its widths are a test's, so its row is given to it here; what is read is the file."""
    monkeypatch.setattr("sdstudio.engine.model_files.single_file.spec_of", lambda path, header: CHECKPOINTS[0])
    files = check_single_file(ckpt, with_pickles=True)
    assert files.pickled
    assert [part.name for part in files.components] == ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]
    ((message, hint),) = notices_of(files)
    assert "old.ckpt is a pickle" in message
    assert "models convert" in hint
    with pytest.raises(ModelUnsupported):
        find_files(single(ckpt), with_checker=False, known=files, with_pickles=False)


def test_a_pickle_draws_what_its_safetensors_draws_and_is_warned_about(
    studio, tiny_models, single_files, ckpt, monkeypatch
):
    """A pickle has no header for parts of its own, so a tiny model's stand here in place of those that ship."""
    configs = ckpt.parent / "configs" / "sd1"
    shutil.copytree(tiny_models["sd1"], configs)
    module = "sdstudio.engine.model_files.single_file"
    monkeypatch.setattr(f"{module}.spec_of", lambda path, header: CHECKPOINTS[0])
    monkeypatch.setattr(f"{module}.resources", lambda: ckpt.parent)
    monkeypatch.setattr(f"{module}.CLIP_FOLDER", configs / "tokenizer")
    monkeypatch.setattr(f"{module}.CLIP_TOKENS", 554)
    pixels, _ = drawn(studio, single(single_files("sd1")))
    same, here = drawn(studio, single(ckpt), Settings(previews=False, open_pickles=True))
    assert np.abs(pixels - same).max() <= 1
    assert "old.ckpt is a pickle" in here.notices[0].message
    here.engine.configure(QUIET)
    with pytest.raises(ModelUnsupported, match="is a pickle"):
        here.make()


class _Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (self.target,))


@pytest.mark.parametrize("legacy", [False, True])
def test_no_program_in_a_pickle_is_ever_run(studio, tmp_path, monkeypatch, legacy):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    proof, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    if legacy:
        path.write_bytes(pickle.dumps(_Evil(str(proof)), protocol=2))
    else:
        torch.save({"state_dict": _Evil(str(proof))}, path)
    with pytest.raises(ModelUnsupported, match="Python objects"):
        drawn(studio, single(path), Settings(previews=False, open_pickles=True))
    path.rename(tmp_path / "evil.safetensors")
    with pytest.raises(ModelDamaged, match="pickled Python objects"):
        drawn(studio, single(tmp_path / "evil.safetensors"))
    assert not proof.exists()


def test_a_checkpoint_of_sd_2_that_does_not_say_what_it_predicts_is_told(tmp_path):
    from sdstudio.core.paths import resources

    parts = FileParts(resources() / "configs" / "sd2", None)
    files = ModelFiles(tmp_path / "x.safetensors", "StableDiffusionPipeline", (), (), (), 0, parts)
    ((message, hint),) = notices_of(files)
    assert "v-prediction is assumed" in message
    assert "Prediction" in hint


@pytest.mark.parametrize(
    ("key", "name", "pad"), [("sd1", "tokenizer", 49407), ("sd2", "tokenizer", 0), ("sdxl", "tokenizer_2", 0)]
)
def test_the_shipped_vocabulary_is_clips(tmp_path, key, name, pad):
    """Numbers as OpenAI's own tokenizer gives them (CLIP's README and its tests)."""
    from sdstudio.core.paths import resources

    folder = resources() / "configs" / key
    files = ModelFiles(tmp_path, "", (), (), (), 0, FileParts(folder, None))
    reader = SingleFileReader(files, files.single, folder)
    tokenizer = reader.part(CLIPTokenizer, Component(name, "transformers", "CLIPTokenizer", folder / name), None)
    assert len(tokenizer) == CLIP_TOKENS
    ids = tokenizer("A photo of a cat", padding="max_length", truncation=True).input_ids
    assert ids[:7] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert ids[7:] == [pad] * 70
    assert tokenizer("astronaut riding 🐸").input_ids == [49406, 18376, 6765, 40298, 49407]


def test_a_lora_acts_on_a_single_file_as_on_the_folder_and_leaves_no_trace(studio, tiny_models, single_files, tmp_path):
    folder = ModelInfo("folder", "folder", tiny_models["sd1"], "sd1")
    half = Settings(previews=False, precision="bfloat16")
    _, here = drawn(studio, folder, half)
    lora = Adapter(LORA, "ink", write_kohya(change_of(here.pipe), tmp_path / "ink.safetensors"), "sd1")
    file = single(single_files("sd1"))
    before, other = drawn(studio, file, half)
    wanted, _ = drawn(studio, folder, half, lora)
    other.adapters = (lora,)
    changed = np.asarray(other.make()[0].pixels, dtype=int)
    assert np.array_equal(changed, wanted)
    assert (changed != before).any()
    other.adapters = ()
    assert np.array_equal(np.asarray(other.make()[0].pixels, dtype=int), before)
