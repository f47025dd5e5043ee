"""From what somebody asks for (a catalogue key, a repository, an address) to the plan of a download.

Of a single file the header is read first, a few kilobytes: it shows what the file is, for which family, and how long
it must be, before the first gigabyte comes.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx2

from sdstudio.catalog.detectors import CONFIG_FILE, DetectorSpec
from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, EMBEDDING, KIND_BY_KEY, LORA, OTHER, UPSCALER, VAE
from sdstudio.core.errors import DownloadDamaged, InvalidRequest, ModelDamaged, ModelUnsupported
from sdstudio.core.models.detector_files import detector_of_config
from sdstudio.core.models.folder import INDEX_FILE, ModelIndex
from sdstudio.core.models.safetensors_header import Header, may_begin_header, parse_header
from sdstudio.library.getting.catalogue import CatalogueRow, row_of
from sdstudio.library.getting.hub import WEB_HOSTS, Hub, check_repo
from sdstudio.library.getting.network import abandonable, check_url, new_client, read_bytes
from sdstudio.library.getting.plan import (
    Listing,
    Plan,
    PlannedFile,
    RemoteFile,
    choose_detector,
    choose_file,
    choose_folder,
    file_name,
    index_of,
)
from sdstudio.library.scanning.single_file import classify

FOLDERS: Final[Mapping[str, str]] = {
    LORA: "loras", VAE: "vae", EMBEDDING: "embeddings", UPSCALER: "upscale_models", DETECTOR: "detectors",
}  # fmt: skip
"""Kind of a single file -> its folder below the models folder; others lie in the models folder itself."""


@dataclass(frozen=True, slots=True)
class DownloadOrder:
    """What is asked for, and how.

    Attributes:
        text: "org/name", "org/name/file.safetensors", an https address or a key of the catalogue.
        precision: "fp16", or "full" for the weights as they were trained.
        safety_checker: Get the filter that judges pictures too, where there is one.
        sha256: What the file at an address must have, "" when it is not known.
    """

    text: str
    precision: str = "fp16"
    safety_checker: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class _Peeked:
    header: Header
    size_bytes: int
    etag: str
    name: str


class Planner:
    """Makes plans. Asks the network, so never on the window's thread.

    Args:
        hub: Where repositories are.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def plan(self, order: DownloadOrder, cancel: threading.Event | None = None) -> Plan:
        """Return the plan for an order.

        Raises:
            InvalidRequest: The text is none of what may be asked for.
            NotOffered: There is no such thing.
            ModelUnsupported: There is, and it is nothing for the studio.
            DownloadError: It could not be asked for.
            Cancelled: ``cancel`` was set.
        """
        cancel = cancel or threading.Event()
        text = order.text.strip()
        row = row_of(text)
        if row is not None:
            return self._of_repo(order, row.repo, row.file, "", row, cancel)
        if "://" in text:
            host = urlsplit(text).hostname or ""
            if host not in (*WEB_HOSTS, urlsplit(self._hub.endpoint).hostname) or not _repo_in(urlsplit(text).path):
                return abandonable(lambda: self._of_address(order, text), cancel)
            text = _repo_in(urlsplit(text).path)
        repo, file, revision = _parsed(text)
        return self._of_repo(order, repo, file, revision, None, cancel)

    def _of_repo(
        self,
        order: DownloadOrder,
        repo: str,
        file: str,
        revision: str,
        row: CatalogueRow | None,
        cancel: threading.Event,
    ) -> Plan:
        listing = self._hub.listing(repo, revision, cancel)
        if not file and any(entry.path == INDEX_FILE for entry in listing.files):
            index = index_of(self._hub.read(listing, INDEX_FILE, cancel), repo)
            return self._of_folder(order, listing, index, row)
        if not file and any(entry.path == CONFIG_FILE for entry in listing.files):
            spec = detector_of_config(_json(self._hub.read(listing, CONFIG_FILE, cancel)))
            if spec is not None:
                return self._of_detector(listing, spec, row)
        entry = choose_file(listing, file)
        return abandonable(lambda: self._of_file(listing, entry, row), cancel)

    def _of_folder(self, order: DownloadOrder, listing: Listing, index: ModelIndex, row: CatalogueRow | None) -> Plan:
        # A pipeline that no family names is loaded whole by diffusers, the filter too.
        whole = not any(index.pipeline in family.pipelines for family in FAMILIES)
        choice = choose_folder(listing, index, order.precision, order.safety_checker or whole)
        title = row.title if row else listing.repo.partition("/")[2]
        return Plan(
            title=title,
            source=listing.repo,
            revision=listing.revision,
            kind=CHECKPOINT,
            target=row.key if row else file_name(title, ""),
            is_folder=True,
            licence=(row.licence if row else "") or listing.licence,
            files=tuple(self._planned(listing, entry, entry.path) for entry in choice.files),
            left_out=choice.left_out,
            notes={"name": title, **row.defaults} if row else {},
            remark=" ".join(part for part in (row.note if row else "", choice.remark) if part),
        )

    def _of_detector(self, listing: Listing, spec: DetectorSpec, row: CatalogueRow | None) -> Plan:
        title = row.title if row else listing.repo.partition("/")[2]
        about = f"{spec.title}: it finds what words name, for the detailer."
        return Plan(
            title=title,
            source=listing.repo,
            revision=listing.revision,
            kind=DETECTOR,
            target=placed(DETECTOR, row.key if row else file_name(title, "")),
            is_folder=True,
            licence=(row.licence if row else "") or listing.licence,
            files=tuple(self._planned(listing, entry, entry.path) for entry in choose_detector(listing).files),
            remark=" ".join(part for part in (row.note if row else "", about) if part),
        )

    def _of_file(self, listing: Listing, entry: RemoteFile, row: CatalogueRow | None) -> Plan:
        url = self._hub.url(listing, entry.path)
        peeked = self._peek(url, f"{listing.repo}/{entry.path}", self._hub.headers_for(url))
        if peeked.size_bytes != entry.size_bytes:
            message = f"{listing.repo}/{entry.path}: its header does not fit its {entry.size_bytes:,} bytes."
            raise DownloadDamaged(message, "Choose another file.")
        kind, remark = kind_of(peeked.header, PurePosixPath(entry.path).stem)
        stem = PurePosixPath(entry.path).name
        # Thousands of repositories call their one file the same.
        generic = stem.startswith(("pytorch_lora_weights", "diffusion_pytorch_model", "model.", "learned_embeds"))
        name = file_name(row.key if row else listing.repo.partition("/")[2] if generic else stem)
        planned = self._planned(listing, entry, name)
        return Plan(
            title=row.title if row else name.removesuffix(".safetensors"),
            source=f"{listing.repo}/{entry.path}",
            revision=listing.revision,
            kind=kind,
            target=placed(kind, name),
            is_folder=False,
            licence=(row.licence if row else "") or listing.licence,
            files=(planned,),
            remark=" ".join(part for part in (row.note if row else "", remark) if part),
        )

    def _of_address(self, order: DownloadOrder, url: str) -> Plan:
        check_url(url)
        if order.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", order.sha256):
            raise InvalidRequest(
                "sha256", f"sha256 = {order.sha256[:80]!r}: allowed are 64 hex digits.", "Copy it again."
            )
        peeked = self._peek(url, _shortened(url), {})
        name = file_name(peeked.name or unquote(urlsplit(url).path))
        kind, remark = kind_of(peeked.header, name.removesuffix(".safetensors"))
        planned = PlannedFile(
            path=name, url=url, size_bytes=peeked.size_bytes, sha256=order.sha256.lower(), etag=peeked.etag
        )
        unknown = "" if order.sha256 else "Nobody names its hash: only its form is checked."
        return Plan(
            title=name.removesuffix(".safetensors"),
            source=url,
            kind=kind,
            target=placed(kind, name),
            is_folder=False,
            files=(planned,),
            remark=" ".join(part for part in (remark, unknown) if part),
        )

    def _planned(self, listing: Listing, entry: RemoteFile, path: str) -> PlannedFile:
        return PlannedFile(
            path=path,
            url=self._hub.url(listing, entry.path),
            size_bytes=entry.size_bytes,
            sha256=entry.sha256,
            git_sha1=entry.git_sha1,
        )

    @staticmethod
    def _peek(url: str, what: str, headers: Mapping[str, str]) -> _Peeked:
        """Read a safetensors file's header over the network, and nothing of its weights."""
        with new_client() as client:
            start, _response = read_bytes(client, url, what, 0, 8, headers)
            length = int.from_bytes(start[:8], "little")
            if length < 2 or not may_begin_header(start):
                raise ModelUnsupported(
                    f"{what}: it is no safetensors file; only these are fetched, because other kinds can hold code.",
                    "Choose a .safetensors file.",
                )
            text, response = read_bytes(client, url, what, 8, 7 + length, headers)
        try:
            header = parse_header(Path(what), text, None)
        except ModelDamaged as error:
            raise DownloadDamaged(error.message, "Choose another file.") from error
        size = 8 + length + header.body_bytes
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if total.isdigit() and int(total) != size:
            message = f"{what}: it has {int(total):,} bytes, and its header describes {size:,}."
            raise DownloadDamaged(message, "It is damaged there: choose another file.")
        return _Peeked(header, size, response.headers.get("ETag", ""), _named(response))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _parsed(text: str) -> tuple[str, str, str]:
    """Return repository, file and revision of "org/name", "org/name/file" or either with "@revision"."""
    text, _, revision = text.partition("@")
    parts = text.strip("/").split("/")
    if len(parts) < 2 or not re.fullmatch(r"[\w./-]{0,100}", revision):
        raise InvalidRequest(
            "model",
            f"Model = {text[:120]!r}: allowed is owner/name of the Hub, an https address or a key of the catalogue.",
            "See the catalogue with `sdstudio models catalogue`.",
        )
    repo = "/".join(parts[:2])
    check_repo(repo)
    return repo, "/".join(parts[2:]), revision


