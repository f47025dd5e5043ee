"""From the names in a request to the files that it is drawn with; what does not fit is refused before work."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Final

from sdstudio.catalog.families import FAMILY_BY_KEY, titles_that_take
from sdstudio.catalog.kinds import DETECTOR, EMBEDDING, KIND_BY_KEY, LORA, PICKLES, UPSCALER, VAE
from sdstudio.core.compatibility import FIRST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.masks import check_mask
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.named_files import LoraUse, embedding_names, explicit_embeddings, lora_uses
from sdstudio.core.request.detail_fields import detector_of, has_detail, region_texts
from sdstudio.core.request.finish_fields import is_finished
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES, MASK, InputRole, idle_without_picture
from sdstudio.core.request.outpaint_fields import check_extent, sides_in
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import over_input, prompt_texts, second_upscaler
from sdstudio.core.request.wording import check_prompts
from sdstudio.library.choosing import Chooser, Chosen, fits
from sdstudio.library.library import Library
from sdstudio.library.scanning.facts import VAE_HINT

NO_DETECTOR_HINT: Final = (
    "Get Grounding DINO on the Library page, or with `sdstudio models download grounding-dino-tiny`; or mark regions "
    "by hand."
)


class RequestResolver:
    """Finds the files that requests name.

    Args:
        library: Where the names lead to files.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._inputs = InputPictures(library.paths)

    def check(self, request: GenerationRequest, model: ModelInfo) -> None:
        """Raise `InvalidRequest` for what cannot be read, is not there, or is nothing that the model takes."""
        check_prompts(request)
        _check_variations(request, model)
        _check_detail(request, model)
        self._pictures(request, model)
        chooser = Chooser(self._library)
        for _ in (*self._adapters(request, model, chooser), *_finisher(request, model, chooser)):
            pass

    def resolve(
        self, request: GenerationRequest, model: ModelInfo, cancel: threading.Event | None = None
    ) -> ResolvedRequest:
        """Return a request with the files of all that it names, and their hashes; files that are new are read for them.

        Raises:
            InvalidRequest: As `check`.
            ModelNotFound: A file is gone.
            Cancelled: ``cancel`` was set by another thread.
        """
        _check_variations(request, model)
        _check_detail(request, model)
        chooser = Chooser(self._library, reads=True, cancel=cancel)

        def hashed(pairs: Iterator[tuple[Adapter, Asset]]) -> Iterator[Adapter]:
            for adapter, asset in pairs:
                known = asset if asset.short_hash else self._library.hash_asset(asset, cancel=cancel)
                yield replace(adapter, hash=known.short_hash)

        adapters = list(hashed(self._adapters(request, model, chooser)))
        finisher = next(hashed(_finisher(request, model, chooser)), None)
        return ResolvedRequest.of(request, model, adapters, self._pictures(request, model), finisher)

    def parent_of(self, request: GenerationRequest) -> int | None:
        """Return the entry of the history that a request begins from, ``None`` for any other picture and for none."""
        picture_id = INIT.picture_in(request)
        return self._inputs.parent_of(picture_id) if picture_id else None

    def _pictures(self, request: GenerationRequest, model: ModelInfo) -> Mapping[InputRole, Path]:
        """Return the files of the pictures that a request names, by their roles."""
        files: dict[InputRole, Path] = {}
        idle = idle_without_picture(dict(request))
        for role in INPUT_ROLES.values():
            picture_id = role.picture_in(request)
            if not picture_id:
                continue
            if role.field in idle:
                other = next(row for row in INPUT_ROLES.values() if role.field in row.dependent)
                message = f"{role.title}: it goes with an {other.title.lower()}, and there is none."
                raise InvalidRequest(role.field, message, f"Choose an {other.title.lower()}, or do without it.")
            if request.steps_run and role.field in model.idle_fields:
                message = f"{role.title}: {model.name} cannot begin from one."
                hint = f"Choose a model of {titles_that_take(role.field)}, or do without it."
                raise InvalidRequest(role.field, message, hint)
            files[role] = self._inputs.path_of(picture_id, role)
        if INIT in files:
            check_extent(sides_in(request.outpaint), self._inputs.size_of(INIT.picture_in(request)))
        if MASK in files:
            check_mask(files[MASK], files[INIT], request.mask_mode, request.mask_blending)
        return files

    def _adapters(
        self, request: GenerationRequest, model: ModelInfo, chooser: Chooser
    ) -> Iterator[tuple[Adapter, Asset]]:
        if INIT.picture_in(request) and request.upscaler and not over_input(request):
            yield _adapter(chooser.chosen(UPSCALER, request.upscaler, "upscaler", request, model), request.upscaler)
        name = second_upscaler(request)
        if name:
            yield _adapter(chooser.chosen(UPSCALER, name, "hires_upscaler", request, model), name, "hires_upscaler")
        if detector_of(request) is not None:
            yield self._detector(request, model, chooser)
        if request.steps_run or has_detail(dict(request)):  # else no model draws, and nothing is attached to it
            yield from self._attached(request, model, chooser)

    def _detector(self, request: GenerationRequest, model: ModelInfo, chooser: Chooser) -> tuple[Adapter, Asset]:
        """Return what finds a request's regions: the one that it names, else the one that its recipe records, or any.

        Raises:
            InvalidRequest: There is none.
        """
        name = request.detail_model
        if not name:
            usable = [asset for asset in self._library.assets(DETECTOR) if not asset.problem]
            if not usable:
                message = f"{KIND_BY_KEY[DETECTOR].title}: there is none to look for {request.detail[:80]!r}."
                raise InvalidRequest("detail", message, NO_DETECTOR_HINT)
            recorded = dict(request.file_hashes)
            name = next((asset.key for asset in usable if asset.key in recorded), usable[0].key)
        return _adapter(chooser.chosen(DETECTOR, name, "detail_model", request, model), name, "detail_model")

    def _attached(
        self, request: GenerationRequest, model: ModelInfo, chooser: Chooser
    ) -> Iterator[tuple[Adapter, Asset]]:
        brought: set[str] = set()
        if model.lacks_vae and not request.vae:
            raise InvalidRequest("vae", f"VAE: {model.name} holds none.", VAE_HINT)
        has_comments = dialect_of(request.prompt_syntax, request.compatibility).has_comments
        for use, second in _lora_uses(request, has_comments):
            adapter, asset = _adapter(chooser.chosen(LORA, use.name, use.field, request, model), use.name, use.field)
            _check_family(asset, model, use.field)
            brought |= {name.casefold() for name in asset.bundled}
            as_first = request.compatibility == FIRST_COMPATIBILITY
            adapter = replace(
                adapter, as_first=as_first, text_weight=use.text_weight, unet_weight=use.unet_weight,
                second_weights=second,
            )  # fmt: skip
            yield adapter, asset
        yield from self._embeddings(request, model, chooser, brought)
        if request.vae:
            adapter, asset = _adapter(chooser.chosen(VAE, request.vae, "vae", request, model), request.vae, "vae")
            _check_family(asset, model, "vae")
            yield adapter, asset

    def _embeddings(
        self, request: GenerationRequest, model: ModelInfo, chooser: Chooser, brought: Set[str]
    ) -> Iterator[tuple[Adapter, Asset]]:
        """Yield the embeddings that the prompts name, but for those that a LoRA brings along.

        How they name one, their way to write decides. A mere word that happens to be an embedding of another family
        stays a word; ``embedding:word`` is refused. One that only the settings keep closed is refused too: as a word it
        would draw something else, without a message.
        """
        dialect = dialect_of(request.prompt_syntax, request.compatibility)
        cut = dialect.has_comments
        texts = prompt_texts(request) | region_texts(request)
        fields: Mapping[str, str] = {field: cut_networks(text, cut)[0] for field, text in texts.items()}
        if not any(fields.values()):
            return
        shelf = self._library.assets(EMBEDDING)
        fitting = [asset for asset in shelf if (not asset.problem or asset.pickled) and fits(asset, model)]
        words = [name for asset in fitting for name in (asset.key, asset.key.rpartition("/")[2])]
        known = {name.casefold() for name in words}
        by_name: dict[str, tuple[Adapter, Asset]] = {}
        for field, text in fields.items():
            explicit = explicit_embeddings(text, dialect.naming)
            named = [name for name in explicit if name.casefold() not in brought - known]
            for name in embedding_names(text, [*named, *words], dialect.naming):
                adapter, asset = _adapter(chooser.chosen(EMBEDDING, name, field, request, model), name, field)
                _check_family(asset, model, field)
                by_name[name] = adapter, asset
        yield from by_name.values()


