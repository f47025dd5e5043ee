"""What every command works with: data folder, settings with this run's flags on top, models, history."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdstudio.cli.console import Console
from sdstudio.cli.flags import add_flags, given
from sdstudio.core.errors import HistoryError, SaveFailed
from sdstudio.core.params import parameters
from sdstudio.core.paths import StudioPaths, studio_paths
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.library.library import Library

NOT_FOR_A_RUN = (
    "theme", "font_size", "previews", "preview_interval_ms", "end_sound", "end_notification", "output_folder",
    "name_pattern", "file_format", "jpeg_quality", "copies_tell", "model_folders", "mask_colour", "mask_opacity",
    "pen_pressure", "free_after_min",
)  # fmt: skip
"""Settings that do not touch what is drawn: the window's, how pictures are kept, which parameters copies hold."""


@dataclass(frozen=True, slots=True)
class Studio:
    """A data folder with its settings and models; nothing is created before the history is opened."""

    paths: StudioPaths
    settings: Settings
    library: Library

    @classmethod
    def open(cls, console: Console, args: argparse.Namespace) -> Studio:
        """Read the settings; flags given on the command line go before them."""
        paths = studio_paths()
        settings, warnings = Settings.load(paths.settings)
        for warning in warnings:
            console.note(f"note: {warning}")
        settings = settings.model_copy(update={"previews": False, **given(args, parameters(Settings))})
        return cls.at(paths, settings)

    @classmethod
    def at(cls, paths: StudioPaths, settings: Settings) -> Studio:
        """Return a data folder's with these settings."""
        return cls(paths, settings, Library(paths, settings.model_folders, settings.open_pickles))


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the settings that may differ for one run."""
    rows = [row for row in parameters(Settings) if row.name not in NOT_FOR_A_RUN]
    add_flags(parser.add_argument_group("for this run (default: the settings)"), rows)


@contextmanager
def opened_history(paths: StudioPaths, settings: Settings | None = None) -> Iterator[History]:
    """Open the history of this data folder, to keep pictures as the settings ask, and close it again.

    Raises:
        HistoryError: See `History`.
        SaveFailed: The data folder cannot be used.
    """
    try:
        paths.create()
    except OSError as error:
        message = f"Data folder = {paths.home}: it cannot be used ({error.strerror})."
        raise SaveFailed(message, "Set SDSTUDIO_HOME to another folder.") from error
    history = History(paths, _no_trash)
    if settings is not None:
        history.configure(settings)
    try:
        yield history
    finally:
        history.close()


def _no_trash(path: Path) -> Path | None:
    raise HistoryError(f"{path} was not deleted: the command line deletes nothing.", "Delete it in the window.")
