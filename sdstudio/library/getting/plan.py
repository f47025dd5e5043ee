"""What a download is before its first byte: which files, how large, under which licence, and to which place.

The names come from a server and are hostile until `safe_path` has let them pass. A model folder needs far less than its
repository holds: one precision, safetensors only, only the folders that ``model_index.json`` names.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sdstudio.catalog.detectors import TEXT_FILES, WEIGHTS_FILE
from sdstudio.core.errors import DownloadDamaged, ModelUnsupported, NotOffered
from sdstudio.core.models.folder import INDEX_FILE, VARIANTS, ModelIndex, check_drawable, kind_of_part, read_index

SMALL_MAXIMUM_BYTES: Final = 64 * 2**20
"""What a file that holds no weights may have."""

_TOTAL_MAXIMUM_BYTES: Final = 2**40
_NAME_MAXIMUM_BYTES: Final = 120
_DEPTH_MAXIMUM: Final = 4
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")
_LICENCES: Final = frozenset({"LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENSE.rst"})
# Judges pictures and is used by nothing else, so a model is whole without both.
_CHECKER: Final = frozenset({"safety_checker", "feature_extractor"})
_STEMS: Final = ("model", "diffusion_pytorch_model")
_SHARD: Final = r"-\d{5}-of-\d{5}"
_ORDERS: Final = {"fp16": ("fp16", "", *VARIANTS), "full": ("", "fp32", *VARIANTS)}
"""Precision -> variants of weights in the order in which they are taken."""


def safe_path(name: str) -> str:
    """Return a file's name as it is, when it can be written below the model folder on any system.

    Raises:
        ValueError: It cannot; the message is why.
    """
    parts = name.split("/")
    if not name or len(parts) > _DEPTH_MAXIMUM:
        raise ValueError(f"the file name {name[:80]!r} has {len(parts)} parts: allowed are 1 to {_DEPTH_MAXIMUM}")
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"the file name {name[:80]!r} leads out of its folder")
        if any(unicodedata.category(char)[0] == "C" or char in '\\:*?"<>|' for char in part):
            raise ValueError(f"the file name {name[:80]!r} holds characters that no file name may have")
        if len(part.encode()) > _NAME_MAXIMUM_BYTES:
            raise ValueError(f"the file name {part[:40]!r}… is longer than {_NAME_MAXIMUM_BYTES} bytes")
        if part[0] in ".~-" or part[-1] in ". " or part[0] == " " or _RESERVED.match(part):
            raise ValueError(f"the file name {name[:80]!r} means something special")
    return name


SafePath = Annotated[str, AfterValidator(safe_path)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository as the server lists it; one of the hashes is "" or both are."""

    path: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one revision, ``revision`` naming its contents for good."""

    repo: str
    revision: str
    files: tuple[RemoteFile, ...]
    licence: str = ""
    gated: bool = False


class PlannedFile(BaseModel):
    """A file to fetch, and under which name below the target."""

    model_config = ConfigDict(frozen=True)

    path: SafePath
    url: str
    size_bytes: Annotated[int, Field(ge=0, le=_TOTAL_MAXIMUM_BYTES)]
    sha256: Hex = ""
    git_sha1: Hex = ""
    etag: str = ""


class Plan(BaseModel):
    """A whole download. Kept as JSON beside what has arrived, so that it can be gone on with in another run.

    Attributes:
        title: What the user reads.
        source: What was asked for: "org/name" or an address.
        revision: The repository's revision, "" for an address.
        kind: Key of what it is: a LoRA, a checkpoint (a folder too) .. .
        target: Where it goes, below the models folder: a folder's or a file's name.
        is_folder: Whether ``target`` is a folder with all files in it, or the one file.
        licence: As the server names it, "" when it does not.
        files: What to fetch.
        left_out: Components that its index names and that are not fetched: it will name them as ``null``, as diffusers
            does when it saves a model without them.
        notes: Goes into the model's ``sdstudio.json``: its name and recommended parameters.
        remark: What to know before, "" when there is nothing.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    source: str
    revision: str = ""
    kind: Literal["checkpoint", "lora", "vae", "embedding", "upscaler", "detector", "other"]
    target: SafePath
    is_folder: bool
    licence: str = ""
    files: Annotated[tuple[PlannedFile, ...], Field(min_length=1, max_length=2000)]
    left_out: tuple[str, ...] = ()
    notes: Mapping[str, Any] = {}
    remark: str = ""

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of a listing make up a model folder, which components not, and what to know about the choice."""

    files: tuple[RemoteFile, ...]
    left_out: tuple[str, ...] = ()
    remark: str = ""


def checked_listing(listing: Listing) -> Listing:
    """Return the listing when no name in it is an attack.

    Only what an honest repository cannot have is refused; names that are merely odd are not chosen.

    Raises:
        DownloadDamaged: A name leads out of the folder, or a size is impossible.
    """
    for file in listing.files:
        parts = re.split(r"[/\\]", file.path)
        if ".." in parts or "" in parts or "\\" in file.path or "\0" in file.path or re.match(r"[A-Za-z]:", file.path):
            raise DownloadDamaged(
                f"{listing.repo}: the file name {file.path[:80]!r} leads out of the model's folder.",
                "Nothing was fetched. Choose another repository.",
            )
        if not 0 <= file.size_bytes <= _TOTAL_MAXIMUM_BYTES:
            message = f"{listing.repo}: the server names no size for {file.path[:80]!r}."
            raise DownloadDamaged(message, "Try again later.")
    return listing


def choose_folder(listing: Listing, index: ModelIndex, precision: str, safety_checker: bool) -> Choice:
    """Choose the files of a model in the diffusers layout.

    Args:
        listing: What there is.
        index: Its ``model_index.json``.
        precision: "fp16" takes half-precision weights where there are some, "full" the plain ones; what is there in one
            of both only comes in that one.
        safety_checker: Also take the filter that judges pictures.

    Raises:
        ModelUnsupported: The index names no component, or one without weights in safetensors.
    """
    chosen = [file for file in listing.files if file.path == INDEX_FILE or file.path in _LICENCES]
    otherwise: list[str] = []
    left_out = () if safety_checker else tuple(name for name in index.parts if name in _CHECKER)
    parts = {name: entry for name, entry in index.parts.items() if name not in left_out}
    if not parts:
        raise ModelUnsupported(f"{listing.repo}: its {INDEX_FILE} names no components.", "Choose another repository.")
    for name, (_library, class_name) in parts.items():
        inside = {file.path.partition("/")[2]: file for file in listing.files if file.path.startswith(f"{name}/")}
        inside = {short: file for short, file in inside.items() if _is_plain(short)}
        if kind_of_part(class_name) == "network":
            weights, variant = _weights(inside, precision)
            if not weights:
                raise _without_weights(listing.repo, name, inside)
            if (variant == "fp16") != (precision == "fp16") and name not in _CHECKER:
                otherwise.append(name)
            chosen += (inside[short] for short in weights)
        small = [file for short, file in inside.items() if _is_small(short)]
        chosen += [file for file in small if file.size_bytes <= SMALL_MAXIMUM_BYTES]
    remark = ""
    if otherwise and precision == "fp16":
        remark = f"No half-precision weights for {', '.join(otherwise)}: these come in full."
    elif otherwise:
        remark = f"Only half-precision weights for {', '.join(otherwise)}: these come."
    return Choice(tuple(sorted(chosen, key=lambda file: file.path)), left_out, remark)


def _without_weights(repo: str, part: str, inside: Collection[str]) -> ModelUnsupported:
    if any(short.endswith((".bin", ".ckpt", ".pt", ".msgpack")) for short in inside):
        return ModelUnsupported(
            f"{repo}: the weights of its {part} are there only as pickled Python objects.",
            "Choose a repository with .safetensors files: pickles can hold code.",
        )
    names = ", ".join(sorted(short for short in inside if not _is_small(short)))[:120] or "none"
    message = f"{repo}: its {part} has no weights in .safetensors files; its large files: {names}."
    return ModelUnsupported(message, "Choose another repository.")


def choose_detector(listing: Listing) -> Choice:
    """Choose the files of a detector. Raises: ModelUnsupported: Its weights are not there in safetensors."""
    if not any(file.path == WEIGHTS_FILE for file in listing.files):
        message = f"{listing.repo}: the weights of the detector are not there as {WEIGHTS_FILE}."
        raise ModelUnsupported(message, "Choose a repository with .safetensors files: pickles can hold code.")
    wanted = [file for file in listing.files if file.path in TEXT_FILES | _LICENCES]
    small = [file for file in wanted if file.size_bytes <= SMALL_MAXIMUM_BYTES]
    chosen = [*small, *(file for file in listing.files if file.path == WEIGHTS_FILE)]
    return Choice(tuple(sorted(chosen, key=lambda file: file.path)))


def choose_file(listing: Listing, wanted: str = "") -> RemoteFile:
    """Choose the one safetensors file that is wanted, or that there is.

    Raises:
        NotOffered: There is none, no such one, or several to choose from.
    """
    weights = [file for file in listing.files if file.path.lower().endswith(".safetensors")]
    if wanted:
        for file in weights:
            if file.path == wanted:
                return file
        near = ", ".join(file.path for file in weights[:6]) or "none"
        raise NotOffered(f"{listing.repo}: it has no file {wanted[:80]!r}.", f"Its .safetensors files: {near}.")
    if not weights:
        raise NotOffered(
            f"{listing.repo}: it holds no model in the diffusers layout and no .safetensors file.",
            "Choose another repository: pickles (.ckpt, .bin) can hold code.",
        )
    if len(weights) > 1:
        names = ", ".join(file.path for file in weights[:12]) + (", …" if len(weights) > 12 else "")
        message = f"{listing.repo}: it holds {len(weights)} .safetensors files."
        raise NotOffered(message, f"Ask for one, as {listing.repo}/FILE: {names}.")
    return weights[0]


def file_name(text: str, ending: str = ".safetensors") -> str:
    """Return a file name made of what a server or an address calls a file; never empty, never special."""
    name = unicodedata.normalize("NFKC", PurePosixPath(text.replace("\\", "/")).name)
    stem = name[: len(name) - len(ending)] if name.lower().endswith(ending) else name
    stem = re.sub(r"[^\w.+() -]+", "-", stem).strip(" .-_~")[:100] or "model"
    while len(stem.encode()) + len(ending) > _NAME_MAXIMUM_BYTES:
        stem = stem[:-1]
    return f"model-{stem}{ending}" if _RESERVED.match(stem + ending) else stem.strip(" .") + ending


def index_of(data: bytes, repo: str) -> ModelIndex:
    """Return what a repository's ``model_index.json`` names.

    Raises:
        ModelUnsupported: It is none, or of a model that the studio does not draw with.
    """
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise ModelUnsupported(f"{repo}: its {INDEX_FILE} is no JSON object.", "Choose another repository.")
    index = read_index(raw, repo)
    check_drawable(index, repo)
    return index


def _weights(inside: Mapping[str, RemoteFile], precision: str) -> tuple[Sequence[str], str]:
    """Return the names of one set of weights, and which variant it is; none when there are none."""
    for variant in dict.fromkeys(_ORDERS.get(precision, _ORDERS["full"])):
        dotted = f".{variant}" if variant else ""
        for stem in _STEMS:
            single = f"{stem}{dotted}.safetensors"
            if single in inside:
                return [single], variant
            shards = [short for short in inside if re.fullmatch(_shard_of(stem, dotted), short)]
            indices = (f"{stem}.safetensors.index{dotted}.json", f"{stem}{dotted}.safetensors.index.json",
                       f"{stem}.safetensors.index.json")  # fmt: skip
            listed = next((name for name in indices if name in inside), "")
            if shards and listed:
                return [*sorted(shards), listed], variant
    return [], ""


def _shard_of(stem: str, dotted: str) -> str:
    """Return the pattern of a shard's name: "model.fp16-00001-of-00002.safetensors", or the variant behind."""
    stem, dotted = re.escape(stem), re.escape(dotted)
    return rf"(?:{stem}{dotted}{_SHARD}|{stem}{_SHARD}{dotted})\.safetensors"


def _is_plain(short: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", short) is not None


def _is_small(short: str) -> bool:
    return short.endswith((".json", ".txt", ".model")) and ".index." not in short and "flax" not in short
