"""Where the program starts: no command opens the window, any command is the command line's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdstudio.cli.console import Console


def main(argv: Sequence[str] | None = None) -> int:
    """Run the studio and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if not arguments:
            from sdstudio import app, process  # noqa: PLC0415 (Qt only when there is to be a window)

            process.end_at_once(app.main(arguments))
        from sdstudio import cli  # noqa: PLC0415 (not for the window)

        code = cli.main(arguments, _bench)
        if argv is None and "torch" in sys.modules:
            from sdstudio import process  # noqa: PLC0415 (knows how, and only torch is slow to go)

            process.end_at_once(code)
        return code
    except KeyboardInterrupt:
        return 130


def _bench(args: argparse.Namespace, console: Console) -> int:
    from sdstudio.bench import run  # noqa: PLC0415 (only to measure)

    return run.run(args, console)


if __name__ == "__main__":
    sys.exit(main())
