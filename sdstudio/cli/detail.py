"""``sdstudio detail``: regions of pictures of files and of the history, redrawn each at the full size."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sdstudio.catalog.built_in import STARTER
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, add_run_flags
from sdstudio.cli.draw import Order, add_output_flags, draw_all
from sdstudio.cli.flags import add_flags, given
from sdstudio.cli.init_image import entry_of, kept, with_inputs
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.params import Parameter, parameters
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.input_fields import DETAIL_MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.submission import Share, seeds_for
from sdstudio.jobs.detail_orders import DETAIL_ROWS, detail_request

_GROUPS: Final = frozenset({"Model", "Size", "Sampling", "LoRA and VAE"})
_NOT_ASKED: Final = frozenset({"steps", "guidance_scale", "finish", "finish_upscaler"})

_EPILOG: Final = """\
A picture is a file, or the number of one in the history, whose prompt, model, sampler and seed then hold for the
regions where no flag says otherwise. Regions are found by a detector, which `sdstudio models download
grounding-dino-tiny` gets, or marked by hand, and drawn at --width x --height; all else of the picture stays as it is,
pixel by pixel, and what is transparent becomes white.

  sdstudio detail 12 --query "a face" --prompt "a smiling face" --strength 0.5
  sdstudio detail photo.png --boxes "40,30,120,110; 200,40,260,100" --prompt "a cat [SEP] a dog" --out better.png
  sdstudio detail 12 13 --query "a face. a hand." --top-k 4 --json
"""


def _rows() -> tuple[Parameter, ...]:
    """Return the flags: the detailer's fields by short names, and what else its regions are drawn with."""
    short = [replace(row, ui=replace(row.ui, flag=_flag(row.name), more_flags=())) for row in DETAIL_ROWS]
    others = [row for row in parameters(GenerationRequest) if row.ui.group in _GROUPS and row.name not in _NOT_ASKED]
    return (*short, *others)


_FLAGS: Final = {"detail": "--query", "detail_model": "--detector", "detail_mask": "--detail-mask"}
"""Flags that are not the field's name without "detail"."""


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name.removeprefix('detail_').replace('_', '-')}")


def add_detail(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "detail", help="redraw regions of pictures", description="Redraw regions of pictures, each at the full size.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("pictures", metavar="FILE|ID", nargs="+", help="what to redraw regions of")
    add_output_flags(parser)
    add_flags(parser.add_argument_group("regions"), _rows())
    add_run_flags(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, console: Console) -> int:
    with with_inputs(Studio.open(console, args), args.out) as studio:
        values = given(args, _rows())
        inputs = InputPictures(studio.paths)
        if values.get(DETAIL_MASK.field):
            values[DETAIL_MASK.field] = kept(values[DETAIL_MASK.field], inputs, studio).id
        orders: list[Order] = []
        for named in args.pictures:
            request, model = _request(named, inputs, values, studio)
            shares = (Share(request, seeds_for(request, 1)),)
            orders.append(replace(Order.of_shares(shares, model, 1), first=len(orders)))
        return draw_all(console, studio, orders, args)


def _request(
    named: str, inputs: InputPictures, values: Mapping[str, Any], studio: Studio
) -> tuple[GenerationRequest, ModelInfo]:
    picture = kept(named, inputs, studio)
    entry = entry_of(picture, studio)
    own = entry.recipe.request if entry is not None else None
    model = studio.library.find(values.get("model") or (own.model if own is not None else STARTER))
    return detail_request(own, picture.id, model, values), model
