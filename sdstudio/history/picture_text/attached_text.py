"""LoRA, embeddings, VAE and noise in A1111's text: ``Lora hashes``, ``TI hashes``, ``VAE``, ``RNG`` and tags.

A LoRA of the list is written into the prompt as a tag, the only place that others look in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sdstudio.catalog.kinds import EMBEDDING, LORA, VAE, WEIGHT_MAXIMUM
from sdstudio.core.json_text import json_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.named_files import embedding_names, tag
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import PROMPT_MAXIMUM

# Places among the keys that the request's fields declare (history.pnginfo).
_VAE_HASH_ORDER, _VAE_ORDER, _RNG_ORDER, _LORA_ORDER, _EMBEDDING_ORDER = 56, 57, 80, 90, 91
_HASHES: Final = {LORA: ("Lora hashes", _LORA_ORDER), EMBEDDING: ("TI hashes", _EMBEDDING_ORDER)}
_OWN_VAE: Final = frozenset(
    {"", "none", "automatic", "auto", "default", "default (model)", "baked vae", "baked-in vae", "embedded", "built-in"}
)
"""What A1111, Fooocus (``modules/flags.py``) and loaders of ComfyUI call the model's own VAE."""
_VAE_KEYS: Final = ("VAE", "Module 1")
"""A1111's key, and Forge's."""
_NO_FILE: Final = frozenset({"taesd"})
"""What SD.Next writes where it decoded with its preview."""
_WEIGHTS: Final = "Lora weights"
"""Fooocus' key: LoRA that no tag names, with their weights (``modules/meta_parser.py``)."""
_EMBEDDINGS_OF_2022: Final = "Used embeddings"
"""A1111's line behind the parameters until it had ``TI hashes``: ``name [hash], name [hash]``."""
_CIVITAI_KINDS: Final = {"lora": LORA, "lyco": LORA, "embed": EMBEDDING}
"""How the names in Civitai's ``Hashes`` begin (``civitai/sd_civitai_extension``)."""
NAME_MAXIMUM: Final = 4096
NAMES_MAXIMUM: Final = 200
"""Most names that are looked for in a prompt."""
_NOISE: Final = {"CPU": "cpu", "NV": "nvidia", "GPU": "nvidia"}
A1111_NOISE: Final = "GPU"
"""What a text of A1111 that does not record it means by ``RNG``."""
_SUFFIXES: Final = (".safetensors", ".ckpt", ".pt", ".bin")


