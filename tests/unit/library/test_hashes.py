"""Hashes of model files: right, remembered, forgotten when the file changes, and never an error of their own."""

from __future__ import annotations

import hashlib
import json
import os
import threading

import pytest

from sdstudio.core.errors import Cancelled, ModelNotFound
from sdstudio.library.hashes import HashCache


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(os.urandom(9 * 2**20))
    return path


def test_a_hash_is_the_files_sha256_and_is_remembered_over_restarts(tmp_path, weights):
    right = hashlib.sha256(weights.read_bytes()).hexdigest()
    cache = HashCache(tmp_path / "cache")
    assert cache.known(weights) == ""
    assert cache.compute([weights]) == [right]
    assert HashCache(tmp_path / "cache").known(weights) == right
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["hashes.json"]


def test_a_known_file_is_not_read_again(tmp_path, weights):
    cache = HashCache(tmp_path / "cache")
    [before] = cache.compute([weights])
    status = weights.stat()
    weights.write_bytes(b"\0" * status.st_size)
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.compute([weights]) == [before]


def test_a_changed_file_is_read_again(tmp_path, weights):
    cache = HashCache(tmp_path / "cache")
    [before] = cache.compute([weights])
    weights.write_bytes(b"other")
    os.utime(weights, ns=(1, 1))
    assert cache.known(weights) == ""
    assert cache.compute([weights]) != [before]


def test_progress_rises_to_one(tmp_path, weights):
    second = tmp_path / "b.safetensors"
    second.write_bytes(os.urandom(5 * 2**20))
    seen: list[float] = []
    HashCache(tmp_path / "cache").compute([weights, second], seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(set(seen)) >= 5


def test_cancel_stops_within_the_file(tmp_path, weights):
    cancel = threading.Event()
    cache = HashCache(tmp_path / "cache")
    with pytest.raises(Cancelled):
        cache.compute([weights], lambda _: cancel.set(), cancel)
    assert cache.known(weights) == ""


def test_a_file_that_is_gone_is_told(tmp_path):
    with pytest.raises(ModelNotFound, match=r"gone\.safetensors"):
        HashCache(tmp_path / "cache").compute([tmp_path / "gone.safetensors"])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 3}', "[" * 100_000])
def test_a_damaged_cache_starts_empty(tmp_path, weights, content):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "hashes.json").write_text(content)
    cache = HashCache(folder)
    assert cache.known(weights) == ""
    assert cache.compute([weights]) == [hashlib.sha256(weights.read_bytes()).hexdigest()]


def test_a_cache_that_cannot_be_written_still_hashes(tmp_path, weights):
    (tmp_path / "cache").write_text("a file stands where the folder should be")
    assert HashCache(tmp_path / "cache").compute([weights]) == [hashlib.sha256(weights.read_bytes()).hexdigest()]


def test_two_programs_keep_each_others_rows(tmp_path, weights):
    second = tmp_path / "b.safetensors"
    second.write_bytes(b"b")
    one, two = HashCache(tmp_path / "cache"), HashCache(tmp_path / "cache")
    one.compute([weights])
    two.compute([second])
    fresh = HashCache(tmp_path / "cache")
    assert fresh.known(weights)
    assert fresh.known(second)


def test_a_hash_that_was_computed_elsewhere_is_learned_until_the_file_changes(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    cache = HashCache(tmp_path / "cache")
    cache.learn(file, "ab" * 32)
    assert cache.known(file) == HashCache(tmp_path / "cache").known(file) == "ab" * 32
    file.write_bytes(b"other weights")
    assert cache.known(file) == ""
    cache.learn(tmp_path / "gone", "ab" * 32)
    assert cache.known(tmp_path / "gone") == ""


def test_what_is_no_hash_in_the_cache_is_computed_again(tmp_path, weights):
    right = HashCache(tmp_path / "cache").compute([weights])
    file = tmp_path / "cache" / "hashes.json"
    for value in (None, 5, "\ud800", "x" * 64):
        table = json.loads(file.read_text())
        table[str(weights)]["sha256"] = value
        file.write_text(json.dumps(table))
        assert HashCache(tmp_path / "cache").known(weights) == ""
        assert HashCache(tmp_path / "cache").compute([weights]) == right
