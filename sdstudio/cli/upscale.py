"""``sdstudio upscale``: pictures made larger, by a network or Lanczos, and drawn over where a strength is given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from sdstudio.catalog.built_in import STARTER
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, add_run_flags
from sdstudio.cli.draw import Order, add_output_flags, draw_all
from sdstudio.cli.flags import add_flags, given
from sdstudio.cli.init_image import entry_of, kept, with_inputs
from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import InvalidRequest, ModelError
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.params import FieldKind, Parameter, Ui, parameters
from sdstudio.core.pictures.input_size import SIDE_MAXIMUM, enlarging, is_allowed, larger
from sdstudio.core.pictures.input_store import InputPictures, KeptPicture
from sdstudio.core.request.finish_fields import FINISH_FIELDS
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import over_defaults
from sdstudio.core.request.submission import Share, seeds_for
from sdstudio.history.store import Entry

FACTOR: Final = Parameter(
    "factor",
    "Factor",
    "How many times as wide and as high.",
    FieldKind.NUMBER,
    2.0,
    Ui(decimals=2),
    minimum=1,
    maximum=16,
)
_NOT_ASKED: Final = (frozenset(enlarging("", (0, 0), "")) | FINISH_FIELDS) - {"upscaler"}
"""Fields that follow from the picture and the factor."""

_EPILOG: Final = """\
A picture is a file, or the number of one in the history. With --strength above 0 the model draws over the larger
picture: one of the history with its own prompt, model, sampler and seed, and what is given goes before them. Without it
no model is loaded. Sides are rounded to what a picture can have, multiples of 8.

  sdstudio upscale 12 --upscaler RealESRGAN_x4plus
  sdstudio upscale photo.png --factor 4 --out large.png
  sdstudio upscale 12 13 --factor 1.5 --strength 0.3 --json
"""


def add_upscale(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "upscale", help="make pictures larger", description="Make pictures larger.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("pictures", metavar="FILE|ID", nargs="+", help="what to make larger")
    add_output_flags(parser)
    rows = (replace(row, default=0.0) if row.name == "strength" else row for row in parameters(GenerationRequest))
    asked = [row for row in rows if row.name not in _NOT_ASKED]
    add_flags(parser.add_argument_group("picture"), (FACTOR, *asked))
    add_run_flags(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, console: Console) -> int:
    with with_inputs(Studio.open(console, args), args.out) as studio:
        return _upscale(args, console, studio)


def _upscale(args: argparse.Namespace, console: Console, studio: Studio) -> int:
    factor = getattr(args, FACTOR.name, FACTOR.default)
    check_bounds(FACTOR, factor)
    values = {"strength": 0.0, **given(args, parameters(GenerationRequest))}
    inputs = InputPictures(studio.paths)
    asked = []
    for named in args.pictures:
        picture = kept(named, inputs, studio)
        size = _larger(named, inputs.size_of(picture.id), factor)
        asked.append(_request(picture, size, values, studio))
    return draw_all(console, studio, _orders(asked), args)


def _larger(named: str, size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return the size of an enlarged picture. Raises: InvalidRequest."""
    wanted = larger(size, factor)
    if is_allowed(wanted):
        return wanted
    size_named = f"{wanted[0]} x {wanted[1]}"
    message = f"Factor = {factor:g}: {named} would have {size_named}; allowed is up to {SIDE_MAXIMUM} a side."
    most = SIDE_MAXIMUM / max(size)
    hint = f"Use at most {int(most * 100) / 100:g}." if most >= 1 else "It is as large as a picture can be."
    raise InvalidRequest(FACTOR.name, message, hint)


def _request(
    picture: KeptPicture, size: tuple[int, int], values: Mapping[str, Any], studio: Studio
) -> tuple[GenerationRequest, ModelInfo]:
    """Return what makes a picture larger, beginning with all that it was drawn with where the history knows it."""
    entry = entry_of(picture, studio)
    model = _model(entry, values, studio)
    own = entry.recipe.request if entry is not None else default_request(model)
    fixed = {"model": model.key, **enlarging(picture.id, size, values.get("upscaler", ""))}
    request = GenerationRequest.checked({**over_defaults(own.model_dump(), values), **fixed}, parameters_of(model))
    return request, model


def _model(entry: Entry | None, values: Mapping[str, Any], studio: Studio) -> ModelInfo:
    """Return the model that is given, the picture's own, or any: where it only becomes larger none draws."""
    if "model" in values or entry is None:
        return studio.library.find(values.get("model", STARTER))
    try:
        return studio.library.find(entry.recipe.request.model)
    except ModelError:
        if values["strength"]:
            raise
        return studio.library.find(STARTER)


def _orders(asked: list[tuple[GenerationRequest, ModelInfo]]) -> list[Order]:
    """Return orders of one model each, in the order of the pictures."""
    orders: list[Order] = []
    for _, group in groupby(asked, lambda pair: pair[1].key):
        pairs = list(group)
        shares = tuple(Share(request, seeds_for(request, 1)) for request, _ in pairs)
        before = sum(len(order.seeds) for order in orders)
        orders.append(replace(Order.of_shares(shares, pairs[0][1], 1), first=before))
    return orders
