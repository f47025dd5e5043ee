"""What is promised about a library of many files: how long the first look takes, and the next one.

The files are written for it: headers of a full-size checkpoint and of full-size LoRA, one to nine, with weights that
are holes in the file. A look reads headers alone, so it takes as long as with real weights.
"""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Iterator
from math import prod
from pathlib import Path
from statistics import median
from typing import Final

from sdstudio.bench.report import LIBRARY_RESCAN, LIBRARY_SCAN, Figure, amount
from sdstudio.cli.console import Console
from sdstudio.core.paths import StudioPaths
from sdstudio.library.library import Library

LORA_TENSORS: Final = 792
"""Down, up and alpha of the 264 layers that a LoRA of SD 1 trains."""

CHECKPOINT_TENSORS: Final = 1131
"""Tensors of an SD 1.5 in one file."""


def measured_library(folder: Path, files: int, quick: bool, console: Console) -> Iterator[Figure]:
    """Yield the figures of a generated library of so many files."""
    console.note(f"Writing a library of {files:,} files ...")
    fill_folder(folder / "files", files)
    console.note("Measuring: looked at for the first time, and again ...")
    first: list[float] = []
    again: list[float] = []
    worked: list[float] = []
    paths = StudioPaths(folder / "home").create()
    for _ in range(3 if quick else 9):
        shutil.rmtree(paths.cache)
        began = time.process_time()
        first.append(_looked(Library(paths, [folder / "files"]), files))
        worked.append(time.process_time() - began)
        again.append(_looked(Library(paths, [folder / "files"]), files))
    yield amount(LIBRARY_SCAN, first, f"{files:,} files, {median(worked):.2f} s of processor time")
    yield amount(LIBRARY_RESCAN, again, f"{files:,} files, at the next start")


def fill_folder(root: Path, files: int) -> None:
    """Write a folder as ComfyUI has it: nine LoRA to each checkpoint."""
    for at in range(files):
        kind, count = ("checkpoints", CHECKPOINT_TENSORS) if at % 10 == 0 else ("loras", LORA_TENSORS)
        path = root / "models" / kind / f"file {at:05}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        names = _checkpoint_names(count) if kind == "checkpoints" else _lora_names(count)
        tensors: dict[str, object] = {}
        end = 0
        for name, shape in names:
            begin, end = end, end + 2 * prod(shape)
            tensors[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
        tags = {f"a tag of number {number}": 500 - number for number in range(200)}
        notes = {"ss_base_model_version": "sd_v1", "ss_tag_frequency": json.dumps({"10_subject": tags})}
        text = json.dumps({"__metadata__": notes if kind == "loras" else {}, **tensors}).encode()
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + end)


def _looked(library: Library, files: int) -> float:
    began = time.perf_counter()
    library.rescan()
    seconds = time.perf_counter() - began
    count = sum(asset.root.name == "files" for asset in library.assets())
    if count != files:
        raise RuntimeError(f"{count} of {files} files were found")
    return seconds


def _lora_names(count: int) -> Iterator[tuple[str, list[int]]]:
    for at in range(count // 3):
        layer = f"lora_unet_down_blocks_{at % 4}_attentions_{at // 4}_transformer_blocks_0_attn2_to_k"
        yield f"{layer}.alpha", [1, 1]
        yield f"{layer}.lora_down.weight", [8, 768]
        yield f"{layer}.lora_up.weight", [320, 8]


def _checkpoint_names(count: int) -> Iterator[tuple[str, list[int]]]:
    yield "model.diffusion_model.input_blocks.0.0.weight", [320, 4, 3, 3]
    yield "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight", [320, 768]
    for at in range(count - 2):
        yield f"model.diffusion_model.output_blocks.{at % 12}.1.transformer_blocks.0.part_{at}.weight", [320, 320]
