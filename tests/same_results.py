"""Whether two versions of the program give the same results: pixels, texts in pictures, JSON, help and messages.

Before a change that is to change nothing, keep what the code gives, and compare afterwards, in the same environment:

    python -m tests.same_results --keep before.json
    python -m tests.same_results --compare before.json

``--code CHECKOUT`` runs the program of another checkout, older ones too: nothing of the program is used but its command
line, through ``sdstudio.__main__``. ``--models FOLDER`` keeps the tiny models (`tests.same_results_files`) for the next
time. What is run stands in `tests.same_results_runs`; results of one thread and of two are told apart. Paths, times and
versions are replaced by words. Every difference is printed once, with what it was found in; the exit status is 0 when
there is none, 1 for differences, 2 when the program could not be run. It takes about five minutes.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from tests import same_results_files
from tests.same_results_runs import Run, drawing_runs, other_runs

ROOT = Path(__file__).parents[1]
THREADS = (1, 2)
PICTURES = (".png", ".webp", ".jpg")
MISSING = "(missing)"
SHOWN_AT_MOST = 12
"""Names behind one difference that are printed."""

_HIDDEN_FIELDS = frozenset({"duration_s", "changed", "created", "version"})
_PATTERNS = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<hub>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"sdstudio \d+\.\d+\.\d+\S*"), "sdstudio <version>"),
    (re.compile(r"\b[Tt]ook \d+(\.\d+)? ?s\b"), "took <time>"),
)
_OF_THE_MOMENT = "note: the machine is busy"
_COMMAND_LIST = re.compile(r"^  (COMMAND|ACTION)\n((?:    .*\n?)+)", re.MULTILINE)
_COMMAND_NAME = re.compile(r"^    ([a-z][a-z-]*)(?: |$)", re.MULTILINE)

Results = dict[str, Any]


# What is run.


class Program:
    """The command line of one checkout, in this process.

    Args:
        main: Runs one command and returns its exit status.
        places: Folder -> the word that stands for it in results, the most exact first.
    """

    def __init__(self, main: Callable[[Sequence[str]], int], places: Mapping[Path, str]) -> None:
        self._main = main
        self._words = {str(folder): word for folder, word in places.items()}

    def said(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """Run a command; return its exit status and what it wrote to both streams."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = self._main(list(argv))
        return code, out.getvalue(), err.getvalue()

    def normal(self, value: Any, hidden: Sequence[str] = ()) -> Any:
        """Return JSON with words in place of what differs from run to run."""
        return normal(value, self._words, hidden)

    def result(self, run: Run, folders: Mapping[str, Path]) -> Results:
        """Run a row of the table; return its exit status, records, messages, pictures and their texts."""
        code, out, err = self.said(_words(run, folders))
        messages = [line for line in err.splitlines() if not line.startswith(_OF_THE_MOMENT)]
        result: Results = {"code": code, "messages": self.normal(messages)}
        lines = out.splitlines()
        if "--json" not in run.argv:
            return result | {"lines": self.normal(lines)}
        records = [json.loads(line) for line in lines]
        paths = [Path(str(record.get("path", ""))) for record in records]
        pictures = [path for path in paths if path.suffix in PICTURES and path.is_file()]
        for path in pictures:  # its file holds when it was made, and names it where another begins from it
            self._words[hashlib.sha256(path.read_bytes()).hexdigest()] = "<file>"
        result["records"] = self.normal(records, run.hidden)
        if pictures:
            result["pixels"] = [pixels_of(path) for path in pictures]
            result["texts"] = [self.normal(texts_of(path)) for path in pictures]
        return result


def _words(run: Run, folders: Mapping[str, Path]) -> list[str]:
    """Return a command line with folders for their names; braces of wildcards stay as they are."""
    words = list(run.argv)
    for name, folder in folders.items():
        words = [word.replace(f"{{{name}}}", str(folder)) for word in words]
    return words


