"""``sdstudio models openvino``: converts the networks of models, so that OpenVINO computes them from then on."""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

from sdstudio.cli.backend import make_converter
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.progress import share_bar


def add_openvino(actions: Any) -> None:
    """Declare the command below ``models``."""
    parser = actions.add_parser(
        "openvino",
        help="convert a model for OpenVINO",
        description="Convert the networks of a model once, and keep them in the cache folder: with --device openvino "
        "pictures are then drawn faster on a processor. Needs the extra: pip install 'sdstudio[openvino]'.",
    )
    parser.add_argument("model", metavar="MODEL", help="key or path of a model")
    parser.add_argument("--json", action="store_true", help="print progress and the result as JSON, one object a line")
    parser.add_argument("--quiet", action="store_true", help="only the result and errors")
    parser.set_defaults(run=_convert)


def _convert(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    model = studio.library.find(args.model)
    cancel = threading.Event()
    begun = time.monotonic()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")), share_bar(console, model.name) as show:

        def on_part(share: float, part: str) -> None:
            show(share)
            if args.json:
                console.record({"progress": round(share, 3), "part": part})

        convert = make_converter()
        folder, count = convert(model, studio.paths.converted, studio.settings.open_pickles, on_part, cancel)
    if args.json:
        console.record({"folder": str(folder), "networks": count, "duration_s": round(time.monotonic() - begun, 2)})
    else:
        console.result(str(folder))
    return 0