def attached_keys(recipe: Recipe) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.picture_text.pnginfo.infotext` joins them."""
    request = recipe.request
    keys = [(_RNG_ORDER, "RNG", "NV" if request.rng == "nvidia" else "CPU")]
    adapters = list(_recorded(recipe))
    for kind, (key, order) in _HASHES.items():
        named = [f"{_bare(item['name'])}: {item['hash']}" for item in adapters if item["kind"] == kind and item["hash"]]
        keys.append((order, key, ", ".join(named)))
    if request.vae:
        digits = next((item["hash"] for item in adapters if item["kind"] == VAE), "")
        keys += [(_VAE_HASH_ORDER, "VAE hash", digits), (_VAE_ORDER, "VAE", request.vae)]
    return keys


def tagged_prompt(recipe: Recipe) -> str:
    """Return the prompt with the LoRA of the list behind it."""
    tags = [tag(name, weight) for name, weight in recipe.request.loras]
    return " ".join(part for part in (recipe.request.prompt, *tags) if part)


def take_attached(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Move VAE, LoRA and noise from A1111's keys to the values; hashes of what the prompts name are no leftover.

    A LoRA or an embedding that only its hash names stays left over: how strongly it acted, or where, is recorded
    nowhere.
    """
    noise = leftovers.get("RNG", "")
    if noise in _NOISE:
        values["rng"] = _NOISE[noise]
        del leftovers["RNG"]
    _take_vae(values, leftovers)
    _take_weights(values, leftovers)
    _leave_what_no_prompt_names(values, leftovers)


def _take_vae(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    vaes = {key: leftovers.pop(key) for key in _VAE_KEYS if key in leftovers}
    if vaes:  # else some VAE had this hash
        leftovers.pop("VAE hash", None)
    for key, name in vaes.items():
        bare = next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)
        if name.casefold() in _OWN_VAE:
            continue
        if "vae" in values or bare.casefold() in _NO_FILE or len(bare) > NAME_MAXIMUM:
            leftovers[key] = name
        else:
            values["vae"] = bare


def _take_weights(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Put LoRA that stand beside the prompt with their weights into it, the one place where others look for them."""
    left = []
    for name, weight in _pairs(leftovers.pop(_WEIGHTS, "")):
        prompt = values.get("prompt", "")
        named = f"{prompt} {_tag(name, weight)}".strip()
        if _folded(name) in _tagged(prompt):
            continue
        if "<" in name or not _tag(name, weight) or len(named) > PROMPT_MAXIMUM:
            left.append(f"{name}: {weight}")
        else:
            values["prompt"] = named
    if left:
        leftovers[_WEIGHTS] = ", ".join(left)


def _tag(name: str, text: str) -> str:
    """Return a tag with the weight that a text records, "" when it records none that is allowed."""
    try:
        weight = float(text)
    except ValueError:
        return ""
    return tag(name, weight) if abs(weight) <= WEIGHT_MAXIMUM else ""


def _leave_what_no_prompt_names(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    prompt, negative = values.get("prompt", ""), values.get("negative_prompt", "")
    hashes_by_key = {key: dict(_pairs(leftovers.pop(key, ""))) for key, _ in _HASHES.values()}
    for name, digits in _hashes_of_civitai(leftovers.get("Hashes", "")):
        kind, _, rest = name.partition(":")
        if rest and kind.casefold() in _CIVITAI_KINDS:
            hashes_by_key[_HASHES[_CIVITAI_KINDS[kind.casefold()]][0]].setdefault(rest, digits)
        elif kind.casefold() == "vae" and "vae" not in values:
            leftovers.setdefault("VAE hash", digits)
    used = leftovers.pop(_EMBEDDINGS_OF_2022, "")
    for part in used.split(",") if used else ():
        name, _, digits = part.strip().partition(" [")
        hashes_by_key[_HASHES[EMBEDDING][0]].setdefault(name, digits.rstrip("]"))
    named = _tagged(prompt)
    names = list(hashes_by_key[_HASHES[EMBEDDING][0]])[:NAMES_MAXIMUM]
    named |= {_folded(name) for name in embedding_names(f"{prompt}\n{negative}", [name for name in names if name])}
    pinned = [(name, digits) for hashes in hashes_by_key.values() for name, digits in hashes.items() if digits]
    pinned = [(name, digits) for name, digits in pinned if _folded(name) in named][:NAMES_MAXIMUM]
    if pinned:
        values["file_hashes"] = tuple(pinned)
    for key, hashes in hashes_by_key.items():
        others = [(name, digits) for name, digits in hashes.items() if _folded(name) not in named]
        unnamed = [f"{name}: {digits}" if digits else name for name, digits in others]
        if unnamed:
            leftovers[key] = ", ".join(unnamed)


def _hashes_of_civitai(text: str) -> list[tuple[str, str]]:
    try:
        hashes = json_of(text) if text else {}
    except ValueError:
        return []
    return [(str(name), str(digits)) for name, digits in hashes.items()] if isinstance(hashes, dict) else []


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return ``name: value, name: value`` as pairs; a name alone has ""."""
    parts = [part.strip().rpartition(":") for part in text.split(",") if part.strip()]
    return [(name.strip(), value.strip()) if colon else (value.strip(), "") for name, colon, value in parts]


def _tagged(prompt: str) -> set[str]:
    return {_folded(network.name) for network in cut_networks(prompt)[1] if network.is_lora}


def _folded(name: str) -> str:
    """Return a name as it is compared: A1111's lists lack colons and commas, and case and folders do not count."""
    return _bare(name).replace("\\", "/").rpartition("/")[2].strip().casefold()


def attached_names(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of all that was attached, for the search."""
    return tuple(str(item["name"]) for item in _recorded(recipe))


def _recorded(recipe: Recipe) -> Iterator[Mapping[str, Any]]:
    adapters = recipe.made_with.get("adapters")
    for item in adapters if isinstance(adapters, list) else ():
        if isinstance(item, dict) and {"kind", "name", "hash"} <= item.keys():
            yield item


def _bare(name: Any) -> str:
    """Return a name without what parts the list of hashes."""
    return str(name).replace(":", "").replace(",", "")
