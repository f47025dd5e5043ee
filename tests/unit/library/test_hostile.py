"""A library full of what strangers and broken disks leave behind: each is one line, and the rest works on.

Every row of `FILES` is written beside a good file by this module, none is shipped.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from sdstudio.core.errors import ModelError
from sdstudio.core.models.safetensors_header import HEADER_MAXIMUM_BYTES, TENSOR_MAXIMUM
from sdstudio.library.library import Library

_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}


class _Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


def _headed(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _zipped_pickle() -> bytes:
    path = Path("bomb.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Bomb()))
    content = path.read_bytes()
    path.unlink()
    return content


# Name -> what the file holds, and a piece of the reason that is to be told.
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "it has 0 bytes"),
    "seven bytes": (lambda: b"1234567", "it has 7 bytes"),
    "length of 2^63": (lambda: _headed(b"{}", length=2**63), "does not begin with the length of a header"),
    "length of 2^64-1": (lambda: _headed(b"{}", length=2**64 - 1), "does not begin with the length of a header"),
    "longer than the file": (lambda: _headed(b"{}", length=5000), "it ends inside its header"),
    "longer than is read": (
        lambda: _headed(b" " * 100, length=HEADER_MAXIMUM_BYTES + 1), "does not begin with the length of a header"
    ),
    "bomb of tensors": (
        lambda: _headed({f"t{at}": _tensor(0, 0, [0]) for at in range(TENSOR_MAXIMUM + 1)}), "at most 20,000 are read"
    ),
    "bomb of brackets": (lambda: _headed(b"[" * 1_000_000), "not JSON"),
    "no JSON": (lambda: _headed(b"{'a': 1}"), "not JSON"),
    "no UTF-8": (lambda: _headed(b'{"\xff": 1}'), "not JSON"),
    "a list": (lambda: _headed([1, 2]), "no JSON object"),
    "notes are a number": (lambda: _headed({"__metadata__": 3}), "notes in its header"),
    "overlapping": (
        lambda: _headed({"a": _tensor(0, 8, [2]), "b": _tensor(4, 12, [2])}, b"x" * 12), "overlap or leave holes"
    ),
    "twice the same": (lambda: _headed({"a": _tensor(0, 4, [1]), "b": _tensor(0, 4, [1])}, b"1234"), "overlap"),
    "a hole": (lambda: _headed({"a": _tensor(0, 4, [1]), "b": _tensor(8, 12, [1])}, b"x" * 12), "leave holes"),
    "a lying dtype": (lambda: _headed({"a": _tensor(0, 4, [1], "F16")}, b"1234"), "describes the tensor 'a' wrongly"),
    "an unknown dtype": (lambda: _headed({"a": _tensor(0, 4, [1], "X7")}, b"1234"), "describes the tensor 'a' wrongly"),
    "a lying shape": (lambda: _headed({"a": _tensor(0, 4, [2**40, 2**40])}, b"1234"), "describes the tensor"),
    "a negative shape": (lambda: _headed({"a": _tensor(0, 4, [-1, -1])}, b"1234"), "describes the tensor"),
    "a name of 4,000 characters": (lambda: _headed({"x" * 4000: _tensor(0, 4, [2])}, b"1234"), "describes the tensor"),
    "bytes to spare": (lambda: _headed({"a": _tensor(0, 4, [1])}, b"12345678"), "4 bytes follow its last tensor"),
    "cut short": (lambda: save(_LORA)[:-1000], "1,000 of its 12,288 bytes of weights are missing"),
    "a pickle": (lambda: pickle.dumps(_Bomb(), protocol=2), "holds pickled Python objects"),
    "a zipped pickle": (_zipped_pickle, "holds pickled Python objects"),
    "a web page": (lambda: b"<!DOCTYPE html><html>404</html>", "begins with the text '<!DOCTYP'"),
    "a pointer of git": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "begins with the text 'version '"),
    "dots..in..its..name": (lambda: b"..", "it has 2 bytes"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with one good LoRA in it; whatever were executed would leave a file in the working directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    models = tmp_path / "models"
    models.mkdir()
    save_file(_LORA, models / "good.safetensors")
    return models


def _others_work(library: Library) -> None:
    assert library.find_asset("lora", "good").problem == ""
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_one_line_with_its_name_and_the_reason(home, folder, name):
    make, reason = FILES[name]
    path = folder / f"{name}.safetensors"
    path.write_bytes(make())
    library = Library(home, [folder])
    [asset] = [asset for asset in library.assets() if asset.path == path]
    assert str(path) in asset.problem
    assert reason in asset.problem
    assert "\n" not in asset.problem
    with pytest.raises(ModelError) as caught:
        library.find(asset.key)
    assert str(path) in caught.value.message
    _others_work(library)


def test_all_of_them_at_once_leave_the_rest_working(home, folder):
    for name, (make, _reason) in FILES.items():
        (folder / f"{name}.safetensors").write_bytes(make())
    library = Library(home, [folder])
    assert len([asset for asset in library.assets() if asset.problem]) == len(FILES)
    again = Library(home, [folder])
    assert [asset.problem for asset in library.assets()] == [asset.problem for asset in again.assets()]
    _others_work(library)


PICKLES = {
    "Stable-diffusion": {".ckpt"}, "Lora": {".ckpt", ".pt", ".bin"}, "VAE": {".ckpt", ".pt", ".bin"},
    "embeddings": {".pt", ".bin"}, "ESRGAN": {".pth", ".pt", ".bin"},
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin"])
@pytest.mark.parametrize("place", PICKLES)
def test_a_pickle_is_listed_where_it_is_used_and_never_run(home, folder, place, suffix):
    (folder / place).mkdir()
    (folder / place / f"evil{suffix}").write_bytes(pickle.dumps(_Bomb(), protocol=2))
    library = Library(home, [folder])
    listed = f"evil{suffix}" in {asset.path.name for asset in library.assets()}
    assert listed == (suffix in PICKLES[place])
    _others_work(library)


def test_links_out_of_the_folder_in_circles_and_to_nothing(home, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    save_file(_LORA, outside / "far.safetensors")
    (folder / "far.safetensors").symlink_to(outside / "far.safetensors")
    (folder / "up").symlink_to("..")
    (folder / "self.safetensors").symlink_to("self.safetensors")
    (folder / "gone.safetensors").symlink_to("../../../../gone")
    (folder / "passwords.safetensors").symlink_to("/etc/passwd")
    library = Library(home, [folder])
    told = {str(trouble).rpartition("/")[2] for trouble in library.troubles()}
    assert told == {
        "self.safetensors: it could not be read: Too many levels of symbolic links.",
        "gone.safetensors: the link leads to nothing.",
    }
    assert library.find_asset("lora", "far").problem == ""
    [other] = [asset for asset in library.assets() if asset.name == "passwords"]
    assert "no safetensors file" in other.problem
    _others_work(library)


def test_a_model_whose_index_points_out_of_its_folder(home, folder, tiny_models, tmp_path):
    model = shutil.copytree(tiny_models["sd1"], folder / "model")
    index = json.loads((model / "model_index.json").read_text())
    index["../../outside"] = ["diffusers", "UNet2DConditionModel"]
    (model / "model_index.json").write_text(json.dumps(index))
    library = Library(home, [folder])
    [asset] = [asset for asset in library.assets("checkpoint") if asset.path == model]
    assert "../../outside" in asset.problem
    assert "\n" not in asset.problem
    _others_work(library)


def test_names_that_no_program_can_write_down(home, folder):
    with open(os.fsencode(folder) + b"/\xe9\xff.safetensors", "wb") as file:
        file.write(save(_LORA))
    (folder / ("x" * 243 + ".safetensors")).write_bytes(save(_LORA))
    library = Library(home, [folder])
    [told] = library.troubles()
    assert str(told).endswith("/\\xe9\\xff.safetensors: its name is not UTF-8; rename it to use it.")
    assert library.find_asset("lora", "x" * 243).problem == ""
    _others_work(library)


def test_names_that_a_terminal_would_act_on(home, folder):
    (folder / "red\x1b[31m\nlines.safetensors").write_bytes(save(_LORA))
    library = Library(home, [folder])
    [told] = library.troubles()
    assert str(told) == f"{folder}/red?[31m?lines.safetensors: its name holds control characters; rename it."
    _others_work(library)


@pytest.mark.parametrize("root", ["x" * 4000, "/" + "deep/" * 1000, "a\0b", "\udcff"])
def test_a_folder_with_an_impossible_name_is_told(home, folder, root):
    library = Library(home, [Path(root), folder])
    [told] = library.troubles()
    assert "\n" not in str(told)
    assert len(str(told)) < 400
    str(told).encode("utf-8")
    _others_work(library)


def test_a_folder_that_may_not_be_read(home, folder, monkeypatch):
    (folder / "locked").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root, who may run the tests, reads whatever the mode says
    library = Library(home, [folder])
    assert [str(trouble) for trouble in library.troubles()] == [
        f"{folder / 'locked'}: the folder could not be read: Permission denied."
    ]
    _others_work(library)


def test_a_file_that_may_not_be_read_is_told_and_read_once_it_may(home, folder, monkeypatch):
    save_file(_LORA, folder / "locked.safetensors")
    opened = Path.open

    def refusing(path, *args, **kwargs):
        if path.name == "locked.safetensors":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    with monkeypatch.context() as locked:
        locked.setattr(Path, "open", refusing)
        library = Library(home, [folder])
        [told] = library.troubles()
        assert str(told) == f"{folder / 'locked.safetensors'}: could not be read: Permission denied."
        _others_work(library)
    library.rescan()
    assert library.find_asset("lora", "locked").problem == ""


def test_a_drive_that_vanishes_between_two_looks_and_comes_back(home, folder, tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    save_file(_LORA, drive / "far.safetensors")
    library = Library(home, [drive, folder])
    far = library.hash_asset(library.find_asset("lora", "far"))
    shutil.move(drive, tmp_path / "unplugged")
    with pytest.raises(ModelError, match="far"):
        library.hash_asset(far)
    library.rescan()
    assert [str(told) for told in library.troubles()] == [
        f"{drive}: the folder is not there (unplugged, moved or deleted)."
    ]
    _others_work(library)
    shutil.move(tmp_path / "unplugged", drive)
    library.rescan()
    assert library.find_asset("lora", "far").sha256 == far.sha256
