"""What a file's header records, read once: kept by path, size and time of change in ``cache/library.json``.

A header is a few hundred kilobytes of names; reading a thousand of them takes seconds, looking up what they hold does
not. What could not be read for the disk's sake is not kept: it may work the next time.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.checkpoints import V_PREDICTION
from sdstudio.catalog.detectors import CONFIG_FILE, WEIGHTS_FILE
from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.few_steps import FEW_STEPS
from sdstudio.catalog.kinds import (
    CHECKPOINT,
    DETECTOR,
    EMBEDDING,
    KIND_BY_KEY,
    LORA,
    PICKLES,
    UPSCALER,
    VAE,
    VARIANT_BY_KEY,
)
from sdstudio.core.errors import ModelDamaged, ModelError, ModelPickled, ModelUnsupported
from sdstudio.core.files import is_utf8
from sdstudio.core.models.checkpoint import PARTS_KEY, prediction_in, prediction_in_yaml
from sdstudio.core.models.detector_files import detector_in
from sdstudio.core.models.safetensors_header import Header, bits_of, read_header
from sdstudio.core.models.upscaler_files import layout_of
from sdstudio.core.settings import PICKLES_HINT
from sdstudio.library.cache_file import read_cache, write_cache
from sdstudio.library.scanning.lora_facts import lora_facts
from sdstudio.library.scanning.pickled import family_in_pickle, lacks_vae
from sdstudio.library.scanning.single_file import SingleFile, classify, variant_of_name

_VERSION: Final = 12
"""Of what is kept: raise it when `classify` or `FileFacts` change what they return for the same file."""

VAE_HINT: Final = "Choose a VAE to draw with it: the VAE field, or --vae NAME."
# Variants by a file's name, or none: A1111's configuration beside a file is read first.
_BY_NAME: Final = frozenset({"", f"{V_PREDICTION}?", *(row.key for row in FEW_STEPS)})

_TRIGGERS_MAXIMUM: Final = 24
_WORDS_MAXIMUM: Final = 120
_ERRORS: Final[dict[str, type[ModelError]]] = {
    "damaged": ModelDamaged, "unsupported": ModelUnsupported, "pickled": ModelPickled,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one file records of itself.

    Attributes:
        file: Its kind, family and variant.
        base: The model it was made for or from, as it records it.
        alias: Another name it is called by in prompts.
        triggers: Its trigger words, the most frequent first.
        carried: It carries the configuration of the folder that it was made from.
        network: What an upscaler, detector or LoRA is, "Real-ESRGAN, 4x", "LoKr"; "" for a plain LoRA, and for a
            pickle, which is not opened to look.
        bundled: Names of the embeddings that a LoRA brings along.
        not_drawn: What of it is not drawn with, a sentence each.
        bits: How many a number of a checkpoint's weights takes, 0 when that is not known.
        error: "damaged", "unsupported", "pickled" or "" when it is whole; ``message`` and ``hint`` are for the user.
    """

    file: SingleFile
    base: str = ""
    alias: str = ""
    triggers: tuple[str, ...] = ()
    carried: bool = False
    network: str = ""
    bundled: tuple[str, ...] = ()
    not_drawn: tuple[str, ...] = ()
    bits: int = 0
    error: str = ""
    message: str = ""
    hint: str = ""

    def as_error(self) -> ModelError | None:
        """Return the error to raise when it is to be used."""
        return _ERRORS[self.error](self.message, self.hint) if self.error else None


