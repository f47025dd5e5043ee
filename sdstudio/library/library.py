"""Which models and assets there are: what is built in, those in the data folder and in the user's folders."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdstudio.catalog.built_in import is_built_in
from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.core.errors import ModelNotFound, ModelPickled, SaveFailed
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.paths import StudioPaths, resources
from sdstudio.library.hashes import HashCache
from sdstudio.library.links import Linked, link
from sdstudio.library.lookup import any_named, asset_named, assets_named, model_named
from sdstudio.library.remarks import Remark, Remarks
from sdstudio.library.scanning.identify import weight_files
from sdstudio.library.scanning.places import Trouble
from sdstudio.library.scanning.scan import Scan, Scanner, with_own_values, with_pickles_opened
from sdstudio.library.space import Duplicates, duplicates, of_one_size


class Library:
    """The models on disk. Scanned once, then again only by `rescan`; safe to use from several threads.

    ``remarks`` keeps the user's notes about them.

    Args:
        paths: The data folder, for its models and the caches.
        folders: More folders to look in: any folder, or one of another program.
        open_pickles: Whether a ``.ckpt``, ``.pt`` or ``.bin`` may be drawn with.
    """

    def __init__(self, paths: StudioPaths, folders: Sequence[Path] = (), open_pickles: bool = False) -> None:
        self.paths = paths
        self._folders = tuple(folders)
        self._open_pickles = open_pickles
        self._hashes = HashCache(paths.cache)
        self._scanner = Scanner(paths.cache)
        self.remarks = Remarks(paths)
        self._lock = threading.Lock()
        self._scanning = threading.Lock()
        self._bare: Scan | None = None
        self._found: Scan | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where it looks: the data folder's models, then the user's folders."""
        with self._lock:
            return (self.paths.models, *self._folders)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return all checkpoints, the starter first, then by name; those with a ``problem`` too."""
        return tuple(finding.info for finding in self._scan().findings)

    def assets(self, kind: str | None = None) -> tuple[Asset, ...]:
        """Return everything there is, or all of one kind, by name and with the hashes that are known."""
        assets = self._scan().assets
        return tuple(self._with_hashes(asset) for asset in assets if kind is None or asset.kind == kind)

    def find_asset(self, kind: str, name: str) -> Asset:
        """Return the asset of this kind with this key, name, file name, alias (in any case) or path.

        A checkpoint with a problem, for example a damaged file, is returned too, with its ``problem``.

        Raises:
            ModelNotFound: There is none; the hint names similar ones.
            ModelAmbiguous: Several are called so.
            ModelUnsupported: What is at the path is of another kind.
        """
        return self._with_hashes(asset_named(self._scan().assets, kind, name.strip()))

    def find_assets(self, kind: str, name: str) -> tuple[Asset, ...]:
        """Return all assets of this kind that a name may mean, with the hashes that are known.

        Raises:
            ModelNotFound: There is none; the hint names similar ones.
            ModelUnsupported: What is at the path is of another kind.
        """
        return tuple(self._with_hashes(asset) for asset in assets_named(self._scan().assets, kind, name.strip()))

    def find_any(self, name: str, kind: str | None = None) -> Asset:
        """Return the asset of this name, of whichever kind; raises as `find_asset`."""
        return self._with_hashes(any_named(self._scan().assets, name.strip(), kind))

    def troubles(self) -> tuple[Trouble, ...]:
        """Return what was left out at the last look, and why."""
        return self._scan().troubles

    def looked_into(self) -> tuple[str, ...]:
        """Return the folders the last look led through; a change in one of them calls for another look."""
        return self._scan().folders

    def rescan(self) -> tuple[ModelInfo, ...]:
        """Look again and return all models; meanwhile `models` answers with what was there before."""
        with self._scanning:
            with self._lock:
                folders, with_pickles = self._folders, self._open_pickles
            scan = self._scanner.scan(resources(), self.paths.models, folders)
            scan = with_pickles_opened(scan) if with_pickles else scan
            return self._take(scan)

    def keep_remark(self, asset: Asset, remark: Remark) -> None:
        """Keep the user's notes about an asset; its own values count from now on. Raises: SaveFailed."""
        with self._scanning:
            self.remarks.keep(asset.path, asset.sha256, remark)
            if self._bare is not None:
                self._take(self._bare)

    def _take(self, scan: Scan) -> tuple[ModelInfo, ...]:
        """Let this be what was found, each model with the values the user gave it."""
        by_hash, by_path = self.remarks.everything()

        def own_values(info: ModelInfo) -> Mapping[str, Any]:
            known = self.known_hash(info)
            if known not in by_hash and str(info.path) not in by_path:
                return {}
            return self.remarks.of(info.path, known).defaults  # which knows other bytes at the same place

        valued = with_own_values(scan, own_values) if by_path else scan
        with self._lock:
            self._bare, self._found = scan, valued
        return tuple(finding.info for finding in valued.findings)

    def set_folders(self, folders: Sequence[Path]) -> None:
        """Look in these folders from the next `rescan` on."""
        with self._lock:
            self._folders = tuple(folders)

    def set_open_pickles(self, open_pickles: bool) -> None:
        """Let pickles be drawn with, or not, from the next `rescan` on."""
        with self._lock:
            self._open_pickles = open_pickles

    def find(self, key_or_path: str) -> ModelInfo:
        """Return the model with this key, name (in any case) or path, ready to draw with.

        Raises:
            ModelNotFound: There is none; the hint names similar ones.
            ModelDamaged: It is not whole.
            ModelUnsupported: What is there is no model that can be drawn with.
        """
        scan = self._scan()
        finding = model_named(scan.findings, scan.assets, key_or_path.strip())
        with self._lock:
            allowed = self._open_pickles and isinstance(finding.error, ModelPickled)
        if finding.error is not None and not allowed:
            raise type(finding.error)(finding.error.message, finding.error.hint)
        return finding.info

    def hash_of(
        self,
        model: ModelInfo,
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> str:
        """Return the model's sha256 in hex: of its file, or over the hashes of a folder's weight files.

        Raises:
            ModelNotFound: A file is gone.
            Cancelled: ``cancel`` was set by another thread.
        """
        files = weight_files(model)
        return _joined(model.path, files, self._hashes.compute(files, on_progress, cancel))

    def learn(self, hashes: Mapping[Path, str]) -> None:
        """Take the sha256 of files that was just computed elsewhere: a download is hashed while it comes."""
        for path, sha256 in hashes.items():
            self._hashes.learn(path, sha256)

    def known_hash(self, model: ModelInfo) -> str:
        """Return what `hash_of` would, when no file needs reading for it, else ""."""
        return self._known(model.path, weight_files(model))

    def hash_asset(
        self,
        asset: Asset,
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Asset:
        """Return an asset with its hashes, reading its files where they are not known.

        Raises:
            ModelNotFound: A file is gone.
            Cancelled: ``cancel`` was set by another thread.
        """
        self._hashes.compute(_files(asset), on_progress, cancel, bodies=asset.kind_row.body_hash)
        return self._with_hashes(asset)

    def duplicates(
        self,
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> tuple[Duplicates, ...]:
        """Return files with the same bytes, the greatest waste first; reads those that are of one size.

        Raises:
            Cancelled: ``cancel`` was set by another thread.
        """
        own = [asset for asset in self.assets() if not is_built_in(asset.kind, asset.key)]
        alike = [asset for group in of_one_size(own) for asset in group]
        hashed = self.hash_assets(alike, on_progress, cancel)
        return duplicates(hashed)

    def hash_assets(
        self,
        assets: Sequence[Asset],
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
        on_hashed: Callable[[Asset], None] | None = None,
    ) -> tuple[Asset, ...]:
        """Return assets with their hashes, one after the other; one that is gone meanwhile is left out.

        Args:
            assets: What to hash.
            on_progress: Called with the share of bytes done, 0..1.
            cancel: Set by another thread to stop.
            on_hashed: Called with each as soon as it is done.

        Raises:
            Cancelled: ``cancel`` was set by another thread.
        """
        whole, done = sum(asset.size_bytes for asset in assets) or 1, 0
        hashed: list[Asset] = []
        for asset in assets:

            def tell(part: float, before: int = done, size: int = asset.size_bytes) -> None:
                if on_progress is not None:
                    on_progress((before + part * size) / whole)

            with suppress(ModelNotFound):
                hashed.append(self.hash_asset(asset, tell, cancel))
                if on_hashed is not None:
                    on_hashed(hashed[-1])
            done += asset.size_bytes
        return tuple(hashed)

    def link_copy(self, original: Asset, copy: Asset) -> Linked:
        """Make a copy of a file a second name of it, so that the bytes are on the disk once; see `links.part`.

        Raises:
            SaveFailed: Both differ after all, or cannot be linked; then nothing has changed.
            ModelNotFound: One is gone.
        """
        first, second = self._hashes.compute([original.path, copy.path])
        if first != second:
            raise SaveFailed(f"{copy.path} is no copy of {original.path} any more.", "Look for duplicates again.")
        linked = link(original.path, copy.path)
        self._hashes.adopt(original.path, copy.path)
        return linked

    def _with_hashes(self, asset: Asset) -> Asset:
        known = self._known(asset.path, _files(asset))
        body = self._hashes.known(asset.path, body=True) if known and asset.kind_row.body_hash else ""
        return replace(asset, sha256=known, body_sha256=body) if known else asset

    def _known(self, path: Path, files: Sequence[Path]) -> str:
        known = [self._hashes.known(file) for file in files]
        return _joined(path, files, known) if known and all(known) else ""

    def _scan(self) -> Scan:
        with self._lock:
            scan = self._found
        if scan is None:
            self.rescan()
            with self._lock:
                scan = self._found
        assert scan is not None
        return scan


def _files(asset: Asset) -> tuple[Path, ...]:
    if asset.kind == CHECKPOINT and asset.path.is_dir():
        return weight_files(ModelInfo(asset.key, asset.name, asset.path, "other", ModelLayout.FOLDER))
    return (asset.path,)


def _joined(path: Path, files: Sequence[Path], hashes: Sequence[str]) -> str:
    if list(files) == [path]:
        return hashes[0]
    lines = (f"{file.relative_to(path).as_posix()} {value}\n" for file, value in zip(files, hashes, strict=True))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
