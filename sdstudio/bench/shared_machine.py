"""A picture drawn beside processes that keep every core busy, against the same picture drawn alone.

Run as ``python -m sdstudio.bench.shared_machine MODEL PAIRS``; the last line of output is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from sdstudio.bench.alternating import Pairs, alternate
from sdstudio.bench.engine_times import StudioEngine
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import studio_paths
from sdstudio.library.library import Library

_BUSY: Final = "print(flush=True)\nwhile True: pass"


@contextlib.contextmanager
def every_core_busy() -> Iterator[None]:
    """Keep as many processes busy as there are cores, from when all of them run."""
    command = [sys.executable, "-c", _BUSY]
    busy = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(os.cpu_count() or 1)]
    try:
        for process in busy:
            if process.stdout is not None:
                process.stdout.readline()
        yield
    finally:
        for process in busy:
            process.kill()
            process.communicate()


def measure(model: ModelInfo, pairs: int) -> Pairs:
    """Return pairs of seconds for a picture: beside busy processes, and alone."""
    engine = StudioEngine(model)

    def alone() -> float:
        return engine.seconds(previews=False)

    def beside() -> float:
        with every_core_busy():
            return engine.seconds(previews=False)

    alone()
    times = alternate(pairs, beside, alone)
    engine.close()
    return times


if __name__ == "__main__":
    found = Library(studio_paths()).find(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(measure(found, int(sys.argv[2]))) + "\n")
