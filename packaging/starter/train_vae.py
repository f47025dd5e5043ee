"""Train the VAE."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from checkpoint import TrainingState
from concepts import PALETTE, STYLES
from dataset import Pictures, composite, load_pictures, tile, to_tensor
from diffusers import AutoencoderKL
from nets import make_vae
from popular import POPULAR
from vae_init import initialise

RATE = 6e-4  # 4e-4 is known to work at batch 6; 1.5e-3 was too much
WARMUP_STEPS = 150
FINAL_SHARE = 0.03
CROP = 64
CROP_BATCH, FULL_BATCH = 12, 4
KL_WEIGHT = 2e-4
RANDOM_COLOUR_SHARE = 0.3
WHITE_SHARE = 0.4
FAVOURED_SHARE = 0.5
SAVE_SECONDS = 120
EXACT_SHARE = 0.7  # from here on in float32 instead of bfloat16 (1.5 times slower)


class Sampler:
    """Random batches of composited pictures; half of them from the favoured concepts."""

    def __init__(self, pictures: Pictures, favoured: set[str], seed: int) -> None:
        """Collect the (style, index) pairs that exist."""
        self.pictures = pictures
        self.random = np.random.default_rng(seed)
        self.all = [(s, i) for s in STYLES for i in np.flatnonzero(pictures.present[s])]
        self.favoured = [(s, i) for s, i in self.all if pictures.concepts[i].label in favoured] or self.all
        self.colours = np.array(list(PALETTE.values())[1:], np.float32)

    def _colour(self) -> np.ndarray:
        """A background: a random colour, white, or one of the palette."""
        draw = self.random.random()
        if draw < RANDOM_COLOUR_SHARE:
            return self.random.uniform(0, 255, 3).astype(np.float32)
        if draw < RANDOM_COLOUR_SHARE + WHITE_SHARE:
            return np.full(3, 255, np.float32)
        return self.colours[self.random.integers(len(self.colours))]

    def batch(self, count: int, crop: int = 0) -> torch.Tensor:
        """`count` pictures in -1..1, whole or cut to a `crop` square that starts at a multiple of 8."""
        chosen = []
        for _ in range(count):
            pool = self.favoured if self.random.random() < FAVOURED_SHARE else self.all
            style, index = pool[self.random.integers(len(pool))]
            rgba = self.pictures.pixels[style][index]
            if crop:
                top, left = self.random.integers(0, (rgba.shape[0] - crop) // 8 + 1, 2) * 8
                rgba = rgba[top : top + crop, left : left + crop]
            chosen.append(composite(rgba, self._colour()))
        return to_tensor(np.stack(chosen))


def reconstruction_loss(error: torch.Tensor) -> torch.Tensor:
    """L1 + 0.5 gradient L1 + L1 of the 4- and 8-pooled error."""
    horizontal = (error[..., 1:] - error[..., :-1]).abs().mean()
    vertical = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    pooled = functional.avg_pool2d(error, 8).abs().mean() + functional.avg_pool2d(error, 4).abs().mean()
    return error.abs().mean() + 0.5 * (horizontal + vertical) + pooled


@torch.no_grad()
def measure(vae: AutoencoderKL, pictures: torch.Tensor) -> tuple[float, np.ndarray, torch.Tensor]:
    """PSNR in dB, the eigenvalues of the latent covariance, and the reconstructions."""
    latents, outputs = [], []
    for part in pictures.split(8):
        latents.append(vae.encode(part).latent_dist.mode())
        outputs.append(vae.decode(latents[-1]).sample.clamp(-1, 1))
    output = torch.cat(outputs)
    values = torch.cat(latents).permute(1, 0, 2, 3).reshape(4, -1).numpy()
    psnr = -10 * math.log10(((pictures - output) / 2).square().mean().item())
    return psnr, np.linalg.eigvalsh(np.cov(values))[::-1], output


@torch.no_grad()
def background_errors(vae: AutoencoderKL, pictures: Pictures, favoured: set[str]) -> dict[str, float]:
    """Mean error (0..255) of the decoded border colour per background colour, over up to 16 favoured pictures."""
    rgba = [
        pictures.pixels[s][i]
        for i, c in enumerate(pictures.concepts)
        for s in STYLES
        if c.label in favoured and pictures.present[s][i]
    ][::7][:16]
    errors = {}
    for name, colour in PALETTE.items():
        output = vae.decode(vae.encode(to_tensor(np.stack([composite(r, colour) for r in rgba]))).latent_dist.mode())
        corner = (output.sample[..., :4, :4].mean((2, 3)).clamp(-1, 1) + 1) * 127.5
        errors[name] = (corner - torch.tensor(colour, dtype=torch.float32)).abs().mean().item()
    return errors


def schedule_rate(rate: float, step: int, share: float) -> float:
    """Warm-up, then a cosine over the whole budget."""
    return rate * min(1, (step + 1) / WARMUP_STEPS) * (0.5 * (1 + math.cos(math.pi * share)) * 0.97 + FINAL_SHARE)


def train(
    vae: AutoencoderKL, state: TrainingState, path: Path, pictures: Pictures, favoured: set[str], minutes: float
) -> None:
    """Train until the budget is used up, saving every two minutes.

    Args:
        vae: The network in `state`.
        state: Optimizer, average, counters.
        path: Where to save the state.
        pictures: The data.
        favoured: Labels drawn more often.
        minutes: Budget in all sessions together.
    """
    sampler = Sampler(pictures, favoured, seed=state.step)
    test = Sampler(pictures, favoured, seed=99).batch(48)
    previous, last_save = time.time(), time.time()
    recent: list[float] = []
    while state.seconds < minutes * 60:
        state.set_rate(schedule_rate(RATE, state.step, state.seconds / (minutes * 60)))
        whole = state.step % 3 == 0
        picture = sampler.batch(FULL_BATCH) if whole else sampler.batch(CROP_BATCH, CROP)
        early = state.seconds < EXACT_SHARE * minutes * 60
        with torch.autocast("cpu", torch.bfloat16, enabled=early):
            posterior = vae.encode(picture).latent_dist
            output = vae.decode(posterior.sample()).sample
        loss = reconstruction_loss(output.float() - picture)
        recent.append(loss.item())
        loss = loss + KL_WEIGHT * posterior.kl().float().mean() / posterior.mean[0].numel()
        state.update(loss)
        state.extra["pictures"] = state.extra.get("pictures", 0) + (FULL_BATCH if whole else CROP_BATCH / 4)
        now = time.time()
        state.seconds += now - previous
        previous = now
        if state.step % 150 == 0 or now - last_save > SAVE_SECONDS:
            with state.averaged():
                psnr, values, output = measure(vae, test)
            print(
                f"{state.step} {state.seconds:.0f}s loss {np.mean(recent[-150:]):.4f} psnr {psnr:.2f} eigen {values}",
                flush=True,
            )
        if now - last_save > SAVE_SECONDS:
            state.save(path)
            tile(torch.cat([test[:24], output[:24]], 2), 12).save(path.with_suffix(".png"))
            last_save = time.time()
    state.save(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    favoured = set(POPULAR)
    pictures = load_pictures(arguments.state / "pictures")
    path = arguments.state / "vae.pt"
    vae = make_vae().to(memory_format=torch.channels_last)
    if not path.exists():
        initialise(vae, Sampler(pictures, favoured, seed=7).batch)
    state = TrainingState({"vae": vae}, RATE, weight_decay=1e-4, ema_decay=0.995)
    state.load(path)
    train(vae, state, path, pictures, favoured, arguments.minutes)
    with state.averaged():
        print("background colour errors (0..255):", background_errors(vae, pictures, favoured))


if __name__ == "__main__":
    main()
