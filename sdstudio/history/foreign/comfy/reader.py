"""Where a picture holds a ComfyUI graph, and what the graph tells in A1111's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.catalog.names import from_comfyui
from sdstudio.history.foreign.comfy.picture import ComfyPicture, read_graph
from sdstudio.history.foreign.found import Found, object_in, whole_in

_FIELDS: Final = ("Make", "Model", "ImageDescription")
"""EXIF fields into which WebP savers put ``prompt:{..}`` and ``workflow:{..}``."""
_NAMES: Final = {
    "steps": "Steps", "cfg": "CFG scale", "seed": "Seed", "clip_skip": "Clip skip", "vae_name": "VAE",
    "sampler_name": "", "scheduler": "", "width": "", "height": "", "ckpt_name": "", "denoise": "",
}  # fmt: skip
_SCHEDULE: Final = "Schedule type"


def read_comfy(texts: Mapping[str, str]) -> Found | None:
    """ComfyUI: the graph that was run, under ``prompt``."""
    picture = graph_in(texts)
    return _found(picture) if picture is not None else None


def graph_in(texts: Mapping[str, str]) -> ComfyPicture | None:
    """Return what the graph among a picture's texts tells, ``None`` when there is none."""
    return read_graph(_json_in(texts, "prompt"))


def _json_in(texts: Mapping[str, str], name: str) -> dict[str, Any]:
    fields = (texts[key].partition(":") for key in _FIELDS if key in texts)
    return object_in(texts.get(name) or next((rest for key, _, rest in fields if key.casefold() == name), ""))


def _found(picture: ComfyPicture) -> Found:
    found = Found("ComfyUI", picture.positive, picture.negative)
    values = picture.values
    steps = whole_in(values.get("steps"))
    found.add_all({**values, "steps": values.get("steps") if steps is None else steps}, _NAMES)
    found.add("RNG", "CPU")
    if values.get("denoise", 1) not in (1, 1.0):
        found.add("Denoising strength", values["denoise"])
    found.add_size(values.get("width"), values.get("height"))
    name = values.get("sampler_name")
    name = name.removeprefix("sample_") if isinstance(name, str) else name  # as ComfyUI called them in 2023
    found.add_sampler(name, values.get("scheduler", "normal"), from_comfyui)
    if _SCHEDULE not in found.pairs and "scheduler" in values:
        found.tell(_SCHEDULE, values["scheduler"])
    found.tell(_SCHEDULE, picture.levels)
    found.add_model(values.get("ckpt_name"))
    found.add_grammar(*picture.syntax)
    for name, text_weight, unet_weight in picture.loras:
        found.add_lora(name, text_weight, unet_weight)
    for name, text in picture.told.items():
        found.tell(name, text)
    return found
