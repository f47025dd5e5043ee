"""``sdstudio generate``: pictures from a prompt and flags that the request's declaration provides."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any, Final

from sdstudio.catalog.built_in import STARTER
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, add_run_flags
from sdstudio.cli.draw import Order, add_output_flags, draw
from sdstudio.cli.flags import add_flags, given
from sdstudio.cli.init_image import SIZE_RULE, begun, with_inputs
from sdstudio.cli.presets import take_preset
from sdstudio.core.models.model import default_request, parameters_of
from sdstudio.core.params import parameters
from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.prompts.wildcards import Wildcards
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.rules import idle_fields, over_defaults
from sdstudio.core.request.submission import shares_of

_EPILOG: Final = f"""\
Without --out the pictures go into the history, where the window shows them too; with --out they go there and nowhere
else. Every PNG carries its recipe. A parameter that is not given has the value that the model asks for.

{SIZE_RULE}
  sdstudio generate "a red heart" --out heart.png --seed 7
  sdstudio generate "frog on a blue background" --count 4 --batch-size 2 --json
  sdstudio generate "a {{red|blue}} __animal__" --count 4
  sdstudio generate "a {{red|blue}} heart" --wildcards all --style Watercolour
  sdstudio generate "a fox" --preset "Fast draft" --seed 7
  sdstudio generate "a blue heart" --init-image heart.png --strength 0.6
  sdstudio generate "a hat" --init-image cat.png --mask head.png --masked-content fill --only-masked 32
"""


def add_generate(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "generate", help="draw pictures", description="Draw pictures.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("prompt", metavar="PROMPT", help="what to draw; may be empty")
    parser.add_argument(
        "--style", metavar="NAME", action="append", default=[],
        help="set the prompts into this style, several one after the other; see `sdstudio styles list`",
    )  # fmt: skip
    parser.add_argument(
        "--preset", metavar="NAME", default="",
        help="take the values of a preset, where no flag says otherwise; see `sdstudio presets list`",
    )  # fmt: skip
    add_output_flags(parser)
    rows = [row for row in parameters(GenerationRequest) if row.name != "prompt"]
    add_flags(parser.add_argument_group("picture"), (*rows, *parameters(RunOptions)))
    add_run_flags(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, console: Console) -> int:
    with with_inputs(Studio.open(console, args), args.out) as studio:
        return _generate(args, console, studio)


def _generate(args: argparse.Namespace, console: Console, studio: Studio) -> int:
    typed = given(args, parameters(GenerationRequest)).keys()
    take_preset(args, studio.paths, console)
    model = studio.library.find(getattr(args, "model", STARTER))
    values = begun(given(args, parameters(GenerationRequest)), model, studio)
    values |= {"model": model.key, "prompt": args.prompt}
    request = GenerationRequest.checked(
        over_defaults(default_request(model).model_dump(), values), parameters_of(model)
    )
    _note_idle(typed, request, console)
    options = RunOptions.checked(given(args, parameters(RunOptions)))
    styles = StyleBook.of_styles(studio.paths).named(args.style)
    shares = shares_of(request, options, styles, Wildcards.read(studio.paths))
    return draw(console, studio, Order.of_shares(shares, model, options.batch_size), args)


def _note_idle(typed: Collection[str], request: GenerationRequest, console: Console) -> None:
    """Say which flags were given that do not act beside the others; a recipe keeps them all the same."""
    idle = idle_fields(request.model_dump())
    flags = [row.flag for row in parameters(GenerationRequest) if row.name in typed and row.name in idle]
    if flags:
        console.note(f"note: {', '.join(flags)}: without effect beside the other parameters of this picture.")
