"""``sdstudio styles`` and ``sdstudio wildcards``: what a prompt can be set into, and the words that can stand in it."""

from __future__ import annotations

import argparse
from typing import Any

from sdstudio.cli.console import Console
from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import expanded, studio_paths
from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.prompts.wildcards import Wildcards


def add_styles(commands: Any) -> None:
    """Declare both commands."""
    styles = commands.add_parser("styles", help="list or import styles", description="Styles for prompts.")
    actions = styles.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the styles", description="List the styles.")
    listing.add_argument("--json", action="store_true", help="print one JSON object for each")
    listing.set_defaults(run=_list)
    taking = actions.add_parser(
        "import", help="add the styles of a styles.csv",
        description="Add the styles of a styles.csv as A1111 writes it; those of the same names are replaced.",
    )  # fmt: skip
    taking.add_argument("file", metavar="FILE", type=expanded, help="the styles.csv")
    taking.set_defaults(run=_import)

    wildcards = commands.add_parser("wildcards", help="list the wildcards", description="Words for prompts.")
    names = wildcards.add_subparsers(dest="action", required=True, metavar="ACTION")
    words = names.add_parser("list", help="list the wildcards", description="List the wildcards and their files.")
    words.add_argument("--json", action="store_true", help="print one JSON object for each, with its lines")
    words.set_defaults(run=_wildcards)


def _list(args: argparse.Namespace, console: Console) -> int:
    styles = StyleBook.of_styles(studio_paths()).styles
    if args.json:
        for style in styles:
            console.record({"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt})
        return 0
    console.table([(style.name, style.prompt) for style in styles])
    return 0


def _import(args: argparse.Namespace, console: Console) -> int:
    paths = studio_paths()
    try:
        paths.create()
    except OSError as error:
        message = f"Data folder = {paths.home}: it cannot be used ({error.strerror})."
        raise SaveFailed(message, "Set SDSTUDIO_HOME to another folder.") from error
    count = StyleBook.of_styles(paths).take_from(args.file)
    console.result(f"{count} styles")
    return 0


def _wildcards(args: argparse.Namespace, console: Console) -> int:
    wildcards = Wildcards.read(studio_paths())
    if args.json:
        for name, file in wildcards.files.items():
            console.record({"name": name, "file": str(file), "values": list(wildcards.values(name))})
        return 0
    console.table([(f"__{name}__", f"{len(wildcards.values(name)):,}", str(file))
                   for name, file in wildcards.files.items()])  # fmt: skip
    console.note(f"Your own go into {wildcards.folder}, one text file each.")
    return 0
