"""One file that is attached to a model, or enlarges its pictures, as a job uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdstudio.catalog.kinds import LORA


@dataclass(frozen=True, slots=True)
class Adapter:
    """One file that is attached to a model.

    Attributes:
        kind: `LORA`, `EMBEDDING`, `VAE` or one that is attached to no model: `UPSCALER` enlarges pictures, `DETECTOR`
            finds regions.
        name: As requests call it.
        path: Its file, or of a VAE its folder.
        family: Key in ``catalog.families`` it was made for, "" when that is not known.
        hash: Short hash as A1111 writes it, "" when it is not known.
        text_weight: How strongly a LoRA acts on the text encoders.
        unet_weight: How strongly it acts on the UNet.
        second_weights: The same two in a second pass; ``None`` for no others.
        as_first: Whether a LoRA is read as version 0.1 read it, for pictures that it made.
        remarks: What the user should know about how it was chosen, a sentence each.
    """

    kind: str
    name: str
    path: Path
    family: str = ""
    hash: str = ""
    text_weight: float = 1.0
    unet_weight: float = 1.0
    second_weights: tuple[float, float] | None = None
    as_first: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def recorded(self) -> dict[str, Any]:
        """What a recipe records of it."""
        row: dict[str, Any] = {"kind": self.kind, "name": self.name, "hash": self.hash}
        if self.kind != LORA:
            return row
        row |= {"text_weight": self.text_weight, "unet_weight": self.unet_weight}
        return row if self.second_weights is None else {**row, "second_weights": list(self.second_weights)}

    def weights(self, second: bool) -> tuple[float, float]:
        """Return how strongly a LoRA acts on the text encoders and on the UNet, in the first or in the second pass."""
        own = self.text_weight, self.unet_weight
        return self.second_weights if second and self.second_weights is not None else own
