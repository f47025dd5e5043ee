"""Which model of the library a picture was made with: by the hash it carries, else by the name."""

from __future__ import annotations

from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.library.library import Library

HASH_DIGITS = 8
"""Fewest digits that name a hash; A1111's has 10."""


def model_of(library: Library, recipe: Recipe) -> ModelInfo | None:
    """Return the model, ``None`` when the library has none that can draw. No file is read for its hash.

    Other programs write a model's name as its file is called, or as they list it: blanks, dashes and case do not count.
    """
    usable = [model for model in library.models() if model.is_usable]
    wanted = recipe.model_hash.casefold()
    if len(wanted) >= HASH_DIGITS:
        for model in usable:
            if library.known_hash(model).startswith(wanted):
                return model
    names = [_folded(name) for name in (recipe.request.model, recipe.model_name) if name]
    for name in names:
        for model in usable:
            if name and name in {_folded(text) for text in (model.key, model.name, model.path.name, model.path.stem)}:
                return model
    return None


def recalled(library: Library, recipe: Recipe) -> Recipe:
    """Return an imported picture's recipe with its model as the library knows it; others are left as they are."""
    model = model_of(library, recipe) if IMPORTED in recipe.made_with else None
    if model is None:
        return recipe
    return recipe.model_copy(update={"request": recipe.request.model_copy(update={"model": model.key})})


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
