"""What each other program writes into its pictures, one row each: who recognises it and reads what its names mean.

Every reader says what it found under A1111's keys ("CFG scale", "Sampler"), for which `pnginfo.read_pairs` then finds
the studio's fields; names that A1111 has not stay as they are, and end up in the list of what was not taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sdstudio.catalog.names import from_comfyui
from sdstudio.history.attached_text import A1111_NOISE
from sdstudio.history.foreign.comfy_graph import read_graph
from sdstudio.history.foreign.flat import read_draw_things, read_easy, read_novel
from sdstudio.history.foreign.found import Found, object_in
from sdstudio.history.foreign.invoke import read_invoke
from sdstudio.history.foreign.json_text import read_fooocus, read_swarm
from sdstudio.history.pnginfo import A1111_KEY, parse_pairs
from sdstudio.history.texts import USER_COMMENT


def _comfy(texts: Mapping[str, str]) -> Found | None:
    # WebP savers put "prompt:{..}" into whatever EXIF field is free.
    fields = (texts[key].partition(":") for key in ("Make", "Model", "ImageDescription") if key in texts)
    graph = texts.get("prompt") or next((rest for name, _, rest in fields if name.casefold() == "prompt"), "")
    picture = read_graph(object_in(graph))
    if picture is None:
        return None
    found = Found("ComfyUI", picture.positive, picture.negative)
    names = {
        "steps": "Steps", "cfg": "CFG scale", "seed": "Seed", "clip_skip": "Clip skip", "vae_name": "VAE",
        "sampler_name": "", "scheduler": "", "width": "", "height": "", "ckpt_name": "", "denoise": "",
    }  # fmt: skip
    values = picture.values
    found.add_all(values, names)
    found.add("RNG", "CPU")
    if values.get("denoise", 1) not in (1, 1.0):
        found.add("Denoising strength", values["denoise"])
    found.add_size(values.get("width"), values.get("height"))
    name = values.get("sampler_name")
    name = name.removeprefix("sample_") if isinstance(name, str) else name  # as ComfyUI called them in 2023
    found.add_sampler(name, values.get("scheduler", "normal"), from_comfyui)
    found.add_model(values.get("ckpt_name"))
    found.add_grammar("ComfyUI", "No norm")
    for name, weight in picture.loras:
        found.add_lora(name, weight)
    for name, text in picture.others.items():
        found.add(name, text)
    return found


def _a1111(texts: Mapping[str, str]) -> Found | None:
    text = texts.get(A1111_KEY) or texts.get(USER_COMMENT, "")
    prompt, negative, pairs = parse_pairs(text)
    if not pairs:
        return None
    version = pairs.get("Version", "")
    noise = "CPU"  # ComfyUI's, with which StabilityMatrix, SwarmUI and Fooocus draw too
    if "smproj" in texts or "parameters-json" in texts:
        name = "StabilityMatrix"
    elif version.casefold().startswith(("comfyui", "fooocus", "sdstudio", "easy diffusion", "swarm")):
        name = version
    else:
        noise = A1111_NOISE
        name = f"{'Forge' if version.startswith(('f', 'neo')) else 'A1111'} {version}".strip()
    pairs.setdefault("RNG", noise)
    return Found(name[:60], prompt, negative, pairs)


@dataclass(frozen=True, slots=True)
class Program:
    """One program: ``read`` returns ``None`` for pictures of others."""

    name: str
    read: Callable[[Mapping[str, str]], Found | None]


PROGRAMS: Final = (
    Program("InvokeAI", read_invoke),
    Program("SwarmUI", read_swarm),
    Program("Fooocus", read_fooocus),
    Program("A1111", _a1111),  # before ComfyUI: savers that write both mean the text to be read
    Program("ComfyUI", _comfy),
    Program("NovelAI", read_novel),
    Program("Easy Diffusion", read_easy),
    Program("Draw Things", read_draw_things),
)
"""Tried in this order; the first that recognises a picture reads it."""
