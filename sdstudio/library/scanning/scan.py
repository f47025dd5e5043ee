"""One look at all folders: what was found becomes models and assets with names of their own, troubles stand beside.

Headers come from `FactsCache`, diffusers folders from memory as long as none of their files has changed.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sdstudio.catalog.built_in import DRAWINGS, STARTER, UPSCALER_FOLDER, UPSCALER_NAME
from sdstudio.catalog.kinds import CHECKPOINT, UPSCALER
from sdstudio.core.errors import ModelError, ModelPickled
from sdstudio.core.folding import natural
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.folder import INDEX_FILE
from sdstudio.core.models.lora_names import NETWORKS
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import expanded
from sdstudio.library.scanning.facts import FactsCache, FileFacts
from sdstudio.library.scanning.identify import Finding, examine, file_finding, is_newest_snapshot, title_of, without_vae
from sdstudio.library.scanning.places import Trouble
from sdstudio.library.scanning.walk import Candidate, Walk

# Names that every repository gives its file: the folder above names it better.
_GENERIC_STEMS: Final = frozenset({
    "pytorch_lora_weights", "diffusion_pytorch_model", "diffusion_pytorch_model.fp16", "model", "model.fp16",
    "learned_embeds", "pytorch_model", "adapter_model",
})  # fmt: skip

_COLLECT_AFTER: Final = 100_000

Stamp = tuple[tuple[str, int, int], ...]
Pair = tuple[Finding, Asset]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at the disk found.

    Attributes:
        findings: The checkpoints, the starter first, then by name.
        assets: Everything, checkpoints among it, in the same order within each kind.
        troubles: What was left out, and why.
        folders: All that were looked into: a change in one of them concerns the library.
    """

    findings: tuple[Finding, ...] = ()
    assets: tuple[Asset, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    folders: tuple[str, ...] = ()


class Scanner:
    """Looks at folders again and again, and reads only what has changed since.

    Args:
        cache: The folder for what headers hold.
    """

    def __init__(self, cache: Path) -> None:
        self._facts = FactsCache(cache)
        self._folders: dict[Path, tuple[Stamp, Finding]] = {}

    def scan(self, shipped: Path, own: Path, folders: Sequence[Path]) -> Scan:
        """Look at what ships with the program, the data folder's models and the folders the user named."""
        with _rare_collections():
            return self._scanned(shipped, own, folders)

    def _scanned(self, shipped: Path, own: Path, folders: Sequence[Path]) -> Scan:
        walk = Walk()
        first = list(self._built_in(shipped, walk))
        others: list[Pair] = []
        seen = {str(asset.path) for _finding, asset in first}
        for root in [*([own] if own.is_dir() else []), *folders]:
            for candidate in walk.candidates(expanded(root).absolute()):
                seen.add(str(candidate.path))
                try:
                    others.append(self._folder(candidate) if candidate.is_folder else self._file(candidate))
                except (ModelError, OSError) as error:  # gone or locked since it was listed
                    message = error.message if isinstance(error, ModelError) else f"it could not be read: {error}."
                    walk.troubles.append(Trouble.of(candidate.path, _without(candidate.path, message)))
        others.sort(key=_place_in_list)
        unique = list(_with_own_keys(first, others))
        self._facts.save(seen.__contains__)
        return Scan(
            tuple(finding for finding, asset in unique if asset.kind == CHECKPOINT),
            tuple(asset for _finding, asset in unique),
            tuple(walk.troubles),
            tuple(walk.folders),
        )

    def _built_in(self, shipped: Path, walk: Walk) -> Iterator[Pair]:
        """Yield what ships with the program, and let the walk not come to it again."""
        starter, upscaler = shipped / STARTER, shipped / UPSCALER_FOLDER / f"{DRAWINGS}.safetensors"
        if (starter / INDEX_FILE).is_file():
            walk.skip(starter)
            yield _renamed(*self._folder(Candidate(starter, shipped, CHECKPOINT)), key=STARTER)
        if upscaler.is_file():
            walk.skip(upscaler.parent)
            status = upscaler.stat()
            candidate = Candidate(upscaler, shipped, UPSCALER, status.st_size, status.st_mtime_ns)
            finding, asset = self._file(candidate)
            yield finding, replace(asset, name=UPSCALER_NAME)

    def _file(self, candidate: Candidate) -> Pair:
        facts = self._facts.facts(candidate.path, candidate.size_bytes, candidate.mtime_ns, candidate.hint)
        return asset_of_file(candidate, facts)

    def _folder(self, candidate: Candidate) -> Pair:
        stamp = stamp_of_folder(candidate.path)
        known = self._folders.get(candidate.path)
        if known is None or known[0] != stamp:
            known = (stamp, examine(candidate.path))
            self._folders[candidate.path] = known
        return known[1], asset_of_folder(known[1], candidate.root, known[0])


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for cyclic garbage rarely: a header is thousands of small objects, all gone with the next one.

    Looked for as often as usual, it takes a fifth of a first scan.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _COLLECT_AFTER), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def with_pickles_opened(scan: Scan) -> Scan:
    """Return what was found with every pickle as something that can be drawn with."""
    pickled = {finding.info.path for finding in scan.findings if isinstance(finding.error, ModelPickled)}
    findings = tuple(
        row if row.info.path not in pickled else without_vae(row.info) if row.lacks_vae else Finding.of(row.info, None)
        for row in scan.findings
    )
    problems = {row.info.path: row.info.problem for row in findings}
    assets = (replace(row, problem=problems.get(row.path, "")) if row.pickled else row for row in scan.assets)
    return replace(scan, findings=findings, assets=tuple(assets))


