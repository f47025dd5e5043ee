"""How a picture in the making looks on a terminal: one bar for the model, one for the steps, lines between them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from tqdm import tqdm

from sdstudio.cli.console import Console
from sdstudio.core.events import (
    Decoding,
    Encoding,
    EngineEvent,
    Enlarging,
    ImageMade,
    ModelLoading,
    NotConverted,
    Notice,
    RegionStep,
    StepDone,
)
from sdstudio.jobs.progress import progress_of

_PARTS = "{desc} {percentage:3.0f}%|{bar}| {elapsed}"
_TILES = "{desc} {percentage:3.0f}%|{bar}| tile {n_fmt}/{total_fmt}, {remaining} left"
_REGIONS = "{desc} {percentage:3.0f}%|{bar}| {remaining} left"
_STEPS = "{desc} {percentage:3.0f}%|{bar}| step {n_fmt}/{total_fmt}, {rate_fmt}, {remaining} left"


class ProgressBars:
    """Shows engine events on stderr; shows nothing when the console is quiet. `close` it at the end."""

    def __init__(self, console: Console, batch_size: int) -> None:
        self._console = console
        self._batch_size = batch_size
        self._bar: tqdm[Any] | None = None
        self._layout = ""
        self._batches_done = 0

    def show(self, event: EngineEvent) -> None:
        """Show one event."""
        progress = progress_of(event)
        title = progress.title if progress is not None else ""
        match event:
            case ModelLoading():
                self._move(self._opened(_PARTS, 1.0), title, event.fraction)
            case Enlarging():
                if event.tile == 0:
                    self.close()
                bar = self._opened(_TILES, event.total)
                bar.total = event.total
                self._move(bar, title, event.tile)
            case StepDone():
                bar = self._opened(_STEPS, event.total * ceil(event.image_count / self._batch_size))
                self._move(bar, title, self._batches_done * event.total + event.step)
                self._batches_done += event.step == event.total and not event.tiles
            case RegionStep():
                if event.region == event.step == 1:
                    self.close()
                self._move(self._opened(_REGIONS, 1.0), title, progress.fraction if progress is not None else 0.0)
            case Decoding() | Encoding():
                if self._bar is not None and self._layout == _STEPS:
                    self._bar.set_description_str(title)
            case Notice():
                self.say(f"note: {event.message} {event.hint}")
            case NotConverted(model=model):
                self.say(
                    f"note: {model.name} is not converted for OpenVINO: torch draws with it. Convert it once: "
                    f"sdstudio models openvino {model.key}"
                )
            case ImageMade():
                if event.recipe.blocked:
                    self.say(f"note: picture {event.index + 1} was blocked: {event.recipe.blocked}")

    def say(self, text: str) -> None:
        """Write a line beside the bar."""
        with self.aside():
            self._console.note(text)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar off the terminal while something else is written."""
        if self._bar is not None:
            self._bar.clear()
        yield
        if self._bar is not None and self._console.interactive:
            self._bar.refresh()

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._layout = None, ""

    def _opened(self, layout: str, total: float) -> tqdm[Any]:
        if self._bar is None or self._layout != layout:
            self.close()
            self._layout = layout
            self._bar = tqdm(
                total=total,
                bar_format=layout,
                file=sys.stderr,
                disable=self._console.quiet or sys.stderr is None,
                dynamic_ncols=True,
                mininterval=0.1 if self._console.interactive else 1.0,
            )
        return self._bar

    @staticmethod
    def _move(bar: tqdm[Any], title: str, position: float) -> None:
        bar.set_description_str(title, refresh=False)
        bar.update(max(0, position - bar.n))


@contextmanager
def share_bar(console: Console, title: str) -> Iterator[Callable[[float], None]]:
    """Show one bar with the time left; what is yielded takes the share that is done, 0..1."""
    bar = tqdm(
        total=1.0, desc=title, bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left", file=sys.stderr,
        disable=console.quiet or sys.stderr is None, mininterval=0.1 if console.interactive else 2.0,
        dynamic_ncols=True,
    )  # fmt: skip
    try:
        yield lambda share: bar.update(share - bar.n)
    finally:
        bar.close()
