"""Write the averaged weights as a stock diffusers model folder, swapped in by rename."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from checkpoint import read_counters
from concepts import held_out, prompt
from diffusers import StableDiffusionPipeline
from latents import Latents, fit_preview, load_latents
from model_card import CREDIT_FILES, write_card
from sampling import assemble
from train_unet import RECORD

SIZE_LIMIT = 40_000_000
# On 48 prompts after 1,071,000 samples all that was named is right in .79 (guidance 1), .98 (2.5), .98 (4), .90 (7); in
# four steps of the default sampler in .94 with 2.5 and .81 with 3.
GUIDANCE = 2.5
STEPS = 20
FINISH = 4  # the built-in upscaler's pictures: 512 px
SHEET, REPORT = "contact_sheet.webp", "evaluation.json"
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
# Prompts for the user interface; chosen from what the model draws well, after looking.
EXAMPLES = (
    prompt("red heart", colour="blue"),
    "slice of pizza",
    prompt("cat face"),
    prompt("frog", colour="blue"),
    prompt("strawberry", "3d"),
    prompt("sunflower", colour="purple"),
    prompt("penguin", colour="yellow"),
    prompt("rocket", colour="black"),
    prompt("panda", "flat"),
    prompt("soccer ball", colour="green"),
    prompt("birthday cake", "noto"),
    prompt("smiling face with sunglasses", colour="pink"),
)


def _write_studio_file(pipeline: StableDiffusionPipeline, latents: Latents, folder: Path) -> None:
    """sdstudio.json: the defaults, the preview matrix and the words the model knows."""
    weights, bias = fit_preview(pipeline.vae, latents)
    about = {
        "name": "Starter",
        "family": "sd1",
        "width": 128,
        "height": 128,
        "steps": STEPS,
        "guidance_scale": GUIDANCE,
        "finish": FINISH,
        "tile_size": 128,
        "tile_overlap": 64,
        "scheduler": "dpmpp_2m_karras",
        "latent_rgb": weights,
        "latent_rgb_bias": bias,
        "examples": list(EXAMPLES),
        "concepts": list(dict.fromkeys(latents.labels)),
    }
    (folder / "sdstudio.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _forget_origin(config: Path) -> None:
    """Leave out of a config where on this machine its weights came from."""
    values = json.loads(config.read_text(encoding="utf-8"))
    values.pop("_name_or_path", None)
    config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _load_in_float32(config: Path) -> None:
    """Let a plain ``from_pretrained`` read the text encoder as float32, as it does the other parts.

    transformers takes the number format from this file and diffusers does not, so "float16" gives a pipeline of two
    formats that fails at its first step.
    """
    values = json.loads(config.read_text(encoding="utf-8"))
    values["dtype"] = "float32"
    config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _counters(state: Path, part: str, earlier: Path) -> dict[str, object]:
    """What the training of the VAE or its decoder cost: from its state, or from the model it was taken from."""
    if (state / f"{part}.pt").exists():
        return read_counters(state / f"{part}.pt")
    return json.loads((earlier / RECORD).read_text(encoding="utf-8"))[part]


def export(state: Path, destination: Path) -> None:
    """Write the whole model folder beside `destination`, then rename it into place.

    Args:
        state: Folder with vae/, unet.pt, tokenizer/, latents.pt and perhaps the evaluation's report and contact sheet.
        destination: The model folder; replaced if there is one.

    Raises:
        ValueError: If the weights are larger than `SIZE_LIMIT`.
    """
    pipeline, counters = assemble(state)
    latents = load_latents(state / "latents.pt")
    temporary = destination.with_name(f".{destination.name}-new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _write_studio_file(pipeline, latents, temporary)
    pipeline.to(torch.float16).save_pretrained(temporary, safe_serialization=True)
    _forget_origin(temporary / "vae" / "config.json")
    _load_in_float32(temporary / "text_encoder" / "config.json")
    for name in TOKENIZER_FILES:
        shutil.copyfile(state / "tokenizer" / name, temporary / "tokenizer" / name)
    for source in CREDIT_FILES:
        shutil.copyfile(source, temporary / source.name)
    for name in (SHEET, REPORT):
        if (state / name).exists():
            shutil.copyfile(state / name, temporary / name)
    counters["latents"] = len(latents.labels)
    counters["pairs"] = len(set(zip(latents.labels, latents.styles, strict=True)))
    counters["held_out"] = len(held_out(dict.fromkeys(latents.labels)))
    record = {part: _counters(state, part, destination) for part in ("vae", "decoder")} | {"unet": counters}
    (temporary / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    report = json.loads((state / REPORT).read_text(encoding="utf-8")) if (state / REPORT).exists() else {}
    write_card(temporary, record, report)
    size = sum(f.stat().st_size for f in temporary.rglob("*.safetensors"))
    if size > SIZE_LIMIT:
        raise ValueError(f"weights = {size} bytes: at most {SIZE_LIMIT}")
    old = destination.with_name(f".{destination.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if destination.exists():
        destination.rename(old)
    temporary.rename(destination)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{destination.name}: {size / 1e6:.1f} MB of weights at {counters['samples']} samples")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent
    parser.add_argument("--state", type=Path, default=here / "state")
    parser.add_argument("--destination", type=Path, default=here.parents[1] / "resources" / "starter")
    arguments = parser.parse_args()
    export(arguments.state, arguments.destination)


if __name__ == "__main__":
    main()
