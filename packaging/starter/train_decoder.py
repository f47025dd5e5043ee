"""Teach the decoder to forgive: it learns on from latents that the UNet drew, whose right picture is known.

The VAE is trained on what its encoder gives. What a sampler ends with is not quite that, and every small error becomes
a blotch. A prompt that names concept, style and background of a training picture has exactly one right answer, so the
drawn latents and the rendered picture make a pair. The encoder stays as it is: the UNet's latents remain valid.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from checkpoint import TrainingState
from concepts import COLOURS, PALETTE, STYLES, held_out, prompt, trained_labels
from dataset import Pictures, composite, load_pictures, tile, to_tensor
from diffusers import AutoencoderKL
from latents import FOLDED
from nets import SCALING_FACTOR
from popular import POPULAR
from sampling import assemble, draw_latents
from train_vae import Sampler, background_errors, reconstruction_loss, schedule_rate

RATE = 4e-4
BATCH = 8
DRAWN_SHARE = 0.75  # of a batch; the rest is encoded, so that other pictures keep their quality
GUIDANCE = (2.0, 3.0, 4.0)
DRAW_BATCH = 16
SAVE_SECONDS = 120
TESTED = 64  # of the drawn latents; kept out of the training
DRAWN = "drawn.pt"


@dataclass
class Drawn:
    """Latents that the UNet drew, (N, 4, 16, 16) in its scale, and what their prompts named."""

    values: torch.Tensor
    labels: list[str]
    styles: list[str]
    colours: list[str]


def draw_pairs(state: Path, pictures: Pictures, concepts: int, count: int) -> Drawn:
    """Draw `count` latents of random trained concept x style pairs on random colours with the averaged weights."""
    pipeline, _ = assemble(state)
    chance = random.Random(11)
    index = {concept.label: i for i, concept in enumerate(pictures.concepts)}
    labels = trained_labels(concepts)
    skipped = held_out(labels)
    pairs = [(n, s) for n in labels for s in STYLES if pictures.present[s][index[n]] and (n, s) not in skipped]
    chosen = [(*pair, chance.choice(COLOURS)) for pair in chance.choices(pairs, k=count)]
    values = []
    for start in range(0, count, DRAW_BATCH):
        part = chosen[start : start + DRAW_BATCH]
        seeds = [chance.randrange(2**31) for _ in part]
        values.append(draw_latents(pipeline, [prompt(*c) for c in part], seeds, guidance=chance.choice(GUIDANCE)))
    names, styles, colours = (list(column) for column in zip(*chosen, strict=True))
    return Drawn(torch.cat(values), names, styles, colours)


class Pairs:
    """Batches of latents in the VAE's own scale and the pictures that the decoder should make of them."""

    def __init__(self, drawn: Drawn, places: range, pictures: Pictures, vae: AutoencoderKL, seed: int) -> None:
        """Use those `places` of what was drawn, with an own source of randomness."""
        self.drawn, self.places, self.pictures, self.vae = drawn, places, pictures, vae
        self.index = {concept.label: i for i, concept in enumerate(pictures.concepts)}
        self.chance = random.Random(seed)
        self.encoded = Sampler(pictures, set(POPULAR), seed)

    def picture(self, place: int) -> np.ndarray:
        """The rendered picture of a drawn latent, (128, 128, 3) in -1..1."""
        rgba = self.pictures.pixels[self.drawn.styles[place]][self.index[self.drawn.labels[place]]]
        return composite(rgba, PALETTE[self.drawn.colours[place]])

    @torch.no_grad()
    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mostly drawn latents, moved by a random share back towards the encoded ones, and encoded pictures."""
        places = self.chance.choices(self.places, k=round(count * DRAWN_SHARE))
        right = to_tensor(np.stack([self.picture(place) for place in places]))
        encoded = self.encoded.batch(count - len(places))
        wanted = torch.cat([right, encoded]).contiguous(memory_format=torch.channels_last)
        latents = self.vae.encode(wanted).latent_dist.mode()
        error = self.drawn.values[places] / SCALING_FACTOR - latents[: len(places)]
        latents[: len(places)] += error * torch.rand(len(places), 1, 1, 1)
        return latents, wanted


def train(state: TrainingState, path: Path, vae: AutoencoderKL, pairs: Pairs, minutes: float) -> None:
    """Train the decoder until the budget of all sessions is used up, saving every two minutes."""
    previous = last_save = time.time()
    recent: list[float] = []
    while state.seconds < minutes * 60:
        state.set_rate(schedule_rate(RATE, state.step, state.seconds / (minutes * 60)))
        latents, wanted = pairs.batch(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            output = vae.decode(latents).sample
        loss = reconstruction_loss(output.float() - wanted)
        state.update(loss)
        recent.append(loss.item())
        state.extra["pictures"] = state.extra.get("pictures", 0) + BATCH
        now = time.time()
        state.seconds += now - previous
        previous = now
        if state.step % 100 == 0:
            print(f"{state.step} {state.seconds:.0f}s loss {np.mean(recent[-100:]):.4f}", flush=True)
        if now - last_save > SAVE_SECONDS:
            state.save(path)
            last_save = time.time()
    state.save(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--concepts", type=int, default=204)
    parser.add_argument("--pictures", type=int, default=3200, help="how many to draw")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    pictures = load_pictures(arguments.state / "pictures")
    if not (arguments.state / DRAWN).exists():
        drawn = draw_pairs(arguments.state, pictures, arguments.concepts, arguments.pictures)
        torch.save(vars(drawn), arguments.state / DRAWN)
    drawn = Drawn(**torch.load(arguments.state / DRAWN, weights_only=True))
    vae = AutoencoderKL.from_pretrained(arguments.state / FOLDED).to(memory_format=torch.channels_last)
    for module in (vae.encoder, vae.quant_conv):
        module.requires_grad_(False)
    state = TrainingState({"vae": vae}, RATE, weight_decay=1e-4, ema_decay=0.995)
    path = arguments.state / "decoder.pt"
    state.load(path)
    kept = len(drawn.labels) - TESTED
    pairs = Pairs(drawn, range(kept), pictures, vae, seed=state.step)
    with torch.no_grad():
        test = Pairs(drawn, range(kept, len(drawn.labels)), pictures, vae, seed=99).batch(32)
        before = vae.decode(test[0]).sample
    train(state, path, vae, pairs, arguments.minutes)
    with state.averaged(), torch.no_grad():
        after = vae.decode(test[0]).sample
        rows = torch.cat([test[1], before, after], 2)
        tile(rows[:24], 12).save(arguments.state / "decoder.png")
        for name, output in (("before", before), ("after", after)):
            error = ((output.clamp(-1, 1) - test[1]) / 2).square().mean((1, 2, 3))
            print(f"{name}: {-10 * torch.log10(error).mean():.2f} dB")
        print("background colour errors (0..255):", background_errors(vae, pictures, set(POPULAR)))
        vae.save_pretrained(arguments.state / FOLDED)


if __name__ == "__main__":
    main()
