from __future__ import annotations

import threading

import pytest

from sdstudio.core.errors import Cancelled, DownloadError, NotOffered, ServerTroubled, Unreachable
from sdstudio.library.getting.network import abandonable, new_client, read_bytes


def test_work_on_another_thread_gives_its_result_or_its_error():
    polls: list[int] = []
    ready = threading.Event()

    def on_poll() -> None:
        polls.append(1)
        ready.set()

    def slow() -> int:
        assert ready.wait(60)
        return 42

    assert abandonable(slow, threading.Event(), on_poll) == 42
    assert polls

    def fail() -> None:
        raise NotOffered("no", "hint")

    with pytest.raises(NotOffered):
        abandonable(fail, threading.Event())


def test_work_that_nobody_can_interrupt_is_left_alone():
    cancel, let_go = threading.Event(), threading.Event()

    def stuck() -> None:
        cancel.set()
        let_go.wait(60)

    with pytest.raises(Cancelled):
        abandonable(stuck, cancel)
    let_go.set()
    begun: list[int] = []
    with pytest.raises(Cancelled):
        abandonable(lambda: begun.append(1), cancel)
    assert begun == []


@pytest.mark.parametrize("kind", [None, "no_range"])
def test_a_piece_of_a_file_is_read_whatever_the_server_makes_of_ranges(hub_server, kind):
    data = bytes(range(256)) * 1000
    hub_server.plain["/x"] = data
    if kind:
        hub_server.fault("/x", kind)
    with new_client() as client:
        assert read_bytes(client, f"{hub_server.url}/x", "x", 10, 19)[0] == data[10:20]
        assert read_bytes(client, f"{hub_server.url}/x", "x", len(data) - 2, len(data) + 9)[0] == data[-2:]


def test_a_piece_after_the_end_is_empty(hub_server):
    hub_server.plain["/x"] = b"abc"
    with new_client() as client:
        assert read_bytes(client, f"{hub_server.url}/x", "x", 10, 19)[0] == b""


def test_a_redirect_off_https_is_not_followed_and_one_in_circles_ends(hub_server):
    with new_client() as client:
        hub_server.fault("/away", "redirect", url="http://example.org/x")
        with pytest.raises(DownloadError, match="https://"):
            read_bytes(client, f"{hub_server.url}/away", "x", 0, 1)
        hub_server.fault("/round", "redirect", url=f"{hub_server.url}/round")
        with pytest.raises(Unreachable, match="in circles"):
            read_bytes(client, f"{hub_server.url}/round", "x", 0, 1)


@pytest.mark.parametrize("target", ["https://127.0.0.1/x", "http://localhost:8080/x", "https://[::1]/"])
def test_a_server_elsewhere_cannot_send_us_to_this_computer(target):
    import httpx2

    request = httpx2.Request("GET", "https://example.org/x")
    with new_client() as client:
        [hook] = client.event_hooks["response"]
        hook(httpx2.Response(302, headers={"Location": "/elsewhere"}, request=request))
        hook(httpx2.Response(200, request=request))
        with pytest.raises(DownloadError, match="this computer itself"):
            hook(httpx2.Response(302, headers={"Location": target}, request=request))


@pytest.mark.parametrize(
    ("said", "waits"), [("7", 7.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-3", 0.0)]
)
def test_a_server_is_believed_how_long_to_wait(hub_server, said, waits):
    hub_server.fault("/x", "status", status=429, headers={"Retry-After": said})
    with new_client() as client, pytest.raises(ServerTroubled) as caught:
        read_bytes(client, f"{hub_server.url}/x", "x", 0, 1)
    assert caught.value.after_s == waits
