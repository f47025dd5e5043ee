"""A Hugging Face Hub on this computer for the real client, as exact as the client asks, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

GOOD_TOKEN: Final = "hf_good"
LFS_FROM_BYTES: Final = 1000
_STALL_LIMIT_S: Final = 120.0
_OF_BODIES: Final = ("truncate", "reset", "stall", "call")
_RESOLVE: Final = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_API: Final = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?")


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return a folder as a repository's files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass
class Repo:
    """One repository at one revision."""

    name: str
    files: dict[str, bytes]
    gated: bool = False
    licence: str = "mit"
    lied_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        contents = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in self.files.items())
        return hashlib.sha1(repr(contents).encode()).hexdigest()

    def info(self, blobs: bool) -> dict[str, Any]:
        return {
            "_id": "0" * 24, "id": self.name, "modelId": self.name, "sha": self.revision, "private": False,
            "gated": "manual" if self.gated else False, "disabled": False, "downloads": len(self.name), "likes": 1,
            "tags": ["diffusers", "text-to-image", f"license:{self.licence}"], "pipeline_tag": "text-to-image",
            "cardData": {"license": self.licence}, "createdAt": "2025-01-01T00:00:00.000Z",
            "lastModified": "2025-01-01T00:00:00.000Z",
            "siblings": [self._sibling(path, data, blobs) for path, data in sorted(self.files.items())],
        }  # fmt: skip

    def _sibling(self, path: str, data: bytes, blobs: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"rfilename": self.lied_names.get(path, path)}
        if blobs:
            row |= {"size": len(data), "blobId": git_sha1(data)}
            if len(data) >= LFS_FROM_BYTES:
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 135}
        return row


@dataclass
class Fault:
    """Something that goes wrong with requests whose path matches.

    kind: status · drop · truncate · reset · stall · corrupt · no_range · other_range · redirect · call
    """

    path: re.Pattern[str]
    kind: str
    times: int | None = None
    after: int = 0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    call: Callable[[], None] | None = None


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]


class LoopbackHub:
    """The server. Use it as a context manager."""

    def __init__(self, chunk_bytes: int = 65_536) -> None:
        self.repos: dict[str, Repo] = {}
        self.plain: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.chunk_bytes = chunk_bytes
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, files: Mapping[str, bytes], **more: Any) -> Repo:
        """Offer a repository."""
        self.repos[name] = Repo(name, dict(files), **more)
        return self.repos[name]

    def fault(self, path: str, kind: str, **more: Any) -> None:
        """Let something go wrong from now on."""
        self._faults.append(Fault(re.compile(path), kind, **more))

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def ranges(self, path: str) -> list[str]:
        """Return the ranges that were asked of files whose path ends so, "" for a whole file; headers' are left out."""
        found = [asked.headers.get("range", "") for asked in self.asked if asked.path.endswith(path)]
        return [text for text in found if not re.fullmatch(r"bytes=\d+-\d+", text)]

    def fault_for(self, path: str, peeks: bool) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.path.search(path) and fault.times != 0 and not (peeks and fault.kind in _OF_BODIES):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def wait_stalled(self) -> None:
        """Hold a connection until the test lets it go."""
        self.stalled.set()
        self.go_on.wait(_STALL_LIMIT_S)

    def stop(self) -> None:
        """Answer no more: a connection is refused from now on."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self._server.serve_forever, name="loopback-hub", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.go_on.set()
        self.stop()


def _handler_of(hub: LoopbackHub) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"hub": hub})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet; `LoopbackHub.asked` remembers."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.asked.append(Asked(self.command, path, headers))
        # What only looks at a file's header is answered as it should be, whatever happens to its body.
        peeks = re.fullmatch(r"bytes=\d+-\d+", headers.get("range", "")) is not None
        fault = self.hub.fault_for(path, peeks)
        match fault:
            case Fault(kind="status"):
                return self._refuse(fault.status, **fault.headers)
            case Fault(kind="redirect"):
                return self._refuse(302, Location=fault.url)
            case Fault(kind="drop"):
                self.close_connection = True
                return None
            case Fault(kind="stall", after=0):
                self.close_connection = True
                return self.hub.wait_stalled()
            case _:
                return self._route(path, urllib.parse.parse_qs(url.query), fault)

    def _route(self, path: str, query: Mapping[str, list[str]], fault: Fault | None) -> None:
        if path in self.hub.plain:
            return self._send_file(self.hub.plain[path], fault)
        if path == "/api/models":
            wanted = query.get("search", [""])[0].lower()
            found = [repo.info(False) for name, repo in self.hub.repos.items() if wanted in name.lower()]
            return self._send_json(found[: int(query.get("limit", ["100"])[0])])
        if match := _API.fullmatch(path):
            repo = self.hub.repos.get(match[1])
            if repo is None:
                return self._refuse(404 if self._token else 401, **{"X-Error-Code": "RepoNotFound"})
            if match[2] not in (None, "main", repo.revision):
                return self._refuse(404, **{"X-Error-Code": "RevisionNotFound"})
            return self._send_json(repo.info("blobs" in query))
        if match := _RESOLVE.fullmatch(path):
            return self._resolve(match[1], match[2], match[3], fault)
        return self._refuse(404)

    def _resolve(self, name: str, revision: str, path: str, fault: Fault | None) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            return self._refuse(404 if self._token else 401, **{"X-Error-Code": "RepoNotFound"})
        if repo.gated and self._token != GOOD_TOKEN:
            return self._refuse(403 if self._token else 401, **{"X-Error-Code": "GatedRepo"})
        if revision not in ("main", repo.revision) or path not in repo.files:
            return self._refuse(404, **{"X-Error-Code": "EntryNotFound"})
        return self._send_file(repo.files[path], fault)

    @property
    def _token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _refuse(self, status: int, **headers: str) -> None:
        self._send_json({"error": str(status)}, status, headers)

    def _send_json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._send_head(status, {"Content-Type": "application/json", **(headers or {})}, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(self, status: int, headers: Mapping[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_file(self, data: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        body = bytes([data[0] ^ 255]) + data[1:] if kind == "corrupt" else data
        headers, status = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Accept-Ranges": "bytes"}, 200
        if self.path in self.hub.names:
            headers["Content-Disposition"] = f'attachment; filename="{self.hub.names[self.path]}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and kind != "no_range" and self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
            first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
            if first >= len(body):
                return self._send_head(416, {"Content-Range": f"bytes */{len(body)}"}, 0)
            first = 0 if kind == "other_range" else first
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status, body = 206, body[first : last + 1]
        self._send_head(status, headers, len(body))
        if self.command != "HEAD":
            self._send_body(body, fault)
        return None

    def _send_body(self, body: bytes, fault: Fault | None) -> None:
        breaks = fault is not None and fault.kind in _OF_BODIES
        whole = body[: fault.after] if fault is not None and breaks else body
        try:
            for at in range(0, len(whole), self.hub.chunk_bytes):
                self.wfile.write(whole[at : at + self.hub.chunk_bytes])
            if fault is None or not breaks:
                return
            if fault.call is not None:
                fault.call()
                self.wfile.write(body[fault.after :])
                return
            if fault.kind == "stall":
                self.hub.wait_stalled()
            if fault.kind == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
        except OSError:  # the client has gone
            pass
        self.close_connection = True

    def handle(self) -> None:
        """Serve a connection; a client that is killed resets it."""
        with suppress(ConnectionResetError):
            super().handle()
