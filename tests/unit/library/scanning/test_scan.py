"""One look at the disk: what was looked into, what is read again, and that it leaves no trace in the process."""

from __future__ import annotations

import gc
import shutil

import pytest
import torch
from safetensors.torch import save_file

from sdstudio.library.library import Library
from sdstudio.library.scanning import scan as scan_module
from sdstudio.library.scanning.scan import Scanner

_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}


@pytest.fixture
def examined(monkeypatch):
    """Return a list that grows with every diffusers folder that is examined."""
    seen: list[str] = []
    real = scan_module.examine

    def counted(path):
        seen.append(path.name)
        return real(path)

    monkeypatch.setattr(scan_module, "examine", counted)
    return seen


def test_a_folder_is_examined_again_when_one_of_its_files_changed(home, tiny_models, tmp_path, examined):
    model = shutil.copytree(tiny_models["sd1"], home.models / "m")
    scanner = Scanner(home.cache)
    for _ in range(2):
        assert scanner.scan(tmp_path / "none", home.models, ()).findings[0].error is None
    assert examined == ["m"]
    (model / "unet" / "config.json").unlink()
    assert scanner.scan(tmp_path / "none", home.models, ()).findings[0].error is not None
    assert examined == ["m", "m"]


def test_every_folder_that_was_looked_into_is_told(home, tmp_path):
    for name in ("models/Lora/people", "models/Stable-diffusion", "outputs"):
        (tmp_path / "webui" / name).mkdir(parents=True)
    save_file(_LORA, tmp_path / "webui/models/Lora/people/a.safetensors")
    library = Library(home, [tmp_path / "webui"])
    assert set(library.looked_into()) == {
        str(home.models), *(str(tmp_path / "webui" / name) for name in (
            "models/Lora", "models/Lora/people", "models/Stable-diffusion",
        )),
    }  # fmt: skip


def test_the_collector_of_garbage_is_as_before_whatever_happens(home, tmp_path, monkeypatch):
    before = gc.get_threshold()
    scanner = Scanner(home.cache)
    scanner.scan(tmp_path / "none", home.models, ())
    assert gc.get_threshold() == before

    def broken(*_given: object) -> None:
        assert gc.get_threshold()[0] >= 100_000
        raise RuntimeError

    monkeypatch.setattr(scan_module, "Walk", broken)
    with pytest.raises(RuntimeError):
        scanner.scan(tmp_path / "none", home.models, ())
    assert gc.get_threshold() == before