def read_facts(path: Path, hint: str = "") -> FileFacts:
    """Read what a file records of itself.

    Args:
        path: A file, of any content.
        hint: The kind that its folder is for.

    Raises:
        ModelNotFound: It is gone or cannot be read.
    """
    if path.suffix.lower() in PICKLES:
        return _pickle(path, hint or CHECKPOINT)
    try:
        header = read_header(path)
    except ModelDamaged as error:
        file = SingleFile(hint or CHECKPOINT)
        return FileFacts(file, error="damaged", message=error.message, hint=error.hint)
    file = classify(header, path.stem, hint)
    if file.kind == CHECKPOINT and not prediction_in(header):
        file = _with_yaml(file, path)
    notes = header.metadata
    facts = FileFacts(
        file,
        base=one_line(notes.get("ss_sd_model_name") or notes.get("ss_base_model_version") or ""),
        alias=one_line(notes.get("ss_output_name", "")),
        triggers=triggers_of(notes),
        carried=PARTS_KEY in notes,
        bits=bits_of(header) if file.kind == CHECKPOINT else 0,
    )
    if file.kind == UPSCALER:
        return _with_network(facts, header, path)
    if file.kind == DETECTOR and not file.not_a_model:
        return _with_detector(facts, path)
    if file.kind == LORA:
        return replace(facts, **asdict(lora_facts(path, header)))
    if not file.not_a_model:
        return _with_parts(facts, path)
    advice = "Choose a text-to-image checkpoint." if file.kind == CHECKPOINT else "The studio does not use it."
    return replace(facts, error="unsupported", message=f"{path} is {file.not_a_model}.", hint=advice)


def _with_yaml(file: SingleFile, path: Path) -> SingleFile:
    """Return what a checkpoint is by A1111's configuration beside it, which is more certain than its name."""
    prediction = prediction_in_yaml(path.with_suffix(".yaml"))
    if prediction == V_PREDICTION and file.variant in _BY_NAME:
        return replace(file, variant=V_PREDICTION)
    if prediction and prediction != V_PREDICTION and file.variant.startswith(V_PREDICTION):
        return replace(file, variant=variant_of_name(file.distilled_as))
    return file


def _with_parts(facts: FileFacts, path: Path) -> FileFacts:
    """Return a checkpoint with what it lacks: without a VAE it draws with another, without a text encoder never."""
    lacks = facts.file.lacks
    if not lacks:
        return facts
    if lacks == ("vae",):
        return replace(facts, message=f"{path} holds no VAE.", hint=VAE_HINT)
    missing = " and no ".join("VAE" if part == "vae" else part for part in lacks)
    message = f"{path} holds no {missing}: a part of a model."
    return replace(facts, error="unsupported", message=message, hint="Choose a whole checkpoint.")


def _with_network(facts: FileFacts, header: Header, path: Path) -> FileFacts:
    try:
        layout = layout_of({name: entry.shape for name, entry in header.tensors.items()}, str(path))
    except ModelUnsupported as error:
        return replace(facts, error="unsupported", message=error.message)
    return replace(facts, network=layout.about)


def _with_detector(facts: FileFacts, path: Path) -> FileFacts:
    """Return a detector with what its configuration says it is: it is read by the folder it lies in."""
    try:
        if path.name != WEIGHTS_FILE:
            message = f"{path} is the weights of a detector, which lie as {WEIGHTS_FILE} in a folder of their own."
            raise ModelUnsupported(message, "Get the whole folder.")
        spec = detector_in(path.parent)
    except ModelError as error:
        kind = "damaged" if isinstance(error, ModelDamaged) else "unsupported"
        return replace(facts, error=kind, message=error.message, hint=error.hint)
    return replace(facts, network=spec.title)


