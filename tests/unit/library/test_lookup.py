"""How a name leads to an asset, and what is said when none has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdstudio.core.errors import Cancelled, ModelAmbiguous, ModelNotFound, ModelUnsupported
from sdstudio.library.library import Library

_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}
_VAE = {"decoder.conv_in.weight": torch.zeros(8, 4, 3, 3)}


@pytest.fixture
def webui(tmp_path) -> Path:
    """Return another program's folder with a file of each kind."""
    root = tmp_path / "webui"
    for name, tensors, notes in (
        ("models/Stable-diffusion/Base.safetensors", {"w": torch.zeros(1)}, {}),
        ("models/Lora/Detail Tweaker.safetensors", _LORA, {"ss_output_name": "add_detail"}),
        ("models/Lora/more/Style.safetensors", _LORA, {}),
        ("models/Lora/other/style.safetensors", _LORA, {}),
        ("models/Lora/other/Style.safetensors", _LORA, {}),
        ("models/VAE/kl.safetensors", _VAE, {}),
        ("embeddings/easynegative.safetensors", {"emb_params": torch.zeros(2, 768)}, {}),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, root / name, metadata=notes)
    (root / "models/ESRGAN").mkdir()
    (root / "models/ESRGAN/4x.pth").write_bytes(b"x")
    return root


@pytest.fixture
def library(home, webui) -> Library:
    return Library(home, [webui])


def test_all_kinds_of_another_program_are_seen_in_place(library, webui):
    found = {asset.path.relative_to(webui).as_posix(): asset for asset in library.assets() if asset.root == webui}
    assert {name: asset.kind for name, asset in found.items()} == {
        "models/Stable-diffusion/Base.safetensors": "checkpoint",
        "models/Lora/Detail Tweaker.safetensors": "lora",
        "models/Lora/more/Style.safetensors": "lora",
        "models/Lora/other/style.safetensors": "lora",
        "models/Lora/other/Style.safetensors": "lora",
        "models/VAE/kl.safetensors": "vae",
        "embeddings/easynegative.safetensors": "embedding",
        "models/ESRGAN/4x.pth": "upscaler",
    }
    assert all(asset.root == webui for asset in found.values())
    assert [asset.family for asset in library.assets("lora")] == ["sd1"] * 4
    assert all(path.stat().st_size == asset.size_bytes for asset in found.values() for path in [asset.path])


@pytest.mark.parametrize(
    "name", ["Detail Tweaker", "detail tweaker", "Detail Tweaker.safetensors", "add_detail", " Detail Tweaker "]
)
def test_an_asset_is_found_by_key_file_name_and_alias(library, name):
    assert library.find_asset("lora", name).key == "Detail Tweaker"


def test_files_of_one_name_go_by_folder_and_name_and_never_by_the_name_alone(library, webui):
    keys = [asset.key for asset in library.assets("lora")]
    assert keys == ["Detail Tweaker", "more/Style", "other/Style", "style"]
    for key in keys:
        assert library.find_asset("lora", key).key == key
    for name in ("other/Style", "other\\Style", "other/Style.safetensors", "Lora/other/Style"):
        assert library.find_asset("lora", name).path == webui / "models/Lora/other/Style.safetensors"
    for name in ("Style", "Style.safetensors"):
        with pytest.raises(ModelAmbiguous, match="several files have this name: more/Style, other/Style") as caught:
            library.find_any(name)
        assert caught.value.hint == "Name one of them, more/Style say."
    assert library.find_asset("lora", "STYLE.safetensors".lower()).key == "style"
    with pytest.raises(ModelAmbiguous, match="more/Style, other/Style, style"):
        library.find_asset("lora", "STYLE")


def test_keys_reach_as_far_up_as_tells_files_apart(home):
    for folder in ("a/loras", "b/loras", "c", "PEFT one/unet", "PEFT one/text_encoder", "PEFT two/unet"):
        name = "adapter_model" if "PEFT" in folder else "ink"
        path = home.models / "loras" / folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True)
        save_file(_LORA, path)
    (home.models / "loras" / "d").symlink_to(home.models / "loras" / "c", target_is_directory=True)
    keys = {asset.key for asset in Library(home).assets("lora")}
    assert {"a/loras/ink", "b/loras/ink", "PEFT one/unet", "PEFT one/text_encoder", "PEFT two"} <= keys


def test_an_alias_of_two_files_is_ambiguous_and_a_files_own_name_goes_before_it(home):
    for name, alias in (("first", "last"), ("second", "last"), ("third", "first")):
        path = home.models / "Lora" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(_LORA, path, {"ss_output_name": alias})
    library = Library(home)
    assert library.find_asset("lora", "first").path.stem == "first"
    with pytest.raises(ModelAmbiguous, match="first, second"):
        library.find_asset("lora", "last")


def test_an_asset_is_found_by_its_path_in_the_library_and_outside(library, webui, tmp_path):
    assert library.find_asset("vae", str(webui / "models/VAE/kl.safetensors")).key == "kl"
    outside = tmp_path / "elsewhere.safetensors"
    save_file(_LORA, outside)
    found = library.find_asset("lora", str(outside))
    assert (found.key, found.kind, found.family) == (str(outside), "lora", "sd1")


def test_another_kind_at_the_path_is_named(library, webui):
    with pytest.raises(ModelUnsupported, match="it is a VAE"):
        library.find_asset("lora", str(webui / "models/VAE/kl.safetensors"))
    with pytest.raises(ModelUnsupported, match="it is a LoRA"):
        library.find("Detail Tweaker")


@pytest.mark.parametrize("name", ["gone", "x" * 5000, "/no/such.safetensors", "/etc", "a\0b", ""])
def test_an_unknown_name_is_not_found(library, name):
    with pytest.raises(ModelNotFound) as caught:
        library.find_asset("lora", name)
    assert len(str(caught.value)) < 500
    assert caught.value.hint


def test_the_nearest_is_offered(library):
    with pytest.raises(ModelNotFound) as caught:
        library.find_asset("embedding", "easynegativ")
    assert caught.value.hint == "Did you mean easynegative?"
    with pytest.raises(ModelNotFound, match="allowed is checkpoint"):
        library.find_asset("picture", "a")


def test_hashes_are_known_once_they_were_computed(library, webui):
    import hashlib

    lora = library.find_asset("lora", "add_detail")
    assert (lora.sha256, lora.short_hash) == ("", "")
    content = lora.path.read_bytes()
    start = int.from_bytes(content[:8], "little") + 8
    for asset in (library.hash_asset(lora), library.find_asset("lora", "add_detail")):
        assert asset.sha256 == hashlib.sha256(content).hexdigest()
        assert asset.body_sha256 == hashlib.sha256(content[start:]).hexdigest()
        assert asset.short_hash == asset.body_sha256[:12]
    vae = library.hash_asset(library.find_asset("vae", "kl"))
    assert vae.short_hash == vae.sha256[:10]
    assert vae.body_sha256 == ""


def test_a_folders_hash_is_that_of_its_model(home, tiny_models):
    (home.models / "m").symlink_to(tiny_models["sd1"], target_is_directory=True)
    library = Library(home)
    asset = library.hash_asset(library.find_asset("checkpoint", "m"))
    assert asset.sha256 == library.known_hash(library.find("m"))
    assert asset.sha256 != ""


def test_hashing_an_asset_tells_how_far_it_is_and_can_be_cancelled(library):
    import threading

    told: list[float] = []
    library.hash_asset(library.find_asset("vae", "kl"), told.append)
    assert told[-1] == 1.0
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        library.hash_asset(library.find_asset("lora", "add_detail"), cancel=cancel)
