"""Folders of other programs on this computer: looked for where people put them, near ones first, for a few seconds.

A folder is recognised by the signs of ``catalog.programs``; only names of folders are read. Nothing is looked for
behind links, below hidden folders, or in what was found already.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.catalog.kinds import CHECKPOINT, OTHER
from sdstudio.catalog.programs import PROGRAMS, SKIPPED_FOLDERS
from sdstudio.core.paths import expanded
from sdstudio.library.scanning.places import program_of
from sdstudio.library.scanning.walk import Walk

PATIENCE_S: Final = 15.0
"""Alone it takes a fifth of a second here; beside a busy window, five."""
DEPTH: Final = 4
"""``~/StabilityMatrix/Data/Packages/ComfyUI`` and ``~/pinokio/api/name/app`` lie as deep."""
FOLDERS_MAXIMUM: Final = 20_000
FILES_MAXIMUM: Final = 10_000

_DRIVES: Final = ("/mnt", "/media", "/run/media", "/opt", "/srv", "/data", "/workspace", "/Volumes")
_FIRST_PARTS: Final = frozenset(
    part.split("/")[0].lower() for program in PROGRAMS for sign in program.signs for part in sign.split("+")
)
"""A folder without any of these names inside is no program's."""


_Ends = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One program's folder.

    Attributes:
        title: What the program is called.
        folder: Where it lies.
        checkpoints: Files and folders there that may be models to draw with.
        others: LoRA, VAE, embeddings and upscalers.
    """

    title: str
    folder: Path
    checkpoints: int
    others: int


def neighbours(
    places: Sequence[Path] | None = None,
    cancel: threading.Event | None = None,
    patience_s: float = PATIENCE_S,
) -> tuple[Neighbour, ...]:
    """Return programs' folders that hold models, those with the most first.

    Args:
        places: Where to begin; default: where people put programs on this system.
        cancel: Set by another thread to stop.
        patience_s: After so many seconds, what was found by then is all.
    """
    until = time.monotonic() + patience_s

    def is_over() -> bool:
        return time.monotonic() > until or (cancel is not None and cancel.is_set())

    neighbours: list[Neighbour] = []
    seen: set[tuple[int, int]] = set()
    for nearby in usual_places() if places is None else (places,):
        for folder in _programs(nearby, seen, is_over):
            program = program_of(folder)
            if program is not None:
                neighbours.append(_counted(program.title, folder, is_over))
    whole = (one for one in neighbours if one.checkpoints or one.others)
    return tuple(sorted(whole, key=lambda one: (-one.checkpoints, -one.others, str(one.folder))))


def usual_places() -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return where to begin: caches by their variables and the home folder; then other disks."""
    variables = [os.environ[name] for name in ("HF_HOME", "INVOKEAI_ROOT", "COMFYUI_PATH") if os.environ.get(name)]
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    drives = [f"{letter}:\\" for letter in "CDEFGH"] if sys.platform == "win32" else _DRIVES
    near = dict.fromkeys(map(expanded, [*variables, f"{cache}/huggingface", "~", "~/.local/share"]))
    return tuple(near), tuple(map(Path, drives))


def _programs(places: Iterable[Path], seen: set[tuple[int, int]], is_over: _Ends) -> Iterator[Path]:
    """Yield folders that look like a program's, level by level below all places at once."""
    waiting = deque((place, DEPTH) for place in places)
    looked = 0
    while waiting and looked < FOLDERS_MAXIMUM and not is_over():
        folder, depth = waiting.popleft()
        looked += 1
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                children = list(entries)
        except (OSError, ValueError):
            continue
        if any(child.name.lower() in _FIRST_PARTS for child in children) and program_of(folder) is not None:
            yield folder
            continue
        if depth:
            waiting.extend((Path(child.path), depth - 1) for child in children if _is_entered(child))


def _is_entered(child: os.DirEntry[str]) -> bool:
    try:
        return (
            not child.name.startswith((".", "$"))
            and child.name.lower() not in SKIPPED_FOLDERS
            and child.is_dir(follow_symlinks=False)
        )
    except OSError:
        return False


def _counted(title: str, folder: Path, is_over: _Ends) -> Neighbour:
    checkpoints = others = 0
    for candidate in Walk().candidates(folder):
        if candidate.hint in ("", CHECKPOINT):
            checkpoints += 1
        elif candidate.hint != OTHER:
            others += 1
        if checkpoints + others >= FILES_MAXIMUM or is_over():
            break
    return Neighbour(title, folder, checkpoints, others)
