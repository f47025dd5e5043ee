from __future__ import annotations

import contextlib
import hashlib
import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdstudio.cli import build_parser
from tests.same_results import Program, helps, main, normal, not_run, told
from tests.same_results_runs import Run, drawing_runs, other_runs

RUNS = [*drawing_runs(["euler", "heun"], ["karras"]), *other_runs()]


@pytest.fixture(scope="module")
def help_texts() -> dict[str, str]:
    """The help of every command of the program."""
    parser = build_parser(lambda *_: 0)

    def said(argv) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            parser.parse_args(argv)
        return out.getvalue()

    return dict(helps(said))


def test_every_command_is_found_by_its_help(help_texts):
    assert {"sdstudio", "sdstudio generate", "sdstudio models space", "sdstudio bench"} <= set(help_texts)
    assert all(text.startswith(f"usage: {name}") for name, text in help_texts.items())


def test_every_command_that_prints_json_is_run(help_texts):
    assert not_run(help_texts, RUNS) == []
    assert not_run(help_texts, [run for run in RUNS if "space" not in run.argv]) == ["sdstudio models space"]


def test_no_two_runs_share_a_name_and_each_is_a_command_that_there_is(help_texts):
    names = [run.name for run in RUNS]
    assert len(names) == len(set(names))
    parser = build_parser(lambda *_: 0)
    for run in RUNS:
        if not run.name.startswith("refused/"):
            assert callable(parser.parse_args(list(run.argv)).run)


def test_paths_times_and_versions_are_words_and_all_else_stays(tmp_path):
    row = {
        "path": f"{tmp_path}/a.png", "duration_s": 1.5, "seed": 2**64 - 1, "note": "drawn 2026-12-01T01:02:03.5+00:00",
        "recipe": {"app": "sdstudio 0.2.0", "size_bytes": 7}, "from": ["http://127.0.0.1:80/x", "images/2026-12-01/1"],
    }  # fmt: skip
    assert normal(row, {str(tmp_path): "<room>"}, ["size_bytes"]) == {
        "path": "<room>/a.png", "duration_s": "<duration_s>", "seed": 2**64 - 1, "note": "drawn <time>",
        "recipe": {"app": "sdstudio <version>", "size_bytes": "<size_bytes>"}, "from": ["<hub>/x", "images/<day>/1"],
    }  # fmt: skip


def test_a_run_gives_status_records_messages_pixels_and_texts(tmp_path):
    def draws(argv) -> int:
        file = argv[argv.index("--out") + 1]
        text = PngInfo()
        text.add_text("parameters", "a heart\nSteps: 4")
        text.add_text("sdstudio", json.dumps({"app": "sdstudio 9.9.9", "seed": 1}))
        Image.new("RGB", (3, 2), (1, 2, 3)).save(file, pnginfo=text)
        print(json.dumps({"path": file, "seed": 1}))  # noqa: T201 (as the program does)
        return 0

    run = Run("x", ("generate", "a {red|blue} heart", "--out", "{out}/x.png", "--json"))
    result = Program(draws, {tmp_path: "<room>"}).result(run, {"out": tmp_path})
    assert result == {
        "code": 0, "messages": [], "records": [{"path": "<room>/x.png", "seed": 1}],
        "pixels": [f"3x2 {hashlib.sha256(bytes((1, 2, 3)) * 6).hexdigest()}"],
        "texts": [{"parameters": "a heart\nSteps: 4", "sdstudio": {"app": "sdstudio <version>", "seed": 1}}],
    }  # fmt: skip
    refused = Program(lambda argv: 2, {}).result(Run("y", ("history", "show", "x")), {})
    assert refused == {"code": 2, "messages": [], "lines": []}


def kept(**changed) -> dict:
    """Results of two runs and one help, with changes."""
    runs = {name: {"code": 0, "pixels": [f"64x64 {name}"], "records": [{"seed": 1, "path": "x.png"}]} for name in "ab"}
    return {"1 thread(s)": {"runs": runs | changed, "help": {"sdstudio": ["usage: sdstudio", "  --seed N"]}}}


def test_equal_results_differ_in_nothing():
    assert list(told(kept(), kept())) == ["0 differences; 2 pictures before, 2 now."]


def test_each_difference_is_told_once_with_all_that_it_is_in():
    after = kept()
    for name, run in after["1 thread(s)"]["runs"].items():
        run["records"][0]["strength"] = 0.5
        run["pixels"] = [f"64x64 {name}"]
    after["1 thread(s)"]["runs"]["b"]["pixels"] = ["64x64 other"]
    after["1 thread(s)"]["help"]["sdstudio"].append("  --quiet")
    *lines, count = told(kept(), after)
    assert lines == [
        "strength: (missing) -> 0.5\n    in 1 thread(s) / runs / a / records[0]; 1 thread(s) / runs / b / records[0]",
        'pixels: ["64x64 b"] -> ["64x64 other"]\n    in 1 thread(s) / runs / b',
        'sdstudio: [] -> ["  --quiet"]\n    in 1 thread(s) / help',
    ]
    assert count == "3 differences; 2 pictures before, 2 now."


def test_a_run_that_is_gone_is_a_difference():
    before = kept(c={"code": 0, "pixels": ["64x64 c"]})
    *lines, count = told(before, kept())
    assert lines[0].startswith('c: {"code": 0')
    assert count == "1 differences; 3 pictures before, 2 now."


def test_one_of_keeping_and_comparing_has_to_be_asked_for(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "--keep" in capsys.readouterr().err
