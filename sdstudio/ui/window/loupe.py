"""From where the loupe is opened, and which list it then walks along: the history's, or that of a job's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import HistoryError
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entry_tools.loupe.slideshow import INTERVALS_S
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.history.controller import HistoryController
from sdstudio.ui.window.pages import Pages

if TYPE_CHECKING:
    from sdstudio.ui.entry_tools.loupe.list import LoupeList
    from sdstudio.ui.entry_tools.loupe.view import Loupe


@dataclass(frozen=True, slots=True)
class Shown:
    """What shows pictures: the pages, the canvas, the browser in its dock, and the rows of all browsers."""

    pages: Pages
    canvas: Canvas
    browser: HistoryBrowser
    model: HistoryModel


class LoupeController(QObject):
    """Opens the loupe, which is built when it is first wanted.

    Args:
        shown: What shows pictures.
        actions: Does what is chosen.
        marking: Shows in the loupe what was done to pictures.
        history: Where marks are read.
        tasks: Where pictures are read.
    """

    #: It was opened, or left.
    toggled = Signal(bool)

    def __init__(
        self, shown: Shown, actions: EntryActions, marking: HistoryController, history: History, tasks: TaskRunner
    ) -> None:
        super().__init__(shown.pages)
        self._shown = shown
        self._actions = actions
        self._marking = marking
        self._history = history
        self._tasks = tasks
        self._loupe: Loupe | None = None
        self._interval_s = INTERVALS_S[1]
        actions.handle("look", self.look)
        shown.pages.opened.connect(lambda _name: self.leave(come_back=False))

    @property
    def entry(self) -> Entry | None:
        """The picture that is looked at large, ``None`` while none is."""
        return self._loupe.entry if self._loupe is not None else None

    def state(self) -> dict[str, int]:
        """Return what is to be remembered for the next start."""
        return {"interval_s": self._interval_s}

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered, where it makes sense."""
        seconds = state.get("interval_s")
        if isinstance(seconds, int) and seconds in INTERVALS_S:
            self._interval_s = seconds

    def open(self, pictures: LoupeList, entry: Entry, full_screen: bool = False) -> None:
        """Look at a picture, and from there at those around it."""
        self._built().open(pictures, entry, full_screen)

    def look(self, entries: Sequence[Entry], full_screen: bool = False) -> None:
        """Look at a picture where it is chosen: in the history that is open or has the focus, else on the canvas."""
        entry, canvas = entries[0], self._shown.canvas
        in_history = self._shown.pages.name == "History" or self._shown.browser.view.hasFocus()
        if not in_history and canvas.entry is not None and canvas.entry.id == entry.id:
            self._open_canvas(entry, full_screen)
        else:
            self._open_from(self._shown.pages.browser, entry, full_screen)

    def toggle_full_screen(self) -> bool:
        """Give the whole screen to the chosen picture, or take it back; False where none is chosen."""
        if self._loupe is not None and self._loupe.is_open:
            self._loupe.toggle_full_screen()
            return True
        browser, on_canvas = self._shown.pages.browser, self._shown.canvas.entry
        in_history = self._shown.pages.name == "History" or browser.view.hasFocus()
        selected = browser.selected() if in_history else ()
        chosen = [selected[0]] if selected else [on_canvas] if on_canvas is not None else []
        if chosen:
            self.look(chosen, full_screen=True)
        return bool(chosen)

    def leave(self, come_back: bool = True) -> bool:
        """Leave the loupe; False where it was not open."""
        was_open = self._loupe is not None and self._loupe.is_open
        if self._loupe is not None:
            self._loupe.leave(come_back)
        return was_open

    def _open_from(self, browser: HistoryBrowser, entry: Entry, full_screen: bool = False) -> None:
        from sdstudio.ui.entry_tools.loupe.list import HistoryList  # noqa: PLC0415 (not needed to show the window)

        self.open(HistoryList(browser, self._shown.model), entry, full_screen)

    def _open_canvas(self, entry: Entry, full_screen: bool = False) -> None:
        from sdstudio.ui.pages.create.loupe_lists import CanvasList, StripList  # noqa: PLC0415 (as above)

        shown = self._shown
        if len(shown.canvas.strip.entries) > 1:
            self.open(StripList(shown.canvas, shown.model), entry, full_screen)
        else:
            self.open(CanvasList(shown.browser, shown.model, shown.canvas), entry, full_screen)

    def _built(self) -> Loupe:
        if self._loupe is None:
            from sdstudio.ui.entry_tools.loupe.view import Loupe  # noqa: PLC0415 (as above)

            loupe = self._loupe = Loupe(self._actions, self._tasks, self._shown.pages)
            loupe.picture.mime_of = self._shown.canvas.mime_of
            loupe.popup_requested.connect(self._marking.open_popup)
            loupe.undo_wished.connect(self._marking.undo)
            loupe.toggled.connect(self.toggled)
            loupe.interval_changed.connect(self._on_interval_changed)
            self._marking.add_browser(loupe)
            self._marking.marked.connect(self._show_marks_of)
            self._shown.model.entries_gone.connect(loupe.forget)
            self._shown.model.entries_back.connect(loupe.take_back)
            loupe.set_interval(self._interval_s)
        return self._loupe

    def _show_marks_of(self, ids: Sequence[int]) -> None:
        entry = self.entry
        if self._loupe is None or entry is None or (ids and entry.id not in ids):
            return
        try:
            self._loupe.walk.show_marks_of(self._history.listing.entries([entry.id]))
        except HistoryError:
            return  # the next look at it shows more than a star could

    def _on_interval_changed(self, seconds: int) -> None:
        self._interval_s = seconds
