from __future__ import annotations

import json
from dataclasses import replace

import accelerate
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.catalog.kinds import EMBEDDING, LORA
from sdstudio.core.errors import InvalidRequest, ModelDamaged, ModelUnsupported
from sdstudio.core.events import Notice
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.lora_names import read_names
from sdstudio.core.settings import Settings
from sdstudio.engine.adapters.lora_file import read_lora
from sdstudio.engine.adapters.lora_layers import original_name
from sdstudio.engine.device.memory import MemoryPlan, apply
from tests.tiny_adapters import change_of, drawn, merge, write_comfyui, write_diffusers, write_embedding, write_kohya

SPELLINGS = {
    "kohya": write_kohya,
    "kohya, original names": lambda change, path: write_kohya(change, path, original=True),
    "diffusers": write_diffusers,
    "comfyui": write_comfyui,
}


@pytest.fixture
def lora(studio, tmp_path):
    """Give a LoRA for a family, in a spelling, and the change that it makes."""

    def build(family, spelling="kohya", weight=1.0, name="tiny", **about):
        here = studio(family)
        here.make(steps=1)
        change = change_of(here.pipe, **about)
        path = SPELLINGS[spelling](change, tmp_path / f"{name}.safetensors")
        return Adapter(LORA, name, path, family, text_weight=weight, unet_weight=weight), change

    return build


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_it_draws_what_the_merged_weights_draw(studio, lora, family, spelling):
    adapter, change = lora(family, spelling, weight=0.7)
    plain, changed = drawn(studio(family)), drawn(studio(family), adapter)
    merged = studio(family, Settings(previews=False))
    merged.make(steps=1)
    merge(merged.pipe, change, 0.7)
    assert np.abs(changed - plain).max() > 20
    assert np.abs(changed - drawn(merged)).max() <= 1
    assert not studio(family).notices


def test_it_acts_in_the_pass_that_names_it(studio, lora, tmp_path):
    here = studio("sd1")
    adapter, _ = lora("sd1", weight=0.0)
    plain = drawn(here)
    here.adapters = (replace(adapter, second_weights=(1.0, 1.0)),)
    for _ in range(2):
        (both,) = here.make(hires=2, hires_strength=0.5)
    here.adapters = ()
    (first,) = here.make()
    first.pixels.save(tmp_path / "first.png")
    here.picture = tmp_path / "first.png"
    over = {"init_image": "5a" * 32, "width": 128, "height": 128, "steps": 6, "strength": 0.5}
    (without,) = here.make(**over)
    here.adapters = (replace(adapter, text_weight=1.0, unet_weight=1.0),)
    (by_hand,) = here.make(**over)
    here.adapters, here.picture = (), None
    made, right, other = (np.asarray(image.pixels, np.int16) for image in (both, by_hand, without))
    assert np.abs(made - right).max() <= 2
    assert np.abs(made - other).max() > 20
    assert both.recipe.made_with["adapters"][0]["second_weights"] == [1.0, 1.0]
    assert (drawn(here) == plain).all()


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_taken_off_it_leaves_no_trace(studio, lora, family):
    here = studio(family)
    before = drawn(here)
    adapter, _ = lora(family)
    assert (drawn(here, adapter) != before).any()
    assert (drawn(here) == before).all()
    hooks = [hook for module in here.pipe.unet.modules() for hook in module._forward_hooks.values()]
    assert not hooks


def test_at_weight_0_it_is_none(studio, lora):
    adapter, _ = lora("sd1", weight=0.0)
    assert (drawn(studio("sd1"), adapter) == drawn(studio("sd1"))).all()


def test_text_encoder_and_unet_have_weights_of_their_own(studio, lora):
    adapter, change = lora("sd1")
    only_unet = drawn(studio("sd1"), replace(adapter, text_weight=0.0))
    only_text = drawn(studio("sd1"), replace(adapter, unet_weight=0.0))
    assert (only_unet != only_text).any()
    merged = studio("sd1", Settings(previews=False))
    merged.make(steps=1)
    merge(merged.pipe, {place: parts for place, parts in change.items() if place[0] == "unet"}, 1.0)
    assert np.abs(only_unet - drawn(merged)).max() <= 1


def test_several_add_up_in_any_order(studio, lora):
    one, _ = lora("sd1", name="one", seed=1)
    two, _ = lora("sd1", name="two", seed=2)
    here = studio("sd1")
    both = drawn(here, one, two)
    assert np.abs(both - drawn(here, two, one)).max() <= 1
    assert (both != drawn(here, one)).any()


