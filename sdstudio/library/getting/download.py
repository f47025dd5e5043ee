"""How a download lies on disk: staged in a hidden folder beside its plan, visible to the library only when it is whole.

``models/.downloads/NAME/`` holds ``plan.json`` and, below ``files/``, what has arrived: whole files under their names,
the beginnings of others as ``.part``. The folder itself is the record of the download: any later run can go on with it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx2
from filelock import FileLock, Timeout
from pydantic import ValidationError

from sdstudio.catalog.detectors import WEIGHTS_FILE
from sdstudio.catalog.kinds import DETECTOR
from sdstudio.core.errors import DownloadDamaged, LockedByOther, ModelDamaged, ModelError, SaveFailed
from sdstudio.core.models.folder import INDEX_FILE
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.paths import DOWNLOADS_FOLDER
from sdstudio.library.getting.fetch import Part, Patience, Source, cannot_save, fetch
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.meter import Meter, OnProgress
from sdstudio.library.getting.network import abandonable, new_client
from sdstudio.library.getting.plan import Plan, PlannedFile
from sdstudio.library.scanning.facts import read_facts
from sdstudio.library.scanning.identify import examine
from sdstudio.library.scanning.notes import NOTES_FILE

STAGING: Final = DOWNLOADS_FOLDER

_PLAN: Final = "plan.json"
_FILES: Final = "files"
_PLAN_MAXIMUM_BYTES: Final = 8 * 2**20
_ROOM: Final = 1.05
"""Free disk, as a multiple of what is still to come, without which a download does not begin."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A download with its place on disk; nothing of it is in memory only."""

    models: Path
    folder: Path
    plan: Plan

    @property
    def target(self) -> Path:
        """Where it will be."""
        return self.models / self.plan.target

    @property
    def done_bytes(self) -> int:
        """How much has arrived."""
        return sum(self._arrived(file) for file in self.plan.files)

    def place_of(self, file: PlannedFile) -> Path:
        """Where a file is when it is whole."""
        return self.folder / _FILES / file.path

    def part_of(self, file: PlannedFile) -> Path:
        """Where its beginning is."""
        return self.folder / _FILES / f"{file.path}.part"

    def has(self, file: PlannedFile) -> bool:
        """Whether a file is there whole; it was checked before it got its name."""
        path = self.place_of(file)
        return path.is_file() and not path.is_symlink() and path.stat().st_size == file.size_bytes

    def _arrived(self, file: PlannedFile) -> int:
        for path in (self.place_of(file), self.part_of(file)):
            with suppress(OSError):
                return min(path.stat().st_size, file.size_bytes)
        return 0


def stage(models: Path, plan: Plan) -> Staged:
    """Write a plan down, so that its download can begin; what an earlier try at the same thing left is taken over.

    Raises:
        SaveFailed: There is a model of that name, or no room for it.
        LockedByOther: Another window or command is at it.
    """
    staged = Staged(models, models / STAGING / plan.target.replace("/", "--"), plan)
    _check_target(staged)
    _check_folders(staged)
    with locked(staged.folder):
        try:
            before = _read_plan(staged.folder)
            if before is not None:
                _drop_what_changed(staged, before)
            check_free(models, plan.title, plan.size_bytes - staged.done_bytes)
            staged.folder.mkdir(exist_ok=True)
            temporary = staged.folder / f"{_PLAN}.tmp"
            temporary.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
            os.replace(temporary, staged.folder / _PLAN)
        except OSError as error:
            raise cannot_save(staged.folder, error) from error
    return staged


def unfinished(models: Path) -> list[Staged]:
    """Return the downloads that an earlier run left, by name; what cannot be gone on with is swept away."""
    leftovers: list[Staged] = []
    try:
        folders = sorted((models / STAGING).iterdir())
    except OSError:
        return []
    for folder in folders:
        plan = _read_plan(folder)
        if plan is None or folder.name != plan.target.replace("/", "--"):
            _sweep(folder)
            continue
        staged = Staged(models, folder, plan)
        if staged.target.exists() and not (folder / _FILES).exists():  # it was whole, and the sweeping was interrupted
            _sweep(folder)
        else:
            leftovers.append(staged)
    return leftovers


def verified_hashes(plan: Plan, path: Path) -> dict[Path, str]:
    """Return the sha256 of each file of a download that has arrived at ``path``, as far as it was checked by one."""
    return {path / file.path if plan.is_folder else path: file.sha256 for file in plan.files if file.sha256}


def discard(staged: Staged) -> None:
    """Throw away what has arrived. Cannot be undone.

    Raises:
        LockedByOther: Another window or command is at it.
    """
    with locked(staged.folder):
        _remove(staged.folder)


def run(
    staged: Staged,
    hub: Hub,
    cancel: threading.Event,
    on_progress: OnProgress,
    patience: Patience | None = None,
) -> Path:
    """Bring a staged download to its end and into the library.

    Args:
        staged: From `stage` or `unfinished`.
        hub: Gives the token.
        cancel: Set by another thread to stop; acted on within a tenth of a second, whatever the network does.
        on_progress: Called a few times a second, on this thread.
        patience: How failures are met.

    Returns:
        The model's folder or file.

    Raises:
        Cancelled: ``cancel`` was set; what has arrived stays and `run` goes on with it.
        DownloadError: It could not be fetched; the same holds.
        SaveFailed: The disk is full, or a model of that name has come meanwhile.
        LockedByOther: Another window or command is at it.
    """
    with locked(staged.folder):
        _check_target(staged)
        _check_folders(staged)
        whole = [file for file in staged.plan.files if staged.has(file)]
        meter = Meter(sum(file.size_bytes for file in whole), staged.plan.size_bytes, on_progress)
        with new_client() as client:
            for file in staged.plan.files:
                if not staged.has(file):
                    headers = abandonable(partial(hub.headers_for, file.url), cancel)  # the keyring may ask the user
                    what = f"{staged.plan.title}: {file.path}"
                    source = Source(file.url, what, file.size_bytes, file.sha256, file.git_sha1, file.etag, headers)
                    _fetch_one(staged, file, source, client, cancel, meter, patience or Patience())
        meter.tell("checking", force=True)
        return _published(staged)


