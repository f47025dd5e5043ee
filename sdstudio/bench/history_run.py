"""What is promised about a history of many pictures, from what a process with them and one with none measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from sdstudio.bench.children import Children
from sdstudio.bench.history_rows import fill
from sdstudio.bench.report import (
    FRAME_LIMIT_MS,
    HISTORY_FRAMES,
    HISTORY_MEMORY,
    HISTORY_OPEN,
    HISTORY_SEARCH,
    HISTORY_SEARCH_VAST,
    VAST,
    Figure,
    amount,
    share,
)
from sdstudio.cli.console import Console
from sdstudio.core.paths import StudioPaths


def measured_history(folder: Path, entries: int, quick: bool, console: Console) -> Iterator[Figure]:
    """Yield the figures of a generated history of so many pictures."""
    console.note(f"Writing a history of {entries:,} pictures ...")
    fill(StudioPaths(folder / "many"), entries, thumbnails=entries <= VAST)
    console.note("Measuring: opened, scrolled, searched ...")
    repeats = 3 if quick else 9
    result = Children(folder / "many", "-").result("history_times", repeats)
    slowest, times = max(result["searches"].items(), key=lambda item: median(first for first, _, _ in item[1]))
    whole = max(median(last for _, _, last in each) for each in result["searches"].values())
    sorting = max(median(first for first, _, _ in each) for each in result["sorts"].values())
    worked = median(worked for _, worked, _ in times)
    note = (
        f"{worked:.3f} s of processor time for {slowest}; every row counted in at most {whole:.3f} s,"
        f" in another order in at most {sorting:.3f} s"
    )
    firsts = [first for first, _, _ in times]
    if entries > VAST:
        yield amount(HISTORY_SEARCH_VAST, firsts, note)
        return
    worked = median(worked for _, worked in result["open"])
    yield amount(HISTORY_OPEN, [opened for opened, _ in result["open"]], f"{worked:.2f} s of processor time")
    yield amount(HISTORY_SEARCH, firsts, note)
    yield _frames(result["frames"])
    fill(StudioPaths(folder / "none"), 0, thumbnails=False)
    empty = Children(folder / "none", "-").result("history_times", 1)
    yield amount(HISTORY_MEMORY, [result["peak_mb"] - empty["peak_mb"]], f"{result['peak_mb']:.0f} MB in all")


def _frames(frames: list[tuple[float, float]]) -> Figure:
    held = [held for held, _ in frames]
    busy = sum(worked < FRAME_LIMIT_MS for _, worked in frames) / len(frames)
    figure = share(HISTORY_FRAMES, held, FRAME_LIMIT_MS)
    return replace(figure, note=f"{figure.note}; {busy:.3f} by the window's own processor time")
