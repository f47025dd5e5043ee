"""What is known of where a picture comes from, without the readers of all programs, which take long to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sdstudio.core.request.recipe import IMPORTED, Recipe

INPUT_PICTURE: Final = "Input picture"
"""Under this name one text is enough."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture records about how it was made.

    Attributes:
        program: Who made it: "ComfyUI"; "" for the studio itself.
        recipe: As far as the studio can do it.
        not_mapped: What it has no field for, or holds a value it does not allow: name -> text.
        assumed: Titles of fields that the picture does not record and that have the studio's default.
    """

    program: str
    recipe: Recipe
    not_mapped: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    assumed: tuple[str, ...] = ()


def origin_of(recipe: Recipe) -> Reading | None:
    """Return what was read when an imported picture's recipe was made, ``None`` for pictures of the studio."""
    kept = recipe.made_with.get(IMPORTED)
    if not isinstance(kept, Mapping):
        return None
    left = kept.get("not_mapped")
    assumed = kept.get("assumed")
    return Reading(
        str(kept.get("program", "")),
        recipe,
        {str(name): str(text) for name, text in left.items()} if isinstance(left, Mapping) else {},
        tuple(str(name) for name in assumed) if isinstance(assumed, list | tuple) else (),
    )
