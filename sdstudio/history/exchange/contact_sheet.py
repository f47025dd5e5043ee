"""Many pictures on one: copies of one size in rows with a line or two below each, on as many sheets as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from sdstudio.core.errors import InvalidRequest, PictureUnreadable, SaveFailed, TellsTooMuch
from sdstudio.core.files import write_whole
from sdstudio.core.paths import resources
from sdstudio.core.pictures.opening import opened_picture
from sdstudio.history.bulk_work import Failure, OnProgress, never, unheard
from sdstudio.history.database.rows import Entry
from sdstudio.history.exchange.export import ExportOptions, ExportReport, stripped, write_picture
from sdstudio.history.formats import FORMAT_BY_SUFFIX
from sdstudio.history.picture_text.foreign.stealth import without_stealth

SIDE: Final = 256
"""Longest side of each small copy, in pixels."""
GAP: Final = 16
LINE: Final = 18
TEXT_PX: Final = 13
SHEET_PIXELS: Final = 32_000_000
"""A sheet that every program opens; more pictures go on the next one."""
SHEET_SIDE: Final = 16_383
"""The longest side of a WebP; a JPEG's is 65,500."""
COLUMNS_MAXIMUM: Final = (SHEET_SIDE - GAP) // (SIDE + GAP)
BACKGROUND, INK, FAINT = "#ffffff", "#1a1c20", "#555a65"


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """How many pictures go where: columns, rows of one sheet, and lines of text below each picture."""

    columns: int
    rows: int
    lines: int

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of one picture's place with its text and gap."""
        return SIDE + GAP, SIDE + GAP + LINE * self.lines

    @classmethod
    def of(cls, count: int, columns: int, lines: int) -> SheetLayout:
        """Return the layout for so many pictures; 0 columns make the sheet about square."""
        columns = columns or min(COLUMNS_MAXIMUM, max(1, round(count**0.5)))
        layout = cls(columns, 1, lines)
        width = layout.cell[0] * columns + GAP
        most = max(1, (min(SHEET_SIDE, SHEET_PIXELS // width) - GAP) // layout.cell[1])
        return cls(columns, min(most, -(-count // columns)), lines)


def contact_sheets(
    entries: Sequence[Entry],
    path: Path,
    options: ExportOptions,
    columns: int = 0,
    on_progress: OnProgress = unheard,
    cancelled: Callable[[], bool] = never,
) -> ExportReport:
    """Write contact sheets: ``sheet.png``, and ``sheet-2.png`` and so on for what does not fit on the first.

    Args:
        entries: In the order shown.
        path: Its ending names the format.
        options: Whether prompt and seed stand below each picture: not where they are left out.
        columns: Pictures in a row; 0 for about as many as rows.
        on_progress: See `OnProgress`.
        cancelled: Asked before each picture; the sheets written until then stay.

    Raises:
        SaveFailed: A sheet cannot be written.
        InvalidRequest: The ending names no format, or there are too many columns.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMAT_BY_SUFFIX:
        raise InvalidRequest("contact_sheet", f"File type = {suffix!r}: allowed is .png, .jpg or .webp.", "Use .png.")
    if not 0 <= columns <= COLUMNS_MAXIMUM:
        message = f"Columns = {columns}: allowed is 1 to {COLUMNS_MAXIMUM}."
        raise InvalidRequest("columns", message, "Leave it out for a square sheet.")
    layout = SheetLayout.of(len(entries), columns, 2 if options.metadata else 0)
    report = ExportReport(len(entries))
    bare = ExportOptions(format=FORMAT_BY_SUFFIX[suffix].key, quality=options.quality, metadata=False)
    per_sheet = layout.columns * layout.rows
    for number, begin in enumerate(range(0, len(entries), per_sheet), start=1):
        chosen = entries[begin : begin + per_sheet]
        sheet = _Sheet(layout, len(chosen), options)
        for at, entry in enumerate(chosen):
            if cancelled():
                report.stopped = "stopped"
                return report
            on_progress(begin + at, len(entries), entry.path.name)
            try:
                sheet.put(at, entry)
            except PictureUnreadable as error:
                report.failed.append(Failure(entry.path, error.message.partition(": ")[2].rstrip(".")))
        target = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            write_whole(target, lambda to, pixels=sheet.pixels: write_picture(to, pixels, bare, None))  # type: ignore[misc]
        except (SaveFailed, TellsTooMuch) as error:
            report.stopped = error.message
            return report
        report.written.append(target)
        report.made = begin + len(chosen) - len(report.failed)
    on_progress(len(entries), len(entries), "")
    return report


class _Sheet:
    def __init__(self, layout: SheetLayout, count: int, options: ExportOptions) -> None:
        self._layout = layout
        self._options = options
        width, height = layout.cell
        rows = -(-count // layout.columns)
        self.pixels = Image.new("RGB", (width * layout.columns + GAP, height * rows + GAP), BACKGROUND)
        self._draw = ImageDraw.Draw(self.pixels)
        self._font = ImageFont.truetype(resources() / "themes" / "fonts" / "Inter-Regular.otf", TEXT_PX)

    def put(self, at: int, entry: Entry) -> None:
        width, height = self._layout.cell
        left, top = GAP + at % self._layout.columns * width, GAP + at // self._layout.columns * height
        if self._layout.lines:
            for line, (text, color) in enumerate(self._captions(entry)):
                place = (left, top + SIDE + 4 + line * LINE)
                self._draw.text(place, self._fitting(text), fill=color, font=self._font)
        with opened_picture(entry.path) as image:
            small = ImageOps.contain(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
        if not self._options.as_it_is:
            small = without_stealth(small)  # a picture of just this size keeps its pixels
        self.pixels.paste(small, (left + (SIDE - small.width) // 2, top + (SIDE - small.height) // 2))

    def _captions(self, entry: Entry) -> Iterator[tuple[str, str]]:
        recipe, left_out = stripped(entry.recipe, self._options.without)
        request = recipe.request
        yield " ".join(request.prompt.split())[:200], INK
        seed = f"seed {request.seed}" if "seed" not in left_out and request.seed is not None else ""
        yield " · ".join(fact for fact in (seed, recipe.model_name) if fact), FAINT

    def _fitting(self, text: str) -> str:
        """Return as much of a text as is as wide as the picture above it."""
        if self._font.getlength(text) <= SIDE:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._font.getlength(text[:middle] + "…") <= SIDE else (low, middle - 1)
        return text[:low].rstrip() + "…"
