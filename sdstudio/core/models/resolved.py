"""What one job is drawn with: a request, and every file that it names, found on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sdstudio.catalog.kinds import DETECTOR, EMBEDDING, LORA, UPSCALER, VAE
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.input_fields import InputRole
from sdstudio.core.request.request import GenerationRequest

_NO_PICTURES: Final[Mapping[InputRole, Path]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """A request whose names have become files: all that a backend needs to know about what it draws.

    Attributes:
        request: What to draw.
        model: The model that draws, as it lies on disk.
        loras: Attached to the model, in the order of the request.
        embeddings: What the prompts may name.
        vae: Takes the place of the model's own; ``None`` for that.
        upscaler: Enlarges an input picture, or one for its second pass; ``None`` for Lanczos.
        finisher: Enlarges the finished picture; ``None`` for Lanczos.
        detector: Finds the regions that are redrawn; ``None`` where none is looked for.
        pictures: The file of each input picture, by its role; no entry for a role that the request leaves blank.
    """

    request: GenerationRequest
    model: ModelInfo
    loras: tuple[Adapter, ...] = ()
    embeddings: tuple[Adapter, ...] = ()
    vae: Adapter | None = None
    upscaler: Adapter | None = None
    finisher: Adapter | None = None
    detector: Adapter | None = None
    pictures: Mapping[InputRole, Path] = field(default_factory=lambda: _NO_PICTURES)

    @classmethod
    def of(
        cls, request: GenerationRequest, model: ModelInfo, adapters: Iterable[Adapter] = (),
        pictures: Mapping[InputRole, Path] = _NO_PICTURES, finisher: Adapter | None = None,
    ) -> ResolvedRequest:  # fmt: skip
        """Return a resolved request, with each adapter but the finisher where its kind belongs."""
        by_kind: dict[str, list[Adapter]] = {}
        for adapter in adapters:
            by_kind.setdefault(adapter.kind, []).append(adapter)
        return cls(
            request, model, tuple(by_kind.get(LORA, ())), tuple(by_kind.get(EMBEDDING, ())),
            next(iter(by_kind.get(VAE, ())), None), next(iter(by_kind.get(UPSCALER, ())), None), finisher,
            next(iter(by_kind.get(DETECTOR, ())), None), pictures,
        )  # fmt: skip

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """All files beside the model, in the order in which recipes list them."""
        detector = (self.detector,) if self.detector is not None else ()
        upscaler = (self.upscaler,) if self.upscaler is not None else ()
        vae = (self.vae,) if self.vae is not None else ()
        finisher = (self.finisher,) if self.finisher is not None and self.finisher != self.upscaler else ()
        return (*upscaler, *self.loras, *self.embeddings, *vae, *finisher, *detector)
