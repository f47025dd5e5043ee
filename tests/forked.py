"""The real command, or another program, in a process of its own, forked from one that has imported the libraries.

Importing torch, diffusers and transformers takes five seconds of a processor, which a test of what a command does need
not wait for. What importing, starting and ending a process do is tested on real ones.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PATIENCE_S = 300
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([
    "sdstudio.__main__",
    "sdstudio.cli",
    "sdstudio.engine.engine",
    "sdstudio.engine.model_files.works",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "tests.forked",
])  # fmt: skip


def command(*argv: str) -> int:
    """Run a command of the product."""
    from sdstudio.__main__ import main

    sys.argv = ["sdstudio", *argv]
    return main(argv)


class Forked:
    """A process that does one thing, most often a `command`.

    Args:
        work: A function of a module; what it returns is the exit code.
        arguments: Its arguments.
        environment: The variables that it finds.
        folder: Where it begins; ``stderr.txt`` is written there.

    Attributes:
        stdout: What it writes, line by line.
    """

    def __init__(
        self, work: Callable[..., int | None], arguments: Sequence[Any], environment: Mapping[str, str], folder: Path
    ) -> None:
        self._said = folder / "stderr.txt"
        ours, its = FORKED.Pipe(duplex=False)
        self._process = FORKED.Process(target=_be, args=(work, arguments, dict(environment), folder, self._said, its))
        self._process.start()
        its.close()
        self.stdout = os.fdopen(os.dup(ours.fileno()), encoding="utf-8")
        ours.close()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(int(self._process.pid or 0), number)

    def ended(self, patience_s: float = PATIENCE_S) -> tuple[int, str, str]:
        """Wait for its end; return its exit code (minus the signal that killed it), the rest of stdout, and stderr."""
        with self.stdout:
            rest = self.stdout.read()
        self._process.join(patience_s)
        code = self._process.exitcode
        assert code is not None, "it does not end"
        self._process.close()
        return code, rest, self._said.read_text(encoding="utf-8")


def _be(
    work: Callable[..., int | None], arguments: Sequence[Any], environment: Mapping[str, str], folder: Path,
    said: Path, out: Connection,
) -> None:  # fmt: skip
    """Take over the process: environment, folder, streams and Ctrl-C are those of a program that a shell started."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    out.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    sys.exit(work(*arguments))
