"""Train the UNet and the text encoder together on the cached latents."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoint import TrainingState
from concepts import Concept, caption, prompt
from dataset import load_pictures
from diffusers import DDPMScheduler
from diffusers.models.attention_processor import AttnProcessor
from latents import Latents, load_latents
from nets import CONTEXT_LENGTH, make_text_encoder, make_unet
from transformers import CLIPTokenizer

RATE = 1e-3  # 1.5e-3 in the first three sittings
WARMUP_STEPS = 100
DECAY_FROM = 0.45  # share of a sitting after which the rate falls to FINAL_SHARE along a cosine
FINAL_SHARE = 0.02
BATCH = 128
LEVELS = 4  # noise levels per caption: the text encoder runs once for all of them
# The last of those levels start from latents on which the model itself has already worked, under guidance up to this
# (see `roll`).
ROLLED_LEVELS, ROLLED_GUIDANCE = 2, 5.0
EMPTY_CAPTIONS = 0.12
# Share of the mean picture in the answer at pure noise; half of that is left at a noise-to-signal ratio squared of
# `RESTRAINT_HALF` (see `restrained`).
RESTRAINT, RESTRAINT_HALF = 0.7, 4.0  # 0.6 and 10 in the first half of the fifth sitting
EMA_DECAY = 0.996
WEIGHT_3D = 2.0  # 3d is what a prompt without a style means
WHITE_SHARE = 0.25  # of the draws of a (concept, style) pair: a prompt that names no background stays open
SAVE_SECONDS = 120
TRAIN_STEPS = 1000
# Draws more high noise levels: there the picture must come from the words, which is what is learnt last. With a flat
# draw, after 57,000 samples, the error of v (and with shuffled captions) was .27 (.32) at step 250, .44 (1.03) at 950.
# The annealing draws less of them, so that fine detail gets its share.
NOISE_POWER, FINAL_NOISE_POWER = 0.8, 1.0
RECORD = "training.json"  # in the exported model: what its training has cost so far
# Stable Diffusion 1's noise schedule, but the network predicts v.
NOISE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "prediction_type": "v_prediction"}


Networks = dict[str, Callable[..., Any]]


@dataclass
class Sitting:
    """One training session's share of the learning-rate plan, in seconds of the whole run."""

    start: float
    length: float

    def share(self, seconds: float) -> float:
        """How much of the sitting is over, 0 to 1."""
        return min(1.0, (seconds - self.start) / self.length)

    def noise_power(self, seconds: float) -> float:
        """Exponent on a flat draw of noise levels; below 1 draws more of the high ones."""
        return NOISE_POWER if self.share(seconds) < DECAY_FROM else FINAL_NOISE_POWER

    def rate(self, step: int, first_step: int, seconds: float) -> float:
        """Warm up (again in every sitting), hold, then anneal so that the sitting ends with a finished model."""
        share = self.share(seconds)
        rate = RATE * min(1.0, (step - first_step + 1) / WARMUP_STEPS)
        if share > DECAY_FROM:
            phase = (share - DECAY_FROM) / (1 - DECAY_FROM)
            rate *= 0.5 * (1 + np.cos(np.pi * phase)) * (1 - FINAL_SHARE) + FINAL_SHARE
        return float(rate)


def draw_weights(latents: Latents) -> torch.Tensor:
    """How often each cached latent is drawn."""
    pairs: dict[tuple[str, str], int] = {}
    for key, colour in zip(zip(latents.labels, latents.styles, strict=True), latents.colours, strict=True):
        pairs[key] = pairs.get(key, 0) + (colour != "white")
    weights = []
    for label, style, colour in zip(latents.labels, latents.styles, latents.colours, strict=True):
        share = WHITE_SHARE if colour == "white" else (1 - WHITE_SHARE) / max(1, pairs[label, style])
        weights.append(share * (WEIGHT_3D if style == "3d" else 1.0))
    return torch.tensor(weights, dtype=torch.float64)


