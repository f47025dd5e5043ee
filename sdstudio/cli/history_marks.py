"""``sdstudio history``: flags that narrow and order a list, one for each facet, and ``mark``, which rates and tags."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from sdstudio.cli.console import Console
from sdstudio.cli.context import opened_history
from sdstudio.core.paths import studio_paths
from sdstudio.core.pictures.opening import shown
from sdstudio.history.database.look import DAYS, FACETS, RATING_MAXIMUM, SORTS, Facet, Look
from sdstudio.history.database.marks import Marks, checked_name, tidy

_HELP: Final = {
    "rating": "this many stars or more, 0 for those without",
    "date": f"{', '.join(DAYS)}, or a beginning of the date: 2026, 2026-11, 2026-11-24",
    "size": "width x height: 512x768",
}
_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


def add_look_flags(parser: argparse.ArgumentParser) -> None:
    """Declare a flag for each facet, and the order."""
    group = parser.add_argument_group("which pictures")
    for facet in FACETS:
        if len(facet.fixed) == 1 and not facet.listing:
            group.add_argument(f"--{facet.key}", action="append_const", const=facet.fixed[0], dest=f"of_{facet.key}",
                               default=[], help=facet.title.lower())  # fmt: skip
            continue
        group.add_argument(
            f"--{facet.key}", action="append", type=_value_of(facet), default=[], dest=f"of_{facet.key}",
            metavar=facet.key.upper(), help=_HELP.get(facet.key, f"of this {facet.title.lower()}; may be repeated"),
        )  # fmt: skip
    keys = [row.key for row in SORTS]
    group.add_argument("--sort", choices=keys, default=keys[0], help=f"the order (default: {keys[0]})")


def look_of(args: argparse.Namespace, query: str) -> Look:
    """Return what the flags of `add_look_flags` ask for."""
    look = Look(query, args.sort)
    for facet in FACETS:
        for value in getattr(args, f"of_{facet.key}"):
            look = look.with_value(facet.key, value)
    return look


def add_marks(actions: Any) -> None:
    """Declare ``mark``."""
    mark = actions.add_parser(
        "mark", help="rate, tag and collect pictures", description="Give pictures stars, tags, collections."
    )
    mark.add_argument("ids", nargs="+", type=int, metavar="ID", help="their numbers in the history")
    mark.add_argument("--stars", type=int, choices=range(RATING_MAXIMUM + 1), help="0 takes them away")
    mark.add_argument("--favourite", action=argparse.BooleanOptionalAction, help="make it a favourite, or no longer")
    for flag, what in (
        ("--tag", "give it this tag"), ("--untag", "take this tag away"),
        ("--collect", "put it into this collection"), ("--uncollect", "take it out of this collection"),
    ):  # fmt: skip
        mark.add_argument(flag, action="append", default=[], metavar="NAME", help=f"{what}; may be repeated")
    mark.add_argument("--json", action="store_true", help="print one JSON object for each picture")
    mark.set_defaults(run=_mark)


def _mark(args: argparse.Namespace, console: Console) -> int:
    for what, names in (("Tag", args.tag), ("Collection", args.collect)):
        for name in names:
            checked_name(what, name)
    with opened_history(studio_paths()) as history:
        for entry_id in args.ids:
            history.get(entry_id)  # all of them are there before any is changed
        marks = history.marks
        _each(marks, args)
        for entry in history.listing.entries(args.ids):
            tags, collections = marks.tags(entry.id), marks.collections_of(entry.id)
            if args.json:
                console.record({
                    "id": entry.id, "rating": entry.rating, "favourite": entry.favourite, "tags": list(tags),
                    "collections": list(collections),
                })  # fmt: skip
            else:
                stars = "★" * entry.rating + "☆" * (RATING_MAXIMUM - entry.rating)
                heart = "♥" if entry.favourite else " "
                console.result(f"{entry.id}  {stars} {heart}  {', '.join((*tags, *collections))}".rstrip())
    return 0


def _each(marks: Marks, args: argparse.Namespace) -> None:
    if args.stars is not None:
        marks.rate(args.ids, args.stars)
    if args.favourite is not None:
        marks.set_favourite(args.ids, args.favourite)
    changes: Iterable[tuple[Callable[[list[int], str], object], list[str]]] = (
        (marks.add_tag, args.tag), (marks.remove_tag, args.untag),
        (marks.collect, args.collect), (marks.take_out, args.uncollect),
    )  # fmt: skip
    for change, names in changes:
        for name in names:
            change(args.ids, name)


def _value_of(facet: Facet) -> Callable[[str], str]:
    def read(text: str) -> str:
        value = shown(text)
        if facet.key == "size":
            value = value.replace("x", "×")
        elif facet.key in ("tag", "collection"):
            value = tidy(value)
        allowed = not facet.fixed or value in facet.fixed or (facet.key == "date" and _DATE.fullmatch(value))
        if not allowed:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed: {_HELP.get(facet.key, facet.title)}")
        return value

    return read
