"""The library's promises are measured on files that the library knows for what they stand for."""

from __future__ import annotations

from sdstudio.bench.library_run import fill_folder, measured_library
from sdstudio.bench.report import LIBRARY_PROMISES
from sdstudio.cli.console import Console
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.library.library import Library


def test_the_files_have_full_size_headers_and_are_known(home, tmp_path):
    fill_folder(tmp_path / "files", 11)
    assets = Library(home, [tmp_path / "files"]).assets()
    own = [asset for asset in assets if asset.root == tmp_path / "files"]
    assert [(asset.kind, asset.family) for asset in own].count(("lora", "sd1")) == 9
    assert [(asset.kind, asset.family) for asset in own].count(("checkpoint", "sd1")) == 2
    assert all(asset.problem == "" for asset in own)
    assert {len(asset.triggers) for asset in own if asset.kind == "lora"} == {24}
    assert {len(read_header(asset.path).tensors) for asset in own} == {792, 1131}


def test_every_promise_is_measured(tmp_path):
    found = list(measured_library(tmp_path, 20, True, Console(quiet=True)))
    assert [figure.promise for figure in found] == list(LIBRARY_PROMISES)
    assert all(figure.samples == 3 and figure.value > 0 for figure in found)
    assert "20 files" in found[0].note
