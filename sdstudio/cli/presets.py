"""``--preset NAME`` and ``sdstudio presets``: the window's presets on the command line."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from sdstudio.cli.console import Console
from sdstudio.core.params import FieldKind, parameters
from sdstudio.core.paths import StudioPaths, studio_paths
from sdstudio.core.request.presets import STYLES, PresetBook
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.rules import idle_fields, idle_prompt_fields

_TEXTS: Final = frozenset({
    FieldKind.TEXT, FieldKind.MODEL, FieldKind.VAE, FieldKind.UPSCALER, FieldKind.DETECTOR, FieldKind.CHOICE,
    FieldKind.SIDES,
})  # fmt: skip


def add_presets(commands: Any) -> None:
    """Declare the command."""
    presets = commands.add_parser("presets", help="list presets", description="Parameters under a name.")
    actions = presets.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the presets", description="List the presets that the window saved.")
    listing.add_argument("--json", action="store_true", help="print one JSON object for each")
    listing.set_defaults(run=_list)


def take_preset(args: argparse.Namespace, paths: StudioPaths, console: Console) -> None:
    """Put the values of ``--preset`` behind what was given: a flag, a style or a prompt counts before them.

    Raises:
        StudioError: There is no preset of this name, or the file cannot be read.
    """
    if not args.preset:
        return
    preset = PresetBook.of(paths).named(args.preset)
    rows = {row.name: row for row in (*parameters(GenerationRequest), *parameters(RunOptions))}
    values = dict(preset.values)
    styles = values.pop(STYLES, None)
    args.style = args.style or ([name for name in styles if isinstance(name, str)] if isinstance(styles, list) else [])
    prompt = values.pop("prompt", "")
    args.prompt = args.prompt or (prompt if isinstance(prompt, str) else "")
    beside = {name: value for name, value in {**values, **vars(args)}.items() if isinstance(value, str)}
    idle = idle_fields(beside) | idle_prompt_fields(beside)
    left = [
        name
        for name, value in values.items()
        if name not in rows
        or rows[name].kind is FieldKind.PICTURE
        or (rows[name].kind in _TEXTS and not isinstance(value, str))
    ]
    for name, value in values.items():
        if name not in left and name not in idle and not hasattr(args, name):
            setattr(args, name, value)
    if left:
        console.note(f"note: preset {preset.name} holds what cannot be used: {', '.join(left)}")


def _list(args: argparse.Namespace, console: Console) -> int:
    presets = PresetBook.of(studio_paths()).presets
    if args.json:
        for preset in presets:
            console.record({"name": preset.name, "values": dict(preset.values)})
        return 0
    console.table([(preset.name, json.dumps(dict(preset.values), ensure_ascii=False)) for preset in presets])
    if not presets:
        console.note("No presets yet. Save one from the Presets menu of the window.")
    return 0