def test_it_stays_in_memory_while_jobs_use_it_and_no_longer(studio, lora, monkeypatch):
    import sdstudio.engine.adapters.attached_lora as attached

    read = []
    monkeypatch.setattr(attached, "read_lora", lambda path, **about: read.append(path) or read_lora(path, **about))
    adapter, _ = lora("sd1")
    here = studio("sd1")
    drawn(here, adapter)
    drawn(here, replace(adapter, unet_weight=0.5, text_weight=0.5))
    drawn(here, adapter)
    assert len(read) == 1
    drawn(here)
    drawn(here, adapter)
    assert len(read) == 2


def test_loha_and_lokr_change_whole_weights(studio, lora, tmp_path):
    here = studio("sd1")
    here.make(steps=1)
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    layer = here.pipe.unet.get_submodule(name)
    out, inside = layer.weight.shape
    stem = "lora_unet_" + name.replace(".", "_")
    generator = torch.Generator().manual_seed(3)
    random = {part: torch.randn(*shape, generator=generator) for part, shape in {
        "hada_w1_a": (out, 2), "hada_w1_b": (2, inside), "hada_w2_a": (out, 2), "hada_w2_b": (2, inside),
        "lokr_w1": (4, 4), "lokr_w2_a": (out // 4, 2), "lokr_w2_b": (2, inside // 4),
    }.items()}  # fmt: skip
    x = torch.randn(3, inside, generator=generator)
    plain = layer(x)
    loha = (random["hada_w1_a"] @ random["hada_w1_b"]) * (random["hada_w2_a"] @ random["hada_w2_b"]) * 0.5
    lokr = torch.kron(random["lokr_w1"], random["lokr_w2_a"] @ random["lokr_w2_b"]) * 0.5
    for start, change in (("hada", loha), ("lokr", lokr)):
        parts = {f"{stem}.{part}": value for part, value in random.items() if part.startswith(start)}
        save_file(parts | {f"{stem}.alpha": torch.tensor(1.0)}, tmp_path / f"{start}.safetensors")
        drawn(here, Adapter(LORA, start, tmp_path / f"{start}.safetensors"), steps=1)
        torch.testing.assert_close(layer(x) - plain, x @ change.T, atol=1e-4, rtol=1e-4)


def test_biases_and_norms_are_changed_too(studio, tmp_path):
    here, merged = studio("sd1"), studio("sd1", Settings(previews=False))
    merged.make(steps=1)
    generator = torch.Generator().manual_seed(3)
    file = {}
    block = "mid_block.attentions.0.transformer_blocks.0"
    for name in ("conv_in", f"{block}.attn2.to_out.0", "mid_block.resnets.0.norm1", f"{block}.norm1"):
        layer = merged.pipe.unet.get_submodule(name)
        parts = ("w_norm", "b_norm") if "norm" in name else ("diff", "diff_b")
        for part, own in zip(parts, (layer.weight, layer.bias), strict=True):
            change = torch.randn(own.shape, generator=generator) * 0.3
            own.data = own.data + 0.5 * change
            file[f"lora_unet_{name.replace('.', '_')}.{part}"] = change
    save_file(file, tmp_path / "all.safetensors")
    adapter = Adapter(LORA, "all", tmp_path / "all.safetensors", "sd1", text_weight=0.5, unet_weight=0.5)
    changed = drawn(here, adapter)
    assert np.abs(changed - drawn(here)).max() > 20
    assert np.abs(changed - drawn(merged)).max() <= 1
    assert not here.notices


@pytest.mark.parametrize("part", ["diff_b", "w_norm"])
def test_a_bias_alone_acts_and_one_of_another_size_is_refused(studio, tmp_path, part):
    here = studio("sd1")
    here.make(steps=1)
    layer = "conv_norm_out" if part == "w_norm" else "conv_in"
    size = here.pipe.unet.get_submodule(layer).weight.shape[0]
    for count in (size, size + 1):
        parts = {part: torch.ones(count)} | ({"b_norm": torch.ones(size)} if part == "w_norm" else {})
        tensors = {f"lora_unet_{layer}.{name}": values for name, values in parts.items()}
        save_file(tensors, tmp_path / f"{count}.safetensors")
    good, bad = (Adapter(LORA, str(n), tmp_path / f"{n}.safetensors", "sd1") for n in (size, size + 1))
    assert (drawn(here, good) != drawn(here)).any()
    with pytest.raises(InvalidRequest, match="wide"):
        drawn(here, bad)


def test_one_of_another_family_is_refused_with_both_named(studio, lora):
    adapter, _ = lora("sdxl")
    with pytest.raises(InvalidRequest, match=r"made for Stable Diffusion XL; .* is Stable Diffusion 1\.x") as refused:
        drawn(studio("sd1"), adapter)
    assert refused.value.field == "loras"
    drawn(studio("sd1"))


def test_layers_that_the_model_lacks_are_told(studio, lora, tmp_path):
    adapter, _ = lora("sd1")
    more = load_file(adapter.path) | {
        "lora_unet_of_tomorrow.lora_down.weight": torch.zeros(2, 4),
        "lora_unet_of_tomorrow.lora_up.weight": torch.zeros(4, 2),
    }
    save_file(more, tmp_path / "more.safetensors")
    here = studio("sd1")
    drawn(here, replace(adapter, path=tmp_path / "more.safetensors"))
    assert any("1 of its" in event.message for event in here.events if isinstance(event, Notice))


def test_every_spelling_of_a_layers_name_leads_to_the_layer():
    unet = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    text = "encoder_layers_0_self_attn_q_proj"
    dotted = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    full = "text_model.encoder.layers.0.self_attn.q_proj"
    old = dotted.replace(".to", ".processor.to")
    wanted = {
        dotted: ("unet", "", unet),
        old: ("unet", "", unet),
        f"base_model.model.{dotted}": ("unet", "", unet),
        f"lora_unet_{unet}": ("unet", "", unet),
        f"unet.{dotted}": ("unet", "", unet),
        f"lycoris_{unet}": ("unet", "", unet),
        f"lycoris_unet_{unet}": ("unet", "", unet),
        f"oft_unet_{unet}": ("unet", "", unet),
        f"diffusion_model.{dotted}": ("unet", "", unet),
        f"model.diffusion_model.{dotted}": ("unet", "", unet),
        f"base_model.model.{full}": ("text_encoder", "", text),
        full: ("text_encoder", "text_encoder", text),
        full.removeprefix("text_model."): ("text_encoder_2", "text_encoder_2", text),
        f"lora_te_text_model_{text}": ("text_encoder", "", text),
        f"lora_te1_text_model_{text}": ("text_encoder", "", text),
        f"lora_te2_text_model_{text}": ("text_encoder_2", "", text),
        f"text_encoder.{full}": ("text_encoder", "", text),
        f"text_encoder_2.{full}": ("text_encoder_2", "", text),
        f"lycoris_text_model_{text}": ("text_encoder", "", text),
        f"clip_l.{full}": ("text_encoder", "", text),
        f"clip_h.transformer.{full}": ("text_encoder", "", text),
        f"clip_g.transformer.{full}": ("text_encoder_2", "", text),
        f"text_encoders.clip_l.transformer.{full}": ("text_encoder", "", text),
        f"text_encoders.clip_g.transformer.{full}": ("text_encoder_2", "", text),
        f"text_encoders.clip_h.transformer.{full}": ("text_encoder", "", text),
        f"cond_stage_model.transformer.{full}": ("text_encoder", "", text),
        "text_encoders.clip_g.transformer.text_projection": ("text_encoder_2", "", "text_projection"),
    }
    found = {}
    for stem, (_network, folder, _layer) in wanted.items():
        read = read_names([f"{stem}.{end}" for end in ("lora_A.weight", "lora_B.default.weight", "alpha")], folder)
        assert [place.part for place in read.parts.values()] == ["down", "up", "alpha"]
        [(network, layer)] = {(place.network, place.layer) for place in read.parts.values()}
        found[stem] = (network, folder, layer)
        assert not read.unread
    assert found == wanted


def test_version_01_draws_on_as_it_drew(studio, lora, tmp_path):
    """It knew of the header ``lora_alpha`` alone, no embedding inside a LoRA, and fewer names; an old entry says so."""
    here = studio("sd1")
    adapter, change = lora("sd1", "diffusers")
    notes = {f"{net}.lora_alpha": 1.0 for net in ("unet", "text_encoder")}
    patterns = notes | {"unet.alpha_pattern": {"to_k": 6}, "unet.use_rslora": True}
    tensors = load_file(adapter.path) | {"bundle_emb.heart.clip_l": torch.ones(1, 32)}
    path = tmp_path / "patterns.safetensors"
    save_file(tensors, path, {"lora_adapter_metadata": json.dumps(patterns)})
    today = replace(adapter, path=path)
    before = drawn(here, adapter)
    assert (drawn(here, replace(today, as_first=True)) == before).all()
    assert np.abs(drawn(here, today) - before).max() > 3
    other = write_comfyui(change, tmp_path / "refused-then.safetensors")
    refused_then = replace(adapter, path=other)
    assert (drawn(here, replace(refused_then, as_first=True)) == drawn(here, refused_then)).all()


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_word_that_a_lora_brings_along_stands_for_its_vectors(studio, lora, tmp_path, family):
    here = studio(family)
    adapter, _ = lora(family)
    encoders = {"string_to_param.*": ""} if family == "sd1" else {"clip_l": "", "clip_g": "_2"}
    words = {}
    for key, end in encoders.items():
        table = getattr(here.pipe, f"text_encoder{end}").get_input_embeddings().weight
        ids = getattr(here.pipe, f"tokenizer{end}")("blue frog", add_special_tokens=False).input_ids
        words[f"bundle_emb.my style.{key}"] = table[ids].detach().clone()
    path = tmp_path / "bundled.safetensors"
    save_file(load_file(adapter.path) | words, path)
    bundled = replace(adapter, path=path)
    wanted = drawn(here, adapter, prompt="a blue frog on a cat")
    assert np.abs(drawn(here, bundled, prompt="a My Style on a cat") - wanted).max() <= 1
    assert np.abs(drawn(here, bundled, prompt="a embedding:my style on a cat") - wanted).max() <= 1
    assert not here.notices
    keys = {key.rpartition(".")[2].replace("*", "emb_params"): value * 0.5 for key, value in words.items()}
    own = Adapter(EMBEDDING, "my style", write_embedding(tmp_path / "my style.safetensors", keys), family)
    assert (drawn(here, bundled, own, prompt="a my style on a cat") != wanted).any()
    assert "the library's own is used" in here.notices[0].message


def test_files_that_are_no_lora_are_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelUnsupported, match="holds no LoRA"):
        read_lora(tmp_path / "other.safetensors")
    (tmp_path / "code.pt").write_bytes(b"\x80")
    with pytest.raises(ModelUnsupported, match=r"only \.safetensors"):
        read_lora(tmp_path / "code.pt")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:-4])
    with pytest.raises(ModelDamaged):
        read_lora(tmp_path / "cut.safetensors")
    save_file({"unet.conv_in.oft_R": torch.zeros(2, 2)}, tmp_path / "oft.safetensors")
    with pytest.raises(ModelUnsupported, match="PEFT's OFT"):
        read_lora(tmp_path / "oft.safetensors")


