from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.catalog.kinds import VAE
from sdstudio.core.errors import ModelDamaged, ModelPickled, ModelUnsupported
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.settings import PICKLES_TITLE, Settings
from sdstudio.engine.device.memory import MemoryPlan, apply
from tests.tiny_adapters import drawn


@pytest.fixture
def other_vae(tiny_models):
    """The weights of another VAE of the same shapes, as diffusers names them."""
    weights = load_file(tiny_models["sd1"] / "vae" / "diffusion_pytorch_model.safetensors")
    generator = torch.Generator().manual_seed(9)
    return {key: value + 0.1 * torch.randn(value.shape, generator=generator) for key, value in weights.items()}


def original_layout(weights):
    """Return a VAE's weights as the original code names them, with its 1 x 1 convolutions for attention."""
    changed = {}
    for key, value in weights.items():
        side, rest = key.split(".", 1)
        for ours, theirs in (
            ("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"),
            ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"), ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
            ("mid_block.attentions.0.to_k", "mid.attn_1.k"), ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
            ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"), ("conv_norm_out", "norm_out"),
            ("downsamplers.0", "downsample"), ("upsamplers.0", "upsample"), ("resnets", "block"),
            ("conv_shortcut", "nin_shortcut"),
        ):  # fmt: skip
            rest = rest.replace(ours, theirs)
        if rest.startswith("up_blocks."):
            _, level, tail = rest.split(".", 2)
            rest = f"up.{3 - int(level)}.{tail}"
        rest = rest.replace("down_blocks.", "down.")
        if "attn_1" in rest and value.ndim == 2:
            value = value[:, :, None, None]
        inner = f"{side}.{rest}" if side in ("encoder", "decoder") else key
        changed[f"first_stage_model.{inner}"] = value
    return changed


@pytest.mark.parametrize("layout", ["diffusers", "original", "folder", "pickle"])
def test_it_decodes_in_place_of_the_models_own_and_leaves_no_trace(studio, tiny_models, tmp_path, other_vae, layout):
    path = tmp_path / "other.safetensors"
    if layout == "folder":
        path = tmp_path / "other"
        path.mkdir()
        (path / "config.json").write_bytes((tiny_models["sd1"] / "vae" / "config.json").read_bytes())
        save_file(other_vae, path / "diffusion_pytorch_model.safetensors")
    elif layout == "pickle":
        path = tmp_path / "other.vae.pt"
        torch.save({"state_dict": original_layout(other_vae), "epoch": 3}, path)
    else:
        save_file(original_layout(other_vae) if layout == "original" else other_vae, path)
    here = studio("sd1", Settings(previews=False, open_pickles=layout == "pickle"))
    before = drawn(here)
    other = drawn(here, Adapter(VAE, "other", path, "sd1"))
    assert np.abs(other - before).max() > 20
    assert (drawn(here) == before).all()
    fresh = studio("sd1", Settings(previews=False))
    fresh.make(steps=1)
    fresh.pipe.vae.load_state_dict(other_vae)
    assert (drawn(fresh) == other).all()


