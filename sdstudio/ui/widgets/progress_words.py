"""How far a job is, in words: one place turns the engine's events into a sentence, a fraction and the time left."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sdstudio.core.events import Decoding, EngineEvent, Enlarging, ImageMade, ModelLoading, StepDone


@dataclass(frozen=True, slots=True)
class Progress:
    """What the status line, the window's title and a card say.

    Attributes:
        text: "step 12 of 20 · 9.8 it/s · 1 s left".
        fraction: 0..1 of the whole job; negative when nobody knows.
        short: For the window's title: "60 %".
    """

    text: str
    fraction: float
    short: str


def progress_of(event: EngineEvent) -> Progress | None:
    """Return what an event says about the progress, ``None`` when it says nothing."""
    match event:
        case ModelLoading(fraction=fraction) if fraction >= 1:
            return Progress("reading the prompt", 0.0, "starting")
        case ModelLoading(model=model, fraction=fraction, part=part):
            doing = f" · {part}" if part else ""
            return Progress(f"loading {model}{doing}", fraction, f"loading {fraction:.0%}")
        case Enlarging(tile=tile, total=total, seconds_per_tile=seconds):
            left = f" · {readable_duration((total - tile) * seconds)} left" if seconds > 0 else ""
            return Progress(f"enlarging · tile {tile} of {total}{left}", tile / total, f"enlarging {tile / total:.0%}")
        case StepDone():
            return _of_step(event)
        case Decoding(image=image, image_count=count):
            which = f" picture {image + 1} of {count}" if count > 1 else ""
            return Progress(f"decoding{which}", (image + 1) / count, f"{(image + 1) / count:.0%}")
        case ImageMade():
            return Progress("saving", -1.0, "saving")
        case _:
            return None


def _of_step(event: StepDone) -> Progress:
    done = event.image + event.count * event.step / event.total
    fraction = done / event.image_count
    parts = []
    if event.image_count > 1:
        last = event.image + event.count
        parts.append(
            f"picture {event.image + 1}" + (f"–{last}" if event.count > 1 else "") + f" of {event.image_count}"
        )
    parts.append(f"step {event.step} of {event.total}")
    if event.seconds_per_step > 0:
        parts += [speed(event.seconds_per_step), f"{readable_duration(seconds_left(event))} left"]
    return Progress(" · ".join(parts), fraction, f"{fraction:.0%}")


def seconds_left(event: StepDone) -> float:
    """Return how long the rest takes, from the steps so far; 0 when that is not known."""
    later_batches = math.ceil((event.image_count - event.image - event.count) / event.count)
    return (event.total - event.step + later_batches * event.total) * event.seconds_per_step


def in_whole(event: EngineEvent, before: int, count: int) -> EngineEvent:
    """Count a job's pictures as those of the press of Generate it belongs to: ``before`` of ``count`` are there."""
    if isinstance(event, StepDone | Decoding):
        return replace(event, image=event.image + before, image_count=count)
    if isinstance(event, ImageMade):
        return replace(event, index=event.index + before)
    return event


def speed(seconds_per_step: float) -> str:
    """Return iterations a second, or seconds an iteration when that is more telling."""
    return f"{1 / seconds_per_step:.1f} it/s" if seconds_per_step <= 1 else f"{seconds_per_step:.1f} s/it"


def readable_duration(seconds: float) -> str:
    """Return a duration as people say it: "3 s", "2 min 05 s", "1 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(whole, 1) if seconds > 0.05 else 0} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def readable_size(size_bytes: int) -> str:
    """Return a number of bytes as people read it, "" for none."""
    if size_bytes <= 0:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} bytes" if size_bytes > 1 else "1 byte"
    for unit, limit in (("KB", 10**6), ("MB", 10**9)):
        if size_bytes < limit:
            return f"{size_bytes / limit * 1000:.0f} {unit}"
    return f"{size_bytes / 10**9:.1f} GB"
