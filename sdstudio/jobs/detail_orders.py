"""From a picture of the history, or any other, to the request that redraws regions of it and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.params import Parameter, parameters
from sdstudio.core.pictures.input_size import enlarging
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.detail_fields import DETAIL_GROUP, check_boxes, has_detail
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import over_defaults
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.store import Entry
from sdstudio.jobs.upscale_orders import Order, Orders

DETAIL_ROWS: Final[tuple[Parameter, ...]] = tuple(
    row for row in parameters(GenerationRequest) if row.ui.group == DETAIL_GROUP
)
"""The fields that say which regions are redrawn, and how."""

_KEPT: Final = {
    "strength": 0.0, "variation_strength": 0.0, "hires": 1.0, "hires_resize": "", "tile_redraw": "", "seamless": "off",
}  # fmt: skip
"""Nothing but the regions is drawn."""


def detail_request(
    own: GenerationRequest | None, picture_id: str, model: ModelInfo, values: Mapping[str, Any]
) -> GenerationRequest:
    """Return what redraws regions of a kept picture at the size that its model is made for.

    Args:
        own: What the picture was drawn by, where that is known: its prompts, seed and sampler hold for the regions too.
        picture_id: The picture's.
        model: What draws.
        values: Of the detailer, and others that go before the picture's own.

    Raises:
        InvalidRequest: A value is not allowed, or no region is named.
    """
    if not has_detail(values):
        hint = "Say what to look for, or mark regions."
        raise InvalidRequest("detail", "Detailer: there is nothing to redraw.", hint)
    usual = default_request(model)
    begun = own if own is not None else usual
    if own is not None:
        begun = begun.with_seed(own.own_seed) if own.own_seed is not None else begun
        values = {"seed": own.own_seed, **values}
    unset = {row.name: row.default for row in DETAIL_ROWS}
    size = int(values.get("width", usual.width)), int(values.get("height", usual.height))
    fixed = {**enlarging(picture_id, size, ""), **_KEPT, "model": model.key}
    asked = {**over_defaults({**begun.model_dump(), **unset}, values), **fixed}
    return GenerationRequest.checked({**asked, **{name: values[name] for name in unset if name in values}},
                                     parameters_of(model))  # fmt: skip


def orders_for(
    entries: Sequence[Entry], values: Mapping[str, Any], pictures: InputPictures,
    model_of: Callable[[Entry], ModelInfo], tell: OnProgress, stop: Callable[[], bool],
) -> Orders:  # fmt: skip
    """Keep pictures as inputs, and return what redraws regions of each; what cannot be is left out. On any thread.

    Args:
        entries: The pictures.
        values: Of the detailer.
        pictures: Where inputs are kept.
        model_of: Returns the model that drew a picture; raises ModelError.
        tell: Called with its progress.
        stop: Asked whether to end early.
    """
    orders = Orders()
    for at, entry in enumerate(entries):
        if stop():
            orders.stopped = True
            break
        tell(at, len(entries), entry.path.name)
        try:
            if entry.recipe.blocked:
                raise StudioError("It was blocked, there is nothing to redraw.")
            kept = pictures.keep(entry.path, entry.id)
            check_boxes(str(values.get("detail_boxes") or ""), pictures.size_of(kept.id))
            request = detail_request(entry.recipe.request, kept.id, model_of(entry), values)
            orders.orders.append(Order(entry, request))
        except StudioError as error:
            orders.failed.append((entry, error))
    tell(len(entries), len(entries), "")
    return orders
