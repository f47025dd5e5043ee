"""Model card, licence and credits of the exported model."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from nets import make_text_encoder, make_unet, make_vae

# Copied beside the weights: the licence of the weights, whose pictures they learnt from, and the licence of Noto.
CREDIT_FILES = tuple(Path(__file__).parent / "licences" / n for n in ("LICENSE", "CREDITS.txt", "Apache-2.0.txt"))

# Read off the figures of the fifth sitting; to be read again after the next one.
LIMITS = """All 204 concepts are recognised nearly always. Edges and small details are soft, for 16 x 16 latents hold no
more. It was not trained on other words, several subjects, counts, places, text, or other sizes.

What it misses:

- A style is followed in nineteen of twenty cases where it was trained with the subject, and in half of the cases where
  it was not: there it takes the subject's other styles. High guidance scales cost style, too.
- A prompt without a colour is white in one of five cases, one without a style is 3d in most: prompts leave open what
  they do not name.
- A negative prompt drives the background's colour out of such an open prompt in most cases, not in all. A colour that
  the prompt names itself stays. A style as negative prompt hardly changes the picture.
- Four steps are enough for most samplers, the default one too, at the default guidance; with 3 it misses one subject in
  ten there. Heun, UniPC and PNDM want six to eight steps, DPM2 a more than eight.
"""

FRONT_MATTER = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
tags: [stable-diffusion, text-to-image, emoji]
---
"""


def _count(module: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M"


def _training(record: dict[str, dict[str, object]]) -> str:
    """What was trained on what, for how long."""
    vae, decoder, counters = record["vae"], record["decoder"], record["unet"]
    hours = float(counters["seconds"]) / 3600
    minutes, shown = float(vae["seconds"]) / 60, float(vae["pictures"])
    later, drawn = float(decoder["seconds"]) / 60, int(float(decoder["pictures"]))
    return f"""## Training

Trained from random weights on a shared two-core CPU; no accelerator and no other model took part.

| | steps | samples | wall time |
|---|---|---|---|
| VAE | {vae["step"]} | {shown:.0f} pictures (or crops of that area) | {minutes:.0f} min, two threads |
| decoder, once more | {decoder["step"]} | {drawn} pictures | {later:.0f} min, one thread |
| UNet + text encoder | {counters["step"]} | {counters["samples"]} | {hours:.2f} h, one thread |

{counters["latents"]} cached latents: {counters["pairs"]} concept x style pairs, each on white and on six random
colours of nine; {counters["held_out"]} pairs held out. v-prediction, Stable Diffusion 1's noise schedule,
bfloat16 autocast over float32 weights; exported is the running average in float16. First sitting, 64 concepts,
279,000 samples: AdamW, batch 32, rate 1e-3 and noise levels drawn flat up to 68,000 samples, then 1.5e-3 and more of
the high levels, annealed to 2 %. Second sitting, 204 concepts: batch 64 with four noise levels a caption, captions that
leave the background open, and after 62,000 samples Muon for the matrices; annealed over its last 45 %. Third sitting,
189,000 samples: half of what is drawn without a named background is white, more captions name a style. Fourth sitting:
batch 128, rate 1e-3, a quarter on white; half of the samples start from latents that the model's own guided step has
led to, so that it learns to mend what earlier steps of a sampler did wrong. The decoder was then trained on, behind the
same encoder, with three quarters of its pictures decoded from latents that the UNet had drawn. Fifth sitting: the more
noise there is, the nearer to the mean picture lies what the network is asked to foresee, as it does by itself in models
of too many pictures to know by heart; so guidance no longer overshoots in the first steps, and most
samplers need no more than four.
"""


def _results(report: dict[str, object]) -> str:
    """The measured figures, all of them."""
    if not report:
        return "## Results\n\nNot evaluated yet.\n"
    lines = [
        "## Results",
        "",
        "Scored by a small judge network trained on real renderings only (random scale, shift, colour jitter and",
        "background), never on pictures of this model. Its classes are all drawable emoji, not just the trained ones.",
        "Its own accuracy, on fresh jitters of the same pictures, comes first. Nothing is hand-picked. Guidance and",
        "steps are the defaults unless named; n counts pictures.",
        "",
        "| what | share right | n |",
        "|---|---|---|",
    ]
    lines += [f"| {row['what']} | {row['value']:.3f} | {row['n']} |" for row in report["rows"]]
    lines += ["", "Per concept, all its trained prompts of the first table, top-1:", ""]
    lines.append(", ".join(f"{name} {share:.2f}" for name, share in report["per_concept"].items()) + ".")
    return "\n".join(lines) + "\n"


def write_card(folder: Path, record: dict[str, dict[str, object]], report: dict[str, object]) -> None:
    """Write README.md.

    Args:
        folder: The model folder; sdstudio.json lies in it.
        record: What the training of each part cost: step, seconds, and samples or pictures; for the UNet also the
            numbers of latents, pairs and held-out pairs.
        report: The report of the evaluation, or nothing.
    """
    about = json.loads((folder / "sdstudio.json").read_text(encoding="utf-8"))
    concepts = about["concepts"]
    text = f"""{FRONT_MATTER}
# Starter

A very small Stable Diffusion 1 model in the stock diffusers layout. It draws emoji-like pictures at 128 x 128, so that
SD Studio has something real to draw with before any other model is installed. It is no general text-to-image model.

| part | class | parameters |
|---|---|---|
| VAE | AutoencoderKL (16, 32, 64, 128), 4 x 16 x 16 latents | {_count(make_vae())} |
| text encoder | CLIPTextModel, 192 x 3 layers, own vocabulary of 4096 | {_count(make_text_encoder())} |
| UNet | UNet2DConditionModel (64, 128, 192), v-prediction | {_count(make_unet())} |

Defaults: 128 x 128, {about["steps"]} steps, guidance {about["guidance_scale"]}, DPM++ 2M Karras. SD Studio finishes its
pictures at {about["finish"]} times that size with the upscaler that ships beside it; figures stand in the card of that
one (`../upscaler/README.md`).

## What it draws

`SUBJECT [on a COLOUR background][, STYLE style]`, for example `{about["examples"][0]}`.

Subjects ({len(concepts)}): {", ".join(concepts)}.

Background colours: white, red, orange, yellow, green, blue, purple, pink, gray, black. Styles: 3d (also when none is
named), flat, noto, twemoji.

{LIMITS}
{_training(record)}
{_results(report)}
## Data and licences

Renderings of Fluent Emoji (Microsoft, MIT), Noto Emoji (Google, Apache 2.0) and Twemoji (Twitter and contributors,
CC BY 4.0); names and keywords of emojibase-data (MIT). See CREDITS.txt. Keywords that are slang, loaded, or about a
person's body, creed or orientation were left out of the captions.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")
