"""Train the 4x upscaler of drawings: Real-ESRGAN's compact network on the vector emoji at 512 px.

Squared error, of values and of their differences: flat pictures make "add nothing" the median, which absolute error
never left, and where absolute error followed squared error, pictures that went through the VAE got worse again. Where
an edge lies is not certain behind the VAE, so squared error leaves it soft; a last sitting may weigh its steepness.
A sitting continues the weights of the last one and anneals its rate, so that it ends with a finished network.
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from checkpoint import TrainingState
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from upscaler_data import LARGE_SIZE, SCALE, TESTED, Patches, Pool, build_pool, to_values

FEATURES, PAIRS = 48, 16
RATE, BATCH, WARMUP_STEPS = 1e-3, 5, 100
SAVE_SECONDS = 120
HELD, ANNEALED = 0.45, 0.55  # shares of a sitting


class Compact(nn.Module):
    """The network by the names that its files have: body.0, body.1, .. in turn convolution and PReLU."""

    def __init__(self, features: int = FEATURES, pairs: int = PAIRS) -> None:
        super().__init__()
        widths = [3, *[features] * (pairs + 1)]
        rows: list[nn.Module] = []
        for given, out in pairwise(widths):
            rows += [nn.Conv2d(given, out, 3, padding=1), nn.PReLU(out)]
            nn.init.kaiming_normal_(rows[-2].weight, a=0.25)
            nn.init.zeros_(rows[-2].bias)
        rows.append(nn.Conv2d(features, 3 * SCALE**2, 3, padding=1))
        with torch.no_grad():
            rows[-1].weight.mul_(0.1)
        self.body = nn.Sequential(*rows)

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        """(B, 3, h, w), 0..1, to (B, 3, 4h, 4w)."""
        repeated = functional.interpolate(low, scale_factor=SCALE, mode="nearest")
        return functional.pixel_shuffle(self.body(low), SCALE) + repeated


def load_compact(path: Path) -> Compact:
    """The network of a file, in float32, as wide and deep as its tensors."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    network = Compact(weights["body.0.weight"].shape[0], (len(weights) - 2) // 3 - 1)
    network.load_state_dict(weights)
    return network.eval()


@torch.no_grad()
def enlarged(network: nn.Module, low: torch.Tensor) -> torch.Tensor:
    """(N, 3, h, w), 0..1, four times as large and within 0..1, a few at a time."""
    return torch.cat([network(part).clamp(0, 1) for part in low.split(8)])


def loss_of(made: torch.Tensor, right: torch.Tensor, edges: float) -> torch.Tensor:
    """Squared error of values and of their differences along both sides, and so many times that of the steepness."""
    error = made - right
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    plain = 20 * error.square().mean() + 10 * (across.square().mean() + down.square().mean())
    return plain + edges * (_steep(made) - _steep(right)).abs().mean() if edges else plain


def _steep(values: torch.Tensor) -> torch.Tensor:
    """How steep (N, 3, H, W) is in each cell of 8 x 8 pixels, wherever in it the edge lies."""
    across = values[..., :-1, 1:] - values[..., :-1, :-1]
    down = values[..., 1:, :-1] - values[..., :-1, :-1]
    return (functional.avg_pool2d((across.square() + down.square()).mean(1), 8) + 1e-6).sqrt()


def psnr(made: torch.Tensor, right: torch.Tensor) -> float:
    """Mean over pictures, dB, of values 0..1."""
    errors = (made.clamp(0, 1) - right).square().mean((1, 2, 3))
    return float((-10 * errors.log10()).mean())


def steepness(picture: torch.Tensor, right: torch.Tensor) -> float:
    """Mean difference across the right picture's strongest edges (its top 2 %), as a share of the right picture's."""
    shares = []
    for one, other in zip(picture.clamp(0, 1), right, strict=True):
        wide = (other[:, :, 1:] - other[:, :, :-1]).abs().mean(0)
        edge = wide >= wide.flatten().quantile(0.98)
        mine = (one[:, :, 1:] - one[:, :, :-1]).abs().mean(0)
        shares.append(float(mine[edge].mean() / wide[edge].mean()))
    return float(np.mean(shares))


