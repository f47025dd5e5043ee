"""How this program speaks to a server: over https, stopped when asked to, and in its own words of what went wrong.

No socket is opened unless the user asks for it; nothing here runs at start-up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx2

from sdstudio import __version__
from sdstudio.core.errors import AccessRefused, Cancelled, DownloadError, NotOffered, ServerTroubled, Unreachable

T = TypeVar("T")

READ_S: Final = 10.0
"""How long a connection may be silent before it counts as broken."""

CONNECT_S: Final = 8.0
POLL_S: Final = 0.05
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REDIRECTS: Final = 8
_MESSAGE_MAXIMUM: Final = 200
# The Hub's words for what is not there; without a token it answers 401 and not 404, which hides what is private.
_ABSENT: Final = {
    "RepoNotFound": "there is no such repository, or it is a private one",
    "RevisionNotFound": "there is no such version",
    "EntryNotFound": "there is no such file",
}


def new_client() -> httpx2.Client:
    """Return a client for a few requests; close it.

    A redirect to another host is followed without the token, which httpx drops there.
    """
    return httpx2.Client(
        follow_redirects=True,
        max_redirects=_REDIRECTS,
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
        # A file that is packed on the way could not be gone on with from the middle.
        headers={"User-Agent": f"sdstudio/{__version__}", "Accept-Encoding": "identity"},
        event_hooks={"request": [lambda request: check_url(str(request.url))], "response": [_check_redirect]},
    )


def check_url(url: str) -> None:
    """Refuse what is neither https nor this computer itself; redirects pass here too.

    Raises:
        DownloadError: It is refused.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if host and parts.username is None and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        return
    raise DownloadError(f"Address = {url[:_MESSAGE_MAXIMUM]!r}: allowed is one that begins with https://.", "Check it.")


def _check_redirect(response: httpx2.Response) -> None:
    """Refuse a server that sends us to this computer itself: what listens here is none of its business."""
    if response.has_redirect_location and response.request.url.host not in _LOOPBACK:
        target = response.request.url.join(response.headers["Location"])
        if target.host in _LOOPBACK:
            raise DownloadError(
                f"{response.request.url.host} sends us to this computer itself ({target.host}).", "Use another address."
            )


def abandonable(work: Callable[[], T], cancel: threading.Event, on_poll: Callable[[], None] | None = None) -> T:
    """Do the work on a thread of its own and return what it returns.

    A call into the network cannot be interrupted while it waits for a name, a connection or a byte. When ``cancel`` is
    set, the work is left to end by itself at its time limit, and nobody waits for it; what it holds must refuse to be
    written to from then on (`library.getting.fetch.Part.close`).

    Args:
        work: Called once.
        cancel: Set by another thread to stop.
        on_poll: Called on the caller's thread every twentieth of a second.

    Raises:
        Cancelled: ``cancel`` was set first.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 (handed to the caller that waits)
            errors.append(error)
        finally:
            ended.set()

    if cancel.is_set():
        raise Cancelled
    threading.Thread(target=run, name="sdstudio-network", daemon=True).start()
    while not ended.wait(POLL_S):
        if cancel.is_set():
            raise Cancelled
        if on_poll is not None:
            on_poll()
    if errors:
        raise errors[0]
    return results[0]


def check_status(response: httpx2.Response, what: str) -> None:
    """Raise what the server's refusal means; ``what`` was asked for.

    Raises:
        AccessRefused: 401, 403.
        NotOffered: 404, 410, or what the Hub answers for it.
        ServerTroubled: 408, 429, 5xx.
        DownloadError: Anything else that is no success.
    """
    status = response.status_code
    if 200 <= status < 300:
        return
    code = response.headers.get("X-Error-Code", "")
    if code in _ABSENT or status in (404, 410):
        absence = _ABSENT.get(code, "there is nothing there")
        raise NotOffered(f"{what}: {absence}.", "Check the name, or enter a token if it is yours.")
    if status in (401, 403):
        raise _refused(status, code, response, what)
    if status in (408, 429) or status >= 500:
        wait = _retry_after(response.headers)
        when = f" It asks to wait {wait:.0f} s." if wait else ""
        reason = "is asked too often" if status == 429 else "has a problem of its own"
        raise ServerTroubled(f"{what}: the server {reason} ({status}).{when}", "Try again later.", wait)
    raise DownloadError(f"{what}: the server answered with status {status}.", "Try again later.")


def unreachable(error: Exception, what: str) -> Unreachable:
    """Return what a failed connection means in our words."""
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return Unreachable(f"{what}: the server cannot be reached.", "Check the network connection.")
        case httpx2.TimeoutException():
            return Unreachable(f"{what}: the server has been silent for {READ_S:.0f} s.", "Try again.")
        case httpx2.TooManyRedirects():
            return Unreachable(f"{what}: the server sends us in circles.", "Check the address.")
        case _:
            return Unreachable(f"{what}: the connection broke off.", "Try again.")


def read_bytes(
    client: httpx2.Client, url: str, what: str, first: int, last: int, headers: Mapping[str, str] | None = None
) -> tuple[bytes, httpx2.Response]:
    """Return the bytes ``first`` to ``last`` of a file, fewer where it ends before, and the response without its body.

    A server that ignores the range is listened to no longer than it takes.

    Raises:
        DownloadError: It could not be read; see `check_status` and `unreachable`.
    """
    asked = {**(headers or {}), "Range": f"bytes={first}-{last}"}
    body = bytearray()
    try:
        with client.stream("GET", url, headers=asked) as response:
            if response.status_code == 416:
                return b"", response
            check_status(response, what)
            begins = first if response.status_code == 206 else 0
            for chunk in response.iter_bytes():
                body += chunk
                if begins + len(body) > last:
                    break
    except httpx2.HTTPError as error:
        raise unreachable(error, what) from error
    return bytes(body[first - begins : last + 1 - begins]), response


def _refused(status: int, code: str, response: httpx2.Response, what: str) -> AccessRefused:
    if code == "GatedRepo":
        with_token = "Authorization" in response.request.headers
        if with_token and status == 403:
            return AccessRefused(
                f"{what}: your token does not open it: its authors want you to accept their terms first.",
                "Accept them on its page at huggingface.co, then try again.",
            )
        return AccessRefused(
            f"{what}: its authors give it only to those who have accepted their terms.",
            "Accept them on its page at huggingface.co, then enter your access token here.",
        )
    return AccessRefused(f"{what}: the server refuses it ({status}).", "Enter an access token that may read it.")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return how many seconds the server asks to wait; 0 when it does not ask, or names a date."""
    with suppress(ValueError):
        return min(max(float(headers.get("Retry-After", "0")), 0.0), 86_400.0)
    return 0.0
