"""Downloads against a real server that does everything wrong a server can."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdstudio.core.errors import (
    AccessRefused,
    Cancelled,
    DownloadDamaged,
    LockedByOther,
    NotOffered,
    SaveFailed,
    ServerTroubled,
    Unreachable,
)
from sdstudio.core.paths import StudioPaths
from sdstudio.library.getting import download
from sdstudio.library.getting.download import STAGING, Staged, discard, run, stage, unfinished
from sdstudio.library.getting.fetch import Patience
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.meter import DownloadProgress
from sdstudio.library.getting.plan import Plan
from sdstudio.library.getting.planner import DownloadOrder, Planner
from sdstudio.library.library import Library
from tests.loopback_hub import GOOD_TOKEN, LoopbackHub, files_of

QUICK = Patience(waits_s=(0.01, 0.01, 0.01))
BIG = "unet/diffusion_pytorch_model.safetensors"
LORA = "pytorch_lora_weights.safetensors"


def lora_bytes(size: int = 400_000, fill: int = 7) -> bytes:
    """A safetensors file that is a LoRA by its tensors' names."""
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({"lora_unet_down_blocks_0.lora_down.weight": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes([fill]) * size


@pytest.fixture
def server(hub_server: LoopbackHub) -> LoopbackHub:
    hub_server.add("org/lora", {LORA: lora_bytes(), "README.md": b"about"})
    return hub_server


@pytest.fixture
def get(server: LoopbackHub, home: StudioPaths) -> Callable[..., Path]:
    """A function that downloads something the whole way."""

    def do(text: str = "org/lora", token: str = "", **more: object) -> Path:
        hub = Hub(lambda: token)
        staged = stage(home.models, Planner(hub).plan(DownloadOrder(text)))
        return run(staged, hub, threading.Event(), lambda _progress: None, QUICK, **more)  # type: ignore[arg-type]

    return do


def staged_of(home: StudioPaths, text: str = "org/lora") -> Staged:
    return stage(home.models, Planner(Hub()).plan(DownloadOrder(text)))


def finish(staged: Staged) -> Path:
    return run(staged, Hub(), threading.Event(), lambda _progress: None, QUICK)


def visible(home: StudioPaths) -> list[str]:
    return [model.path.name for model in Library(home).models() if model.path.is_relative_to(home.models)]


def test_a_model_folder_arrives_whole_and_the_library_can_use_it(server, home, get, tiny_models):
    files = files_of(tiny_models["sd1"])
    server.add("org/tiny", {**files, "unet/diffusion_pytorch_model.bin": b"x" * 5000, "extra/config.json": b"{}"})
    path = get("org/tiny")
    assert path == home.models / "tiny"
    assert set(files_of(path)) == {name for name in files if name != "sdstudio.json"}
    assert all((path / name).read_bytes() == files[name] for name in files_of(path))
    assert Library(home).find("tiny").problem == ""
    assert not (home.models / STAGING / "tiny").exists()


def test_a_filter_that_is_left_out_is_named_as_absent(server, home, get, tmp_path):
    from tests.tiny_models import tiny_sd1

    source = tiny_sd1(tmp_path / "checked", safety_checker=True)
    server.add("org/checked", files_of(source))
    path = get("org/checked")
    index = json.loads((path / "model_index.json").read_text())
    assert index["safety_checker"] == index["feature_extractor"] == [None, None]
    assert index["requires_safety_checker"] is False
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert not (path / "safety_checker").exists()
    assert Library(home).find("checked").problem == ""


def test_nothing_is_seen_before_all_of_it_is_there(server, home, get, tiny_models):
    server.add("org/tiny", files_of(tiny_models["sd1"]))
    seen: list[list[str]] = []
    server.fault("/vae/diffusion_pytorch_model", "call", after=500, call=lambda: seen.append(visible(home)))
    get("org/tiny")
    assert seen
    assert not any(seen)
    assert visible(home) == ["tiny"]


def test_a_single_file_is_told_by_its_header_before_it_comes(server, home, get):
    assert get() == home.models / "loras" / "lora.safetensors"
    assert (home.models / "loras" / "lora.safetensors").read_bytes() == lora_bytes()


def test_progress_names_bytes_speed_and_time_left(server, home):
    told: list[DownloadProgress] = []
    staged = staged_of(home)
    run(staged, Hub(), threading.Event(), told.append, QUICK)
    size = len(lora_bytes())
    assert told[-1].done_bytes == told[-1].total_bytes == size
    assert told[-1].fraction == 1.0
    assert DownloadProgress(25, 100, 5.0).seconds_left == 15.0
    assert DownloadProgress(25, 100).seconds_left == 0.0


class TestFaults:
    @pytest.mark.parametrize("kind", ["truncate", "reset", "drop"])
    def test_a_connection_that_breaks_is_taken_up_where_it_broke(self, server, home, kind):
        staged = staged_of(home)
        server.fault(LORA, kind, after=100_000, times=2)
        assert finish(staged).read_bytes() == lora_bytes()
        if kind == "truncate":
            assert server.ranges(LORA) == ["", "bytes=100000-", "bytes=200000-"]

    def test_a_server_that_always_cuts_short_is_given_up_and_what_came_is_kept(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "truncate", after=0)
        with pytest.raises(Unreachable, match="broke off"):
            finish(staged)
        assert len(server.ranges(LORA)) == len(QUICK.waits_s) + 1
        server.heal()
        assert finish(staged).read_bytes() == lora_bytes()

    def test_a_server_that_ignores_ranges_sends_all_of_it_again(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "truncate", after=100_000, times=1)
        server.fault(LORA, "no_range")
        assert finish(staged).read_bytes() == lora_bytes()
        assert server.ranges(LORA) == ["", "bytes=100000-"]

    def test_a_server_that_sends_another_part_is_not_believed(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "truncate", after=100_000, times=1)
        server.fault(LORA, "other_range")
        assert finish(staged).read_bytes() == lora_bytes()
        assert server.ranges(LORA) == ["", "bytes=100000-", ""]

    def test_wrong_bytes_of_the_right_size_are_fetched_again(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "corrupt", times=1)
        assert finish(staged).read_bytes() == lora_bytes()

    def test_wrong_bytes_for_ever_are_never_shown_to_the_library(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "corrupt")
        with pytest.raises(DownloadDamaged, match="sha256"):
            finish(staged)
        assert not staged.target.exists()
        assert staged.done_bytes == 0
        server.heal()
        assert finish(staged).read_bytes() == lora_bytes()

    def test_small_files_without_a_sha256_are_checked_as_git_does(self, server, home, tiny_models):
        server.add("org/tiny", files_of(tiny_models["sd1"]))
        staged = staged_of(home, "org/tiny")
        server.fault("scheduler_config.json", "corrupt")
        with pytest.raises(DownloadDamaged, match="scheduler_config"):
            finish(staged)

    @pytest.mark.parametrize(
        ("status", "headers", "error", "said"),
        [
            (401, {}, AccessRefused, "refuses it"),
            (403, {}, AccessRefused, "refuses it"),
            (404, {"X-Error-Code": "EntryNotFound"}, NotOffered, "no such file"),
            (429, {}, ServerTroubled, "asked too often"),
            (500, {}, ServerTroubled, "problem of its own"),
            (503, {"Retry-After": "3600"}, ServerTroubled, "wait 3600 s"),
            (418, {}, Exception, "status 418"),
        ],
    )
    def test_a_refusal_is_said_in_words_and_can_be_tried_again(self, server, home, status, headers, error, said):
        staged = staged_of(home)
        server.fault(LORA, "status", status=status, headers=headers)
        with pytest.raises(error, match=said) as caught:
            finish(staged)
        assert caught.value.hint
        server.heal()
        assert finish(staged).read_bytes() == lora_bytes()

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_passing_trouble_is_waited_out_and_told(self, server, home, status):
        told: list[str] = []
        staged = staged_of(home)
        server.fault(LORA, "status", status=status, times=2, headers={"Retry-After": "0"})
        run(staged, Hub(), threading.Event(), lambda progress: told.append(progress.doing), QUICK)
        assert any("Trying again in" in text for text in told)
        assert staged.target.exists()

    def test_a_gated_repository_asks_for_a_token_and_the_licence(self, server, get):
        server.add("org/gated", {LORA: lora_bytes()}, gated=True)
        with pytest.raises(AccessRefused, match="accepted their terms") as caught:
            get("org/gated")
        assert "enter your access token" in caught.value.hint
        with pytest.raises(AccessRefused, match="your token does not open it"):
            get("org/gated", token="hf_other")
        assert get("org/gated", token=GOOD_TOKEN).exists()

    def test_no_server_is_said_at_once(self, server, home):
        staged = staged_of(home)
        server.stop()
        with pytest.raises(Unreachable, match="cannot be reached"):
            finish(staged)

    def test_a_token_goes_to_the_hub_and_not_to_where_it_redirects(self, server, home):
        with LoopbackHub() as cdn:
            cdn.plain["/signed"] = lora_bytes()
            staged = staged_of(home)
            server.fault(LORA, "redirect", url=f"{cdn.url}/signed")
            run(staged, Hub(lambda: GOOD_TOKEN), threading.Event(), lambda _progress: None, QUICK)
            assert "authorization" not in cdn.asked[-1].headers
            assert server.asked[-1].headers["authorization"] == f"Bearer {GOOD_TOKEN}"


class TestStopping:
    @pytest.mark.parametrize("after", [0, 100_000])
    def test_a_stalled_download_stops_at_once_and_goes_on_later(self, server, home, after):
        staged = staged_of(home)
        server.fault(LORA, "stall", after=after, times=1)
        cancel, stopped = threading.Event(), threading.Event()

        def work() -> None:
            with pytest.raises(Cancelled):
                run(staged, Hub(), cancel, lambda _progress: None, QUICK)
            stopped.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert server.stalled.wait(60)
        cancel.set()
        # Far less than the ten seconds after which the connection itself would give up.
        assert stopped.wait(5)
        thread.join()
        assert staged.done_bytes <= after
        assert finish(staged).read_bytes() == lora_bytes()

    def test_what_an_abandoned_connection_still_brings_is_not_written(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "stall", after=100_000, times=1)
        cancel = threading.Event()
        told: list[DownloadProgress] = []

        def stop_when_stalled(progress: DownloadProgress) -> None:
            told.append(progress)
            if server.stalled.is_set():
                cancel.set()

        with pytest.raises(Cancelled):
            run(staged, Hub(), cancel, stop_when_stalled, QUICK)
        kept = staged.done_bytes
        server.go_on.set()
        assert staged.done_bytes == kept

    def test_a_download_is_found_again_by_the_next_run(self, server, home):
        staged = staged_of(home)
        server.fault(LORA, "truncate", after=100_000, times=1)
        server.fault(LORA, "status", status=500)
        with pytest.raises(ServerTroubled):
            finish(staged)
        [found] = unfinished(home.models)
        assert found == staged
        assert found.done_bytes == 100_000
        server.heal()
        assert finish(found).read_bytes() == lora_bytes()
        assert server.ranges(LORA)[-1] == "bytes=100000-"
        assert unfinished(home.models) == []

    def test_an_old_part_of_another_version_is_replaced(self, server, home):
        staged = staged_of(home)
        staged.part_of(staged.plan.files[0]).parent.mkdir()
        staged.part_of(staged.plan.files[0]).write_bytes(b"stale" * 1000)
        assert finish(staged).read_bytes() == lora_bytes()

    def test_a_new_plan_keeps_of_an_old_one_what_has_not_changed(self, server, home, tiny_models):
        files = files_of(tiny_models["sd1"])
        server.add("org/tiny", files)
        server.fault(BIG, "status", status=404)
        with pytest.raises(NotOffered):
            finish(staged_of(home, "org/tiny"))
        server.heal()
        server.asked.clear()
        server.add(
            "org/tiny", {**files, "scheduler/scheduler_config.json": files["scheduler/scheduler_config.json"] + b" "}
        )
        finish(staged_of(home, "org/tiny"))
        assert server.ranges("scheduler_config.json") == [""]
        assert server.ranges("text_encoder/config.json") == []

    def test_leftovers_that_nobody_can_go_on_with_are_swept(self, server, home):
        litter = home.models / STAGING / "litter"
        litter.mkdir(parents=True)
        (litter / "plan.json").write_text("{}")
        assert unfinished(home.models) == []
        assert not litter.exists()

    def test_a_plan_that_was_tampered_with_writes_nowhere(self, server, home):
        staged = staged_of(home)
        plan = json.loads((staged.folder / "plan.json").read_text())
        plan["files"][0]["path"] = "../../../evil.safetensors"
        (staged.folder / "plan.json").write_text(json.dumps(plan))
        assert unfinished(home.models) == []

    def test_discarding_leaves_nothing(self, server, home):
        staged = staged_of(home)
        discard(staged)
        assert unfinished(home.models) == []

    def test_two_programs_never_fetch_the_same_thing_at_once(self, server, home):
        staged = staged_of(home)
        refused: list[str] = []

        def second() -> None:
            with pytest.raises(LockedByOther) as caught:
                finish(staged)
            refused.append(str(caught.value))

        server.fault(LORA, "call", after=1000, times=1, call=second)
        finish(staged)
        assert refused


class TestDisk:
    def test_a_disk_without_room_is_said_before_anything_comes(self, server, home, monkeypatch):
        plan = Planner(Hub()).plan(DownloadOrder("org/lora"))
        server.asked.clear()
        free = round(plan.size_bytes * 1.04)
        monkeypatch.setattr(download.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
        with pytest.raises(SaveFailed, match="free disk"):
            stage(home.models, plan)
        assert server.asked == []

    def test_a_model_that_is_there_already_is_not_overwritten(self, server, home, get):
        get()
        with pytest.raises(SaveFailed, match="is there already"):
            get()

    def test_nothing_is_written_through_a_link(self, server, home, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (home.models / "loras").symlink_to(outside, target_is_directory=True)
        with pytest.raises(SaveFailed, match="link"):
            staged_of(home)
        assert list(outside.iterdir()) == []

    def test_a_link_in_the_place_of_a_file_is_neither_followed_nor_kept(self, server, home, tmp_path):
        outside = tmp_path / "outside"
        outside.write_bytes(b"mine")
        staged = staged_of(home)
        [file] = staged.plan.files
        staged.part_of(file).parent.mkdir()
        staged.part_of(file).symlink_to(outside)
        with pytest.raises(SaveFailed):
            finish(staged)
        staged.part_of(file).unlink()
        staged.place_of(file).symlink_to(outside)
        path = finish(staged)
        assert outside.read_bytes() == b"mine"
        assert not path.is_symlink()
        assert path.read_bytes() == lora_bytes()

    def test_a_whole_file_that_was_cut_since_is_fetched_again(self, server, home):
        staged = staged_of(home)
        [file] = staged.plan.files
        staged.place_of(file).parent.mkdir()
        staged.place_of(file).write_bytes(lora_bytes()[:-1])
        assert finish(staged).read_bytes() == lora_bytes()


class TestAddresses:
    def test_a_file_at_an_address_comes_whole(self, server, home, get):
        server.plain["/files/My Style.safetensors"] = lora_bytes()
        path = get(f"{server.url}/files/My%20Style.safetensors")
        assert path == home.models / "loras" / "My Style.safetensors"
        assert path.read_bytes() == lora_bytes()

    def test_a_known_hash_is_checked(self, server, home):
        server.plain["/a.safetensors"] = lora_bytes()
        plan = Planner(Hub()).plan(DownloadOrder(f"{server.url}/a.safetensors", sha256="0" * 64))
        with pytest.raises(DownloadDamaged, match="sha256"):
            finish(stage(home.models, plan))

    def test_a_file_that_changes_between_two_runs_is_fetched_from_the_start(self, server, home):
        server.plain["/a.safetensors"] = lora_bytes(fill=1)
        staged = stage(home.models, Planner(Hub()).plan(DownloadOrder(f"{server.url}/a.safetensors")))
        server.fault("/a.safetensors", "truncate", after=100_000, times=1)
        server.fault("/a.safetensors", "status", status=404)
        with pytest.raises(NotOffered):
            finish(staged)
        server.heal()
        server.plain["/a.safetensors"] = lora_bytes(fill=2)
        assert finish(staged).read_bytes() == lora_bytes(fill=2)


def test_plans_survive_the_disk(server, home):
    staged = staged_of(home)
    assert Plan.model_validate_json((staged.folder / "plan.json").read_bytes()) == staged.plan
    assert os.listdir(home.models) == [STAGING]
