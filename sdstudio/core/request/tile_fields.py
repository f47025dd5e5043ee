"""The fields of a request for a second pass in tiles, to sizes that no model draws at once."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import Infotext, Ui
from sdstudio.core.request.larger_size import size_or_factor
from sdstudio.core.request.outpaint_fields import adds_ground

SECOND_PASS_GROUP: Final = "Second pass"

NEED_TILES: Final = frozenset({"tile_size", "tile_overlap"})
"""Fields that do not act while nothing is drawn in tiles."""

_TITLE: Final = "Tiled redraw"


def _check(value: Any) -> None:
    if isinstance(value, str) and value.strip() and size_or_factor(value) is None:
        message = f"{_TITLE} = {value[:40]!r}: allowed are a size as 4096x4096, one side as 4096x or x4096, the longer "
        message += "one as 4096, each a multiple of 8 from 64, or 1 to 16 for so many times."
        raise InvalidRequest("tile_redraw", message, "Leave it blank for none.")


def check_tiles(request: Any) -> None:
    """Raise `InvalidRequest` where tiles do not overlap as asked for, or something else does not go with them."""
    if not request.tile_redraw:
        return
    if request.tile_overlap >= request.tile_size:
        title = type(request).model_fields["tile_overlap"].title
        message = f"{title} = {request.tile_overlap}: it must be less than the tile size, {request.tile_size}."
        raise InvalidRequest("tile_overlap", message, f"Use {request.tile_size // 32 * 8}.")
    if request.mask or adds_ground(dict(request)):
        other = "there is a mask" if request.mask else "ground is to be added"
        message = f"{_TITLE} = {request.tile_redraw}: it draws all of a picture, and {other}."
        raise InvalidRequest("tile_redraw", message, "Leave it blank, or do the other first.")


TileRedraw = Annotated[
    str,
    Field(
        title=_TITLE,
        description="Draw the picture once more in tiles, at the size that it is to have: 4096x4096, 4096 for the "
        "longer side, or 4 for four times as large. It begins from what the first pass has drawn, or from the input "
        "picture itself. Blank for none.",
        max_length=20,
    ),
    Ui(group=SECOND_PASS_GROUP, check=_check, blank="None, or 4096x4096, or 4"),
    Infotext("Tiled redraw", 112, optional=True),
]

TileSize = Annotated[
    int,
    Field(
        title="Tile size",
        description="Side of a tile: what the model was trained at suits best. One tile that covers all is drawn in "
        "one piece.",
        ge=64, le=2048, multiple_of=8,
    ),
    Ui(unit="px", step=64, group=SECOND_PASS_GROUP),
    Infotext("Tiled redraw tile size", 113),
]  # fmt: skip

TileOverlap = Annotated[
    int,
    Field(
        title="Overlap of tiles",
        description="How far neighbouring tiles overlap: there what they draw fades from one to the other at every "
        "step. With less than a quarter of a tile borders may be seen; with more there are more tiles.",
        ge=0, le=1024, multiple_of=8,
    ),
    Ui(unit="px", step=8, group=SECOND_PASS_GROUP),
    Infotext("Tiled redraw overlap", 114),
]  # fmt: skip
