"""``sdstudio upscale``: larger pictures of files and of the history, by a network or not, drawn over or not."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from sdstudio.cli import main
from sdstudio.engine import engine as engine_module
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import History
from tests.tiny_upscalers import dense_weights, repeating_weights, write
from tests.unit.history.conftest import everything_below, only_to_be_read


@pytest.fixture
def run(home, tiny_models, monkeypatch, capsys):
    """Return a function that runs a command on a data folder with one tiny model and two upscalers."""
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")
    write(repeating_weights(2), home.models / "upscale_models" / "twice.safetensors")
    write(dense_weights(4), home.models / "upscale_models" / "old.pth", "params_ema")

    def call(*argv: object, code: int = 0) -> tuple[str, str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    return call


@pytest.fixture
def no_model(monkeypatch):
    """Let no model be loaded."""

    def never(*_args):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(engine_module, "load_model", never)


@pytest.fixture
def no_model_after(monkeypatch):
    """Return a context in which no model is loaded."""

    @contextmanager
    def within():
        with monkeypatch.context() as patched:
            patched.setattr(engine_module, "load_model", None)
            yield

    return within


def records(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def photo(path, width=48, height=32):
    generator = np.random.default_rng(4)
    Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


def test_a_file_is_made_twice_as_large_by_lanczos_and_by_no_model(run, no_model, tmp_path):
    path = photo(tmp_path / "photo.png")
    out, _ = run("upscale", path, "--out", tmp_path / "large.png", "--json")
    [row] = records(out)
    assert (row["width"], row["height"], row["strength"], row["upscaler"]) == (96, 64, 0.0, "")
    wanted = Image.open(path).resize((96, 64), Image.Resampling.LANCZOS)
    assert (pixels(tmp_path / "large.png") == np.asarray(wanted)).all()


def test_an_upscaler_enlarges_it_and_is_recorded_with_its_hash(run, no_model, tmp_path):
    path = photo(tmp_path / "photo.png")
    out, err = run("upscale", path, "--factor", 4, "--upscaler", "twice", "--out", tmp_path / "large.png")
    assert out == f"{tmp_path / 'large.png'}\n"
    assert "tile 2/2" in err
    assert (pixels(tmp_path / "large.png") == pixels(path).repeat(4, 0).repeat(4, 1)).all()
    recipe = recipe_of(tmp_path / "large.png")
    assert recipe.request.upscaler == "twice"
    [adapter] = recipe.made_with["adapters"]
    assert (adapter["kind"], adapter["name"], len(adapter["hash"])) == ("upscaler", "twice", 10)
    assert recipe.duration_s > 0


def test_a_picture_of_the_history_becomes_the_parent_and_keeps_its_words(run, no_model_after, tmp_path):
    out, _ = run("generate", "a frog", "--model", "tiny", "--seed", 5, "--count", 2, "--json")
    first, second = records(out)
    with no_model_after():
        out, _ = run("upscale", first["id"], second["path"], "--upscaler", "twice", "--json")
    for small, large in zip((first, second), records(out), strict=True):
        assert (large["width"], large["height"], large["prompt"]) == (128, 128, "a frog")
        assert (large["seed"], large["scheduler"], large["model"]) == (small["seed"], small["scheduler"], "tiny")
        assert (pixels(large["path"]) == pixels(small["path"]).repeat(2, 0).repeat(2, 1)).all()
    out, _ = run("history", "verify", *(row["id"] for row in records(out)), "--json")
    assert [row["outcome"] for row in records(out)] == ["identical", "identical"]


def test_a_data_folder_that_can_only_be_read_is_no_hindrance_where_the_pictures_go_elsewhere(run, home, tmp_path):
    path = photo(tmp_path / "photo.png")
    out, _ = run("generate", "a frog", "--model", "tiny", "--seed", 5, "--json")
    [small] = records(out)
    assert not home.inputs.exists()
    before = everything_below(home.home)
    with only_to_be_read(home.home):
        run("upscale", small["id"], path, "--upscaler", "twice", "--out", tmp_path / "large.png")
        flags = ("--model", "tiny", "--steps", 2, "--width", 64, "--height", 64, "--seed", 5)
        run("generate", "a fox", *flags, "--init-image", small["id"], "--out", tmp_path / "fox.png")
        _, err = run("upscale", small["id"], code=1)
        assert "not writable" in err
    assert everything_below(home.home) == before
    for source, made in ((small["path"], "large.png"), (path, "large-1.png")):
        assert (pixels(tmp_path / made) == pixels(source).repeat(2, 0).repeat(2, 1)).all()
    run("generate", "a fox", *flags, "--init-image", small["id"], "--out", tmp_path / "again.png")
    assert (pixels(tmp_path / "again.png") == pixels(tmp_path / "fox.png")).all()
    assert home.inputs.is_dir()  # where it may be written, the picture is kept


def test_its_parent_is_the_picture_that_it_was_made_from(run, home):
    out, _ = run("generate", "a frog", "--model", "tiny", "--seed", 5, "--count", 2, "--json")
    small = records(out)
    out, _ = run("upscale", small[1]["id"], small[0]["id"], "--json")
    history = History(home, lambda path: None)
    try:
        assert [history.get(row["id"]).parent_id for row in records(out)] == [small[1]["id"], small[0]["id"]]
    finally:
        history.close()


def test_with_a_strength_its_own_model_draws_over_it_with_its_own_values(run, tmp_path):
    out, _ = run("generate", "a frog", "--model", "tiny", "--seed", 5, "--scheduler", "ddim", "--steps", 4, "--json")
    [small] = records(out)
    drawn = [small["id"], "--upscaler", "twice", "--strength", 0.5, "--json"]
    out, _ = run("upscale", *drawn)
    [large] = records(out)
    same = ("model", "prompt", "seed", "scheduler", "steps", "guidance_scale")
    assert {key: large[key] for key in same} == {key: small[key] for key in same}
    assert (pixels(large["path"]) != pixels(small["path"]).repeat(2, 0).repeat(2, 1)).any()
    out, _ = run("upscale", *drawn, "--prompt", "a cat", "--seed", 9, "--steps", 6, "--scheduler", "euler")
    [other] = records(out)
    assert [other[key] for key in ("prompt", "seed", "steps", "scheduler")] == ["a cat", 9, 6, "euler"]


def test_what_its_model_needs_is_not_asked_for_where_no_model_draws(run, home, no_model_after):
    out, _ = run("generate", "a frog", "--model", "tiny", "--seed", 5, "--json")
    [small] = records(out)
    shutil.rmtree(home.models / "tiny")
    with no_model_after():
        out, _ = run("upscale", small["id"], "--lora", "gone", "--vae", "gone", "--json")
    [large] = records(out)
    assert (large["width"], large["prompt"], large["model"]) == (128, "a frog", "starter")
    _, err = run("upscale", small["id"], "--strength", 0.5, code=1)
    assert "tiny" in err


def test_a_pickle_asks_the_setting(run, tmp_path, no_model):
    path = photo(tmp_path / "photo.png")
    _, err = run("upscale", path, "--upscaler", "old", "--out", tmp_path / "x.png", code=2)
    assert "Upscaler = old" in err
    assert "is a pickle" in err
    out, _ = run("upscale", path, "--upscaler", "old", "--open-pickles", "--out", tmp_path / "x.png", "--json")
    assert records(out)[0]["width"] == 96


def test_several_files_get_names_of_their_own(run, tmp_path, no_model):
    paths = [photo(tmp_path / f"{name}.png", width) for name, width in (("a", 48), ("b", 64))]
    out, _ = run("upscale", *paths, "--factor", 1.5, "--out", tmp_path / "large.png", "--json")
    assert [(row["path"], row["width"], row["height"]) for row in records(out)] == [
        (str(tmp_path / "large.png"), 72, 64), (str(tmp_path / "large-1.png"), 96, 64),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--factor", 0.5], 2, "Factor = 0.5: allowed is 1 to 16. Use 1."),
        (["--factor", "nan"], 2, "Factor = nan"),
        (["--strength", 2], 2, "Denoising strength = 2"),
        (["--upscaler", "twise"], 2, "Did you mean twice?"),
        (["--upscaler", "tiny"], 2, "tiny"),
        (["gone.png"], 1, "gone.png"),
        (["999"], 1, "999"),
        (["--init-image", "x"], 2, "--init-image"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_makes_nothing(run, monkeypatch, tmp_path, argv, code, said):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.png")
    out, err = run("upscale", *argv, "photo.png", "--out", "x.png", code=code)
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert not (tmp_path / "x.png").exists()


def test_a_picture_that_would_be_too_large_says_how_far_it_can_go(run, tmp_path):
    path = photo(tmp_path / "wide.png", 3000, 8)
    _, err = run("upscale", path, "--out", tmp_path / "x.png", code=2)
    assert "would have 6000 x 64; allowed is up to 4096 a side. Use at most 1.36." in err


@pytest.mark.slow
def test_a_picture_of_the_starter_is_drawn_over_at_twice_its_size(run, tmp_path):
    run("generate", "a red heart", "--seed", 7, "--finish", 1, "--out", tmp_path / "heart.png")
    out, _ = run("upscale", tmp_path / "heart.png", "--upscaler", "twice", "--strength", 0.4, "--prompt",
                 "a red heart", "--seed", 7, "--out", tmp_path / "large.png", "--json")  # fmt: skip
    [row] = records(out)
    assert (row["width"], row["height"], row["model"]) == (256, 256, "starter")
    small, large = (pixels(tmp_path / name).astype(int) for name in ("heart.png", "large.png"))
    assert np.abs(large[::2, ::2] - small).mean() < 40
    assert np.abs(large - small.repeat(2, 0).repeat(2, 1)).mean() > 1
