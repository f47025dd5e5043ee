"""The processes that are measured: each a module of this package, on a data folder that goes afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from sdstudio.core.desktop import has_display
from sdstudio.core.environment import settle_environment
from sdstudio.core.errors import StudioError

_TIMEOUT_S: Final = 3600
_NO_BYTE_CODE: Final = "PYTHONDONTWRITEBYTECODE"
"""Who sets this compiles the whole package at each start, a third of a second that no installed program takes."""


class Children:
    """Starts this package's modules in processes of their own, on a data folder that goes afterwards."""

    def __init__(self, home: Path, model: Path | str) -> None:
        settle_environment()  # a child imports torch before the engine, which would settle it
        self._model = model
        self._environment = {**os.environ, "SDSTUDIO_HOME": str(home), "PYTHONFAULTHANDLER": "1"}
        if self._environment.pop(_NO_BYTE_CODE, None):
            self._environment["PYTHONPYCACHEPREFIX"] = str(home / "byte-code")
        if not has_display():
            self._environment["QT_QPA_PLATFORM"] = "offscreen"

    def result(self, module: str, count: int) -> Any:
        """Run a module to its end and return its last line of output, as JSON. Raises: StudioError."""
        done = subprocess.run(
            [*self._command(module), str(self._model), str(count)],
            env=self._environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            message = f"Measuring {module} failed with {done.returncode}: {_last_line(done.stderr)}."
            raise StudioError(message, "See `sdstudio doctor`.")
        return json.loads(_last_line(done.stdout))

    def seconds_until(self, module: str, *lines: str) -> list[float]:
        """Start a module that opens a window, and return how long each of its lines took. Raises: StudioError."""
        start = time.perf_counter()
        with subprocess.Popen(
            self._command(module),
            env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        ) as process:  # fmt: skip
            seconds = []
            for expected in lines:
                came = process.stdout.readline().strip() if process.stdout else ""
                if came != expected:
                    break
                seconds.append(time.perf_counter() - start)
            process.kill()  # the studio goes on to import torch, which is not measured here
        if len(seconds) < len(lines):
            raise StudioError(f"Measuring {module} failed: no window came.", "See `sdstudio doctor`.")
        return seconds

    @staticmethod
    def _command(module: str) -> list[str]:
        return [sys.executable, "-m", f"sdstudio.bench.{module}"]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
