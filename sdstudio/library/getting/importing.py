"""How a model from elsewhere on this computer comes into the data folder: looked at, linked or copied, then renamed.

A hard link takes no room and no time; where the disk is another one, the files are copied.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.catalog.detectors import WEIGHTS_FILE
from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, PICKLES
from sdstudio.core.errors import Cancelled, ModelUnsupported, SaveFailed
from sdstudio.core.models.folder import INDEX_FILE
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.paths import expanded
from sdstudio.library.getting.download import STAGING, check_free, locked
from sdstudio.library.getting.fetch import cannot_save
from sdstudio.library.getting.plan import file_name, safe_path
from sdstudio.library.getting.planner import kind_of, placed
from sdstudio.library.scanning.facts import read_facts
from sdstudio.library.scanning.identify import examine

_CHUNK_BYTES: Final = 4 * 2**20
_SUFFIXES: Final = (".json", ".txt", ".model", ".safetensors", ".bin", ".md")
_FILES_MAXIMUM: Final = 2000


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in. ``linked``: it shares its bytes with where it came from."""

    path: Path
    kind: str
    size_bytes: int
    linked: bool


def import_model(
    source: Path,
    models: Path,
    copy: bool = False,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> Imported:
    """Bring a model folder or a single file into the models folder; where it came from stays as it is.

    Args:
        source: A folder with a ``model_index.json``, or a safetensors file.
        models: The models folder.
        copy: Copy even where a hard link would do.
        on_progress: Called with the share that is done, 0..1.
        cancel: Set by another thread to stop; nothing is left then.

    Raises:
        ModelError: It is no model, or not whole.
        SaveFailed: There is a model of that name, or no room.
        LockedByOther: Another window or command is at the same name.
        Cancelled: ``cancel`` was set.
    """
    source = expanded(source).absolute()
    if source.name == INDEX_FILE:
        source = source.parent
    kind, target, files = _looked_at(source, models)
    if os.path.lexists(target):
        raise SaveFailed(f"{target} is there already.", "Use it, or move it away first.")
    size = sum(path.stat().st_size for path in files.values())
    staging = models / STAGING / f"{target.name}.import"
    with locked(staging):
        try:
            shutil.rmtree(staging, ignore_errors=True)
            linked = not copy and _can_link(next(iter(files.values())), staging)
            if not linked:
                check_free(models, target.name, size)
            hand = _Hand(linked, size, on_progress, cancel or threading.Event())
            for name, path in files.items():
                hand.bring(path, staging / name)
            whole = staging if source.is_dir() else staging / next(iter(files))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(whole, target)
        except OSError as error:
            raise cannot_save(target, error) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Imported(target, kind, size, linked)


def _looked_at(source: Path, models: Path) -> tuple[str, Path, dict[str, Path]]:
    """Return kind, target, and the files by their names in it."""
    if os.path.isdir(source):
        weights = source / WEIGHTS_FILE
        if weights.is_file() and not (source / INDEX_FILE).is_file():
            facts = read_facts(weights)
            error = facts.as_error()
            if facts.file.kind == DETECTOR:
                if error is not None:
                    raise error
                return DETECTOR, models / placed(DETECTOR, file_name(source.name, "")), _files_of(source)
        finding = examine(source)
        if finding.error is not None:
            raise finding.error
        return CHECKPOINT, models / file_name(finding.info.name, ""), _files_of(source)
    if source.suffix.lower() in PICKLES and os.path.exists(source):
        message = f"{source} may hold Python objects: allowed are a model's folder and .safetensors files."
        raise ModelUnsupported(message, "Convert it first, with `sdstudio models convert`.")
    if source.suffix.lower() != ".safetensors":
        examine(source)  # raises what it is instead, and what to do
    kind, _remark = kind_of(read_header(source), source.stem)
    name = file_name(source.name)
    return kind, models / placed(kind, name), {name: source.resolve()}


def _files_of(folder: Path) -> dict[str, Path]:
    """Return what of a model's folder is brought along, links resolved: Hugging Face's cache consists of them."""
    allowed = [folder.resolve(), (folder.parent.parent / "blobs").resolve()]
    files: dict[str, Path] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or not (path.suffix in _SUFFIXES or path.name.startswith("LICEN")):
            continue
        try:
            safe_path(name)
        except ValueError:
            continue
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in allowed):
            raise ModelUnsupported(f"{path} is a link to {real}, outside the model.", "Put the file itself there.")
        files[name] = real
    if len(files) > _FILES_MAXIMUM:
        raise ModelUnsupported(
            f"{folder} holds {len(files):,} files: allowed are {_FILES_MAXIMUM:,}.", "Choose another."
        )
    return files


def _can_link(path: Path, staging: Path) -> bool:
    """Try it: neither the kind of the disk nor its number is certain."""
    staging.mkdir(parents=True, exist_ok=True)
    probe = staging / "probe"
    try:
        os.link(path, probe)
    except OSError:
        return False
    probe.unlink()
    return True


class _Hand:
    """Links or copies files, one after the other."""

    def __init__(
        self, linked: bool, size: int, on_progress: Callable[[float], None] | None, cancel: threading.Event
    ) -> None:
        self._linked = linked
        self._size = size or 1
        self._done = 0
        self._on_progress = on_progress
        self._cancel = cancel

    def bring(self, path: Path, place: Path) -> None:
        """Put a file at its place. Raises: OSError, Cancelled."""
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._linked:
            self._check()
            os.link(path, place)
            self._tell(path.stat().st_size)
            return
        with path.open("rb") as reading, place.open("xb") as writing:
            while chunk := reading.read(_CHUNK_BYTES):
                self._check()
                writing.write(chunk)
                self._tell(len(chunk))
            writing.flush()
            os.fsync(writing.fileno())

    def _check(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _tell(self, size: int) -> None:
        self._done += size
        if self._on_progress is not None:
            self._on_progress(self._done / self._size)
