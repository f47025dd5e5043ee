"""How a request to merge or convert becomes an order, checked and with hashes, and is carried out; without Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import (
    KEEP,
    ConvertOptions,
    ConvertOrder,
    MergeInput,
    MergeMode,
    MergeOptions,
    MergeOrder,
    ModelWorks,
    OnProgress,
    WorkReport,
    check_target,
)
from sdstudio.core.paths import expanded

_HASHING_SHARE: Final = 0.3
"""Of a merge's time: inputs are read once to hash them, and once more to merge them while the result is written."""

_FORBIDDEN: Final = frozenset('/\\:*?"<>|')
_NAME_MAXIMUM: Final = 120


class HashAsset(Protocol):
    """Returns an asset with its hashes, from a cache where it can: `Library.hash_asset`."""

    def __call__(  # noqa: D102
        self, asset: Asset, on_progress: Callable[[float], None] | None = None, cancel: threading.Event | None = None
    ) -> Asset: ...


def merge_order(
    inputs: Sequence[Asset], options: MergeOptions, target: Path, replace_target: bool = False
) -> MergeOrder:
    """Return the order to merge these checkpoints.

    Raises:
        InvalidRequest: A field of it is not allowed; ``field`` names it.
    """
    mode = MergeMode[options.mode.upper()]
    if len(inputs) != mode.input_count:
        message = f"Checkpoints = {len(inputs)}: {mode.value} takes {mode.input_count}."
        raise InvalidRequest("inputs", message, "Choose A and B, and to add a difference C.")
    for place, asset in enumerate(inputs):
        letter = "ABC"[place]
        if asset.path.is_dir():
            message = f"{letter} = {asset.name}: it is a folder, and single files are merged."
            raise InvalidRequest(f"input{place}", message, "Convert it to a single file first.")
        if asset.family != inputs[0].family:
            message = f"{letter} = {asset.name}: it is {_family(asset)}, A is {_family(inputs[0])}."
            raise InvalidRequest(f"input{place}", message, "Merge checkpoints of one family.")
    _check_new(target, replace_target)
    given = tuple(MergeInput(asset.path, asset.sha256) for asset in inputs)
    return MergeOrder(given, target, mode, options.alpha, options.precision, replace_target)


def convert_order(source: Path, options: ConvertOptions, target: Path, replace_target: bool = False) -> ConvertOrder:
    """Return the order to convert this model.

    Raises:
        InvalidRequest: A field of it is not allowed, or nothing would change; ``field`` names it.
    """
    same = source.is_dir() if options.layout == "folder" else source.suffix.lower() == ".safetensors"
    if same and options.precision == KEEP:
        message = f"{source.name} is a {options.target_layout.value} already: nothing would change."
        raise InvalidRequest("layout", message, "Choose the other layout, or a precision.")
    _check_new(target, replace_target)
    return ConvertOrder(source, target, options.target_layout, options.precision, replace_target)


def carried_out(
    works: ModelWorks,
    order: MergeOrder | ConvertOrder,
    inputs: Sequence[Asset],
    hash_asset: HashAsset,
    on_progress: OnProgress,
    cancel: threading.Event,
) -> WorkReport:
    """Carry an order out; hashes that a merge's recipe needs and nobody knows yet are computed first.

    Raises:
        StudioError: As the methods of the works raise it.
        Cancelled: ``cancel`` was set.
    """
    if isinstance(order, ConvertOrder):
        return works.convert(order, on_progress, cancel)
    unknown = [place for place, given in enumerate(order.inputs) if not given.sha256]
    begun = _HASHING_SHARE if unknown else 0.0
    hashed = list(order.inputs)
    for turn, place in enumerate(unknown):

        def share(fraction: float, turn: int = turn) -> None:
            on_progress(begun * (turn + fraction) / len(unknown))

        known = hash_asset(inputs[place], share, cancel)
        hashed[place] = replace(hashed[place], sha256=known.sha256)
    order = replace(order, inputs=tuple(hashed))
    return works.merge(order, lambda fraction: on_progress(begun + (1 - begun) * fraction), cancel)


def target_of(name: str, layout: str, models: Path) -> Path:
    """Return where a result of this name goes: into the models folder, unless the name is a path.

    Raises:
        InvalidRequest: The name is none that every system allows.
    """
    path = expanded(name.strip())
    ending = ".safetensors" if layout == "file" else ""
    if ending and path.suffix.lower() != ending:
        path = path.with_name(path.name + ending) if path.name else path
    plain = path.name.removesuffix(ending)
    if (
        not plain.strip(". ")
        or len(path.name) > _NAME_MAXIMUM
        or _FORBIDDEN & set(path.name)
        or not plain.isprintable()
    ):
        message = (
            f"Name = {name[:60]!r}: allowed are 1 to {_NAME_MAXIMUM} characters without {' '.join(sorted(_FORBIDDEN))}."
        )
        raise InvalidRequest("name", message, "Choose another name.")
    return path.absolute() if path.parent != Path() else models / path.name


def _check_new(target: Path, replace_target: bool) -> None:
    try:
        check_target(target, replace_target)
    except StudioError as error:
        raise InvalidRequest("name", error.message, error.hint) from None


def _family(asset: Asset) -> str:
    return asset.family_title or "of an unknown family"
