"""Easy Diffusion's, AI Runner's and Draw Things' pictures: flat tables of names and values.

Sources: Easy Diffusion ``ui/easydiffusion/utils/save_utils.py``, Draw Things ``config.fbs``,
receyuki/stable-diffusion-prompt-reader.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from sdstudio.history.picture_text.foreign.found import Found, listed, object_in, short_text, text_of, whole_in
from sdstudio.history.picture_text.texts import USER_COMMENT

_LORAS_MAXIMUM: Final = 200
_FLAT_NAMES: Final = {
    "num_inference_steps": "Steps", "steps": "Steps", "guidance_scale": "CFG scale", "scale": "CFG scale",
    "seed": "Seed", "prompt_strength": "Denoising strength", "use_vae_model": "VAE",
    "prompt": "", "negative_prompt": "", "width": "", "height": "", "sampler_name": "", "scheduler": "",
    "use_stable_diffusion_model": "", "model": "", "clip_skip": "", "use_lora_model": "", "lora_alpha": "",
}  # fmt: skip
_ONLY_WITH: Final = {
    "control_alpha": "use_controlnet_model", "hypernetwork_strength": "use_hypernetwork_model",
    "upscale_amount": "use_upscale", "latent_upscaler_steps": "use_upscale",
    "codeformer_fidelity": "use_face_correction",
    "codeformer_upscale_faces": "use_face_correction", "prompt_strength": "init_image",
}  # fmt: skip
"""Names that do nothing without another one."""
_NOTHING: Final = (None, "", "None", "False", False)


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
    acting = {key: value for key, value in values.items() if _acts(values, key, value)}
    found.add_all(acting, _FLAT_NAMES)
    for name in ("num_inference_steps", "steps", "seed"):
        found.add(_FLAT_NAMES[name], whole_in(values.get(name)))
    found.add_size(values.get("width"), values.get("height"))
    found.add_sampler(values.get("sampler_name") or values.get("scheduler"))
    found.add_model(values.get("use_stable_diffusion_model") or values.get("model"))
    skips = whole_in(values.get("clip_skip"))
    if str(values.get("clip_skip")) == "True":
        found.add("Clip skip", 2)
    elif skips is not None and skips > 1:
        found.add("Clip skip", skips)
    weights = listed(values.get("lora_alpha"))
    for at, name in enumerate(listed(values.get("use_lora_model"))[:_LORAS_MAXIMUM]):
        if name not in _NOTHING:
            found.add_lora(name, weights[at] if at < len(weights) else 1.0)
    return found


def _acts(values: Mapping[str, Any], name: str, value: object) -> bool:
    if value in _NOTHING:
        return False
    return name not in _ONLY_WITH or values.get(_ONLY_WITH[name]) not in _NOTHING or name == "prompt_strength"


_XMP_BEGIN, _XMP_END = "<exif:UserComment>", "</exif:UserComment>"
_TAG: Final = re.compile(r"<[^<>]{0,200}>")
_DRAW_NAMES: Final = {
    "steps": "Steps", "scale": "CFG scale", "seed": "Seed", "strength": "Denoising strength", "c": "", "uc": "",
    "sampler": "", "size": "", "model": "", "lora": "", "v2": "", "profile": "", "clip_skip": "Clip skip",
    "seed_mode": "",
}  # fmt: skip
_SEED_MODES: Final = {"Torch CPU Compatible": "CPU", "NVIDIA GPU Compatible": "NV", "Nvidia GPU Compatible": "NV"}
"""Draw Things' seed modes that the studio has -> ``RNG``; "Legacy" and "Scale Alike" are its own."""
_IDLE_SETTINGS: Final[Mapping[str, tuple[object, ...]]] = {
    "controls": ([],), "hiresFix": (False,), "upscaler": ("",), "refinerModel": ("",), "faceRestoration": ("",),
    "sharpness": (0,), "zeroNegativePrompt": (False,), "tiledDiffusion": (False,), "tiledDecoding": (False,),
    "shift": (1,), "cfgZeroStar": (False,), "separateClipL": (False,), "separateOpenClipG": (False,),
    "cropTop": (0,), "cropLeft": (0,), "teaCache": (False,), "clipWeight": (1,),
}  # fmt: skip
"""Settings of the newer record that change a picture -> the values with which they do not."""


def read_draw_things(texts: Mapping[str, str]) -> Found | None:
    """Draw Things: JSON as the user comment in XMP, in EXIF in newer versions."""
    comment = texts.get("xmp", "").partition(_XMP_BEGIN)[2].partition(_XMP_END)[0]
    inside = html.unescape(_TAG.sub("", comment)).strip() or texts.get(USER_COMMENT, "")
    values = object_in(inside)
    if not {"c", "sampler", "steps"} <= values.keys():
        return None
    found = Found("Draw Things", text_of(values.get("c")), text_of(values.get("uc")))
    found.add_all(values, _DRAW_NAMES)
    for name in ("steps", "seed", "clip_skip"):
        found.add(_DRAW_NAMES[name], whole_in(values.get(name)))
    if found.pairs.get("Denoising strength") in ("1", "1.0"):
        del found.pairs["Denoising strength"]
    found.add_size_in(values.get("size"))
    mode = text_of(values.get("seed_mode"))
    if mode in _SEED_MODES:
        found.add("RNG", _SEED_MODES[mode])
    else:
        found.report("seed_mode", mode)
    name = text_of(values.get("sampler"))
    for ending, schedule in ((" Trailing", "SGM Uniform"), (" AYS", "Align Your Steps"), (" Karras", "Karras")):
        if name.endswith(ending):
            found.add_sampler(name.removesuffix(ending), schedule)
            break
    else:
        found.add_sampler(name)
    found.add_model(values.get("model"))
    loras = values.get("lora")
    for lora in loras[:_LORAS_MAXIMUM] if isinstance(loras, list) else ():
        if isinstance(lora, dict):
            found.add_lora(lora.get("model"), lora.get("weight"))
    _take_settings(found, values.get("v2"))
    return found


def _take_settings(found: Found, settings: object) -> None:
    """Report what the newer record holds beyond the older one."""
    if not isinstance(settings, dict):
        return
    for name, idle in _IDLE_SETTINGS.items():
        value = settings.get(name)
        if value is not None and value not in idle:
            found.report(name, short_text(value)[:200])
    skip = whole_in(settings.get("clipSkip"))
    if skip is not None and skip > 1 and "Clip skip" not in found.pairs:
        found.add("Clip skip", skip)
    rows = settings.get("loras")
    if not found.tags and isinstance(rows, list):
        for lora in rows[:_LORAS_MAXIMUM]:
            if isinstance(lora, dict):
                found.add_lora(lora.get("file"), lora.get("weight"))
