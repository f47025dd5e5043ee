"""A book of presets keeps what it is given, whole or not at all, and never writes over what it cannot read."""

from __future__ import annotations

import json

import pytest

from sdstudio.core.errors import InvalidRequest, SaveFailed, StudioError
from sdstudio.core.request.presets import NAME_MAXIMUM, Preset, PresetBook, read_presets, write_presets

FAST = Preset("Fast", {"steps": 8, "scheduler": "lcm", "from_a_later_version": [1]})
WIDE = Preset("wide", {"width": 768, "height": 432})


@pytest.fixture
def book(tmp_path):
    return PresetBook(tmp_path / "presets.json")


def test_there_are_none_until_one_is_kept_and_then_it_is_plain_json(book, tmp_path):
    assert book.presets == ()
    book.add(WIDE)
    book.add(FAST)
    assert book.presets == (FAST, WIDE)
    told = json.loads((tmp_path / "presets.json").read_text())
    assert told["presets"][0] == {"name": "Fast", "values": dict(FAST.values)}, "also what this version does not know"
    assert [path.name for path in tmp_path.iterdir()] == ["presets.json"], "nothing temporary is left"


def test_one_is_replaced_renamed_and_removed(book):
    book.keep([FAST, WIDE])
    book.add(Preset("Fast", {"steps": 4}))
    assert book.named("Fast").values == {"steps": 4}
    book.rename("Fast", "  Quick   one ")
    assert [preset.name for preset in book.presets] == ["Quick one", "wide"]
    with pytest.raises(InvalidRequest, match="another preset has it"):
        book.rename("Quick one", "wide")
    with pytest.raises(InvalidRequest, match="1 to 120 characters"):
        book.rename("wide", " ")
    book.remove("wide")
    with pytest.raises(StudioError, match="there is no preset of this name"):
        book.named("wide")


def test_new_values_are_only_those_it_holds():
    assert WIDE.with_values({"width": 512, "steps": 3}).values == {"width": 512, "height": 432}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"presets": {}}', '{"presets": [1]}', '{"presets": [{"name": "", "values": {}}]}',
     '{"presets": [{"name": "a"}]}', '{"presets": [{"name": 3, "values": {}}]}', "[" * 100_000,
     json.dumps({"presets": [{"name": "x" * (NAME_MAXIMUM + 1), "values": {}}]})],
)  # fmt: skip
def test_a_damaged_file_is_told_and_stays_as_it_is(book, tmp_path, text):
    path = tmp_path / "presets.json"
    path.write_text(text)
    with pytest.raises(StudioError, match=r"Presets = presets\.json"):
        _ = book.presets
    with pytest.raises(StudioError, match="left as it is"):
        book.keep([FAST])
    assert path.read_text() == text


def test_a_file_that_is_handed_on_is_read_back_and_one_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "mine.json"
    write_presets(path, [FAST])
    assert read_presets(path) == (FAST,)
    with pytest.raises(StudioError, match=r"gone\.json"):
        read_presets(tmp_path / "gone.json")
    with pytest.raises(SaveFailed):
        write_presets(tmp_path / "mine.json" / "inside.json", [FAST])
