"""``sdstudio history verify``: draw pictures again, compare them with their files and print what was different."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from sdstudio.cli.backend import make_backend
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, add_run_flags, opened_history
from sdstudio.cli.flags import given
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.progress import ProgressBars
from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.params import parameters
from sdstudio.core.settings import Settings
from sdstudio.history.database.look import Look
from sdstudio.history.store import Entry
from sdstudio.history.verdict import Outcome, Verdict, judged
from sdstudio.jobs.redrawing import Redrawer
from sdstudio.library.recall import recalled
from sdstudio.library.resolving import RequestResolver

_EPILOG = """\
Nothing is saved. Exit code 0 when every picture is identical, else 1.
"""


def add_verify(actions: Any) -> None:
    """Declare the action."""
    parser = actions.add_parser(
        "verify", help="draw pictures again and compare", description="Draw pictures again and compare.", epilog=_EPILOG
    )
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers in the history")
    parser.add_argument("--all", action="store_true", help="every picture, the newest first")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each picture")
    parser.add_argument("--quiet", action="store_true", help="no progress, only errors")
    add_run_flags(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, console: Console) -> int:
    if bool(args.ids) == args.all:
        raise InvalidRequest("ids", "ID: give numbers of pictures, or --all.", "See them with `sdstudio history list`.")
    studio = Studio.open(console, args)
    with opened_history(studio.paths) as history:
        ids = history.listing.ids(Look("")) if args.all else args.ids
        if not ids:
            console.note("No pictures yet.")
            return 0
        return _verify(studio, (history.get(entry_id) for entry_id in ids), args, console)


def _verify(studio: Studio, entries: Iterator[Entry], args: argparse.Namespace, console: Console) -> int:
    cancel = threading.Event()
    progress = ProgressBars(console, 1)
    engine = make_backend(studio.settings)
    library, flags, as_json = studio.library, given(args, parameters(Settings)), args.json
    redrawer = Redrawer(engine, studio.settings, library.find, RequestResolver(library).resolve, library.hash_of, flags)
    all_identical = True
    try:
        with interrupt_sets(cancel, lambda: progress.say("Stopping ...")):
            for entry in entries:
                try:
                    drawn = redrawer.draw(recalled(library, entry.recipe), progress.show, cancel)
                    verdict = judged(entry.path, entry.recipe, drawn.pixels, drawn.recipe)
                except StudioError as error:
                    all_identical = False
                    _tell_error(console, progress, entry, error, as_json)
                    continue
                all_identical &= verdict.outcome is Outcome.IDENTICAL
                _tell(console, progress, entry, verdict, as_json)
    finally:
        progress.close()
        engine.close()
    return 0 if all_identical else 1


def _tell(console: Console, progress: ProgressBars, entry: Entry, verdict: Verdict, as_json: bool) -> None:
    progress.close()
    if as_json:
        console.record(verdict_facts(entry, verdict))
        return
    console.result(f"{entry.id}  {verdict}")
    if verdict.outcome is not Outcome.IDENTICAL:
        for cause in verdict.causes[1:]:
            console.result(f"      {cause}")


def _tell_error(console: Console, progress: ProgressBars, entry: Entry, error: StudioError, as_json: bool) -> None:
    progress.close()
    if as_json:
        console.record({"id": entry.id, "path": str(entry.path), "outcome": "failed", "error": str(error)})
    else:
        console.result(f"{entry.id}  Failed: {error}")


def verdict_facts(entry: Entry, verdict: Verdict) -> Mapping[str, Any]:
    """Return what ``--json`` prints about a verdict."""
    return {
        "id": entry.id,
        "path": str(entry.path),
        "outcome": verdict.outcome.value,
        "largest_difference": verdict.largest,
        "mean_difference": round(verdict.mean, 4),
        "differing_pixels": round(verdict.share, 6),
        "causes": [{"what": one.what, "recorded": one.recorded, "now": one.now} for one in verdict.causes],
    }