@dataclass
class Batch:
    """A draw of training data.

    Attributes:
        latents: (count, 4, 16, 16).
        tokens: Token ids of their captions (count, 77).
        full_tokens: (count + 1, 77), of prompts that name concept, style and background; the last is the empty one.
    """

    latents: torch.Tensor
    tokens: torch.Tensor
    full_tokens: torch.Tensor


class Feed:
    """Endless batches of latents and caption tokens."""

    def __init__(self, latents: Latents, concepts: list[Concept], tokenizer: CLIPTokenizer, seed: int) -> None:
        """Draw by `draw_weights` with an own source of randomness."""
        self.latents = latents
        self.by_label = {c.label: c for c in concepts}
        self.tokenizer = tokenizer
        self.weights = draw_weights(latents)
        self.mean = torch.einsum("n,nchw->chw", (self.weights / self.weights.sum()).float(), latents.values)
        self.chance = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.order: list[int] = []

    def _caption(self, index: int) -> str:
        if self.chance.random() < EMPTY_CAPTIONS:
            return ""
        concept = self.by_label[self.latents.labels[index]]
        return caption(concept, self.latents.styles[index], self.latents.colours[index], self.chance)

    def _tokens(self, texts: list[str]) -> torch.Tensor:
        # Padded to the full length, as the pipeline does: the UNet attends to the padding too.
        tokens = self.tokenizer(texts, padding="max_length", max_length=CONTEXT_LENGTH, truncation=True)
        return torch.tensor(tokens.input_ids)

    def batch(self, count: int) -> Batch:
        """`count` latents with their captions."""
        if len(self.order) < count:
            self.order = torch.multinomial(self.weights, 4096, replacement=True, generator=self.generator).tolist()
        chosen = [self.order.pop() for _ in range(count)]
        captions = [self._caption(i) for i in chosen]
        latents = self.latents
        full = [prompt(latents.labels[i], latents.styles[i], latents.colours[i]) for i in chosen]
        return Batch(latents.values[chosen], self._tokens(captions), self._tokens([*full, ""]))


