"""Fold the latent statistics into the VAE, and cache the latents the UNet is trained on."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from checkpoint import load_averaged
from concepts import COLOURS, PALETTE, STYLES, held_out, trained_labels
from dataset import Pictures, composite, load_pictures, to_tensor
from diffusers import AutoencoderKL
from nets import SCALING_FACTOR, make_vae
from popular import POPULAR
from train_vae import Sampler

# Whitening never stretches a weak direction more than this share of the strongest one.
EIGENVALUE_FLOOR = 0.01
FOLDED_LOG_VARIANCE = -6.0
COLOURS_PER_PAIR = 6
ENCODE_BATCH = 16
FOLD_PICTURES = 320
FOLDED = "vae"  # folder of the folded VAE inside the state folder


@dataclass
class Latents:
    """Cached latents, unit variance, with what each of them shows."""

    values: torch.Tensor
    labels: list[str]
    styles: list[str]
    colours: list[str]


@torch.no_grad()
def fold(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Make the latents of `pictures` zero mean and unit variance at Stable Diffusion 1's own scaling factor.

    z' = M (z - m) goes into quant_conv and its inverse into post_quant_conv, so that every program that multiplies
    by 0.18215 hands the UNet whitened latents.

    Args:
        vae: Changed in place.
        pictures: (N, 3, 128, 128) in -1..1; a few hundred are enough.
    """
    latents = torch.cat([vae.encode(part).latent_dist.mode() for part in pictures.split(ENCODE_BATCH)])
    mean = latents.mean((0, 2, 3))
    values, vectors = np.linalg.eigh(np.cov(latents.permute(1, 0, 2, 3).reshape(4, -1).numpy()))
    values, vectors = values[::-1].copy(), vectors[:, ::-1].copy()
    floored = np.maximum(values, values[0] * EIGENVALUE_FLOOR)
    matrix = torch.tensor(np.diag(1 / np.sqrt(floored)) @ vectors.T, dtype=torch.float32)
    inverse = torch.linalg.inv(matrix)
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:4] = torch.einsum("oc,cihw->oihw", matrix, quant.weight[:4]) / SCALING_FACTOR
    quant.bias[:4] = matrix @ (quant.bias[:4] - mean) / SCALING_FACTOR
    quant.weight[4:] = 0
    quant.bias[4:] = FOLDED_LOG_VARIANCE
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight.copy_(torch.einsum("oihw,ic->ochw", post.weight, inverse) * SCALING_FACTOR)
    vae.register_to_config(scaling_factor=SCALING_FACTOR)


@torch.no_grad()
def encode_all(vae: AutoencoderKL, pictures: Pictures, labels: list[str], seed: int) -> Latents:
    """Encode every trained picture on white and on `COLOURS_PER_PAIR` random colours, in the UNet's scale."""
    chance = random.Random(seed)
    index = {concept.label: i for i, concept in enumerate(pictures.concepts)}
    skipped = held_out(labels)
    items = [
        (label, style, colour)
        for label in labels
        for style in STYLES
        if pictures.present[style][index[label]] and (label, style) not in skipped
        for colour in ("white", *chance.sample(COLOURS[1:], COLOURS_PER_PAIR))
    ]
    encoded = []
    for start in range(0, len(items), ENCODE_BATCH):
        part = items[start : start + ENCODE_BATCH]
        rendered = [composite(pictures.pixels[s][index[name]], PALETTE[c]) for name, s, c in part]
        encoded.append(vae.encode(to_tensor(np.stack(rendered))).latent_dist.mode() * SCALING_FACTOR)
    label_list, style_list, colour_list = zip(*items, strict=True)
    values = torch.cat(encoded).contiguous().float()
    return Latents(values, list(label_list), list(style_list), list(colour_list))


def save_latents(latents: Latents, path: Path) -> None:
    """Write the cache."""
    torch.save(vars(latents), path)


def load_latents(path: Path) -> Latents:
    """Read the cache."""
    return Latents(**torch.load(path, weights_only=True))


@torch.no_grad()
def fit_preview(vae: AutoencoderKL, latents: Latents) -> tuple[list[list[float]], list[float]]:
    """Least squares from a latent pixel (4) to the mean colour of its 8 x 8 block in -1..1: weights (4, 3) and bias."""
    chosen = latents.values[:: max(1, len(latents.values) // 256)]
    decoded = torch.cat([vae.decode(part / SCALING_FACTOR).sample.clamp(-1, 1) for part in chosen.split(8)])
    pooled = torch.nn.functional.avg_pool2d(decoded, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    inputs = chosen.permute(0, 2, 3, 1).reshape(-1, 4)
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], 1)
    solution = torch.linalg.lstsq(inputs, pooled).solution
    rounded = [[round(v, 4) for v in row] for row in solution.tolist()]
    return rounded[:4], rounded[4]


def prepare(state: Path, concepts: int) -> None:
    """Fold the trained VAE once (its encoder stays as it is for ever), then cache the latents of `concepts`."""
    pictures = load_pictures(state / "pictures")
    folded = state / FOLDED
    if not folded.exists():
        vae = make_vae().eval()
        load_averaged(state / "vae.pt", {"vae": vae})
        fold(vae, Sampler(pictures, set(POPULAR), seed=5).batch(FOLD_PICTURES))
        vae.save_pretrained(folded)
    vae = AutoencoderKL.from_pretrained(folded).to(memory_format=torch.channels_last).eval()
    latents = encode_all(vae, pictures, trained_labels(concepts), seed=1)
    deviations = [round(v, 3) for v in latents.values.std((0, 2, 3)).tolist()]
    print(f"{len(latents.labels)} latents, standard deviations {deviations}")
    save_latents(latents, state / "latents.pt")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--concepts", type=int, default=204)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    prepare(arguments.state, arguments.concepts)


if __name__ == "__main__":
    main()
