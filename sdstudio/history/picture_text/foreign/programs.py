"""What each other program writes into its pictures, one row each: who recognises it and reads what its names mean.

Every reader returns what it found under A1111's keys ("CFG scale", "Sampler"), for which `pnginfo.read_pairs` then
finds the studio's fields; names that A1111 has not stay as they are, and end up in the list of what was not taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sdstudio.catalog.names import from_comfyui, split_comfyui
from sdstudio.history.picture_text.a1111_text import parse_pairs
from sdstudio.history.picture_text.attached_text import A1111_NOISE
from sdstudio.history.picture_text.foreign.comfy.reader import read_comfy, report_graph
from sdstudio.history.picture_text.foreign.flat import read_draw_things, read_easy
from sdstudio.history.picture_text.foreign.found import Found
from sdstudio.history.picture_text.foreign.invoke import read_invoke
from sdstudio.history.picture_text.foreign.json_text import read_fooocus, read_swarm
from sdstudio.history.picture_text.foreign.novel import read_novel
from sdstudio.history.picture_text.pnginfo import A1111_KEY
from sdstudio.history.picture_text.texts import COMMENT, USER_COMMENT

_A1111_PLACES: Final = (A1111_KEY, USER_COMMENT, "Parameters", COMMENT, "Comment", "Description", "ImageDescription")
"""Where A1111's text stands: its own two places first, then those that other tools chose for it."""
_FIRST_VERSION: Final = "sdstudio 0.1"


def _a1111(texts: Mapping[str, str]) -> Found | None:
    for key in _A1111_PLACES:
        prompt, negative, pairs = parse_pairs(texts.get(key, ""))
        if pairs:
            found = _of_a1111(Found("", prompt, negative, pairs), "smproj" in texts or "parameters-json" in texts)
            report_graph(found, texts)
            return found
    return None


def _of_a1111(found: Found, by_stability_matrix: bool) -> Found:
    """Name the program that wrote A1111's text, and return what it leaves to the reader: noise, grammar, schedule."""
    version, sampler = found.pairs.get("Version", ""), found.pairs.get("Sampler", "")
    by_comfyui = by_stability_matrix or version.casefold().startswith("comfyui")
    noise = "CPU"  # ComfyUI's, with which StabilityMatrix, SwarmUI and Fooocus draw too
    if by_stability_matrix:
        found.program = "StabilityMatrix"
    elif version.casefold().startswith(("comfyui", "fooocus", "sdstudio", "easy diffusion", "swarm")):
        found.program = version
    elif not version and split_comfyui(sampler) is not None:  # "dpmpp_2m": A1111 writes "DPM++ 2M"
        found.program, by_comfyui = "ComfyUI", True
    elif found.pairs.get("App") == "SD.Next":
        found.program, noise = f"SD.Next {version}".strip(), A1111_NOISE
    else:
        noise = A1111_NOISE
        found.program = f"{'Forge' if version.startswith(('f', 'neo')) else 'A1111'} {version}".strip()
    if version.startswith(_FIRST_VERSION):  # it names no rules: there was no choice
        found.pairs.setdefault("Compatibility", "Version 0.1")
    found.program = found.program[:60]
    found.pairs.setdefault("RNG", noise)
    if by_comfyui:
        named = split_comfyui(sampler)
        if named is not None:
            found.add_sampler(named[0], found.pairs.pop("Schedule type", "") or named[1] or "normal", from_comfyui)
        for key, value in (("Prompt syntax", "ComfyUI"), ("Emphasis", "No norm")):
            found.pairs.setdefault(key, value)
        if found.pairs.get("Denoising strength") in ("1", "1.0"):  # of a picture made from nothing
            del found.pairs["Denoising strength"]
    return found


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
    Program("ComfyUI", read_comfy),
    Program("NovelAI", read_novel),
    Program("Easy Diffusion", read_easy),
    Program("Draw Things", read_draw_things),
)
"""Tried in this order; the first that recognises a picture reads it."""
