"""From the engine's events to saved pictures: each is saved as it comes, and what cannot be saved stays in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from sdstudio.core.errors import SaveFailed, StudioError
from sdstudio.core.events import EngineEvent, ImageMade, StepDone
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.store import Entry, History


@dataclass(frozen=True, slots=True)
class UnsavedPicture:
    """A picture that could not be saved and is kept in memory."""

    pixels: Image.Image
    recipe: Recipe
    job_id: int | None
    parent_id: int | None
    error: StudioError


class Unsaved:
    """The pictures that could not be saved. Every method may be called from any thread."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pictures: list[UnsavedPicture] = []

    @property
    def pictures(self) -> tuple[UnsavedPicture, ...]:
        """They, oldest first."""
        with self._lock:
            return tuple(self._pictures)

    def add(self, picture: UnsavedPicture) -> None:
        """Keep one."""
        with self._lock:
            self._pictures.append(picture)

    def save(self, picture: UnsavedPicture, folder: Path | None) -> Entry:
        """Save one, in a folder or in the history's own. Raises: SaveFailed, and it stays."""
        with self.writing():
            entry = self._history.save(picture.pixels, picture.recipe, picture.job_id, picture.parent_id, out=folder)
        with self._lock:
            self._pictures.remove(picture)
        return entry

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Bring pictures to the disk only in here; see `end`."""
        with self._writing:
            yield

    def end(self, patience_s: float) -> bool:
        """Wait for the picture that is being saved, and let none be begun any more; False when that took too long."""
        return self._writing.acquire(timeout=patience_s)  # and never given back


class Saving:
    """What comes up from the engine for some pictures: they are saved, and how far the steps came is noted.

    Args:
        history: Where pictures go.
        unsaved: Where those go that cannot be saved.
        job_id: The job they are counted to; ``None`` for none.
        parent_id: The entry they are re-runs of.
        saved: Called with each entry.
        failed: Called when one could not be saved.

    Attributes:
        not_saved: Why a picture could not be saved.
        at_step: The last step that was done, of how many.
        entries: What was saved.
    """

    def __init__(
        self, history: History, unsaved: Unsaved, job_id: int | None, parent_id: int | None,
        saved: Callable[[Entry], object], failed: Callable[[], object],
    ) -> None:  # fmt: skip
        self._history = history
        self._unsaved = unsaved
        self._job_id = job_id
        self._parent_id = parent_id
        self._saved = saved
        self._failed = failed
        self.not_saved: StudioError | None = None
        self.at_step = (0, 0)
        self.entries: list[Entry] = []

    def take(self, event: EngineEvent) -> None:
        """Take an event. Raises the error of a picture that was not saved when further ones would be drawn."""
        if isinstance(event, StepDone):
            self.check()  # its batch is finished; no further one where there is nowhere to put it
            self.at_step = event.step, event.total
        elif isinstance(event, ImageMade):
            self._save(event)

    def check(self) -> None:
        """Raise the error of a picture that was not saved."""
        if self.not_saved is not None:
            raise self.not_saved

    def _save(self, image: ImageMade) -> None:
        job_id = None if image.recipe.is_partly_detailed else self._job_id  # the job still owes the whole one
        try:
            with self._unsaved.writing():
                entry = self._history.save(image.pixels, image.recipe, job_id, self._parent_id)
        except SaveFailed as error:
            self.not_saved = error
            self._unsaved.add(UnsavedPicture(image.pixels, image.recipe, job_id, self._parent_id, error))
            self._failed()
            return
        self.entries.append(entry)
        self._saved(entry)
