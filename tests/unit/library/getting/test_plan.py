"""Which files of a repository are fetched, and which names a server gives are never written."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.errors import DownloadDamaged, ModelUnsupported, NotOffered
from sdstudio.core.models.folder import read_index
from sdstudio.library.getting.plan import (
    Listing,
    RemoteFile,
    checked_listing,
    choose_file,
    choose_folder,
    file_name,
    index_of,
    safe_path,
)

INDEX_JSON = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": [None, None],
    "requires_safety_checker": True,
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
INDEX = read_index(INDEX_JSON, "org/name")
# The shape of the SD 1.5 repository: two precisions, pickles, whole checkpoints, flax, and a folder nobody names.
NAMES = (
    "README.md", "LICENSE", "model_index.json", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt",
    "feature_extractor/preprocessor_config.json", "safety_checker/config.json", "safety_checker/model.safetensors",
    "safety_checker/model.fp16.safetensors", "safety_checker/pytorch_model.bin", "scheduler/scheduler_config.json",
    "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors",
    "text_encoder/pytorch_model.bin", "text_encoder/flax_model.msgpack", "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json",
    "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.bin", "unet/run.py",
    "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin",
    "controlnet_extra/config.json", "controlnet_extra/diffusion_pytorch_model.safetensors", "unet/deep/config.json",
)  # fmt: skip


def listing(*names: str) -> Listing:
    return Listing("org/name", "0" * 40, tuple(RemoteFile(name, 100) for name in names))


def chosen(precision: str = "fp16", checker: bool = False, without: str = "nothing") -> set[str]:
    choice = choose_folder(listing(*(name for name in NAMES if without not in name)), INDEX, precision, checker)
    return {file.path for file in choice.files}


def test_one_precision_and_only_what_the_index_names_is_fetched():
    assert chosen() == {
        "LICENSE", "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors", "tokenizer/merges.txt", "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
    }  # fmt: skip


def test_full_precision_takes_the_plain_weights():
    assert {name for name in chosen("full") if name.endswith(".safetensors")} == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_a_component_without_half_precision_comes_in_full_and_is_named():
    choice = choose_folder(listing(*NAMES), INDEX, "fp16", False)
    assert choice.remark == "No half-precision weights for vae: these come in full."
    assert choose_folder(listing(*NAMES), INDEX, "full", False).remark == ""


def test_the_safety_checker_comes_when_it_is_wanted():
    more = chosen(checker=True) - chosen()
    assert more == {
        "safety_checker/config.json",
        "safety_checker/model.fp16.safetensors",
        "feature_extractor/preprocessor_config.json",
    }


def test_shards_come_with_their_index():
    index = read_index({"_class_name": "X", "transformer": ["diffusers", "T"]}, "org/name")
    stem = "transformer/diffusion_pytorch_model"
    names = [f"{stem}-00001-of-00002.safetensors", f"{stem}-00002-of-00002.safetensors"]
    choice = choose_folder(
        listing("model_index.json", *names, f"{stem}.safetensors.index.json", f"{stem}.safetensors.index.fp16.json"),
        index, "fp16", False,
    )  # fmt: skip
    assert {file.path for file in choice.files} == {"model_index.json", *names, f"{stem}.safetensors.index.json"}


@pytest.mark.parametrize("variant", ["fp16", "bf16", "fp32", "non_ema"])
@pytest.mark.parametrize("precision", ["fp16", "full"])
def test_a_part_that_is_there_in_one_variant_only_comes_in_that_one(variant, precision):
    others = [name for name in NAMES if not (name.startswith("unet/") and name.endswith(".safetensors"))]
    only = f"unet/diffusion_pytorch_model.{variant}.safetensors"
    choice = choose_folder(listing(*others, only), INDEX, precision, False)
    assert only in {file.path for file in choice.files}
    said = {"fp16": "Only half-precision weights for unet: these come."}.get(variant, "") if precision == "full" else ""
    assert precision == "fp16" or choice.remark == said


def test_a_network_without_any_weights_is_refused_and_its_large_files_are_named():
    others = [name for name in NAMES if not name.startswith("vae/diffusion")]
    with pytest.raises(ModelUnsupported, match=r"its vae has no weights in \.safetensors files; .*: weights\.gguf"):
        choose_folder(listing(*others, "vae/weights.gguf"), INDEX, "full", False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_class_name": ["pipeline_x", "Mine"]}, "code of its own"),
        ({"unet": ["my_unet", "Net"]}, "allowed are classes of diffusers and transformers"),
        ({"text_encoder": [None, None]}, "saved without its text_encoder"),
        ({"vae": None, "unet": []}, "saved without its unet and vae"),
        ({"_class_name": "FluxPipeline"}, "four channels of Stable Diffusion"),
        ({"_class_name": "KolorsPipeline"}, "ChatGLM"),
        ({"_class_name": "UnCLIPPipeline"}, "prior"),
        ({"_class_name": "StableDiffusionImg2ImgPipeline"}, "only text-to-image"),
        ({"_class_name": "Whatever"}, "does not draw with"),
    ],
)
def test_what_cannot_be_drawn_with_is_refused_before_anything_comes(changes, reason):
    with pytest.raises(ModelUnsupported, match=reason):
        index_of(json.dumps({**INDEX_JSON, **changes}).encode(), "org/name")


def test_weights_that_are_pickles_only_are_refused():
    with pytest.raises(ModelUnsupported, match="its unet are there only as pickled Python objects"):
        chosen(without="unet/diffusion_pytorch_model.safetensors") and choose_folder(
            listing(*(name for name in NAMES if not ("unet" in name and name.endswith(".safetensors")))),
            INDEX, "fp16", False,
        )  # fmt: skip


@pytest.mark.parametrize("data", [b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_an_index_that_is_none_is_refused(data):
    with pytest.raises(ModelUnsupported, match="no JSON object"):
        index_of(data, "org/name")


def test_an_index_without_components_is_refused():
    with pytest.raises(ModelUnsupported, match="names no components"):
        choose_folder(listing(*NAMES), read_index({"_class_name": "X", "_up": [1, 2]}, "org/name"), "fp16", False)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.safetensors", "unet/../../evil.json", "/etc/passwd", "unet//x.json", "..\\evil.json", "unet\\x.json",
        "C:/x.safetensors", "a\0b.json", "unet/..",
    ],
)  # fmt: skip
def test_a_repository_with_a_name_that_leads_out_is_refused_whole(name):
    with pytest.raises(DownloadDamaged, match="leads out of the model's folder"):
        checked_listing(listing("model_index.json", name))


@pytest.mark.parametrize("size", [-1, 2**50])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(DownloadDamaged, match="no size"):
        checked_listing(Listing("org/name", "0" * 40, (RemoteFile("a", size),)))


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "a/..", "../a", "/a", "a//b", "a/", "a\\b", "c:a", "a\nb", "a\0b", "a\u202eb", "con", "NUL.json",
        "a/b/c/d/e", ".hidden", "~root", "-rf", "a.", "a ", " a", "a?b", "x" * 121, "ü" * 61,
    ],
)  # fmt: skip
def test_names_that_no_disk_should_hold_are_refused(name):
    with pytest.raises(ValueError, match="the file name"):
        safe_path(name)


@pytest.mark.parametrize(
    "name", ["unet/diffusion_pytorch_model.fp16.safetensors", "My Style (v2).safetensors", "ünï/x"]
)
def test_honest_names_pass(name):
    assert safe_path(name) == name


@given(st.text(max_size=300))
def test_whatever_a_server_calls_a_file_becomes_a_name_that_may_be_written(text):
    name = file_name(text)
    assert safe_path(name) == name
    assert PurePosixPath(name).name == name
    assert name.endswith(".safetensors")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("style.safetensors", "style.safetensors"),
        ("/a/b/Style v2.SAFETENSORS", "Style v2.safetensors"),
        ("..\\..\\evil.exe", "evil.exe.safetensors"),
        ("con.safetensors", "model-con.safetensors"),
        ("", "model.safetensors"),
    ],
)
def test_names_are_kept_as_far_as_they_can_be(text, name):
    assert file_name(text) == name


def test_the_only_file_is_chosen_and_one_of_several_must_be_named():
    assert choose_file(listing("README.md", "a.safetensors")).path == "a.safetensors"
    assert choose_file(listing("a.safetensors", "b.safetensors"), "b.safetensors").path == "b.safetensors"
    with pytest.raises(NotOffered, match=r"holds 2 \.safetensors files") as caught:
        choose_file(listing("a.safetensors", "b.safetensors"))
    assert "a.safetensors, b.safetensors" in caught.value.hint
    with pytest.raises(NotOffered, match=r"no file 'c\.safetensors'"):
        choose_file(listing("a.safetensors"), "c.safetensors")
    with pytest.raises(NotOffered, match=r"no \.safetensors file"):
        choose_file(listing("a.ckpt", "b.bin"))
