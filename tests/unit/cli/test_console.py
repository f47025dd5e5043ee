"""Results on stdout, the rest on stderr, and no traceback when a reader has gone or an encoding is narrow."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from sdstudio.cli.console import Console
from sdstudio.core.errors import StudioError


def test_an_error_is_one_line(capsys):
    Console().error(StudioError("Two\nlines: not allowed.", "Use one."))
    assert capsys.readouterr().err == "sdstudio: Two lines: not allowed. Use one.\n"


def test_quiet_silences_notes_and_nothing_else(capsys):
    console = Console(quiet=True)
    console.note("a note")
    console.result("a result")
    console.error(StudioError("an error"))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a result\n", "sdstudio: an error\n")


def test_a_record_is_one_line_of_json_in_any_language(capsys):
    Console().record({"prompt": "🐸\nقلب", "seed": 2**64 - 1})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"prompt": "🐸\nقلب", "seed": 2**64 - 1}


def test_a_table_is_in_columns(capsys):
    Console().table([("a", "b"), ("long", "c")])
    assert capsys.readouterr().out == "a     b\nlong  c\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_nobody_reads_leaves_the_other_alone(monkeypatch, capsys, stream):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:
        monkeypatch.setattr(sys, stream, broken)
        console = Console()
        for _ in range(3):
            console.result("x")
            console.note("x")
        console.close()
    assert "".join(capsys.readouterr()) == "x\n" * 3


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_is_not_there_leaves_the_other_alone(monkeypatch, capsys, stream):
    monkeypatch.setattr(sys, stream, None)
    console = Console()
    console.result("x")
    console.note("x")
    console.close()
    assert "".join(capsys.readouterr()) == "x\n"


def test_a_narrow_encoding_is_no_error(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console = Console()
    console.result("🐸 \udcff")
    console.close()
    assert raw.getvalue() == b"\\U0001f438 \\udcff\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_terminal_would_act_on_reaches_none(monkeypatch, terminal):
    class Stream(io.TextIOWrapper):
        def isatty(self) -> bool:
            return terminal

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Stream(raw, encoding="utf-8", newline="\n"))
    console = Console()
    console.table([("red\x1b]0;title\x07", "blue\x9b2J\tfrog")])
    console.close()
    said = raw.getvalue().decode()
    assert said == ("red?]0;title?  blue?2J\tfrog\n" if terminal else "red\x1b]0;title\x07  blue\x9b2J\tfrog\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_record_is_json_in_any_encoding(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    console = Console()
    console.record({"prompt": "🐸 ä \udcff"})
    console.close()
    assert json.loads(raw.getvalue().decode(encoding)) == {"prompt": "🐸 ä \udcff"}
