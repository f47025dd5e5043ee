"""What a model is to everyone who did not load it: where it lies, its family, and what it changes about a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sdstudio.catalog.families import FAMILY_BY_KEY, ModelFamily, Override, optional_fields
from sdstudio.catalog.kinds import INPAINT
from sdstudio.catalog.previews import PREVIEW_BY_KEY, PreviewSpec
from sdstudio.core.params import Parameter, parameters
from sdstudio.core.request.request import GenerationRequest


class ModelLayout(Enum):
    """How a model lies on disk."""

    FOLDER = "diffusers folder"
    SINGLE_FILE = "single file"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model on disk.

    Attributes:
        key: Stable name in requests: "starter", or the name of its folder or file; the absolute path when two share it.
        name: What the user reads.
        path: Its folder or file.
        family: Key in ``catalog.families``.
        layout: Folder or single file.
        pipeline: Diffusers pipeline class it names, "" when unknown.
        variant: Key in ``catalog.kinds.VARIANTS``, "" for none; "v_prediction?" when its file does not record it.
        size_bytes: Sum of its files.
        weights: How many numbers its networks are made of, 0 when its files do not record it.
        defaults: Request field -> the value this model wants ("steps": 20).
        sizes: Presets (width, height); the family's when empty.
        preview: Latent-to-RGB factors of its own, ``None`` for the family's.
        examples: Prompts this model draws well.
        problem: Why it cannot be used, "" when it can; also what it lacks, where ``lacks_vae``.
        lacks_vae: It draws only with a VAE of the request.
        warnings: What is odd about it and does not stop it: as values of its ``sdstudio.json`` that are not allowed.
    """

    key: str
    name: str
    path: Path
    family: str
    layout: ModelLayout = ModelLayout.FOLDER
    pipeline: str = ""
    variant: str = ""
    size_bytes: int = 0
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    sizes: tuple[tuple[int, int], ...] = ()
    preview: PreviewSpec | None = None
    examples: tuple[str, ...] = ()
    problem: str = ""
    warnings: tuple[str, ...] = ()
    lacks_vae: bool = False
    weights: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether it can draw, maybe with a VAE of the request."""
        return not self.problem or self.lacks_vae

    @property
    def family_row(self) -> ModelFamily:
        """Its family's row."""
        return FAMILY_BY_KEY[self.family]

    @property
    def idle_fields(self) -> frozenset[str]:
        """Fields of a request that do not act on its family, or on models of its variant, though they do on another."""
        of_variant = frozenset() if self.variant == INPAINT else frozenset({"mask_weight"})
        return (optional_fields() - self.family_row.takes) | of_variant

    @property
    def preview_spec(self) -> PreviewSpec | None:
        """Its latent-to-RGB factors, its own or its family's; ``None`` when neither is known."""
        return self.preview or PREVIEW_BY_KEY.get(self.family_row.preview)

    @property
    def size_presets(self) -> tuple[tuple[int, int], ...]:
        """Its recommended sizes, or its family's."""
        return self.sizes or self.family_row.sizes


def parameters_of(model: ModelInfo | None) -> dict[str, Parameter]:
    """Return a request's parameters as this model has them: declared, then its family's, then its own values."""
    rows: dict[str, Parameter] = {}
    idle = model.idle_fields if model is not None else frozenset()
    for row in parameters(GenerationRequest):
        if model is not None:
            row = row.overridden(model.family_row.overrides.get(row.name))
            if row.name in idle:
                row = row.overridden(Override(hidden=True))
            if row.name in model.defaults:
                row = row.overridden(Override(default=model.defaults[row.name]))
        rows[row.name] = row
    return rows


def default_request(model: ModelInfo) -> GenerationRequest:
    """Return the request a fresh panel shows for this model."""
    values = {row.name: row.default for row in parameters_of(model).values() if row.default is not None}
    return GenerationRequest.checked({**values, "model": model.key})
