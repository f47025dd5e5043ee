from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from sdstudio.core.errors import InvalidRequest, PictureUnreadable, SaveFailed
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.request.input_fields import INPUT_ROLES
from sdstudio.core.request.mask_fields import OF_SOFT_INPAINTING, SOFT_INPAINTING
from sdstudio.core.request.request import GenerationRequest, Written
from sdstudio.history.exchange.contact_sheet import SheetLayout, contact_sheets
from sdstudio.history.exchange.export import (
    ExportOptions,
    export_fields,
    export_folder,
    export_zip,
    save_as,
    stripped,
    write_picture,
)
from sdstudio.history.exchange.importing import import_pictures
from sdstudio.history.formats import FORMATS
from sdstudio.history.picture_text.a1111_text import parse_pairs
from sdstudio.history.picture_text.foreign.reading import read_picture, recipe_of
from sdstudio.history.picture_text.pnginfo import keys_of, own_recipe, write_png
from sdstudio.history.picture_text.texts import read_texts
from tests.unit.history.conftest import noise, picture, recipe
from tests.unit.history.foreign.pictures import comfy_nodes, png

FORMAT_KEYS = [row.key for row in FORMATS]


def pixels_of(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def same(left: Path, right: Path) -> bool:
    return ImageChops.difference(pixels_of(left), pixels_of(right)).getbbox() is None


@pytest.mark.parametrize("key", FORMAT_KEYS)
@pytest.mark.parametrize("prompt", ["a red heart", "a 猫 and a 🦊, naïve", "Negative prompt: in it\n two  lines "])
def test_every_format_carries_the_exact_recipe_and_the_text_for_others(history, tmp_path, key, prompt):
    entry = history.save(noise((64, 64)), recipe(prompt, negative_prompt="blurry", seed=2**64 - 1))
    report = export_folder([entry], tmp_path, ExportOptions(key))
    (written,) = report.written
    assert str(report) == "1 picture exported."
    with Image.open(written) as image:
        assert image.format == ("JPEG" if key == "jpeg" else key.upper())
        assert image.size == (64, 64)
    assert recipe_of(written) == entry.recipe
    texts = read_texts(written)
    theirs = texts.get("parameters") or texts["UserComment"]
    assert theirs.endswith(f"Version: sdstudio {theirs.rpartition(' ')[2]}")
    assert "Seed: 18446744073709551615" in theirs


def test_a_png_goes_out_bit_for_bit_and_a_conversion_keeps_what_it_can(history, tmp_path):
    entry = history.save(noise((64, 64)), recipe())
    as_png, as_webp = tmp_path / "a.png", tmp_path / "a.webp"
    save_as(entry.path, entry.recipe, as_png, ExportOptions())
    assert as_png.read_bytes() == entry.path.read_bytes()
    save_as(entry.path, entry.recipe, as_webp, ExportOptions("webp", quality=100))
    assert same(as_webp, entry.path)
    save_as(entry.path, entry.recipe, tmp_path / "low.jpg", ExportOptions("jpeg", quality=10))
    save_as(entry.path, entry.recipe, tmp_path / "high.jpg", ExportOptions("jpeg", quality=95))
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "high.jpg").stat().st_size / 2


@pytest.mark.parametrize("key", FORMAT_KEYS)
def test_without_metadata_nothing_but_pixels_is_left(history, tmp_path, key):
    (tmp_path / "in.png").write_bytes(png({"prompt": json.dumps(comfy_nodes()), "workflow": '{"secret": 1}'}))
    (taken,) = import_pictures(history, [tmp_path / "in.png"]).taken
    entry = history.save(picture(), recipe("my secret"))
    report = export_folder([taken.entry, entry], tmp_path / "out", ExportOptions(key, metadata=False))
    assert len(report.written) == 2
    for written in report.written:
        assert read_texts(written) == {}
        with Image.open(written) as image:
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "loop", "background",
                                       "timestamp", "duration"}  # fmt: skip
        for secret in (b"secret", b"glass bottle", b"KSampler", b"sdstudio"):
            assert secret not in written.read_bytes()
        assert "secret" not in written.name


