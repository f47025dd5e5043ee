"""How a name leads to a model or an asset: by key, name, file name, alias or path; and the message when none does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from sdstudio.catalog.kinds import CHECKPOINT, KIND_BY_KEY, KINDS
from sdstudio.core.errors import ModelAmbiguous, ModelNotFound, ModelUnsupported
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import listed
from sdstudio.core.paths import expanded
from sdstudio.library.scanning.facts import read_facts
from sdstudio.library.scanning.identify import Finding, examine
from sdstudio.library.scanning.scan import asset_of_file, asset_of_folder, stamp_of_folder
from sdstudio.library.scanning.walk import Candidate

_ALL: Final = "See the Library page, or `sdstudio models list --kind {}`."


def model_named(findings: Sequence[Finding], assets: Sequence[Asset], wanted: str) -> Finding:
    """Return the checkpoint of this name, also one that cannot draw.

    Raises:
        ModelNotFound: There is none; the hint names similar ones.
        ModelUnsupported: What is there is no checkpoint.
    """
    for finding in findings:
        if wanted == finding.info.key:
            return finding
    folded = wanted.casefold()
    for finding in findings:
        info = finding.info
        if folded in {name.casefold() for name in (info.key, info.name, info.path.name)}:
            return finding
    path = _as_path(wanted)
    if path is not None:
        return _model_at(path, findings)
    for asset in assets:
        if asset.kind != CHECKPOINT and folded in _names(asset):
            raise ModelUnsupported(f"Model = {wanted[:200]!r}: it is {a(asset.kind)}.", "Choose a checkpoint.")
    names = {name.casefold(): row.info.key for row in findings for name in (row.info.key, row.info.name)}
    hint = _did_you_mean(wanted, names) or "See the Library page, or `sdstudio models list`."
    raise ModelNotFound(f"Model = {wanted[:200]!r}: there is no such model.", hint)


def asset_named(assets: Sequence[Asset], kind: str, wanted: str) -> Asset:
    """Return the asset of this kind and name.

    Raises:
        ModelNotFound: There is none; the hint names similar ones.
        ModelAmbiguous: Several are called so.
        ModelUnsupported: What is at the path is of another kind.
    """
    candidates = assets_named(assets, kind, wanted)
    if len(candidates) > 1:
        keys = [asset.key for asset in candidates]
        message = f"{KIND_BY_KEY[kind].title} = {wanted[:200]}: several files have this name: {listed(keys)}."
        raise ModelAmbiguous(message, f"Name one of them, {keys[0]} say.")
    return candidates[0]


def assets_named(assets: Sequence[Asset], kind: str, wanted: str) -> tuple[Asset, ...]:
    """Return the assets of this kind that a name may mean: more than one only where several are called so.

    A key goes before names of files, those before folder and name (``pony/style``, with either slash, with or without
    the ending), those before what another program calls it.

    Raises:
        ModelNotFound: There is none; the hint names similar ones.
        ModelUnsupported: What is at the path is of another kind.
    """
    if kind not in KIND_BY_KEY:
        raise ModelNotFound(f"Kind = {kind[:60]!r}: allowed is {', '.join(KIND_BY_KEY)}.")
    those = [asset for asset in assets if asset.kind == kind]
    folded = wanted.casefold()
    ways: tuple[Callable[[Asset], bool], ...] = (
        lambda asset: wanted == asset.key,
        lambda asset: wanted in (asset.name, asset.path.name, asset.path.stem),
        lambda asset: folded in _names(asset),
        lambda asset: _lies_at(asset, wanted, str),
        lambda asset: _lies_at(asset, wanted, str.casefold),
        lambda asset: bool(asset.alias) and folded == asset.alias.casefold(),
    )
    for is_called in ways:
        by_file = {asset.path.resolve(): asset for asset in reversed(those) if is_called(asset)}
        if by_file:
            return tuple(reversed(by_file.values()))
    title = KIND_BY_KEY[kind].title
    path = _as_path(wanted)
    if path is not None and (path.exists() or os.path.isabs(wanted)):
        return (_asset_at(path, kind, those),)
    names = {name: asset.key for asset in those for name in _names(asset)}
    hint = _did_you_mean(wanted, names) or _ALL.format(kind)
    raise ModelNotFound(f"{title} = {wanted[:200]!r}: there is no such {title}.", hint)


def any_named(assets: Sequence[Asset], wanted: str, kind: str | None = None) -> Asset:
    """Return the asset of this name, of whichever kind: checkpoints go before the others. Raises as `asset_named`."""
    if kind is not None:
        return asset_named(assets, kind, wanted)
    for row in KINDS:
        with suppress(ModelNotFound, ModelUnsupported):
            return asset_named(assets, row.key, wanted)
    names = {name: asset.key for asset in assets for name in _names(asset)}
    hint = _did_you_mean(wanted, names) or "See the Library page, or `sdstudio models list`."
    raise ModelNotFound(f"Name = {wanted[:200]!r}: there is nothing of this name.", hint)


def a(kind: str) -> str:
    """Return a kind with its article: "an Embedding"."""
    title = KIND_BY_KEY[kind].title
    return f"{'an' if title[0] in 'EOU' else 'a'} {title}"


def _names(asset: Asset) -> set[str]:
    names = (asset.key, asset.name, asset.path.name, asset.path.stem)
    return {name.casefold() for name in names}


def _lies_at(asset: Asset, wanted: str, read: Callable[[str], str]) -> bool:
    """Whether a file lies in the folders that a name of several parts ends with, both read alike."""
    parts = read(wanted).replace("\\", "/").strip("/")
    if "/" not in parts:
        return False
    places = (asset.path.as_posix(), asset.path.with_suffix("").as_posix(), asset.path.parent.as_posix())
    by_folder = asset.path.stem.casefold() not in _names(asset) - {asset.path.stem.casefold()}
    return any(f"/{read(place)}".endswith(f"/{parts}") for place in (places if by_folder else places[:2]))


def _as_path(wanted: str) -> Path | None:
    """Return what somebody wrote as a path, ``None`` when it is none."""
    try:
        path = expanded(wanted).absolute()
        is_there = path.exists()
        return path if wanted and (os.sep in wanted or is_there) else None
    except (OSError, ValueError):  # too long, a NUL
        return None


def _model_at(path: Path, findings: Sequence[Finding]) -> Finding:
    """Return the model at this path: the one that was found there, else what is there now."""
    real = path.resolve()
    for finding in findings:
        if finding.info.path.resolve() == real:
            return finding
    finding = examine(path)
    return replace(finding, info=replace(finding.info, key=str(finding.info.path)))


def _asset_at(path: Path, kind: str, assets: Sequence[Asset]) -> Asset:
    real = path.resolve()
    for asset in assets:
        if asset.path.resolve() == real:
            return asset
    title = KIND_BY_KEY[kind].title
    if kind == CHECKPOINT and path.is_dir():
        finding = examine(path)
        found = asset_of_folder(finding, path.parent, stamp_of_folder(finding.info.path))
        return replace(found, key=str(found.path))
    if not path.is_file() or path.suffix.lower() not in KIND_BY_KEY[kind].suffixes:
        endings = ", ".join(KIND_BY_KEY[kind].suffixes)
        message = f"{title} = {str(path)[:200]}: allowed is a file that ends in {endings}."
        raise ModelNotFound(message, "Check the path.")
    status = path.stat()
    candidate = Candidate(path, path.parent, kind, status.st_size, max(1, status.st_mtime_ns))
    _finding, asset = asset_of_file(candidate, read_facts(path, kind))
    if asset.kind != kind:
        raise ModelUnsupported(f"{title} = {str(path)[:200]}: it is {a(asset.kind)}.", f"Choose {a(kind)}.")
    return replace(asset, key=str(path))


def _did_you_mean(wanted: str, names: dict[str, str]) -> str:
    near = get_close_matches(wanted.casefold()[:200], list(names), n=3, cutoff=0.5)
    keys = dict.fromkeys(names[match] for match in near)
    return f"Did you mean {' or '.join(keys)}?" if keys else ""
