"""How an order becomes pictures: the engine draws, each picture is saved as it comes, its facts are printed."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sdstudio.cli.backend import make_backend
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, opened_history
from sdstudio.cli.destinations import Destination, HistoryDestination, PathDestination
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.progress import ProgressBars
from sdstudio.core.errors import Cancelled, StudioError
from sdstudio.core.events import EngineEvent, ImageMade
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.params import parameters
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.submission import Share
from sdstudio.core.settings import Settings
from sdstudio.jobs.model_hash import SHORT
from sdstudio.jobs.runner import Part, PictureRunner
from sdstudio.library.resolving import RequestResolver


@dataclass(frozen=True, slots=True)
class Order:
    """Pictures to draw, all checked: the engine has not been touched yet.

    ``settings`` turns the device's title into the settings to draw with. ``shares`` are the pictures by their words,
    where these differ. ``first`` counts the pictures of the orders before it.
    """

    request: GenerationRequest
    model: ModelInfo
    seeds: tuple[int, ...]
    batch_size: int = 1
    settings: Callable[[str], Settings] | None = None
    shares: tuple[Share, ...] = ()
    first: int = 0

    @classmethod
    def of_shares(cls, shares: tuple[Share, ...], model: ModelInfo, batch_size: int) -> Order:
        """Return the order of a submission whose pictures may have different words."""
        seeds = tuple(seed for share in shares for seed in share.seeds)
        return cls(shares[0].request, model, seeds, batch_size, shares=shares)

    @property
    def parts(self) -> tuple[Share, ...]:
        """What to draw, one after the other: pictures of one part have the same words."""
        return self.shares or (Share(self.request, self.seeds),)


def add_output_flags(parser: argparse.ArgumentParser) -> None:
    """Declare where results go."""
    parser.add_argument(
        "--out", metavar="FILE|DIR",
        help="write to this .png (several pictures: NAME.png, NAME-1.png ..; existing files are replaced) or into this "
        "folder; default: the history",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object for each picture")
    parser.add_argument("--quiet", action="store_true", help="no progress, only errors")


def draw(console: Console, studio: Studio, order: Order, args: argparse.Namespace, parent_id: int | None = None) -> int:
    """Draw an order's pictures, save each as soon as it is made and print its facts.

    Raises:
        StudioError: Anything that can be shown to a user.
        Cancelled: Ctrl-C; the pictures made so far are kept.
    """
    return draw_all(console, studio, [order], args, parent_id)


def draw_all(
    console: Console, studio: Studio, orders: Sequence[Order], args: argparse.Namespace, parent_id: int | None = None
) -> int:
    """Draw orders one after the other, as `draw` does.

    In the history a picture's parent is ``parent_id``, or else the picture it begins from.
    """
    if args.out is not None:
        return _draw(console, studio, orders, PathDestination.of(args.out), args.json)
    begins_from = RequestResolver(studio.library).parent_of
    with opened_history(studio.paths, studio.settings) as history:
        parent_of = begins_from if parent_id is None else lambda _request: parent_id
        return _draw(console, studio, orders, HistoryDestination(history, parent_of, console.note), args.json)


def _draw(
    console: Console, studio: Studio, orders: Sequence[Order], destination: Destination, as_json: bool
) -> int:  # fmt: skip
    destination.prepare()
    try:
        for order in orders:
            Drawing(console, studio, order, destination, as_json).run()
        return 0
    finally:
        destination.abandon()


class Drawing:
    """One run of the engine: where its pictures go, and what is printed of them: a `Store`."""

    def __init__(self, console: Console, studio: Studio, order: Order, destination: Destination, as_json: bool) -> None:
        self._console = console
        self._studio = studio
        self._order = order
        self._destination = destination
        self._as_json = as_json
        self._progress = ProgressBars(console, order.batch_size)
        self._cancel = threading.Event()
        self._made = 0

    def run(self) -> int:
        """Draw. Raises: StudioError, Cancelled."""
        order = self._order
        resolver = RequestResolver(self._studio.library)
        parts = [Part(resolver.resolve(part.request, order.model, self._cancel), part.seeds) for part in order.parts]
        # The sha256 of a large checkpoint takes seconds when it is not known yet; it is read while the model loads.
        with ThreadPoolExecutor(1, "sdstudio-hash") as lane:
            hashing = lane.submit(self._studio.library.hash_of, order.model, None, self._cancel)
            try:
                engine = make_backend(self._studio.settings)  # imports torch for seconds, which Ctrl-C breaks off
                with closing(engine), interrupt_sets(self._cancel, self._on_interrupt):
                    if order.settings is not None:
                        engine.configure(order.settings(engine.status().device))
                    runner = PictureRunner(self, self._progress.show, partial(_short, hashing))
                    runner.draw(engine, parts, order.batch_size, self._cancel)
            except (Cancelled, KeyboardInterrupt):
                self._progress.say(f"sdstudio: interrupted; {self._made} of {len(order.seeds)} pictures are saved.")
                raise
            finally:
                self._cancel.set()
                self._progress.close()
        return 0

    def _on_interrupt(self) -> None:
        self._progress.say("Stopping ...")

    def take(self, event: EngineEvent) -> None:
        """Save a picture and print its facts. Raises: SaveFailed."""
        if not isinstance(event, ImageMade):
            return
        saved = self._destination.save(self._order.first + event.index, event.pixels, event.recipe)
        self._made += 1
        if self._made == len(self._order.seeds):
            self._progress.close()
        with self._progress.aside():
            if self._as_json:
                self._console.record(picture_facts(event.recipe, saved.path, saved.entry_id))
            else:
                self._console.result(str(saved.path))


def _short(hashing: Future[str]) -> str:
    try:
        return hashing.result()[:SHORT]
    except StudioError:  # its files have gone since it was loaded; the picture is there all the same
        return ""


def picture_facts(recipe: Recipe, path: Path, entry_id: int | None) -> Mapping[str, Any]:
    """Return what ``--json`` prints about a picture."""
    request = recipe.request
    return {
        "path": str(path),
        "id": entry_id,
        **{name: getattr(request, name) for name in (row.name for row in parameters(GenerationRequest))},
        "model_name": recipe.model_name,
        "model_hash": recipe.model_hash,
        "duration_s": round(recipe.duration_s, 3),
        "blocked": recipe.blocked,
        "batch_size": recipe.made_with.get("batch_size", 1),
        "batch_index": recipe.made_with.get("batch_index", 0),
        "regions": recipe.regions,
        "device": recipe.made_with.get("device", ""),
    }
