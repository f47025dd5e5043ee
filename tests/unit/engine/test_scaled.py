"""Scaled fp8 draws, converts and merges as the weights that it stands for; what is packed otherwise is refused."""

from __future__ import annotations

import threading

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.models.work import ConvertOrder, MergeInput, MergeMode, MergeOrder
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.model_files.merge import merge
from sdstudio.library.scanning.identify import examine
from tests.tiny_adapters import pixels

FP8 = torch.float8_e4m3fn


def parts(name):
    return name.startswith(("model.diffusion_model.", "cond_stage_model."))


def scaled(weights, spelling="scale_weight", by_row=False):
    """Return a checkpoint in ComfyUI's scaled fp8, and what its weights stand for by the formula, fp8 times scale."""
    file, meant = {}, {}
    for name, value in weights.items():
        if not (parts(name) and name.endswith(".weight") and value.ndim >= 2):
            file[name] = meant[name] = value
            continue
        largest = value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True) if by_row else value.abs().max()
        scale = (largest / 448).clamp(min=1e-12)
        file[name] = (value / scale).to(FP8)
        file[f"{name.removesuffix('.weight')}.{spelling}"] = scale.reshape(-1) if by_row else scale
        meant[name] = (file[name].double() * scale.double()).float()
    file["model.diffusion_model.scaled_fp8"] = torch.zeros(2).to(FP8)
    return {name: value.contiguous() for name, value in file.items()}, meant


@pytest.fixture
def notes(single_files):
    return read_header(single_files("sd1")).metadata


def made_with(studio, path, **settings):
    here = studio("sd1", Settings(previews=False, **settings), path)
    here.model = ModelInfo(path.stem, path.stem, path, "sd1", ModelLayout.SINGLE_FILE)
    (image,) = here.make()
    return pixels(image), image.recipe.made_with


def test_it_draws_what_the_products_draw_and_the_recipe_says_so(studio, single_files, tmp_path, notes):
    weights = load_file(single_files("sd1"))
    wrong = {}
    for number, options in enumerate(({}, {"spelling": "weight_scale"}, {"by_row": True})):
        file, meant = scaled(weights, **options)
        save_file(file, tmp_path / f"file{number}.safetensors", notes)
        save_file(meant, tmp_path / f"meant{number}.safetensors", notes)
        got, said = made_with(studio, tmp_path / f"file{number}.safetensors")
        wanted, plain = made_with(studio, tmp_path / f"meant{number}.safetensors")
        if abs(got - wanted).max() > 1 or said.get("weights") != "fp8 times its scales" or "weights" in plain:
            wrong[str(options)] = (int(abs(got - wanted).max()), said.get("weights"))
    assert wrong == {}


def test_its_copies_hold_the_products(single_files, tmp_path, notes):
    weights = load_file(single_files("sd1"))
    file, meant = scaled(weights, by_row=True)
    path = tmp_path / "file.safetensors"
    save_file(file, path, {**notes, "_quantization_metadata": "{}"})
    cancel = threading.Event()
    order = ConvertOrder(path, tmp_path / "copy.safetensors", ModelLayout.SINGLE_FILE, "float32")
    convert(order, lambda _: None, cancel)
    merged = MergeOrder((MergeInput(path), MergeInput(path)), tmp_path / "m.safetensors", MergeMode.WEIGHTED_SUM, 0.5)
    merge(merged, lambda _: None, cancel)
    for name in ("copy", "m"):
        copy = load_file(tmp_path / f"{name}.safetensors")
        assert set(copy) == set(meant)
        assert "_quantization_metadata" not in read_header(tmp_path / f"{name}.safetensors").metadata
        for key, value in meant.items():
            assert torch.allclose(copy[key].float(), value.float(), rtol=2**-10, atol=1e-7), key
    folder = tmp_path / "folder"
    convert(ConvertOrder(path, folder, ModelLayout.FOLDER), lambda _: None, cancel)
    first = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")["conv_in.weight"]
    assert torch.allclose(first.float(), meant["model.diffusion_model.input_blocks.0.0.weight"], rtol=2**-10, atol=1e-7)


def test_packed_weights_are_refused_at_the_list_and_before_anything_is_drawn(studio, single_files, tmp_path, notes):
    weights = load_file(single_files("sd1"))
    name = "model.diffusion_model.time_embed.0.weight"
    packed = {name: torch.zeros(64, 1, dtype=torch.uint8), f"{name}.absmax": torch.zeros(4)}
    path = tmp_path / "nf4.safetensors"
    save_file({**weights, **packed}, path, notes)
    assert "its weights are packed" in examine(path).info.problem or "packed weights" in examine(path).info.problem
    for act in (
        lambda: made_with(studio, path),
        lambda: convert(
            ConvertOrder(path, tmp_path / "c.safetensors", ModelLayout.SINGLE_FILE, "float16"), print, threading.Event()
        ),
    ):
        with pytest.raises(ModelUnsupported, match="packed: 4 bits by bitsandbytes"):
            act()
