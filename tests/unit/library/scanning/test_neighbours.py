"""Other programs' folders are found where people put them, with how many models they hold, in bounded time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sdstudio.library.scanning.neighbours import Neighbour, neighbours, usual_places


def _put(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A home folder with five programs, one of them empty, and a folder that only looks like one's."""
    webui, comfy = tmp_path / "stable-diffusion-webui", tmp_path / "StabilityMatrix/Data/Packages/ComfyUI"
    _put(webui / "models/Stable-diffusion/a.safetensors", webui / "models/Stable-diffusion/sub/b.ckpt")
    _put(webui / "models/Lora/style.safetensors", webui / "models/ControlNet/pose.safetensors")
    _put(comfy / "models/checkpoints/c.safetensors", comfy / "extra_model_paths.yaml.example")
    (tmp_path / "Fooocus").mkdir()
    _put(tmp_path / "Fooocus/fooocus_version.py", tmp_path / "Fooocus/models/checkpoints/d.safetensors")
    _put(tmp_path / "invokeai/invokeai.yaml")
    _put(tmp_path / ".cache/huggingface/hub/version.txt")
    _put(tmp_path / ".cache/huggingface/hub/models--x--y/snapshots/1/model_index.json")
    _put(tmp_path / "work/models/readme.txt")
    (tmp_path / "again").symlink_to(webui, target_is_directory=True)
    return tmp_path


def test_programs_are_found_once_with_what_they_hold(disk: Path) -> None:
    assert neighbours([disk / ".cache/huggingface", disk]) == (
        Neighbour("A1111 or Forge", disk / "stable-diffusion-webui", 2, 1),
        Neighbour("Hugging Face cache", disk / ".cache/huggingface", 1, 0),
        Neighbour("Fooocus", disk / "Fooocus", 1, 0),
        Neighbour("ComfyUI", disk / "StabilityMatrix/Data/Packages/ComfyUI", 1, 0),
    )


def test_places_that_are_not_there_or_cannot_be_read_are_passed_over(disk: Path) -> None:
    assert neighbours([disk / "gone", disk / "Fooocus"])[0].title == "Fooocus"


def test_looking_ends_when_it_is_cancelled_and_in_time(disk: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    assert neighbours([disk], cancel) == ()
    for number in range(300):
        (disk / f"folder{number}" / "inside").mkdir(parents=True)
    began = time.monotonic()
    assert len(neighbours([disk], patience_s=0.0)) <= 1
    assert time.monotonic() - began < 1.0


def test_one_begins_at_home_and_where_the_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("INVOKEAI_ROOT", "COMFYUI_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", "/big/hf")
    monkeypatch.setenv("XDG_CACHE_HOME", "/big/cache")
    near, _far = usual_places()
    assert near[:3] == (Path("/big/hf"), Path("/big/cache/huggingface"), tmp_path)
