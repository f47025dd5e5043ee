"""Where in a folder to look: which program it belongs to, and which further folders that program's own lists name.

A folder of no known program is looked through as a whole. Lists are settings of the user's own programs: they are read
as data, and what they name is only ever looked at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.kinds import OTHER
from sdstudio.catalog.programs import FOLDER_KINDS, PROGRAMS, Program

DEPTH: Final = 6
"""How deep a folder is looked through: InvokeAI and Hugging Face need four, people's own order a few more."""

LIST_SUFFIXES: Final = (".yaml", ".yml")
_LIST_MAXIMUM_BYTES: Final = 2**20
_FOOOCUS_PATHS: Final = (
    ("path_checkpoints", "checkpoints"), ("path_loras", "loras"), ("path_embeddings", "embeddings"),
    ("path_vae", "vae"), ("path_upscale_models", "upscale_models"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to look through, and the kind of what lies there, "" when it follows from the files."""

    folder: Path
    hint: str = ""
    depth: int = DEPTH


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file or folder that was left out, and why: one line."""

    path: str
    reason: str

    @classmethod
    def of(cls, path: Path | str, reason: str) -> Trouble:
        """Name a path that may hold anything: what is not UTF-8 is escaped, what is very long is cut."""
        named = os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        named = "".join(letter if letter.isprintable() else "?" for letter in named)
        return cls(named if len(named) <= 300 else f"{named[:200]}…{named[-80:]}", reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def program_of(root: Path) -> Program | None:
    """Return the program whose folder ``root`` is, ``None`` when it is none that is known."""
    for program in PROGRAMS:
        for sign in program.signs:
            if all(_inside(root, part) is not None for part in sign.split("+")):
                return program
    return None


def places_of(root: Path) -> tuple[list[Place], list[Trouble]]:
    """Return where to look for models of a folder the user named; a ComfyUI list of folders may stand for one."""
    troubles: list[Trouble] = []
    if root.suffix.lower() in LIST_SUFFIXES and root.is_file():
        return _listed(root, "comfyui", troubles), troubles
    program = program_of(root)
    if program is None:
        return [Place(root, hint_of(root.name))], troubles
    places: list[Place] = []
    for name, kind in program.folders.items():
        folder = _inside(root, name)
        if folder is not None and folder.is_dir():
            places.append(Place(folder, kind))
    for name, kind in program.lists:
        path = _inside(root, name)
        if path is not None and path.is_file():
            places += _listed(path, kind, troubles)
    return places, troubles


def hint_of(folder_name: str) -> str:
    """Return the kind that a folder's name is for, "" for none."""
    return FOLDER_KINDS.get(folder_name.lower(), "")


def _inside(root: Path, name: str) -> Path | None:
    """Return what lies at ``name`` inside ``root``, in any spelling of its case; ``None`` when nothing does."""
    top = root
    for part in name.split("/"):
        exact = top / part
        try:
            if not exact.exists():
                names = [child for child in os.listdir(top) if child.lower() == part.lower()]
                if not names:
                    return None
                exact = top / names[0]
        except OSError:
            return None
        top = exact
    return top


def _listed(path: Path, kind: str, troubles: list[Trouble]) -> list[Place]:
    """Return the folders a program's list names; a list that cannot be read is a trouble, not an end."""
    import yaml  # noqa: PLC0415 (most folders have no such list)

    load: Callable[[bytes], Any] = json.loads if kind == "fooocus" else yaml.safe_load
    try:
        if path.stat().st_size > _LIST_MAXIMUM_BYTES:
            troubles.append(Trouble.of(path, f"it is larger than {_LIST_MAXIMUM_BYTES:,} bytes and was not read."))
            return []
        raw = load(path.read_bytes()) or {}
        if not isinstance(raw, dict):
            raise ValueError("it is no table of names")
    except OSError as error:
        troubles.append(Trouble.of(path, f"it could not be read: {error.strerror}."))
        return []
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        troubles.append(Trouble.of(path, f"it could not be read: {' '.join(str(error).split())[:160]}."))
        return []
    named = {"comfyui": _comfyui, "fooocus": _fooocus, "invokeai": _invokeai}[kind](raw, path.parent)
    places: list[Place] = []
    for folder, hint in named:
        if _is_folder(folder):
            places.append(Place(folder, hint))
        else:
            troubles.append(Trouble.of(folder, f"the folder is not there; {path.name} names it."))
    return places


def _comfyui(raw: Mapping[Any, Any], beside: Path) -> Iterator[tuple[Path, str]]:
    """Read ``extra_model_paths.yaml``: programs, each a base path and for each kind one folder a line, or a list."""
    for section in raw.values():
        if not isinstance(section, dict):
            continue
        base = _path(section.get("base_path"), beside) or beside
        for name, value in section.items():
            hint = hint_of(str(name))
            if not hint or hint == OTHER:
                continue
            for text in value if isinstance(value, list) else [value]:
                for line in text.splitlines() if isinstance(text, str) else ():
                    folder = _path(line, base)
                    if folder is not None:
                        yield folder, hint


def _fooocus(raw: Mapping[Any, Any], beside: Path) -> Iterator[tuple[Path, str]]:
    """Read Fooocus' ``config.txt``: a path or a list of paths for each kind."""
    for name, kind_folder in _FOOOCUS_PATHS:
        value = raw.get(name)
        for text in value if isinstance(value, list) else [value]:
            folder = _path(text, beside)
            if folder is not None:
                yield folder, hint_of(kind_folder)


def _invokeai(raw: Mapping[Any, Any], beside: Path) -> Iterator[tuple[Path, str]]:
    """Read where ``invokeai.yaml`` puts the models, when elsewhere."""
    for name in ("models_dir", "legacy_models_dir"):
        folder = _path(raw.get(name), beside)
        if folder is not None:
            yield folder, ""


def _path(text: Any, base: Path) -> Path | None:
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        return None
    try:
        return base / Path(os.path.expandvars(text.strip())).expanduser()
    except RuntimeError:  # a home that is not there
        return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