def before_diffusers_018(weights):
    """Return a VAE's weights under the names that stabilityai/sd-vae-ft-mse has."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, value in weights.items():
        before, dot, kind = key.rpartition(".")
        stem = next((ours for ours in names if before.endswith(f"attentions.0.{ours}")), None)
        renamed[f"{before.removesuffix(stem)}{names[stem]}{dot}{kind}" if stem else key] = value
    return renamed


def test_every_file_that_holds_the_same_vae_draws_the_same(studio, tiny_models, tmp_path, other_vae):
    plain = {key.removeprefix("first_stage_model."): value for key, value in original_layout(other_vae).items()}
    old = before_diffusers_018(other_vae)
    assert set(old) - set(other_vae)
    remnants = {
        "loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.zeros(4, 3, 4, 4),
        "model_ema.decay": torch.zeros(()), "model_ema.num_updates": torch.zeros((), dtype=torch.int32),
        "model_ema.decoderconv_inweight": torch.zeros(3), "optimizer.step": torch.zeros(1),
    }  # fmt: skip
    cases = {
        "names of before 0.18": old, "below a prefix": {f"vae.{key}": value for key, value in old.items()},
        "training remnants": {**plain, **remnants}, "DataParallel": {f"module.{key}": v for key, v in plain.items()},
        "whole checkpoint": {**original_layout(other_vae), "model.diffusion_model.out.2.bias": torch.zeros(4)},
    }  # fmt: skip
    here = studio("sd1", Settings(previews=False, open_pickles=True))
    save_file(other_vae, tmp_path / "wanted.safetensors")
    wanted = drawn(here, Adapter(VAE, "wanted", tmp_path / "wanted.safetensors"))
    wrong = []
    for number, (name, weights) in enumerate(cases.items()):
        save_file(weights, tmp_path / f"{number}.safetensors")
        torch.save({"state_dict": weights, "epoch": 3}, tmp_path / f"{number}.pt")
        for ending in ("safetensors", "pt"):
            if (drawn(here, Adapter(VAE, name, tmp_path / f"{number}.{ending}")) != wanted).any():
                wrong.append(f"{name}, .{ending}")
    assert wrong == []


def test_what_is_amiss_with_one_is_said(studio, tmp_path, other_vae):
    half = {key: value for key, value in other_vae.items() if not key.startswith("encoder.")}
    gap = {key: value for key, value in other_vae.items() if key != "decoder.conv_out.bias"}
    wide = {**other_vae, "decoder.conv_in.weight": torch.zeros(8, 16, 3, 3)}
    whole = {key: value.to(torch.int8) for key, value in other_vae.items()}
    here = studio("sd1")
    for weights, said in (
        (half, "it holds a VAE's decoder only"), (gap, r"it lacks 1 of \d+ weights, decoder\.conv_out\.bias first"),
        (wide, r"decoder\.conv_in\.weight is 8 x 16 x 3 x 3, not 8 x 4 x 3 x 3"), (whole, "quantised weights"),
    ):  # fmt: skip
        save_file(weights, tmp_path / "odd.safetensors")
        with pytest.raises(ModelUnsupported, match=said):
            drawn(here, Adapter(VAE, "odd", tmp_path / "odd.safetensors"))


def test_the_models_own_comes_back_bit_for_bit(studio, tmp_path, other_vae):
    save_file(other_vae, tmp_path / "other.safetensors")
    here = studio("sd1", Settings(previews=False, vae_tiling=True))
    before = drawn(here)
    assert (drawn(here, Adapter(VAE, "other", tmp_path / "other.safetensors")) != before).any()
    assert here.pipe.vae.use_tiling
    assert (drawn(here) == before).all()


def test_one_that_does_not_fit_is_refused_and_the_model_stays_usable(studio, tmp_path, other_vae):
    wrong = dict(other_vae) | {"decoder.conv_in.weight": torch.zeros(3, 3)}
    save_file(wrong, tmp_path / "wrong.safetensors")
    here = studio("sd1")
    before = drawn(here)
    with pytest.raises(ModelUnsupported, match="does not fit"):
        drawn(here, Adapter(VAE, "wrong", tmp_path / "wrong.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "wrong.safetensors").read_bytes()[:-10])
    with pytest.raises(ModelDamaged):
        drawn(here, Adapter(VAE, "cut", tmp_path / "cut.safetensors"))
    assert (drawn(here) == before).all()


def test_a_pickle_is_read_only_while_the_settings_allow_it_and_never_when_it_holds_code(studio, tmp_path, other_vae):
    torch.save({"state_dict": print}, tmp_path / "code.pt")
    torch.save(other_vae, tmp_path / "old.pt")
    here = studio("sd1", Settings(previews=False, open_pickles=True))
    before = drawn(here)
    assert (drawn(here, Adapter(VAE, "old", tmp_path / "old.pt")) != before).any()
    with pytest.raises(ModelUnsupported, match="holds Python objects"):
        drawn(here, Adapter(VAE, "code", tmp_path / "code.pt"))
    drawn(here, Adapter(VAE, "old", tmp_path / "old.pt"))
    here.engine.configure(Settings(previews=False))
    with pytest.raises(ModelPickled, match=r"VAE = old: old\.pt is a pickle") as caught:
        drawn(here, Adapter(VAE, "old", tmp_path / "old.pt"))
    assert PICKLES_TITLE in caught.value.hint
    assert (drawn(here) == before).all()


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_it_comes_in_while_weights_are_offloaded(studio, tmp_path, other_vae, offload):
    save_file(other_vae, tmp_path / "other.safetensors")
    adapter = Adapter(VAE, "other", tmp_path / "other.safetensors")
    wanted = drawn(studio("sd1"), adapter)
    here = studio("sd1", Settings(previews=False))
    plain = drawn(here)
    apply(MemoryPlan(offload=offload), MemoryPlan(), here.pipe, torch.device("cpu", 0))
    here.engine.loaded.plan = MemoryPlan(offload=offload)
    assert np.abs(drawn(here, adapter) - wanted).max() <= 1
    assert np.abs(drawn(here) - plain).max() <= 1


@pytest.fixture
def no_vae(single_files, tmp_path):
    """A checkpoint without its VAE, and that VAE as a file."""
    weights = load_file(single_files("sd1"))
    plain = {key: value for key, value in weights.items() if not key.startswith("first_stage_model.")}
    save_file(plain, tmp_path / "novae.safetensors", read_header(single_files("sd1")).metadata)
    rest = {key: value for key, value in weights.items() if key not in plain}
    save_file(rest, tmp_path / "own.safetensors")
    torch.save(rest, tmp_path / "own.pt")
    return ModelInfo("novae", "novae", tmp_path / "novae.safetensors", "sd1", ModelLayout.SINGLE_FILE)


def test_a_file_without_a_vae_draws_with_one_and_says_so_without(studio, single_files, no_vae, tmp_path, other_vae):
    whole = studio("sd1", Settings(previews=False), single_files("sd1"))
    whole.model = replace(no_vae, path=single_files("sd1"))
    here = studio("sd1", Settings(previews=False), no_vae.path)
    here.model = no_vae
    for _ in range(2):
        with pytest.raises(ModelUnsupported, match=r"novae\.safetensors holds no VAE") as caught:
            here.make()
        assert "Choose a VAE" in caught.value.hint
        got = drawn(here, Adapter(VAE, "own", tmp_path / "own.safetensors"))
        assert np.abs(got - drawn(whole)).max() <= 1
    save_file(other_vae, tmp_path / "other.safetensors")
    other = Adapter(VAE, "other", tmp_path / "other.safetensors")
    assert np.abs(drawn(here, other) - drawn(whole, other)).max() <= 1
    fresh = studio("sd1", Settings(previews=False), no_vae.path)
    fresh.model = no_vae
    with pytest.raises(ModelPickled):
        drawn(fresh, Adapter(VAE, "own", tmp_path / "own.pt"))
