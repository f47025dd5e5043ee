"""Write the folder of the built-in upscaler: its weights, measured beside Lanczos, with card, licence and credits."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from checkpoint import read_counters
from model_card import CREDIT_FILES
from safetensors.torch import save_file
from train_upscaler import evaluate, load_compact
from upscaler_data import TESTED, build_pool

UPSCALER = "drawings-4x.safetensors"
REPORT, RECORD = "evaluation.json", "training.json"
SIZE_LIMIT = 5_000_000
TARGETS = {"clean": 2.5, "vae": 0.7}  # dB over Lanczos
EDGES = 0.2  # how far the edges may be from the right picture's

FRONT_MATTER = """---
license: mit
pipeline_tag: image-to-image
tags: [super-resolution, emoji]
---
"""
TITLES = {"clean": "clean, 128 px", "vae": "through the VAE, 128 px"}


def _rows(report: dict[str, float]) -> str:
    lines = ["| pictures | Lanczos | network | gain | edges, Lanczos | edges, network |", "|---|---|---|---|---|---|"]
    for key, title in TITLES.items():
        before, after = report[f"{key}_lanczos_psnr"], report[f"{key}_psnr"]
        edges = f"{report[f'{key}_lanczos_steepness']:.2f} | {report[f'{key}_steepness']:.2f}"
        lines.append(f"| {title} | {before:.2f} dB | {after:.2f} dB | {after - before:+.2f} dB | {edges} |")
    return "\n".join(lines)


def _against_targets(report: dict[str, float]) -> str:
    """A sentence for each target, reached or not."""
    said = []
    for key, target in TARGETS.items():
        gain = report[f"{key}_psnr"] - report[f"{key}_lanczos_psnr"]
        outcome = "reached" if gain >= target else "missed"
        said.append(f"- {TITLES[key]}: {target:+.1f} dB were aimed at: {outcome} ({gain:+.2f} dB).")
    for key, title in TITLES.items():
        steepness = report[f"{key}_steepness"]
        outcome = "reached" if abs(steepness - 1) <= EDGES else "missed"
        said.append(f"- Edges, {title}: within {EDGES:.0%} of the right picture's: {outcome} ({steepness:.2f}).")
    return "\n".join(said)


def write_card(folder: Path, network: torch.nn.Module, record: dict[str, object], report: dict[str, float]) -> None:
    """Write README.md.

    Args:
        folder: Where.
        network: Counted.
        record: What the training cost: step and seconds.
        report: The figures of `train_upscaler.evaluate`.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    features, count = convolutions[0].out_channels, sum(p.numel() for p in network.parameters())
    hours = float(record["seconds"]) / 3600
    text = f"""{FRONT_MATTER}
# Drawings, 4x

An upscaler of drawings with plain colours, for what SD Studio's built-in model draws at 128 px: Real-ESRGAN's compact
network of {features} features and {len(convolutions)} convolutions, {count:,} parameters, float16. Not for photographs.

## Training

{record["step"]} steps on a shared two-core CPU in {hours:.2f} h, from random weights, by squared error of values and of
their differences; in the last tenth, how steep edges are weighs more than that, which costs some PSNR. Vector emoji
rendered at 512 px on plain grounds; given are the same at 128 px: clean, through the built-in model's VAE, those a
little blurred and noisy, and in the last tenth soft ones.

## Results

On {TESTED} pictures, pairs of a concept and a style that no training saw, beside Lanczos (Pillow). PSNR of RGB against
the right picture at 512 px, mean of the pictures. Edges: how steep the strongest edges are, as a share of the right
picture's; 1 is as steep.

{_rows(report)}

{_against_targets(report)}

## Data and licences

Renderings of Fluent Emoji (Microsoft, MIT), Noto Emoji (Google, Apache 2.0) and Twemoji (Twitter and contributors,
CC BY 4.0). See CREDITS.txt.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")


def mix_in(network: torch.nn.Module, other: torch.nn.Module, share: float) -> None:
    """Let a network lie between two of one training: between crisp edges and PSNR (ESRGAN, arXiv 1809.00219, 3.4)."""
    mine, theirs = network.state_dict(), other.state_dict()
    network.load_state_dict({name: mine[name].lerp(theirs[name], share) for name in mine})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent
    parser.add_argument("--state", type=Path, default=here / "state")
    parser.add_argument("--vae", type=Path, default=here.parents[1] / "resources" / "starter" / "vae")
    parser.add_argument("--weights", type=Path, help="default: those of the state")
    parser.add_argument("--before", type=Path, help="weights of before the last sitting, to be mixed in")
    parser.add_argument("--share", type=float, default=0.15, help="how much of them")
    parser.add_argument("--destination", type=Path, default=here.parents[1] / "resources" / "upscaler")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights = options.weights or options.state / "upscaler.safetensors"
    if weights.stat().st_size > SIZE_LIMIT:
        raise ValueError(f"weights = {weights.stat().st_size} bytes: at most {SIZE_LIMIT}")
    network = load_compact(weights)
    if options.before is not None:
        mix_in(network, load_compact(options.before), options.share)
    report = evaluate(network, build_pool(options.state, options.vae, TESTED).part(0, TESTED))
    counters = read_counters(options.state / "upscaler.pt")
    record = {"step": counters["step"], "seconds": round(float(counters["seconds"]))}
    folder = options.destination
    folder.mkdir(parents=True, exist_ok=True)
    for source in CREDIT_FILES:
        shutil.copyfile(source, folder / source.name)
    halves = {name: value.half() for name, value in network.state_dict().items()}
    save_file(halves, folder / UPSCALER, {"title": "Drawings, 4x"})
    (folder / UPSCALER).chmod(0o644)
    for name, values in ((REPORT, report), (RECORD, record)):
        (folder / name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    write_card(folder, network, record, report)
    print(report)


if __name__ == "__main__":
    main()
