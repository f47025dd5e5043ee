"""What A1111's text says of LoRA, embeddings, VAE and noise: ``Lora hashes``, ``TI hashes``, ``VAE``, ``RNG`` and tags.

A LoRA of the list is written into the prompt as a tag, the only place that others look in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sdstudio.core.adapters import EMBEDDING, LORA, VAE, tag
from sdstudio.core.request import Recipe

# Places among the keys that the request's fields declare (history.pnginfo).
_VAE_HASH_ORDER, _VAE_ORDER, _RNG_ORDER, _LORA_ORDER, _EMBEDDING_ORDER = 56, 57, 80, 90, 91
_HASHES: Final = {LORA: ("Lora hashes", _LORA_ORDER), EMBEDDING: ("TI hashes", _EMBEDDING_ORDER)}
_OWN_VAE: Final = frozenset({"", "none", "automatic"})
"""What A1111 calls the model's own VAE."""
_NOISE: Final = {"CPU": "cpu", "NV": "nvidia", "GPU": "nvidia"}
A1111_NOISE: Final = "GPU"
"""What a text of A1111 that says nothing of it means by ``RNG``."""
_SUFFIXES: Final = (".safetensors", ".ckpt", ".pt", ".bin")


def attached_keys(recipe: Recipe) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.pnginfo.infotext` joins them."""
    request = recipe.request
    keys = [(_RNG_ORDER, "RNG", "NV" if request.rng == "nvidia" else "CPU")]
    adapters = list(_recorded(recipe))
    for kind, (key, order) in _HASHES.items():
        named = [f"{_bare(item['name'])}: {item['hash']}" for item in adapters if item["kind"] == kind and item["hash"]]
        keys.append((order, key, ", ".join(named)))
    if request.vae:
        found = next((item["hash"] for item in adapters if item["kind"] == VAE), "")
        keys += [(_VAE_HASH_ORDER, "VAE hash", found), (_VAE_ORDER, "VAE", request.vae)]
    return keys


def tagged_prompt(recipe: Recipe) -> str:
    """Return the prompt with the LoRA of the list behind it."""
    tags = [tag(name, weight) for name, weight in recipe.request.loras]
    return " ".join(part for part in (recipe.request.prompt, *tags) if part)


def take_attached(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Move what A1111's keys say of VAE and noise to the values; hashes of what the prompt names are no leftover."""
    noise = leftovers.get("RNG", "")
    if noise in _NOISE:
        values["rng"] = _NOISE[noise]
        del leftovers["RNG"]
    vae = leftovers.pop("VAE", leftovers.pop("Module 1", ""))  # Forge's name of the key
    if vae.lower() not in _OWN_VAE:
        values["vae"] = next((vae.removesuffix(end) for end in _SUFFIXES if vae.endswith(end)), vae)
    for key in ("VAE hash", *(key for key, _ in _HASHES.values())):
        leftovers.pop(key, None)


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
