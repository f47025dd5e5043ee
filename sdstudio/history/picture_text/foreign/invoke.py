"""InvokeAI's pictures: JSON of version 3 and later, and JSON of version 2; its first lines stand in `invoke_dream`.

Source: InvokeAI ``invokeai/app/invocations/metadata.py``, and ``metadata_dumps`` in ``ldm/invoke/args.py`` of 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.catalog.names import Sampling, from_invokeai
from sdstudio.history.picture_text.foreign.found import COMPEL, Found, number_in, object_in, text_of, whole_in
from sdstudio.history.picture_text.foreign.invoke_dream import read_dream, take_operators, take_words

_NAMES: Final = {
    "cfg_scale": "CFG scale", "steps": "Steps", "seed": "Seed", "strength": "Denoising strength", "rand_device": "RNG",
    "cfg_rescale_multiplier": "CFG rescale",
    "positive_prompt": "", "negative_prompt": "", "width": "", "height": "", "scheduler": "", "model": "", "loras": "",
    "clip_skip": "", "app_version": "", "generation_mode": "", "vae": "", "positive_style_prompt": "",
    "negative_style_prompt": "",
}  # fmt: skip
_KEPT: Final = frozenset({"seed", "cfg_scale", "steps"})
"""Names whose 0 has a meaning."""
_LORAS_MAXIMUM: Final = 200


def _levels_in_the_name(name: str, _schedule: str) -> Sampling | None:
    return from_invokeai(name)


def read_invoke(texts: Mapping[str, str]) -> Found | None:
    """InvokeAI of any version."""
    values = object_in(texts.get("invokeai_metadata", ""))
    if not values:
        return _read_second(texts) or read_dream(texts)
    found = Found(f"InvokeAI {text_of(values.get('app_version'))[:40]}".strip())
    found.prompt, found.negative = text_of(values.get("positive_prompt")), text_of(values.get("negative_prompt"))
    found.add_all({key: value for key, value in values.items() if value not in (0, False) or key in _KEPT}, _NAMES)
    if "RNG" in found.pairs:
        found.pairs["RNG"] = "CPU" if found.pairs["RNG"] == "cpu" else "GPU"
    for name, prompt in (("positive_style_prompt", found.prompt), ("negative_style_prompt", found.negative)):
        if text_of(values.get(name)) != prompt:  # XL's second encoder alone reads it
            found.report(name, text_of(values.get(name)))
    found.add_size(values.get("width"), values.get("height"))
    sampler = text_of(values.get("scheduler"))
    found.add_sampler(sampler, read=_levels_in_the_name)
    found.add_grammar(COMPEL)
    take_operators(found)
    skipped = whole_in(values.get("clip_skip"))
    if skipped is not None and skipped > 0:  # counts the layers left out; A1111's 1 leaves out none
        found.add("Clip skip", skipped + 1)
    model = values.get("model")
    if isinstance(model, dict):
        found.add_model(_name_in(model), model.get("hash"))
    found.add("VAE", _name_in(values.get("vae")))
    _take_loras(found, values.get("loras"))
    return found


def _take_loras(found: Found, loras: object) -> None:
    rows = loras if isinstance(loras, list) else []
    for lora in rows[:_LORAS_MAXIMUM]:
        if isinstance(lora, dict):
            named = lora.get("model") or lora.get("lora")
            weight = lora.get("weight")
            found.add_lora(_name_in(named) or named, 1.0 if weight is None else weight)


def _name_in(value: object) -> str:
    """Return the name of a model's record of any version, "" when there is none."""
    if not isinstance(value, dict):
        return ""
    return text_of(value.get("name")) or text_of(value.get("model_name"))


def _read_second(texts: Mapping[str, str]) -> Found | None:
    values = object_in(texts.get("sd-metadata", ""))
    images = values.get("images")  # of a grid, one for each picture in it
    several = isinstance(images, list) and bool(images)
    image = values.get("image") or (images[0] if isinstance(images, list) and images else None)
    if not isinstance(image, dict):
        return None
    found = Found(f"InvokeAI {text_of(values.get('app_version'))[:40]}".strip())
    found.add_grammar(COMPEL)
    take_words(found, _joined(found, image.get("prompt", "")))
    names = {
        "prompt": "", "sampler": "", "width": "", "height": "", "cfg_scale": "CFG scale", "steps": "Steps",
        "seed": "Seed", "strength": "Denoising strength", "strength_steps": "Denoising strength", "type": "",
    }  # fmt: skip
    if image.get("facetool_strength") in (None, 0):
        names["facetool"] = ""
    found.add_all({key: value for key, value in image.items() if value not in (0, False) or key in _KEPT}, names)
    found.add_size(image.get("width"), image.get("height"))
    found.add_sampler(image.get("sampler"))
    found.add_model(values.get("model_weights") or values.get("model_id"))  # its hash is of another kind
    if several:
        found.report("Grid", "of several pictures; the first one's settings are read")
    return found


def _joined(found: Found, prompts: Any) -> str:
    """Return the prompt that stands in parts with weights; weights other than 1 are reported."""
    if not isinstance(prompts, list):
        return text_of(prompts)
    parts = [part for part in prompts if isinstance(part, dict)]
    for part in parts:
        if part.get("weight", 1) not in (1, 1.0):
            weight = number_in(part.get("weight"))
            found.report("Prompt weights", f"{text_of(part.get('prompt'))[:60]}: {weight}")
    return " ".join(text_of(part.get("prompt")) for part in parts)