def _fetch_one(
    staged: Staged,
    file: PlannedFile,
    source: Source,
    client: httpx2.Client,
    cancel: threading.Event,
    meter: Meter,
    patience: Patience,
) -> None:
    part = Part(staged.part_of(file), source)
    meter.watch(part)
    try:
        part.take_up(cancel)
        fetch(client, source, part, cancel, meter.tell, patience)
    finally:
        meter.watch(None)
        part.close()
    try:
        os.replace(staged.part_of(file), staged.place_of(file))
    except OSError as error:
        raise cannot_save(staged.place_of(file), error) from error
    meter.add(file.size_bytes)


def _published(staged: Staged) -> Path:
    """Look at what has arrived as the library will, then let it see it."""
    files, plan = staged.folder / _FILES, staged.plan
    try:
        if plan.is_folder:
            if plan.left_out:
                _leave_out(files / INDEX_FILE, plan.left_out)
            if plan.notes:
                (files / NOTES_FILE).write_text(json.dumps(dict(plan.notes), indent=2), encoding="utf-8")
            whole = files
            is_detector = plan.kind == DETECTOR
            problem = read_facts(files / WEIGHTS_FILE).as_error() if is_detector else examine(files).error
            if isinstance(problem, ModelDamaged):
                raise _not_usable(staged, problem)
        else:
            whole = staged.place_of(plan.files[0])
            try:
                read_header(whole)
            except ModelError as error:
                whole.unlink()
                raise _not_usable(staged, error) from error
        staged.target.parent.mkdir(parents=True, exist_ok=True)
        _check_target(staged)
        os.replace(whole, staged.target)
        _sync_folder(staged.target.parent)
        _remove(staged.folder)
    except OSError as error:
        raise cannot_save(staged.target, error) from error
    return staged.target


def _leave_out(index: Path, names: tuple[str, ...]) -> None:
    """Name components as absent in a model's index. Raises: OSError."""
    raw = json.loads(index.read_bytes())
    raw |= {name: [None, None] for name in names if name in raw}
    if "safety_checker" in names and "requires_safety_checker" in raw:
        raw["requires_safety_checker"] = False
    temporary = index.with_suffix(".tmp")
    temporary.write_text(json.dumps(raw, indent=2), encoding="utf-8")
    os.replace(temporary, index)


def _not_usable(staged: Staged, error: ModelError) -> DownloadDamaged:
    return DownloadDamaged(f"{staged.plan.title}: it arrived as promised and is no whole model.", error.message)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a staging folder, so that two programs never write one file. The system frees it when a process dies.

    Raises:
        LockedByOther: Another window or command has it.
        SaveFailed: The models folder cannot be written.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        message = f"{folder.name} is being downloaded by another window or command."
        raise LockedByOther(message, "Wait for it, or stop it there.") from None
    except OSError as error:
        raise cannot_save(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _check_target(staged: Staged) -> None:
    if os.path.lexists(staged.target):
        raise SaveFailed(f"{staged.target} is there already.", "Use it, or move it away first.")


def check_free(models: Path, title: str, size_bytes: int) -> None:
    """Refuse what the disk has no room for. Raises: SaveFailed."""
    missing = round(size_bytes * _ROOM)
    free = shutil.disk_usage(models).free
    if free < missing:
        raise SaveFailed(
            f"{title} needs {missing / 1e9:,.1f} GB of free disk; {models} has {free / 1e9:,.1f}.",
            "Free space, or put the data folder on a larger disk.",
        )


def _check_folders(staged: Staged) -> None:
    """Refuse to write through a link that somebody has put below the models folder. Raises: SaveFailed."""
    inside = staged.folder / _FILES
    folders = {staged.models / STAGING, staged.folder, inside, staged.target.parent}
    folders |= {staged.place_of(file).parent for file in staged.plan.files}
    for folder in folders - {staged.models}:
        if folder.is_symlink():
            raise SaveFailed(f"{folder} is a link: nothing is written through it.", "Move it away.")


def _read_plan(folder: Path) -> Plan | None:
    path = folder / _PLAN
    try:
        if folder.is_symlink() or path.stat().st_size > _PLAN_MAXIMUM_BYTES:
            return None
        return Plan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _drop_what_changed(staged: Staged, before: Plan) -> None:
    """Keep of an earlier try what is wanted now, too."""
    wanted = {file.path: _contents(file) for file in staged.plan.files}
    for file in before.files:
        if wanted.get(file.path) != _contents(file):
            staged.place_of(file).unlink(missing_ok=True)
            staged.part_of(file).unlink(missing_ok=True)


def _contents(file: PlannedFile) -> tuple[int, str, str]:
    return file.size_bytes, file.sha256 or file.git_sha1, "" if file.sha256 or file.git_sha1 else file.url + file.etag


def _sweep(folder: Path) -> None:
    if not folder.name.startswith(".") and folder.is_dir() and not folder.is_symlink():
        with suppress(LockedByOther, SaveFailed), locked(folder):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder that holds nothing but a download; what cannot be removed is swept at the next start."""
    shutil.rmtree(folder, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # Windows has no such thing, and writes names down by itself
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
