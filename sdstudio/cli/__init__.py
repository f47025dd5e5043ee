"""The command line: ``generate · upscale · detail · models · history · schedulers · bench · doctor``, without Qt.

torch is imported only to draw. Results go to stdout, everything else to stderr. Exit code 0 done, 1 failed, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sdstudio import __version__
from sdstudio.catalog.built_in import STARTER
from sdstudio.cli.console import Console
from sdstudio.cli.detail import add_detail
from sdstudio.cli.doctor import add_doctor
from sdstudio.cli.flags import Parser
from sdstudio.cli.generate import add_generate
from sdstudio.cli.history import add_history
from sdstudio.cli.models import add_models
from sdstudio.cli.presets import add_presets
from sdstudio.cli.schedulers import add_listings
from sdstudio.cli.styles import add_styles
from sdstudio.cli.upscale import add_upscale
from sdstudio.core.errors import Cancelled, InvalidRequest, StudioError
from sdstudio.core.paths import studio_paths

RunBench = Callable[[argparse.Namespace, Console], int]
"""The ``bench`` command; it stands above this floor, so it is handed in."""


def build_parser(run_bench: RunBench | None = None) -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="sdstudio",
        description="A desktop studio for Stable Diffusion. Without a command, the window opens.",
        epilog="Data folder: $SDSTUDIO_HOME, else the system's usual one (see `sdstudio doctor`).",
    )
    parser.add_argument("--version", action="version", version=f"sdstudio {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_generate(commands)
    add_upscale(commands)
    add_detail(commands)
    add_history(commands)
    add_listings(commands)
    add_models(commands)
    add_styles(commands)
    add_presets(commands)
    add_doctor(commands)
    if run_bench is not None:
        bench = commands.add_parser("bench", help="measure this machine", description="Measure the promises here.")
        bench.add_argument(
            "subject", nargs="?", choices=("studio", "history", "library"), default="studio",
            help="the studio as a whole (default), the history with many pictures or the library with many files",
        )  # fmt: skip
        bench.add_argument(
            "--entries", type=int, metavar="N", help="pictures in the history (100,000) or files in the library (1,000)"
        )
        bench.add_argument("--json", action="store_true", help="print one JSON object for each figure")
        bench.add_argument("--quick", action="store_true", help="fewer repetitions: rougher figures in a minute or two")
        bench.add_argument("--model", metavar="PATH|KEY", default=STARTER, help="default: the built-in model")
        bench.set_defaults(run=run_bench)
    return parser


def main(argv: Sequence[str], run_bench: RunBench | None = None) -> int:
    """Run one command and return its exit code."""
    console = Console()
    try:
        args = build_parser(run_bench).parse_args(argv)
        console.quiet = getattr(args, "quiet", False)
        return int(args.run(args, console))
    except StudioError as error:
        console.error(error)
        return 2 if isinstance(error, InvalidRequest) else 1
    except (KeyboardInterrupt, Cancelled):
        return 130
    except SystemExit as end:  # argparse: --help, --version and wrong usage
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:  # noqa: BLE001 (the one place of the command line where a bug ends)
        console.error(_reported(error))
        return 1
    finally:
        console.close()


def _reported(error: Exception) -> StudioError:
    """Keep a bug's traceback in the log folder and print where it is."""
    path = studio_paths().logs / f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S}.txt"
    report = f"sdstudio {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n{traceback.format_exc()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError:
        hint = "The report could not be written."
    else:
        hint = f"The report is in {path}."
    return StudioError(f"A bug of the studio: {type(error).__name__}: {error}.", hint)