def test_what_another_program_wrote_stays_when_everything_is_kept(history, tmp_path):
    (tmp_path / "in.png").write_bytes(png({"prompt": json.dumps(comfy_nodes()), "workflow": '{"nodes": []}'}))
    (taken,) = import_pictures(history, [tmp_path / "in.png"]).taken
    export_folder([taken.entry], tmp_path / "out", ExportOptions())
    (written,) = (tmp_path / "out").iterdir()
    assert read_texts(written)["workflow"] == '{"nodes": []}'


def telling_values() -> dict[str, Any]:
    """A value for each field of the request that no other field has, and that a search for its text finds."""
    values: dict[str, Any] = {}
    for number, row in enumerate(parameters(GenerationRequest)):
        match row.kind:
            case FieldKind.TEXT | FieldKind.MODEL:
                values[row.name] = f"telling-{number}-{row.name}"
            case FieldKind.SEED:
                values[row.name] = 987_654_321
    values |= {"seed_resize_from": "432x876", "variation_seed": 123_456_789, "earlier_variations": "876:0.5"}
    values |= {"detail_boxes": "41,42,43,44", "outpaint_colour": "#12ab34"}
    values |= {"hires_resize": "1192x1304", "tile_redraw": "1384x1416"}
    return {**values, "width": 1032, "height": 1176, "steps": 137, "guidance_scale": 17.3125, "clip_skip": 11,
            "scheduler": "dpm2_a_karras"}  # fmt: skip


TRACES = {
    "prompt": [b"telling-1-prompt"], "negative_prompt": [b"telling-2-negative_prompt"], "seed": [b"987654321"],
    "width": [b"1032"], "height": [b"1176"], "steps": [b"137"], "guidance_scale": [b"17.3125"],
    "clip_skip": [b"skip: 11"],
    "scheduler": [b"dpm2_a_karras", b"DPM2 a"], "model": [b"telling-0-model", b"Model", b"6ce0161689", b"Tell model"],
    "app": [b"sdstudio 0.1.0"], "created": [b"2031-02-03", b"12.3456"], "made_with": [b"Wonder GPU"],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TRACES))
@pytest.mark.parametrize("key", FORMAT_KEYS)
def test_what_is_stripped_leaves_no_trace(history, tmp_path, key, name):
    values = telling_values()
    made = recipe(**{**values, "prompt": values["prompt"]}, model_name="Tell model").model_copy(
        update={"created": "2031-02-03T04:05:06+00:00", "duration_s": 12.3456, "made_with": {"device": "Wonder GPU",
                "repeats": values}}
    )  # fmt: skip
    entry = history.save(noise((64, 64)), made)
    export_folder([entry], tmp_path / "whole", ExportOptions(key))
    export_folder([entry], tmp_path / "less", ExportOptions(key, without=frozenset({name})))
    (whole,), (less,) = (list((tmp_path / folder).iterdir()) for folder in ("whole", "less"))
    said = [json.dumps(read_texts(path), ensure_ascii=False).encode() + path.name.encode() for path in (whole, less)]
    for trace in TRACES[name]:
        assert trace in said[0]
        assert trace not in said[1]
    if name != "prompt":
        assert b"telling-1-prompt" in said[1], "the rest is kept"
    assert recipe_of(less) is not None


def told(row: Parameter) -> Any:
    """Return a value of a field that is not its default."""
    match row.kind:
        case FieldKind.CHOICE:
            return next(choice.value for choice in reversed(row.choices) if choice.value != row.default)
        case FieldKind.TOGGLE:
            return not row.default
        case FieldKind.INTEGER | FieldKind.OPTIONAL | FieldKind.SEED:
            return int(row.maximum or 8) // 8 * 8
        case FieldKind.NUMBER:
            return row.maximum if row.maximum != row.default else row.minimum
        case FieldKind.PICTURE:
            return "5a" * 32
        case FieldKind.LORAS:
            return (("telling-lora", 0.5),)
        case FieldKind.SIDES:
            return "left=432"
        case _:
            own = {
                "seed_resize_from": "432x876", "earlier_variations": "876:0.5", "detail_boxes": "41,42,43,44",
                "outpaint_colour": "#12ab34", "hires_resize": "1192x1304", "tile_redraw": "1384x1416",
            }  # fmt: skip
            return own.get(row.name, f"telling-{row.name}")


