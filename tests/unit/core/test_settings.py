from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from sdstudio.core.errors import SaveFailed
from sdstudio.core.settings import Settings


def test_no_file_means_defaults_without_a_word(tmp_path):
    assert Settings.load(tmp_path / "settings.json") == (Settings(), [])


def test_settings_come_back_as_they_were_saved(tmp_path):
    chosen = Settings(theme="dark", previews=False, model_folders=(tmp_path / "ä 🦊",), offload="model")
    chosen.save(tmp_path / "settings.json")
    assert Settings.load(tmp_path / "settings.json") == (chosen, [])
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("theme", "pink"), ("previews", "perhaps"), ("model_folders", 5), ("device", None), ("offload", ["none"])],
)
def test_a_value_that_is_not_allowed_falls_back_alone_and_is_named(tmp_path, name, value):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"vae_tiling": True, name: value}))
    loaded, said = Settings.load(path)
    assert loaded == Settings(vae_tiling=True)
    assert len(said) == 1
    assert said[0].startswith(f"Setting {name} = ")


def test_settings_of_another_version_are_read_as_far_as_they_are_known(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "light", "telepathy": True}))
    assert Settings.load(path) == (Settings(theme="light"), [])


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_that_holds_no_settings_means_defaults_and_says_so(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    loaded, said = Settings.load(path)
    assert loaded == Settings()
    assert len(said) == 1
    assert "\n" not in said[0]


def test_a_folder_in_the_files_place_means_defaults_and_says_so(tmp_path):
    loaded, said = Settings.load(tmp_path)
    assert loaded == Settings()
    assert len(said) == 1


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), st.none() | st.integers() | st.text(max_size=5)))
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_stored_values_can_be_loaded(tmp_path, values):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(values))
    loaded, said = Settings.load(path)
    assert isinstance(loaded, Settings)
    assert len(said) <= len(values)


def test_what_cannot_be_written_is_said_and_leaves_the_old_settings(tmp_path, monkeypatch):
    path = tmp_path / "settings.json"
    Settings(theme="dark").save(path)

    def refuse(*_args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", refuse)
        with pytest.raises(SaveFailed, match="No space left"):
            Settings(theme="light").save(path)
    assert Settings.load(path)[0].theme == "dark"
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(SaveFailed):
        Settings().save(tmp_path / "nowhere" / "settings.json")


def test_a_folder_that_refuses_the_tidying_up_too_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed, match="Not a directory"):
        Settings().save(tmp_path / "file" / "settings.json")


def test_a_folder_whose_name_is_not_utf_8_is_refused_in_one_line(tmp_path):
    settings = Settings(model_folders=(Path(os.fsdecode(b"/models/caf\xe9")),))
    with pytest.raises(SaveFailed, match=r"^Model folder = /models/caf.: its name is not UTF-8"):
        settings.save(tmp_path / "settings.json")
    assert list(tmp_path.iterdir()) == []


def test_what_a_picture_tells_of_its_switches_counts_only_where_it_is_allowed():
    today = Settings(precision="float32", offload="model")
    default = Settings()
    for told in ({"memory": None}, {"memory": "x"}, {"memory": {"offload": [1], "vae_tiling": {}}}, {}):
        used = today.as_recorded({**told, "device": "CPU", "dtype": 5}, "CPU")
        assert (used.offload, used.precision) == (default.offload, "float32")
        Settings.model_validate(used.model_dump())
    assert today.as_recorded({"memory": {"offload": "sequential"}}, "CPU").offload == "sequential"


def test_half_of_a_surrogate_pair_can_be_saved_again(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"safety_filter": "\\ud800x"}')
    settings, _ = Settings.load(path)
    settings.save(path)
    assert Settings.load(path)[0] == settings
