"""The commands, called in this process on tiny models: what they draw, print, keep and refuse."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.catalog.schedules import SCHEDULES
from sdstudio.cli import draw as drawing
from sdstudio.cli import main
from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.foreign.reading import recipe_of


@pytest.fixture
def studio(home, tiny_models, monkeypatch):
    """Return a function that runs a command on a data folder with one tiny model."""
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")
    return home


@pytest.fixture
def run(studio, capsys):
    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


def _records(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def _same(left, right) -> bool:
    return ImageChops.difference(Image.open(left).convert("RGB"), Image.open(right).convert("RGB")).getbbox() is None


def test_pictures_are_drawn_with_the_models_own_values_and_described(run, tmp_path):
    out, _ = run("generate", "a red heart", "--model", "tiny", "--out", tmp_path / "heart.png", "--count", 3,
                 "--batch-size", 2, "--seed", 5, "--json")  # fmt: skip
    rows = _records(out)
    assert [row["seed"] for row in rows] == [5, 6, 7]
    names = ("heart.png", "heart-1.png", "heart-2.png")
    assert [row["path"] for row in rows] == [str(tmp_path / name) for name in names]
    assert [(row["batch_size"], row["batch_index"]) for row in rows] == [(2, 0), (2, 1), (1, 0)]
    for row in rows:
        assert {key: row[key] for key in ("model", "width", "height", "steps", "scheduler", "guidance_scale")} == {
            "model": "tiny", "width": 64, "height": 64, "steps": 4, "scheduler": "euler", "guidance_scale": 5.0,
        }  # fmt: skip
        assert (row["prompt"], row["negative_prompt"], row["blocked"], row["id"]) == ("a red heart", "", "", None)
        assert row["duration_s"] > 0
        recipe = recipe_of(row["path"])
        assert recipe.request.seed == row["seed"]
        assert recipe.model_hash == row["model_hash"]
        assert len(row["model_hash"]) == 10
        assert Image.open(row["path"]).size == (64, 64)


def test_every_flag_reaches_the_picture(run, tmp_path):
    out, err = run("generate", "a cat", "--model", "tiny", "--out", tmp_path / "x.png", "--negative-prompt", "red",
                   "--scheduler", "DPM++ 2M Karras", "--steps", 2, "--guidance-scale", 3.5, "--width", 72,
                   "--height", 80, "--seed", 2**64 - 1, "--clip-skip", 2, "--vae-tiling", "--quiet",
                   "--json")  # fmt: skip
    assert err == ""
    [row] = _records(out)
    assert (row["scheduler"], row["schedule"]) == ("dpmpp_2m", "karras")
    request = recipe_of(row["path"]).request
    assert request.model_dump(exclude_defaults=True) == {
        "model": "tiny", "prompt": "a cat", "negative_prompt": "red", "width": 72, "height": 80, "steps": 2,
        "guidance_scale": 3.5, "schedule": "karras", "seed": 2**64 - 1, "clip_skip": 2,
    }  # fmt: skip
    assert recipe_of(row["path"]).made_with["memory"]["vae_tiling"] is True


def test_progress_goes_to_stderr_and_paths_to_stdout(run, tmp_path):
    out, err = run("generate", "a cat", "--model", "tiny", "--out", tmp_path / "x.png")
    assert out == f"{tmp_path / 'x.png'}\n"
    assert "Loading Tiny SD 1" in err
    assert "step 4/4" in err


@pytest.mark.parametrize("prompt", ["", "🐸 on a 🔵", "قلب أحمر على خلفية زرقاء", "a\nb\tc", "\u202ertl", "a\udcffb"])
def test_any_text_is_a_prompt(run, tmp_path, prompt):
    out, _ = run("generate", prompt, "--model", "tiny", "--steps", 1, "--out", tmp_path / "x.png", "--json")
    [row] = _records(out)
    assert recipe_of(row["path"]).request.prompt == prompt.encode("utf-8", "replace").decode()


def test_without_out_a_picture_goes_into_the_history_and_rerun_draws_the_same_pixels(run, home, tmp_path):
    out, _ = run("generate", "a frog", "--model", "tiny", "--json")
    [made] = _records(out)
    assert made["path"].startswith(str(home.images))
    out, _ = run("history", "rerun", made["id"], "--json")
    [again] = _records(out)
    assert again["id"] == made["id"] + 1
    assert again["seed"] == made["seed"]
    assert _same(made["path"], again["path"])
    out, _ = run("history", "rerun", made["id"], "--out", tmp_path / "third.png")
    assert _same(made["path"], out.strip())
    out, _ = run("history", "list", "--json")
    assert [row["id"] for row in _records(out)] == [again["id"], made["id"]]
    out, _ = run("history", "search", "frog", "--limit", 1)
    assert out.count("\n") == 1
    assert "a frog" in out
    assert run("history", "search", "zebra")[0] == ""
    out, _ = run("history", "show", made["id"], "--json")
    [shown] = _records(out)
    assert shown["recipe"]["request"]["prompt"] == "a frog"
    out, _ = run("history", "show", made["id"])
    assert "Steps: 4, Sampler: Euler" in out


def test_an_image_of_a_batch_is_drawn_again_alone(run, tmp_path):
    out, _ = run("generate", "a frog", "--model", "tiny", "--count", 3, "--batch-size", 3, "--json")
    last = _records(out)[-1]
    out, _ = run("history", "rerun", last["id"], "--out", tmp_path / "again.png", "--json")
    left, right = (Image.open(path).convert("RGB") for path in (last["path"], tmp_path / "again.png"))
    difference = ImageChops.difference(left, right)
    assert max(high for _, high in difference.getextrema()) <= 2


def test_a_rerun_has_the_switches_and_the_precision_of_the_picture(run, tmp_path):
    out, _ = run("generate", "a frog", "--model", "tiny", "--width", 640, "--steps", 1, "--vae-tiling", "--json",
                 "--precision", "bfloat16")  # fmt: skip
    [row] = _records(out)
    out, _ = run("history", "rerun", row["id"], "--out", tmp_path / "again.png")
    assert _same(row["path"], out.strip())
    assert recipe_of(out.strip()).made_with["memory"] == {"vae_tiling": True}
    assert recipe_of(out.strip()).made_with["dtype"] == "bfloat16"
    out, _ = run("history", "rerun", row["id"], "--out", tmp_path / "other.png", "--no-vae-tiling")
    assert recipe_of(out.strip()).made_with["memory"] == {}


def test_a_rerun_with_changed_weights_says_so(run, studio):
    out, _ = run("generate", "a frog", "--model", "tiny", "--json")
    [row] = _records(out)
    weights = studio.models / "tiny" / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    run("generate", "a frog", "--model", "tiny")  # makes the new hash known
    _, err = run("history", "rerun", row["id"])
    assert "has changed since" in err


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--width", 500], 2, "Width = 500: allowed is 64 to 4096 in multiples of 8. Nearest: 496 or 504."),
        (["--steps", 0], 2, "Steps = 0: allowed is 1 to 150. Use 1."),
        (["--guidance-scale", "nan"], 2, "Guidance scale = nan"),
        (["--seed", 2**64], 2, "Seed = 18446744073709551616"),
        (["--count", 0], 2, "Count = 0"),
        (["--batch-size", 99], 2, "Batch size = 99"),
        (["--scheduler", "eular"], 2, "Did you mean euler"),
        (["--model", "tiyn"], 1, "Did you mean tiny?"),
        (["--model", "/no/such/model"], 1, "/no/such/model: there is no such file or folder."),
        (["--out", "/proc/nothing/x.png"], 1, "cannot be written"),
        (["--out", "x.jpg"], 2, "Use x.png."),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_bad_input_is_one_line_and_draws_nothing(run, monkeypatch, tmp_path, flags, code, said):
    monkeypatch.chdir(tmp_path)
    out, err = run("generate", "a heart", "--model", "tiny", "--out", "x.png", *flags, code=code)
    assert out == ""
    assert err.startswith("sdstudio: ")
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.glob("*.png"))


def test_an_unwritable_folder_is_found_before_the_model_is_loaded(run, monkeypatch):
    def never(*_):
        raise AssertionError("the engine was started")

    monkeypatch.setattr(drawing.Drawing, "run", never)
    out, err = run("generate", "x", "--model", "tiny", "--out", "/proc/nothing/x.png", code=1)
    assert (out, err.count("\n")) == ("", 1)


def test_the_settings_count_and_flags_go_before_them(run, studio, tmp_path):
    Settings(vae_slicing=True, vae_tiling=True).save(studio.settings)
    out, _ = run("generate", "x", "--model", "tiny", "--no-vae-tiling", "--out", tmp_path / "x.png")
    assert recipe_of(out.strip()).made_with["memory"] == {"vae_slicing": True}


def test_a_damaged_settings_file_is_told_and_does_not_stop_anything(run, studio):
    studio.settings.write_text('{"device": "abacus"}')
    _, err = run("models", "list")
    assert "device = 'abacus' is not allowed" in err


def test_interrupting_keeps_what_is_made_and_ends_with_130(run, monkeypatch, tmp_path):
    show = drawing.ProgressBars.show

    def interrupted(self, event):
        show(self, event)
        if type(event).__name__ == "StepDone" and event.image == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(drawing.ProgressBars, "show", interrupted)
    out, err = run("generate", "x", "--model", "tiny", "--count", 3, "--out", tmp_path / "o" / "x.png", code=130)
    assert out == f"{tmp_path / 'o' / 'x.png'}\n"
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["x.png"]
    assert "interrupted; 1 of 3 pictures are saved" in err
    assert "Traceback" not in err


def test_a_bug_is_one_line_and_its_traceback_is_kept(run, studio, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(drawing.Drawing, "run", broken)
    _, err = run("generate", "x", "--model", "tiny", code=1)
    assert err.count("\n") == 1
    assert "A bug of the studio: ZeroDivisionError: by zero" in err
    [report] = studio.logs.glob("crash-*.txt")
    assert "in broken" in report.read_text()


def test_models_are_listed_with_their_problems(run, studio):
    (studio.models / "words.safetensors").write_text("these are only words")
    out, _ = run("models", "list", "--json")
    rows = {row["key"]: row for row in _records(out)}
    assert (rows["tiny"]["family"], rows["tiny"]["problem"]) == ("sd1", "")
    assert "begins with the text" in rows["words"]["problem"]
    out, _ = run("models", "list")
    assert "tiny" in out
    assert "begins with the text" in out


def test_every_scheduler_is_listed(run):
    out, _ = run("schedulers", "--json")
    rows = _records(out)
    assert [row["key"] for row in rows if row["kind"] == "sampler"] == [spec.key for spec in SCHEDULERS]
    assert [row["key"] for row in rows if row["kind"] == "schedule"] == [spec.key for spec in SCHEDULES]
    assert next(row for row in rows if row["key"] == "dpmpp_2m")["automatic"] == "karras"
    out, _ = run("schedulers")
    assert all(spec.title in out for spec in (*SCHEDULERS, *SCHEDULES))


def test_doctor_tells_everything_and_what_to_do_about_it(run, studio, monkeypatch):
    from sdstudio.cli import doctor
    from sdstudio.core.desktop import SYSTEM_LIBRARIES

    monkeypatch.setattr(doctor, "missing_libraries", lambda: SYSTEM_LIBRARIES[:2])
    out, _ = run("doctor", code=1)
    assert "torch" in out
    assert str(studio.home) in out
    assert "GiB free" in out
    assert "sudo apt install libegl1 libgl1" in out
    out, _ = run("doctor", "--json", code=1)
    [report] = _records(out)
    assert report["ok"] is False
    assert {"subject", "state", "finding", "cure"} == set(report["checks"][0])


def test_doctor_names_a_data_folder_that_cannot_be_written(run, monkeypatch):
    monkeypatch.setenv("SDSTUDIO_HOME", "/proc/nothing")
    out, _ = run("doctor", code=1)
    assert "set SDSTUDIO_HOME to another folder" in out
    _, err = run("history", "list", code=1)
    assert err.count("\n") == 1
    assert "SDSTUDIO_HOME" in err


def test_a_template_gives_each_picture_its_own_words_and_each_can_be_drawn_alone(run, studio, tmp_path):
    out, _ = run("generate", "a {red|blue|green} __animal__", "--model", "tiny", "--count", 4, "--seed", 3,
                 "--style", "Watercolour", "--json")  # fmt: skip
    rows = _records(out)
    assert sorted(row["seed"] for row in rows) == [3, 4, 5, 6]
    assert len({row["prompt"] for row in rows}) > 1
    for row in rows:
        assert row["prompt"].startswith("watercolour painting of a ")
        assert "{" not in row["prompt"]
        written = recipe_of(row["path"]).request.written
        assert (written.prompt, written.styles) == ("a {red|blue|green} __animal__", ("Watercolour",))
    again, _ = run("history", "rerun", rows[1]["id"], "--out", tmp_path / "again.png", "--json")
    assert _records(again)[0]["prompt"] == rows[1]["prompt"]
    assert _same(tmp_path / "again.png", rows[1]["path"])


def test_every_combination_is_drawn_and_counted_on(run, tmp_path):
    out, _ = run("generate", "{red|blue} heart", "--model", "tiny", "--wildcards", "all", "--count", 2, "--seed", 1,
                 "--out", tmp_path / "x.png", "--json")  # fmt: skip
    rows = _records(out)
    assert [(row["prompt"], row["seed"]) for row in rows] == [
        ("red heart", 1), ("red heart", 2), ("blue heart", 1), ("blue heart", 2),
    ]  # fmt: skip
    assert [row["path"] for row in rows] == [str(tmp_path / f"x{end}.png") for end in ("", "-1", "-2", "-3")]


def test_what_cannot_be_resolved_is_refused_before_anything_is_drawn(run, tmp_path):
    _, err = run("generate", "__colur__", "--model", "tiny", code=2)
    assert "__colour__" in err
    _, err = run("generate", "x", "--model", "tiny", "--style", "Watercolor", code=2)
    assert "Watercolour" in err
    assert len(err.splitlines()) == 1


def test_styles_and_wildcards_are_listed_and_styles_imported(run, studio, tmp_path):
    (tmp_path / "styles.csv").write_text('name,prompt,negative_prompt\nMine,"{prompt}, mine",not mine\n')
    out, _ = run("styles", "import", tmp_path / "styles.csv")
    assert out.strip() == "1 styles"
    out, _ = run("styles", "list", "--json")
    assert {"name": "Mine", "prompt": "{prompt}, mine", "negative_prompt": "not mine"} in _records(out)
    (studio.wildcards / "hue.txt").write_text("teal\nmauve\n")
    out, _ = run("wildcards", "list", "--json")
    assert {row["name"]: row["values"] for row in _records(out)}["hue"] == ["teal", "mauve"]
    _, err = run("styles", "import", tmp_path / "nothing.csv", code=1)
    assert "nothing.csv" in err


def test_verify_tells_what_is_identical_and_what_was_different(run, studio):
    run("generate", "a cat", "--model", "tiny", "--seed", 1)
    row = _records(run("generate", "a cat", "--model", "tiny", "--seed", 2, "--json")[0])[0]
    [same] = _records(run("history", "verify", 1, "--json", "--quiet")[0])
    assert (same["outcome"], same["largest_difference"], same["causes"]) == ("identical", 0, [])
    half = _records(run("history", "verify", 1, "--json", "--quiet", "--precision", "bfloat16", code=1)[0])[0]
    assert half["causes"] == [{"what": "Number format", "recorded": "float32", "now": "bfloat16"}]
    Image.new("RGB", (64, 64)).save(row["path"])
    weights = studio.models / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file({key: value * 1.5 for key, value in load_file(weights).items()}, weights)
    told = _records(run("history", "verify", "--all", "--json", "--quiet", code=1)[0])
    assert [item["id"] for item in told] == [2, 1]
    assert {item["outcome"] for item in told} == {"different"}
    assert told[1]["causes"][0]["what"] == "Model file"
    out, _ = run("history", "verify", 1, code=1)
    assert out.startswith("1  Different: ")
    assert "Model file: " in out


def test_verify_names_what_an_imported_picture_was_drawn_with_and_the_studio_did_not(run, studio, tmp_path):
    info = PngInfo()
    info.add_text(
        "parameters", "a cat\nSteps: 2, Sampler: Euler, CFG scale: 4, Seed: 7, Size: 64x64, Model: T-I-N-Y, "
        "ENSD: 31337, Face restoration: GFPGAN, Hypernet: ink"
    )  # fmt: skip
    Image.new("RGB", (64, 64)).save(tmp_path / "old.png", pnginfo=info)
    run("history", "import", tmp_path / "old.png")
    [told] = _records(run("history", "verify", 1, "--json", "--quiet", code=1)[0])
    assert told["outcome"] == "different"
    causes = [(cause["what"], cause["recorded"], cause["now"]) for cause in told["causes"]]
    assert sorted(causes[:3]) == [
        ("ENSD", "31337", "not used"), ("Face restoration", "GFPGAN", "not used"), ("Hypernet", "ink", "not used"),
    ]  # fmt: skip
    out, _ = run("history", "verify", 1, code=1)
    assert "ENSD: 31337 then, not used now" in out
    row = _records(run("history", "rerun", 1, "--json")[0])[0]
    assert row["seed"] == 7, "the model is found by its name, however it is written"


def test_verify_without_pictures_is_wrong_usage_and_a_lost_model_is_a_failure(run, studio):
    assert "--all" in run("history", "verify", code=2)[1]
    run("generate", "a cat", "--model", "tiny", "--seed", 1)
    shutil.rmtree(studio.models / "tiny")
    [told] = _records(run("history", "verify", 1, "--json", code=1)[0])
    assert told["outcome"] == "failed"
    assert "no such model" in told["error"]


def test_lora_and_vae_are_attached_recorded_and_refused_by_name(run, studio, tmp_path):
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import load_file, save_file

    from tests.tiny_adapters import change_of, write_kohya

    for folder in ("Lora", "VAE"):
        (studio.models / folder).mkdir()
    pipe = StableDiffusionPipeline.from_pretrained(studio.models / "tiny")
    write_kohya(change_of(pipe), studio.models / "Lora" / "ink.safetensors")
    weights = load_file(studio.models / "tiny" / "vae" / "diffusion_pytorch_model.safetensors")
    save_file({key: value * 1.1 for key, value in weights.items()}, studio.models / "VAE" / "soft.safetensors")

    def draw(name, *flags):
        path = tmp_path / f"{name}.png"
        run("generate", "a cat", "--model", "tiny", "--seed", 1, "--out", path, "--quiet", *flags)
        return path

    plain, tagged = draw("plain"), tmp_path / "tagged.png"
    listed = draw("listed", "--lora", "ink:0.5", "--vae", "soft")
    run("generate", "a cat <lora:ink:0.5>", "--model", "tiny", "--seed", 1, "--out", tagged, "--vae", "soft", "--quiet")
    assert not _same(plain, listed)
    assert _same(tagged, listed)
    recipe = recipe_of(listed)
    assert (recipe.request.loras, recipe.request.vae) == ((("ink", 0.5),), "soft")
    lora, vae = recipe.made_with["adapters"]
    assert (lora["kind"], lora["unet_weight"], len(lora["hash"])) == ("lora", 0.5, 12)
    assert (vae["kind"], len(vae["hash"])) == ("vae", 10)
    text = Image.open(listed).info["parameters"]
    assert text.startswith("a cat <lora:ink:0.5>\n")
    assert f'Lora hashes: "ink: {lora["hash"]}"' in text
    assert f"VAE hash: {vae['hash']}, VAE: soft" in text
    assert _same(plain, draw("again", "--lora", "ink:0"))
    _, err = run("generate", "a cat", "--model", "tiny", "--lora", "imk", "--out", tmp_path / "no.png", code=2)
    assert "Did you mean ink?" in err
    assert not (tmp_path / "no.png").exists()
    with Image.open(tagged) as said:
        assert said.info["parameters"].startswith("a cat <lora:ink:0.5>\n")


def test_flags_that_do_not_act_beside_the_others_are_noted(run):
    words = ("generate", "a heart", "--model", "tiny", "--steps", 1, "--width", 64, "--height", 64)
    assert "without effect" not in run(*words, "--finish", 1)[1]
    _, err = run(*words, "--earlier-variations", "8:0.15", "--hires-steps", 3, "--seed", 5)
    assert (
        "note: --hires-steps, --earlier-variations: without effect beside the other parameters of this picture." in err
    )
