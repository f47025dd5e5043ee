"""What the Hub is asked through its real client, and how its refusals read."""

from __future__ import annotations

import threading

import pytest

from sdstudio.core.errors import AccessRefused, Cancelled, DownloadDamaged, DownloadError, NotOffered, Unreachable
from sdstudio.library.getting.hub import Hub, check_repo
from sdstudio.library.getting.network import check_url
from tests.loopback_hub import GOOD_TOKEN, git_sha1


def test_a_search_finds_models_with_licence_and_downloads(hub_server):
    hub_server.add("org/frogs", {}, licence="openrail")
    hub_server.add("org/cats", {}, gated=True)
    [found] = Hub().search("FROG")
    assert (found.repo, found.licence, found.gated, found.downloads) == ("org/frogs", "openrail", False, 9)
    assert len(Hub().search("")) == 2
    assert len(Hub().search("", limit=1)) == 1


def test_a_question_says_who_asks_and_nothing_else(hub_server):
    Hub().search("x")
    assert {asked.path for asked in hub_server.asked} == {"/api/models"}
    agents = [asked.headers["user-agent"] for asked in hub_server.asked]
    assert all("sdstudio" in agent and "torch" not in agent for agent in agents)
    assert all("authorization" not in asked.headers for asked in hub_server.asked)


def test_no_network_is_said_at_once_and_the_client_is_not_asked(hub_server):
    url = hub_server.url
    hub_server.stop()
    with pytest.raises(Unreachable, match="cannot be reached"):
        Hub(endpoint=url).search("x")


def test_downloading_switched_off_is_said(hub_server, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for ask in (lambda: Hub().search("x"), lambda: Hub().listing("org/name")):
        with pytest.raises(Unreachable, match="HF_HUB_OFFLINE"):
            ask()
    assert hub_server.asked == []


def test_a_listing_has_sizes_hashes_and_a_revision(hub_server):
    repo = hub_server.add("org/name", {"a.json": b"{}", "b.safetensors": b"x" * 2000}, licence="openrail")
    listing = Hub().listing("org/name")
    assert listing.revision == repo.revision
    assert listing.licence == "openrail"
    small, large = listing.files
    assert (small.path, small.size_bytes, small.sha256, small.git_sha1) == ("a.json", 2, "", git_sha1(b"{}"))
    assert large.size_bytes == 2000
    assert len(large.sha256) == 64


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ({"status": 401}, AccessRefused, "refuses it"),
        ({"status": 403, "headers": {"X-Error-Code": "GatedRepo"}}, AccessRefused, "accepted their terms"),
        ({"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, NotOffered, "no such repository"),
        ({"status": 429}, DownloadError, "asked too often"),
        ({"status": 500}, DownloadError, "problem of its own"),
    ],
)
def test_a_refusal_reads_the_same_from_the_client(hub_server, fault, error, said):
    hub_server.add("org/name", {})
    hub_server.fault("/api/models/org/name", "status", **fault)
    with pytest.raises(error, match=said) as caught:
        Hub().listing("org/name")
    assert caught.value.hint


def test_an_unknown_repository_is_named(hub_server):
    with pytest.raises(NotOffered, match="org/nothing"):
        Hub().listing("org/nothing")


@pytest.mark.parametrize("name", ["../evil.safetensors", "a/../../x", "/x", "a\\..\\x"])
def test_a_listing_that_leads_out_is_refused(hub_server, name):
    hub_server.add("org/name", {"a.safetensors": b"x"}, lied_names={"a.safetensors": name})
    with pytest.raises(DownloadDamaged, match="leads out"):
        Hub().listing("org/name")


def test_small_files_are_read_and_checked(hub_server):
    hub_server.add("org/name", {"model_index.json": b"{}"})
    listing = Hub().listing("org/name")
    assert Hub().read(listing, "model_index.json") == b"{}"
    hub_server.fault("model_index", "corrupt")
    with pytest.raises(DownloadDamaged, match="hash differs"):
        Hub().read(listing, "model_index.json")


def test_the_token_goes_to_the_hub_alone(hub_server):
    hub = Hub(lambda: GOOD_TOKEN)
    assert hub.headers_for(f"{hub_server.url}/a/b/resolve/main/c") == {"Authorization": f"Bearer {GOOD_TOKEN}"}
    for other in ("https://huggingface.co.evil.example/a", "http://127.0.0.1:1/a", "https://127.0.0.1/a"):
        assert hub.headers_for(other) == {}


def test_a_question_that_hangs_can_be_given_up(hub_server):
    hub_server.add("org/name", {})
    hub_server.fault("/api/models/org/name", "stall")
    cancel = threading.Event()
    threading.Thread(target=lambda: (hub_server.stalled.wait(60), cancel.set())).start()
    with pytest.raises(Cancelled):
        Hub().listing("org/name", cancel=cancel)


@pytest.mark.parametrize("name", ["", "name", "a/b/c", "../b", "a/..", "a/b?x", "a b/c", "a/" + "x" * 97])
def test_what_is_no_repository_is_refused_before_anybody_is_asked(hub_server, name):
    with pytest.raises(NotOffered, match="owner/name"):
        check_repo(name)


@pytest.mark.parametrize("url", ["https://example.org/x", "http://127.0.0.1:80/x", "http://localhost/x"])
def test_addresses_over_https_or_on_this_computer_pass(url):
    assert check_url(url) is None


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd", "https://me:pw@example.org/", "https://", "x",
     "https://[broken/", "http://127.0.0.1.example.org/x"],
)  # fmt: skip
def test_other_addresses_do_not(url):
    with pytest.raises(DownloadError, match="https://"):
        check_url(url)
