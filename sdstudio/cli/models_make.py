"""``sdstudio models merge | convert``: new model files from those there are."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sdstudio.catalog.kinds import CHECKPOINT, EMBEDDING, LORA, UPSCALER, VAE
from sdstudio.cli.backend import make_works
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio
from sdstudio.cli.flags import add_flags, given
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.progress import share_bar
from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import ModelError, ModelNotFound, ModelUnsupported, SaveFailed
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import ConvertOptions, ConvertOrder, MergeOptions, MergeOrder
from sdstudio.core.params import parameters
from sdstudio.jobs.model_orders import carried_out, convert_order, merge_order, target_of
from sdstudio.library.library import Library


def add_making(actions: Any) -> None:
    """Declare the commands below ``models``."""
    merging = actions.add_parser(
        "merge",
        help="merge checkpoints",
        description="Merge two checkpoints, or add to A what B has learnt since C, into a new single file.",
    )
    merging.add_argument("inputs", metavar="MODEL", nargs="+", help="A, B and, to add a difference, C: keys or paths")
    merging.add_argument("--out", metavar="NAME|PATH", required=True, help="a name in the models folder, or a path")
    add_flags(merging, parameters(MergeOptions))
    converting = actions.add_parser(
        "convert",
        help="write a model in another layout or precision",
        description="Write a model as a single file or as a folder, a .ckpt as .safetensors, or in half precision.",
    )
    converting.add_argument(
        "source", metavar="MODEL",
        help="key or path of a folder, a .safetensors or .ckpt file, or of a LoRA that is a pickle",
    )  # fmt: skip
    converting.add_argument("--out", metavar="NAME|PATH", help="a name in the models folder, or a path")
    add_flags(converting, parameters(ConvertOptions))
    for parser, act in ((merging, _merge), (converting, _convert)):
        parser.add_argument("--force", action="store_true", help="replace a file that is there")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--quiet", action="store_true", help="only the result and errors")
        parser.set_defaults(run=act)


def _merge(args: argparse.Namespace, console: Console) -> int:
    studio = _studio(args, console)
    values = given(args, parameters(MergeOptions))
    if "mode" not in values:
        values["mode"] = "add_difference" if len(args.inputs) == 3 else "weighted_sum"
    for row in parameters(MergeOptions):
        check_bounds(row, values.get(row.name, row.default))
    options = MergeOptions(**values)
    inputs = [studio.library.find_asset(CHECKPOINT, name) for name in args.inputs]
    target = target_of(args.out, "file", studio.paths.models)
    return _carry_out(args, console, studio, merge_order(inputs, options, target, args.force), inputs)


def _convert(args: argparse.Namespace, console: Console) -> int:
    studio = _studio(args, console)
    source = _to_convert(studio.library, args.source)
    values = given(args, parameters(ConvertOptions))
    options = ConvertOptions(**values)
    name = args.out or (source.path.name if source.path.is_dir() else source.path.stem)
    if not args.out and source.kind != CHECKPOINT:
        name = str(source.path.with_suffix(".safetensors"))
    target = target_of(name, options.layout, studio.paths.models)
    return _carry_out(args, console, studio, convert_order(source.path, options, target, args.force), [source])


def _to_convert(library: Library, name: str) -> Asset:
    """Return the checkpoint of this name, else the LoRA, embedding, VAE or upscaler. Raises: ModelError."""
    try:
        return library.find_asset(CHECKPOINT, name)
    except ModelError as error:
        for kind in (LORA, EMBEDDING, VAE, UPSCALER):
            with suppress(ModelNotFound, ModelUnsupported):
                return library.find_asset(kind, name)
        raise error


def _carry_out(
    args: argparse.Namespace,
    console: Console,
    studio: Studio,
    order: MergeOrder | ConvertOrder,
    inputs: Sequence[Asset],
) -> int:
    cancel = threading.Event()
    begun = time.monotonic()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")), share_bar(console, order.target.name) as show:
        report = carried_out(make_works(), order, inputs, studio.library.hash_asset, show, cancel)
    for note in report.notes:
        console.note(f"note: {note}")
    if args.json:
        console.record({
            "path": str(report.path), "size_bytes": report.size_bytes, "tensors": report.tensors,
            "notes": list(report.notes), "duration_s": round(time.monotonic() - begun, 2),
        })  # fmt: skip
    else:
        console.result(str(report.path))
    return 0


def _studio(args: argparse.Namespace, console: Console) -> Studio:
    studio = Studio.open(console, args)
    try:
        studio.paths.create()
    except OSError as error:
        message = f"Data folder = {studio.paths.home}: it cannot be used ({error.strerror})."
        raise SaveFailed(message, "Set SDSTUDIO_HOME to another folder.") from error
    return studio
