"""How the library gets smaller: files to the trash and back, copies to hard links and back; off the window's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext, TaskRunner
from sdstudio.catalog.built_in import is_built_in
from sdstudio.core.errors import SaveFailed, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.readable import readable_duration
from sdstudio.core.trash import take_out
from sdstudio.library.library import Library
from sdstudio.library.links import Linked, part
from sdstudio.library.space import Duplicates, goes_with
from sdstudio.ui.pages.library.space_view import SpaceView
from sdstudio.ui.widgets.desktop import move_to_trash

BUILT_IN_STAYS: Final = "It is built in and stays: it is part of the program."


class LibraryTidying(QObject):
    """Throws away and links."""

    #: The disk has changed: models are to be looked for again.
    changed = Signal()
    #: Something was done; carries the message and a callable that takes it back.
    done = TypedSignal[str, Callable[[], object]]()
    #: A message is to be shown.
    message_wanted = Signal(str)
    #: Something failed; carries the StudioError.
    failed = TypedSignal[StudioError]()

    def __init__(self, library: Library, tasks: TaskRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._library = library
        self._tasks = tasks
        self._view: SpaceView | None = None
        self._searching: Task[Any] | None = None

    def add_view(self, view: SpaceView) -> None:
        """Serve the view of the space from now on."""
        self._view = view
        view.search_pressed.connect(self.look_for_duplicates)
        view.cancel_pressed.connect(lambda: self._searching.cancel() if self._searching is not None else None)
        view.link_pressed.connect(self.link_copies)

    def throw_away(self, asset: Asset) -> None:
        """Move an asset to the system's trash; it can be brought back."""
        if is_built_in(asset.kind, asset.key):
            self.message_wanted.emit(BUILT_IN_STAYS)
            return
        place = goes_with(asset)
        self._tasks.run(
            f"Moving {asset.name} to the trash",
            lambda _task: _thrown_away(place),
            lambda trashed: self._on_thrown_away(asset, place, trashed),
            self.failed.emit,
        )

    def _on_thrown_away(self, asset: Asset, place: Path, trashed: Path | None) -> None:
        self.changed.emit()
        what = asset.name if place == asset.path else f"{place.name}, the whole repository of {asset.name},"
        if trashed is None:
            self.message_wanted.emit(f"{what} is in the trash; bring it back from there.")
            return
        self.done.emit(f"{what} moved to the trash", lambda: self._bring_back(place, trashed))

    def _bring_back(self, place: Path, trashed: Path) -> None:
        try:
            back = take_out(place, trashed)
        except OSError as error:
            message = f"{place} could not be brought back: {error.strerror or error}."
            raise SaveFailed(message, "Move it out of the trash by hand.") from error
        if not back:
            raise SaveFailed(f"{place} is no longer in the trash.", "Get the model again from where it came from.")
        self.changed.emit()

    # files with the same bytes

    def look_for_duplicates(self) -> None:
        """Read files of one size and compare them, with progress and a way to stop."""
        if self._searching is not None or self._view is None:
            return
        space = self._view
        space.set_searching(True)
        self._searching = self._tasks.run(
            "Finding duplicates",
            lambda task: self._library.duplicates(task.report, task.cancelled_event),
            space.show_duplicates,
        )
        began = time.monotonic()

        def tell(fraction: float) -> None:
            spent = time.monotonic() - began
            left = spent * (1 - fraction) / fraction if fraction > 0 and spent > 1 else 0.0
            space.tell(fraction, f", {readable_duration(left)} left" if left else "")

        self._searching.progressed.connect(tell)
        for end in (self._searching.succeeded, self._searching.failed, self._searching.cancelled):
            end.connect(self._on_search_ended)
        self._searching.cancelled.connect(lambda: space.twice_said.setText("Cancelled. What was read is remembered."))

    def _on_search_ended(self) -> None:
        self._searching = None
        if self._view is not None:
            self._view.set_searching(False)

    def link_copies(self, groups: Sequence[Duplicates]) -> None:
        """Make copies second names of the oldest of each group."""

        def work(_task: TaskContext) -> tuple[list[Linked], list[str]]:
            linked, refused = [], []
            for group in groups:
                for copy in group.assets[1:]:
                    try:
                        linked.append(self._library.link_copy(group.assets[0], copy))
                    except StudioError as error:
                        refused.append(str(error))
            return linked, refused

        self._tasks.run("Linking copies", work, self._on_linked, self.failed.emit)

    def _on_linked(self, result: tuple[list[Linked], list[str]]) -> None:
        linked, refused = result
        self.changed.emit()
        self.look_for_duplicates()
        if linked:
            files = "1 copy is" if len(linked) == 1 else f"{len(linked)} copies are"
            self.done.emit(f"{files} a hard link now. {' '.join(refused[:1])}".strip(), partial(self._part, linked))
        elif refused:
            self.message_wanted.emit(refused[0])

    def _part(self, linked: Sequence[Linked]) -> None:
        def work(_task: TaskContext) -> None:
            for one in linked:
                part(one)

        self._tasks.run("Copying again", work, lambda _none: self._on_parted(), self.failed.emit)

    def _on_parted(self) -> None:
        self.changed.emit()
        self.look_for_duplicates()


def _thrown_away(place: Path) -> Path | None:
    try:
        return move_to_trash(place)
    except OSError as error:
        message = f"{place} could not be moved to the trash: {error.strerror or error}."
        raise SaveFailed(message, "Delete it by hand.") from error
