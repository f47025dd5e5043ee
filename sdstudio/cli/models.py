"""``sdstudio models list | info | scan | add-folder | remove | hash | space``: what lies on disk, and what to do."""

from __future__ import annotations

import argparse
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from send2trash import send2trash

from sdstudio.catalog.built_in import is_built_in
from sdstudio.catalog.kinds import CHECKPOINT, KINDS
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio, opened_history
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.models_get import add_getting, created
from sdstudio.cli.models_make import add_making
from sdstudio.cli.models_openvino import add_openvino
from sdstudio.cli.progress import share_bar
from sdstudio.core.errors import ModelNotFound, SaveFailed, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.paths import expanded
from sdstudio.core.pictures.opening import shown
from sdstudio.core.settings import Settings
from sdstudio.history.database.usage import Use
from sdstudio.jobs.model_hash import SHORT
from sdstudio.library.scanning.places import LIST_SUFFIXES, program_of
from sdstudio.library.space import goes_with, portions

_NOTE_MAXIMUM = 4000
"""Characters of one note in a header that are printed: some hold a picture or ten thousand tags."""


def add_models(commands: Any) -> None:
    """Declare the command and its actions."""
    models = commands.add_parser("models", help="work with the models on disk", description="Work with the models.")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list them", description="List everything, the built-in model first.")
    info = actions.add_parser("info", help="all about one", description="Tell all that is known about one.")
    scan = actions.add_parser(
        "scan", help="look at the disk and tell what is wrong",
        description="Look at all folders; tell how much was found, and in one line each what cannot be used and why.",
    )  # fmt: skip
    adding = actions.add_parser(
        "add-folder", help="use a folder in place",
        description="Look for models in a folder from now on: any, or another program's, or its extra_model_paths.yaml."
        " Nothing is copied.",
    )  # fmt: skip
    adding.add_argument("folder", metavar="FOLDER", type=Path)
    remove = actions.add_parser(
        "remove", help="move one to the trash, or forget a folder",
        description="Move a model to the system's trash; or no longer look into a folder that was added, whose files "
        "stay.",
    )  # fmt: skip
    hashing = actions.add_parser(
        "hash", help="compute hashes", description="Compute sha256, A1111's short hash, and AutoV3 of LoRA."
    )
    hashing.add_argument("names", nargs="*", metavar="NAME", help="of what; without one, of everything")
    space = actions.add_parser("space", help="where the space goes", description="Tell the space by folder and kind.")
    space.add_argument("--duplicates", action="store_true", help="read files of one size and tell which are the same")
    space.add_argument("--link", action="store_true", help="with --duplicates: make copies hard links of the oldest")
    for parser in (info, remove):
        parser.add_argument("name", metavar="NAME", help="key, file name, alias or path")
    for parser in (listing, info, remove, hashing):
        parser.add_argument("--kind", choices=[row.key for row in KINDS], help="of this kind only")
    for parser, act in (
        (listing, _list), (info, _info), (scan, _scan), (adding, _add_folder), (remove, _remove), (hashing, _hash),
        (space, _space),
    ):  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print one JSON object for each")
        parser.add_argument("--quiet", action="store_true", help="only results and errors")
        parser.set_defaults(run=act)
    add_getting(actions)
    add_making(actions)
    add_openvino(actions)


