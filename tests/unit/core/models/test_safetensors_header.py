"""Safetensors headers, whole and hostile."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sdstudio.core.errors import ModelDamaged, ModelNotFound, StudioError
from sdstudio.core.models import safetensors_header
from sdstudio.core.models.safetensors_header import HEADER_MAXIMUM_BYTES, TENSOR_MAXIMUM, read_header


def _file(path: Path, header: object, body: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def _f32(begin: int, end: int, shape: list[int]) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


def test_a_file_written_by_safetensors_is_read_whole(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"w": torch.zeros(2, 3), "half": torch.zeros(5, dtype=torch.bfloat16), "empty": torch.zeros(0, 4)}
    save_file(tensors, path, metadata={"format": "pt"})
    header = read_header(path)
    assert {name: row.shape for name, row in header.tensors.items()} == {"w": (2, 3), "half": (5,), "empty": (0, 4)}
    assert header.tensors["half"].dtype == "BF16"
    assert header.metadata == {"format": "pt"}


def test_a_truncated_file_says_how_much_is_missing(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"w": torch.zeros(100, 10)}, path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1000)
    with pytest.raises(ModelDamaged, match=r"1,000 of its 4,000 bytes of weights are missing") as caught:
        read_header(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_text_file_is_named_as_such(tmp_path):
    path = tmp_path / "notes.safetensors"
    path.write_text("this is not a model at all")
    with pytest.raises(ModelDamaged, match="begins with the text 'this is '"):
        read_header(path)


def test_a_pickle_is_named_as_such(tmp_path):
    path = tmp_path / "evil.safetensors"
    torch.save({"w": torch.zeros(2)}, path)
    with pytest.raises(ModelDamaged, match="holds pickled Python objects"):
        read_header(path)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(ModelNotFound, match="no such file"):
        read_header(tmp_path / "gone.safetensors")


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(ModelNotFound):
        read_header(tmp_path)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param(b"", b"", id="no header"),
        pytest.param(b"[" * 100_000, b"", id="deep nesting"),
        pytest.param(b'{"a": \xff}', b"", id="bad UTF-8"),
        pytest.param([], b"", id="a list"),
        pytest.param({"__metadata__": 3}, b"", id="metadata is a number"),
        pytest.param({"a": 3}, b"", id="tensor is a number"),
        pytest.param({"a": {"dtype": "F32", "shape": [1]}}, b"1234", id="no offsets"),
        pytest.param({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, b"1234", id="unknown dtype"),
        pytest.param({"a": _f32(0, 4, [-1, -1])}, b"1234", id="negative shape"),
        pytest.param({"a": _f32(0, 4, [True])}, b"1234", id="shape is a bool"),
        pytest.param({"a": _f32(0, 4, [2**40, 2**40])}, b"1234", id="shape overflows"),
        pytest.param({"a": _f32(0, 4, [2])}, b"1234", id="shape and size differ"),
        pytest.param({"a": _f32(-4, 0, [1])}, b"1234", id="negative offset"),
        pytest.param({"a": _f32(4, 0, [1])}, b"1234", id="end before begin"),
        pytest.param({"a": _f32(0, 4, [1]), "b": _f32(0, 4, [1])}, b"1234", id="overlap"),
        pytest.param({"a": _f32(0, 4, [1]), "b": _f32(8, 12, [1])}, b"1" * 12, id="hole"),
        pytest.param({"a": _f32(4, 8, [1])}, b"1" * 8, id="hole at the start"),
        pytest.param({"a": _f32(0, 4, [1])}, b"1" * 8, id="trailing bytes"),
        pytest.param({str(i): _f32(0, 0, [0]) for i in range(TENSOR_MAXIMUM + 1)}, b"", id="too many tensors"),
    ],
)
def test_a_hostile_header_is_refused_with_one_line(tmp_path, header, body):
    path = _file(tmp_path / "a.safetensors", header, body)
    with pytest.raises(ModelDamaged) as caught:
        read_header(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [HEADER_MAXIMUM_BYTES + 1, 2**63, 2**64 - 1, 1000])
def test_a_header_longer_than_allowed_or_than_the_file_is_not_read(tmp_path, length):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(ModelDamaged):
        read_header(path)


@pytest.mark.parametrize("size", range(8))
def test_a_file_too_short_for_its_length_is_refused(tmp_path, size):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\0" * size)
    with pytest.raises(ModelDamaged, match=f"it has {size} bytes"):
        read_header(path)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "a.safetensors"
    for data in (content, struct.pack("<Q", len(content)) + content):
        path.write_bytes(data)
        said = ""
        try:
            read_header(path)
        except StudioError as error:
            said = str(error)
        assert "\n" not in said


def test_notes_of_any_length_up_to_the_formats_own_limit_are_read(tmp_path):
    tensors = {"a": _f32(0, 4, [1])}
    tags = json.dumps({f"tag {number}": number for number in range(200_000)})
    for notes in ({"modelspec.thumbnail": "A" * 30_000_000}, {"ss_tag_frequency": tags}, {}, None):
        path = _file(tmp_path / "a.safetensors", {"__metadata__": notes, **tensors}, b"\0" * 4)
        with safe_open(path, "np") as theirs:  # what the format's own reader takes
            assert read_header(path).metadata == (theirs.metadata() or {})


@pytest.mark.parametrize("notes", [{"a": 1}, {"a": {"b": "c"}}, [], "text", 3])
def test_notes_that_the_formats_own_reader_refuses_are_refused(tmp_path, notes):
    path = _file(tmp_path / "a.safetensors", {"__metadata__": notes, "a": _f32(0, 4, [1])}, b"\0" * 4)
    with pytest.raises(SafetensorError), safe_open(path, "np"):
        pass
    with pytest.raises(ModelDamaged, match="notes in its header"):
        read_header(path)


@pytest.mark.parametrize(
    "text", [b'{"a":[' + b"1," * 8_000_000 + b"1]}", b"{" + b",".join(b'"%d" :0' % i for i in range(800_000)) + b"}"]
)
def test_a_large_header_that_is_not_large_for_its_notes_is_not_parsed(tmp_path, text, monkeypatch):
    monkeypatch.setattr(safetensors_header, "from_json", lambda *_a, **_k: pytest.fail("parsed"))
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(ModelDamaged, match="more than 20,000 tensors"):
        read_header(path)


def test_a_large_zip_file_is_named_as_pickled(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04" + bytes(100))
        file.truncate(80_000_000)
    with pytest.raises(ModelDamaged, match="pickled"):
        read_header(path)