def with_own_values(scan: Scan, own_values: Callable[[ModelInfo], Mapping[str, Any]]) -> Scan:
    """Return what was found with each model beginning with the values that ``own_values`` has for it."""
    findings = []
    for finding in scan.findings:
        values = own_values(finding.info)
        if values:
            defaults = MappingProxyType({**finding.info.defaults, **values})
            finding = replace(finding, info=replace(finding.info, defaults=defaults))
        findings.append(finding)
    return replace(scan, findings=tuple(findings))


def asset_of_file(candidate: Candidate, facts: FileFacts) -> Pair:
    """Return a file as a model and as an asset, by what it records of itself."""
    path, file = candidate.path, facts.file
    finding = file_finding(path, facts, candidate.size_bytes)
    error = finding.error if file.kind == CHECKPOINT else facts.as_error()
    name = path.stem
    if name in _GENERIC_STEMS:
        folder = path.parent
        name = title_of(folder.parent if folder.name in NETWORKS else folder)
    problem = str(error) if error is not None else finding.info.problem if file.kind == CHECKPOINT else ""
    asset = Asset(
        file.kind, name.rpartition("/")[2], name, path, candidate.root, file.family, file.variant, facts.base,
        facts.alias, facts.triggers, candidate.size_bytes, candidate.mtime_ns / 1e9,
        problem=problem, pickled=isinstance(error, ModelPickled),
        network=facts.network, bundled=facts.bundled, not_drawn=facts.not_drawn,
    )  # fmt: skip
    info = replace(finding.info, key=asset.key, name=asset.name)
    return replace(finding, info=info), asset


def asset_of_folder(finding: Finding, root: Path, stamp: Stamp) -> Asset:
    """Return a folder in the diffusers layout as an asset."""
    info = finding.info
    return Asset(
        CHECKPOINT, info.key, info.name, info.path, root, info.family, info.variant, size_bytes=info.size_bytes,
        modified_s=max((mtime for _name, _size, mtime in stamp), default=0) / 1e9, problem=info.problem,
    )  # fmt: skip


def _place_in_list(pair: Pair) -> tuple[Any, ...]:
    """Sort by name; of the snapshots of a repository, the first gets its name as key: one that draws."""
    asset = pair[1]
    is_snapshot = asset.path.parent.name == "snapshots"
    later = (bool(asset.problem), not is_newest_snapshot(asset.path)) if is_snapshot else (False, False)
    return (natural(asset.name), *later, str(asset.path))


def _without(path: Path, message: str) -> str:
    """Return a message without the path it begins with: a trouble names it itself."""
    return message.removeprefix(str(path)).removeprefix(":").strip()


def stamp_of_folder(folder: Path) -> Stamp:
    """Return names, sizes and times of all files of a diffusers folder."""
    rows: list[tuple[str, int, int]] = []
    for where, _folders, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # `examine` reports a link that leads to nothing
                path = os.path.join(where, name)
                status = os.stat(path)
                rows.append((path, status.st_size, status.st_mtime_ns))
    return tuple(sorted(rows))


def _renamed(finding: Finding, asset: Asset, key: str) -> Pair:
    return replace(finding, info=replace(finding.info, key=key)), replace(asset, key=key)


def _with_own_keys(built_in: Sequence[Pair], pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Give assets of one kind and key keys of their own; what is built in keeps its own.

    Of checkpoints the first keeps the name, and the others have their path. Every other file gets the folder before its
    name, and as many above it as make them differ, so that none of them goes by a name that another has as well.
    """
    groups: dict[tuple[str, str], list[Asset]] = {}
    for _finding, asset in (*built_in, *pairs):
        groups.setdefault((asset.kind, asset.key), []).append(asset)
    taken = {(asset.kind, asset.key) for _finding, asset in built_in}
    yield from built_in
    for finding, asset in pairs:
        group = groups[asset.kind, asset.key]
        key = _tail(asset, group) if len(group) > 1 and asset.kind != CHECKPOINT else asset.key
        if (asset.kind, key) in taken:
            key = str(asset.path)
        if key != asset.key:
            finding, asset = _renamed(finding, asset, key)
        taken.add((asset.kind, asset.key))
        yield finding, asset


def _tail(asset: Asset, group: Sequence[Asset]) -> str:
    """Return the end of an asset's path that no other of its group has: its folder and its name, at least."""
    ends = [_named_parts(other) for other in group]
    own = _named_parts(asset)
    count = 2
    while count < len(own) and sum(end[-count:] == own[-count:] for end in ends) > 1:
        count += 1
    return "/".join(own[-count:])


def _named_parts(asset: Asset) -> tuple[str, ...]:
    is_named = asset.path.stem == asset.key
    return (asset.path.with_suffix("") if is_named else asset.path.parent).parts
