"""SwarmUI's and Fooocus' pictures: JSON under the key where A1111 has its text.

Sources: SwarmUI ``src/Text2Image/T2IParamInput.cs``, Fooocus ``modules/meta_parser.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sdstudio.catalog.names import from_comfyui
from sdstudio.history.foreign.found import Found, listed, object_in, text_of
from sdstudio.history.pnginfo import A1111_KEY
from sdstudio.history.texts import USER_COMMENT


def read_swarm(texts: Mapping[str, str]) -> Found | None:
    """SwarmUI: ``sui_image_params``."""
    raw = object_in(texts.get(A1111_KEY, "")) or object_in(texts.get(USER_COMMENT, ""))
    values = raw.get("sui_image_params")
    if not isinstance(values, dict):
        return None
    found = Found(f"SwarmUI {text_of(values.get('swarm_version'))}".strip())
    found.prompt, found.negative = text_of(values.get("prompt")), text_of(values.get("negativeprompt"))
    names = {
        "steps": "Steps", "cfgscale": "CFG scale", "seed": "Seed", "initimagecreativity": "Denoising strength",
        "vae": "VAE", "clipstopatlayer": "", "prompt": "", "negativeprompt": "", "width": "", "height": "",
        "sampler": "", "scheduler": "", "model": "", "loras": "", "loraweights": "", "swarm_version": "",
        "aspectratio": "", "date": "", "generation_time": "", "images": "", "variationseed": "Variation seed",
        "variationseedstrength": "Variation seed strength",
    }  # fmt: skip
    found.add_all(values, names)
    found.add("RNG", "CPU")  # it draws with ComfyUI
    found.add_size(values.get("width"), values.get("height"))
    found.add_sampler(values.get("sampler", "euler"), values.get("scheduler", "normal"), from_comfyui)
    layer = values.get("clipstopatlayer")
    if isinstance(layer, int) and layer < 0:
        found.add("Clip skip", -layer)
    found.add_model(values.get("model"))
    found.add_grammar("ComfyUI", "No norm")
    names_of, weights = listed(values.get("loras")), listed(values.get("loraweights"))
    for at, name in enumerate(names_of):
        found.add_lora(name, weights[at] if at < len(weights) else 1.0)
    return found


def read_fooocus(texts: Mapping[str, str]) -> Found | None:
    """Fooocus in its own scheme; in the other one it writes A1111's text."""
    values = object_in(texts.get(A1111_KEY, "")) or object_in(texts.get(USER_COMMENT, ""))
    if "base_model" not in values:
        return None
    found = Found(str(values.get("version") or "Fooocus")[:60])
    found.prompt, found.negative = text_of(values.get("prompt")), text_of(values.get("negative_prompt"))
    names = {
        "guidance_scale": "CFG scale", "steps": "Steps", "seed": "Seed", "clip_skip": "Clip skip",
        "prompt": "", "negative_prompt": "", "base_model": "", "base_model_hash": "", "resolution": "", "sampler": "",
        "scheduler": "", "loras": "", "version": "", "metadata_scheme": "", "created_by": "", "vae": "VAE",
    }  # fmt: skip
    combined = {name for name in values if name.startswith("lora_combined_")}  # the same as "loras", for reading
    found.add_all({key: value for key, value in values.items() if key not in combined and value != "None"}, names)
    if found.pairs.get("VAE", "").startswith("Default"):
        del found.pairs["VAE"]
    found.add("RNG", "CPU")
    found.add_size_in(values.get("resolution"))
    found.add_sampler(values.get("sampler"), values.get("scheduler"), from_comfyui)
    found.add_model(values.get("base_model"), values.get("base_model_hash"))
    for lora in listed(values.get("loras")):
        if isinstance(lora, list) and len(lora) >= 2:
            found.add_lora(lora[0], lora[1])
    return found
