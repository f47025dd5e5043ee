"""``sdstudio models download | import | search | catalogue | token``, in this process, on a hub of its own."""

from __future__ import annotations

import io
import json
import shutil

import keyring
import pytest
from keyring.backends import fail

from sdstudio.cli import main
from sdstudio.library.getting.catalogue import catalogue
from sdstudio.library.getting.download import stage
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.planner import DownloadOrder, Planner
from sdstudio.library.library import Library
from tests.loopback_hub import GOOD_TOKEN, files_of
from tests.unit.library.getting.test_planner import LORA
from tests.unit.library.getting.test_tokens import Safe


@pytest.fixture
def run(home, monkeypatch, capsys, hub_server):
    """Return a function that runs a command and gives back what it printed."""
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    yield call
    keyring.set_keyring(before)


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_catalogue_key_brings_a_model_with_its_recommendations(run, home, hub_server, tiny_models):
    hub_server.add("stabilityai/sd-turbo", files_of(tiny_models["sd1"]))
    out, err = run("models", "download", "sd-turbo", "--json")
    [row] = rows(out)
    assert row["path"] == str(home.models / "sd-turbo")
    assert (row["kind"], row["problem"], row["title"]) == ("checkpoint", "", "SD Turbo")
    assert "licence Stability AI Community Licence" in err
    assert "MB in" in err
    library = Library(home)
    model = library.find("sd-turbo")
    assert library.known_hash(model) == library.hash_of(model) != "", "hashed while it came"
    assert (model.name, model.problem) == ("SD Turbo", "")
    assert dict(model.defaults) == {
        "width": 512, "height": 512, "steps": 2, "guidance_scale": 1.0, "scheduler": "euler_a",
        "schedule": "sgm_uniform",  # its file says that it is a few-step model
    }  # fmt: skip


def test_a_dry_run_only_tells(run, home, hub_server):
    hub_server.add("org/style", {"style.safetensors": LORA})
    out, err = run("models", "download", "org/style", "--dry-run", "--json")
    assert rows(out)[0]["size_bytes"] == len(LORA)
    assert not (home.models / "loras").exists()
    assert "licence mit" in err


def test_an_address_is_downloaded_and_its_path_printed(run, home, hub_server):
    hub_server.plain["/s.safetensors"] = LORA
    out, _ = run("models", "download", f"{hub_server.url}/s.safetensors", "--quiet")
    assert out == f"{home.models / 'loras' / 's.safetensors'}\n"


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("org/nothing", 1, "no such repository"), ("nonsense", 2, "owner/name"), ("http://example.org/x", 1, "https://")],
)
def test_what_cannot_be_had_is_one_line(run, hub_server, what, code, said):
    _, err = run("models", "download", what, code=code)
    assert said in err
    assert err.count("\n") == 1


def test_a_gated_repository_is_found_out_before_anything_is_written(run, home, hub_server, monkeypatch):
    hub_server.add("org/gated", {"style.safetensors": LORA}, gated=True)
    _, err = run("models", "download", "org/gated", code=1)
    assert "accepted their terms" in err
    assert list(home.models.iterdir()) == []
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    run("models", "download", "org/gated")


def test_a_model_from_this_computer_is_brought_in(run, home, tiny_models):
    source = home.home / "mine"
    shutil.copytree(tiny_models["sd1"], source)
    [row] = rows(run("models", "import", source, "--json")[0])
    assert row["linked"] is True
    assert row["kind"] == "checkpoint"
    assert Library(home).find(row["path"]).problem == ""
    assert "is there already" in run("models", "import", source, code=1)[1]


def test_a_search_lists_what_the_hub_finds(run, hub_server):
    hub_server.add("org/frogs", {}, licence="openrail", gated=True)
    [row] = rows(run("models", "search", "frog", "--json")[0])
    assert (row["repo"], row["licence"], row["gated"]) == ("org/frogs", "openrail", True)
    assert "org/frogs" in run("models", "search", "frog")[0]
    assert "Nothing was found" in run("models", "search", "toad")[1]
    assert "1 to 200" in run("models", "search", "x", "--limit", 0, code=2)[1]


def test_the_catalogue_is_printed_without_any_network(run, hub_server):
    assert [row["key"] for row in rows(run("models", "catalogue", "--json")[0])] == [row.key for row in catalogue()]
    assert "sd-turbo" in run("models", "catalogue")[0]
    assert hub_server.asked == []


def test_a_token_is_kept_in_the_keyring_and_nowhere_else(run, home, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hf_secret\n"))
    assert "no keyring" in run("models", "token", code=1)[1]
    safe = Safe()
    keyring.set_keyring(safe)
    monkeypatch.setattr("sys.stdin", io.StringIO("hf_secret\n"))
    out, err = run("models", "token")
    assert list(safe.kept.values()) == ["hf_secret"]
    assert "hf_secret" not in out + err
    assert not any(b"hf_secret" in path.read_bytes() for path in home.home.rglob("*") if path.is_file())
    run("models", "token", "--forget")
    assert safe.kept == {}


def test_interrupted_downloads_are_listed_and_discarded(run, home, hub_server):
    hub_server.add("org/style", {"style.safetensors": LORA})
    assert "No download was interrupted" in run("models", "downloads")[1]
    stage(home.models, Planner(Hub()).plan(DownloadOrder("org/style")))
    [row] = rows(run("models", "downloads", "--json")[0])
    assert (row["title"], row["source"], row["done_bytes"]) == ("style", "org/style/style.safetensors", 0)
    assert "org/style" in run("models", "downloads")[0]
    assert "allowed are style" in run("models", "downloads", "--discard", "nope", code=2)[1]
    run("models", "downloads", "--discard", "Style")
    assert run("models", "downloads", "--json")[0] == ""