@pytest.mark.parametrize("row", parameters(GenerationRequest), ids=lambda row: row.name)
def test_every_declared_field_leaves_when_it_is_stripped(row):
    pictures = dict.fromkeys(INPUT_ROLES, "6b" * 32)
    blending = {"mask_blending": SOFT_INPAINTING} if row.name in OF_SOFT_INPAINTING else {}
    request = GenerationRequest(**{"seed": 5, "scheduler": "euler", **pictures, **blending, row.name: told(row)})
    assert getattr(request, row.name) != row.default
    made = recipe().model_copy(update={"request": request, "made_with": {"adapters": [
        {"kind": "lora", "name": "telling-lora", "hash": "0123456789ab"},
        {"kind": "vae", "name": "x", "hash": "telling"},
    ]}})  # fmt: skip
    for key in FORMAT_KEYS:
        file = io.BytesIO()
        write_picture(file, picture(), ExportOptions(key, without=frozenset({row.name})), made)
        texts = read_texts(file)
        kept = own_recipe(texts)
        exact = texts.get("sdstudio") or texts["MakerNote"]
        assert f'"{row.name}":' not in exact
        assert kept is not None
        # A recipe without these is an old one: its sampler's name said the schedule, and its rules were the first.
        as_old = {"schedule": "uniform", "compatibility": "0.1"}
        assert getattr(kept.request, row.name) == as_old.get(row.name, row.default)
        theirs = parse_pairs(texts.get("parameters") or texts["UserComment"])[2]
        assert not set(keys_of(row.name)) & theirs.keys()
        assert "telling" not in json.dumps(texts)


def test_the_prompt_as_it_was_written_goes_with_the_prompt():
    request = GenerationRequest(prompt="a red fox", written=Written("a {red|blue} secret", "", ("my style",)))
    made = recipe().model_copy(update={"request": request})
    for name, stays in (("prompt", False), ("seed", False), ("created", True)):
        file = io.BytesIO()
        write_picture(file, picture(), ExportOptions(without=frozenset({name})), made)
        assert ("secret" in json.dumps(read_texts(file))) == stays


def test_every_declared_field_can_be_stripped_and_takes_its_kin_along():
    keys = [row.key for row in export_fields()]
    assert {row.name for row in parameters(GenerationRequest)} <= set(keys)
    assert all(row.title for row in export_fields())
    for key in keys:
        ExportOptions.checked(without=frozenset({key}))
        kept, names = stripped(recipe("x", steps=33), [key])
        assert key in names
        assert kept.made_with == ({"stripped": sorted(names)} if key in GenerationRequest.model_fields else {})


@pytest.mark.parametrize(
    "values", [{"format": "gif"}, {"quality": 0}, {"quality": 101}, {"without": frozenset({"colour"})}]
)
def test_what_is_not_allowed_is_said(values):
    with pytest.raises(InvalidRequest, match="allowed is"):
        ExportOptions.checked(**values)


def test_a_zip_holds_all_pictures_and_a_damaged_one_stops_no_other(history, tmp_path):
    entries = [history.save(noise((64, 64)), recipe(f"number {n}", seed=n)) for n in range(4)]
    entries[1].path.write_bytes(b"")
    entries[2].path.unlink()
    told: list[tuple[int, int, str]] = []
    report = export_zip(entries, tmp_path / "a.zip", ExportOptions(), lambda *progress: told.append(progress))
    assert str(report) == "2 of 4 pictures exported, 2 failed."
    assert [failure.reason for failure in report.failed] == [
        "the file is empty (0 bytes)", "it cannot be read (No such file or directory)",
    ]  # fmt: skip
    assert told[-1] == (4, 4, "")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [entries[0].path.name, entries[3].path.name]
        assert archive.read(entries[3].path.name) == entries[3].path.read_bytes()
    export_zip(entries[:1], tmp_path / "b.zip", ExportOptions("webp", metadata=False))
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        (info,) = archive.infolist()
        assert (info.filename, info.date_time[0]) == (f"picture-{entries[0].id:06d}.webp", 1980)


