"""What is promised, and how measured times become figures: ratios of pairs done in turn, the median of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final

from sdstudio.bench.alternating import Pairs

TICK_LIMIT_MS: Final = 25


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure that is promised.

    Attributes:
        key: Stable name in ``--json``.
        title: What is measured.
        target: What is promised.
        at_most: Whether the target is the most allowed, else the least.
    """

    key: str
    title: str
    target: float
    at_most: bool = True


WINDOW: Final = Promise("window", "Time until the window is shown / an empty Qt window's", 2.0)
ENGINE: Final = Promise("engine", "Time per image / a bare diffusers script's", 1.02)
PREVIEWS: Final = Promise("previews", "Time per image with previews / without", 1.03)
INPAINTING: Final = Promise("inpainting", "Time per step under a mask / over a whole picture", 1.05)
SHARED: Final = Promise("shared", "Time per image beside busy processes on every core / alone", 2.0)
TICKS: Final = Promise("ticks", f"Share of timer ticks under {TICK_LIMIT_MS} ms while drawing", 0.99, at_most=False)
FRAME_LIMIT_MS: Final = 16
MASK: Final = Promise(
    "mask", f"Share of a pen's moves that are seen within {FRAME_LIMIT_MS} ms on a mask of 2048 px", 0.99, at_most=False
)
PROMISES: Final = (WINDOW, ENGINE, PREVIEWS, INPAINTING, SHARED, TICKS, MASK)

HISTORY_OPEN: Final = Promise("history_open", "Seconds until the History page shows its pictures", 0.3)
HISTORY_SEARCH: Final = Promise("history_search", "Seconds until the slowest search has answered", 0.05)
HISTORY_SEARCH_VAST: Final = Promise("history_search_vast", "Seconds until the slowest search has answered", 0.15)
HISTORY_FRAMES: Final = Promise(
    "history_frames", f"Share of frames under {FRAME_LIMIT_MS} ms while scrolling", 0.99, at_most=False
)
HISTORY_MEMORY: Final = Promise("history_memory", "MB of memory above that with an empty history", 300)
HISTORY_PROMISES: Final = (HISTORY_OPEN, HISTORY_SEARCH, HISTORY_FRAMES, HISTORY_MEMORY)
"""Up to `VAST` pictures; with more of them the search alone is promised, as `HISTORY_SEARCH_VAST`."""
VAST: Final = 100_000

LIBRARY_SCAN: Final = Promise("library_scan", "Seconds until a library of 1,000 files is known", 2.0)
LIBRARY_RESCAN: Final = Promise("library_rescan", "Seconds until it is known again", 0.2)
LIBRARY_PROMISES: Final = (LIBRARY_SCAN, LIBRARY_RESCAN)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured for a promise: the value, the middle half of the samples, and their number."""

    promise: Promise
    value: float
    low: float
    high: float
    samples: int
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise holds."""
        return self.value <= self.promise.target if self.promise.at_most else self.value >= self.promise.target

    def as_row(self) -> dict[str, Any]:
        """Return the figure for ``--json``."""
        return {
            "figure": self.promise.key, "title": self.promise.title, "value": round(self.value, 4),
            "target": self.promise.target, "at_most": self.promise.at_most, "kept": self.kept,
            "low": round(self.low, 4), "high": round(self.high, 4), "samples": self.samples, "note": self.note,
        }  # fmt: skip


def ratio(promise: Promise, pairs: Pairs, note: str = "") -> Figure:
    """Return the figure for pairs of (studio's, reference's) times, noting where others disturbed them."""
    ratios = [ours / reference for ours, reference in pairs.times]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    whole = ", ".join(part for part in (note, pairs.note) if part)
    return Figure(promise, median(ratios), low, high, len(ratios), whole)


def amount(promise: Promise, values: Sequence[float], note: str = "") -> Figure:
    """Return the median of values as a figure."""
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Figure(promise, median(values), low, high, len(values), note)


def share(promise: Promise, values: Sequence[float], limit: float) -> Figure:
    """Return the share of values under ``limit`` as a figure."""
    part = sum(value < limit for value in values) / len(values)
    return Figure(promise, part, part, part, len(values), f"worst {max(values):.0f} ms")


def table(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Return the figures as rows of text."""
    rows: list[tuple[str, ...]] = [("", "measured", "promised", "middle half", "samples", "")]
    for figure in figures:
        sign = "<=" if figure.promise.at_most else ">="
        verdict = "kept" if figure.kept else "MISSED"
        rows.append((
            figure.promise.title, f"{figure.value:.3f}", f"{sign} {figure.promise.target:g}",
            f"{figure.low:.3f} .. {figure.high:.3f}", str(figure.samples),
            f"{verdict} ({figure.note})" if figure.note else verdict,
        ))  # fmt: skip
    return rows
