"""``sdstudio history``: list, search and show what was drawn, and draw it again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, add_run_flags, opened_history
from sdstudio.cli.draw import Order, add_output_flags, draw, picture_facts
from sdstudio.cli.flags import given
from sdstudio.cli.history_exchange import add_exchange
from sdstudio.cli.history_marks import add_look_flags, add_marks, look_of
from sdstudio.cli.history_verify import add_verify
from sdstudio.core.errors import HistoryError
from sdstudio.core.models.model import parameters_of
from sdstudio.core.params import parameters
from sdstudio.core.paths import studio_paths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.pnginfo import infotext
from sdstudio.history.store import Entry
from sdstudio.jobs.model_hash import SHORT
from sdstudio.library.recall import recalled


def add_history(commands: Any) -> None:
    """Declare the command and its actions."""
    about = "list, search, re-run, import, export and check pictures"
    parser = commands.add_parser("history", help=about, description="The history.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="the newest pictures", description="List the newest pictures.")
    listing.set_defaults(run=_list, words=[])
    search = actions.add_parser("search", help="pictures whose prompt or parameters match", description="Search.")
    search.add_argument("words", nargs="+", metavar="WORD", help="all of them must occur")
    search.set_defaults(run=_list)
    for one in (listing, search):
        one.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most so many (default: 50)")
        one.add_argument("--json", action="store_true", help="print one JSON object for each picture")
        add_look_flags(one)

    show = actions.add_parser("show", help="everything about one picture", description="Show one picture's recipe.")
    show.add_argument("id", type=_positive, metavar="ID", help="its number in the history")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(run=_show)

    rerun = actions.add_parser(
        "rerun", help="draw a picture again", description="Draw a picture again from its recipe: the same pixels."
    )
    rerun.add_argument("id", type=_positive, metavar="ID", help="its number in the history")
    add_output_flags(rerun)
    add_run_flags(rerun)
    rerun.set_defaults(run=_rerun)
    add_marks(actions)
    add_exchange(actions)
    add_verify(actions)


def _list(args: argparse.Namespace, console: Console) -> int:
    look = look_of(args, " ".join(args.words))
    with opened_history(studio_paths()) as history:
        entries = history.listing.entries(history.listing.ids(look, args.limit))
    if args.json:
        for entry in entries:
            console.record(_facts(entry))
        return 0
    console.table([_row(entry) for entry in entries])
    if not entries:
        none_yet = 'No pictures yet. Draw one: sdstudio generate "red heart"'
        console.note(none_yet if look.is_whole else "No pictures match.")
    return 0


def _show(args: argparse.Namespace, console: Console) -> int:
    with opened_history(studio_paths()) as history:
        entry = history.get(args.id)
    if args.json:
        console.record({**_facts(entry), "recipe": entry.recipe.model_dump(mode="json")})
        return 0
    console.result(f"{entry.id}  {entry.created:%Y-%m-%d %H:%M:%S}  {entry.path}")
    console.result(infotext(entry.recipe))
    console.table([(name, json.dumps(value, ensure_ascii=False)) for name, value in entry.recipe.made_with.items()])
    return 0


def _rerun(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    with opened_history(studio.paths) as history:
        entry = history.get(args.id)
    recipe = recalled(studio.library, entry.recipe)
    seed = recipe.request.own_seed
    if seed is None:
        raise HistoryError(f"Picture {args.id} has no seed in its recipe.", "It cannot be drawn again.")
    model = studio.library.find(recipe.request.model)
    known = studio.library.known_hash(model)
    recorded = recipe.model_hash.casefold()
    if known and len(recorded) >= SHORT and not known.startswith(recorded[:SHORT]):  # A1111's old ones are shorter
        console.note(f"note: {model.name} has changed since picture {args.id} was drawn; the pixels may differ.")
    request = GenerationRequest.checked(recipe.request.model_dump() | {"model": model.key}, parameters_of(model))
    flags = given(args, parameters(Settings))
    order = Order(request, model, (seed,), settings=_as_recorded(studio.settings, recipe, flags))
    return draw(console, studio, order, args, parent_id=entry.id)


def _as_recorded(settings: Settings, recipe: Recipe, flags: Mapping[str, Any]) -> Callable[[str], Settings]:
    """Return what turns a device's title into the settings to draw with: the picture's own, and flags before them."""
    return lambda device: settings.as_recorded(recipe.made_with, device).model_copy(update=dict(flags))


def _facts(entry: Entry) -> Mapping[str, Any]:
    facts = picture_facts(entry.recipe, entry.path, entry.id)
    return {**facts, "created": entry.created.isoformat(), "rating": entry.rating, "favourite": entry.favourite}


def _row(entry: Entry) -> tuple[str, ...]:
    request = entry.recipe.request
    prompt = " ".join(request.prompt.split())
    return (
        str(entry.id), f"{entry.created:%Y-%m-%d %H:%M}", "{}x{}".format(*request.made_size), request.scheduler,
        str(request.seed), prompt if len(prompt) <= 60 else prompt[:59] + "…",
    )  # fmt: skip


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed: give a whole number from 1 on")
    return value
