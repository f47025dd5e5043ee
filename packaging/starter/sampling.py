"""Draw pictures with the stock pipeline, many prompts at a time; also a contact sheet from the command line."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from checkpoint import load_averaged
from dataset import PICTURE_SIZE, tile
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    StableDiffusionPipeline,
    UniPCMultistepScheduler,
)
from latents import FOLDED
from nets import SCALING_FACTOR, make_text_encoder, make_unet
from PIL import Image, ImageDraw, ImageFont
from train_unet import NOISE
from transformers import CLIPTokenizer

SCHEDULERS = {
    "DPM++ 2M Karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True, "algorithm_type": "dpmsolver++"}),
    "DPM++ 2M": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    "Euler": (EulerDiscreteScheduler, {}),
    "Euler a": (EulerAncestralDiscreteScheduler, {}),
    "DDIM": (DDIMScheduler, {}),
    "Heun": (HeunDiscreteScheduler, {}),
    "UniPC": (UniPCMultistepScheduler, {}),
}
DEFAULT_SCHEDULER = "DPM++ 2M Karras"
BATCH = 16
CAPTION_HEIGHT = 36


def assemble(state: Path) -> tuple[StableDiffusionPipeline, dict[str, object]]:
    """The pipeline of the averaged float32 weights in `state`, and the counters of the training."""
    networks = {"unet": make_unet(), "text_encoder": make_text_encoder()}
    counters = load_averaged(state / "unet.pt", networks)
    scheduler = DDIMScheduler(**NOISE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(state / FOLDED),
        text_encoder=networks["text_encoder"].eval(),
        tokenizer=CLIPTokenizer.from_pretrained(state / "tokenizer"),
        unet=networks["unet"].eval(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return pipeline, counters


def draw(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 20,
    guidance: float = 2.0,
    scheduler: str = DEFAULT_SCHEDULER,
    negative: Sequence[str] | None = None,
) -> torch.Tensor:
    """One picture per prompt, (N, 3, 128, 128) in -1..1."""
    drawn = []
    for start in range(0, len(prompts), BATCH):
        part = slice(start, start + BATCH)
        latents = draw_latents(
            pipeline, prompts[part], seeds[part], steps=steps, guidance=guidance, scheduler=scheduler,
            negative=negative[part] if negative else None,
        )  # fmt: skip
        with torch.no_grad():
            drawn.append(pipeline.vae.decode(latents / SCALING_FACTOR).sample.clamp(-1, 1))
    return torch.cat(drawn)


def draw_latents(
    pipeline: StableDiffusionPipeline, prompts: Sequence[str], seeds: Sequence[int], *, steps: int = 20,
    guidance: float = 2.0, scheduler: str = DEFAULT_SCHEDULER, negative: Sequence[str] | None = None,
) -> torch.Tensor:  # fmt: skip
    """The latents of one batch, one per prompt, (N, 4, 16, 16) in the UNet's scale."""
    kind, options = SCHEDULERS[scheduler]
    own = pipeline.scheduler
    pipeline.scheduler = kind.from_config(own.config, **options)
    pipeline.set_progress_bar_config(disable=True)
    latents: torch.Tensor = pipeline(
        prompt=list(prompts),
        negative_prompt=list(negative) if negative else None,
        generator=[torch.Generator().manual_seed(s) for s in seeds],
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="latent",
    ).images
    pipeline.scheduler = own  # the next one would take over this one's options
    return latents


def captioned_sheet(pictures: torch.Tensor, captions: Sequence[str], columns: int) -> Image.Image:
    """Lay pictures out with their prompts below them, in letters that grow with the pictures."""
    count, _, height, width = pictures.shape
    grown = width / PICTURE_SIZE
    font = ImageFont.load_default(size=10 * grown)
    below = round(CAPTION_HEIGHT * grown)
    sheet = Image.new("RGB", (columns * width, -(-count // columns) * (height + below)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, caption in enumerate(captions):
        row, column = divmod(index, columns)
        left, top = column * width, row * (height + below)
        sheet.paste(tile(pictures[index : index + 1], 1), (left, top))
        lines = textwrap.wrap(caption, 25)[:3]
        at = left + 2 * grown, top + height + grown
        pen.multiline_text(at, "\n".join(lines), fill="black", font=font, spacing=grown)
    return sheet


def main() -> None:
    """Command line: draw the given prompts from the averaged weights of a running training."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("prompts", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pipeline, counters = assemble(arguments.state)
    seeds = list(range(len(arguments.prompts)))
    pictures = draw(pipeline, arguments.prompts, seeds, steps=arguments.steps, guidance=arguments.guidance)
    tile(pictures, arguments.columns).save(arguments.output)
    print(counters["step"], "steps,", counters["samples"], "samples")


if __name__ == "__main__":
    main()
