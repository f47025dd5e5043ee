"""What the Hugging Face Hub is asked, and how: searched, a repository listed, small files of it read, nothing else.

huggingface_hub is imported with the first question, off the window's thread; its environment is settled before.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx2

from sdstudio import __version__
from sdstudio.core.environment import settle_environment
from sdstudio.core.errors import DownloadDamaged, DownloadError, NotOffered, Unreachable
from sdstudio.library.getting.network import abandonable, check_status, check_url, new_client, read_bytes, unreachable
from sdstudio.library.getting.plan import Listing, RemoteFile, checked_listing

T = TypeVar("T")

WEB_HOSTS: Final = ("huggingface.co", "www.huggingface.co", "hf.co")

_REPO: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_ANSWER_S: Final = 10.0
_PROBE_S: Final = 4.0
_FILES_MAXIMUM: Final = 20_000
_OFFLINE: Final = "Downloading is switched off: HF_HUB_OFFLINE is set."


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository as a search finds it."""

    repo: str
    downloads: int = 0
    likes: int = 0
    licence: str = ""
    gated: bool = False
    tags: tuple[str, ...] = ()


class Hub:
    """The Hub, or a mirror of it that ``HF_ENDPOINT`` names. Safe to use from several threads.

    Args:
        token: Gives the access token, "" for none; asked anew with every question.
        endpoint: Instead of the usual one.
    """

    def __init__(self, token: Callable[[], str] = str, endpoint: str = "") -> None:
        self._token = token
        self._endpoint = endpoint

    @property
    def endpoint(self) -> str:
        """Where it is, without a slash at the end. Raises: DownloadError when it is not https."""
        endpoint = (self._endpoint or _library().constants.ENDPOINT).rstrip("/")
        check_url(endpoint)
        return endpoint

    def headers_for(self, url: str) -> Mapping[str, str]:
        """Return what goes along with a request: the token, and only to the Hub itself."""
        token = self._token()
        if not token or urlsplit(url)[:2] != urlsplit(self.endpoint)[:2]:
            return {}
        return {"Authorization": f"Bearer {token}"}

    def search(self, text: str, limit: int = 30, cancel: threading.Event | None = None) -> list[HubModel]:
        """Return text-to-image models whose name matches, the most downloaded first.

        Raises:
            Unreachable: There is no network; raised within a few seconds.
            DownloadError: The Hub refused.
            Cancelled: ``cancel`` was set.
        """

        def ask() -> list[HubModel]:
            self._probe()
            models = self._api().list_models(
                search=text.strip()[:200], pipeline_tag="text-to-image", sort="downloads", limit=limit
            )
            return [_found(info) for info in islice(models, limit)]

        return self._asked(ask, f"Search for {text[:60]!r}", cancel)

    def listing(self, repo: str, revision: str = "", cancel: threading.Event | None = None) -> Listing:
        """Return what a repository holds at its newest, or this, revision.

        Raises:
            NotOffered: There is no such repository.
            DownloadDamaged: What it lists is an attack.
            DownloadError: The Hub cannot be asked, or refused.
            Cancelled: ``cancel`` was set.
        """
        check_repo(repo)

        def ask() -> Listing:
            info = self._api().model_info(repo, revision=revision or None, files_metadata=True, timeout=_ANSWER_S)
            return _listed(repo, info)

        return checked_listing(self._asked(ask, repo, cancel))

    def url(self, listing: Listing, path: str) -> str:
        """Return where a file of a repository is."""
        return f"{self.endpoint}/{listing.repo}/resolve/{listing.revision}/{quote(path)}"

    def read(self, listing: Listing, path: str, cancel: threading.Event | None = None) -> bytes:
        """Return a small file of a repository, checked against its hash.

        Raises:
            NotOffered: It has no such file.
            DownloadDamaged: Another file came.
            DownloadError: It could not be read.
            Cancelled: ``cancel`` was set.
        """
        what = f"{listing.repo}/{path}"
        entry = next((file for file in listing.files if file.path == path), None)
        if entry is None:
            raise NotOffered(f"{what}: there is no such file.", "Choose another repository.")
        if entry.size_bytes > 2**20:
            raise DownloadDamaged(
                f"{what}: it has {entry.size_bytes:,} bytes: allowed are {2**20:,}.", "Choose another."
            )

        def ask() -> bytes:
            url = self.url(listing, path)
            with new_client() as client:
                return read_bytes(client, url, what, 0, max(entry.size_bytes, 1) - 1, self.headers_for(url))[0]

        data = abandonable(ask, cancel or threading.Event())
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        if entry.git_sha1 != blob and entry.sha256 != hashlib.sha256(data).hexdigest():
            raise DownloadDamaged(f"{what}: what arrived is not what was promised (its hash differs).", "Try again.")
        return data

    def check_access(self, url: str, what: str, cancel: threading.Event | None = None) -> None:
        """Find out whether a file would be given to us: listing a gated repository succeeds, reading it does not.

        Raises:
            AccessRefused: It would not.
            DownloadError: It could not be asked for.
            Cancelled: ``cancel`` was set.
        """

        def ask() -> None:
            with new_client() as client:
                read_bytes(client, url, what, 0, 0, self.headers_for(url))

        abandonable(ask, cancel or threading.Event())

    def _api(self) -> Any:
        return _library().HfApi(
            endpoint=self.endpoint, token=self._token() or False, library_name="sdstudio", library_version=__version__
        )

    def _probe(self) -> None:
        """Find out at once that there is no network: huggingface_hub's own search tries for 23 s."""
        if _library().is_offline_mode():
            raise Unreachable(_OFFLINE, "Unset it and start again.")
        endpoint = self.endpoint
        try:
            with new_client() as client:
                client.head(f"{endpoint}/api/models", params={"limit": 1}, timeout=_PROBE_S)
        except httpx2.HTTPError as error:
            raise unreachable(error, urlsplit(endpoint).netloc) from error

    def _asked(self, ask: Callable[[], T], what: str, cancel: threading.Event | None) -> T:
        """Ask, with the client's many errors as ours."""

        def translated() -> T:
            errors = _library().errors
            try:
                return ask()
            except errors.OfflineModeIsEnabled as error:
                raise Unreachable(_OFFLINE, "Unset it and start again.") from error
            except errors.HfHubHTTPError as error:
                check_status(error.response, what)
                raise DownloadError(f"{what}: {error}"[:300], "Try again later.") from error
            except httpx2.HTTPError as error:
                raise unreachable(error, what) from error
            except (ValueError, KeyError, TypeError) as error:  # an answer that is none
                raise DownloadDamaged(f"{what}: the server's answer makes no sense.", "Try again later.") from error

        return abandonable(translated, cancel or threading.Event())


