"""Networks computed by OpenVINO itself, on tiny models that are really converted."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import Cancelled, ModelUnsupported, SaveFailed, StudioError
from sdstudio.core.events import NotConverted
from sdstudio.core.settings import Settings
from sdstudio.engine.device import openvino_devices
from sdstudio.engine.device.devices import choose_device
from sdstudio.engine.openvino.conversion import converted
from sdstudio.engine.openvino.store import Origin, Store
from tests.unit.engine.conftest import Studio, info

pytest.importorskip("openvino")
ON_OPENVINO = Settings(device="openvino", previews=False)


@pytest.fixture(scope="module")
def models(tiny_models, tmp_path_factory):
    """Two models: one in float32, and one whose UNet is kept in half precision."""
    half = Path(shutil.copytree(tiny_models["sdxl"], tmp_path_factory.mktemp("half") / "half"))
    (weights,) = (half / "unet").glob("*.safetensors")
    save_file({name: value.half() for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    return {"sd1": info(tiny_models["sd1"], "sd1"), "sdxl": info(half, "sdxl")}


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    """Hold the converted networks of two families."""
    folder = tmp_path_factory.mktemp("converted")
    progress = {"sd1": [], "sdxl": []}
    for family, seen in progress.items():
        converted(
            models[family], folder, False, lambda *share_and_part, to=seen: to.append(share_and_part), threading.Event()
        )
        shares = [share for share, _ in seen]
        assert (shares[0], shares[-1], shares) == (0.0, 1.0, sorted(shares))
        assert [part for _, part in seen][-4:] == ["unet", "vae_decoder", "vae_encoder", ""]
    return folder


@pytest.fixture
def here(models, tiny_models, folder, monkeypatch, tmp_path):
    """Give a studio that computes by OpenVINO, of a family that is converted or not."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "openvino").symlink_to(folder, target_is_directory=True)
    monkeypatch.setenv("SDSTUDIO_HOME", str(tmp_path))
    return lambda family: Studio(models.get(family) or info(tiny_models[family], family), ON_OPENVINO)


def pixels(images):
    return [np.asarray(image.pixels, dtype=int) for image in images]


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_pictures_are_torchs_within_a_level_and_recipes_name_what_computed_them(here, family):
    by_openvino = here(family)
    made = by_openvino.make([3, 4], batch_size=2, width=128)
    by_torch = Studio(by_openvino.model, Settings(device="cpu", previews=False))
    expected = by_torch.make([3, 4], batch_size=2, width=128)
    differences = [np.abs(ours - theirs).max() for ours, theirs in zip(pixels(made), pixels(expected), strict=True)]
    assert max(differences) <= 1
    assert made[0].recipe.made_with["device"] == "OpenVINO, CPU"
    named = f"OpenVINO {openvino_devices.version()}: unet, vae_decoder, vae_encoder"
    assert made[0].recipe.made_with["computed_by"] == named
    assert "computed_by" not in expected[0].recipe.made_with
    assert "forward" not in vars(by_openvino.pipe.unet)  # torch's own again


def test_each_call_of_the_unet_is_near_float32_at_sizes_and_batches_that_were_not_traced(here):
    by_openvino = here("sdxl")
    seen = []

    def compare(unet, args, kwargs, output):
        ours, own = output[0], type(unet).forward(unet, *args, **kwargs)[0]
        seen.append((tuple(ours.shape), float((ours - own).norm() / own.norm())))

    by_openvino.make([1])
    handle = by_openvino.pipe.unet.register_forward_hook(compare, with_kwargs=True)
    for size, seeds in ((64, [1]), (192, [1, 2, 3])):
        by_openvino.make(seeds, batch_size=3, width=size, steps=2, guidance_scale=4.0)
    handle.remove()
    assert {shape for shape, _ in seen} == {(2, 4, 8, 8), (6, 4, 8, 24)}
    assert max(relative for _, relative in seen) < 1e-4


def test_what_was_not_traced_is_computed_by_torch(here):
    by_openvino = here("sd1")
    (image,) = by_openvino.make([1], width=72)
    (again,) = Studio(by_openvino.model, Settings(device="cpu", previews=False)).make([1], width=72)
    assert np.abs(np.asarray(image.pixels, dtype=int) - np.asarray(again.pixels)).max() <= 1


