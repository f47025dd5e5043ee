"""NovelAI's pictures: JSON under ``Comment``, and since version 4 characters that are encoded apart from the prompt.

Sources: receyuki/stable-diffusion-prompt-reader; the fields of NovelAI's own requests, as its clients write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sdstudio.history.picture_text.foreign.found import Found, number_in, object_in, short_text, text_of, whole_in

_NAMES: Final = {
    "steps": "Steps", "scale": "CFG scale", "seed": "Seed", "strength": "Denoising strength",
    "cfg_rescale": "CFG rescale",
    "prompt": "", "uc": "", "negative_prompt": "", "width": "", "height": "", "sampler": "", "noise_schedule": "",
    "v4_prompt": "", "v4_negative_prompt": "", "request_type": "", "signed_hash": "", "n_samples": "", "version": "",
    "params_version": "", "hide_debug_overlay": "", "stream": "", "prefer_brownian": "", "use_coords": "",
    "uncond_per_vibe": "", "wonky_vibe_correlation": "", "cfg_sched_eligibility": "", "qualityToggle": "",
    "normalize_reference_strength_multiple": "", "add_original_image": "", "image_format": "", "ucPreset": "",
    "characterPrompts": "",
}  # fmt: skip
_IDLE: Final[Mapping[str, tuple[object, ...]]] = {
    "uncond_scale": (0, 1), "controlnet_strength": (1,), "strength": (0,), "skip_cfg_below_sigma": (0,),
    "inpaintImg2ImgStrength": (1,), "cfg_rescale": (0,), "noise": (0,), "legacy": (False,),
}  # fmt: skip
"""Names -> values with which they do nothing."""
_ONLY_WITH: Final = {
    "dynamic_thresholding_percentile": "dynamic_thresholding",
    "dynamic_thresholding_mimic_scale": "dynamic_thresholding",
}
"""Names that do nothing without another one."""
_EVEN: Final = "normal"
CHARACTERS_MAXIMUM: Final = 32
"""Most characters of a side that are read; NovelAI has six."""
PICTURE_LENGTH: Final = 200
"""A text as long as this in a list is a picture, not words."""
_WEIGHTS: Final = re.compile(r"[{\[]|-?\d(?:\.\d+)?::")


def read_novel(texts: Mapping[str, str]) -> Found | None:
    """NovelAI: JSON under ``Comment``, the prompt under ``Description``."""
    values = object_in(texts.get("Comment", ""))
    if "NovelAI" not in texts.get("Software", "") and not {"uc", "sampler"} <= values.keys():
        return None
    found = Found("NovelAI")
    found.prompt = text_of(values.get("prompt")) or _base(values, "v4_prompt") or texts.get("Description", "").strip()
    found.negative = text_of(values.get("uc")) or _base(values, "v4_negative_prompt")
    found.add_all({name: _short(value) for name, value in values.items() if _acts(values, name, value)}, _NAMES)
    for name, key in (("steps", "Steps"), ("seed", "Seed")):
        found.add(key, whole_in(values.get(name)))
    found.add_size(values.get("width"), values.get("height"))
    sampler = text_of(values.get("sampler")).removesuffix("_v3")
    levels = text_of(values.get("noise_schedule"))
    found.add_sampler(sampler.removeprefix("k_"), _EVEN if levels == "native" else levels)
    found.add_model(texts.get("Source", ""))
    if _WEIGHTS.search(f"{found.prompt}\n{found.negative}"):
        found.report("Prompt weights", "{word}, [word] and 1.5::word:: are NovelAI's own")
    found.prompt = _with_characters(found, values.get("v4_prompt"), found.prompt, "Character")
    found.negative = _with_characters(found, values.get("v4_negative_prompt"), found.negative, "Negative of character")
    if text_of(values.get("request_type")).startswith(("Img2Img", "Inpaint", "NativeInfilling")):
        found.report("Input picture", "made from another picture, which is not inside")
    return found


def _acts(values: Mapping[str, Any], name: str, value: object) -> bool:
    """Whether a value changed the picture, as far as the others let it."""
    if value is None or value is False or value in _IDLE.get(name, ()):
        return False
    return values.get(_ONLY_WITH.get(name, name)) not in (None, False)


def _short(value: object) -> object:
    """Return how many pictures a list holds in place of them."""
    if isinstance(value, list) and any(isinstance(item, str) and len(item) >= PICTURE_LENGTH for item in value):
        return f"{len(value)} pictures" if len(value) != 1 else "1 picture"
    if isinstance(value, str) and len(value) >= PICTURE_LENGTH:
        return "1 picture"
    return value


def _caption(raw: object) -> Mapping[str, Any]:
    caption = raw.get("caption") if isinstance(raw, Mapping) else None
    return caption if isinstance(caption, Mapping) else {}


def _base(values: Mapping[str, Any], name: str) -> str:
    return text_of(_caption(values.get(name)).get("base_caption"))


def _with_characters(found: Found, raw: object, prompt: str, name: str) -> str:
    """Put the words of characters on lines of their own behind the prompt, and report what that does not hold."""
    lines = [prompt] if prompt else []
    for number, (words, place) in enumerate(_characters(raw), start=1):
        lines.append(words)
        found.report(f"{name} {number}", f"was encoded apart from the prompt{place}; here it is a line of it")
    if isinstance(raw, Mapping) and raw.get("legacy_uc") is True:
        found.report("legacy_uc", True)
    if isinstance(raw, Mapping) and raw.get("use_order") is False:
        found.report("use_order", False)
    return "\n".join(lines)


def _characters(raw: object) -> Iterator[tuple[str, str]]:
    """Yield the words of each character, and its place where places counted."""
    rows = _caption(raw).get("char_captions")
    placed = isinstance(raw, Mapping) and raw.get("use_coords") is True
    for row in rows[:CHARACTERS_MAXIMUM] if isinstance(rows, list) else ():
        words = text_of(row.get("char_caption")) if isinstance(row, Mapping) else ""
        if words:
            yield words, _place(row.get("centers")) if placed else ""


def _place(centers: object) -> str:
    places = []
    for center in centers[:CHARACTERS_MAXIMUM] if isinstance(centers, list) else ():
        if isinstance(center, Mapping):
            x, y = number_in(center.get("x")), number_in(center.get("y"))
            if x is not None and y is not None:
                places.append(f"{short_text(x)}, {short_text(y)}")
    return f", at {' and '.join(places)}" if places else ""
