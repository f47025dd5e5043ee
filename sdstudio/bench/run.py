"""``sdstudio bench``: starts a process of its own for each thing to measure, and prints what came of it.

``sdstudio bench history`` measures the history alone, on as many generated pictures as are asked for, and ``sdstudio
bench library`` the library on as many generated files.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from sdstudio.bench.alternating import Pairs, alternate
from sdstudio.bench.children import Children
from sdstudio.bench.history_run import measured_history
from sdstudio.bench.library_run import measured_library
from sdstudio.bench.report import (
    ENGINE,
    FRAME_LIMIT_MS,
    INPAINTING,
    MASK,
    PREVIEWS,
    SHARED,
    TICK_LIMIT_MS,
    TICKS,
    VAST,
    WINDOW,
    Figure,
    ratio,
    share,
    table,
)
from sdstudio.bench.shown import READY, SHOWN
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure everything and print it; the exit code does not depend on whether the promises hold."""
    busy, processors = psutil.getloadavg()[0], os.cpu_count() or 1
    if busy > processors / 2:
        console.note(f"note: the machine is busy (load {busy:.1f} on {processors} processors): the figures are rough.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="sdstudio-bench-") as folder:
        for figure in _chosen(args, Path(folder), console):
            figures.append(figure)
            if args.json:
                console.record(figure.as_row())
    if not args.json:
        console.table(table(figures))
    return 0


def _chosen(args: argparse.Namespace, folder: Path, console: Console) -> Iterator[Figure]:
    if args.subject == "history":
        return measured_history(folder, args.entries or VAST, args.quick, console)
    if args.subject == "library":
        return measured_library(folder, args.entries or 1000, args.quick, console)
    model = Studio.open(console, args).library.find(args.model)
    return _measured(Children(folder, model.path), args.quick, console)


def _measured(children: Children, quick: bool, console: Console) -> Iterator[Figure]:
    pairs = 4 if quick else 12
    console.note("Measuring: until the window is shown ...")
    yield _window(children, pairs)
    console.note("Measuring: time per image ...")
    result = children.result("engine_times", pairs)
    off = result["difference"]
    pixels = "same pixels" if off == 0 else f"pixels differ by up to {off} grey levels"
    engine = Pairs(*result["engine"])
    yield ratio(ENGINE, engine, f"{median(ours for ours, _ in engine.times):.2f} s, {pixels}")
    yield ratio(PREVIEWS, Pairs(*result["previews"]))
    edit_s = median(result["edits"])
    yield ratio(INPAINTING, Pairs(*result["inpainting"]), f"a masked edit takes {edit_s:.2f} s")
    console.note("Measuring: a picture while other programs keep every core busy ...")
    shared = Pairs(*children.result("shared_machine", pairs))
    alone, worst = median(alone for _, alone in shared.times), max(beside for beside, _ in shared.times)
    yield ratio(SHARED, shared, f"{alone:.2f} s alone, at most {worst:.2f} s beside")
    console.note("Measuring: the event loop while drawing ...")
    yield share(TICKS, children.result("event_loop", 4 if quick else 16), TICK_LIMIT_MS)
    console.note("Measuring: a mask that is painted ...")
    yield _mask(children.result("mask_times", 100 if quick else 1000))


def _mask(result: dict[str, Any]) -> Figure:
    held = [held for held, _ in result["moves"]]
    middle = median(worked for _, worked in result["moves"])
    figure = share(MASK, held, FRAME_LIMIT_MS)
    undo = f"{result['strokes']:,} strokes keep {result['undo_mb']:.0f} MB for undo"
    return replace(figure, note=f"{figure.note}, {middle:.1f} ms of processor time each; {undo}")


def _window(children: Children, pairs: int) -> Figure:
    ready: list[float] = []

    def ours() -> float:
        shown, furnished = children.seconds_until("studio_window", SHOWN, READY)
        ready.append(furnished)
        return shown

    def reference() -> float:
        return children.seconds_until("empty_window", SHOWN)[0]

    alternate(1, ours, reference)  # so that both are in the disk's cache
    ready.clear()
    times = alternate(pairs, ours, reference)
    shown = median(seconds for seconds, _ in times.times)
    return ratio(WINDOW, times, f"{shown:.2f} s, everything in it after {median(ready):.2f} s")