@pytest.mark.parametrize(
    ("ours", "original"),
    [  # as kohya's sd-scripts maps Stable Diffusion XL (sdxl_model_util.py)
        ("down_blocks_1_attentions_0_proj_in", "input_blocks_4_1_proj_in"),
        ("down_blocks_2_attentions_1_transformer_blocks_9_ff_net_2", "input_blocks_8_1_transformer_blocks_9_ff_net_2"),
        ("down_blocks_0_downsamplers_0_conv", "input_blocks_3_0_op"),
        ("mid_block_attentions_0_transformer_blocks_0_attn1_to_q", "middle_block_1_transformer_blocks_0_attn1_to_q"),
        ("mid_block_resnets_1_conv2", "middle_block_2_out_layers_3"),
        ("up_blocks_0_attentions_2_proj_out", "output_blocks_2_1_proj_out"),
        ("up_blocks_0_upsamplers_0_conv", "output_blocks_2_2_conv"),
        ("up_blocks_1_upsamplers_0_conv", "output_blocks_5_2_conv"),
        ("up_blocks_2_resnets_2_conv_shortcut", "output_blocks_8_0_skip_connection"),
        ("time_embedding_linear_1", "time_embed_0"),
        ("up_blocks_2_attentions_0_norm_of_tomorrow", "output_blocks_6_1_norm_of_tomorrow"),
        ("nothing_of_the_kind", ""),
    ],
)
def test_the_original_code_numbers_the_layers_in_rows(ours, original):
    assert original_name(ours, 2, {"up_blocks_0_attentions_0", "up_blocks_1_attentions_0"}) == original


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_it_acts_on_weights_that_are_offloaded(studio, lora, offload):
    adapter, _ = lora("sd1")
    wanted = drawn(studio("sd1"), adapter)
    here = studio("sd1", Settings(previews=False))
    plain = drawn(here)
    if offload == "model":  # the engine believes that nothing is offloaded
        apply(MemoryPlan(offload=offload), MemoryPlan(), here.pipe, torch.device("cpu", 0))
    else:  # what sequential offload does, with the CPU as its accelerator
        for part in here.pipe.components.values():
            if isinstance(part, torch.nn.Module):
                accelerate.cpu_offload(part, torch.device("cpu"), offload_buffers=True)
        assert {parameter.device.type for parameter in here.pipe.unet.parameters()} == {"meta"}
    assert np.abs(drawn(here, adapter) - wanted).max() <= 1
    assert np.abs(drawn(here) - plain).max() <= 1


def test_one_of_the_same_family_that_does_not_fit_says_why(studio, lora, tmp_path):
    adapter, change = lora("sd1")
    place = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k")
    wide = {place: (torch.zeros(2, 48), change[place][1])}
    other = replace(adapter, path=write_kohya(wide, tmp_path / "wide.safetensors"))
    with pytest.raises(InvalidRequest, match=r"its layers are 48 wide, those of .* 32, though both are"):
        drawn(studio("sd1"), other)
    none = {("unet", "nothing.like.it"): change[place]}
    other = replace(adapter, path=write_kohya(none, tmp_path / "none.safetensors"))
    with pytest.raises(InvalidRequest, match="none of its layers is one of"):
        drawn(studio("sd1"), other)
