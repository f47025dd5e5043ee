"""Merges are exact to a float32 reference, take little memory, say how they were made, and leave nothing half done."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import Cancelled, InvalidNumbers, ModelDamaged, ModelUnsupported, SaveFailed, StudioError
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.models.work import MergeInput, MergeMode, MergeOrder
from sdstudio.engine.model_files.merge import merge, merged
from sdstudio.engine.weight_files import weights as weights_module

SUM, DIFFERENCE = MergeMode.WEIGHTED_SUM, MergeMode.ADD_DIFFERENCE


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Let every tensor of a test be worked on in several pieces."""
    monkeypatch.setattr(weights_module, "CHUNK_VALUES", 37)


def checkpoint(path, seed, dtype=torch.float16, **more):
    torch.manual_seed(seed)
    tensors = {
        "model.diffusion_model.a.weight": torch.randn(5, 7, 3, 3).to(dtype),
        "model.diffusion_model.b.bias": torch.randn(101).to(dtype),
        "model.diffusion_model.c.weight": torch.randn(11, 13).to(torch.float32),
        "cond_stage_model.position_ids": torch.arange(77)[None],
        "model.diffusion_model.scale": torch.randn(()).to(dtype),
    }
    tensors |= more.pop("tensors", {})
    save_file({name: value for name, value in tensors.items() if value is not None}, path, metadata=more or None)
    return path


