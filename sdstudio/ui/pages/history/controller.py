"""What is done to pictures of the history: stars, favourites, tags, collections, the trash; and how it is taken back.

Marks are written in the background, one after the other, so that a locked database never holds up the window. Every
change can be undone: where the pictures are, a line shows what was done and offers it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QInputDialog

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.history.database.listing import ids_of
from sdstudio.history.database.look import RATING_MAXIMUM
from sdstudio.history.database.marks import Undo
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.mark_popup import MarkKind, MarkPopup
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.message_bar import MessageBar

if TYPE_CHECKING:
    from sdstudio.ui.pages.history.page import HistoryPage

AT_ONCE: Final = 20
"""More pictures than this go to the trash in the background."""


class Teller(Protocol):
    """Where pictures are seen: shows what was done to them, and offers to take it back."""

    bar: MessageBar

    def offer_undo(self, text: str, undo: Callable[[], object]) -> None:
        """Show what was done and how to take it back."""


class Strip(Protocol):
    """The pictures of one job, beside the one that is looked at."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them."""


class LookedAt(Protocol):
    """Where one picture is looked at: it follows what is done to its pictures."""

    @property
    def entry(self) -> Entry | None:
        """The picture."""

    @property
    def strip(self) -> Strip:
        """The pictures beside it."""

    def renew(self, entries: Sequence[Entry]) -> None:
        """Show pictures with other marks."""

    def forget(self, ids: Sequence[int], instead: Entry | None) -> None:
        """Show pictures no more that are gone."""

    def show_entry(self, entry: Entry) -> None:
        """Look at another picture."""


