"""The judge: a small network that names concept, style and background of a picture.

It learns from real renderings only, jittered; never from pictures of the VAE or the UNet. All drawable emoji are its
classes, not just the trained ones: a blur must not win by there being few answers.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from checkpoint import TrainingState
from concepts import COLOURS, PALETTE, STYLES, is_drawable
from dataset import Pictures, load_pictures
from popular import POPULAR
from torch import nn

INPUT_SIZE = 64
RATE = 2e-3
BATCH = 64
WARMUP_STEPS = 100
SAVE_SECONDS = 120
FAVOURED_SHARE = 0.4
WHITE_SHARE = 0.35


class Judge(nn.Module):
    """Four convolution stages at 64 px and three heads."""

    def __init__(self, concepts: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (3, 32, 64, 128, 256)
        for narrow, wide in itertools.pairwise(widths):
            stride = 2 if narrow == 3 else 1
            layers += [nn.Conv2d(narrow, wide, 3, stride, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            layers += [nn.Conv2d(wide, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            if wide != widths[-1]:
                layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers)
        self.concept = nn.Linear(256 * 4, concepts)
        self.style = nn.Linear(256, len(STYLES))
        self.background = nn.Linear(256 * 4, len(COLOURS))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits of concept, style and background for (N, 3, H, W) pictures in -1..1."""
        if pictures.shape[-1] != INPUT_SIZE:
            pictures = functional.interpolate(pictures, size=INPUT_SIZE, mode="area")
        features = self.body(pictures)
        coarse = functional.adaptive_avg_pool2d(features, 2).flatten(1)
        return self.concept(coarse), self.style(features.mean((2, 3))), self.background(coarse)


@dataclass
class Batch:
    """Pictures with their right answers."""

    pictures: torch.Tensor
    concepts: torch.Tensor
    styles: torch.Tensor
    colours: torch.Tensor


class Renderings:
    """Jittered real renderings at the judge's size."""

    def __init__(self, pictures: Pictures, favoured: set[str], seed: int) -> None:
        """Halve all drawable pictures, premultiplied, and keep them in memory.

        Args:
            pictures: All rendered pictures.
            favoured: Labels drawn more often.
            seed: Of the jitter.
        """
        kept = [i for i, c in enumerate(pictures.concepts) if is_drawable(c)]
        self.labels = [pictures.concepts[i].label for i in kept]
        self.generator = torch.Generator().manual_seed(seed)
        small, concept, style = [], [], []
        for number, name in enumerate(STYLES):
            places = [k for k, i in enumerate(kept) if pictures.present[name][i]]
            for start in range(0, len(places), 256):
                part = places[start : start + 256]
                rgba = np.stack([pictures.pixels[name][kept[k]] for k in part]).astype(np.float32) / 255
                rgba[..., :3] *= rgba[..., 3:]
                halved = functional.avg_pool2d(torch.from_numpy(rgba).permute(0, 3, 1, 2), 2)
                small.append((halved * 255).round().byte())
            concept += places
            style += [number] * len(places)
        self.small = torch.cat(small)
        self.concept, self.style = torch.tensor(concept), torch.tensor(style)
        wanted = torch.tensor([label in favoured for label in self.labels])
        self.favoured = torch.nonzero(wanted[self.concept]).flatten()
        self.palette = torch.tensor(list(PALETTE.values()), dtype=torch.float32) / 255

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator)

    def batch(self, count: int) -> Batch:
        """Random pictures, moved by up to 6 px of 64, scaled by 0.8 to 1.15, colours and sharpness jittered."""
        index = (self._random(count) * len(self.small)).long()
        other = self.favoured[(self._random(count) * len(self.favoured)).long()]
        index = torch.where(self._random(count) < FAVOURED_SHARE, other, index)
        colour = (1 + self._random(count) * (len(COLOURS) - 1)).long()
        colour = torch.where(self._random(count) < WHITE_SHARE, 0, colour)
        scale = 0.87 + self._random(count) * 0.38
        grid = torch.zeros(count, 2, 3)
        grid[:, 0, 0] = grid[:, 1, 1] = scale
        grid[:, :, 2] = (self._random(count, 2) - 0.5) * 0.36
        lattice = functional.affine_grid(grid, [count, 4, INPUT_SIZE, INPUT_SIZE], align_corners=False)
        moved = functional.grid_sample(self.small[index].float() / 255, lattice, align_corners=False)
        tint = self.palette[colour] + (self._random(count, 3) - 0.5) * 0.06
        mixed = moved[:, :3] + (1 - moved[:, 3:]) * tint[:, :, None, None]
        gain = 1 + (self._random(count, 3, 1, 1) - 0.5) * 0.16
        mixed = mixed * gain + (self._random(count, 1, 1, 1) - 0.5) * 0.06
        soft = functional.avg_pool2d(functional.pad(mixed, (1, 1, 1, 1), mode="replicate"), 3, 1)
        blend = self._random(count, 1, 1, 1)
        noise = torch.randn(mixed.shape, generator=self.generator) * 0.02
        mixed = (mixed * (1 - blend) + soft * blend + noise).clamp(0, 1) * 2 - 1
        return Batch(
            mixed.contiguous(memory_format=torch.channels_last), self.concept[index], self.style[index], colour
        )


@torch.no_grad()
def accuracy(judge: Judge, renderings: Renderings, batches: int = 8) -> tuple[float, float, float, int]:
    """Shares right of concept, style and background on fresh jitters, and their number."""
    judge.eval()
    right = torch.zeros(3)
    for _ in range(batches):
        batch = renderings.batch(BATCH)
        answers = judge(batch.pictures)
        wanted = (batch.concepts, batch.styles, batch.colours)
        right += torch.tensor([(a.argmax(1) == w).float().sum() for a, w in zip(answers, wanted, strict=True)])
    judge.train()
    concept, style, background = (right / (batches * BATCH)).tolist()
    return concept, style, background, batches * BATCH


def train(state: TrainingState, judge: Judge, path: Path, renderings: Renderings, minutes: float) -> None:
    """Train to the end of the budget, one cosine over all of it."""
    previous = last_save = time.time()
    while state.seconds < minutes * 60:
        share = state.seconds / (minutes * 60)
        state.set_rate(RATE * min(1, (state.step + 1) / WARMUP_STEPS) * (0.5 * (1 + math.cos(math.pi * share)) + 0.01))
        batch = renderings.batch(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            concept, style, colour = judge(batch.pictures)
        loss = functional.cross_entropy(concept.float(), batch.concepts, label_smoothing=0.05)
        loss = loss + functional.cross_entropy(style.float(), batch.styles)
        loss = loss + 0.3 * functional.cross_entropy(colour.float(), batch.colours)
        state.update(loss, clip=5.0)
        now = time.time()
        state.seconds += now - previous
        previous = now
        if state.step % 100 == 0:
            print(state.step, f"{state.seconds:.0f}s loss {loss.item():.3f}", flush=True)
        if now - last_save > SAVE_SECONDS:
            state.save(path)
            last_save = now
    print("fresh jitters, concept/style/background/n:", accuracy(judge, renderings), flush=True)
    state.save(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    renderings = Renderings(load_pictures(arguments.state / "pictures"), set(POPULAR), seed=3)
    judge = Judge(len(renderings.labels)).to(memory_format=torch.channels_last).train()
    state = TrainingState({"judge": judge}, RATE, weight_decay=0.01, ema_decay=0.99)
    path = arguments.state / "judge.pt"
    state.load(path)
    state.extra["labels"] = renderings.labels
    train(state, judge, path, renderings, arguments.minutes)


if __name__ == "__main__":
    main()
