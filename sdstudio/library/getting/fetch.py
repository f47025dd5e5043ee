"""How one file comes over the network: kept as far as it came, gone on with after any break, believed by its hash only.

huggingface_hub neither goes on with half a file in another run nor compares hashes, so the studio fetches by itself.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from sdstudio.core.errors import Cancelled, DownloadDamaged, SaveFailed, ServerTroubled, Unreachable
from sdstudio.library.getting.network import abandonable, check_status, unreachable

_CHUNK_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on with a server that fails.

    Attributes:
        waits_s: Pauses between one failure and the next try; used up, the failure is final. Bytes that arrive start
            them anew.
        longest_s: A server that asks for a longer pause than this fails at once.
    """

    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0)
    longest_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Source:
    """One file on a server.

    Attributes:
        url: Where.
        what: How messages name it.
        size_bytes: Its length, known before.
        sha256: Its hash in hex, "" when only the next is known.
        git_sha1: Hash of it as a git blob, "" when unknown too.
        etag: Names the version that was looked at, "" when the server gave none.
        headers: Sent along: the token.
    """

    url: str
    what: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""
    etag: str = ""
    headers: Mapping[str, str] | None = None


class Part:
    """The beginning of a file on disk, with the hash of what is there. `close` it; later writes are refused."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self._lock = threading.Lock()
        self._closed = False
        self.size_bytes = 0
        self._digest = self._new_digest()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            self._file = os.fdopen(os.open(path, flags, 0o644), "r+b")
        except OSError as error:
            raise cannot_save(path, error) from error

    def take_up(self, cancel: threading.Event) -> None:
        """Read what an earlier try has left. Raises: Cancelled, SaveFailed."""
        try:
            if self._file.seek(0, os.SEEK_END) > self._source.size_bytes:
                self.restart()
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK_BYTES):
                if cancel.is_set():
                    raise Cancelled
                self._digest.update(chunk)
                self.size_bytes += len(chunk)
        except OSError as error:
            raise cannot_save(self._path, error) from error

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises: Cancelled when it was closed, DownloadDamaged when there are too many."""
        with self._lock:
            if self._closed:
                raise Cancelled
            if self.size_bytes + len(chunk) > self._source.size_bytes:
                raise DownloadDamaged(
                    f"{self._source.what}: the server sends more than the {self._source.size_bytes:,} bytes it named.",
                    "Try again.",
                )
            try:
                self._file.write(chunk)
            except OSError as error:
                raise cannot_save(self._path, error) from error
            self._digest.update(chunk)
            self.size_bytes += len(chunk)

    def restart(self) -> None:
        """Throw away what is there."""
        with self._lock:
            if not self._closed:
                self._file.seek(0)
                self._file.truncate()
                self._digest = self._new_digest()
                self.size_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.size_bytes == self._source.size_bytes

    @property
    def is_right(self) -> bool:
        """Whether what is there has the promised hash, as far as one was promised."""
        promised = self._source.sha256 or self._source.git_sha1
        return not promised or self._digest.hexdigest() == promised

    def close(self) -> None:
        """Write everything to the disk and refuse what an abandoned connection may still bring. Raises: SaveFailed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                with self._file:
                    self._file.flush()
                    os.fsync(self._file.fileno())
            except OSError as error:
                raise cannot_save(self._path, error) from error

    def _new_digest(self) -> hashlib._Hash:
        if self._source.sha256 or not self._source.git_sha1:
            return hashlib.sha256()
        # usedforsecurity: git's name for the contents; the larger files that hold weights have a sha256.
        return hashlib.sha1(b"blob %d\0" % self._source.size_bytes, usedforsecurity=False)


def fetch(
    client: httpx2.Client,
    source: Source,
    part: Part,
    cancel: threading.Event,
    on_poll: Callable[[str], None],
    patience: Patience,
) -> None:
    """Bring a part to its end and check it.

    Args:
        client: Speaks to the server.
        source: What to fetch.
        part: Where it goes; taken up already.
        cancel: Set by another thread to stop; acted on within a tenth of a second.
        on_poll: Called again and again with what is going on: "" while bytes come, else a sentence.
        patience: How failures are met.

    Raises:
        Cancelled: ``cancel`` was set; what has arrived stays.
        DownloadError: It could not be fetched; what has arrived stays, unless it was wrong.
        SaveFailed: It could not be written: disk full.
    """
    failures, mistaken = 0, False
    while True:
        before = part.size_bytes
        try:
            if not part.is_whole:
                abandonable(lambda: _receive(client, source, part), cancel, lambda: on_poll(""))
            if part.is_right:
                return
            # An old part of another version, or bytes turned over on the way: once more from the start.
            part.restart()
            if mistaken:
                message = f"{source.what}: what arrived is not what was promised (its sha256 differs)."
                raise DownloadDamaged(message, "Try again later; nothing of it was kept.")
            mistaken = True
        except (Unreachable, ServerTroubled) as error:
            failures = 1 if part.size_bytes > before else failures + 1
            asked_s = error.after_s if isinstance(error, ServerTroubled) else 0.0
            if failures > len(patience.waits_s) or asked_s > patience.longest_s:
                raise
            _wait(max(patience.waits_s[failures - 1], asked_s), error, cancel, on_poll)


def cannot_save(path: Path, error: OSError) -> SaveFailed:
    """Return what a failed write means."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SaveFailed(
            f"{path.name} could not be written: the disk is full.",
            "Free space, then resume: what has arrived is kept.",
        )
    return SaveFailed(f"{path} could not be written ({error.strerror}).", "Check that the folder may be written.")


def _receive(client: httpx2.Client, source: Source, part: Part) -> None:
    headers = dict(source.headers or {})
    if part.size_bytes:
        headers["Range"] = f"bytes={part.size_bytes}-"
        if source.etag and not source.etag.startswith("W/"):
            headers["If-Range"] = source.etag
    try:
        with client.stream("GET", source.url, headers=headers) as response:
            if response.status_code == 416:  # what we hold is longer than what there is now
                part.restart()
                raise Unreachable(f"{source.what}: the file has changed on the server.", "Try again.")
            check_status(response, source.what)
            if response.status_code == 206 and not _goes_on(response, part.size_bytes):
                part.restart()
                raise Unreachable(f"{source.what}: the server sends another part than the one asked for.", "Try again.")
            if response.status_code != 206:
                part.restart()
            for chunk in response.iter_bytes():
                part.write(chunk)
    except httpx2.HTTPError as error:
        raise unreachable(error, source.what) from error
    if not part.is_whole:
        message = f"{source.what}: the connection ended after {part.size_bytes:,} of {source.size_bytes:,} bytes."
        raise Unreachable(message, "Try again.")


def _goes_on(response: httpx2.Response, at: int) -> bool:
    return bool(response.headers.get("Content-Range", "").startswith(f"bytes {at}-"))


def _wait(
    seconds: float, error: Unreachable | ServerTroubled, cancel: threading.Event, on_poll: Callable[[str], None]
) -> None:
    on_poll(f"{error.message} Trying again in {seconds:.0f} s.")
    if cancel.wait(seconds):
        raise Cancelled
