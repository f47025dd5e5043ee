"""NovelAI's, Easy Diffusion's, AI Runner's and Draw Things' pictures: flat tables of names and values.

Sources: Easy Diffusion ``ui/easydiffusion/utils/save_utils.py``, receyuki/stable-diffusion-prompt-reader.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from sdstudio.history.foreign.found import Found, listed, object_in, text_of
from sdstudio.history.texts import USER_COMMENT

_NOVEL_NAMES: Final = {
    "steps": "Steps", "scale": "CFG scale", "seed": "Seed", "strength": "Denoising strength",
    "cfg_rescale": "CFG rescale",
    "prompt": "", "uc": "", "width": "", "height": "", "sampler": "", "noise_schedule": "", "v4_prompt": "",
    "v4_negative_prompt": "", "request_type": "", "signed_hash": "", "n_samples": "",
}  # fmt: skip


def read_novel(texts: Mapping[str, str]) -> Found | None:
    """NovelAI: JSON under ``Comment``, the prompt under ``Description``."""
    values = object_in(texts.get("Comment", ""))
    if "NovelAI" not in texts.get("Software", "") and not {"uc", "sampler"} <= values.keys():
        return None
    found = Found("NovelAI")
    found.prompt = text_of(values.get("prompt")) or texts.get("Description", "").strip()
    found.negative = text_of(values.get("uc"))
    found.add_all({key: value for key, value in values.items() if value not in (0, False, None)}, _NOVEL_NAMES)
    found.add_size(values.get("width"), values.get("height"))
    sampler = text_of(values.get("sampler")).removesuffix("_v3")
    levels = text_of(values.get("noise_schedule"))
    found.add_sampler(sampler.removeprefix("k_"), "" if levels == "native" else levels)
    found.add_model(texts.get("Source", ""))
    if any(mark in found.prompt for mark in "{["):
        found.add("Prompt weights", "{word} and [word] are NovelAI's own")
    return found


_FLAT_NAMES: Final = {
    "num_inference_steps": "Steps", "steps": "Steps", "guidance_scale": "CFG scale", "scale": "CFG scale",
    "seed": "Seed", "prompt_strength": "Denoising strength", "use_vae_model": "VAE",
    "prompt": "", "negative_prompt": "", "width": "", "height": "", "sampler_name": "", "scheduler": "",
    "use_stable_diffusion_model": "", "model": "", "clip_skip": "", "use_lora_model": "", "lora_alpha": "",
}  # fmt: skip


def read_easy(texts: Mapping[str, str]) -> Found | None:
    """Easy Diffusion and AI Runner: each value under a key of its own, in a JPEG all of them as JSON."""
    values: Mapping[str, Any] = object_in(texts.get(USER_COMMENT, "")) or texts
    if "num_inference_steps" in values:
        found = Found("Easy Diffusion")
    elif {"prompt", "scale", "seed", "steps", "scheduler"} <= values.keys():
        found = Found("AI Runner")
    else:
        return None
    found.prompt, found.negative = text_of(values.get("prompt")), text_of(values.get("negative_prompt"))
    found.add_all({key: value for key, value in values.items() if value not in ("None", "False")}, _FLAT_NAMES)
    found.add_size(values.get("width"), values.get("height"))
    found.add_sampler(values.get("sampler_name") or values.get("scheduler"))
    found.add_model(values.get("use_stable_diffusion_model") or values.get("model"))
    if str(values.get("clip_skip")) == "True":
        found.add("Clip skip", 2)
    for name, weight in zip(
        listed(values.get("use_lora_model")), listed(values.get("lora_alpha")), strict=False
    ):
        found.add_lora(name, weight)
    return found


_XMP_BEGIN, _XMP_END = "<exif:UserComment>", "</exif:UserComment>"
_TAG: Final = re.compile(r"<[^<>]{0,200}>")
_DRAW_NAMES: Final = {
    "steps": "Steps", "scale": "CFG scale", "seed": "Seed", "strength": "Denoising strength", "c": "", "uc": "",
    "sampler": "", "size": "", "model": "", "lora": "", "v2": "", "profile": "", "clip_skip": "Clip skip",
}  # fmt: skip


def read_draw_things(texts: Mapping[str, str]) -> Found | None:
    """Draw Things: JSON as the user comment in XMP, in EXIF in newer versions."""
    comment = texts.get("xmp", "").partition(_XMP_BEGIN)[2].partition(_XMP_END)[0]
    inside = html.unescape(_TAG.sub("", comment)).strip() or texts.get(USER_COMMENT, "")
    values = object_in(inside)
    if not {"c", "sampler", "steps"} <= values.keys():
        return None
    found = Found("Draw Things", text_of(values.get("c")), text_of(values.get("uc")))
    found.add_all(values, _DRAW_NAMES)
    if found.pairs.get("Denoising strength") in ("1", "1.0"):
        del found.pairs["Denoising strength"]
    found.add_size_in(values.get("size"))
    name = text_of(values.get("sampler"))
    for ending, schedule in ((" Trailing", "SGM Uniform"), (" AYS", "Align Your Steps"), (" Karras", "Karras")):
        if name.endswith(ending):
            found.add_sampler(name.removesuffix(ending), schedule)
            break
    else:
        found.add_sampler(name)
    found.add_model(values.get("model"))
    for lora in listed(values.get("lora")):
        if isinstance(lora, dict):
            found.add_lora(lora.get("model"), lora.get("weight"))
    return found
