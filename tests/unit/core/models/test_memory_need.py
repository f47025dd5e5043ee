"""What drawing needs of memory: the table is what diffusers' own networks hold, and what is set changes it."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.memory import MEMORY_BY_FAMILY
from sdstudio.core.models.memory_need import MemoryNeed, memory_need
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import resources
from sdstudio.core.settings import Settings

SD1 = ModelInfo("m", "m", Path("/m"), "sd1", weights=1_066_000_000)


def numbers_alive(run: Callable[[], object], known: set[int]) -> float:
    """Return how many float32 numbers are alive at once, beside the weights, while nothing is computed."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten

    class Counting(TorchDispatchMode):
        alive = most = 0

        def __init__(self) -> None:
            super().__init__()
            self.seen = known

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = function(*args, **(kwargs or {}))
            for tensor in tree_flatten(made)[0]:
                storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
                if storage is not None and storage._cdata not in self.seen:
                    self.seen.add(storage._cdata)
                    self.alive += storage.nbytes()
                    weakref.finalize(storage, self.gone, storage._cdata, storage.nbytes())
            self.most = max(self.most, self.alive)
            return made

        def gone(self, key: int, size: int) -> None:
            self.seen.discard(key)
            self.alive -= size

    with torch.no_grad(), Counting() as counting:
        run()
    return counting.most / 4


def test_the_table_says_what_the_decoder_of_diffusers_holds():
    import torch
    from diffusers import AutoencoderKL
    from torch._subclasses.fake_tensor import FakeTensorMode

    config = json.loads((resources() / "configs" / "sd1" / "vae" / "config.json").read_text("utf-8"))
    row, side = MEMORY_BY_FAMILY["sd1"], 256
    with FakeTensorMode(allow_non_fake_inputs=True):
        vae = AutoencoderKL.from_config(config).eval()
        weights = {each.untyped_storage()._cdata for each in vae.parameters()}
        alive = numbers_alive(lambda: vae.decode(torch.empty(1, 4, side // 8, side // 8), return_dict=False), weights)
        assert alive / side**2 == pytest.approx(row.decoding, rel=0.01)


def test_every_family_has_a_row():
    assert {row.key for row in FAMILIES} <= MEMORY_BY_FAMILY.keys()


def need(
    values: dict[str, Any] | None = None, dtype: str = "float16", on_gpu: bool = True, **settings: Any
) -> MemoryNeed:
    found = memory_need(SD1, dtype, Settings(**settings), values or {}, on_gpu)
    assert found is not None
    return found


def test_size_count_precision_and_switches_change_what_is_needed():
    plain = need()
    assert plain.size == (512, 512)
    assert plain.weights_bytes == 2 * SD1.weights
    assert need(dtype="float32").weights_bytes == 2 * plain.weights_bytes
    large = need({"width": 1024, "height": 1024})
    assert large.drawing_bytes > 2 * plain.drawing_bytes
    assert need({"hires": 2.0}) == large, "a second pass is the larger one"
    assert need({"hires": 2.0, "init_image": "a" * 64}) == plain
    tiled = need({"tile_redraw": "4096x4096"})
    assert tiled.size == (4096, 4096)
    assert tiled.drawing_bytes <= plain.drawing_bytes, "a tile at a time"
    assert need({"tile_redraw": "4", "init_image": "a" * 64, "batch_size": 1}).size == (2048, 2048)
    assert need({"batch_size": 4}).drawing_bytes > need({"batch_size": 4}, vae_slicing=True).drawing_bytes
    assert need({"width": 1024, "height": 1024}, vae_tiling=True).drawing_bytes < large.drawing_bytes
    model, sequential = need(offload="model"), need(offload="sequential")
    assert sequential.total_bytes < model.total_bytes < plain.total_bytes
    assert need(offload="model", on_gpu=False) == plain
    unknown = ModelInfo("p", "p", Path("/p.ckpt"), "sd1")
    assert memory_need(unknown, "float16", Settings(), {}, True) is None


def test_a_small_network_needs_little():
    starter = ModelInfo("s", "s", Path("/s"), "sd1", weights=7_800_000, defaults={"width": 128, "height": 128})
    found = memory_need(starter, "float32", Settings(), {}, False)
    assert found is not None
    assert 30_000_000 < found.total_bytes < 80_000_000
