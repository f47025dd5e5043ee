from __future__ import annotations

import errno
import os

import pytest

from sdstudio.core.errors import SaveFailed
from sdstudio.core.files import save_failed, write_whole


def test_content_is_there_whole_and_replaces_what_was(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    for content in (b"first", b"second"):
        write_whole(path, lambda file, content=content: file.write(content) and None)
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["c.txt"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), MemoryError()])
def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "c.txt"
    path.write_bytes(b"before")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises((SaveFailed, KeyboardInterrupt, MemoryError)):
        write_whole(path, write)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["c.txt"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
def test_a_device_or_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SaveFailed, match="pipe, no file"):
        write_whole(tmp_path / "pipe", lambda file: file.write(b"x") and None)
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("code", sorted(errno.errorcode))
def test_every_refusal_of_the_system_is_one_line_with_a_hint(tmp_path, code):
    failed = save_failed(tmp_path / "x\ud800.png", OSError(code, os.strerror(code)))
    assert "\n" not in str(failed)
    assert failed.hint
    str(failed).encode("utf-8")
