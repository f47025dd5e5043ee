"""``sdstudio history import|export|backup|check``: pictures come in and go out, and the history stays whole."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from tqdm import tqdm

from sdstudio.cli.console import Console
from sdstudio.cli.context import opened_history
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.core.errors import Cancelled, InvalidRequest
from sdstudio.core.paths import expanded, studio_paths
from sdstudio.core.pictures.opening import shown
from sdstudio.core.settings import Settings
from sdstudio.history.bulk_work import Failure, OnProgress
from sdstudio.history.exchange.contact_sheet import contact_sheets
from sdstudio.history.exchange.export import ExportOptions, ExportReport, export_fields, export_folder, export_zip
from sdstudio.history.exchange.importing import ImportReport, Taken, import_pictures
from sdstudio.history.formats import FORMATS, QUALITY
from sdstudio.history.picture_text.foreign.unused import unused_settings
from sdstudio.history.store import Entry, History
from sdstudio.library.library import Library
from sdstudio.library.recall import model_of


def add_exchange(actions: Any) -> None:
    """Declare the actions below ``history``."""
    bring = actions.add_parser(
        "import", help="take in pictures of this and other programs",
        description="Copy pictures into the history, from A1111, Forge, ComfyUI, InvokeAI, Fooocus, SwarmUI, "
        "StabilityMatrix, NovelAI, Easy Diffusion and Draw Things too. The originals stay as they are.",
    )  # fmt: skip
    bring.add_argument("paths", nargs="+", type=expanded, metavar="PATH", help="a picture, or a folder of them")
    bring.set_defaults(run=_import)
    export = actions.add_parser("export", help="write pictures elsewhere", description=_export_about())
    export.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers in the history")
    export.add_argument("--search", metavar="WORDS", help="the pictures that match, beside those with an ID")
    export.add_argument("--out", type=expanded, metavar="DIR", help="write each picture into this folder")
    export.add_argument("--zip", type=expanded, metavar="PATH", help="write all of them into this zip")
    export.add_argument(
        "--contact-sheet", type=expanded, metavar="PATH", help="small copies on this .png, .jpg or .webp"
    )
    export.add_argument("--columns", type=int, default=0, metavar="N", help="of the contact sheet (default: square)")
    formats = [row.key for row in FORMATS]
    export.add_argument("--format", default="png", metavar="|".join(formats), help="of the pictures (default: png)")
    export.add_argument("--quality", type=int, default=QUALITY, metavar="N", help=f"1 to 100 (default: {QUALITY})")
    export.add_argument("--strip", default="", metavar="FIELD,..", help="leave these out of what each picture tells")
    export.add_argument("--no-metadata", action="store_true", help="write pixels only")
    export.set_defaults(run=_export)
    backup = actions.add_parser(
        "backup", help="copy everything you made to one zip or folder",
        description="Write history, pictures and settings to PATH, whole or not at all. What comes out is a data "
        "folder: unpack it and set SDSTUDIO_HOME to it, and everything is there. Models are left out.",
    )  # fmt: skip
    backup.add_argument("path", type=expanded, metavar="PATH", help="ends in .zip, else a folder is made")
    backup.set_defaults(run=_backup)
    check = actions.add_parser(
        "check", help="compare the history with its pictures",
        description="Find rows without files, files without rows, damaged pictures and unfinished saves.",
    )  # fmt: skip
    check.add_argument("--repair", action="store_true", help="put right what can be; nothing is destroyed")
    check.add_argument("--deep", action="store_true", help="read every picture to its end")
    check.set_defaults(run=_check)
    for each in (bring, export, backup, check):
        each.add_argument("--json", action="store_true", help="print one JSON object a line")
        each.add_argument("--quiet", action="store_true", help="no progress, only errors")


def _export_about() -> str:
    fields = ", ".join(row.key for row in export_fields())
    return f"Write pictures into a folder, a zip or on contact sheets. Fields for --strip: {fields}."


def _import(args: argparse.Namespace, console: Console) -> int:
    paths = studio_paths()
    settings, _ = Settings.load(paths.settings)
    library = Library(paths, settings.model_folders)
    with opened_history(paths) as history, _progress_shown(console, "Importing") as (on_progress, cancelled):
        report = import_pictures(history, args.paths, on_progress, cancelled)
    for taken in report.taken:
        facts = _taken_facts(taken, library)
        if args.json:
            console.record(facts)
        else:
            console.result(f"{taken.entry.id}  {shown(str(taken.source))}")
            _note_losses(console, taken, facts)
    if args.json:
        for path, entry_id in report.known:
            console.record({"status": "already there", "id": entry_id, "source": shown(str(path))})
    _tell_failures(console, report.failed, args.json)
    console.note(str(report))
    return _code(report)


def _taken_facts(taken: Taken, library: Library) -> dict[str, Any]:
    recipe = taken.reading.recipe
    model = model_of(library, recipe)
    return {
        "status": "imported", "id": taken.entry.id, "source": shown(str(taken.source)), "path": str(taken.entry.path),
        "program": taken.reading.program or "sdstudio", "model": recipe.model_name,
        "model_found": model.key if model else None, "not_mapped": dict(taken.reading.not_mapped),
        "assumed": list(taken.reading.assumed),
    }  # fmt: skip


def _note_losses(console: Console, taken: Taken, facts: dict[str, Any]) -> None:
    name = shown(taken.source.name)
    if facts["model_found"] is None:
        console.note(f"note: {name}: the model {facts['model'] or '(not recorded)'} is not in the library")
    if facts["not_mapped"]:
        console.note(f"note: {name}: {unused_settings(facts['not_mapped'])}")


def _export(args: argparse.Namespace, console: Console) -> int:
    without = frozenset(name.strip().replace("-", "_") for name in args.strip.split(",") if name.strip())
    options = ExportOptions.checked(
        format=args.format, quality=args.quality, metadata=not args.no_metadata, without=without
    )
    targets = [target for target in (args.out, args.zip, args.contact_sheet) if target is not None]
    if not targets:
        raise InvalidRequest("out", "No place to export to: allowed is --out, --zip or --contact-sheet.", "Give one.")
    with opened_history(studio_paths()) as history:
        entries = _chosen(history, args.ids, args.search)
    if not entries:
        raise InvalidRequest("ids", "Nothing to export: no picture was named.", "Give IDs, or --search WORDS.")
    code = 0
    for write in _writers(args, entries, options):
        with _progress_shown(console, "Exporting") as (on_progress, cancelled):
            report = write(on_progress, cancelled)
        for path in report.written:
            if args.json:
                console.record({"status": "written", "path": str(path)})
            else:
                console.result(str(path))
        _tell_failures(console, report.failed, args.json)
        console.note(str(report))
        code = max(code, _code(report))
    return code


def _writers(
    args: argparse.Namespace, entries: Sequence[Entry], options: ExportOptions
) -> Iterator[Callable[[OnProgress, Callable[[], bool]], ExportReport]]:
    if args.out is not None:
        yield partial(export_folder, entries, args.out, options)
    if args.zip is not None:
        yield partial(export_zip, entries, args.zip, options)
    if args.contact_sheet is not None:
        yield partial(contact_sheets, entries, args.contact_sheet, options, args.columns)


def _chosen(history: History, ids: Sequence[int], words: str | None) -> list[Entry]:
    chosen = {entry_id: history.get(entry_id) for entry_id in ids}
    if words is not None:
        chosen |= {entry.id: entry for entry in history.entries(words, limit=-1) if entry.id not in chosen}
    return list(chosen.values())


def _backup(args: argparse.Namespace, console: Console) -> int:
    with opened_history(studio_paths()) as history, _progress_shown(console, "Backing up") as (on_progress, cancelled):
        report = history.care.back_up(args.path, on_progress, cancelled)
    if args.json:
        console.record({
            "path": str(report.path), "pictures": report.pictures, "files": report.files,
            "size_bytes": report.size_bytes, "missing": [shown(str(path)) for path in report.missing],
        })  # fmt: skip
    else:
        console.result(str(report))
    return 0


def _check(args: argparse.Namespace, console: Console) -> int:
    with opened_history(studio_paths()) as history, _progress_shown(console, "Checking") as (on_progress, cancelled):
        report = history.care.check(args.repair, args.deep, on_progress, cancelled)
        if cancelled():
            raise Cancelled
    for finding in report.findings:
        if args.json:
            console.record(finding.facts())
        else:
            done = f" ({finding.repaired})" if finding.repaired else ""
            console.result(f"{shown(str(finding.path))}: {finding.text}{done}")
    console.note(str(report))
    if report.open and not args.repair:
        console.note("Put right what can be with `sdstudio history check --repair`.")
    return 1 if report.open else 0


def _tell_failures(console: Console, failed: Sequence[Failure], as_json: bool) -> None:
    for failure in failed:
        if as_json:
            console.record({"status": "failed", "source": shown(str(failure.source)), "reason": failure.reason})
        else:
            console.note(f"failed: {failure}")


def _code(report: ImportReport | ExportReport) -> int:
    if report.stopped == "stopped":
        return 130
    return 1 if report.failed or report.stopped else 0


@contextmanager
def _progress_shown(console: Console, doing: str) -> Iterator[tuple[OnProgress, Callable[[], bool]]]:
    """Show a bar with the time left while work goes on; Ctrl-C stops it after the picture under way."""
    cancel = threading.Event()
    bar = tqdm(
        desc=doing, unit=" files", disable=True if console.quiet else None, leave=False, dynamic_ncols=True, miniters=1
    )

    def on_progress(done: int, total: int, _name: str) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        with interrupt_sets(cancel, lambda: console.note("Stopping…")):
            yield on_progress, cancel.is_set
    finally:
        bar.close()