class HistoryController(QObject):
    """Does it, shows it, and keeps what takes it back.

    Args:
        services: The history, and where it is written.
        shell: Keeps what takes a change back, and shows what went wrong.
        model: What the browsers show.
        canvas: Where a picture is looked at.
        actions: Those that mark, compare and delete are done here.
    """

    #: Marks of pictures changed; carries their ids.
    marked = TypedSignal[Sequence[int]]()

    def __init__(
        self, services: Services, shell: Shell, model: HistoryModel, canvas: LookedAt, actions: EntryActions
    ) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._history = services.history
        self._model = model
        self._canvas = canvas
        self._tasks = services.tasks
        self._browsers: list[Teller] = []
        self._waiting: deque[tuple[str, Callable[[], Undo], Sequence[int]]] = deque()
        self._writing = False
        self._popup: MarkPopup | None = None
        for stars in range(RATING_MAXIMUM + 1):
            actions.handle(f"rate_{stars}", partial(self.rate, stars=stars))
        actions.handle("favourite", self.toggle_favourite)
        actions.handle("tag", lambda entries: self.open_popup("tag", entries))
        actions.handle("collect", lambda entries: self.open_popup("collection", entries))
        actions.handle("compare", self.compare)
        actions.handle("delete", self.delete)

    def add_browser(self, browser: Teller) -> None:
        """Let another view of the history show what was done."""
        self._browsers.append(browser)

    def add_page(self, page: HistoryPage) -> None:
        """Serve the History page."""
        self.add_browser(page.browser)
        page.filters.collection_unwanted.connect(self.remove_collection)
        page.filters.new_name_wanted.connect(self.ask_new_name)
        page.details.mark_requested.connect(self.set_mark)
        page.details.popup_requested.connect(self.open_popup)
        self.marked.connect(page.details.show_marks_of)

    # marks

    def rate(self, entries: Sequence[Entry], stars: int) -> None:
        """Give pictures stars."""
        ids = ids_of(entries)
        what = f"{stars} ★" if stars else "no stars"
        self._mark(f"{_pictures(ids)} rated: {what}", lambda: self._history.marks.rate(ids, stars), ids)

    def toggle_favourite(self, entries: Sequence[Entry]) -> None:
        """Make pictures favourites, or no longer when the first of them is one."""
        ids, favourite = ids_of(entries), not entries[0].favourite
        text = f"{_pictures(ids)} {'now among' if favourite else 'no longer among'} the favourites"
        self._mark(text, lambda: self._history.marks.set_favourite(ids, favourite), ids)

    def set_mark(self, kind: MarkKind, entries: Sequence[Entry], name: str, on: bool) -> None:
        """Give pictures a tag or put them into a collection, or take it away."""
        ids, marks = ids_of(entries), self._history.marks
        if kind == "tag":
            change: Callable[[Sequence[int], str], Undo] = marks.add_tag if on else marks.remove_tag
            text = f"Tag “{name}” {'given to' if on else 'taken from'} {_pictures(ids)}"
        else:
            change = marks.collect if on else marks.take_out
            text = f"{_pictures(ids)} {'put into' if on else 'taken out of'} “{name}”"
        self._mark(text, lambda: change(ids, name), ids)

    def remove_collection(self, name: str) -> None:
        """Remove a collection; its pictures stay."""
        self._model.set_look(self._model.look.with_value("collection", name, on=False))
        self._mark(f"Collection “{name}” removed", lambda: self._history.marks.remove_collection(name), ())

    def ask_new_name(self, name: str) -> None:
        """Let the user give a collection another name."""
        dialog = QInputDialog(self._shell.over)
        dialog.setObjectName("renameCollectionDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Rename a collection")
        dialog.setLabelText(f"Another name for “{name}”")
        dialog.setTextValue(name)
        dialog.textValueSelected.connect(lambda new: self.rename_collection(name, new))
        dialog.open()

    def rename_collection(self, old: str, new: str) -> None:
        """Give a collection another name; a filter by the old one is taken away."""
        look = self._model.look
        if old in look.values("collection"):
            self._model.set_look(look.with_value("collection", old, on=False))
        text = f"Collection “{old}” is now “{new}”"
        self._mark(text, lambda: self._history.marks.rename_collection(old, new), ())

    def open_popup(self, kind: MarkKind, entries: Sequence[Entry], where: QPoint | None = None) -> None:
        """Let the user choose tags or collections for pictures.

        Args:
            kind: Which.
            entries: For these.
            where: Where it opens, in global coordinates; default: at the pointer.
        """
        ids = ids_of(entries)
        try:
            offered = self._history.listing.facet(kind)
            held = self._history.marks.held(kind, ids)
        except StudioError as error:
            self._shell.say(str(error), "error")
            return
        if self._popup is not None:
            self._popup.close()
        self._popup = MarkPopup(kind, [name for name, _ in offered], held, len(ids), self._shell.over)
        self._popup.toggled.connect(lambda name, on: self.set_mark(kind, entries, name, on))
        self._popup.open_at(where if where is not None else QCursor.pos())

    def _mark(self, text: str, change: Callable[[], Undo], ids: Sequence[int]) -> None:
        self._waiting.append((text, change, ids))
        self._write()

    def _write(self) -> None:
        if self._writing or not self._waiting:
            return
        text, change, ids = self._waiting.popleft()
        self._writing = True
        self._tasks.run(
            "Marking pictures",
            lambda _task: change(),
            lambda undo: self._on_marked(text, change, undo, ids),
            self._on_mark_failed,
            urgent=True,
        )

    def _on_marked(self, text: str, change: Callable[[], Undo], undo: Undo, ids: Sequence[int]) -> None:
        self._writing = False
        self._show_marks(ids)

        def take_back() -> None:
            undo()
            self._show_marks(ids)

        def do_again() -> None:
            nonlocal undo
            undo = change()
            self._show_marks(ids)

        self.tell(Change(text, take_back, do_again))
        self._write()

    def _on_mark_failed(self, error: StudioError) -> None:
        self._writing = False
        self._shell.say(str(error), "error")
        self._write()

    def _show_marks(self, ids: Sequence[int]) -> None:
        self._model.refresh(ids)
        shown = {entry.id for entry in (self._canvas.entry, *self._canvas.strip.entries) if entry is not None}
        self._canvas.renew(self._history.listing.entries(sorted(shown.intersection(ids))))
        self.marked.emit(ids)

    def compare(self, entries: Sequence[Entry]) -> None:
        """Open a window that compares two pictures. Raises: HistoryError."""
        from sdstudio.ui.entry_tools.compare_window import CompareWindow  # noqa: PLC0415 (not needed to show the window)

        over = QApplication.activeWindow() or self._shell.over  # the loupe may have the whole screen
        CompareWindow(list(entries), self._tasks, over).show()

    # the trash

    def delete(self, entries: Sequence[Entry]) -> None:
        """Move pictures to the system's trash, many of them in the background."""
        ids = ids_of(entries)
        if len(ids) <= AT_ONCE:
            self._on_deleted(*_deleted(self._history, ids))
            return

        stop = threading.Event()
        task = self._tasks.run(
            "Moving pictures to the trash",
            lambda task: _deleted(self._history, ids, task.report, stop),
            lambda deleted: self._on_deleted(*deleted),
        )
        task.progressed.connect(lambda fraction: self._say_progress(round(fraction * len(ids)), len(ids), stop))

    def _say_progress(self, done: int, count: int, stop: threading.Event) -> None:
        for browser in self._browsers:
            text = f"Moving pictures to the trash: {done:,} of {count:,}"
            browser.bar.say(text, "info", [("Stop", stop.set)])

    def _on_deleted(self, gone: list[int], error: StudioError | None) -> None:
        for browser in self._browsers:
            browser.bar.dismiss()
        shown = self._canvas.entry
        was_shown = shown.id if shown is not None and shown.id in gone else None
        self._take_out(gone, error)
        if gone:
            text = f"{_pictures(gone)} moved to the trash"
            self.tell(Change(text, lambda: self._bring_back(gone, was_shown), lambda: self._delete_again(gone)))

    def _take_out(self, gone: list[int], error: StudioError | None) -> None:
        if error is not None:
            self._shell.say(str(error), "error")
        shown = self._canvas.entry
        row = self._model.index_of(shown.id).row() if shown is not None and shown.id in gone else -1
        self._model.remove(gone)
        self._canvas.forget(gone, self._in_place_of(row))

    def _delete_again(self, ids: Sequence[int]) -> None:
        if len(ids) <= AT_ONCE:
            self._take_out(*_deleted(self._history, ids))
            return
        self._tasks.run(
            "Moving pictures to the trash",
            lambda _task: _deleted(self._history, ids),
            lambda taken: self._take_out(*taken),
        )

    def _in_place_of(self, row: int) -> Entry | None:
        """Return what stands in a row from which a picture was taken, the last of all where it was the last."""
        left = self._model.rowCount()
        return self._model.entry(self._model.index(min(row, left - 1))) if row >= 0 and left else None

    def _bring_back(self, ids: Sequence[int], was_shown: int | None = None) -> None:
        if len(ids) <= AT_ONCE:
            try:
                back = self._history.restore(ids)
            except StudioError:
                self._model.reload()
                raise
            self._model.insert(back)
            for entry in back:
                if entry.id == was_shown and self._canvas.entry is not None:  # not over a picture that is being drawn
                    self._canvas.show_entry(entry)
            return
        self._tasks.run(
            "Bringing pictures back",
            lambda _task: self._history.restore(ids),
            self._model.insert,
            self._on_not_brought_back,
        )

    def _on_not_brought_back(self, error: StudioError) -> None:
        self._model.reload()
        self._shell.say(str(error), "error")

    # messages

    def tell(self, change: Change) -> None:
        """Keep what takes a change back, and offer it where the pictures are."""
        self._shell.undos.push(change)
        for browser in self._browsers:
            browser.offer_undo(change.text, lambda: self.undo(change))

    def undo(self, change: Change | None = None) -> None:
        """Take a change back, the last one unless another is given."""
        for browser in self._browsers:
            browser.bar.dismiss()
        self._shell.undos.undo(change)


def _deleted(
    history: History, ids: Sequence[int], tell: Callable[[float], object] | None = None,
    stop: threading.Event | None = None,
) -> tuple[list[int], StudioError | None]:  # fmt: skip
    """Move pictures to the trash one by one; return those that are there now, and what ended it early."""
    gone: list[int] = []
    try:
        for at, entry_id in enumerate(ids):
            if stop is not None and stop.is_set():
                break
            gone += history.delete([entry_id])
            if tell is not None:
                tell((at + 1) / len(ids))
    except StudioError as error:
        return gone, error
    return gone, None


def _pictures(ids: Sequence[int]) -> str:
    return "1 picture" if len(ids) == 1 else f"{len(ids):,} pictures"