def normal(value: Any, words: Mapping[str, str], hidden: Sequence[str] = ()) -> Any:
    """Return JSON with words in place of paths, times, versions and the fields of these names."""
    if isinstance(value, Mapping):
        return {
            name: f"<{name}>" if name in _HIDDEN_FIELDS or name in hidden else normal(inner, words, hidden)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [normal(inner, words, hidden) for inner in value]
    if isinstance(value, str):
        for text, word in words.items():
            value = value.replace(text, word)
        for pattern, word in _PATTERNS:
            value = pattern.sub(word, value)
    return value


def pixels_of(path: Path) -> str:
    """Return size and SHA-256 of a picture's decoded RGB pixels."""
    from PIL import Image

    with Image.open(path) as picture:
        return f"{picture.width}x{picture.height} {hashlib.sha256(picture.convert('RGB').tobytes()).hexdigest()}"


def texts_of(path: Path) -> Results:
    """Return the texts that a picture holds, those that are JSON as such."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        texts = {str(name): value for name, value in picture.info.items() if isinstance(value, str)}
    return {name: _as_json(text) for name, text in texts.items()}


def _as_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def helps(said: Callable[[Sequence[str]], str], command: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the help of a command and of all below it."""
    text = said((*command, "--help"))
    yield " ".join(("sdstudio", *command)), text
    for _, names in _COMMAND_LIST.findall(text):
        for name in _COMMAND_NAME.findall(names):
            yield from helps(said, (*command, name))


def not_run(texts: Mapping[str, str], runs: Sequence[Run]) -> list[str]:
    """Return the commands that offer JSON and that no run asks for it."""
    asked = [" ".join(("sdstudio", *run.argv)) + " " for run in runs if "--json" in run.argv]
    offer = [name for name, text in texts.items() if "--json" in text]
    return [name for name in offer if not any(line.startswith(f"{name} ") for line in asked)]


def results_of(program: Program, folders: Mapping[str, Path], threads: int) -> Results:
    """Return everything that is run with so many threads."""
    found: Results = {}
    tables = [json.loads(line) for line in program.said(["schedulers", "--json"])[1].splitlines()]
    keys = {kind: [row["key"] for row in tables if row["kind"] == kind] for kind in ("sampler", "schedule")}
    runs = [*drawing_runs(keys["sampler"], keys["schedule"]), *other_runs()]
    if threads == 1:
        texts = dict(helps(lambda argv: program.said(argv)[1]))
        found["help"] = {name: program.normal(text.splitlines()) for name, text in texts.items()}
        found["not run"] = not_run(texts, runs)
    chosen = [run for run in runs if threads in run.threads]
    found["runs"] = {}
    for number, run in enumerate(chosen):
        found["runs"][run.name] = program.result(run, folders)
        sys.stderr.write(f"\r{threads} thread(s): {number + 1} of {len(chosen)}")
    sys.stderr.write("\n")
    return found


# How the program is started.


def main(argv: Sequence[str] | None = None) -> int:
    """Keep or compare results; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_results", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--keep", type=Path, metavar="FILE", help="write the results")
    what.add_argument("--compare", type=Path, metavar="FILE", help="tell how the results differ from these")
    what.add_argument("--run", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    parser.add_argument("--code", type=Path, default=ROOT, metavar="CHECKOUT", help="whose program is run")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="where the models are kept")
    args = parser.parse_args(argv)
    if args.run is not None:
        _run_here(args.code, args.models, args.run)
        return 0
    with tempfile.TemporaryDirectory(prefix="sdstudio-same-") as room:
        results = _collected(args.code.absolute(), (args.models or Path(room) / "files").absolute(), Path(room))
    if results is None:
        return 2
    if args.keep is not None:
        args.keep.write_text(json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")
        return 0
    lines = list(told(json.loads(args.compare.read_text(encoding="utf-8")), results))
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if len(lines) > 1 else 0


def _collected(code: Path, files: Path, room: Path) -> Results | None:
    """Run everything in one process for each number of threads; ``None`` when one of them fails."""
    results: Results = {}
    for threads in THREADS:
        place = room / f"{threads}"
        (place / "xdg").mkdir(parents=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.same_results", "--run", str(threads), "--code", code, "--models", files],
            env=_environment(place, threads), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return None
        results[f"{threads} thread(s)"] = json.loads((place / "results.json").read_text(encoding="utf-8"))
    return results | {"files": same_results_files.fingerprints(files)}


def _environment(place: Path, threads: int) -> dict[str, str]:
    """Return the environment of a process that sees no desktop, no network and no settings of the user."""
    own = {name: str(place / "xdg") for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SDSTUDIO_", "XDG_"))}
    return kept | own | {
        "SDSTUDIO_HOME": str(place / "home"), "OMP_NUM_THREADS": str(threads), "QT_QPA_PLATFORM": "offscreen",
        "DBUS_SESSION_BUS_ADDRESS": "disabled:", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "COLUMNS": "100", "TZ": "UTC", "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def _run_here(code: Path, files: Path, threads: int) -> None:
    """Run everything in this process, which was started for that, and write the results into its folder."""
    place = Path(os.environ["SDSTUDIO_HOME"]).parent
    from tests.loopback_hub import LoopbackHub, files_of

    with LoopbackHub() as hub:
        os.environ["HF_ENDPOINT"] = hub.url  # read when the models are built
        same_results_files.build(files)
        hub.add("owner/tiny", files_of(files / "models" / "sd2"))
        for name in ("models", "wildcards"):
            shutil.copytree(files / name, place / "home" / name)
        for name in ("presets.json", "styles.csv"):
            shutil.copy(files / name, place / "home")
        sys.path.insert(0, str(code))
        from sdstudio import __file__ as package
        from sdstudio.__main__ import main as start

        if Path(package).parents[1] != code:
            raise SystemExit(f"Code = {code}: {package} was imported in its place.")
        os.chdir(place)
        program = Program(start, {place: "<room>", files: "<files>", code: "<code>"})
        results = results_of(program, {"out": place / "out", "pictures": files / "pictures"}, threads)
    (place / "results.json").write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8")


# How results are compared.


def told(before: Results, after: Results) -> Iterator[str]:
    """Yield a line for each difference, equal ones together, and a last one that counts."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for where, old, new in differences(before, after):
        found.setdefault((where[-1] if where else "", old, new), []).append(" / ".join(where[:-1]))
    for (name, old, new), places in found.items():
        more = f" and {len(places) - SHOWN_AT_MOST} more" if len(places) > SHOWN_AT_MOST else ""
        yield f"{name}: {old} -> {new}\n    in {'; '.join(places[:SHOWN_AT_MOST])}{more}"
    kept, now = (sum(1 for where, _ in leaves(results) if "pixels" in where) for results in (before, after))
    yield f"{len(found)} differences; {kept} pictures before, {now} now."


def differences(before: Any, after: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield where two JSON values differ, and both as text; of lists of lines the lines that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from differences(before.get(name, MISSING), after.get(name, MISSING), (*where, name))
    elif isinstance(before, list) and isinstance(after, list):
        if all(isinstance(value, str) for value in (*before, *after)):
            yield from _lines(before, after, where)
        else:
            for number in range(max(len(before), len(after))):
                old, new = (values[number] if number < len(values) else MISSING for values in (before, after))
                yield from differences(old, new, (*where[:-1], f"{where[-1] if where else ''}[{number}]"))
    elif before != after:
        yield where, _as_text(before), _as_text(after)


def _lines(before: list[str], after: list[str], where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag != "equal":
            yield where, _as_text(before[first:last]), _as_text(after[new_first:new_last])


def _as_text(value: Any) -> str:
    return value if value == MISSING else json.dumps(value, ensure_ascii=False)


def leaves(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every single value of JSON with where it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*where, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, where)
    else:
        yield where, value


if __name__ == "__main__":
    sys.exit(main())