@torch.no_grad()
def evaluate(network: nn.Module, tested: Pool) -> dict[str, float]:
    """Figures on the pictures that no training saw, beside Lanczos."""
    right = to_values(tested.large)
    figures = {}
    for name, low in (("clean", tested.clean), ("vae", tested.drawn)):
        made = enlarged(network, to_values(low))
        computed = np.stack(
            [np.asarray(Image.fromarray(one).resize((LARGE_SIZE, LARGE_SIZE), Image.Resampling.LANCZOS)) for one in low]
        )
        lanczos = to_values(computed)
        figures |= {
            f"{name}_psnr": psnr(made, right),
            f"{name}_lanczos_psnr": psnr(lanczos, right),
            f"{name}_steepness": steepness(made, right),
            f"{name}_lanczos_steepness": steepness(lanczos, right),
        }
    return {key: round(value, 3) for key, value in figures.items()}


def rate_at(step: int, share: float, rate: float) -> float:
    """Warm-up, held, then a cosine to a hundredth over the last part of the sitting."""
    falling = max(0.0, (share - HELD) / ANNEALED)
    return rate * min(1, (step + 1) / WARMUP_STEPS) * (0.99 * 0.5 * (1 + math.cos(math.pi * min(falling, 1))) + 0.01)


def train(
    network: Compact, state: TrainingState, path: Path, pool: Pool, minutes: float, rate: float, edges: float
) -> None:  # fmt: skip
    """Train one sitting of so many minutes of wall time, saving every two."""
    patches = Patches(pool.part(TESTED, None), seed=state.step)
    began = last_save = previous = time.time()
    recent: list[float] = []
    while (elapsed := time.time() - began) < minutes * 60:
        state.set_rate(rate_at(state.step, elapsed / (minutes * 60), rate))
        low, right = patches.batch(BATCH)
        loss = loss_of(network(low), right, edges)
        state.update(loss)
        recent.append(loss.item())
        now = time.time()
        state.seconds, previous = state.seconds + now - previous, now
        if now - last_save > SAVE_SECONDS:
            last_save = now
            state.save(path)
            with state.averaged():
                figures = evaluate(network, pool.part(0, 16))
            print(f"{elapsed / 60:.0f} min, step {state.step}, loss {np.mean(recent):.5f}, {figures}", flush=True)
            recent.clear()
            previous = time.time()
    state.save(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--vae", type=Path, default=Path(__file__).parents[2] / "resources" / "starter" / "vae")
    parser.add_argument("--from", dest="start", type=Path, help="weights to begin with, where no state is kept")
    parser.add_argument("--out", type=Path, help="where to write the weights, float16; default: in the state")
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--edges", type=float, default=0.0, help="weight of the steepness, for a last sitting")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the running average; .99 in a short one")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    options.state.mkdir(parents=True, exist_ok=True)
    pool = build_pool(options.state, options.vae, options.pictures)
    network = Compact()
    if options.start is not None:
        network.load_state_dict(load_compact(options.start).state_dict())
    state = TrainingState({"upscaler": network}, RATE, weight_decay=0.0, ema_decay=options.average)
    path = options.state / "upscaler.pt"
    state.load(path)
    train(network, state, path, pool, options.minutes, options.rate, options.edges)
    with state.averaged():
        print(evaluate(network, pool.part(0, TESTED)), flush=True)
        weights = {name: value.half() for name, value in network.state_dict().items()}
    save_file(weights, options.out or options.state / "upscaler.safetensors", {"title": "Compact Real-ESRGAN, 4x"})


if __name__ == "__main__":
    main()
