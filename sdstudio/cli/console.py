"""What the command line writes: results on stdout, all else on stderr, and no traceback when either is closed."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from sdstudio.core.errors import StudioError

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would act on: a prompt or a name from elsewhere may hold it. Blanks, tabs and line ends are none."""


class Console:
    """Both streams of the process. Writing to a stream whose reader has gone does nothing from then on."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._closed: set[int] = set()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a prompt may hold what the terminal's encoding has not
                stream.reconfigure(errors="backslashreplace")

    @property
    def interactive(self) -> bool:
        """Whether a person watches stderr."""
        return sys.stderr is not None and sys.stderr.isatty()

    def result(self, text: str) -> None:
        """Write one line that was asked for."""
        self._write(sys.stdout, text)

    def record(self, row: Mapping[str, Any]) -> None:
        """Write one JSON object, on one line; where the stream cannot hold every letter, in JSON's own escapes."""
        self.result(json.dumps(row, ensure_ascii=not _holds_everything(sys.stdout)))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write rows in columns."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
        for row in rows:
            self.result("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def note(self, text: str) -> None:
        """Write a line about the work, unless quiet."""
        if not self.quiet:
            self._write(sys.stderr, _line(text))

    def error(self, error: StudioError) -> None:
        """Write in one line what went wrong and what to do."""
        self._write(sys.stderr, f"sdstudio: {_line(str(error))}")

    def close(self) -> None:
        """Flush both streams, so that the interpreter does not find a broken one at its end."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                try:
                    stream.flush()
                except OSError:
                    self._give_up(stream)

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is None or id(stream) in self._closed:
            return
        try:
            stream.write((_CONTROL.sub("?", text) if stream.isatty() else text) + "\n")
            stream.flush()
        except OSError:  # the reader has gone, or the disk that stdout goes to is full
            self._give_up(stream)

    def _give_up(self, stream: TextIO) -> None:
        self._closed.add(id(stream))
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return


def _holds_everything(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or ""
    return encoding.lower().replace("_", "-").startswith(("utf-8", "utf8"))


def _line(text: str) -> str:
    return " ".join(text.split())
