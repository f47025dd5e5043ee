"""What models are called in lists: by their names, the built-in one by what it is, those of one name by their folders.

Titles are for eyes only: requests, recipes and the command line know a model by its key and its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sdstudio.catalog.built_in import STARTER
from sdstudio.core.models.model import ModelInfo

_PARTS: Final = {
    "unet": "UNet", "vae": "VAE", "text_encoder": "text encoder", "text_encoder_2": "second text encoder",
    "text_encoder_3": "third text encoder", "safety_checker": "safety checker",
}  # fmt: skip


def part_title(part: str) -> str:
    """Return what people call a part of a model; what is loaded beside it ("LoRA my_style") has its own name."""
    return _PARTS.get(part, part.replace("_", " ") if part.isidentifier() else part)


def model_titles(models: Iterable[ModelInfo]) -> Mapping[str, str]:
    """Return key -> title, no two alike."""
    titles: dict[str, str] = {}
    groups: dict[str, list[ModelInfo]] = {}
    for model in models:
        if model.key == STARTER:
            titles[model.key] = built_in_title(model)
        groups.setdefault(model.name.casefold(), []).append(model)
    for group in groups.values():
        others = [model for model in group if model.key != STARTER]
        for model in others:
            titles[model.key] = model.name if len(group) == 1 else _told_apart(model, others)
    return titles


def built_in_title(model: ModelInfo) -> str:
    """Return what the built-in model is, so that nobody takes it for all the studio can do."""
    side = model.defaults.get("width", model.family_row.native_size) * model.defaults.get("finish", 1)
    return f"{model.name} (built in, {side:.0f} px, draws simple things)"


def _told_apart(model: ModelInfo, group: Sequence[ModelInfo]) -> str:
    """Name a model with as many of the folders above it as no other of its name has; with its file's ending, if none.

    The folder of a Hugging Face snapshot is named by a hash, and stays apart like any other.
    """
    own = model.path.parent.parts
    others = [other.path.parent.parts for other in group if other is not model]
    for count in range(1, len(own) + 1):
        if all(parts[-count:] != own[-count:] for parts in others):
            return f"{model.name} (in {'/'.join(own[-count:])})"
    return f"{model.name} ({model.path})"
