"""Measure an exported model: does it draw what the prompt names? Every figure is written down, also the bad ones.

The contact sheet shows its pictures as the studio finishes them, at 512 px.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from checkpoint import load_averaged
from concepts import COLOURS, PALETTE, STYLES, held_out, prompt
from dataset import Pictures, composite, load_pictures, to_tensor
from diffusers import StableDiffusionPipeline
from export import GUIDANCE, REPORT, SHEET, STEPS
from judge import Judge, Renderings, accuracy
from popular import POPULAR
from sampling import DEFAULT_SCHEDULER, SCHEDULERS, captioned_sheet, draw
from train_upscaler import enlarged, load_compact
from upscaler_card import UPSCALER

SEED = 2024
BORDER = 4
SHEET_PICTURES, SHEET_COLUMNS = 24, 6
STRONG_GUIDANCE = (5.0, 7.5)
FEW_STEPS = 4
SUBSET = 48  # prompts per guidance, scheduler, step count and negative prompt


@dataclass(frozen=True)
class Case:
    """One prompt with what it asks for; an empty style or colour is not named."""

    label: str
    style: str = ""
    colour: str = ""
    seed: int = 0

    @property
    def prompt(self) -> str:
        """The prompt as text."""
        return prompt(self.label, self.style, self.colour)


@dataclass(frozen=True)
class Verdict:
    """What the judge saw, per picture; whether its prompt named a style and a colour at all."""

    top1: np.ndarray
    top5: np.ndarray
    style: np.ndarray
    background: np.ndarray
    style_named: np.ndarray
    colour_named: np.ndarray

    @property
    def all_right(self) -> np.ndarray:
        """Concept, and the style and the background where they were named."""
        return self.top1 & (self.style | ~self.style_named) & (self.background | ~self.colour_named)


def border_colour(pictures: torch.Tensor) -> list[str]:
    """The named colour nearest to the median of the border pixels."""
    parts = [
        pictures[..., :BORDER, :].flatten(2),
        pictures[..., -BORDER:, :].flatten(2),
        pictures[..., :, :BORDER].flatten(2),
        pictures[..., :, -BORDER:].flatten(2),
    ]
    median = (torch.cat(parts, 2).median(2).values + 1) * 127.5
    distance = (median[:, None] - torch.tensor(list(PALETTE.values()))).abs().sum(2)
    return [COLOURS[i] for i in distance.argmin(1).tolist()]


class Examiner:
    """Draws cases with one pipeline and scores them with the judge."""

    def __init__(self, pipeline: StableDiffusionPipeline, judge: Judge, labels: list[str]) -> None:
        self.pipeline = pipeline
        self.judge = judge.eval()
        self.number = {label: i for i, label in enumerate(labels)}
        self.rows: list[dict[str, object]] = []

    @torch.inference_mode()
    def verdict(self, pictures: torch.Tensor, cases: list[Case]) -> Verdict:
        """Score pictures against the cases; an unnamed colour means white, an unnamed style 3d."""
        concept, style, _ = self.judge(pictures.contiguous(memory_format=torch.channels_last))
        wanted = torch.tensor([self.number[c.label] for c in cases])
        best = concept.topk(5, 1).indices
        styles = torch.tensor([STYLES.index(c.style or "3d") for c in cases])
        ground = np.array(
            [seen == (c.colour or "white") for seen, c in zip(border_colour(pictures), cases, strict=True)]
        )
        return Verdict(
            (best[:, 0] == wanted).numpy(),
            (best == wanted[:, None]).any(1).numpy(),
            (style.argmax(1) == styles).numpy(),
            ground,
            np.array([bool(c.style) for c in cases]),
            np.array([bool(c.colour) for c in cases]),
        )

    def draw(self, cases: list[Case], **options: object) -> torch.Tensor:
        """Draw the cases; options as of `sampling.draw`."""
        settings = {"steps": STEPS, "guidance": GUIDANCE, **options}
        return draw(self.pipeline, [c.prompt for c in cases], [c.seed for c in cases], **settings)

    def note(self, what: str, right: np.ndarray) -> None:
        """Put one share into the report."""
        if len(right):
            self.rows.append({"what": what, "value": round(float(np.mean(right)), 4), "n": len(right)})
            print(f"{what}: {np.mean(right):.3f} of {len(right)}", flush=True)

    def note_all(self, what: str, verdict: Verdict) -> None:
        """Put the shares of a verdict into the report; style and background where the prompts name them."""
        self.note(f"{what}: concept top-1", verdict.top1)
        self.note(f"{what}: concept top-5", verdict.top5)
        self.note(f"{what}: style, where named", verdict.style[verdict.style_named])
        self.note(f"{what}: background, where named", verdict.background[verdict.colour_named])
        self.note(f"{what}: all that was named", verdict.all_right)


def trained_cases(labels: list[str]) -> list[Case]:
    """Every trained concept without a style and in each trained style; half of them on a random named colour."""
    chance = random.Random(SEED)
    skipped = held_out(labels)
    return [
        Case(label, style, chance.choice(COLOURS[1:]) if chance.random() < 0.5 else "", chance.randrange(10**6))
        for label in labels
        for style in ("", *STYLES)
        if (label, style) not in skipped
    ]


def check_prompts(examiner: Examiner, labels: list[str]) -> tuple[torch.Tensor, list[Case], dict[str, float]]:
    """Trained pairs, shuffled control, held-out pairs; returns pictures, cases and the share right per concept."""
    cases = trained_cases(labels)
    pictures = examiner.draw(cases)
    verdict = examiner.verdict(pictures, cases)
    examiner.note_all("trained concept x style prompts", verdict)
    unstyled, unnamed = ~verdict.style_named, ~verdict.colour_named
    examiner.note("trained, no style named: concept top-1", verdict.top1[unstyled])
    examiner.note("trained, no style named: drawn in 3d", verdict.style[unstyled])
    examiner.note("trained, no colour named: background white", verdict.background[unnamed])
    shuffled = random.Random(SEED).sample(cases, len(cases))
    examiner.note("control, prompts shuffled: concept top-1", examiner.verdict(pictures, shuffled).top1)
    held = [Case(label, style, "", seed) for label, style in sorted(held_out(labels)) for seed in range(4)]
    examiner.note_all("held-out concept x style pairs", examiner.verdict(examiner.draw(held), held))
    other = [Case(w, seed=s) for label in labels for s, w in enumerate(POPULAR[label][:1])]
    right = [label for label in labels if POPULAR[label][:1]]
    answers = examiner.verdict(examiner.draw(other), [Case(label) for label in right])
    examiner.note("another word for it ('kitty'): concept top-1", answers.top1)
    shares = {
        label: round(float(np.mean([v for v, c in zip(verdict.top1, cases, strict=True) if c.label == label])), 2)
        for label in labels
    }
    return pictures, cases, shares


def check_closeness(examiner: Examiner, drawn: torch.Tensor, cases: list[Case], pictures: Pictures) -> None:
    """How near the drawn pictures come to the very pictures they were learnt from: the model knows them by heart."""
    index = {c.label: i for i, c in enumerate(pictures.concepts)}
    chosen = [i for i, c in enumerate(cases) if c.style]
    rendered = [
        composite(pictures.pixels[c.style][index[c.label]], PALETTE[c.colour or "white"])
        for c in (cases[i] for i in chosen)
    ]
    error = ((drawn[chosen] - to_tensor(np.stack(rendered))) / 2).square().mean((1, 2, 3))
    examiner.note("style named: mean PSNR to the training picture, dB", (-10 * torch.log10(error)).numpy())


def check_settings(examiner: Examiner, labels: list[str]) -> None:
    """Guidance, step counts and schedulers on one and the same set of prompts."""
    chance = random.Random(SEED + 1)
    cases = chance.sample(trained_cases(labels), min(SUBSET, len(labels)))

    def try_out(what: str, **options: object) -> None:
        examiner.note_all(what, examiner.verdict(examiner.draw(cases, **options), cases))

    for guidance in (1.0, GUIDANCE, 4.0, 7.0):
        try_out(f"guidance {guidance:g}, {STEPS} steps, {DEFAULT_SCHEDULER}", guidance=guidance)
    for steps in (10, 50):
        try_out(f"{steps} steps, {DEFAULT_SCHEDULER}", steps=steps)
    for scheduler in SCHEDULERS:
        if scheduler != DEFAULT_SCHEDULER:
            try_out(f"{scheduler}, {STEPS} steps", scheduler=scheduler)
    for scheduler in SCHEDULERS:
        try_out(f"{scheduler}, {FEW_STEPS} steps", scheduler=scheduler, steps=FEW_STEPS)


def check_negative(examiner: Examiner, labels: list[str]) -> None:
    """Does a negative prompt drive out what the prompt leaves open: the background, and the style?"""
    chance = random.Random(SEED + 2)
    open_cases = [Case(label, "", "", chance.randrange(10**6)) for label in chance.sample(labels, SUBSET)]
    for guidance in (GUIDANCE, *STRONG_GUIDANCE):
        usual = examiner.draw(open_cases, guidance=guidance)
        seen = border_colour(usual)
        negative = [f"{colour} background" for colour in seen]
        against = examiner.draw(open_cases, guidance=guidance, negative=negative)
        gone = np.array([now != then for now, then in zip(border_colour(against), seen, strict=True)])
        examiner.note(f"the background's colour as negative prompt, guidance {guidance:g}: it is gone", gone)
        kept = examiner.verdict(against, open_cases).top1
        examiner.note(f"the same pictures, guidance {guidance:g}: concept top-1 still right", kept)
        in_3d = examiner.verdict(usual, open_cases).style
        without = examiner.draw(open_cases, guidance=guidance, negative=["3d style"] * len(open_cases))
        examiner.note(f"no style named, guidance {guidance:g}: drawn in 3d", in_3d)
        still = examiner.verdict(without, open_cases).style
        examiner.note(f"'3d style' as negative prompt, guidance {guidance:g}: of those still in 3d", still[in_3d])
    named = [replace(c, colour=chance.choice(COLOURS[1:])) for c in open_cases]
    negative = [f"{c.colour} background" for c in named]
    strong = STRONG_GUIDANCE[0]
    both = examiner.verdict(examiner.draw(named, negative=negative, guidance=strong), named)
    what = f"a colour in the prompt and as negative prompt too, guidance {strong:g}: it is gone"
    examiner.note(what, ~both.background)


@torch.inference_mode()
def check_judge(examiner: Examiner, renderings: Renderings, pictures: Pictures, labels: list[str]) -> None:
    """How good the judge itself is: on real pictures, and on real pictures that went through the VAE."""
    concept, style, background, count = accuracy(examiner.judge, renderings)
    examiner.judge.eval()
    for what, share in (("concept top-1 of all", concept), ("style", style), ("background", background)):
        examiner.rows.append({"what": f"judge on fresh jitters: {what}", "value": round(share, 4), "n": count})
    index = {c.label: i for i, c in enumerate(pictures.concepts)}
    cases = [Case(label, style) for label in labels for style in STYLES if pictures.present[style][index[label]]]
    rendered = [composite(pictures.pixels[c.style][index[c.label]], PALETTE["white"]) for c in cases]
    real = to_tensor(np.stack(rendered))
    examiner.note_all("judge on the trained concepts' own pictures", examiner.verdict(real, cases))
    vae = examiner.pipeline.vae
    copies = torch.cat([vae.decode(vae.encode(p).latent_dist.mode()).sample.clamp(-1, 1) for p in real.split(16)])
    examiner.note_all("judge on their VAE copies (the ceiling)", examiner.verdict(copies, cases))


def sheet_cases(cases: list[Case]) -> list[Case]:
    """The cases of the contact sheet: chosen by lot, and not looked at before."""
    return random.Random(SEED + 3).sample(cases, min(SHEET_PICTURES, len(cases)))


def write_sheet(pictures: torch.Tensor, cases: list[Case], upscaler: Path, path: Path) -> None:
    """Write what was drawn for the cases, (N, 3, 128, 128) in -1..1, finished by the upscaler."""
    finished = enlarged(load_compact(upscaler), (pictures + 1) / 2) * 2 - 1
    captioned_sheet(finished, [case.prompt for case in cases], SHEET_COLUMNS).save(path, quality=75, method=6)


def draw_sheet(model: Path, upscaler: Path, path: Path) -> None:
    """Draw the contact sheet alone."""
    labels = json.loads((model / "sdstudio.json").read_text(encoding="utf-8"))["concepts"]
    cases = sheet_cases(trained_cases(labels))
    pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, safety_checker=None)
    prompts, seeds = [case.prompt for case in cases], [case.seed for case in cases]
    write_sheet(draw(pipeline, prompts, seeds, steps=STEPS, guidance=GUIDANCE), cases, upscaler, path)


def evaluate(model: Path, state: Path, upscaler: Path) -> None:
    """Run every check on the exported `model`; write the report and the contact sheet into `state`."""
    begun = time.time()
    pictures = load_pictures(state / "pictures")
    labels = json.loads((model / "sdstudio.json").read_text(encoding="utf-8"))["concepts"]
    renderings = Renderings(pictures, set(POPULAR), seed=77)
    judge = Judge(len(renderings.labels))
    load_averaged(state / "judge.pt", {"judge": judge})
    pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, safety_checker=None)
    examiner = Examiner(pipeline, judge, renderings.labels)
    check_judge(examiner, renderings, pictures, labels)
    drawn, cases, shares = check_prompts(examiner, labels)
    check_closeness(examiner, drawn, cases, pictures)
    chosen = sheet_cases(cases)
    write_sheet(drawn[[cases.index(case) for case in chosen]], chosen, upscaler, state / SHEET)
    check_settings(examiner, labels)
    check_negative(examiner, labels)
    report = {"rows": examiner.rows, "per_concept": shares, "seconds": round(time.time() - begun)}
    (state / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent
    parser.add_argument("--state", type=Path, default=here / "state")
    parser.add_argument("--model", type=Path, default=here.parents[1] / "resources" / "starter")
    parser.add_argument("--upscaler", type=Path, default=here.parents[1] / "resources" / "upscaler" / UPSCALER)
    parser.add_argument("--sheet", action="store_true", help="draw the contact sheet alone, into the model's folder")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.sheet:
        draw_sheet(arguments.model, arguments.upscaler, arguments.model / SHEET)
    else:
        evaluate(arguments.model, arguments.state, arguments.upscaler)


if __name__ == "__main__":
    main()
