"""Where everything lies: the data folder, what is inside it, and the resources that ship with the program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

HOME_VARIABLE = "SDSTUDIO_HOME"
DOWNLOADS_FOLDER = ".downloads"


@dataclass(frozen=True, slots=True)
class StudioPaths:
    """All files of one data folder. Nothing is created before `create`.

    Attributes:
        home: The data folder.
        spare_inputs: Where pictures that requests begin from are kept in place of `inputs`, which can only be read.
    """

    home: Path
    spare_inputs: Path | None = None

    @property
    def images(self) -> Path:
        """Finished pictures, one folder a day."""
        return self.home / "images"

    @property
    def thumbnails(self) -> Path:
        """Small copies, named after their entry."""
        return self.home / "thumbnails"

    @property
    def models(self) -> Path:
        """Models the user put into the data folder."""
        return self.home / "models"

    @property
    def inputs(self) -> Path:
        """Pictures that requests begin from (see ``core.pictures.input_store``)."""
        return self.home / "inputs"

    @property
    def mask_draft(self) -> Path:
        """The mask that is being painted, PNG; missing until one is."""
        return self.home / "mask-draft.png"

    @property
    def wildcards(self) -> Path:
        """The user's wildcards: text files."""
        return self.home / "wildcards"

    @property
    def styles(self) -> Path:
        """The user's styles, CSV; missing until one is changed."""
        return self.home / "styles.csv"

    @property
    def negative_presets(self) -> Path:
        """The user's negative prompt presets, CSV; missing until one is changed."""
        return self.home / "negative_presets.csv"

    @property
    def presets(self) -> Path:
        """The user's presets of parameters, JSON; missing until one is saved."""
        return self.home / "presets.json"

    @property
    def remarks(self) -> Path:
        """The user's notes about models, SQLite."""
        return self.home / "models.db"

    @property
    def covers(self) -> Path:
        """Pictures the user gave to models."""
        return self.home / "covers"

    @property
    def has_downloads(self) -> bool:
        """Whether there are downloads that have not arrived yet (see ``library.getting.download``)."""
        return any((self.models / DOWNLOADS_FOLDER).glob("*/plan.json"))

    @property
    def database(self) -> Path:
        """History and queue."""
        return self.home / "history.db"

    @property
    def settings(self) -> Path:
        """The settings, JSON."""
        return self.home / "settings.json"

    @property
    def window_state(self) -> Path:
        """Window layout and last parameters."""
        return self.home / "window.ini"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.home / "logs"

    @property
    def cache(self) -> Path:
        """What can be made again: model hashes."""
        return self.home / "cache"

    @property
    def converted(self) -> Path:
        """Networks that were converted for OpenVINO (see ``engine.openvino``)."""
        return self.cache / "openvino"

    @property
    def lock(self) -> Path:
        """Held by the window that works on this folder."""
        return self.home / "studio.lock"

    def create(self) -> StudioPaths:
        """Make the folders that are missing; where there is a history that can only be read, they stay so.

        Raises:
            OSError: They cannot be made.
        """
        for folder in (self.home, self.images, self.thumbnails, self.models, self.wildcards, self.logs, self.cache):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError:
                if not os.path.isfile(self.database) or os.access(self.home, os.W_OK):
                    raise
        return self


def expanded(path: Path | str) -> Path:
    """Return a path with ``~`` as the home folder; as it stands where nobody has such a home."""
    return Path(os.path.expanduser(path))


def studio_paths(home: Path | None = None) -> StudioPaths:
    """Return the paths under ``home``, else under ``$SDSTUDIO_HOME``, else under the platform's data folder."""
    chosen = home or (Path(os.environ[HOME_VARIABLE]) if os.environ.get(HOME_VARIABLE) else None)
    return StudioPaths(expanded(chosen or platformdirs.user_data_path("sdstudio", appauthor=False)).absolute())


@cache
def resources() -> Path:
    """Return the folder of shipped files: inside an installed wheel, or beside the package in a checkout."""
    installed = Path(__file__).resolve().parent.parent / "resources"
    return installed if installed.is_dir() else installed.parent.parent / "resources"
