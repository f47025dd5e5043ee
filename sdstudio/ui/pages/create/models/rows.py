"""What the list of models shows: groups in their order, and what each model needs of the memory that is free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.kinds import VARIANT_BY_KEY
from sdstudio.core.events import EngineStatus
from sdstudio.core.folding import folded, natural
from sdstudio.core.models.memory_need import MemoryNeed, memory_need
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.titles import model_titles
from sdstudio.core.readable import readable_size
from sdstudio.core.settings import MEMORY_GROUP, Settings
from sdstudio.history.database.usage import Newest

RECENT: Final = 5
FAVOURITES_TITLE: Final = "Favourites"
RECENT_TITLE: Final = "Recent"
UNUSABLE_TITLE: Final = "Cannot be used"

_PARTS_SEARCHED: Final = 3
"""Of a path: its folder distinguishes models, the home folder does not."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of models beside what they are.

    Attributes:
        favourites: Keys of those that stand at the head.
        covers: Key -> a picture that was put beside the model, or chosen for it.
        newest: Key -> the newest picture that it drew.
    """

    favourites: frozenset[str] = frozenset()
    covers: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    newest: Mapping[str, Newest] = field(default_factory=lambda: MappingProxyType({}))

    def cover(self, key: str) -> Path | None:
        """Return a picture for a model, ``None`` when there is none."""
        newest = self.newest.get(key)
        return self.covers.get(key) or (newest.thumbnail if newest is not None else None)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of the list: a heading, where ``model`` is ``None``, or a model.

    Attributes:
        title: The heading, or what the model is called.
        model: The model.
        facts: Variant and size, and the family where the heading does not show it.
        need: What it takes of the memory that is free, "" when that is not known.
        need_in_parts: What that is made of, in sentences.
        is_tight: It takes more than is free.
        cover: A picture.
        is_favourite: It stands at the head.
        is_current: The next picture is drawn with it.
        words: What a search looks through.
    """

    title: str
    model: ModelInfo | None = None
    facts: str = ""
    need: str = ""
    need_in_parts: str = ""
    is_tight: bool = False
    cover: Path | None = None
    is_favourite: bool = False
    is_current: bool = False
    words: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it can be chosen."""
        return self.model is not None and self.model.is_usable

    @property
    def second_line(self) -> str:
        """Why it cannot be used, or what it is."""
        assert self.model is not None
        if not self.is_usable:
            return self.model.problem
        note = "needs a VAE" if self.model.lacks_vae else ""
        return "  ·  ".join(part for part in (note, self.need, self.facts) if part)


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that models are drawn in, and how.

    Attributes:
        status: What the engine runs on, ``None`` until it is known.
        free_bytes: Memory that is free there, 0 when unknown; with what the model takes that is there now, which goes.
        settings: Their memory switches.
        values: The parameters as they are set, for the chosen model.
    """

    status: EngineStatus | None = None
    free_bytes: int = 0
    settings: Settings = field(default_factory=Settings)
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def need_of(self, model: ModelInfo, is_chosen: bool) -> MemoryNeed | None:
        """Return what drawing with a model needs here: at the size that is set, with others at the size they want."""
        if self.status is None:
            return None
        values = self.values if is_chosen else {"batch_size": self.values.get("batch_size")}
        is_accelerator = self.status.is_accelerator
        return memory_need(model, self.status.dtype, self.settings, values, is_accelerator)


def rows_of(
    models: Sequence[ModelInfo], known: Known, current: str = "", room: Room | None = None
) -> tuple[ModelRow, ...]:
    """Return all rows: favourites, what drew last, then family after family; every model once.

    Args:
        models: All there are, those that cannot be used too.
        known: What else is known of them.
        current: Key of the chosen one.
        room: Where they are to draw, ``None`` for nowhere known.
    """
    titles, room = model_titles(models), room or Room()

    def row(model: ModelInfo) -> ModelRow:
        need = room.need_of(model, model.key == current)
        loaded = room.status is not None and room.status.model == model.key
        is_tight = need is not None and 0 < room.free_bytes < need.total_bytes
        variant = VARIANT_BY_KEY[model.variant].title if model.variant else ""
        facts = (readable_size(model.size_bytes), variant)
        title = titles[model.key]
        need_text = _need_text(need, room, is_tight) if need is not None else ""
        if loaded:
            need_text = f"in memory now, {need_text}" if is_tight else "in memory now"
        return ModelRow(
            title,
            model,
            "  ·  ".join(part for part in facts if part),
            need_text,
            _in_parts(need, room, is_tight) if need is not None else "",
            is_tight=is_tight,
            cover=known.cover(model.key),
            is_favourite=model.key in known.favourites,
            is_current=model.key == current,
            words=folded(f"{title} {'/'.join(model.path.parts[-_PARTS_SEARCHED:])} {model.family_row.title} {variant}"),
        )

    return tuple(_grouped([row(model) for model in models], known))


def _need_text(need: MemoryNeed, room: Room, is_tight: bool) -> str:
    free = f", {readable_size(room.free_bytes)} free" if room.free_bytes else ""
    return f"{'may not fit: ' if is_tight else ''}needs about {readable_size(need.total_bytes)}{free}"


def _in_parts(need: MemoryNeed, room: Room, is_tight: bool) -> str:
    assert room.status is not None
    width, height = need.size
    several = f", {need.count} at once" if need.count > 1 else ""
    text = (
        f"Needs about {readable_size(need.total_bytes)} of memory at {width} × {height}{several}: "
        f"{readable_size(need.weights_bytes)} for its weights in {room.status.dtype}, "
        f"{readable_size(need.drawing_bytes)} while it draws."
    )
    if room.free_bytes:
        text += f" {readable_size(room.free_bytes)} can be used."
    return (
        f"{text} A smaller picture needs less; so do the switches under {MEMORY_GROUP} in the settings."
        if is_tight
        else text
    )


def _grouped(rows: Sequence[ModelRow], known: Known) -> Iterator[ModelRow]:
    usable = [row for row in rows if row.is_usable]
    favourites = [row for row in usable if row.is_favourite]
    drew = [row for row in usable if not row.is_favourite and _key(row) in known.newest]
    recent = sorted(drew, key=lambda row: known.newest[_key(row)].made, reverse=True)[:RECENT]
    taken = {_key(row) for row in (*favourites, *recent)}
    yield from _group(FAVOURITES_TITLE, [_with_family(row) for row in sorted(favourites, key=_by_title)])
    yield from _group(RECENT_TITLE, [_with_family(row) for row in recent])
    rest = [row for row in usable if _key(row) not in taken]
    for family in FAMILIES:
        inside = [row for row in rest if row.model is not None and row.model.family == family.key]
        yield from _group(family.title, sorted(inside, key=_by_title))
    yield from _group(UNUSABLE_TITLE, sorted((row for row in rows if not row.is_usable), key=_by_title))


def _group(title: str, rows: Sequence[ModelRow]) -> Iterator[ModelRow]:
    if rows:
        yield ModelRow(title)
        yield from rows


def _with_family(row: ModelRow) -> ModelRow:
    assert row.model is not None
    return replace(row, facts=f"{row.facts}  ·  {row.model.family_row.title}")


def _key(row: ModelRow) -> str:
    assert row.model is not None
    return row.model.key


def _by_title(row: ModelRow) -> tuple[object, ...]:
    return natural(row.title)
