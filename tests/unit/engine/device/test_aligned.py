"""The same request gives the same pixels wherever the weights came from: they lie at multiples of 64 bytes."""

from __future__ import annotations

import shutil
import struct
import threading

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.vae import Decoder
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sdstudio.catalog.kinds import EMBEDDING, LORA, VAE
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.work import ConvertOrder
from sdstudio.core.settings import Settings
from sdstudio.engine.device.aligned import align, aligned, is_single
from sdstudio.engine.device.devices import KIND_BY_KEY, Device
from sdstudio.engine.device.memory import MemoryPlan, apply
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.pictures.upscaling import load_upscaler
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
    return [name for name, weight in network.named_parameters() if weight.data_ptr() % 64]


def adapter(kind, path):
    return Adapter(kind, path.stem, path, family="sdxl")


def thrown(here, plan):
    """Throw switches on a loaded pipeline, and back."""
    pipe = here.engine.loaded.pipe
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
    other_vae.adapters = (adapter(VAE, vae),)
    return made


def numbers(here, *adapters, **values):
    """Draw a picture, and return what its decoder made: the picture before it was rounded to 256 levels."""
    seen, single_rows = [], []
    before, here.adapters = here.adapters, (*here.adapters, *adapters)

    def look(module, args, output):
        if isinstance(module, Decoder):
            seen.append(output.clone())
        elif isinstance(module, nn.Linear | nn.Conv2d) and is_single(module, args[0]):
            single_rows.append(module.weight.data_ptr() % 64)

    hook = nn.modules.module.register_module_forward_hook(look)
    try:
        here.make([5], steps=1, **values)
    finally:
        hook.remove()
        here.adapters = before
    (picture,) = seen
    assert set(single_rows) == {0}
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
        assert misaligned(upscaler.network) == []
        picture = upscaler.enlarge(Image.fromarray(values), 96, 160, threading.Event(), lambda *told: None)
        enlarged.append(np.asarray(picture))
    assert all(np.array_equal(one, enlarged[0]) for one in enlarged)


def test_weights_stay_where_they_are_until_a_single_row_is_multiplied_with_them():
    row = torch.arange(3000.0)
    linear, conv, own = nn.Linear(16, 8), nn.Conv2d(4, 4, 3), nn.Module()
    linear.weight.data = row[1:129].view(8, 16)
    conv.weight.data = row[1:145].view(4, 4, 3, 3)
    own.first = own.second = nn.Parameter(row[1:17].view(4, 4))
    own.third = nn.Parameter(row[16:32].view(4, 4))
    network = nn.ModuleList([linear, conv, own])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    places = [linear.weight.data_ptr(), conv.weight.data_ptr(), own.third.data_ptr()]
    align(network)
    assert own.first.data_ptr() % 64 == 0  # nobody knows how such a layer reads its weights
    linear(torch.ones(2, 16))
    conv(torch.ones(1, 4, 8, 8))
    assert [linear.weight.data_ptr(), conv.weight.data_ptr(), own.third.data_ptr()] == places
    made = linear(torch.ones(1, 1, 16))
    assert linear.weight.data_ptr() % 64 == 0
    moved = linear.weight.data_ptr()
    assert torch.equal(linear(torch.ones(1, 1, 16)), made)
    assert linear.weight.data_ptr() == moved
    assert own.first is own.second
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert aligned(row[16:20]).data_ptr() == row[16:20].data_ptr()


LAYERS = {
    "Linear, 2 rows": (lambda: nn.Linear(320, 1280), (2, 320)),
    "Linear, 3 odd rows": (lambda: nn.Linear(40, 24), (1, 3, 40)),
    "Linear, 77 tokens": (lambda: nn.Linear(768, 320, bias=False), (1, 77, 768)),
    "Conv2d 3x3": (lambda: nn.Conv2d(40, 80, 3, padding=1), (1, 40, 8, 8)),
    "Conv2d 3x3, wide": (lambda: nn.Conv2d(320, 320, 3, padding=1), (1, 320, 8, 8)),
    "Conv2d 3x3, 1 x 2 positions": (lambda: nn.Conv2d(320, 320, 3, padding=1), (2, 320, 1, 2)),
    "Conv2d 1x1, 2 x 1 positions": (lambda: nn.Conv2d(320, 320, 1), (1, 320, 2, 1)),
    "Conv2d 3x3, halved to 2 positions": (lambda: nn.Conv2d(72, 72, 3, padding=1, stride=2), (1, 72, 3, 2)),
    "Conv2d, 4 channels": (lambda: nn.Conv2d(4, 320, 3, padding=1), (1, 4, 8, 8)),
    "GroupNorm": (lambda: nn.GroupNorm(8, 40), (2, 40, 8, 8)),
    "LayerNorm": (lambda: nn.LayerNorm(72), (1, 77, 72)),
}
"""Layers as networks have them, and what they are given."""

SINGLE = {
    "Linear, 1 row": (lambda: nn.Linear(320, 1280), (1, 320)),
    "Linear, 1 token": (lambda: nn.Linear(40, 24), (1, 1, 40)),
    "Conv2d 1x1, 1 position": (lambda: nn.Conv2d(72, 40, 1), (1, 72, 1, 1)),
    "Conv2d 1x1, 1 position each": (lambda: nn.Conv2d(72, 40, 1), (2, 72, 1, 1)),
    "Conv2d 3x3, 1 position": (lambda: nn.Conv2d(72, 40, 3, padding=1), (1, 72, 1, 1)),
    "Conv2d 3x3, halved to 1 position": (lambda: nn.Conv2d(72, 72, 3, padding=1, stride=2), (1, 72, 2, 2)),
    "Conv2d 2x2, 1 position": (lambda: nn.Conv2d(72, 72, 2), (1, 72, 2, 2)),
    "Conv1d, 1 position": (lambda: nn.Conv1d(72, 72, 1), (1, 72, 1)),
}
"""Layers that multiply with a single vector: their weight is moved."""


def changed_by_places(layers, see_to_it):
    """Return which layers give another result with their weights at other places within 64 bytes."""
    torch.manual_seed(3)
    changed = []
    for name, (make, shape) in layers.items():
        layer, values = make(), torch.randn(shape)
        weights = [weight.data for weight in layer.parameters()]
        with torch.no_grad():
            expected = layer(values)
            for places in range(1, 16, 2):
                for weight, data in zip(layer.parameters(), weights, strict=True):
                    weight.data = torch.cat([torch.empty(places), data.reshape(-1)])[places:].view(data.shape)
                assert layer.weight.data_ptr() % 64 == 4 * places
                see_to_it(layer)
                if not torch.equal(layer(values), expected):
                    changed.append(f"{name}, {4 * places} bytes")
    return changed


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", THREADS, indirect=True)
def test_nothing_but_products_with_a_single_vector_depends_on_where_weights_lie(threads):
    assert changed_by_places(LAYERS, lambda layer: None) == []


@pytest.mark.parametrize("threads", THREADS, indirect=True)
def test_products_with_a_single_vector_are_the_same_wherever_the_weights_lay(threads):
    assert changed_by_places(SINGLE, align) == []


def test_single_is_what_has_one_row_or_comes_out_at_one_position():
    for layers, wanted in ((LAYERS, False), (SINGLE, True)):
        for name, (make, shape) in layers.items():
            layer = make()
            if isinstance(layer, nn.GroupNorm | nn.LayerNorm):
                continue
            given = torch.zeros(shape)
            made = layer(given)
            positions = made[0, 0].numel() if name.startswith("Conv") else made.numel() // made.shape[-1]
            assert (positions == 1) is wanted is is_single(layer, given), name
