"""InvokeAI's pictures: JSON of version 3 and later, JSON of version 2, and the command line of the first.

Source: InvokeAI ``invokeai/app/invocations/metadata.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sdstudio.catalog.names import Sampling, from_invokeai
from sdstudio.history.foreign.found import Found, object_in, text_of

_INVOKE_NAMES: Final = {
    "cfg_scale": "CFG scale", "steps": "Steps", "seed": "Seed", "strength": "Denoising strength", "rand_device": "RNG",
    "cfg_rescale_multiplier": "CFG rescale",
    "positive_prompt": "", "negative_prompt": "", "width": "", "height": "", "scheduler": "", "model": "", "loras": "",
    "clip_skip": "", "app_version": "", "generation_mode": "", "vae": "",
}  # fmt: skip


def _levels_in_the_name(name: str, _schedule: str) -> Sampling | None:
    return from_invokeai(name)


def read_invoke(texts: Mapping[str, str]) -> Found | None:
    """InvokeAI of any version."""
    values = object_in(texts.get("invokeai_metadata", ""))
    if not values:
        return _invoke_2(texts) or _invoke_dream(texts)
    found = Found(f"InvokeAI {text_of(values.get('app_version'))}".strip())
    found.prompt, found.negative = text_of(values.get("positive_prompt")), text_of(values.get("negative_prompt"))
    rest = {key: value for key, value in values.items() if not (value in (0, False) and key != "seed")}
    found.add_all(rest, _INVOKE_NAMES)
    if "RNG" in found.pairs:
        found.pairs["RNG"] = "CPU" if found.pairs["RNG"] == "cpu" else "GPU"
    found.add_size(values.get("width"), values.get("height"))
    sampler = text_of(values.get("scheduler"))
    found.add_sampler(sampler, "" if sampler.endswith("_k") else "normal")
    found.add_grammar("Compel")
    skipped = values.get("clip_skip")
    if isinstance(skipped, int) and skipped > 0:  # counts the layers left out; A1111's 1 leaves out none
        found.add("Clip skip", skipped + 1)
    model = values.get("model")
    if isinstance(model, dict):
        found.add_model(model.get("name") or model.get("model_name"), model.get("hash"))
    vae = values.get("vae")
    if isinstance(vae, dict):
        found.add("VAE", vae.get("name") or vae.get("model_name"))
    loras = values.get("loras")
    for lora in loras if isinstance(loras, list) else []:
        if isinstance(lora, dict):
            named = lora.get("model") or lora.get("lora")
            name = named.get("name") or named.get("model_name") if isinstance(named, dict) else named
            found.add_lora(name, lora.get("weight"))
    return found


def _invoke_2(texts: Mapping[str, str]) -> Found | None:
    values = object_in(texts.get("sd-metadata", ""))
    image = values.get("image")
    if not isinstance(image, dict):
        return None
    found = Found(f"InvokeAI {text_of(values.get('app_version'))}".strip())
    prompts = image.pop("prompt", "")
    if isinstance(prompts, list):
        prompts = " ".join(text_of(part.get("prompt")) for part in prompts if isinstance(part, dict))
    found.prompt, found.negative = _bracketed(text_of(prompts))
    names = {"sampler": "", "width": "", "height": "", "cfg_scale": "CFG scale", "steps": "Steps", "seed": "Seed"}
    found.add_all({key: value for key, value in image.items() if value not in (0, False) or key == "seed"}, names)
    found.add_size(image.get("width"), image.get("height"))
    found.add_sampler(image.get("sampler"))
    found.add_model(values.get("model_weights"))  # its hash is of another kind
    return found


_DREAM: Final = re.compile(r"\s-(\w+)\s+(\S+)")
_DREAM_NAMES: Final = {
    "s": "Steps", "S": "Seed", "C": "CFG scale", "W": "", "H": "", "A": "", "f": "Denoising strength",
}  # fmt: skip


def _invoke_dream(texts: Mapping[str, str]) -> Found | None:
    text = texts.get("Dream", "")
    if not text.startswith('"') or '"' not in text[1:]:
        return None
    prompt, _, rest = text[1:].rpartition('"')
    found = Found("InvokeAI")
    found.prompt, found.negative = _bracketed(prompt)
    values = {match[1]: match[2] for match in _DREAM.finditer(rest)}
    found.add_all(values, _DREAM_NAMES)
    found.add_size(values.get("W"), values.get("H"))
    found.add_sampler(values.get("A"))
    return found


def _bracketed(prompt: str) -> tuple[str, str]:
    """Part the prompt from the negative ones, which InvokeAI had in square brackets up to version 2."""
    negative = [part.strip(" ,") for part in re.findall(r"\[([^\[\]]*)\]", prompt)]
    rest = re.sub(r"\s*\[[^\[\]]*\]\s*", " ", prompt)
    return rest.strip(" ,"), ", ".join(part for part in negative if part)
