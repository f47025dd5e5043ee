"""Where the space goes, which files are the same, and how the same bytes come to be on the disk once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdstudio.core.errors import Cancelled, SaveFailed
from sdstudio.core.models.asset import Asset
from sdstudio.library import links
from sdstudio.library.library import Library
from sdstudio.library.links import link, part
from sdstudio.library.space import of_one_size, portions


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _asset(path: Path, root: Path, kind: str = "lora") -> Asset:
    return Asset(kind, path.stem, path.stem, path, root, size_bytes=path.stat().st_size)


@pytest.fixture
def library(home, tmp_path):
    """Return a library of two folders: ``a`` and ``b`` the same bytes, ``c`` others of that size, ``d`` alone."""
    for name, content in (("one/a", b"x" * 5000), ("two/b", b"x" * 5000), ("two/c", b"y" * 5000), ("two/d", b"z")):
        _file(tmp_path / f"{name}.safetensors", content)
    for at, name in enumerate(("one/a", "two/b", "two/c", "two/d")):
        os.utime(tmp_path / f"{name}.safetensors", (1000 + at, 1000 + at))
    return Library(home, [tmp_path / "one", tmp_path / "two"])


def test_space_is_counted_by_folder_and_kind_the_largest_first(tmp_path):
    big = _file(tmp_path / "big/a", b"x" * 100)
    os.link(big, tmp_path / "big/b")
    small = _file(tmp_path / "small/c", b"x" * 10)
    tiny = _file(tmp_path / "big/d", b"x")
    rows = portions([
        _asset(small, small.parent), _asset(tiny, big.parent, "vae"), _asset(big, big.parent),
        _asset(tmp_path / "big/b", big.parent),
    ])  # fmt: skip
    assert [(row.root.name, row.kind, row.size_bytes, len(row.assets)) for row in rows] == [
        ("big", "lora", 100, 2), ("big", "vae", 1, 1), ("small", "lora", 10, 1),
    ]  # fmt: skip


def test_only_files_of_one_size_are_looked_at_closely(tmp_path):
    a, b, c = (_file(tmp_path / name, b"x" * size) for name, size in (("a", 10), ("b", 10), ("c", 9)))
    os.link(a, tmp_path / "again")
    (tmp_path / "folder").mkdir()
    assets = [_asset(path, tmp_path) for path in (a, tmp_path / "again", b, c, tmp_path / "folder")]
    assert [[asset.path for asset in group] for group in of_one_size(assets)] == [[a, b]]


def test_duplicates_are_found_by_their_bytes_the_oldest_first(library):
    told: list[float] = []
    [found] = library.duplicates(told.append)
    assert [asset.path.name for asset in found.assets] == ["a.safetensors", "b.safetensors"]
    assert found.wasted_bytes == 5000
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert {asset.path.stem for asset in library.assets() if asset.sha256} == {"a", "b", "c"}


def test_looking_for_duplicates_can_be_cancelled(library):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        library.duplicates(cancel=cancel)


def test_a_file_that_went_away_while_hashing_is_left_out(library, tmp_path):
    library.assets()
    (tmp_path / "one/a.safetensors").unlink()
    assert library.duplicates() == ()


def test_a_copy_becomes_a_link_and_a_copy_again(library):
    [found] = library.duplicates()
    original, copy = found.assets
    before = copy.path.stat()
    linked = library.link_copy(original, copy)
    assert copy.path.samefile(original.path)
    assert library.duplicates() == ()
    assert library.find_asset("checkpoint", "b").sha256 == found.sha256
    part(linked)
    assert not copy.path.samefile(original.path)
    assert copy.path.read_bytes() == original.path.read_bytes()
    assert copy.path.stat().st_mtime_ns == before.st_mtime_ns
    assert sorted(path.name for path in copy.path.parent.iterdir()) == sorted(
        ["b.safetensors", "c.safetensors", "d.safetensors"]
    )


def test_a_copy_that_changed_meanwhile_stays(library):
    [found] = library.duplicates()
    original, copy = found.assets
    copy.path.write_bytes(b"w" * 5000)
    with pytest.raises(SaveFailed, match="no copy of"):
        library.link_copy(original, copy)
    assert copy.path.read_bytes() == b"w" * 5000


def test_what_cannot_be_linked_is_refused_and_unchanged(tmp_path, monkeypatch):
    a, b = _file(tmp_path / "a", b"x"), _file(tmp_path / "b", b"x")
    (tmp_path / "s").symlink_to(a)
    os.link(a, tmp_path / "same")
    for wrong in (tmp_path / "s", tmp_path / "same", tmp_path / "gone"):
        with pytest.raises(SaveFailed):
            link(a, wrong)

    def refuse(*_names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(links.os, "link", refuse)
    with pytest.raises(SaveFailed, match="makes no hard link"):
        link(a, b)
    assert b.read_bytes() == b"x"
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "s", "same"}


def test_a_failed_replacement_leaves_the_copy_and_no_rest(tmp_path, monkeypatch):
    a, b = _file(tmp_path / "a", b"x"), _file(tmp_path / "b", b"x")

    def refuse(*_names: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(links.os, "replace", refuse)
    with pytest.raises(SaveFailed, match="could not be replaced"):
        link(a, b)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_parting_needs_room(tmp_path, monkeypatch):
    a, b = _file(tmp_path / "a", b"xx"), _file(tmp_path / "b", b"xx")
    linked = link(a, b)
    monkeypatch.setattr(links.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1))
    with pytest.raises(SaveFailed, match="1 are free"):
        part(linked)
    assert b.samefile(a)