def check_repo(repo: str) -> None:
    """Refuse what is no repository's name. Raises: NotOffered."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise NotOffered(f"Repository = {repo[:120]!r}: allowed is owner/name.", "Copy it from the model's page.")


def _library() -> Any:
    """Return huggingface_hub, imported into a settled environment."""
    settle_environment()
    import huggingface_hub  # noqa: PLC0415 (half a second, and only when somebody asks)
    import huggingface_hub.constants  # noqa: PLC0415
    import huggingface_hub.errors  # noqa: PLC0415

    return huggingface_hub


def _found(info: Any) -> HubModel:
    tags = tuple(str(tag) for tag in info.tags or ())
    return HubModel(
        str(info.id), int(info.downloads or 0), int(info.likes or 0), _tagged_licence(tags), bool(info.gated), tags
    )


def _listed(repo: str, info: Any) -> Listing:
    siblings: Sequence[Any] = info.siblings or ()
    if len(siblings) > _FILES_MAXIMUM or not re.fullmatch(r"[0-9a-f]{40,64}", str(info.sha)):
        raise ValueError("no listing")
    files = tuple(
        RemoteFile(
            str(file.rfilename),
            file.size if isinstance(file.size, int) else -1,
            str(file.lfs.sha256) if file.lfs else "",
            str(file.blob_id or "") if not file.lfs else "",
        )
        for file in siblings
    )
    card: Any = info.card_data or {}
    licence = card.get("license_name") or card.get("license") or _tagged_licence(info.tags or ())
    licence = licence if isinstance(licence, str) else ""
    return Listing(repo, str(info.sha), files, licence[:80], bool(info.gated))


def _tagged_licence(tags: Sequence[str]) -> str:
    return next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
