"""From pictures of the history to the requests that make them larger: how large, and by which of their own settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sdstudio.core.errors import StudioError
from sdstudio.core.pictures.input_size import Size, enlarging, is_allowed, larger
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.opening import opened_picture, upright_size
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.store import Entry

FACTORS: Final = (1.5, 2.0, 3.0, 4.0)


@dataclass(frozen=True, slots=True)
class Enlargement:
    """How pictures are to be made larger.

    Attributes:
        factor: How many times as wide and high.
        upscaler: The upscaler's name in the library, "" for Lanczos.
        strength: How far the model draws over them afterwards, 0 for not at all.
    """

    factor: float = 2.0
    upscaler: str = ""
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """A request that makes a picture larger, and the entry it is made from."""

    entry: Entry
    request: GenerationRequest


@dataclass(slots=True)
class Orders:
    """What came of looking at pictures.

    Attributes:
        orders: Those that can be made.
        failed: Those that cannot, and why.
        stopped: Whether it ended early.
    """

    orders: list[Order] = field(default_factory=list)
    failed: list[tuple[Entry, StudioError]] = field(default_factory=list)
    stopped: bool = False


def sizes_of(entries: Sequence[Entry], stop: Callable[[], bool] = lambda: False) -> list[Size | None]:
    """Read how large pictures are; ``None`` for one that cannot be read, or was blocked."""
    return [None if stop() or entry.recipe.blocked else _size_of(entry) for entry in entries]


def orders_for(
    entries: Sequence[Entry], sizes: Sequence[Size | None], how: Enlargement, pictures: InputPictures,
    tell: OnProgress, stop: Callable[[], bool],
) -> Orders:  # fmt: skip
    """Keep pictures as inputs, and return what is to be asked for. On any thread; those that do not fit are left out.

    Args:
        entries: The pictures.
        sizes: Theirs, as `sizes_of` reads them.
        how: What is to become of them.
        pictures: Where inputs are kept.
        tell: Called with its progress.
        stop: Asked whether to end early.
    """
    orders = Orders()
    pairs = [(entry, size) for entry, size in zip(entries, sizes, strict=True) if size is not None]
    fitting = [(entry, larger(size, how.factor)) for entry, size in pairs]
    fitting = [(entry, size) for entry, size in fitting if is_allowed(size)]
    for at, (entry, size) in enumerate(fitting):
        if stop():
            orders.stopped = True
            break
        tell(at, len(fitting), entry.path.name)
        try:
            orders.orders.append(Order(entry, _request(entry, pictures.keep(entry.path, entry.id).id, size, how)))
        except StudioError as error:
            orders.failed.append((entry, error))
    tell(len(fitting), len(fitting), "")
    return orders


def _request(entry: Entry, picture_id: str, size: Size, how: Enlargement) -> GenerationRequest:
    values = {**enlarging(picture_id, size, how.upscaler), "strength": how.strength}
    return entry.recipe.request.model_copy(update=values)


def _size_of(entry: Entry) -> Size | None:
    try:
        with opened_picture(entry.path) as image:
            return upright_size(image)
    except StudioError:
        return None
