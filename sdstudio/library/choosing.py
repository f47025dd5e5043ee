"""Which file of the library a name in a request means.

Where several files have the name, a hash decides, or that only one of them is made for the model's family; else the
user is asked. Whatever was decided for the user is shown with the job.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import EMBEDDING, KIND_BY_KEY, LORA
from sdstudio.core.compatibility import FIRST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest, ModelError, ModelNotFound
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.work import listed
from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.library import Library

HASH_DIGITS: Final = 8
"""Fewest digits that name a hash; A1111's have 10 or 12."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file, and what the user should know about how it was chosen, a sentence each."""

    asset: Asset
    remarks: tuple[str, ...] = ()


class Chooser:
    """Chooses files by name.

    Args:
        library: Where they are.
        reads: Whether files may be read for their hashes, which takes a while.
        cancel: Set by another thread to stop that.
    """

    def __init__(self, library: Library, reads: bool = False, cancel: threading.Event | None = None) -> None:
        self._library = library
        self._reads = reads
        self._cancel = cancel

    def chosen(self, kind: str, name: str, field: str, request: GenerationRequest, model: ModelInfo) -> Chosen:
        """Return the file that a name means.

        Args:
            kind: Key in ``catalog.kinds``.
            name: As the request has it.
            field: Of the request.
            request: Its ``file_hashes`` decide where they can.
            model: What it is to be attached to.

        Raises:
            InvalidRequest: There is none, or several, and nothing decides which.
            Cancelled: As the arguments ask.
        """
        wanted = _wanted_hash(name, request)
        remarks: tuple[str, ...] = ()
        try:
            candidates: Sequence[Asset] = self._library.find_assets(kind, name)
        except ModelNotFound as error:
            candidates, remarks = self._elsewhere(kind, name, wanted)
            if not candidates:
                raise InvalidRequest(field, error.message, error.hint) from error
        except ModelError as error:
            raise InvalidRequest(field, error.message, error.hint) from error
        if len(candidates) == 1:
            return Chosen(candidates[0], remarks)
        decided = self._by_bytes(candidates, wanted)
        if decided is not None:
            return Chosen(decided, remarks)
        return Chosen(*_by_family(kind, name, field, candidates, request, model, remarks))

    def _by_bytes(self, candidates: Sequence[Asset], wanted: str) -> Asset | None:
        """Return the one that has a hash, or the first when all are copies; the files are read where that is allowed.

        Where it is not, the first stands for what will be decided when it is.
        """
        alike = len({asset.size_bytes for asset in candidates}) == 1
        if not (alike or wanted):
            return None
        if not self._reads:
            if wanted and all(asset.sha256 for asset in candidates):
                return next((asset for asset in candidates if has_hash(asset, wanted)), None)
            return candidates[0]
        known = [self._library.hash_asset(asset, cancel=self._cancel) for asset in candidates]
        if wanted:
            decided = next((asset for asset in known if has_hash(asset, wanted)), None)
            if decided is not None:
                return decided
        return known[0] if len({asset.sha256 for asset in known}) == 1 else None

    def _elsewhere(self, kind: str, name: str, wanted: str) -> tuple[tuple[Asset, ...], tuple[str, ...]]:
        """Return what a name may mean that leads to no file: one with the hash, or one of the name in other folders."""
        title = KIND_BY_KEY[kind].title
        if wanted:
            for asset in self._library.assets(kind):
                if has_hash(asset, wanted):
                    return (asset,), (f"{title} {name}: {asset.key} is used, which has its hash",)
        bare = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if bare in ("", name):
            return (), ()
        try:
            candidates = self._library.find_assets(kind, bare)
        except ModelError:
            return (), ()
        remark = f"{title} {name}: there is no such folder, {candidates[0].key} is used"
        return candidates, (remark,) if len(candidates) == 1 else ()


def has_hash(asset: Asset, wanted: str) -> bool:
    """Whether a file has this hash, of any length and kind that other programs write, as far as its own are known."""
    folded = wanted.casefold()
    return len(folded) >= HASH_DIGITS and (asset.body_sha256.startswith(folded) or asset.sha256.startswith(folded))


def fits(asset: Asset, model: ModelInfo) -> bool:
    """Whether a file is made for a model's family, or the file does not record its family."""
    return not asset.family or asset.family == model.family


def _by_family(
    kind: str, name: str, field: str, candidates: Sequence[Asset], request: GenerationRequest, model: ModelInfo,
    remarks: tuple[str, ...],
) -> tuple[Asset, tuple[str, ...]]:  # fmt: skip
    title = KIND_BY_KEY[kind].title
    fitting = [asset for asset in candidates if fits(asset, model) and (not asset.problem or asset.pickled)]
    if len(fitting) == 1:
        others = [f"{asset.key} ({_why_not(asset)})" for asset in candidates if asset is not fitting[0]]
        return fitting[0], (*remarks, f"{title} {name}: {fitting[0].key} is used, and not {listed(others)}")
    keys = [asset.key for asset in (fitting or candidates)]
    if request.compatibility == FIRST_COMPATIBILITY:
        count = len(candidates)
        message = f"{title} {name}: {candidates[0].key} is used as version 0.1 did, though {count} files have this name"
        return candidates[0], (*remarks, message)
    example = {LORA: f"<lora:{keys[0]}:1>", EMBEDDING: f"embedding:{keys[0]}"}.get(kind, keys[0])
    hint = f"Write {example}, say." if field in ("prompt", "negative_prompt") else f"Choose one of them, {keys[0]} say."
    message = f"{title} = {name[:200]}: several files have this name: {listed(keys)}."
    raise InvalidRequest(field, message, hint)


def _why_not(asset: Asset) -> str:
    if asset.problem:
        return "it cannot be used"
    return f"made for {FAMILY_BY_KEY[asset.family].title}" if asset.family in FAMILY_BY_KEY else "made for another kind"


def _wanted_hash(name: str, request: GenerationRequest) -> str:
    folded = _bare(name)
    return next((digits for other, digits in request.file_hashes if _bare(other) == folded), "")


def _bare(name: str) -> str:
    """Return a name as A1111's lists of hashes have it: without colons and commas, in any case."""
    return name.replace(":", "").replace(",", "").replace("\\", "/").casefold()