def _lora_uses(
    request: GenerationRequest, has_comments: bool
) -> Iterator[tuple[LoraUse, tuple[float, float] | None]]:  # fmt: skip
    """Yield the LoRA that a request names, each with the weights of its second pass where they are others."""
    texts = prompt_texts(request)
    field = "hires_prompt" if "hires_prompt" in texts else "prompt"
    second = {use.name: use for use in lora_uses(texts[field], request.loras, has_comments, field)}
    if "prompt" not in texts or field == "prompt":
        yield from ((use, None) for use in second.values())
        return
    first = {use.name: use for use in lora_uses(texts["prompt"], request.loras, has_comments)}
    for name in dict.fromkeys((*first, *second)):
        use = first.get(name) or replace(second[name], text_weight=0.0, unet_weight=0.0)
        other = second.get(name) or replace(use, text_weight=0.0, unet_weight=0.0)
        weights = other.text_weight, other.unet_weight
        yield use, None if weights == (use.text_weight, use.unet_weight) else weights


def _check_variations(request: GenerationRequest, model: ModelInfo) -> None:
    """Raise `InvalidRequest` where pictures would all be the same: they count a seed on that does not act."""
    if request.variation_strength and "variation_strength" in model.idle_fields:
        message = f"Variation strength = {request.variation_strength:g}: {model.name} takes none."
        hint = f"Choose a model of {titles_that_take('variation_strength')}, or leave it at 0."
        raise InvalidRequest("variation_strength", message, hint)


