"""The same request gives the same pixels wherever the weights came from: they lie at multiples of 64 bytes."""

from __future__ import annotations

import shutil
import struct
import threading
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.vae import Decoder
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sdstudio.core.adapters import EMBEDDING, LORA, VAE, Adapter
from sdstudio.core.errors import ModelLoadFailed
from sdstudio.core.model import ModelInfo, ModelLayout
from sdstudio.core.model_work import ConvertOrder
from sdstudio.core.settings import Settings
from sdstudio.engine import loading
from sdstudio.engine.aligned import align, aligned, mapped_file
from sdstudio.engine.convert import convert
from sdstudio.engine.devices import KIND_BY_KEY, Device
from sdstudio.engine.memory import MemoryPlan, apply
from sdstudio.engine.upscaling import load_upscaler
from tests.tiny_adapters import change_of, write_kohya
from tests.tiny_upscalers import compact_weights
from tests.unit.engine.conftest import pickle_weights

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
THREADS = (1, 2, 3)
PADS = (0, 4, 36)
"""Bytes more in a header: each moves the weights to another place within 64 bytes."""
QUIET = Settings(previews=False, open_pickles=True)
VAE_FILE = "diffusion_pytorch_model.safetensors"
NEAR, FAR = torch.device("cpu"), torch.device("cpu", 0)
"""Two names of one device: offloading from one to the other moves weights as it does to a graphics card."""


