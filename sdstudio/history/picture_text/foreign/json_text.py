"""SwarmUI's and Fooocus' pictures: JSON under the key where A1111 has its text.

Sources: SwarmUI ``src/Text2Image/T2IParamInput.cs`` and ``T2IParamTypes.cs``, Fooocus ``modules/meta_parser.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sdstudio.catalog.names import from_comfyui
from sdstudio.history.picture_text.foreign.found import Found, listed, object_in, text_of, whole_in
from sdstudio.history.picture_text.pnginfo import A1111_KEY
from sdstudio.history.picture_text.texts import USER_COMMENT

_SWARM_NAMES: Final = {
    "steps": "Steps", "cfgscale": "CFG scale", "seed": "Seed", "initimagecreativity": "Denoising strength",
    "vae": "VAE", "variationseed": "SwarmUI variation seed", "variationseedstrength": "SwarmUI variation strength",
    "clipstopatlayer": "", "prompt": "", "negativeprompt": "", "width": "", "height": "", "sampler": "",
    "scheduler": "", "model": "", "loras": "", "loraweights": "", "loratencweights": "", "swarm_version": "",
    "aspectratio": "", "sidelength": "", "date": "", "generation_time": "", "images": "", "nopreviews": "",
    "imageformat": "", "wildcardseed": "", "used_wildcards": "", "original_prompt": "", "original_negativeprompt": "",
    "donotsave": "", "donotsaveintermediates": "", "personalnote": "", "batchsize": "",
}  # fmt: skip
_EMBEDDING: Final = re.compile(r"<embed:([^<>:,\s][^<>,]{0,200})>")
_TAG: Final = re.compile(r"<(\w{1,40})(?:\[[^\[\]<>]{0,100}\])?(?::[^<>]{0,1000})?>")
_READ_TAGS: Final = frozenset({"lora", "embed"})
_LORAS_MAXIMUM: Final = 200


def read_swarm(texts: Mapping[str, str]) -> Found | None:
    """SwarmUI: ``sui_image_params``; numbers, switches and lists may stand there as texts."""
    raw = object_in(texts.get(A1111_KEY, "")) or object_in(texts.get(USER_COMMENT, ""))
    values = raw.get("sui_image_params")
    if not isinstance(values, dict):
        return None
    found = Found(f"SwarmUI {text_of(values.get('swarm_version'))[:40]}".strip())
    found.prompt = _swarm_words(found, values.get("prompt"))
    found.negative = _swarm_words(found, values.get("negativeprompt"))
    found.add_all(values, _SWARM_NAMES)
    _whole_numbers(found, values, {"steps": "Steps", "seed": "Seed"})
    found.add("RNG", "CPU")  # it draws with ComfyUI
    found.add_size(values.get("width"), values.get("height"))
    found.add_sampler(values.get("sampler", "euler"), values.get("scheduler", "normal"), from_comfyui)
    layer = whole_in(values.get("clipstopatlayer"))
    if layer is not None and layer < 0:
        found.add("Clip skip", -layer)
    elif values.get("clipstopatlayer") is not None:
        found.report("clipstopatlayer", values["clipstopatlayer"])
    found.add_model(values.get("model"))
    found.add_grammar("ComfyUI", "No norm")
    weights, text_weights = listed(values.get("loraweights")), listed(values.get("loratencweights"))
    for at, name in enumerate(listed(values.get("loras"))[:_LORAS_MAXIMUM]):
        weight = weights[at] if at < len(weights) else 1.0
        found.add_lora(name, text_weights[at] if at < len(text_weights) else weight, weight)
    return found


def _swarm_words(found: Found, prompt: object) -> str:
    """Return a prompt with embeddings in ComfyUI's spelling; other tags of SwarmUI's are reported."""
    words = _EMBEDDING.sub(r"embedding:\1", text_of(prompt))
    others = dict.fromkeys(f"<{kind}:..>" for kind in _TAG.findall(words) if kind not in _READ_TAGS)
    if others:
        found.report("Prompt", f"{', '.join(list(others)[:20])} of SwarmUI does nothing here")
    return words


def _whole_numbers(found: Found, values: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Write whole numbers as such where they stand as ``20.0`` or as texts."""
    for name, key in names.items():
        found.add(key, whole_in(values.get(name)))


_FOOOCUS_NAMES: Final = {
    "guidance_scale": "CFG scale", "steps": "Steps", "seed": "Seed", "clip_skip": "Clip skip",
    "prompt": "", "negative_prompt": "", "base_model": "", "base_model_hash": "", "resolution": "", "sampler": "",
    "scheduler": "", "loras": "", "version": "", "metadata_scheme": "", "created_by": "", "vae": "VAE",
}  # fmt: skip
_COMBINED: Final = "lora_combined_"
"""Begins the names of the same LoRA as in "loras", written for people: ``name : 0.1``."""


def read_fooocus(texts: Mapping[str, str]) -> Found | None:
    """Fooocus in its own scheme; in the other one it writes A1111's text."""
    values = object_in(texts.get(A1111_KEY, "")) or object_in(texts.get(USER_COMMENT, ""))
    if "base_model" not in values:
        return None
    found = Found(str(values.get("version") or "Fooocus")[:60])
    found.prompt, found.negative = text_of(values.get("prompt")), text_of(values.get("negative_prompt"))
    combined = {name for name in values if name.startswith(_COMBINED)}
    idle = {"refiner_switch"} if values.get("refiner_model") in (None, "", "None") else set()
    left_out = combined | idle | {name for name in ("full_prompt", "full_negative_prompt") if _is_plain(values, name)}
    rest = {key: value for key, value in values.items() if key not in left_out and value != "None"}
    found.add_all(rest, _FOOOCUS_NAMES)
    _whole_numbers(found, values, {"steps": "Steps", "seed": "Seed", "clip_skip": "Clip skip"})
    found.add("RNG", "CPU")
    found.add_size_in(values.get("resolution"))
    found.add_sampler(values.get("sampler"), values.get("scheduler"), from_comfyui)
    found.add_model(values.get("base_model"), values.get("base_model_hash"))
    rows = listed(values.get("loras"))
    if not rows:
        rows = [list(str(values[name]).rpartition(":")[::2]) for name in sorted(combined)]
    for lora in rows[:_LORAS_MAXIMUM]:
        if isinstance(lora, list) and len(lora) >= 2 and text_of(lora[0]) not in ("", "None"):
            found.add_lora(text_of(lora[0]), lora[1])
    return found


def _is_plain(values: Mapping[str, Any], name: str) -> bool:
    """Whether a full prompt is nothing but the prompt."""
    return values.get(name) in ([values.get(name.removeprefix("full_"))], [])