def _finisher(request: GenerationRequest, model: ModelInfo, chooser: Chooser) -> Iterator[tuple[Adapter, Asset]]:
    """Yield the file that enlarges the finished pictures of a request; nothing for Lanczos, and where none does."""
    name = request.finish_upscaler
    if name and is_finished(request):
        yield _adapter(chooser.chosen(UPSCALER, name, "finish_upscaler", request, model), name, "finish_upscaler")


def _check_detail(request: GenerationRequest, model: ModelInfo) -> None:
    """Raise `InvalidRequest` where a model cannot redraw regions."""
    if has_detail(dict(request)) and "detail" in model.idle_fields:
        message = f"Detailer: {model.name} draws no regions of a picture."
        hint = f"Choose a model of {titles_that_take('detail')}, or do without it."
        raise InvalidRequest("detail", message, hint)


def _usable(asset: Asset, name: str, field: str) -> Asset:
    if asset.problem:
        message = f"{asset.kind_row.title} = {name[:200]}: {asset.problem}"
        is_pickle = asset.pickled or asset.path.suffix.lower() in PICKLES  # whose problem is the message
        raise InvalidRequest(field, message, "" if is_pickle else "Choose another one.")
    return asset


def _adapter(chosen: Chosen, name: str, field: str = "upscaler") -> tuple[Adapter, Asset]:
    asset = _usable(chosen.asset, name, field)
    return Adapter(asset.kind, name, asset.path, asset.family, remarks=chosen.remarks), asset


def _check_family(asset: Asset, model: ModelInfo, field: str) -> None:
    if fits(asset, model):
        return
    title = KIND_BY_KEY[asset.kind].title
    made_for = FAMILY_BY_KEY[asset.family].title if asset.family in FAMILY_BY_KEY else "another kind of model"
    if asset.family == "other":
        made_for = "a kind of model that is not supported"
    message = f"{title} = {asset.name}: it is made for {made_for}; {model.name} is {model.family_row.title}."
    raise InvalidRequest(field, message, "Take it out, or choose a model of its family.")