def pad(path, count):
    """Make a header so much longer; blanks behind it are part of the format."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    path.write_bytes(struct.pack("<Q", length + count) + whole[8 : 8 + length] + b" " * count + whole[8 + length :])
    return path


def misaligned(network):
    named = chain(network.named_parameters(), network.named_buffers())
    return [name for name, weight in named if weight.device.type == "cpu" and weight.data_ptr() % 64]


def lying_badly(pipe):
    return [f"{part} {name}" for part in PARTS if hasattr(pipe, part) for name in misaligned(getattr(pipe, part))]


def adapter(kind, path):
    return Adapter(kind, path.stem, path, family="sdxl")


def thrown(here, plan):
    """Throw switches on a loaded pipeline, and back."""
    pipe = here.engine._loaded.pipe
    apply(plan, MemoryPlan(), pipe, FAR)
    apply(MemoryPlan(), plan, pipe, NEAR)


@pytest.fixture
def layouts(studio, tiny_models, single_files, tmp_path):
    """One model laid out in many ways: name -> a studio that holds it."""
    folder = tiny_models["sdxl"]

    def of_folder(name, change):
        path = shutil.copytree(folder, tmp_path / name)
        change(path)
        return studio("sdxl", QUIET, path)

    def of_file(path):
        here = studio("sdxl", QUIET, path)
        here.model = ModelInfo(path.name, path.stem, path, "sdxl", ModelLayout.SINGLE_FILE)
        return here

    def padded(count):
        return lambda path: [pad(file, count + 8 * place) for place, file in enumerate(path.rglob("*.safetensors"))]

    whole = single_files("sdxl")
    with safe_open(whole, "pt") as opened:
        notes = opened.metadata()
    other = tmp_path / "plain.safetensors"
    save_file(load_file(whole), other, notes)
    converted = tmp_path / "converted"
    convert(ConvertOrder(other, converted, ModelLayout.FOLDER), lambda share: None, threading.Event())
    made = {
        "folder": studio("sdxl", QUIET),
        "folder, longer headers, own VAE": of_folder("padded", padded(4)),
        "folder, pickled": of_folder("pickled", pickle_weights),
        "folder, converted": studio("sdxl", QUIET, converted),
        "file": of_file(pad(other, 20)),
    }
    for name, plan in (
        ("offloaded", MemoryPlan(offload="model")),
        ("offloaded by layers", MemoryPlan(offload="sequential")),
        ("after a LoRA", None),
    ):
        made[name] = of_folder(name, padded(12))
        numbers(made[name])
        if plan is not None:
            thrown(made[name], plan)
    lora = write_kohya(change_of(made["after a LoRA"].pipe), tmp_path / "lora.safetensors")
    numbers(made["after a LoRA"], adapter(LORA, lora))
    vae = pad(shutil.copyfile(folder / "vae" / VAE_FILE, tmp_path / "own.safetensors"), 36)
    other_vae = made["folder, longer headers, own VAE"]
    other_vae.model = replace(other_vae.model, adapters=(adapter(VAE, vae),))
    return made


def numbers(here, *adapters, **values):
    """Draw a picture, and return what its decoder made: the picture before it was rounded to 256 levels."""
    seen = []
    plain = here.model
    here.model = replace(plain, adapters=(*plain.adapters, *adapters))

    def look(module, _args, output):
        if isinstance(module, Decoder):
            seen.append(output.clone())

    hook = nn.modules.module.register_module_forward_hook(look)
    try:
        here.make([5], steps=1, **values)
    finally:
        hook.remove()
        here.model = plain
    (picture,) = seen
    return picture


def test_one_model_laid_out_in_many_ways_draws_the_same_picture_with_any_number_of_threads(layouts):
    threads = torch.get_num_threads()
    wrong = []
    try:
        for count in THREADS:
            torch.set_num_threads(count)
            drawn = {name: numbers(here) for name, here in layouts.items()}
            first = drawn["folder"]
            assert first.std() > 0
            wrong += [f"{name}, {count} threads: {(one != first).sum()} values differ" for name, one in drawn.items()
                      if not torch.equal(one, first)]  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    assert wrong == []
    assert {name: bad for name, here in layouts.items() if (bad := lying_badly(here.pipe))} == {}


def test_what_is_attached_draws_the_same_wherever_its_file_puts_it(studio, tmp_path, tiny_models):
    here = studio("sdxl", QUIET)
    plain = numbers(here, prompt="a red word")
    weights = load_file(write_kohya(change_of(here.pipe), tmp_path / "source.safetensors"))
    dense = {"lora_unet_conv_in.diff": 0.1 * torch.ones_like(here.pipe.unet.conv_in.weight), **weights}
    vae = {name: 1.1 * value for name, value in load_file(tiny_models["sdxl"] / "vae" / VAE_FILE).items()}
    word = {"clip_l": torch.ones(2, 16), "clip_g": torch.ones(2, 24)}
    wrong = []
    for kind, name in ((LORA, "lora"), (VAE, "vae"), (EMBEDDING, "word")):
        drawn = []
        for count in PADS:
            path = tmp_path / str(count) / f"{name}.safetensors"
            path.parent.mkdir(exist_ok=True)
            save_file({"lora": dense, "vae": vae, "word": word}[name], path)
            drawn.append(numbers(here, adapter(kind, pad(path, count)), prompt="a red word"))
        assert not torch.equal(drawn[0], plain)
        wrong += [f"{name}, {count} bytes" for count, one in zip(PADS, drawn, strict=True) if (one != drawn[0]).any()]
    assert wrong == []


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_an_upscaler_lies_aligned_and_enlarges_the_same_wherever_its_file_puts_it(tmp_path, suffix):
    values = np.random.default_rng(3).integers(0, 256, (40, 24, 3), dtype=np.uint8)
    enlarged = []
    for count in PADS:
        path = tmp_path / f"{count}{suffix}"
        if suffix == ".safetensors":
            save_file(compact_weights(), path)
            pad(path, count)
        else:  # views of one storage, at places that no file aligns
            weights = compact_weights()
            row = torch.cat([torch.zeros(count // 4), *(value.reshape(-1) for value in weights.values())])
            places = np.cumsum([count // 4, *(value.numel() for value in weights.values())])
            cut = {
                name: row[begin : begin + value.numel()].view(value.shape)
                for (name, value), begin in zip(weights.items(), places, strict=False)
            }
            torch.save(cut, path)
        upscaler = load_upscaler(path, Device(KIND_BY_KEY["cpu"], torch.float32), allow_pickle=True)
        assert misaligned(upscaler._network) == []
        picture = upscaler.enlarge(Image.fromarray(values), 96, 160, threading.Event(), lambda *told: None)
        enlarged.append(np.asarray(picture))
    assert all(np.array_equal(one, enlarged[0]) for one in enlarged)


def test_a_mapped_file_is_found_in_memory_and_what_lies_elsewhere_is_not(tmp_path):
    path = tmp_path / "some.safetensors"
    save_file({"a": torch.arange(5.0), "b.c": torch.arange(12.0).view(3, 4)}, path)
    tensors = load_file(path)
    found = mapped_file(path, tensors)
    assert found is not None
    whole = path.read_bytes()
    for tensor in tensors.values():
        place = found.place_of(tensor)
        assert place is not None
        assert whole[place : place + tensor.nbytes] == tensor.numpy().tobytes()
    assert found.place_of(tensors["b.c"].t()) is None  # its values are not in a row
    assert found.place_of(torch.zeros(3)) is None
    assert mapped_file(path, {"c": tensors["b.c"]}) == found
    assert mapped_file(path, {name: tensor.clone() for name, tensor in tensors.items()}) is None
    assert mapped_file(path, {name: tensor.half() for name, tensor in tensors.items()}) is None


def test_a_file_that_becomes_shorter_while_it_is_read_is_told(studio, own_copy, monkeypatch):
    path = own_copy("sd1")
    pad(path / "unet" / VAE_FILE, 4)
    real = loading.align

    def shortened(network, files):
        files = list(files)
        for file in files:
            if file.path.parent.name == "unet":
                copy = file.path.with_name("shorter")
                copy.write_bytes(file.path.read_bytes()[:-100])
                files = [replace(file, path=copy)]
        real(network, files)

    monkeypatch.setattr(loading, "align", shortened)
    here = studio("sd1", QUIET, path)
    with pytest.raises(ModelLoadFailed, match="unet would not load: shorter has become shorter"):
        here.make()


def test_weights_that_share_their_memory_go_on_to_and_those_that_lie_well_stay(tmp_path):
    row = torch.arange(100.0)
    network = nn.Module()
    network.first = nn.Parameter(row[1:17])
    network.second = nn.Parameter(row[1:17])
    network.third = nn.Parameter(row[16:32])
    network.register_buffer("fourth", row[33:49].view(4, 4).t())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stays = network.third.data_ptr()
    align(network)
    assert misaligned(network) == []
    assert network.first.data_ptr() == network.second.data_ptr()
    assert network.third.data_ptr() == stays
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.fourth.stride() == (1, 4)
    assert aligned(row[16:20]).data_ptr() == row[16:20].data_ptr()
