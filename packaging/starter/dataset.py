"""Rendered pictures: reading them, compositing them on a colour, turning them into tensors."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from concepts import STYLES, Concept
from PIL import Image

PICTURE_SIZE = 128


@dataclass
class Pictures:
    """All rendered pictures of all styles.

    Attributes:
        concepts: One entry per emoji, in the order of the first array axis.
        pixels: Style to straight-alpha RGBA, uint8, (N, 128, 128, 4).
        present: Style to a mask (N,): whether that style has the emoji at all.
    """

    concepts: list[Concept]
    pixels: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def unpack_zip(archive: Path, folder: Path) -> None:
    """Turn a zip of rendered pictures (STYLE/HEX.webp and concepts.json) into arrays.

    Args:
        archive: The zip file.
        folder: Where to put one array and one mask per style, and concepts.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as source:
        concepts = json.loads(source.read("concepts.json"))
        names = set(source.namelist())
        for style in STYLES:
            pixels = np.zeros((len(concepts), PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
            present = np.zeros(len(concepts), bool)
            for index, concept in enumerate(concepts):
                name = f"{style}/{concept['hex']}.webp"
                if name in names:
                    pixels[index] = np.asarray(Image.open(io.BytesIO(source.read(name))).convert("RGBA"))
                    present[index] = True
            save_style(folder, style, pixels, present)
    (folder / "concepts.json").write_text(json.dumps(concepts), encoding="utf-8")


def save_style(folder: Path, style: str, pixels: np.ndarray, present: np.ndarray) -> None:
    """Write the pictures and the mask of one style."""
    np.save(folder / f"{style}_{PICTURE_SIZE}.npy", pixels)
    np.save(folder / f"{style}_present.npy", present)


def load_pictures(folder: Path) -> Pictures:
    """Open the arrays written by `unpack_zip` or by `fetch_and_render` (memory mapped)."""
    entries = json.loads((folder / "concepts.json").read_text(encoding="utf-8"))
    concepts = [Concept(e["hex"], e["label"], tuple(e["tags"]), e["group"], e.get("sub", "")) for e in entries]
    pixels = {s: np.load(folder / f"{s}_{PICTURE_SIZE}.npy", mmap_mode="r") for s in STYLES}
    present = {s: np.load(folder / f"{s}_present.npy") for s in STYLES}
    return Pictures(concepts, pixels, present)


def composite(rgba: np.ndarray, background: np.ndarray | tuple[int, int, int]) -> np.ndarray:
    """Lay straight-alpha pictures on a colour.

    Args:
        rgba: uint8, (..., H, W, 4).
        background: 0..255, broadcastable to (..., H, W, 3).

    Returns:
        float32 in -1..1, (..., H, W, 3).
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = rgba[..., :3] * alpha + np.asarray(background, np.float32) * (1 - alpha)
    return mixed / 127.5 - 1


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) float pictures to a (N, 3, H, W) tensor in channels-last memory."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    return tensor.contiguous(memory_format=torch.channels_last)


def tile(pictures: torch.Tensor, columns: int) -> Image.Image:
    """Lay (N, 3, H, W) pictures in -1..1 out as one image with `columns` columns."""
    count, _, height, width = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    array = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    for index, picture in enumerate(array):
        row, column = divmod(index, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return Image.fromarray(sheet)