def test_a_damaged_picture_stops_no_other_on_its_way_to_a_folder(history, tmp_path):
    entries = [history.save(noise((64, 64)), recipe(f"number {n}", seed=n)) for n in range(3)]
    entries[0].path.write_bytes(b"")
    entries[1].path.unlink()
    for key in ("png", "jpeg"):
        report = export_folder(entries, tmp_path / key, ExportOptions(key))
        assert str(report) == "1 of 3 pictures exported, 2 failed."
        assert len(list((tmp_path / key).iterdir())) == 1


def test_pictures_of_one_name_in_different_folders_are_all_in_the_zip(history, home, tmp_path):
    for folder in ("cats", "dogs"):
        write_png(home.images / folder / "a.png", picture(), recipe(folder))
    history.care.check(repair=True)
    report = export_zip(history.entries(), tmp_path / "a.zip", ExportOptions())
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert (report.made, sorted(archive.namelist())) == (2, ["a-2.png", "a.png"])


def test_a_stopped_zip_is_not_there_and_a_stopped_folder_keeps_what_is(history, tmp_path):
    entries = [history.save(picture(), recipe(f"number {n}")) for n in range(3)]
    asked = iter([False, True])
    report = export_zip(entries, tmp_path / "a.zip", ExportOptions(), cancelled=lambda: next(asked))
    assert str(report) == "0 of 3 pictures exported, stopped."
    assert list(tmp_path.glob("a.zip*")) == []
    asked = iter([False, True])
    report = export_folder(entries, tmp_path / "out", ExportOptions(), cancelled=lambda: next(asked))
    assert len(report.written) == report.made == 1


def test_nothing_in_the_folder_is_replaced(history, tmp_path):
    entry = history.save(picture(), recipe())
    for _ in range(2):
        export_folder([entry], tmp_path / "out", ExportOptions())
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_folder_that_cannot_be_written_stops_the_export_with_its_reason(history, tmp_path):
    entries = [history.save(picture(), recipe()) for _ in range(2)]
    (tmp_path / "file").write_text("in the way")
    report = export_folder(entries, tmp_path / "file", ExportOptions())
    assert report.written == report.failed == []
    assert "stand in each other's way" in report.stopped
    assert str(report) == f"0 of 2 pictures exported. {report.stopped}"
    with pytest.raises(SaveFailed):
        export_zip(entries, tmp_path / "file" / "a.zip", ExportOptions())


def test_parameters_too_long_for_a_jpeg_are_said_and_leave_nothing(history, tmp_path):
    entry = history.save(picture(), recipe("x" * 19_000, negative_prompt="y" * 19_000))
    report = export_folder([entry], tmp_path / "out", ExportOptions("jpeg"))
    assert "too long for a JPEG" in report.stopped
    assert list((tmp_path / "out").iterdir()) == []
    assert export_folder([entry], tmp_path / "out", ExportOptions("webp")).made == 1
    assert export_folder([entry], tmp_path / "out", ExportOptions("jpeg", metadata=False)).made == 1


def test_saving_a_picture_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(PictureUnreadable):
        save_as(tmp_path / "gone.png", recipe(), tmp_path / "a.jpg", ExportOptions("jpeg"))
    assert list(tmp_path.iterdir()) == []


def test_a_transparent_picture_keeps_its_alpha_but_in_a_jpeg(history, tmp_path):
    data = io.BytesIO(png({"parameters": "a\nSteps: 20, Sampler: Euler, Seed: 1"}))
    with Image.open(data) as image:
        clear = image.convert("RGBA")
    clear.putalpha(100)
    clear.save(tmp_path / "clear.png", pnginfo=None)
    for key in FORMAT_KEYS:
        save_as(tmp_path / "clear.png", recipe(), tmp_path / f"out.{key}", ExportOptions(key))
        with Image.open(tmp_path / f"out.{key}") as image:
            assert image.mode == ("RGB" if key == "jpeg" else "RGBA")


