"""What can be taken back, the last first: each change of data is pushed here with what undoes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """One change: in words, as "2 pictures moved to the trash", what takes it back, and what then does it again."""

    text: str
    undo: Callable[[], object]
    redo: Callable[[], object] | None = None


def both(first: Change | None, second: Change | None) -> Change | None:
    """Return two changes that were made together as one; ``None`` for neither."""
    if first is None or second is None:
        return first or second

    def do(*acts: Callable[[], object] | None) -> None:
        for act in acts:
            if act is not None:
                act()

    return Change(
        f"{first.text} {second.text}", lambda: do(second.undo, first.undo), lambda: do(first.redo, second.redo)
    )


class Undos(QObject):
    """The changes of this session, all of them: each stroke of a mask is one."""

    #: A change was made or taken back; carries the `Change` that would be taken back next, or None.
    changed = TypedSignal[Change | None]()
    #: A change could not be taken back; carries the StudioError.
    failed = TypedSignal[StudioError]()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._changes: list[Change] = []
        self._undone: list[Change] = []
        self._refused: Change | None = None

    @property
    def last(self) -> Change | None:
        """What `undo` takes back."""
        return self._changes[-1] if self._changes else None

    @property
    def undone(self) -> Change | None:
        """What `redo` does again."""
        return self._undone[-1] if self._undone else None

    def push(self, change: Change) -> None:
        """A change was made; what was taken back before cannot be done again after it."""
        self._changes.append(change)
        self._undone = []
        self.changed.emit(self.last)

    def undo(self, change: Change | None = None) -> None:
        """Take a change back, the last one unless another is given; one that was taken back already is left alone.

        One that cannot be taken back leaves the place to the one before it, and may then be tried once more: there may
        be room on the disk again.
        """
        wanted = change or self.last
        if wanted is None or wanted not in self._changes:
            return
        at = self._changes.index(wanted)
        del self._changes[at]
        try:
            wanted.undo()
        except StudioError as error:
            if wanted is not self._refused:
                self._changes.insert(max(at - 1, 0), wanted)
            self._refused = wanted
            self.failed.emit(error)
        else:
            self._undone = [] if wanted.redo is None else [*self._undone, wanted]
        self.changed.emit(self.last)

    def redo(self, change: Change | None = None) -> None:
        """Do again what was taken back, the last one unless another is given; what is not there is left alone."""
        wanted = change or self.undone
        if wanted is None or wanted.redo is None or wanted not in self._undone:
            return
        self._undone.remove(wanted)
        try:
            wanted.redo()
        except StudioError as error:
            self.failed.emit(error)
        else:
            self._changes.append(wanted)
        self.changed.emit(self.last)
