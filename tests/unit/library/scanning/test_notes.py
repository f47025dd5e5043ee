"""``sdstudio.json``: what it may say, and what is not believed."""

from __future__ import annotations

import json

import pytest

from sdstudio.library.scanning.notes import NOTES_FILE, read_notes

GOOD = {
    "name": "Starter", "family": "sd1", "width": 128, "height": 192, "steps": 25, "guidance_scale": 5.5,
    "scheduler": "DPM++ 2M Karras", "zero_snr": True,
    "latent_rgb": [[1, 0, 0.5]] * 4, "latent_rgb_bias": [0.1, 0, -0.1],
    "examples": ["red heart", " "], "concepts": ["heart"],
}  # fmt: skip


def _written(folder, content):
    (folder / NOTES_FILE).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_notes(folder)


def test_good_notes_are_taken_whole(tmp_path):
    notes = _written(tmp_path, GOOD)
    assert notes.warnings == []
    assert (notes.name, notes.family, notes.examples) == ("Starter", "sd1", ("red heart",))
    assert notes.defaults == {
        "width": 128, "height": 192, "steps": 25, "guidance_scale": 5.5, "scheduler": "dpmpp_2m",
        "zero_snr": True,
    }  # fmt: skip
    assert notes.preview is not None
    assert notes.preview.factors == ((1.0, 0.0, 0.5),) * 4
    assert notes.preview.bias == (0.1, 0.0, -0.1)


@pytest.mark.parametrize(
    ("said", "defaults"),
    [
        ({"scheduler": "DPM++ 2M Karras"}, {"scheduler": "dpmpp_2m"}),  # that is automatic
        ({"scheduler": "euler_karras"}, {"scheduler": "euler", "schedule": "karras"}),
        ({"scheduler": "Euler", "schedule": "Beta"}, {"scheduler": "euler", "schedule": "beta"}),
    ],
)
def test_a_schedule_may_stand_in_the_samplers_name_or_apart(tmp_path, said, defaults):
    assert _written(tmp_path, said).defaults == defaults


def test_a_model_without_notes_has_none(tmp_path):
    notes = read_notes(tmp_path)
    assert (notes.name, notes.defaults, notes.warnings) == ("", {}, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 3), ("name", ""), ("name", "a\nb"), ("name", "x" * 500),
        ("family", "sd9"), ("family", ["sd1"]),
        ("width", 500), ("width", "wide"), ("height", 5000), ("steps", 0), ("steps", True), ("guidance_scale", 99),
        ("scheduler", "nope"), ("scheduler", 3), ("schedule", "nope"), ("prediction", "x"), ("zero_snr", 7),
        ("latent_rgb", []), ("latent_rgb", [[1, 2]]), ("latent_rgb", "red"), ("latent_rgb", [[1, 2, "x"]]),
        ("latent_rgb", [[1e30, 0, 0]] * 4), ("latent_rgb_bias", [1]),
        ("examples", "red heart"), ("examples", [3]), ("examples", ["x" * 5000]),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_and_not_used(tmp_path, name, value):
    notes = _written(tmp_path, GOOD | {name: value})
    assert len(notes.warnings) == 1
    assert name in notes.warnings[0]
    assert "allowed is" in notes.warnings[0]
    assert name not in notes.defaults
    assert "\n" not in notes.warnings[0]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "[" * 100_000, " " * (2**20 + 1)])
def test_a_file_that_holds_no_notes_is_named(tmp_path, content):
    notes = _written(tmp_path, content)
    assert len(notes.warnings) == 1
    assert NOTES_FILE in notes.warnings[0]
    assert notes.defaults == {}