def _list(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    models = {model.path: model for model in studio.library.models()}
    assets = studio.library.assets(args.kind)
    if args.json:
        for asset in assets:
            console.record(_facts(asset, _model_of(asset, models)))
        return 0
    if not assets:
        console.note(f"No models. Put one into {studio.paths.models}.")
    console.table([
        (asset.key, asset.kind_row.title,
         " ".join((asset.family_title, asset.variant_title, asset.network)).strip() or "?",
         f"{asset.size_bytes / 1e6:,.0f} MB", asset.problem or str(asset.path))
        for asset in assets
    ])  # fmt: skip
    for asset in assets:
        model = _model_of(asset, models)
        for warning in (*(model.warnings if model is not None else ()), *asset.not_drawn):
            console.note(f"note: {asset.key}: {warning}")
    return 0


def _info(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    asset = studio.library.find_any(args.name, args.kind)
    models = {model.path: model for model in studio.library.models()}
    remark = studio.library.remarks.of(asset.path, asset.sha256)
    use = _use_of(studio, asset)
    facts = {
        **_facts(asset, _model_of(asset, models)),
        "pictures": use.pictures if use is not None else 0,
        "last_used": use.last.isoformat() if use is not None else "",
        "notes": remark.notes, "cover": str(remark.cover or ""), "own_values": dict(remark.defaults),
        "metadata": _metadata(asset),
    }  # fmt: skip
    if args.json:
        console.record(facts)
        return 0
    shown = {name: value for name, value in facts.items() if name != "metadata" and value not in ("", [], {}, None)}
    console.table([(name.replace("_", " "), _as_text(value)) for name, value in shown.items()])
    return 0


def _scan(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    studio.library.rescan()
    assets = studio.library.assets()
    wrong = [(str(asset.path), asset.problem) for asset in assets if asset.problem]
    wrong += [(trouble.path, trouble.reason) for trouble in studio.library.troubles()]
    counts = {row.key: sum(asset.kind == row.key for asset in assets) for row in KINDS}
    if args.json:
        console.record({"folders": [str(root) for root in studio.library.folders], "found": counts})
        for path, problem in wrong:
            console.record({"path": path, "problem": problem})
        return 0
    for root in studio.library.folders:
        program = program_of(root)
        console.note(f"looked into {root}{f' ({program.title})' if program is not None else ''}")
    console.table([(row.plural, str(counts[row.key])) for row in KINDS if counts[row.key]])
    for path, problem in wrong:
        console.result(problem if problem.startswith(path) else f"{path}: {problem}")
    return 0


def _add_folder(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    folder = _absolute(args.folder)
    is_list = folder.suffix.lower() in LIST_SUFFIXES and os.path.isfile(folder)
    if not (is_list or os.path.isdir(folder)):
        raise ModelNotFound(f"Folder = {folder}: there is no such folder.", "Check the path.")
    if shown(str(folder)) != str(folder):
        raise SaveFailed(f"Folder = {folder}: its name is not UTF-8, so it cannot be kept.", "Rename it.")
    created(studio.paths)
    before = studio.library.assets()
    kept = _kept_settings(studio)
    if folder not in kept.model_folders:
        kept.model_copy(update={"model_folders": (*kept.model_folders, folder)}).save(studio.paths.settings)
    studio.library.set_folders([*studio.settings.model_folders, folder])
    studio.library.rescan()
    known = {asset.path for asset in before}
    new = [asset for asset in studio.library.assets() if asset.path not in known]
    program = program_of(folder)
    if args.json:
        counts = {row.key: sum(asset.kind == row.key for asset in new) for row in KINDS}
        title = program.key if program is not None else ""
        console.record({"folder": str(folder), "program": title, "found": counts})
        return 0
    console.result(f"{folder}{f' ({program.title})' if program is not None else ''}: {_counted(new)}")
    return 0


def _kept_settings(studio: Studio) -> Settings:
    """Return the settings as the file has them, to be changed. Raises: SaveFailed, when saving them would lose some."""
    kept, complaints = Settings.load(studio.paths.settings)
    if complaints:
        raise SaveFailed(f"Settings = {studio.paths.settings}: {complaints[0]}", "Correct the file, then try again.")
    return kept


def _remove(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    folder = _absolute(Path(args.name))
    if folder in studio.settings.model_folders:
        kept = _kept_settings(studio)
        left = tuple(other for other in kept.model_folders if other != folder)
        kept.model_copy(update={"model_folders": left}).save(studio.paths.settings)
        _say_removed(args, console, folder, "forgotten", f"{folder} is no longer looked into; its files are untouched.")
        return 0
    asset = studio.library.find_any(args.name, args.kind)
    if is_built_in(asset.kind, asset.key):
        message = f"{asset.kind_row.title} = {asset.key}: it is built in, a part of the program."
        raise SaveFailed(message, "Remove another one.")
    place = goes_with(asset)
    try:
        send2trash(place)
    except OSError as error:  # no trash for this disk, or it refused
        raise SaveFailed(f"{place} could not be moved to the trash: {error}.", "Delete it by hand.") from error
    _say_removed(args, console, place, "trashed", f"{place} is in the trash; bring it back from there to undo.")
    return 0


def _hash(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    library = studio.library
    wanted = [library.find_any(name, args.kind) for name in args.names] or library.assets(args.kind)
    cancel = threading.Event()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")), share_bar(console, "Hashing") as show:
        hashed = library.hash_assets(wanted, show, cancel)
    for asset in hashed:
        if args.json:
            console.record({
                "key": asset.key, "kind": asset.kind, "path": str(asset.path), "sha256": asset.sha256,
                "short_hash": asset.short_hash, "autov3": asset.body_sha256[:12],
            })  # fmt: skip
        else:
            console.result(f"{asset.short_hash:12}  {asset.sha256}  {asset.path}")
    return 0 if len(hashed) == len(wanted) else 1


def _space(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    if args.duplicates or args.link:
        return _duplicates(args, console, studio)
    for row in portions(studio.library.assets()):
        if args.json:
            facts = {"folder": str(row.root), "kind": row.kind, "size_bytes": row.size_bytes, "files": len(row.assets)}
            console.record(facts)
        else:
            size = f"{row.size_bytes / 1e6:>12,.1f} MB"
            console.result(f"{size}  {len(row.assets):>5} × {row.assets[0].kind_row.plural:12}  {row.root}")
    return 0


def _duplicates(args: argparse.Namespace, console: Console, studio: Studio) -> int:
    cancel = threading.Event()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")), share_bar(console, "Reading") as show:
        duplicates = studio.library.duplicates(show, cancel)
    code = 0
    for group in duplicates:
        linked: list[str] = []
        for copy in group.assets[1:] if args.link else ():
            try:
                linked.append(str(studio.library.link_copy(group.assets[0], copy).copy))
            except StudioError as error:
                console.error(error)
                code = 1
        paths = [str(asset.path) for asset in group.assets]
        if args.json:
            console.record({
                "sha256": group.sha256, "wasted_bytes": group.wasted_bytes, "paths": paths, "linked": linked,
            })  # fmt: skip
        else:
            console.result(f"{group.wasted_bytes / 1e6:,.1f} MB {'were' if linked else 'are'} there more than once:")
            for path in paths:
                console.result(f"  {path}{'  (now a hard link)' if path in linked else ''}")
    if not duplicates:
        console.note("No two files hold the same bytes.")
    return code


def _facts(asset: Asset, model: ModelInfo | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "key": asset.key, "name": asset.name, "kind": asset.kind, "family": asset.family, "variant": asset.variant,
        "path": str(asset.path), "root": str(asset.root), "size_bytes": asset.size_bytes,
        "changed": datetime.fromtimestamp(asset.modified_s, UTC).isoformat() if asset.modified_s else "",
        "sha256": asset.sha256, "short_hash": asset.short_hash, "base": asset.base, "alias": asset.alias,
        "triggers": list(asset.triggers), "network": asset.network, "embeddings": list(asset.bundled),
        "not_drawn": list(asset.not_drawn), "problem": asset.problem,
    }  # fmt: skip
    if model is not None:
        facts |= {
            "layout": model.layout.value, "pipeline": model.pipeline, "model_hash": asset.sha256[:SHORT],
            "defaults": dict(model.defaults), "examples": list(model.examples), "warnings": list(model.warnings),
        }  # fmt: skip
    return facts


def _model_of(asset: Asset, models: dict[Path, ModelInfo]) -> ModelInfo | None:
    return models.get(asset.path) if asset.kind == CHECKPOINT else None


def _use_of(studio: Studio, asset: Asset) -> Use | None:
    if not studio.paths.database.is_file():  # nothing was drawn yet, and looking writes nothing
        return None
    with opened_history(studio.paths) as history:
        return history.uses().get((asset.kind, asset.key))


def _metadata(asset: Asset) -> dict[str, str]:
    if asset.path.suffix.lower() != ".safetensors":
        return {}
    try:
        notes = read_header(asset.path).metadata
    except StudioError:  # its problem is the reason
        return {}
    return {name[:_NOTE_MAXIMUM]: value[:_NOTE_MAXIMUM] for name, value in notes.items()}


def _counted(assets: list[Asset]) -> str:
    parts = []
    for row in KINDS:
        count = sum(asset.kind == row.key for asset in assets)
        if count:
            parts.append(f"{count} {row.title if count == 1 else row.plural}")
    return ", ".join(parts) or "nothing new"


def _say_removed(args: argparse.Namespace, console: Console, path: Path, done: str, text: str) -> None:
    if args.json:
        console.record({"path": str(path), "done": done})
    else:
        console.result(text)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(expanded(path).absolute()))


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