def triggers_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words a LoRA was trained on: the phrase it names, then its tags, the most frequent first."""
    words = [word for word in metadata.get("modelspec.trigger_phrase", "").split(",") if word.strip()]
    try:
        folders = json.loads(metadata.get("ss_tag_frequency") or "{}")
    except (ValueError, RecursionError):
        folders = {}
    counts: dict[str, float] = {}
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if isinstance(count, int | float):
                counts[tag] = counts.get(tag, 0) + count
    words += sorted(counts, key=lambda tag: (-counts[tag], tag))[:_TRIGGERS_MAXIMUM]
    lines = (one_line(word) for word in words)
    return tuple(dict.fromkeys(line for line in lines if line))[:_TRIGGERS_MAXIMUM]


class FactsCache:
    """Facts by path, size and time of change. Safe to use from several threads; several programs may share a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "library.json"
        self._lock = threading.Lock()
        self._rows: dict[str, Any] = self._read()
        self._changed = False

    def facts(self, path: Path, size_bytes: int, mtime_ns: int, hint: str) -> FileFacts:
        """Return what a file records, from memory when it is unchanged. Raises: ModelNotFound."""
        key, stamp = str(path), [size_bytes, mtime_ns, hint, *_beside(path)]
        with self._lock:
            row = self._rows.get(key)
        if isinstance(row, dict) and row.get("stamp") == stamp:
            with suppress(LookupError, TypeError, ValueError):  # written by a person or another version
                return _restored(row["facts"])
        facts = read_facts(path, hint)
        with self._lock:
            self._rows[key] = {"stamp": stamp, "facts": _kept(facts)}
            self._changed = True
        return facts

    def save(self, seen: Callable[[str], bool]) -> None:
        """Write what is new to disk.

        A path that was not ``seen`` is forgotten, unless its folder is gone too: a drive that comes back is not read
        anew.
        """
        with self._lock:
            gone = [key for key in self._rows if not seen(key) and os.path.isdir(os.path.dirname(key))]
            for key in gone:
                del self._rows[key]
            if not (self._changed or gone):
                return
            self._changed = False
            write_cache(self._path, {"version": _VERSION, "files": self._rows})

    def _read(self) -> dict[str, Any]:
        raw = read_cache(self._path)
        files = raw.get("files") if raw.get("version") == _VERSION else None
        return dict(files) if isinstance(files, dict) else {}


def _beside(path: Path) -> tuple[int, ...]:
    """Return size and time of a configuration beside a file, A1111's or a detector's, nothing where there is none."""
    beside = path.parent / CONFIG_FILE if path.name == WEIGHTS_FILE else f"{os.path.splitext(path)[0]}.yaml"
    with suppress(OSError, ValueError):
        status = os.stat(beside)
        return status.st_size, status.st_mtime_ns
    return ()


def _pickle(path: Path, kind: str) -> FileFacts:
    """A file of Python objects is never opened to look; the error names the setting that allows it."""
    family = family_in_pickle(path) if kind == CHECKPOINT else ""
    lacks = ("vae",) if family and lacks_vae(path) else ()
    file = SingleFile(kind, family, variant_of_name(path.stem), lacks=lacks)
    if kind in (EMBEDDING, VAE, UPSCALER) or family:
        message = f"{path} is a pickle, a format that can hold programs: such files are not opened."
        hint = "Convert it to .safetensors, once." if family else PICKLES_HINT
        return FileFacts(file, error="pickled", message=message, hint=hint)
    return FileFacts(
        file,
        error="unsupported",
        message=f"{path} may hold Python objects and was not opened: allowed are .safetensors files.",
        hint=f"Convert it, with `sdstudio models convert {path.name}`.",
    )


def _kept(facts: FileFacts) -> dict[str, Any]:
    return {**_shallow(facts), "file": _shallow(facts.file)}


def _shallow(row: FileFacts | SingleFile) -> dict[str, Any]:
    """Return the fields by name; dataclasses' own `asdict` copies every word of a library."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _restored(row: Mapping[str, Any]) -> FileFacts:
    """Read back what `_kept` made. Raises: LookupError, TypeError, ValueError."""
    file = SingleFile(**{**row["file"], "lacks": tuple(map(str, row["file"]["lacks"]))})
    if file.kind not in KIND_BY_KEY or (file.variant and file.variant not in VARIANT_BY_KEY):
        raise ValueError(f"kind = {file.kind!r}, variant = {file.variant!r}")
    if file.family and file.family not in FAMILY_BY_KEY:
        raise ValueError(f"family = {file.family!r}")
    own = (row[name] for name in ("base", "alias", "network", "message", "hint"))
    texts = (file.not_a_model, file.distilled_as, *own)
    if not all(isinstance(text, str) and is_utf8(text) for text in texts):
        raise ValueError("a text is none")
    if type(row["bits"]) is not int or row["bits"] < 0:
        raise ValueError(f"bits = {row['bits']!r}")
    if row["error"] and row["error"] not in _ERRORS:
        raise ValueError(f"error = {row['error']!r}")
    lists = {name: tuple(map(str, row[name])) for name in ("triggers", "bundled", "not_drawn")}
    return FileFacts(**{**row, **lists, "file": file})


def one_line(text: str) -> str:
    """Return a text of unknown origin as one printable line of bounded length."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_WORDS_MAXIMUM]