def _repo_in(path: str) -> str:
    """Return what a page of the Hub is about as `_parsed` reads it, "" when it is no model's page."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if len(parts) < 2 or parts[0] in ("datasets", "spaces", "api", "docs", "models"):
        return ""
    repo, rest = "/".join(parts[:2]), parts[2:]
    if not rest:
        return "" if repo.lower().endswith(".safetensors") else repo
    if len(rest) < 2 or rest[0] not in ("blob", "resolve", "raw", "tree"):
        return ""
    file = "/".join(rest[2:]) if rest[0] != "tree" else ""
    revision = "" if rest[1] == "main" else f"@{rest[1]}"
    return f"{repo}/{file}".rstrip("/") + revision


def kind_of(header: Header, name: str = "") -> tuple[Any, str]:
    """Return the kind of the single file with this header and name, and what to know about it, "" for nothing."""
    file = classify(header, name)
    if file.not_a_model:
        return file.kind, f"It is {file.not_a_model}: the studio cannot draw with it."
    if file.kind == OTHER:
        return OTHER, "It is nothing that the studio knows."
    family = FAMILY_BY_KEY[file.family].title if file.family not in ("", "other") else ""
    title = KIND_BY_KEY[file.kind].title
    return file.kind, f"{title} for {family}." if family else ""


def placed(kind: str, name: str) -> str:
    """Return where a single file of this kind lies below the models folder."""
    return f"{FOLDERS[kind]}/{name}" if kind in FOLDERS else name


def _named(response: httpx2.Response) -> str:
    """Return the name a server gives a file, as it came: hostile until `file_name` has been at it."""
    match = re.search(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", response.headers.get("Content-Disposition", ""))
    return unquote(match[1])[:300] if match else ""


def _shortened(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"[:120]
