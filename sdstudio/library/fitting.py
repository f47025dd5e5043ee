"""From the names in a request to the files that are attached to its model; what does not fit is refused before work."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import KIND_BY_KEY
from sdstudio.core.adapters import (
    EMBEDDING,
    LORA,
    UPSCALER,
    VAE,
    Adapter,
    embedding_names,
    explicit_embeddings,
    lora_uses,
)
from sdstudio.core.advanced_fields import FIRST_COMPATIBILITY
from sdstudio.core.asset import Asset
from sdstudio.core.errors import InvalidRequest, ModelError
from sdstudio.core.extra_networks import cut_networks
from sdstudio.core.inputs import InputPictures
from sdstudio.core.model import ModelInfo
from sdstudio.core.prompt_dialects import dialect_of
from sdstudio.core.prompt_wording import check_prompts
from sdstudio.core.request import GenerationRequest
from sdstudio.library.facts import VAE_HINT
from sdstudio.library.library import Library


class Fitting:
    """Fits models out with what requests name.

    Args:
        library: Where the names lead to files.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._inputs = InputPictures(library.paths)

    def check(self, request: GenerationRequest, model: ModelInfo) -> None:
        """Raise `InvalidRequest` for what cannot be read, is not there, or is nothing that the model takes."""
        check_prompts(request)
        self._input(request, model)
        for _ in self._adapters(request, model):
            pass

    def fitted(self, request: GenerationRequest, model: ModelInfo, cancel: threading.Event | None = None) -> ModelInfo:
        """Return a model with all that a request names attached, and its hashes; files that are new are read for them.

        Raises:
            InvalidRequest: As `check`.
            ModelNotFound: A file is gone.
            Cancelled: ``cancel`` was set by another thread.
        """
        adapters = []
        for adapter, asset in self._adapters(request, model):
            known = asset if asset.short_hash else self._library.hash_asset(asset, cancel=cancel)
            adapters.append(replace(adapter, hash=known.short_hash))
        picture = self._input(request, model)
        return replace(model, adapters=tuple(adapters), input_picture=picture) if adapters or picture else model

    def parent_of(self, request: GenerationRequest) -> int | None:
        """Return the entry of the history that a request begins from, ``None`` for any other picture and for none."""
        return self._inputs.parent_of(request.init_image) if request.init_image else None

    def _input(self, request: GenerationRequest, model: ModelInfo) -> Path | None:
        """Return the file of the picture that a request begins from."""
        if not request.init_image:
            return None
        if request.steps_run and not model.family_row.pipelines:
            said = f"Input picture: {model.name} cannot begin from one."
            raise InvalidRequest("init_image", said, "Choose a Stable Diffusion 1, 2 or XL model, or do without it.")
        return self._inputs.path_of(request.init_image)

    def _adapters(self, request: GenerationRequest, model: ModelInfo) -> Iterator[tuple[Adapter, Asset]]:
        if request.init_image and request.upscaler:
            asset = self._found(UPSCALER, request.upscaler, "upscaler")
            yield _adapter(asset, request.upscaler), asset
        if request.steps_run:  # else no model draws, and nothing is attached to it
            yield from self._attached(request, model)

    def _attached(self, request: GenerationRequest, model: ModelInfo) -> Iterator[tuple[Adapter, Asset]]:
        if model.lacks_vae and not request.vae:
            raise InvalidRequest("vae", f"VAE: {model.name} holds none.", VAE_HINT)
        has_comments = dialect_of(request.prompt_syntax, request.compatibility).has_comments
        for use in lora_uses(request.prompt, request.loras, has_comments):
            asset = self._found(LORA, use.name, use.field)
            _check_family(asset, model, use.field)
            adapter = replace(
                _adapter(asset, use.name), text_weight=use.text_weight, unet_weight=use.unet_weight,
                as_first=request.compatibility == FIRST_COMPATIBILITY,
            )  # fmt: skip
            yield adapter, asset
        yield from self._embeddings(request, model)
        if request.vae:
            asset = self._found(VAE, request.vae, "vae")
            _check_family(asset, model, "vae")
            yield _adapter(asset, request.vae), asset

    def _embeddings(self, request: GenerationRequest, model: ModelInfo) -> Iterator[tuple[Adapter, Asset]]:
        """Yield the embeddings that the prompts name.

        How they name one, their way to write decides. A mere word that happens to be an embedding of another family
        stays a word; ``embedding:word`` is refused. One that only the settings keep closed is refused too: as a word it
        would draw something else, and nobody said so.
        """
        texts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
        dialect = dialect_of(request.prompt_syntax, request.compatibility)
        cut = dialect.has_comments
        fields: Mapping[str, str] = {field: cut_networks(text, cut)[0] for field, text in texts.items()}
        if not any(fields.values()):
            return
        shelf = {asset.key: asset for asset in self._library.assets(EMBEDDING)}
        fitting = [key for key, asset in shelf.items() if (not asset.problem or asset.pickled) and _fits(asset, model)]
        found: dict[str, Asset] = {}
        for field, text in fields.items():
            for name in explicit_embeddings(text, dialect.naming):
                if name.casefold() not in {key.casefold() for key in fitting}:
                    _check_family(self._found(EMBEDDING, name, field), model, field)
            named = embedding_names(text, fitting, dialect.naming)
            found |= {name: _usable(shelf[name], name, field) for name in named}
        yield from ((_adapter(asset, name), asset) for name, asset in found.items())

    def _found(self, kind: str, name: str, field: str) -> Asset:
        try:
            asset = self._library.find_asset(kind, name)
        except ModelError as error:
            raise InvalidRequest(field, error.message, error.hint) from error
        return _usable(asset, name, field)


def _usable(asset: Asset, name: str, field: str) -> Asset:
    if asset.problem:
        said = f"{asset.kind_row.title} = {name[:200]}: {asset.problem}"
        raise InvalidRequest(field, said, "" if asset.pickled else "Choose another one.")
    return asset


def _adapter(asset: Asset, name: str) -> Adapter:
    return Adapter(asset.kind, name, asset.path, asset.family)


def _fits(asset: Asset, model: ModelInfo) -> bool:
    return not asset.family or asset.family == model.family


def _check_family(asset: Asset, model: ModelInfo, field: str) -> None:
    if _fits(asset, model):
        return
    title = KIND_BY_KEY[asset.kind].title
    made_for = FAMILY_BY_KEY[asset.family].title if asset.family in FAMILY_BY_KEY else "another kind of model"
    if asset.family == "other":
        made_for = "a kind of model that is not supported"
    said = f"{title} = {asset.name}: it is made for {made_for}; {model.name} is {model.family_row.title}."
    raise InvalidRequest(field, said, "Take it out, or choose a model of its family.")
