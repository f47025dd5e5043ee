"""Pictures enlarged by small networks whose pixels are known: in every spelling, tile by tile, stopped in time."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from sdstudio.catalog.kinds import UPSCALER
from sdstudio.core.errors import (
    Cancelled,
    InvalidNumbers,
    ModelDamaged,
    ModelNotFound,
    ModelPickled,
    ModelUnsupported,
    OutOfMemory,
)
from sdstudio.core.events import Enlarging, ImageMade, ModelLoading
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.settings import Settings
from sdstudio.engine.device.devices import KIND_BY_KEY, Device
from sdstudio.engine.pictures.upscaling import TILE_BYTES, Upscaler, load_upscaler
from tests.tiny_upscalers import as_bsrgan, as_esrgan, compact_weights, dense_weights, repeating_weights, write

CPU = Device(KIND_BY_KEY["cpu"], torch.float32)


def picture(width=24, height=20, seed=3):
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def loaded(weights, tmp_path, name="up.safetensors", nested="") -> Upscaler:
    return load_upscaler(write(weights, tmp_path / name, nested), CPU, allow_pickle=True)


def enlarged(upscaler, small, width, height, told=None):
    def tell(*facts):
        if told is not None:
            told.append(facts)

    return upscaler.enlarge(small, width, height, threading.Event(), tell)


def whole(upscaler, pixels):
    """What the network makes of a picture that is given to it as one piece."""
    with torch.inference_mode():
        return upscaler.network(pixels[None])[0]


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_all_spellings_of_the_same_weights_give_the_same_pixels(tmp_path, scale):
    weights = dense_weights(scale)
    small = picture()
    results = [
        np.asarray(enlarged(loaded(changed, tmp_path, name, nested), small, 24 * scale, 20 * scale))
        for changed, name, nested in (
            (weights, "new.safetensors", ""),
            (weights, "ema.pth", "params_ema"),
            (weights, "params.pth", "params"),
            (weights, "dash.pth", "params-ema"),
            (weights, "wrapped.pth", "model_state_dict"),
            ({f"model.{key}": value for key, value in weights.items()}, "net.pth", "netG"),
            (as_esrgan(weights), "old.safetensors", ""),
            (as_esrgan(weights), "old.pth", ""),
            (as_bsrgan(weights), "bsrgan.pt", "state_dict"),
        )
    ]
    assert results[0].std() > 2
    assert results[0].shape == (20 * scale, 24 * scale, 3) or scale == 1
    for other in results[1:]:
        assert (other == results[0]).all()


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_a_network_that_repeats_pixels_repeats_them_exactly(tmp_path, scale):
    upscaler = loaded(repeating_weights(scale), tmp_path)
    small = picture()
    assert upscaler.scale == scale
    large = enlarged(upscaler, small, 24 * scale, 20 * scale)
    assert (np.asarray(large) == np.asarray(small).repeat(scale, 0).repeat(scale, 1)).all()


def test_a_compact_network_without_a_wish_repeats_pixels_and_with_one_adds_it(tmp_path):
    weights = {name: torch.zeros_like(value) for name, value in compact_weights(2).items()}
    last = "body.8.bias"
    small = Image.fromarray(np.full((5, 7, 3), 100, np.uint8))
    assert (np.asarray(enlarged(loaded(weights, tmp_path), small, 14, 10)) == 100).all()
    weights[last][:4] = torch.tensor([0, 10, 20, 30]) / 255  # the four pixels that the first colour of one becomes
    large = np.asarray(enlarged(loaded(weights, tmp_path), small, 14, 10))
    assert large[:2, :2, 0].tolist() == [[100, 110], [120, 130]]
    assert (large[..., 1:] == 100).all()


@pytest.mark.parametrize(
    "weights",
    [
        compact_weights(4), dense_weights(4, blocks=1), dense_weights(2, unshuffle=2, blocks=1),
        as_esrgan(dense_weights(1)),
    ],
    ids=["compact", "4x", "2x unshuffled", "1x"],
)  # fmt: skip
def test_tiles_whose_margin_is_the_networks_reach_give_the_whole_picture(tmp_path, weights):
    upscaler = loaded(weights, tmp_path)
    generator = torch.Generator().manual_seed(2)
    pixels = torch.rand(3, 62, 118, generator=generator)
    scale = upscaler.scale
    reach = upscaler.layout.reach
    canvas = torch.full((3, 62 * scale, 118 * scale), torch.nan)
    with torch.inference_mode():
        for tile, tensor in upscaler.tiles(pixels, 2 * upscaler.margin + 24, threading.Event()):
            canvas[:, tile.top * scale : tile.bottom * scale, tile.left * scale : tile.right * scale] = tensor
    difference = (canvas - whole(upscaler, pixels)).abs().max()
    assert upscaler.margin >= min(reach, 32)
    assert difference < (1e-4 if reach <= 32 else 2e-3)


def test_a_size_that_is_no_multiple_of_what_is_folded_comes_out_whole(tmp_path):
    upscaler = loaded(dense_weights(2, unshuffle=2), tmp_path)
    assert enlarged(upscaler, picture(23, 5), 46, 10).size == (46, 10)
    assert enlarged(upscaler, picture(1, 1), 2, 2).size == (2, 2)


def test_it_passes_again_until_the_size_is_reached_and_then_goes_down_by_lanczos(tmp_path):
    upscaler = loaded(repeating_weights(2), tmp_path)
    told = []
    small = picture(16, 16)
    large = enlarged(upscaler, small, 100, 96, told)
    repeated = Image.fromarray(np.asarray(small).repeat(8, 0).repeat(8, 1))
    assert (np.asarray(large) == np.asarray(repeated.resize((100, 96), Image.Resampling.LANCZOS))).all()
    assert [facts[:2] for facts in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert all(facts[2] >= 0 for facts in told)


@pytest.mark.parametrize(
    ("size", "wanted", "passes"),
    [
        ((4096, 100), (512, 512), [(512, 100), (512, 400)]),
        ((9000, 5), (4096, 4096), [(4096, 5), (4096, 20), (4096, 80), (4096, 320), (4096, 1280)]),
        ((16, 4000), (64, 512), [(16, 512)]),
    ],
)
def test_a_picture_that_is_stretched_along_one_side_only_ends_at_its_size(tmp_path, size, wanted, passes):
    upscaler = loaded(repeating_weights(4), tmp_path)
    assert [*islice(upscaler.sizes(size, wanted), 20)] == passes


def test_what_is_large_enough_does_not_go_through_the_network(tmp_path):
    told = []
    small = picture(64, 64)
    result = enlarged(loaded(dense_weights(4), tmp_path), small, 32, 40, told)
    assert (np.asarray(result) == np.asarray(small.resize((32, 40), Image.Resampling.LANCZOS))).all()
    assert not told


def test_a_network_that_enlarges_nothing_is_passed_once(tmp_path):
    told = []
    upscaler = loaded(as_esrgan(repeating_weights(1)), tmp_path)
    small = picture()
    result = enlarged(upscaler, small, 96, 80, told)
    assert (np.asarray(result) == np.asarray(small.resize((96, 80), Image.Resampling.LANCZOS))).all()
    assert [facts[:2] for facts in told] == [(0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("weights", "first"), [(dense_weights(4), "first"), (compact_weights(4), "row.0.0")], ids=["dense", "compact"]
)
def test_it_stops_between_tiles_and_within_one(tmp_path, weights, first):
    upscaler = loaded(weights, tmp_path)
    cancel = threading.Event()
    told = []

    def tell(*facts):
        told.append(facts)
        if facts[0]:
            cancel.set()

    with pytest.raises(Cancelled):
        upscaler.enlarge(picture(1100, 40), 4400, 160, cancel, tell)
    assert [facts[0] for facts in told] == [0, 1]
    cancel = threading.Event()
    upscaler.network.get_submodule(first).register_forward_hook(lambda *_: cancel.set())
    told.clear()
    with pytest.raises(Cancelled):
        upscaler.enlarge(picture(), 96, 80, cancel, tell)
    assert [facts[0] for facts in told] == [0]


def test_numbers_that_are_none_are_an_error_and_not_a_black_picture(tmp_path):
    weights = dense_weights(4)
    weights["conv_body.bias"][0] = torch.inf
    with pytest.raises(InvalidNumbers, match="Upscaler = up"):
        enlarged(loaded(weights, tmp_path), picture(), 96, 80)


def test_what_overflows_in_half_precision_is_computed_again_in_float32(tmp_path):
    weights = repeating_weights(4)
    for layer, factor in (("conv_first", 1e4), ("conv_up1", 1e2), ("conv_hr", 1e-3), ("conv_last", 1e-3)):
        weights[f"{layer}.weight"] *= factor
    upscaler = loaded(weights, tmp_path)
    upscaler.dtype = torch.float16
    upscaler.network.half()
    small = picture()
    large = np.asarray(enlarged(upscaler, small, 96, 80)).astype(int)
    assert np.abs(large - np.asarray(small).repeat(4, 0).repeat(4, 1)).max() <= 16  # its weights were halves once
    assert upscaler.dtype == torch.float32


def test_tiles_become_smaller_when_memory_runs_out(tmp_path):
    upscaler = loaded(repeating_weights(4), tmp_path)
    sides = []

    def scarce(module, args):
        sides.append(max(args[0].shape[2:]))
        if sides[-1] > 120:
            raise torch.OutOfMemoryError("out of memory")

    upscaler.network.register_forward_pre_hook(scarce)
    told = []
    small = picture(300, 20)
    large = enlarged(upscaler, small, 1200, 80, told)
    assert (np.asarray(large) == np.asarray(small).repeat(4, 0).repeat(4, 1)).all()
    assert sides[0] > 120 >= sides[-1]
    assert told[-1][0] == told[-1][1]

    def none_left(module, args):
        raise torch.OutOfMemoryError("out of memory")

    upscaler.network.register_forward_pre_hook(none_left)
    with pytest.raises(OutOfMemory, match="Upscaler = up: the memory of CPU"):
        enlarged(upscaler, small, 1200, 80)


def test_one_tile_never_takes_more_than_its_share(tmp_path):
    for weights in (dense_weights(8, 64, 32, 1), dense_weights(4, 64, 32, 1), compact_weights(4, 64, 16)):
        upscaler = loaded(weights, tmp_path)
        widest = max(
            max(tile.outer_right - tile.outer_left, tile.outer_bottom - tile.outer_top)
            for tile in upscaler.cut(1024, 1024, upscaler.side)
        )
        assert widest <= upscaler.side
        assert upscaler.layout.compact or 3 * 64 * 4 * (widest * upscaler.scale) ** 2 < TILE_BYTES


class _Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_a_file_that_is_not_what_it_should_be_is_one_line(tmp_path):
    whole_file = write(dense_weights(4), tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(whole_file.read_bytes()[:-100])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    write(dense_weights(4), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:-2000])
    torch.save({"params": dense_weights(4), "code": _Evil()}, tmp_path / "code.pth")
    write({"conv_first.weight": torch.zeros(3)}, tmp_path / "odd.safetensors")
    integers = {name: value.int() for name, value in dense_weights(4).items()}
    write(integers, tmp_path / "integers.safetensors")
    stretched = dense_weights(4) | {"conv_first.weight": torch.zeros(1).expand(1_000_000, 3, 3, 3)}
    write(stretched, tmp_path / "stretched.pth")
    for name, error, said in (
        ("cut.safetensors", ModelDamaged, "cut"), ("empty.safetensors", ModelDamaged, "empty"),
        ("cut.pth", ModelDamaged, "cut.pth is damaged"), ("code.pth", ModelUnsupported, "Python objects"),
        ("odd.safetensors", ModelUnsupported, "Upscaler = odd"), ("integers.safetensors", ModelDamaged, "fractions"),
        ("stretched.pth", ModelUnsupported, "1,000,000 features"), ("gone.safetensors", ModelNotFound, "is gone"),
    ):  # fmt: skip
        with pytest.raises(error, match=said) as refused:
            load_upscaler(tmp_path / name, CPU, allow_pickle=True)
        assert "\n" not in str(refused.value)


def test_a_pickle_is_opened_only_when_the_settings_say_so(tmp_path):
    path = write(dense_weights(4), tmp_path / "up.pth")
    with pytest.raises(ModelPickled, match="not opened"):
        load_upscaler(path, CPU, allow_pickle=False)
    assert load_upscaler(path, CPU, allow_pickle=True).scale == 4


def test_half_precision_files_are_read(tmp_path):
    weights = {name: value.half() for name, value in dense_weights(4).items()}
    ours = np.asarray(enlarged(loaded(weights, tmp_path), picture(), 96, 80)).astype(int)
    full = np.asarray(enlarged(loaded(dense_weights(4), tmp_path), picture(), 96, 80)).astype(int)
    assert np.abs(ours - full).max() <= 1


@pytest.fixture
def begun(studio, tmp_path):
    """Return an engine whose job begins from a small picture, which an upscaler is to enlarge."""

    def build(path, settings=None):
        here = studio("sd1", settings or Settings(previews=False))
        picture(32, 32).save(tmp_path / "small.png")
        here.adapters, here.picture = (Adapter(UPSCALER, path.stem, path),), tmp_path / "small.png"
        return here

    return build


def test_an_engine_enlarges_the_input_picture_without_a_model_and_tells_every_tile(begun, tmp_path):
    here = begun(write(repeating_weights(2), tmp_path / "twice.safetensors"))
    made = here.make(seeds=(1, 2), init_image="5a" * 32, strength=0)
    assert [(event.tile, event.total) for event in here.of(Enlarging)] == [(0, 1), (1, 1)]
    assert not here.of(ModelLoading)
    for one in made:
        assert (np.asarray(one.pixels) == np.asarray(picture(32, 32)).repeat(2, 0).repeat(2, 1)).all()
        assert [adapter["name"] for adapter in one.recipe.made_with["adapters"]] == ["twice"]


def test_what_is_drawn_over_was_enlarged_by_the_upscaler(begun, tmp_path):
    values = {"init_image": "5a" * 32, "strength": 0.5, "steps": 4}
    sharp = begun(write(repeating_weights(2), tmp_path / "twice.safetensors"))
    [over_sharp] = sharp.make(**values)
    assert [type(event) for event in sharp.events].index(Enlarging) == 0
    sharp.adapters = ()
    [over_soft] = sharp.make(**values)
    assert not sharp.of(Enlarging)
    assert (np.asarray(over_sharp.pixels) != np.asarray(over_soft.pixels)).any()


def test_a_job_is_stopped_while_its_picture_is_enlarged_and_the_engine_stays_usable(begun, tmp_path):
    here = begun(write(repeating_weights(2), tmp_path / "twice.safetensors"))

    def stop(event):
        if isinstance(event, Enlarging):
            here.cancel.set()

    values = {"init_image": "5a" * 32, "strength": 0}
    with pytest.raises(Cancelled):
        here.make(on_event=stop, **values)
    assert not here.of(ImageMade)
    assert len(here.make(**values)) == 1


def test_a_job_opens_a_pickled_upscaler_only_when_the_settings_say_so(begun, tmp_path):
    path = write(repeating_weights(2), tmp_path / "old.pth", "params_ema")
    values = {"init_image": "5a" * 32, "strength": 0}
    with pytest.raises(ModelPickled, match="Upscaler = old"):
        begun(path).make(**values)
    assert len(begun(path, Settings(previews=False, open_pickles=True)).make(**values)) == 1
