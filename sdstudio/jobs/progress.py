"""How far a job is: the one place that turns an event of the engine into words, for the window and the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sdstudio.core.events import (
    Decoding,
    Encoding,
    EngineEvent,
    Enlarging,
    ImageMade,
    ModelLoading,
    RegionStep,
    StepDone,
)
from sdstudio.core.models.titles import part_title
from sdstudio.core.readable import readable_duration


@dataclass(frozen=True, slots=True)
class Progress:
    """What an event means for its job, for each of the places that show it.

    Attributes:
        text: The whole sentence, for the status line: "step 12 of 20 · 9.8 it/s · 1 s left".
        short: For the window's title: "60%".
        verb: What is being done: "loading", "enlarging", "encoding", "drawing", "redrawing", "decoding" or "saving".
        fraction: 0..1 of the whole job; negative when the event does not record it, so that a bar stays where it is.
        subject: What the verb is about: "Starter: unet", "2 of 4"; "" when there is nothing to add.
        card: For a card of the queue: "12 / 20 · 1 of 4"; "" when the card stays as it is.
        caption: For the place of a picture that is not seen yet: "Step 12 of 20"; "" when the place stays as it is.
    """

    text: str
    short: str
    verb: str
    fraction: float
    subject: str = ""
    card: str = ""
    caption: str = ""

    @property
    def title(self) -> str:
        """Verb and subject, for a bar of the terminal: "Drawing 2 of 4"."""
        return f"{self.verb.capitalize()} {self.subject}".rstrip()


def progress_of(event: EngineEvent) -> Progress | None:
    """Return what an event means for the progress, ``None`` when it is about something else."""
    match event:
        case ModelLoading():
            return _of_loading(event)
        case Enlarging(tile=tile, total=total, seconds_per_tile=seconds):
            left = f" · {readable_duration((total - tile) * seconds)} left" if seconds > 0 else ""
            share = f"{tile / total:.0%}"
            return Progress(
                f"enlarging · tile {tile} of {total}{left}", f"enlarging {share}", "enlarging", tile / total,
                card=f"enlarging {share}", caption=f"Enlarging  {share}",
            )  # fmt: skip
        case StepDone():
            return _of_step(event)
        case RegionStep():
            return _of_region(event)
        case Encoding(tile=tile, total=total):
            return Progress(
                f"encoding · tile {tile} of {total}", "encoding", "encoding", -1.0, f"tile {tile} of {total}",
                "encoding", f"Reading it in tiles: {tile} of {total}",
            )  # fmt: skip
        case Decoding(image=image, image_count=count):
            which = f" picture {image + 1} of {count}" if count > 1 else ""
            at = f" · tile {event.tile} of {event.tiles}" if event.tiles else ""
            # Of a batch that is decoded picture by picture all steps are done, so its number would lead the bar back.
            return Progress(
                f"decoding{which}{at}", "decoding", "decoding", -1.0, f"{image + 1} of {count}{at}", "decoding",
                "Turning it into pixels…",
            )  # fmt: skip
        case ImageMade():
            return Progress("saving", "saving", "saving", -1.0)
        case _:
            return None


def _of_loading(event: ModelLoading) -> Progress:
    title = part_title(event.part)
    subject = f"{event.model}: {title}" if title else event.model
    if event.fraction >= 1:
        return Progress("reading the prompt", "starting", "loading", 0.0, subject, "starting", "Reading the prompt…")
    share = f"{event.fraction:.0%}"
    part = f" · {title}" if title else ""
    return Progress(
        f"loading {event.model}{part}", f"loading {share}", "loading", event.fraction, subject, f"loading {share}",
        f"Loading {event.model}  {share}{part}",
    )  # fmt: skip


def _of_step(event: StepDone) -> Progress:
    left, whole = event.work
    fraction = (event.image + event.count * (whole - left) / whole) / event.image_count
    last = event.image + event.count
    at = min(event.step + 1, event.total) if event.tiles else event.step
    tile = f" · tile {event.tile} of {event.tiles}" if event.tiles else ""
    step = f"step {at} of {event.total}{tile}"
    card = f"{at} / {event.total}"
    parts = [step]
    if event.image_count > 1:
        first = f"{event.image + 1}–{last}" if event.count > 1 else f"{event.image + 1}"
        parts.insert(0, f"picture {first} of {event.image_count}")
        card += f" · {event.image + 1} of {event.image_count}"
    if event.seconds_per_step > 0:
        parts += [speed(event.seconds_per_step), f"{readable_duration(seconds_left(event))} left"]
    return Progress(
        " · ".join(parts), f"{fraction:.0%}", "drawing", fraction,
        f"{min(last, event.image_count)} of {event.image_count}{tile}", card, step.capitalize(),
    )  # fmt: skip


def _of_region(event: RegionStep) -> Progress:
    """Say how far the regions of a picture are; they are counted by themselves, for nobody knows before how many."""
    done = (event.region - 1 + event.step / event.total) / event.regions
    region = f"region {event.region} of {event.regions}"
    parts = [region, f"step {event.step} of {event.total}"]
    if event.image_count > 1:
        parts.insert(0, f"picture {event.image + 1} of {event.image_count}")
    if event.seconds_per_step > 0:
        seconds = (event.total * (event.regions - event.region + 1) - event.step) * event.seconds_per_step
        parts += [speed(event.seconds_per_step), f"{readable_duration(seconds)} left"]
    return Progress(
        " · ".join(parts), f"region {event.region}/{event.regions}", "redrawing", done, region, region,
        region.capitalize(),
    )  # fmt: skip


def seconds_left(event: StepDone) -> float:
    """Return how long the rest takes, from the steps so far; 0 when that is not known."""
    later_batches = math.ceil((event.image_count - event.image - event.count) / event.count)
    left, whole = event.work
    return (left + later_batches * whole) * event.seconds_per_step


def in_whole(event: EngineEvent, before: int, count: int) -> EngineEvent:
    """Count a job's pictures as those of the press of Generate it belongs to: ``before`` of ``count`` are there."""
    if isinstance(event, StepDone | RegionStep | Decoding):
        return replace(event, image=event.image + before, image_count=count)
    if isinstance(event, ImageMade):
        return replace(event, index=event.index + before)
    return event


def speed(seconds_per_step: float) -> str:
    """Return iterations a second, or seconds an iteration when a step takes longer than a second."""
    return f"{1 / seconds_per_step:.1f} it/s" if seconds_per_step <= 1 else f"{seconds_per_step:.1f} s/it"
