"""Where the disk's space goes: by folder and kind, and twice over where two files hold the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdstudio.catalog.kinds import DETECTOR
from sdstudio.core.models.asset import Asset


@dataclass(frozen=True, slots=True)
class Portion:
    """Part of the space: of one kind in one folder.

    Attributes:
        root: The folder it was found through.
        kind: Key in ``catalog.kinds``.
        size_bytes: What its files take; a file with several names counts once.
        assets: The files, the largest first.
    """

    root: Path
    kind: str
    size_bytes: int
    assets: tuple[Asset, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Files with the same bytes, each taking its own space.

    Attributes:
        sha256: Of all of them.
        assets: Two or more, the oldest first.
    """

    sha256: str
    assets: tuple[Asset, ...]

    @property
    def wasted_bytes(self) -> int:
        """What would be free if the bytes were there once."""
        return self.assets[0].size_bytes * (len(self.assets) - 1)


def portions(assets: Iterable[Asset]) -> tuple[Portion, ...]:
    """Return the space of all folders by folder and kind: the largest folder first, and in it the largest kind."""
    groups: dict[tuple[Path, str], list[Asset]] = {}
    sizes: dict[tuple[Path, str], int] = {}
    of_root: dict[Path, int] = {}
    seen: set[tuple[int, int]] = set()
    for asset in assets:
        key = (asset.root, asset.kind)
        mark = _inode(asset.path)
        size = 0 if mark is not None and mark in seen else asset.size_bytes
        if mark is not None:
            seen.add(mark)
        groups.setdefault(key, []).append(asset)
        sizes[key] = sizes.get(key, 0) + size
        of_root[asset.root] = of_root.get(asset.root, 0) + size
    rows = [
        Portion(root, kind, sizes[root, kind], tuple(sorted(group, key=lambda asset: -asset.size_bytes)))
        for (root, kind), group in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-of_root[row.root], str(row.root), -row.size_bytes, row.kind)))


def of_one_size(assets: Iterable[Asset]) -> list[list[Asset]]:
    """Return groups of files that could be the same, since they are of one size; only these need hashing."""
    groups: dict[int, dict[tuple[int, int], Asset]] = {}
    for asset in assets:
        mark = _inode(asset.path)
        if asset.size_bytes > 0 and mark is not None:
            groups.setdefault(asset.size_bytes, {}).setdefault(mark, asset)
    copies = [list(group.values()) for group in groups.values() if len(group) > 1]
    return sorted(copies, key=lambda group: -group[0].size_bytes)


def duplicates(hashed: Sequence[Asset]) -> tuple[Duplicates, ...]:
    """Return the groups of the same bytes among files whose hashes are known, the greatest waste first."""
    groups: dict[str, list[Asset]] = {}
    for group in of_one_size(asset for asset in hashed if asset.sha256):
        for asset in group:
            groups.setdefault(asset.sha256, []).append(asset)
    duplicates = [
        Duplicates(sha256, tuple(sorted(group, key=lambda asset: (asset.modified_s, str(asset.path)))))
        for sha256, group in groups.items()
        if len(group) > 1
    ]
    return tuple(sorted(duplicates, key=lambda row: (-row.wasted_bytes, row.sha256)))


def goes_with(asset: Asset) -> Path:
    """Return what goes to the trash with an asset.

    In Hugging Face's cache that is its repository, whose files are links; of a detector its folder.
    """
    for folder in asset.path.parents:
        if folder.name.startswith("models--") and (folder / "snapshots").is_dir():
            return folder
    if asset.kind == DETECTOR and asset.path.parent != asset.root:
        return asset.path.parent
    return asset.path


def _inode(path: Path) -> tuple[int, int] | None:
    """Return what distinguishes one file on disk from another, ``None`` for a folder and for what is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if not path.is_dir() else None
