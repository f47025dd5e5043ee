"""Pictures that were never meant as a grid, laid out as one: two parameters as axes, and what is missing in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.core.errors import PictureUnreadable
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.paths import resources
from sdstudio.core.pictures.opening import PIXELS_MAXIMUM, opened_picture
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.rows import Entry
from sdstudio.history.picture_text.foreign.stealth import without_stealth

CELLS_MAXIMUM: Final = 2500
LABEL_LENGTH: Final = 60
SIDE_MAXIMUM: Final = 512
_PAD, _FONT_PX = 12, 18
_PAPER, _INK, _GAP = (250, 250, 251), (26, 28, 32), (228, 230, 235)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a grid: the picture there, or, ``None``, the request that would make it.

    Attributes:
        entry: The newest picture with both values.
        request: What it was, or would be, made from.
        like: The picture that a missing one is derived from.
        count: How many pictures have both values.
    """

    entry: Entry | None
    request: GenerationRequest
    like: Entry
    count: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Pictures by two of their parameters.

    Attributes:
        x: The parameter across.
        y: The parameter down; ``None`` for a single row.
        columns: Its values, sorted.
        rows: Values of ``y``; ``(None,)`` for a single row.
        cells: Row by row.
    """

    x: Parameter
    y: Parameter | None
    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def missing(self) -> list[Cell]:
        """Return the cells without a picture."""
        return [cell for row in self.cells for cell in row if cell.entry is None]


def axes(entries: Sequence[Entry]) -> list[Parameter]:
    """Return the parameters in which these pictures differ, in their order of declaration."""
    return [row for row in parameters(GenerationRequest) if len(set(_values(entries, row))) > 1]


def unshown(entries: Sequence[Entry], x: Parameter, y: Parameter | None) -> list[Parameter]:
    """Return the parameters in which pictures differ that come to lie at one place."""
    places: dict[tuple[Any, Any], list[Entry]] = {}
    for entry in entries:
        places.setdefault((_value(entry, y), _value(entry, x)), []).append(entry)
    several = [there for there in places.values() if len(there) > 1]
    return [row for row in axes(entries) if any(len(set(_values(there, row))) > 1 for there in several)]


def laid_out(entries: Sequence[Entry], x: Parameter, y: Parameter | None) -> Grid:
    """Lay pictures out by one or two parameters. Of several at one place, the newest is shown.

    A missing picture is derived from one of its row, else of its column, else from the first of all.

    Args:
        entries: At least one.
        x: The parameter across.
        y: The parameter down.
    """
    newest_last = sorted(entries, key=lambda entry: entry.id)
    columns = _sorted(x, newest_last)
    rows = _sorted(y, newest_last) if y is not None else (None,)
    there = {(_value(entry, y), _value(entry, x)): entry for entry in newest_last}
    counts = Counter((_value(entry, y), _value(entry, x)) for entry in newest_last)
    by_row = {_value(entry, y): entry for entry in reversed(newest_last)}
    by_column = {_value(entry, x): entry for entry in reversed(newest_last)}

    def cell(row: Any, column: Any) -> Cell:
        entry = there.get((row, column))
        if entry is not None:
            return Cell(entry, entry.recipe.request, entry, counts[row, column])
        like = by_row.get(row) or by_column.get(column) or newest_last[0]
        change = {x.name: column, "written": None} | ({} if y is None else {y.name: row})
        return Cell(None, like.recipe.request.model_copy(update=change), like)

    return Grid(x, y, columns, rows, tuple(tuple(cell(row, column) for column in columns) for row in rows))


def label(row: Parameter, value: Any) -> str:
    """Return a value as an axis shows it."""
    if row.name == "scheduler" and value in SCHEDULER_BY_KEY:
        return SCHEDULER_BY_KEY[value].title
    if row.kind is FieldKind.LORAS:
        text = ", ".join(f"{name} {weight:g}" for name, weight in value)
    elif row.choices:
        text = next((choice.title for choice in row.choices if choice.value == value), str(value))
    else:
        text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return (text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…") or "(none)"


def drawn(grid: Grid) -> Image.Image:
    """Return a grid as one picture with its values at the edges; missing places stay grey.

    The pictures are made smaller where all together would be too large.
    """
    sizes = [cell.request.made_size for row in grid.cells for cell in row]
    width, height = max(size[0] for size in sizes), max(size[1] for size in sizes)
    left = 0 if grid.y is None else 180
    top = _FONT_PX + 2 * _PAD
    count = len(grid.columns), len(grid.rows)
    room = (PIXELS_MAXIMUM / 2 / (width * height * count[0] * count[1])) ** 0.5
    scale = min(1.0, SIDE_MAXIMUM / max(width, height), room)
    side = max(1, round(width * scale)), max(1, round(height * scale))
    whole = left + count[0] * (side[0] + _PAD) + _PAD, top + count[1] * (side[1] + _PAD) + _PAD
    sheet = Image.new("RGB", whole, _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(resources() / "themes" / "fonts" / "Inter-Regular.otf", _FONT_PX)
    for at, column in enumerate(grid.columns):
        _write(pen, font, f"{grid.x.title} {label(grid.x, column)}", left + _PAD + at * (side[0] + _PAD), _PAD, side[0])
    for down, (value, row) in enumerate(zip(grid.rows, grid.cells, strict=True)):
        y = top + down * (side[1] + _PAD)
        if grid.y is not None:
            _write(pen, font, f"{grid.y.title} {label(grid.y, value)}", _PAD, y, left - _PAD)
        for at, cell in enumerate(row):
            where = left + _PAD + at * (side[0] + _PAD), y
            sheet.paste(_small(cell, side), where)
    return sheet


def _small(cell: Cell, side: tuple[int, int]) -> Image.Image:
    place = Image.new("RGB", side, _GAP)
    if cell.entry is None:
        return place
    try:
        with opened_picture(cell.entry.path) as opened:
            picture = without_stealth(opened.convert("RGB"))  # the grid shows what stands at its edges
    except PictureUnreadable:
        return place  # gone since it was listed
    picture.thumbnail(side, Image.Resampling.LANCZOS)
    place.paste(picture, ((side[0] - picture.width) // 2, (side[1] - picture.height) // 2))
    return place


def _write(pen: ImageDraw.ImageDraw, font: Any, text: str, x: int, y: int, room: int) -> None:
    shown = text
    while shown and pen.textlength(shown, font) > room:
        shown = shown[:-2].rstrip("…") + "…" if len(shown) > 2 else ""
    pen.text((x, y), shown, _INK, font)


def _values(entries: Sequence[Entry], row: Parameter) -> Iterator[Any]:
    return (_value(entry, row) for entry in entries)


def _value(entry: Entry, row: Parameter | None) -> Any:
    return None if row is None else getattr(entry.recipe.request, row.name)


def _sorted(row: Parameter, entries: Sequence[Entry]) -> tuple[Any, ...]:
    """Return a parameter's values: numbers by size, choices in their table's order, words as they first came."""
    values = list(dict.fromkeys(_values(entries, row)))
    if row.kind in (FieldKind.INTEGER, FieldKind.OPTIONAL, FieldKind.NUMBER, FieldKind.SEED, FieldKind.TOGGLE):
        return tuple(sorted(values, key=lambda value: (value is not None, value or 0)))
    order = {choice.value: place for place, choice in enumerate(row.choices)}
    return tuple(sorted(values, key=lambda value: order.get(value, len(order)))) if order else tuple(values)
