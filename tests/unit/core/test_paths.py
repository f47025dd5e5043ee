from pathlib import Path

from sdstudio.core.paths import StudioPaths, resources, studio_paths


def test_home_comes_from_the_argument_then_the_variable_then_the_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("SDSTUDIO_HOME", str(tmp_path / "variable"))
    assert studio_paths(tmp_path / "argument").home == tmp_path / "argument"
    assert studio_paths().home == tmp_path / "variable"
    monkeypatch.delenv("SDSTUDIO_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "platform"))
    assert "sdstudio" in studio_paths().home.name


def test_a_relative_home_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert studio_paths(Path("data")).home == tmp_path / "data"


def test_nothing_is_created_before_create(tmp_path):
    paths = StudioPaths(tmp_path / "home")
    _ = paths.images, paths.database, paths.settings, paths.lock, paths.window_state, paths.cache
    assert not paths.home.exists()
    paths.create()
    folders = (paths.home, paths.images, paths.thumbnails, paths.models, paths.logs, paths.cache)
    assert all(folder.is_dir() for folder in folders)
    paths.create()


def test_resources_are_found_in_the_checkout():
    assert resources().is_dir()
    assert (resources() / "icons").is_dir()
