"""``generate --init-image``: from a file, a number in the history or a kept id, with the size that follows from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from sdstudio.cli import main
from sdstudio.cli.context import opened_history
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.history.picture_text.foreign.reading import recipe_of


@pytest.fixture
def run(home, tiny_models, monkeypatch, capsys):
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    shutil.copytree(tiny_models["sd1"], home.models / "tiny")

    def call(*argv: object, code: int = 0) -> tuple[list[dict], str]:
        assert main([str(arg) for arg in argv]) == code
        captured = capsys.readouterr()
        return [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")], captured.err

    return call


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "in.png"
    Image.effect_noise((96, 48), 90).convert("RGB").save(path)
    return path


def generate(run, *argv, code=0):
    return run("generate", "a red heart", "--model", "tiny", "--seed", 5, "--json", "--quiet", *argv, code=code)


def _same(left, right) -> bool:
    return ImageChops.difference(Image.open(left).convert("RGB"), Image.open(right).convert("RGB")).getbbox() is None


def test_a_picture_begins_from_a_file_and_can_be_made_again_without_it(run, home, picture):
    ([row], _) = generate(run, "--init-image", picture, "--strength", 0.5)
    kept = InputPictures(home).find(row["init_image"])
    assert (kept.name, row["width"], row["height"], row["strength"]) == ("in.png", 88, 64, 0.5)
    assert kept.path.read_bytes() == picture.read_bytes()
    picture.unlink()
    ([again], _) = run("history", "rerun", row["id"], "--json", "--quiet")
    assert _same(row["path"], again["path"])
    ([verdict], _) = run("history", "verify", row["id"], "--json", "--quiet")
    assert verdict["outcome"] == "identical"
    kept.path.unlink()
    ([verdict], _) = run("history", "verify", row["id"], "--json", "--quiet", code=1)
    assert verdict["error"].startswith("Input picture = in.png: it is gone from ")


def test_a_picture_of_the_history_becomes_the_parent_by_its_number_or_its_file(run, home):
    ([first], _) = generate(run)
    ([by_number], _) = generate(run, "--init-image", first["id"], "--strength", 0.5)
    ([by_file], _) = generate(run, "--init-image", first["path"], "--strength", 0.5)
    ([by_id], _) = generate(run, "--init-image", by_file["init_image"], "--strength", 0.5)
    assert by_number["init_image"] == by_file["init_image"] == by_id["init_image"]
    assert _same(by_number["path"], by_file["path"])
    with opened_history(home) as history:
        assert [history.get(row["id"]).parent_id for row in (by_number, by_file, by_id)] == [first["id"]] * 3


def test_at_strength_0_the_pictures_own_pixels_and_size_come_back(run, picture, tmp_path):
    ([row], _) = generate(run, "--init-image", picture, "--strength", 0, "--out", tmp_path / "out.png")
    assert (row["width"], row["height"]) == (96, 64)
    Image.effect_noise((128, 72), 90).convert("RGB").save(picture)
    ([row], _) = generate(run, "--init-image", picture, "--strength", 0, "--out", tmp_path / "out.png")
    assert _same(picture, row["path"])
    assert recipe_of(tmp_path / "out.png").request.init_image == row["init_image"]


def test_a_given_size_counts_and_one_side_follows_from_the_other(run, picture, tmp_path):
    flags = ("--init-image", picture, "--strength", 0, "--out", tmp_path / "out.png")
    ([row], _) = generate(run, *flags, "--width", 256)
    assert (row["width"], row["height"]) == (256, 128)
    ([row], _) = generate(run, *flags, "--width", 72, "--height", 72, "--init-fit", "pad")
    assert Image.open(row["path"]).size == (72, 72)
    assert Image.open(row["path"]).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--strength", 0.5], "Denoising strength = 0.5: it acts on an input picture, and there is none."),
        (["--init-fit", "pad"], "If the shape differs = pad: it acts on an input picture, and there is none."),
        (["--init-image", "nowhere.png"], "nowhere.png: it cannot be read (No such file or directory)."),
        (["--init-image", "77"], "77"),
        (["--init-image", "pyproject.toml"], "pyproject.toml: it is no PNG, JPEG or WebP picture."),
    ],
)
def test_what_cannot_be_begun_from_is_refused_in_one_line(run, flags, said):
    _, err = generate(run, *flags, code=1 if said.startswith(("no", "77", "py")) else 2)
    assert said in err
    assert len(err.strip().splitlines()) == 1


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    image = Image.new("L", (96, 48))
    image.paste(255, (40, 16, 64, 32))
    image.save(path)
    return path


def test_a_masked_part_is_drawn_anew_and_can_be_made_again_and_verified_without_the_files(run, home, picture, mask):
    flags = ("--masked-content", "fill", "--mask-blur", 2, "--only-masked", 8, "--width", 64, "--height", 64)
    ([row], _) = generate(run, "--init-image", picture, "--mask", mask, "--strength", 0.9, *flags)
    assert (row["masked_content"], row["mask_blur"], row["only_masked"]) == ("fill", 2, 8)
    assert InputPictures(home).find(row["mask"]).name == "mask.png"
    before, after = Image.open(picture), Image.open(row["path"])
    assert after.size == (96, 48)
    left, top, right, bottom = ImageChops.difference(before, after.convert("RGB")).getbbox()
    assert 33 <= left <= 40
    assert 9 <= top <= 16
    assert 64 <= right <= 71
    assert 32 <= bottom <= 39
    picture.unlink()
    mask.unlink()
    ([again], _) = run("history", "rerun", row["id"], "--json", "--quiet")
    assert _same(row["path"], again["path"])
    ([verdict], _) = run("history", "verify", row["id"], "--json", "--quiet")
    assert verdict["outcome"] == "identical"
    assert recipe_of(Path(row["path"])).request.mask == row["mask"]


def test_under_a_mask_a_picture_keeps_its_own_size_and_its_pixels(run, picture, mask, tmp_path):
    Image.effect_noise((96, 72), 90).convert("RGB").save(picture)
    Image.open(mask).crop((0, 0, 96, 72)).save(mask)
    ([row], _) = generate(run, "--init-image", picture, "--mask", mask, "--mask-blur", 0, "--out", tmp_path / "o.png")
    assert (row["width"], row["height"]) == (96, 72)
    changed = ImageChops.difference(Image.open(picture), Image.open(row["path"]).convert("RGB"))
    assert changed.getbbox() == (40, 16, 64, 32)


@pytest.mark.parametrize(
    ("size", "colour", "flags", "said"),
    [
        ((96, 48), 255, [], "Mask = mask.png: it acts on an input picture, and there is none."),
        ((48, 48), 255, ["--init-image", "in.png"], "Mask = 48 x 48 pixels: allowed is the size of the input picture"),
        ((96, 48), 0, ["--init-image", "in.png"], "Mask = all black: nothing would be drawn anew."),
        ((96, 48), 255, ["--init-image", "in.png", "--soft-bias", 2], "Schedule bias = 2: it acts on soft inpainting"),
        ((96, 48), 255, ["--init-image", "in.png", "--only-masked", 999], "Only masked = 999: allowed is 0 to 256."),
    ],
)
def test_a_mask_of_no_use_is_refused_in_one_line(run, tmp_path, picture, monkeypatch, size, colour, flags, said):
    monkeypatch.chdir(tmp_path)
    Image.new("L", size, colour).save("mask.png")
    _, err = generate(run, "--mask", "mask.png", *flags, code=2)
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_mask_acts_on_what_it_is_given_with(run, picture):
    _, err = generate(run, "--init-image", picture, "--mask-blur", 8, code=2)
    assert "Mask blur = 8: it acts on a mask, and there is none. Give one with --mask, or leave it out." in err


def test_ground_is_added_in_several_passes_and_can_be_made_again_and_verified_without_the_file(run, picture):
    clear = Image.open(picture).convert("RGBA")
    clear.paste((9, 8, 7, 0), (60, 20, 80, 40))
    clear.save(picture)
    ground = ("--outpaint", "top=40, left=24px", "--outpaint-fill", "blur", "--outpaint-overlap", 8)
    more = ("--transparency", "keep", "--width", 64, "--height", 64, "--strength", 1, "--steps", 2)
    ([row], _) = generate(run, "--init-image", picture, *ground, *more)
    assert (row["outpaint"], row["outpaint_fill"], row["width"], row["height"]) == ("left=24,top=40", "blur", 64, 64)
    made = Image.open(row["path"])
    assert (made.mode, made.size) == ("RGBA", (120, 88))
    assert made.crop((32, 48, 120, 88)).tobytes() == clear.crop((8, 8, 96, 48)).tobytes()
    assert made.crop((0, 0, 24, 88)).getchannel("A").getextrema() == (255, 255)
    assert recipe_of(Path(row["path"])).request.outpaint == "left=24,top=40"
    picture.unlink()
    ([again], _) = run("history", "rerun", row["id"], "--json", "--quiet")
    assert Image.open(again["path"]).tobytes() == made.tobytes()
    ([verdict], _) = run("history", "verify", row["id"], "--json", "--quiet")
    assert verdict["outcome"] == "identical"


def test_without_a_size_the_whole_is_drawn_at_once_where_the_model_can(run, tmp_path):
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "small.png")
    begin = ("--init-image", tmp_path / "small.png", "--strength", 1, "--steps", 1, "--out", tmp_path / "made")
    ([row], _) = generate(run, *begin, "--outpaint", "right=8")
    assert (row["width"], row["height"]) == (64, 64)
    ([row], _) = generate(run, *begin, "--outpaint", "right=64", "--outpaint-passes", "one")
    assert (row["width"], row["height"]) == (88, 64)
    assert Image.open(row["path"]).size == (128, 64)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--outpaint", "left=-8"), "Outpaint = 'left=-8': allowed are 0 to 4095 pixels."),
        (("--outpaint", "middle=8"), "allowed is a side and its pixels: left, top, right, bottom."),
        (("--outpaint", "left=0"), "that adds nothing"),
        (("--outpaint", "left=4090"), "4186 x 48 is too large: at most 4096 on a side."),
        (("--outpaint-fill", "blur"), "New ground = blur: it acts on ground that is added, and none is."),
        (("--transparency", "ground"), "nothing of the input picture is transparent"),
    ],
)  # fmt: skip
def test_ground_that_cannot_be_added_is_refused_in_one_line(run, picture, flags, said):
    (_, err) = generate(run, "--init-image", picture, *flags, code=2)
    assert said in err
    assert len(err.strip().splitlines()) == 1
    (_, err) = generate(run, *flags, code=2)
    assert "it acts on an input picture" in err or said in err
