"""Where in a list of pictures the loupe is, while pictures come, go to the trash and come back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.history.store import Entry
from sdstudio.ui.entry_tools.loupe.list import LoupeList


class LoupeWalk(QObject):
    """Goes from picture to picture; knows the one it is at by its id."""

    #: Another picture is reached, or the marks of this one changed; carries it and whether it is another.
    moved = TypedSignal[Entry, bool]()
    #: Its place in the list changed.
    placed = Signal()
    #: No picture is left.
    emptied = Signal()
    #: A picture cannot be read; carries why, in words.
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.pictures: LoupeList | None = None
        self.entry: Entry | None = None
        #: The picture that was looked at before this one.
        self.before: Entry | None = None
        self._row = 0
        self._left: list[int] = []
        self._gone: set[int] = set()

    @property
    def row(self) -> int | None:
        """Where the picture stands, ``None`` when it has left the list."""
        return self.pictures.row_of(self.entry.id) if self.pictures is not None and self.entry is not None else None

    @property
    def count(self) -> int:
        """How many pictures the list has."""
        return len(self.pictures) if self.pictures is not None else 0

    @property
    def is_first(self) -> bool:
        """Whether there is nothing before the picture."""
        return self._row <= 0

    @property
    def is_last(self) -> bool:
        """Whether there is nothing behind the picture."""
        return self._row >= self.count - 1

    def begin(self, pictures: LoupeList, entry: Entry) -> None:
        """Start at a picture of a list."""
        self.end()
        self.pictures = pictures
        self.before = None
        self._left, self._gone = [], set()
        pictures.changed.connect(self._on_changed)
        self._reach(entry)

    def end(self) -> tuple[LoupeList, Entry | None] | None:
        """Let go of the list; return it and the picture, ``None`` in its place when that is in the trash."""
        if self.pictures is None:
            return None
        self.pictures.changed.disconnect(self._on_changed)
        pictures, entry = self.pictures, self.entry
        self.pictures = self.entry = None
        return pictures, None if entry is None or entry.id in self._gone else entry

    def step(self, by: int) -> None:
        """Go so many places further; from one that has left, what stands in its place is the next."""
        here = self.row
        self.go(self._row + by - (by > 0) if here is None else here + by)

    def go(self, row: int) -> None:
        """Go to a row, or to the nearest there is."""
        if self.pictures is None or not len(self.pictures):
            return
        try:
            entry = self.pictures.entry(min(max(row, 0), len(self.pictures) - 1))
        except StudioError as error:
            self.failed.emit(str(error))
            return
        if self.entry is None or entry.id != self.entry.id:
            self.before = self.entry
            self._reach(entry)

    def around(self) -> list[Entry]:
        """Return the next picture and the one before."""
        if self.pictures is None:
            return []
        rows = [row for row in (self._row + 1, self._row - 1) if 0 <= row < len(self.pictures)]
        try:
            return [self.pictures.entry(row) for row in rows]
        except StudioError:
            return []  # shown when it is their turn

    def others(self) -> list[tuple[str, Entry | None]]:
        """Return the pictures to compare this one with, each with what it is called."""
        if self.pictures is None:
            return []
        here = self.entry.id if self.entry is not None else 0
        chosen = [each for each in self.pictures.selected() if each.id != here]
        kin: list[tuple[str, Entry | None]] = []
        kin += [("The other selected picture", each) for each in chosen[:1]]
        kin.append(("The picture seen before", self.before))
        for each in self.around():
            is_next = self.pictures.row_of(each.id) == self._row + 1
            kin.append(("Next picture" if is_next else "Previous picture", each))
        return kin

    def forget(self, ids: frozenset[int]) -> None:
        """Pictures went to the trash."""
        self._gone |= ids
        QTimer.singleShot(0, self, self._on_changed)  # the list may not have been updated yet

    def take_back(self, ids: frozenset[int]) -> None:
        """Pictures came back from the trash, or were made."""
        self._gone -= ids

    def show_marks_of(self, entries: Sequence[Entry]) -> None:
        """Marks of these pictures changed."""
        for entry in entries:
            if self.entry is not None and entry.id == self.entry.id:
                self.entry = entry
                self.moved.emit(entry, False)

    def _reach(self, entry: Entry) -> None:
        self.entry = entry
        self._place()
        self.moved.emit(entry, True)

    def _place(self) -> None:
        row = self.row
        if row is not None:
            self._row = row
        self.placed.emit()

    def _on_changed(self) -> None:
        """Stay at the picture, unless it went to the trash, or one came back that was left by going there."""
        if self.pictures is None or self.entry is None:
            return
        if not len(self.pictures):
            if self.entry.id in self._gone:
                self.emptied.emit()
            return
        back = [key for key in self._left if key not in self._gone and self.pictures.row_of(key) is not None]
        if back:
            self._left.remove(back[-1])
            self.go(self.pictures.row_of(back[-1]) or 0)
        elif self.entry.id in self._gone and self.row is None:
            self._left.append(self.entry.id)
            self.go(self._row)
        self._place()