def roll(
    networks: Networks, scheduler: DDPMScheduler, clean: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor,
    full_tokens: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Latents at `steps` as a sampler meets them: one guided DDIM step of the model itself leads there.

    Trained on noised pictures alone, the model took what went wrong in its own earlier steps for part of the picture:
    from pure noise it foresaw a 3d picture with an error of .05, and ended twenty steps later at .12 (guidance 1) or
    .15 (guidance 3, contrast overshot), three quarters of the way to the flat one. So part of the training starts from
    where such a step has led, and still asks for the picture of the caption (scheduled sampling, Bengio et al. 2015;
    for diffusion Ning et al. 2023).

    Args:
        networks: The UNet and the text encoder; no gradient reaches them from here.
        scheduler: Its noise schedule.
        clean: Latents (count, 4, 16, 16); noise of the same shape.
        noise: What noises them.
        steps: The levels to arrive at (count).
        full_tokens: Of captions that name all there is, one per `count / ROLLED_LEVELS`, and the empty one.
    """
    count = len(clean)
    earlier = (steps + (torch.rand(count) * (TRAIN_STEPS - steps)).long()).clamp(max=TRAIN_STEPS - 1)
    guidance = (1 + torch.rand(count) * (ROLLED_GUIDANCE - 1)).view(-1, 1, 1, 1)
    start = scheduler.add_noise(clean, noise, earlier)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        context = networks["text_encoder"](full_tokens).last_hidden_state
        named = context[:-1].repeat_interleave(ROLLED_LEVELS, 0)
        context = torch.cat([named, context[-1:].expand(count, -1, -1)])
        noisy = torch.cat([start, start]).contiguous(memory_format=torch.channels_last)
        conditional, unconditional = networks["unet"](noisy, earlier.repeat(2), context).sample.float().chunk(2)
    velocity = unconditional + guidance * (conditional - unconditional)
    signal, spread = signal_and_spread(scheduler, earlier)
    picture, remainder = signal * start - spread * velocity, signal * velocity + spread * start
    signal, spread = signal_and_spread(scheduler, steps)
    return signal * picture + spread * remainder


def signal_and_spread(scheduler: DDPMScheduler, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors of picture and noise in the latents at `steps`, each (count, 1, 1, 1)."""
    share = scheduler.alphas_cumprod[steps].view(-1, 1, 1, 1)
    return share.sqrt(), (1 - share).sqrt()


def restrained(scheduler: DDPMScheduler, clean: torch.Tensor, mean: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """What the network is asked to foresee at `steps`: nearer to the mean picture the more noise there is.

    A model of millions of pictures foresees a blurred mean at pure noise, whatever the words. This one knows its
    pictures by heart and named them at once (error .06 with guidance 1), so that guidance 3 overshot threefold (2.87,
    of latents of variance 1). Twenty steps mend that; four of a second-order sampler carried it on into the picture.

    Args:
        scheduler: Its noise schedule.
        clean: Latents (count, 4, 16, 16).
        mean: The mean of all latents (4, 16, 16).
        steps: The noise levels (count).
    """
    signal, spread = signal_and_spread(scheduler, steps)
    noise_to_signal = (spread / signal).square()
    return torch.lerp(clean, mean.expand_as(clean), RESTRAINT * noise_to_signal / (noise_to_signal + RESTRAINT_HALF))


def diffusion_loss(
    networks: Networks, scheduler: DDPMScheduler, batch: Batch, mean: torch.Tensor, noise_power: float
) -> torch.Tensor:
    """Mean squared error of v at stratified noise levels; the networks run in bfloat16, the loss in float32.

    Rolled latents weigh less the less noise they hold: there a wrong picture cannot be told from the right one.
    """
    count = len(batch.latents) * LEVELS
    clean = batch.latents.repeat_interleave(LEVELS, 0)
    noise = torch.randn_like(clean)
    strata = (torch.arange(count) + torch.rand(count)) / count
    steps = (strata[torch.randperm(count)] ** noise_power * TRAIN_STEPS).long().clamp(0, TRAIN_STEPS - 1)
    noisy = scheduler.add_noise(clean, noise, steps)
    rolled = torch.arange(count) % LEVELS >= LEVELS - ROLLED_LEVELS
    noisy[rolled] = roll(networks, scheduler, clean[rolled], noise[rolled], steps[rolled], batch.full_tokens)
    signal, spread = signal_and_spread(scheduler, steps)
    target = (signal * noisy - restrained(scheduler, clean, mean, steps)) / spread
    weight = torch.where(rolled.view(-1, 1, 1, 1), spread**4, torch.ones(()))
    with torch.autocast("cpu", torch.bfloat16):
        context = networks["text_encoder"](batch.tokens).last_hidden_state.repeat_interleave(LEVELS, 0)
        output = networks["unet"](noisy.contiguous(memory_format=torch.channels_last), steps, context).sample
    return (weight * (output.float() - target).square()).mean()


def train(networks: Networks, state: TrainingState, path: Path, feed: Feed, sitting: Sitting) -> None:
    """Train `networks`, the modules of `state` or what was compiled of them, saving every two minutes."""
    scheduler = DDPMScheduler(**NOISE)
    first_step = int(state.extra["first_step"])
    previous = last_save = time.time()
    recent: list[float] = []
    while state.seconds < sitting.start + sitting.length:
        state.set_rate(rate := sitting.rate(state.step, first_step, state.seconds))
        power = sitting.noise_power(state.seconds)
        loss = diffusion_loss(networks, scheduler, feed.batch(BATCH // LEVELS), feed.mean, power)
        state.update(loss)
        recent.append(loss.item())
        now = time.time()
        state.seconds += now - previous
        state.extra["samples"] = int(state.extra["samples"]) + BATCH
        speed = BATCH / (now - previous)
        previous = now
        if state.step % 50 == 0:
            mean = np.mean(recent[-100:])
            print(f"{state.step} {state.seconds:.0f}s loss {mean:.4f} rate {rate:.1e} {speed:.1f}/s", flush=True)
        if now - last_save > SAVE_SECONDS:
            state.save(path)
            last_save = time.time()
    state.save(path)


def open_sitting(state: TrainingState, minutes: float) -> Sitting:
    """Continue the unfinished sitting of a killed run (its length may be changed), or begin a new one."""
    begun = float(state.extra.get("sitting_start", 0.0))
    finished = "first_step" in state.extra and state.seconds >= begun + float(state.extra["sitting_length"]) - 1
    if "first_step" not in state.extra or finished:
        state.extra.setdefault("samples", 0)
        state.extra.update(sitting_start=state.seconds, first_step=state.step)
    state.extra["sitting_length"] = minutes * 60
    return Sitting(float(state.extra["sitting_start"]), minutes * 60)


def hidden_matrices(networks: dict[str, torch.nn.Module]) -> list[torch.nn.Parameter]:
    """The weights that Muon trains: matrices and convolutions between features, not those to words or latents.

    From one state after 68,000 samples of a sitting, its loss over steps 25 to 75 was .304 against AdamW's .319, for
    17 % more time a step.
    """
    return [
        weights
        for network in networks.values()
        for name, weights in network.named_parameters()
        if weights.ndim > 1 and not any(part in name for part in ("embedding", "conv_in", "conv_out"))
    ]


def warm_start(networks: dict[str, torch.nn.Module], model: Path) -> bool:
    """Take the weights of an earlier export, if there is one of the same shape; False otherwise."""
    if not (model / "model_index.json").exists():
        return False
    unet = type(networks["unet"]).from_pretrained(model / "unet")
    text_encoder = type(networks["text_encoder"]).from_pretrained(model / "text_encoder")
    for name, source in (("unet", unet), ("text_encoder", text_encoder)):
        weights = {k: v.float() for k, v in source.state_dict().items()}
        shapes = {k: v.shape for k, v in networks[name].state_dict().items()}
        if {k: v.shape for k, v in weights.items()} != shapes:
            return False
        networks[name].load_state_dict(weights)
    return True


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--minutes", type=float, default=100, help="length of this sitting")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="1.3 times faster; needs a C++ compiler and minutes")
    parser.add_argument("--model", type=Path, help="an earlier export to start from when there is no state")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    unet = make_unet().to(memory_format=torch.channels_last).train()
    networks = {"unet": unet, "text_encoder": make_text_encoder().train()}
    # Plain attention: on CPUs the fused one took a third of a step, nearly all of it for its gradient.
    unet.set_attn_processor(AttnProcessor())
    networks["text_encoder"].set_attn_implementation("eager")
    path = arguments.state / "unet.pt"
    warm = not path.exists() and arguments.model is not None and warm_start(networks, arguments.model)
    matrices = hidden_matrices(networks)
    state = TrainingState(networks, RATE, weight_decay=0.01, ema_decay=EMA_DECAY, matrices=matrices)
    if warm:
        record = json.loads((arguments.model / RECORD).read_text(encoding="utf-8"))["unet"]
        state.step, state.seconds, state.extra["samples"] = record["step"], record["seconds"], record["samples"]
    state.load(path)
    torch.manual_seed(state.step)
    tokenizer = CLIPTokenizer.from_pretrained(arguments.state / "tokenizer")
    concepts = load_pictures(arguments.state / "pictures").concepts
    feed = Feed(load_latents(arguments.state / "latents.pt"), concepts, tokenizer, seed=state.step)
    runs: Networks = {**networks, "unet": torch.compile(unet)} if arguments.compile else {**networks}
    train(runs, state, path, feed, open_sitting(state, arguments.minutes))
    print(f"done: {state.step} steps, {state.extra['samples']} samples, {state.seconds:.0f} s")


if __name__ == "__main__":
    main()