@pytest.fixture
def three(tmp_path):
    return [checkpoint(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate("abc")]


def order(inputs, **values):
    target = values.pop("target", inputs[0].parent / "merged.safetensors")
    return MergeOrder(tuple(MergeInput(path, f"sha-{path.stem}") for path in inputs), target, **values)


def run(given, on_progress=lambda fraction: None, cancel=None):
    return merge(given, on_progress, cancel or threading.Event())


@pytest.mark.parametrize("precision", ["keep", "float16", "bfloat16", "float32"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("mode", list(MergeMode))
def test_every_weight_is_that_of_a_float32_reference_to_the_bit(three, mode, alpha, precision):
    inputs = three[: mode.input_count]
    report = run(order(inputs, mode=mode, alpha=alpha, precision=precision))
    result = load_file(report.path)
    given = [load_file(path) for path in inputs]
    assert result.keys() == given[0].keys()
    for name, value in result.items():
        if name.endswith("position_ids"):
            assert torch.equal(value, given[0][name])
            continue
        a, b, *c = (tensors[name].to(torch.float32) for tensors in given)
        expected = a * (1 - alpha) + b * alpha if mode is SUM else a + (b - c[0]) * alpha
        wanted = getattr(torch, precision) if precision != "keep" else given[0][name].dtype
        assert value.dtype == wanted
        assert torch.equal(value, expected.to(wanted))


def test_a_merge_with_nothing_of_b_is_a(three):
    report = run(order(three[:2], alpha=0.0))
    a, result = load_file(three[0]), load_file(report.path)
    assert all(torch.equal(a[name], result[name]) for name in a)


def test_differences_in_names_are_listed_and_are_as(tmp_path):
    a = checkpoint(tmp_path / "a.safetensors", 1, tensors={"only.a": torch.ones(3)})
    b = checkpoint(
        tmp_path / "b.safetensors", 2, tensors={"only.b": torch.ones(3), "model.diffusion_model.b.bias": None}
    )
    report = run(order([a, b]))
    assert report.notes == (
        "B lacks 2 weights, which are A's: model.diffusion_model.b.bias, only.a.",
        "B has 1 weights that A lacks, which were left out: only.b.",
    )
    result = load_file(report.path)
    assert torch.equal(result["only.a"], torch.ones(3))
    assert torch.equal(result["model.diffusion_model.b.bias"], load_file(a)["model.diffusion_model.b.bias"])


def test_shapes_that_do_not_fit_are_named_before_anything_is_written(tmp_path, three):
    odd = checkpoint(tmp_path / "odd.safetensors", 3, tensors={"model.diffusion_model.c.weight": torch.zeros(11, 9)})
    with pytest.raises(ModelUnsupported, match=r"B = odd\.safetensors.*c\.weight with 11 x 9 instead of 11 x 13"):
        run(order([three[0], odd]))
    with pytest.raises(ModelUnsupported, match=r"C = odd\.safetensors"):
        run(order([*three[:2], odd], mode=DIFFERENCE))
    assert not (tmp_path / "merged.safetensors").exists()


FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def with_channels(path, seed, channels):
    return checkpoint(path, seed, tensors={FIRST: torch.randn(8, channels, 3, 3)})


@pytest.mark.parametrize("channels", [9, 8, 5])
@pytest.mark.parametrize("mode", list(MergeMode))
def test_an_inpainting_model_is_merged_in_the_channels_that_all_have(tmp_path, mode, channels):
    wide = with_channels(tmp_path / "wide.safetensors", 1, channels)
    others = [with_channels(tmp_path / f"{seed}.safetensors", seed, 4) for seed in (2, 3)][: mode.input_count - 1]
    report = run(order([wide, *others], mode=mode, alpha=0.7))
    made = load_file(report.path)[FIRST].double()
    a, b, *c = (load_file(path)[FIRST].double() for path in (wide, *others))
    expected = a[:, :4] * 0.3 + b * 0.7 if mode is SUM else a[:, :4] + (b - c[0]) * 0.7
    assert torch.allclose(made[:, :4], expected, atol=1e-6)
    assert torch.equal(made[:, 4:], a[:, 4:])
    assert f"A takes {channels - 4} channels that B does not; they are A's." in report.notes


def test_an_inpainting_model_is_to_be_a(tmp_path):
    wide = with_channels(tmp_path / "wide.safetensors", 1, 9)
    plain = with_channels(tmp_path / "plain.safetensors", 2, 4)
    with pytest.raises(ModelUnsupported, match=r"B = wide\.safetensors: it takes 9 channels and A takes 4") as caught:
        run(order([plain, wide], mode=SUM, alpha=0.5))
    assert caught.value.hint == "Make wide.safetensors A."
    with pytest.raises(ModelUnsupported, match=r"C = plain\.safetensors: it takes 4 channels and B takes 9"):
        run(order([wide, wide, plain], mode=DIFFERENCE, alpha=1.0))


def test_fp8_is_merged_and_what_is_too_large_for_it_is_said(tmp_path):
    eight = checkpoint(tmp_path / "eight.safetensors", 1, torch.float8_e4m3fn)
    half = checkpoint(tmp_path / "half.safetensors", 2)
    made = load_file(run(order([eight, half], mode=SUM, alpha=0.5)).path)
    for name, a in load_file(eight).items():
        if a.is_floating_point():
            expected = a.float() * 0.5 + load_file(half)[name].float() * 0.5
            assert torch.equal(made[name].float(), expected.to(a.dtype).float())
    name = "model.diffusion_model.b.bias"
    large = checkpoint(tmp_path / "large.safetensors", 2, tensors={name: torch.full((101,), 2000.0)})
    with pytest.raises(InvalidNumbers, match=r"448 is the largest number of F8_E4M3"):
        run(order([eight, large], mode=SUM, alpha=0.5, target=tmp_path / "other.safetensors"))


def test_two_of_no_kind_are_not_merged(tmp_path, three):
    save_file({"lora_up": torch.zeros(3)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelUnsupported, match="it has 0 of A's 5 weights"):
        run(order([three[0], tmp_path / "lora.safetensors"]))


def test_the_header_says_how_it_was_made_in_a1111s_words(tmp_path):
    notes = {"modelspec.prediction_type": "v", "modelspec.hash_sha256": "0x12", "sd_merge_recipe": '{"type": "webui"}'}
    a = checkpoint(tmp_path / "a.safetensors", 1, **notes)
    b = checkpoint(tmp_path / "b.safetensors", 2)
    metadata = read_header(run(order([a, b], alpha=0.25, precision="float16")).path).metadata
    recipe = json.loads(metadata["sd_merge_recipe"])
    assert recipe["primary_model_hash"] == "sha-a"
    assert recipe["secondary_model_hash"] == "sha-b"
    assert recipe["tertiary_model_hash"] is None
    assert (recipe["interp_method"], recipe["multiplier"], recipe["precision"]) == ("Weighted sum", 0.25, "float16")
    models = json.loads(metadata["sd_merge_models"])
    assert models["sha-a"] == {"name": "a.safetensors", "sd_merge_recipe": {"type": "webui"}}
    assert metadata["modelspec.prediction_type"] == "v"
    assert "modelspec.hash_sha256" not in metadata


def test_progress_goes_up_to_the_end(three):
    told = []
    run(order(three[:2]), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10


@pytest.mark.parametrize("after", [1, 7])
def test_a_cancelled_merge_leaves_nothing_and_what_was_there(three, after):
    folder, cancel, told = three[0].parent, threading.Event(), []
    target = folder / "merged.safetensors"
    target.write_bytes(b"before")

    def look(fraction):
        told.append(fraction)
        if len(told) == after:
            cancel.set()

    with pytest.raises(Cancelled):
        run(order(three[:2], replace=True), look, cancel)
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.safetensors", "b.safetensors", "c.safetensors", "merged.safetensors"
    ]  # fmt: skip
    assert target.read_bytes() == b"before"


def test_what_is_there_is_replaced_only_when_it_may_be(three):
    target = three[0].parent / "merged.safetensors"
    target.write_bytes(b"before")
    with pytest.raises(StudioError, match="already"):
        run(order(three[:2]))
    assert run(order(three[:2], replace=True)).size_bytes == target.stat().st_size


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": 1.5}, "Alpha = 1.5: 0 to 1"),
        ({"alpha": float("nan")}, "Alpha"),
        ({"mode": DIFFERENCE}, "Checkpoints = 2"),
        ({"target": Path("/tmp/x.ckpt")}, r"a \.safetensors file is allowed"),
        ({"target": Path("/no/such/folder/x.safetensors")}, "its folder is not there"),
    ],
)
def test_orders_without_sense_are_refused(three, change, said):
    with pytest.raises(StudioError, match=said):
        run(order(three[:2], **change))


def test_a_damaged_input_is_named(three):
    data = three[1].read_bytes()
    three[1].write_bytes(data[:-50])
    with pytest.raises(ModelDamaged, match=r"b\.safetensors is damaged: 50 of its"):
        run(order(three[:2]))


def test_a_folder_is_to_be_converted_first(three, tmp_path):
    with pytest.raises(ModelUnsupported, match="is a folder"):
        run(order([three[0], tmp_path]))


def test_a_number_too_large_for_half_is_refused(tmp_path):
    big = {"model.diffusion_model.b.bias": torch.full((101,), 70_000.0)}
    inputs = [checkpoint(tmp_path / f"{n}.safetensors", 1, torch.float32, tensors=big) for n in "ab"]
    with pytest.raises(InvalidNumbers, match=r"b\.bias holds 70,000"):
        run(order(inputs, precision="float16"))
    assert run(order(inputs, precision="bfloat16")).tensors == 5


@pytest.mark.parametrize("bad", ["A", "B"])
def test_what_is_no_number_is_named_and_not_written(three, bad):
    place = "AB".index(bad)
    value = torch.randn(101)
    value[99] = torch.nan
    checkpoint(three[place], 5, tensors={"model.diffusion_model.b.bias": value})
    asked = order(three[:2], mode=SUM, alpha=0.5)
    with pytest.raises(ModelDamaged) as error:
        run(asked)
    assert error.value.message.startswith(f"{bad} = {three[place].name}: in model.diffusion_model.b.bias there are")
    assert not asked.target.exists()


def test_infinities_of_a_mask_stay(three):
    mask = torch.full((9,), -torch.inf)
    for place, path in enumerate(three):
        checkpoint(path, place, tensors={"mask": mask})
    assert torch.equal(load_file(run(order(three, mode=DIFFERENCE, alpha=0.5)).path)["mask"], mask)


def test_a_full_disk_leaves_nothing(three, monkeypatch):
    from sdstudio.core.models import safetensors_writer

    monkeypatch.setattr(safetensors_writer.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(SaveFailed, match="are needed"):
        run(order(three[:2]))


def test_the_formulae():
    values = [torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([2.0])]
    assert merged(SUM, 0.25, values).item() == 1.5
    assert merged(DIFFERENCE, 0.5, values).item() == 1.5


_CHILD = """
import resource, sys, threading
from pathlib import Path
from sdstudio.core.models.work import MergeInput, MergeMode, MergeOrder
from sdstudio.engine.model_files.merge import merge
folder = Path(sys.argv[1])
inputs = tuple(MergeInput(folder / f"{name}.safetensors") for name in "abc")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
merge(MergeOrder(inputs, folder / "m.safetensors", MergeMode.ADD_DIFFERENCE), lambda fraction: None, threading.Event())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in Linux's unit")
def test_memory_does_not_grow_with_the_files(tmp_path):
    """Three files of one tensor of 157 MB, larger than any of SDXL's in half, with less than that more memory."""
    weight = torch.zeros(2**20, 75, dtype=torch.float16)
    for name in "abc":
        save_file({"x": weight}, tmp_path / f"{name}.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path)], capture_output=True, text=True, timeout=250, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 157e6


def test_an_a_that_lacks_the_first_layer_is_merged_or_told(tmp_path):
    first = "model.diffusion_model.input_blocks.0.0.weight"
    whole, lacking = checkpoint(tmp_path / "b.safetensors", 2), checkpoint(tmp_path / "a.safetensors", 1)
    weights = load_file(lacking)
    weights.pop(first, None)
    save_file(weights, lacking)
    given = load_file(whole) | {first: torch.zeros(4, 4, 3, 3, dtype=torch.float16)}
    save_file(given, whole)
    report = run(order([lacking, whole], target=tmp_path / "made.safetensors"))
    assert any(first in note for note in report.notes)
