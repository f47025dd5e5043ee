"""``sdstudio doctor``: versions, device, memory, folders, and for everything that is missing how to get it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from sdstudio import __version__
from sdstudio.catalog.built_in import STARTER
from sdstudio.cli.backend import make_backend
from sdstudio.cli.console import Console
from sdstudio.cli.context import Studio
from sdstudio.core.desktop import has_display, install_line, missing_libraries
from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.output_folder import check_output_folder
from sdstudio.core.paths import expanded, resources

_PACKAGES = (
    "torch", "diffusers", "transformers", "accelerate", "safetensors", "PySide6-Essentials", "pydantic", "pillow",
    "numpy", "scipy", "torchsde", "huggingface_hub",
)  # fmt: skip
_LOW_SPACE_BYTES = 2 * 10**9


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``state`` is "ok", "note" for what may be missed, "bad" for what stops work."""

    subject: str
    state: str
    finding: str
    cure: str = ""


def add_doctor(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor", help="check the installation", description="Check the installation; exit code 1: something is wrong."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, console: Console) -> int:
    studio = Studio.open(console, args)
    checks = [*_versions(), *_machine(studio), *_folders(studio), *_models(studio), *_desktop()]
    bad = [check for check in checks if check.state == "bad"]
    if args.json:
        console.record({"ok": not bad, "version": __version__, "checks": [asdict(check) for check in checks]})
    else:
        console.table([(check.state, check.subject, check.finding) for check in checks])
        for check in checks:
            if check.cure:
                console.result(f"-> {check.subject}: {check.cure}")
    return 1 if bad else 0


def _versions() -> Iterator[Check]:
    yield Check("sdstudio", "ok", __version__)
    yield Check("Python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in _PACKAGES:
        try:
            yield Check(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(name, "bad", "not installed", f"{sys.executable} -m pip install {name}")


def _machine(studio: Studio) -> Iterator[Check]:
    memory = psutil.virtual_memory()
    total, free = memory.total / 2**30, memory.available / 2**30
    message = f"{os.cpu_count()} processors, {total:.1f} GiB memory, {free:.1f} GiB of it free"
    yield Check("Computer", "ok", message)
    try:
        engine = make_backend(studio.settings)
    except StudioError as error:
        yield Check("Device", "bad", error.message, error.hint)
        return
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        cure = f"{sys.executable} -m pip install torch diffusers"
        yield Check("Device", "bad", f"torch cannot be imported: {error}", cure)
        return
    try:
        status = engine.status()
        size = f", {status.total_bytes / 2**30:.1f} GiB" if status.total_bytes else ""
        yield Check("Device", "ok", f"{status.device}, {status.dtype}{size}")
        if studio.settings.device == "auto" and status.device == "CPU" and shutil.which("nvidia-smi"):
            version = metadata.version("torch")
            message = f"there is an NVIDIA driver, but torch {version} does not reach a card through it"
            yield Check(
                "Graphics card", "note", message, "Install a torch built for CUDA: https://pytorch.org/get-started"
            )
    finally:
        engine.close()


def _folders(studio: Studio) -> Iterator[Check]:
    paths = studio.paths
    for subject, folder in (("Data folder", paths.home), ("Pictures", paths.images), ("Models", paths.models)):
        yield _writable(subject, folder)
    yield from _output_folder(studio.settings.output_folder)
    for folder in studio.settings.model_folders:
        if os.path.isdir(expanded(folder)):
            yield Check("Model folder", "ok", str(folder))
        else:
            yield Check("Model folder", "note", f"{folder} is not there", "Correct it in the settings.")


def _output_folder(folder: Path | None) -> Iterator[Check]:
    if folder is None:
        return
    try:
        check_output_folder(folder)
    except InvalidRequest as error:
        reason = error.message.partition(": ")[2].rstrip(".")
        cure = f"Pictures are kept in the data folder meanwhile. {error.hint}"
        yield Check("Output folder", "note", f"{folder}: {reason}", cure)
    else:
        yield _writable("Output folder", folder)


def _writable(subject: str, folder: Path) -> Check:
    near = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    try:
        with tempfile.TemporaryFile(dir=near):
            free = shutil.disk_usage(near).free
    except OSError as error:
        cure = "Allow writing to it, or set SDSTUDIO_HOME to another folder."
        return Check(subject, "bad", f"{folder}: {error.strerror}", cure)
    message = f"{folder}, {free / 2**30:.1f} GiB free"
    if free < _LOW_SPACE_BYTES:
        return Check(subject, "note", message, "Free some space: a model takes 2 to 7 GB.")
    return Check(subject, "ok", message)


def _models(studio: Studio) -> Iterator[Check]:
    try:
        starter = studio.library.find(STARTER)
        yield Check("Built-in model", "ok", f"{starter.name}, {starter.size_bytes / 1e6:.1f} MB")
    except StudioError as error:
        yield Check("Built-in model", "bad", error.message, f"Install the studio again; it belongs into {resources()}.")
    others = [model for model in studio.library.models() if model.key != STARTER]
    yield Check("Other models", "ok", str(len(others)))
    for model in others:
        if model.problem:
            yield Check("Model", "note", model.problem)


def _desktop() -> Iterator[Check]:
    missing = missing_libraries()
    if missing:
        names = ", ".join(library.soname for library in missing)
        yield Check("Libraries for the window", "bad", f"missing: {names}", install_line(missing))
    else:
        yield Check("Libraries for the window", "ok", "all there")
    if has_display():
        yield Check("Display", "ok", "there is one")
    else:
        yield Check("Display", "note", "none: the window cannot open", "Draw with `sdstudio generate`.")
