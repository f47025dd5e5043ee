"""Where a picture holds a ComfyUI graph, and what the graph means in A1111's words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sdstudio.catalog.names import from_comfyui
from sdstudio.history.picture_text.foreign.comfy.picture import ComfyPicture, read_graph
from sdstudio.history.picture_text.foreign.comfy.workflow import graph_of
from sdstudio.history.picture_text.foreign.found import Found, model_title, object_in, whole_in

_FIELDS: Final = ("Make", "Model", "ImageDescription")
"""EXIF fields into which WebP savers put ``prompt:{..}`` and ``workflow:{..}``."""
_NAMES: Final = {
    "steps": "Steps", "cfg": "CFG scale", "seed": "Seed", "clip_skip": "Clip skip", "vae_name": "VAE",
    "sampler_name": "", "scheduler": "", "width": "", "height": "", "ckpt_name": "", "denoise": "",
}  # fmt: skip
_BESIDE_A_TEXT: Final = ("Prediction", "Zero terminal SNR", "CFG rescale")
_IN_A_TEXT: Final = frozenset({"Input picture", "Batch", "Prompt", "Other prompts", "Workflow", "CLIP"})
"""What is reported of a graph that A1111's text records in its own way, or not at all."""
_SCHEDULE: Final = "Schedule type"


def read_comfy(texts: Mapping[str, str]) -> Found | None:
    """ComfyUI: the graph that was run, under ``prompt``; where that is lost, the one that its window draws."""
    picture = graph_in(texts)
    return _found(picture) if picture is not None else None


def graph_in(texts: Mapping[str, str]) -> ComfyPicture | None:
    """Return what the graph among a picture's texts means, ``None`` when there is none."""
    picture = read_graph(_json_in(texts, "prompt"))
    if picture is None:
        picture = read_graph(graph_of(_json_in(texts, "workflow")))
        if picture is not None:
            picture.unmapped["Workflow"] = (
                "the graph that was run is not inside; this is the one that the window showed"
            )
    return picture


def report_graph(found: Found, texts: Mapping[str, str]) -> None:
    """Add what a graph records beside a text that another program, or a node that saves, wrote of the same picture.

    The text's values stand. What it has no key for is taken over from the graph: how the model predicts, the rescaling
    of guidance; what the studio has not, and LoRA that the text does not name, is reported.
    """
    picture = graph_in(texts)
    if picture is None:
        return
    for key in _BESIDE_A_TEXT:
        if key in picture.values and key not in found.pairs:
            found.add(key, picture.values[key])
    for name, text in picture.unmapped.items():
        if name not in _IN_A_TEXT and name not in found.pairs:
            found.report(name, text)
    named = found.prompt.casefold()
    for name, text_weight, unet_weight in picture.loras:
        if model_title(name).casefold() not in named:
            found.report("LoRA", f"{model_title(name)[:80]}, weight {text_weight:g} and {unet_weight:g}")


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
    read = partial(from_comfyui, whole_levels=picture.has_own_levels)
    found.add_sampler(name, values.get("scheduler", "normal"), read)
    if _SCHEDULE not in found.pairs and "scheduler" in values:
        found.report(_SCHEDULE, values["scheduler"])
    found.report(_SCHEDULE, picture.levels)
    found.add_model(values.get("ckpt_name"))
    found.add_grammar(*picture.syntax)
    for name, text_weight, unet_weight in picture.loras:
        found.add_lora(name, text_weight, unet_weight)
    for name, text in picture.unmapped.items():
        found.report(name, text)
    return found