def test_a_model_that_is_not_converted_is_drawn_with_by_torch_and_asked_for(here, studio):
    by_openvino = here("sd2")
    (image,) = by_openvino.make([1])
    assert by_openvino.of(NotConverted) == [NotConverted(by_openvino.model)]
    assert image.recipe.made_with["computed_by"] == "torch"
    assert np.array_equal(*pixels([image, *studio("sd2").make([1])]))


def test_what_openvino_does_not_compute_is_said(here):
    by_openvino = here("sd1")
    (image,) = by_openvino.make([1], seamless="x")
    assert [notice.message for notice in by_openvino.notices] == [
        "Seamless tiling: this is drawn by torch, not by OpenVINO."
    ]
    assert image.recipe.made_with["computed_by"] == "torch"


def test_a_cancel_is_obeyed_while_openvino_computes(here):
    by_openvino = here("sd1")
    with pytest.raises(Cancelled):
        by_openvino.make([1], steps=30, on_event=lambda event: by_openvino.steps and by_openvino.cancel.set())
    assert len(by_openvino.steps) == 1
    assert len(by_openvino.make([1])) == 1


def test_a_kind_that_is_not_converted_is_refused_and_what_is_there_is_not_converted_again(tiny_models, folder):
    with pytest.raises(ModelUnsupported, match="not converted yet"):
        converted(info(tiny_models["sd3"], "other"), folder, False, lambda *_: None, threading.Event())
    before = sorted(file.stat().st_mtime_ns for file in folder.glob("*/*.bin"))
    path, count = converted(info(tiny_models["sd1"], "sd1"), folder, False, lambda *_: None, threading.Event())
    assert (path.parent, count) == (folder, 3)
    assert sorted(file.stat().st_mtime_ns for file in folder.glob("*/*.bin")) == before


def test_nothing_is_left_of_a_conversion_that_is_cancelled_or_finds_no_room(tiny_models, tmp_path):
    model, cancel = info(tiny_models["sd1"], "sd1"), threading.Event()
    with pytest.raises(Cancelled):
        converted(model, tmp_path / "a", False, lambda share, part: part == "vae_decoder" and cancel.set(), cancel)
    assert list((tmp_path / "a").iterdir()) == []
    (tmp_path / "b").write_text("no folder")
    with pytest.raises(SaveFailed, match="cannot be kept"):
        converted(model, tmp_path / "b", False, lambda *_: None, threading.Event())


def test_the_store_is_bounded_and_drops_what_is_stale(tmp_path):
    store = Store(tmp_path / "store", limit_bytes=30_000)
    for name in ("old", "a", "b", "c"):
        (tmp_path / name).write_text(name)

    def write(name, version="2", stamp=1):
        origin = Origin(str(tmp_path / name), stamp, "float32", (version,))
        with store.writing(origin) as made:
            (made / "unet.bin").write_bytes(b"x" * 10_000)
        return origin

    old = write("old", version="1")
    first, second = write("a"), write("b")
    assert store.find(old) is None  # of another version
    assert store.find(first) is not None
    changed = write("a", stamp=2)
    assert store.find(first) is None  # the model is another one now
    store.find(second)
    (tmp_path / "b").unlink()
    third = write("c")
    assert store.find(second) is None  # its model is gone
    (tmp_path / "b").write_text("b")
    write("b")
    assert store.find(changed) is None  # used longest ago
    assert store.find(third) is not None


def test_a_device_that_is_missing_names_what_there_is_and_how_to_get_openvino(monkeypatch):
    with pytest.raises(StudioError, match=r"Device = openvino-npu: here there is auto, cpu, openvino\."):
        choose_device(Settings(device="openvino-npu"))
    monkeypatch.setattr(openvino_devices, "is_installed", lambda: False)
    with pytest.raises(StudioError, match=r"here there is auto, cpu\.") as error:
        choose_device(Settings(device="openvino"))
    assert error.value.hint == "OpenVINO is an extra: pip install 'sdstudio[openvino]'."
    assert choose_device(Settings()).kind.key == "cpu"
