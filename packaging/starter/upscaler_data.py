"""Pictures at 512 px and what a 4x upscaler gets of them: 128 px clean, and 128 px through the starter's VAE."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from concepts import COLOURS, PALETTE, held_out, trained_labels
from dataset import PICTURE_SIZE
from diffusers import AutoencoderKL
from fetch_and_render import VECTOR, fetch, read_concepts, vector_renderer
from popular import POPULAR

SCALE = 4
LARGE_SIZE = PICTURE_SIZE * SCALE
# Of a batch; the rest is through the VAE and blurred. Soft pictures teach to leave no steps of the input's pixels in
# slow changes of colour, of which flat drawings have few and the model's pictures many.
SOFT_SHARE, CLEAN_SHARE, VAE_SHARE = 0.15, 0.20, 0.40
SOFT_PX = (3.0, 14.0)  # standard deviation at 512 px
BLUR = torch.tensor([1.0, 2.0, 1.0])
NOISE = 0.02
TESTED = 48
POOL = "upscaler_pool.npz"


@dataclass
class Pool:
    """Pictures on a colour, uint8.

    Attributes:
        large: The right ones, (N, 512, 512, 3).
        clean: `large`, each 4 x 4 pixels averaged, (N, 128, 128, 3).
        drawn: `clean` through the VAE, (N, 128, 128, 3).
    """

    large: np.ndarray
    clean: np.ndarray
    drawn: np.ndarray

    def part(self, begin: int, end: int | None) -> Pool:
        """Some of them."""
        return Pool(self.large[begin:end], self.clean[begin:end], self.drawn[begin:end])


def build_pool(state: Path, vae_folder: Path, count: int) -> Pool:
    """Render `count` pictures, or read them again; the first `TESTED` are of pairs that no training sees.

    Args:
        state: Holds the packages and keeps the pool.
        vae_folder: The starter's VAE.
        count: How many in all.
    """
    path = state / POOL
    if not path.exists():
        large = _render(state, count)
        clean = large.reshape(count, PICTURE_SIZE, SCALE, PICTURE_SIZE, SCALE, 3).mean((2, 4)).round().astype(np.uint8)
        np.savez(path, large=large, clean=clean, drawn=_through_vae(clean, vae_folder))
    kept = np.load(path)
    return Pool(kept["large"], kept["clean"], kept["drawn"])


def _render(state: Path, count: int) -> np.ndarray:
    modules = fetch(state / "packages")
    codes = {str(concept["label"]): str(concept["hex"]) for concept in read_concepts(modules)}
    renderers = {style: vector_renderer(modules, package, LARGE_SIZE) for style, package in VECTOR.items()}
    chance = random.Random(5)
    labels = trained_labels(len(POPULAR))
    tested = sorted(pair for pair in held_out(labels) if pair[1] in renderers)
    other = sorted(label for label in codes if label not in labels)
    pairs = [(label, style) for label in labels + other for style in renderers if (label, style) not in set(tested)]
    chance.shuffle(tested)
    chance.shuffle(pairs)
    made: list[np.ndarray] = []
    waiting = tested[:TESTED] + pairs
    while len(made) < count and waiting:
        label, style = waiting.pop(0)
        picture = renderers[style](codes[label]) if label in codes else None
        if picture is None:
            continue
        rgba = np.asarray(picture).astype(np.float32)
        colour = np.array(PALETTE[chance.choice(COLOURS)], np.float32)
        alpha = rgba[..., 3:] / 255
        made.append((rgba[..., :3] * alpha + colour * (1 - alpha)).round().astype(np.uint8))
        if len(made) % 100 == 0:
            print(f"{len(made)} of {count} pictures rendered", flush=True)
    return np.stack(made)


@torch.no_grad()
def _through_vae(clean: np.ndarray, folder: Path) -> np.ndarray:
    vae = AutoencoderKL.from_pretrained(str(folder)).eval()
    made = []
    for begin in range(0, len(clean), 8):
        values = to_values(clean[begin : begin + 8]) * 2 - 1
        back = vae.decode(vae.encode(values).latent_dist.mode()).sample
        made.append(((back.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(made)


def to_values(pictures: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32, 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


class Patches:
    """Random pairs of patches: what the network gets and what it should make of it."""

    def __init__(self, pool: Pool, seed: int, side: int = 48) -> None:
        self._pool = pool
        self._side = side
        self._random = np.random.default_rng(seed)

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return low, float32 (count, 3, side, side), and large, (count, 3, 4 side, 4 side), both 0..1."""
        low, large = zip(*(self._pair() for _ in range(count)), strict=True)
        return torch.stack(low), torch.stack(large)

    def _pair(self) -> tuple[torch.Tensor, torch.Tensor]:
        kind = self._random.random()
        source = self._pool.clean if kind < CLEAN_SHARE else self._pool.drawn
        for _ in range(4):  # plain ground teaches nothing: look a few times for a patch that shows something
            index = int(self._random.integers(len(source)))
            x, y = (int(v) for v in self._random.integers(0, PICTURE_SIZE - self._side + 1, 2))
            window = self._pool.large[index, y * SCALE : (y + self._side) * SCALE, x * SCALE : (x + self._side) * SCALE]
            if window[::4, ::4].std() > 4:
                break
        low = to_values(source[index : index + 1, y : y + self._side, x : x + self._side])[0]
        large = to_values(window[None])[0]
        if kind >= 1 - SOFT_SHARE:
            large = softened(large, float(self._random.uniform(*SOFT_PX)))
            low = torch.nn.functional.avg_pool2d(large, SCALE)
        elif kind >= CLEAN_SHARE + VAE_SHARE:
            for _ in range(int(self._random.integers(1, 4))):
                low = low + float(self._random.random()) * (blurred(low) - low)
            low = low + float(self._random.random()) * NOISE * torch.from_numpy(
                self._random.standard_normal(low.shape, np.float32)
            )
        if self._random.random() < 0.5:
            low, large = low.flip(-1), large.flip(-1)
        if self._random.random() < 0.5:
            low, large = low.flip(-2), large.flip(-2)
        if self._random.random() < 0.5:
            low, large = low.transpose(-1, -2), large.transpose(-1, -2)
        return low.contiguous(), large.contiguous()


def softened(picture: torch.Tensor, deviation: float) -> torch.Tensor:
    """A (3, H, W) picture through a Gaussian of so many pixels, its edges repeated."""
    reach = int(3 * deviation)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation).square())
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    padded = torch.nn.functional.pad(picture[None], (reach, reach, reach, reach), mode="replicate")
    across = torch.nn.functional.conv2d(padded, kernel[..., None, :], groups=3)
    return torch.nn.functional.conv2d(across, kernel[..., None], groups=3)[0]


def blurred(picture: torch.Tensor) -> torch.Tensor:
    """A (3, H, W) picture through the 3 x 3 binomial filter, its edges repeated."""
    kernel = (BLUR[:, None] * BLUR[None]) / 16
    padded = torch.nn.functional.pad(picture[None], (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.conv2d(padded, kernel.expand(3, 1, 3, 3), groups=3)[0]
