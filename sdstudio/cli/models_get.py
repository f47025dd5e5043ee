"""``sdstudio models download | import | search | catalogue | token``: models from elsewhere."""

from __future__ import annotations

import argparse
import getpass
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio
from sdstudio.cli.interrupt import interrupt_sets
from sdstudio.cli.progress import share_bar
from sdstudio.core.errors import AccessRefused, Cancelled, InvalidRequest, SaveFailed
from sdstudio.core.paths import StudioPaths, expanded
from sdstudio.library.getting.catalogue import CatalogueRow, catalogue
from sdstudio.library.getting.download import discard, run, stage, unfinished, verified_hashes
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.importing import import_model
from sdstudio.library.getting.meter import DownloadProgress
from sdstudio.library.getting.plan import Plan
from sdstudio.library.getting.planner import DownloadOrder, Planner
from sdstudio.library.getting.tokens import TokenStore
from sdstudio.library.scanning.identify import examine

_BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}B/{total_fmt}B, {rate_fmt}, {remaining} left"


def add_getting(actions: Any) -> None:
    """Declare the commands below ``models``."""
    download = actions.add_parser(
        "download",
        help="download a model",
        description="Download a model. What an earlier try has left is gone on with; what is there is not overwritten.",
    )
    download.add_argument(
        "what", metavar="REPO|URL|KEY", help="owner/name[/FILE][@REVISION], https://… or a catalogue key"
    )
    download.add_argument(
        "--full", action="store_true", help="full-precision weights (default: half where there are some)"
    )
    download.add_argument(
        "--safety-checker", action=argparse.BooleanOptionalAction, default=None,
        help="get the model's filter for explicit pictures too (default: when the settings use it)",
    )  # fmt: skip
    download.add_argument("--sha256", metavar="HEX", default="", help="what the file at an address must have")
    download.add_argument("--dry-run", action="store_true", help="only tell what would be downloaded")
    bringing = actions.add_parser(
        "import",
        help="bring in a model from this computer",
        description="Check a model folder or .safetensors file and link it into the data folder, or copy it.",
    )
    bringing.add_argument("path", metavar="PATH", type=expanded)
    bringing.add_argument("--copy", action="store_true", help="copy even where a hard link would do")
    search = actions.add_parser("search", help="search the Hub", description="Search the Hub for text-to-image models.")
    search.add_argument("text", metavar="TEXT")
    search.add_argument("--limit", metavar="N", type=int, default=20, help="how many at most (default: 20)")
    listed = actions.add_parser("catalogue", help="models worth getting", description="List models worth getting.")
    left = actions.add_parser(
        "downloads",
        help="downloads that were interrupted",
        description="List downloads that were interrupted; `sdstudio models download SOURCE` goes on with one.",
    )
    left.add_argument("--discard", metavar="TITLE", help="delete what has arrived of one; cannot be undone")
    token = actions.add_parser(
        "token",
        help="keep an access token of the Hub",
        description="Read an access token from the terminal or stdin and keep it in the system's keyring.",
    )
    token.add_argument("--forget", action="store_true", help="take it out of the keyring")
    actions_of = (
        (download, _download), (bringing, _import), (search, _search), (listed, _catalogue), (left, _downloads),
    )  # fmt: skip
    for parser, act in actions_of:
        parser.add_argument("--json", action="store_true", help="print one JSON object for each")
        parser.add_argument("--quiet", action="store_true", help="only results and errors")
        parser.set_defaults(run=act)
    token.set_defaults(run=_token)


