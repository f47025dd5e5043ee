"""Files that grow piece by piece, take their name at the end, and leave nothing behind when something goes wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from sdstudio.core.errors import SaveFailed
from sdstudio.core.models import safetensors_writer
from sdstudio.core.models.safetensors_header import HEADER_MAXIMUM_BYTES, read_header
from sdstudio.core.models.safetensors_writer import SafetensorsWriter, TensorPlan

PLANS = {"b": TensorPlan("F16", (3, 2)), "a": TensorPlan("F32", (4, 16)), "none": TensorPlan("I64", (0, 5))}


def write(path, plans=PLANS, values=None, metadata=None):
    values = values or {name: bytes(range(plan.size_bytes % 256)) * 1 for name, plan in plans.items()}
    with SafetensorsWriter(path, plans, metadata or {}) as writer:
        for name in writer.names:
            data = bytes(values[name]) + bytes(plans[name].size_bytes - len(values[name]))
            writer.write(name, data[:5])
            writer.write(name, data[5:])
    return writer


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.lists(st.integers(0, 5), max_size=3), max_size=6))
def test_what_is_written_is_read_by_safetensors_and_by_the_studio(quick, shapes):
    plans = {name: TensorPlan("F32", tuple(shape)) for name, shape in shapes.items() if name != "__metadata__"}
    arrays = {name: np.random.default_rng(1).random(plan.shape, dtype=np.float32) for name, plan in plans.items()}
    path = quick / "x.safetensors"
    writer = write(path, plans, {name: array.tobytes() for name, array in arrays.items()}, {"note": "α"})
    found = load(path.read_bytes())
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert path.stat().st_size == writer.size_bytes
    header = read_header(path)
    assert header.metadata == {"note": "α"}
    assert header.body % 64 == 0


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    return tmp_path_factory.mktemp("writer")


def test_weights_of_whole_vectors_begin_at_them(tmp_path):
    plans = {"odd": TensorPlan("F32", (3,)), "one": TensorPlan("F16", (32,)), "two": TensorPlan("F32", (64,))}
    write(tmp_path / "x.safetensors", plans)
    header = read_header(tmp_path / "x.safetensors")
    assert [(header.body + header.tensors[name].begin) % 64 for name in ("one", "two")] == [0, 0]


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"before")

    def broken_off():
        with SafetensorsWriter(path, PLANS, {}) as writer:
            writer.write("a", bytes(10))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]
    assert path.read_bytes() == b"before"


def test_a_tensor_that_was_forgotten_is_noticed(tmp_path):
    with pytest.raises(ValueError, match="were not written"), SafetensorsWriter(tmp_path / "x", PLANS, {}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_tensors_out_of_order_or_too_long_are_a_bug(tmp_path):
    with pytest.raises(ValueError, match="do not come next"), SafetensorsWriter(tmp_path / "x", PLANS, {}) as writer:
        writer.write("b", bytes(12))
    with pytest.raises(ValueError, match="do not come next"), SafetensorsWriter(tmp_path / "x", PLANS, {}) as writer:
        writer.write("a", bytes(4 * 64 + 1))


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(safetensors_writer.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(SaveFailed, match=r"GB are needed, 0\.00 GB are free"):
        write(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(SaveFailed, match="could not be written"):
        write(tmp_path / "gone" / "x")


def test_notes_longer_than_any_header_that_is_read_are_refused(tmp_path):
    with pytest.raises(SaveFailed, match="Header"):
        write(tmp_path / "x", metadata={"long": "x" * HEADER_MAXIMUM_BYTES})
