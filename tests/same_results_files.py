"""The files that `tests.same_results` draws with: tiny models and what belongs to them, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FAMILIES = ("sd1", "sd2", "sdxl", "sd3")
STYLE_ROWS = 'name,prompt,negative_prompt\nInk,"{prompt}, ink on paper",colour\nSoft,soft light,\n'
PRESETS = {
    "format": "sdstudio presets 1",
    "presets": [
        {"name": "Draft", "values": {"model": "sd1", "steps": 3, "scheduler": "heun", "count": 2, "styles": ["Ink"]}},
        {"name": "Portrait", "values": {"width": 64, "height": 96, "negative_prompt": "frog"}},
    ],
}
A1111_TEXT = """a red heart on a blue background
Negative prompt: frog
Steps: 4, Sampler: Euler a, Schedule type: Automatic, CFG scale: 5, Seed: 12345, Size: 64x64, Model: sd1, \
Clip skip: 2, Version: v1.10.1"""


def build(folder: Path) -> Path:
    """Write all files into a folder, unless they are there already."""
    if (folder / "complete").is_file():
        return folder
    _models(folder / "models")
    _pictures(folder / "pictures")
    (folder / "presets.json").write_text(json.dumps(PRESETS), encoding="utf-8")
    (folder / "styles.csv").write_text(STYLE_ROWS, encoding="utf-8")
    (folder / "wildcards").mkdir(parents=True, exist_ok=True)
    (folder / "wildcards" / "tint.txt").write_text("red\nblue\nred\n", encoding="utf-8")
    (folder / "complete").write_text("", encoding="utf-8")
    return folder


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file by its name within a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _models(models: Path) -> None:
    import torch
    from diffusers import DiffusionPipeline
    from safetensors.torch import load_file, save_file

    from tests import tiny_adapters, tiny_models, tiny_upscalers

    for name in FAMILIES:
        getattr(tiny_models, f"tiny_{name}")(models / name)
    tiny_models.tiny_sd1(models / "checked", safety_checker=True)
    for kind in ("loras", "embeddings", "vae", "upscalers"):
        (models / kind).mkdir()
    for name, write, seed in (
        ("sd1", tiny_adapters.write_kohya, 5),
        ("sd1", tiny_adapters.write_diffusers, 6),
        ("sd1", tiny_adapters.write_comfyui, 7),
        ("sd2", tiny_adapters.write_diffusers, 8),
        ("sdxl", tiny_adapters.write_kohya, 9),
    ):
        pipe = DiffusionPipeline.from_pretrained(str(models / name), local_files_only=True)
        write(tiny_adapters.change_of(pipe, seed), models / "loras" / f"{name}-{seed}.safetensors")
    generator = torch.Generator().manual_seed(10)
    widths = {"hearty": {"emb_params": 32}, "hearty-xl": {"clip_l": 16, "clip_g": 24}}
    for name, parts in widths.items():
        vectors = {part: torch.randn(2, width, generator=generator) for part, width in parts.items()}
        tiny_adapters.write_embedding(models / "embeddings" / f"{name}.safetensors", vectors)
    weights = load_file(models / "sd1" / "vae" / "diffusion_pytorch_model.safetensors")
    changed = {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    save_file(changed, models / "vae" / "other-vae.safetensors")
    tiny_upscalers.write(tiny_upscalers.dense_weights(4), models / "upscalers" / "dense-x4.safetensors")
    tiny_upscalers.write(tiny_upscalers.compact_weights(2), models / "upscalers" / "compact-x2.safetensors")


def _pictures(pictures: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    pictures.mkdir(parents=True)
    for name, (width, height) in {"wide": (96, 64), "small": (40, 40)}.items():
        data = ((x * 5 + y * 3 * channel) % 256 for y in range(height) for x in range(width) for channel in (1, 2, 3))
        Image.frombytes("RGB", (width, height), bytes(data)).save(pictures / f"{name}.png")
    text = PngInfo()
    text.add_text("parameters", A1111_TEXT)
    Image.new("RGB", (64, 64), (200, 30, 60)).save(pictures / "foreign.png", pnginfo=text)