def _download(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    checker = studio.settings.safety_checker if args.safety_checker is None else args.safety_checker
    order = DownloadOrder(args.what, "full" if args.full else "fp16", checker, args.sha256)
    tokens = TokenStore()
    hub = Hub(tokens)
    cancel = threading.Event()
    created(studio.paths)
    with interrupt_sets(cancel, lambda: console.note("Stopping…")):
        plan = _planned(order, hub, tokens, console, cancel)
        console.note(_announced(plan, studio.paths.models))
        if args.dry_run:
            _report(args, console, plan, studio.paths.models / plan.target)
            return 0
        staged = stage(studio.paths.models, plan)
        try:
            with _bar(console, plan) as show:
                path = run(staged, hub, cancel, show)
        except Cancelled:
            done = staged.done_bytes
            console.note(f"Cancelled at {done / 1e6:,.0f} of {plan.size_bytes / 1e6:,.0f} MB; run it again to go on.")
            raise
    studio.library.learn(verified_hashes(plan, path))
    _report(args, console, plan, path)
    return 0


def _planned(order: DownloadOrder, hub: Hub, tokens: TokenStore, console: Console, cancel: threading.Event) -> Plan:
    try:
        return _with_access(order, hub, cancel)
    except AccessRefused as error:
        if not (console.interactive and sys.stdin is not None and sys.stdin.isatty()):
            raise
        console.note(str(error))
        _enter(tokens, getpass.getpass("Access token (huggingface.co/settings/tokens): "), console)
        return _with_access(order, hub, cancel)


def _with_access(order: DownloadOrder, hub: Hub, cancel: threading.Event) -> Plan:
    """Plan, and find out that a repository is gated before anything is written. Raises: AccessRefused."""
    plan = Planner(hub).plan(order, cancel)
    hub.check_access(plan.files[0].url, plan.source, cancel)
    return plan


def _enter(tokens: TokenStore, token: str, console: Console) -> None:
    kept = tokens.enter(token)
    console.note(
        "The token is in the system's keyring." if kept else "No keyring here: the token serves this run only."
    )


def _announced(plan: Plan, models: Path) -> str:
    licence = plan.licence or "not named"
    size = f"{plan.size_bytes / 1e6:,.0f} MB in {len(plan.files)} file{'s' if len(plan.files) > 1 else ''}"
    return f"{plan.title}: {size}, licence {licence}, to {models / plan.target}. {plan.remark}".strip()


def _report(args: argparse.Namespace, console: Console, plan: Plan, path: Path) -> None:
    problem = examine(path).info.problem if plan.kind == CHECKPOINT and path.exists() else ""
    if args.json:
        console.record({
            "path": str(path), "title": plan.title, "kind": plan.kind, "source": plan.source, "revision": plan.revision,
            "licence": plan.licence, "size_bytes": plan.size_bytes, "files": [file.path for file in plan.files],
            "remark": plan.remark, "problem": problem,
        })  # fmt: skip
    else:
        console.result(str(path))
    if problem:
        console.note(f"note: {problem}")


def _import(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    created(studio.paths)
    cancel = threading.Event()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")), share_bar(console, args.path.name) as show:
        imported = import_model(args.path, studio.paths.models, args.copy, show, cancel)
    console.note("Linked: it takes no more room." if imported.linked else "Copied.")
    if args.json:
        console.record({
            "path": str(imported.path), "kind": imported.kind, "size_bytes": imported.size_bytes,
            "linked": imported.linked,
        })  # fmt: skip
    else:
        console.result(str(imported.path))
    return 0


def _search(args: argparse.Namespace, console: Console) -> int:
    if not 1 <= args.limit <= 200:
        raise InvalidRequest("limit", f"--limit = {args.limit}: allowed is 1 to 200.", "Give another number.")
    cancel = threading.Event()
    with interrupt_sets(cancel, lambda: console.note("Stopping…")):
        models = Hub(TokenStore()).search(args.text, args.limit, cancel)
    if args.json:
        for model in models:
            console.record({
                "repo": model.repo, "downloads": model.downloads, "likes": model.likes, "licence": model.licence,
                "gated": model.gated, "tags": list(model.tags),
            })  # fmt: skip
        return 0
    if not models:
        console.note("Nothing was found.")
    console.table(
        [(model.repo, model.licence or "-", f"{model.downloads:,}", "gated" if model.gated else "") for model in models]
    )
    return 0


def _catalogue(args: argparse.Namespace, console: Console) -> int:
    rows = catalogue()
    if args.json:
        for row in rows:
            console.record(row.model_dump())
    else:
        console.table([(row.key, row.kind, _size(row), row.licence, row.about) for row in rows])
    return 0


def _downloads(args: argparse.Namespace, console: Console) -> int:
    leftovers = unfinished(Studio.open(console, args).paths.models)
    if args.discard is not None:
        chosen = [staged for staged in leftovers if staged.plan.title.casefold() == args.discard.casefold()]
        if not chosen:
            titles = ", ".join(staged.plan.title for staged in leftovers) or "none"
            raise InvalidRequest("discard", f"--discard = {args.discard[:80]!r}: allowed are {titles}.", "Check it.")
        for staged in chosen:
            discard(staged)
            console.note(f"What had arrived of {staged.plan.title} was deleted.")
        return 0
    if args.json:
        for staged in leftovers:
            console.record({
                "title": staged.plan.title, "source": staged.plan.source, "target": str(staged.target),
                "done_bytes": staged.done_bytes, "size_bytes": staged.plan.size_bytes,
            })  # fmt: skip
        return 0
    if not leftovers:
        console.note("No download was interrupted.")
    console.table([
        (staged.plan.title, f"{staged.done_bytes / 1e6:,.0f} of {staged.plan.size_bytes / 1e6:,.0f} MB",
         staged.plan.source) for staged in leftovers
    ])  # fmt: skip
    return 0


def _size(row: CatalogueRow) -> str:
    return f"~{row.size_gb:.1f} GB" if row.size_gb else "-"


def _token(args: argparse.Namespace, console: Console) -> int:
    tokens = TokenStore()
    if args.forget:
        tokens.forget()
        console.note("The token was taken out of the keyring.")
        return 0
    if sys.stdin is not None and sys.stdin.isatty():
        text = getpass.getpass("Access token (huggingface.co/settings/tokens): ")
    else:
        text = sys.stdin.readline() if sys.stdin is not None else ""
    if not tokens.enter(text):
        raise SaveFailed(
            "The token was not kept: this system has no keyring that is open.",
            "Set HF_TOKEN for a run, or install a keyring (on Linux: GNOME Keyring or KWallet).",
        )
    console.note("The token is in the system's keyring.")
    return 0


def created(paths: StudioPaths) -> None:
    """Make the data folder where it is missing. Raises: SaveFailed."""
    try:
        paths.create()
    except OSError as error:
        message = f"Data folder = {paths.home}: it cannot be used ({error.strerror})."
        raise SaveFailed(message, "Set SDSTUDIO_HOME to another folder.") from error


@contextmanager
def _bar(console: Console, plan: Plan) -> Iterator[Callable[[DownloadProgress], None]]:
    bar = tqdm(
        total=plan.size_bytes, unit="B", unit_scale=True, bar_format=_BAR, file=sys.stderr, dynamic_ncols=True,
        disable=console.quiet or sys.stderr is None, mininterval=0.1 if console.interactive else 2.0,
    )  # fmt: skip
    last = ""

    def show(progress: DownloadProgress) -> None:
        nonlocal last
        if progress.doing and progress.doing != last:
            bar.clear()
            console.note(progress.doing)
        last = progress.doing
        bar.set_description_str(plan.title, refresh=False)
        bar.update(progress.done_bytes - bar.n)

    try:
        yield show
    finally:
        bar.close()