def test_a_contact_sheet_shows_every_picture_in_its_place(history, tmp_path):
    colors = ["red", "lime", "blue", "yellow", "black"]
    entries = [history.save(picture(color), recipe(color)) for color in colors]
    entries[3].path.unlink()
    report = contact_sheets(entries, tmp_path / "sheet.png", ExportOptions(), columns=3)
    assert str(report) == "4 of 5 pictures exported, 1 failed."
    layout = SheetLayout.of(5, 3, 2)
    width, height = layout.cell
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * width + 16, 2 * height + 16)
        middles = [sheet.getpixel((16 + at % 3 * width + 128, 16 + at // 3 * height + 128)) for at in range(5)]
    assert middles == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
    assert read_picture(tmp_path / "sheet.png") is None, "it tells nothing but what is seen"


def test_a_contact_sheet_without_metadata_has_no_words(history, tmp_path):
    entries = [history.save(picture("white"), recipe("white"))]
    contact_sheets(entries, tmp_path / "bare.png", ExportOptions(metadata=False))
    assert pixels_of(tmp_path / "bare.png").getcolors() == [(272 * 0 + 288 * 288, (255, 255, 255))]
    contact_sheets(entries, tmp_path / "said.png", ExportOptions())
    words = pixels_of(tmp_path / "said.png").getcolors(1 << 16)
    assert words is not None
    assert len(words) > 10


def test_many_pictures_go_on_several_sheets_of_a_size_that_can_be_opened(history, tmp_path, monkeypatch):
    monkeypatch.setattr("sdstudio.history.exchange.contact_sheet.SHEET_PIXELS", 500_000)
    entries = [history.save(picture(), recipe(str(n))) for n in range(7)]
    report = contact_sheets(entries, tmp_path / "s.webp", ExportOptions(), columns=2)
    assert [path.name for path in report.written] == ["s.webp", "s-2.webp"]
    assert report.made == 7


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_long_sheet_is_no_longer_than_its_format_can_be(history, tmp_path, ending):
    entries = [history.save(picture(), recipe())] * 60
    report = contact_sheets(entries, tmp_path / f"s.{ending}", ExportOptions(), columns=1)
    assert (report.made, len(report.written), report.stopped) == (60, 2, "")


@pytest.mark.parametrize("count", [1, 400, 4_000, 100_000])
@pytest.mark.parametrize("columns", [0, 1, 2, 6, 60])
def test_no_side_of_a_sheet_is_longer_than_a_webp_can_be(count, columns):
    layout = SheetLayout.of(count, columns, 2)
    width, height = layout.cell
    assert max(width * layout.columns, height * layout.rows) + 16 <= 16_383


@pytest.mark.parametrize(("name", "columns"), [("a.gif", 3), ("a", 3), ("a.png", -1), ("a.png", 61)])
def test_a_sheet_that_cannot_be_is_refused(history, tmp_path, name, columns):
    entry = history.save(picture(), recipe())
    with pytest.raises(InvalidRequest, match="allowed is"):
        contact_sheets([entry], tmp_path / name, ExportOptions(), columns)


def test_sixteen_bit_grey_and_palettes_leave_as_they_look(tmp_path):
    grey = Image.new("I;16", (64, 64), 0x8040)
    palette = Image.new("RGBA", (64, 64), (0, 0, 255, 0)).convert("P")
    palette.info["transparency"] = 0
    for name, image, seen in (("grey", grey, (128, 128, 128)), ("palette", palette, None)):
        image.save(tmp_path / f"{name}.png")
        save_as(tmp_path / f"{name}.png", recipe(), tmp_path / f"{name}-out.png", ExportOptions(metadata=False))
        with Image.open(tmp_path / f"{name}-out.png") as out:
            assert out.mode == ("RGB" if seen else "RGBA")
            assert seen in (None, out.getpixel((3, 3)))
