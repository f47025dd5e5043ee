"""The real command in a process of its own: what a shell sees, from bad input to Ctrl-C."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from sdstudio import __version__
from sdstudio.cli import main
from sdstudio.core.paths import resources
from sdstudio.core.request.presets import Preset, PresetBook
from sdstudio.history.picture_text.foreign.reading import recipe_of
from tests.forked import Forked, command

STARTER = resources() / "starter" / "model_index.json"


@pytest.fixture
def environment(home, tiny_models):
    """A data folder that holds one tiny model, as environment variables."""
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")
    return {**os.environ, "SDSTUDIO_HOME": str(home.home), "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def run(environment, tmp_path):
    def call(*argv: object, code: int = 0, **more: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "sdstudio", *map(str, argv)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, **more,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr
        return done

    return call


@pytest.fixture
def forked(environment, tmp_path):
    """The same in a process that has imported torch before it begins."""

    def call(*argv: object, work: Callable[..., int] = command) -> Forked:
        return Forked(work, [str(arg) for arg in argv], environment, tmp_path)

    return call


@pytest.fixture
def here(environment, home, tmp_path, monkeypatch, capsys):
    """The same in this process, for what needs no other."""
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)

    def call(*argv: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        try:
            ended = main([str(arg) for arg in argv])
        except SystemExit as leaving:
            ended = leaving.code
        said = capsys.readouterr()
        assert ended == code, said.err
        return subprocess.CompletedProcess(argv, code, said.out, said.err)

    return call


def _one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("sdstudio: ")
    return done.stderr


def _same(left: str | Path, right: str | Path) -> bool:
    pictures = [Image.open(path).convert("RGB") for path in (left, right)]
    return pictures[0].size == pictures[1].size and ImageChops.difference(*pictures).getbbox() is None


def test_version_and_help_are_quick_and_leave_torch_alone(run, here):
    assert run("--version").stdout == f"sdstudio {__version__}\n"
    for argv in (["--help"], ["generate", "--help"], ["history", "rerun", "--help"]):
        assert here(*argv).stdout.startswith("usage: sdstudio")
    code = "import sys; from sdstudio.cli import build_parser; build_parser(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_model_path_that_is_not_there(run, tmp_path):
    said = _one_line(run("generate", "x", "--model", tmp_path / "nope", code=1))
    assert str(tmp_path / "nope") in said


def test_a_folder_that_is_no_model(here, tmp_path):
    (tmp_path / "pictures").mkdir()
    assert "model_index.json" in _one_line(here("generate", "x", "--model", tmp_path / "pictures", code=1))


def test_truncated_weights(here, home):
    weights = home.models / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1000)
    said = _one_line(here("generate", "x", "--model", "tiny", code=1))
    assert str(weights) in said
    assert "1,000 of its" in said


def test_a_text_file_named_safetensors(here, tmp_path):
    (tmp_path / "notes.safetensors").write_text("dear diary")
    said = _one_line(here("generate", "x", "--model", "notes.safetensors", code=1))
    assert "begins with the text 'dear dia'" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--width", "500"], "Nearest: 496 or 504"),
        (["--steps", "0"], "allowed is 1 to 150"),
        (["--scheduler", "eulr a"], "Did you mean euler_a"),
    ],
)
def test_values_that_are_not_allowed(here, flags, said):
    assert said in _one_line(here("generate", "x", "--model", "tiny", *flags, code=2))


def test_a_prompt_of_100_000_characters(run):
    assert "100,000 characters" in _one_line(run("generate", "x" * 100_000, "--model", "tiny", code=2))


def test_an_output_folder_that_cannot_be_written(run):
    began = time.monotonic()
    assert "/proc/nothing" in _one_line(run("generate", "x", "--model", "tiny", "--out", "/proc/nothing/x.png", code=1))
    assert time.monotonic() - began < 60  # torch has not been imported, let alone the model loaded


def on_a_full_disk(*argv: str) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file grows beyond 1 kB: EFBIG, the twin of ENOSPC
    return command(*argv)


def test_a_full_disk_leaves_nothing_half_written(forked, tmp_path):
    flags = ("--model", "tiny", "--steps", 1, "--quiet", "--out", "o/x.png")
    code, out, err = forked("generate", "x", *flags, work=on_a_full_disk).ended()
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert err.startswith("sdstudio: ")
    assert "Disk full" in err
    assert not (tmp_path / "o").exists()


def test_one_seed_gives_one_picture_in_another_process_in_a_batch_and_by_rerun_of_emoji_and_right_to_left_text(
    forked, here, tmp_path
):
    prompt = "🐸 قلب أحمر"
    flags = ("--model", "tiny", "--seed", 41, "--json")
    code, out, err = forked("generate", prompt, *flags, "--out", "one.png", "--quiet").ended()
    assert (code, err) == (0, "")
    one = json.loads(out)
    assert one["prompt"] == prompt
    assert recipe_of(tmp_path / "one.png").request.prompt == prompt
    rows = [json.loads(line) for line in here("generate", prompt, *flags, "--count", 2).stdout.splitlines()]
    assert [row["seed"] for row in rows] == [41, 42]
    assert _same(one["path"], rows[0]["path"])
    again = json.loads(here("history", "rerun", rows[1]["id"], "--json").stdout)
    assert _same(rows[1]["path"], again["path"])
    listed = here("history", "list", "--json").stdout
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [again["id"], rows[1]["id"], rows[0]["id"]]


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(forked, tmp_path):
    flags = ("--model", "tiny", "--steps", 150, "--count", 500, "--out", "o", "--json")
    process = forked("generate", "x", *flags)
    first = process.stdout.readline()  # one picture is there, the next is being drawn
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, rest, err = process.ended()
    assert time.monotonic() - began < 20
    assert code == 130
    assert "Traceback" not in err
    assert "pictures are saved" in err
    paths = [json.loads(line)["path"] for line in (first + rest).splitlines()]
    assert sorted(str(path) for path in (tmp_path / "o").iterdir()) == sorted(paths)
    assert all(recipe_of(path) for path in paths)


def test_ctrl_c_before_torch_is_there_ends_at_once_with_130(environment, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "sdstudio", "generate", "x", "--model", "tiny", "--out", "x.png"],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if "torch" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted; 0 of 1 pictures are saved" in err
    assert "diffusers.models" not in err, "the import went on to its end"
    assert not (tmp_path / "x.png").exists()


def test_a_reader_that_goes_away_is_no_error(environment, tmp_path):
    command = f"{sys.executable} -m sdstudio schedulers --json | head -1"
    done = subprocess.run(
        command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_without_a_display_the_window_says_what_to_do_instead(environment, tmp_path):
    places = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    bare = {name: value for name, value in environment.items() if name not in places}
    done = subprocess.run(
        [sys.executable, "-m", "sdstudio"], env=bare, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "sdstudio generate" in _one_line(done)


@pytest.mark.slow
@pytest.mark.skipif(not STARTER.is_file(), reason="the starter has not been trained yet")
def test_the_starter_draws_out_of_the_box(run, tmp_path):
    row = json.loads(run("generate", "a red heart", "--out", "heart.png", "--seed", 1, "--json").stdout)
    assert (row["model"], row["path"]) == ("starter", str(tmp_path / "heart.png"))
    picture = Image.open(row["path"]).convert("RGB")
    assert (row["width"], row["finish"], picture.size) == (128, 4, (512, 512))
    assert len(picture.getcolors(maxcolors=picture.width * picture.height)) > 100


def test_a_preset_of_the_window_gives_its_values_where_no_flag_says_otherwise(here, home, tmp_path):
    values = {
        "model": "tiny", "steps": 2, "width": 64, "height": 96, "count": 2, "strength": 0.4, "eta_ddim": 0.0,
        "prompt": "a fox", "negative_prompt": "fog", "styles": [], "seed": 5, "later": 1, "scheduler": [1],
    }  # fmt: skip
    PresetBook.of(home).keep([Preset("Fast draft", values)])
    done = here("generate", "", "--preset", "Fast draft", "--height", 64, "--json", "--out", tmp_path / "made")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    told = [(each["prompt"], each["negative_prompt"], each["steps"], each["height"], each["seed"]) for each in facts]
    assert told == [("a fox", "fog", 2, 64, 5), ("a fox", "fog", 2, 64, 6)]
    assert "cannot be used: later, scheduler" in done.stderr
    assert json.loads(here("presets", "list", "--json").stdout) == {"name": "Fast draft", "values": values}
    assert "there is no preset of this name" in here("generate", "x", "--preset", "Slow", code=1).stderr
