"""The loupe: one picture large, over the open page or on the whole screen, and from there to those around it.

It lies over the page and changes nothing below: no dock, no scroll bar. On the whole screen it is a window of its own,
for the same reason. It knows the picture by its id, so that what arrives meanwhile does not move what one looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.mark_popup import MarkKind
from sdstudio.ui.entry_tools.loupe.actions import wanted_by
from sdstudio.ui.entry_tools.loupe.bars import LoupeFoot, LoupeHead
from sdstudio.ui.entry_tools.loupe.list import LoupeList
from sdstudio.ui.entry_tools.loupe.menus import compare_menu, use_menu
from sdstudio.ui.entry_tools.loupe.picture import LoupePicture
from sdstudio.ui.entry_tools.loupe.slideshow import Slideshow
from sdstudio.ui.entry_tools.loupe.walk import LoupeWalk
from sdstudio.ui.theme import GRID
from sdstudio.ui.widgets.message_bar import MessageBar

_BARS_SHOWN_MS: Final = 2500
_MESSAGE_PX: Final = 520
_SHOWN_S: Final = 8.0
"""It lies over the picture; Ctrl+Z takes back what it offered, also later."""
_POPUPS: Final[dict[str, MarkKind]] = {"entry_tag": "tag", "entry_collect": "collection"}


class Loupe(QWidget):
    """Shows one picture of a list.

    Args:
        actions: Does what is chosen.
        tasks: Where pictures are read.
        home: The widget it lies over.
    """

    #: A tag or collection is to be chosen: kind, the entries, where on the screen.
    popup_requested = TypedSignal[MarkKind, Sequence[Entry], QPoint]()
    #: What was done last is to be taken back.
    undo_wished = Signal()
    #: It was opened, or left.
    toggled = Signal(bool)
    #: Another interval was chosen for the slideshow; carries its seconds.
    interval_changed = Signal(int)

    def __init__(self, actions: EntryActions, tasks: TaskRunner, home: QWidget) -> None:
        super().__init__(home)
        self.setObjectName("loupe")
        self.setAccessibleName("Large picture")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._actions = actions
        self._home = home
        self._was_in_page = False
        self.picture = LoupePicture(actions, tasks, self)
        self.head = LoupeHead(self)
        self.foot = LoupeFoot(self)
        self.bar = MessageBar("loupeMessage", self)
        self.walk = LoupeWalk(self)
        self.slideshow = Slideshow(self)
        self._bars_out = QTimer(self)
        self._bars_out.setSingleShot(True)
        self._bars_out.setInterval(_BARS_SHOWN_MS)
        self._connect()
        self.hide()

    def _connect(self) -> None:
        self._bars_out.timeout.connect(self._hide_bars)
        self.walk.moved.connect(self._on_moved)
        self.walk.placed.connect(self._show_place)
        self.walk.emptied.connect(self.leave)
        self.walk.failed.connect(self._say)
        self.slideshow.toggled.connect(self.head.set_running)
        self.slideshow.turned.connect(self._turn_page)
        self.picture.shown.connect(self._on_picture_shown)
        self.picture.view.zoom_changed.connect(self.foot.show_zoom)
        self.picture.view.installEventFilter(self)
        self._home.installEventFilter(self)
        self.head.interval_chosen.connect(self.set_interval)
        for bar in (self.head, self.foot):
            bar.wanted.connect(self.do)

    # what is looked at

    @property
    def entry(self) -> Entry | None:
        """The picture that is looked at, ``None`` while the loupe is not open."""
        return self.walk.entry

    @property
    def is_open(self) -> bool:
        """Whether a picture is looked at."""
        return self.walk.pictures is not None

    @property
    def is_full_screen(self) -> bool:
        """Whether it has the whole screen."""
        return self.isWindow()

    def open(self, pictures: LoupeList, entry: Entry, full_screen: bool = False) -> None:
        """Look at a picture of a list."""
        self.bar.dismiss()
        self._was_in_page = False
        self.walk.begin(pictures, entry)
        if full_screen:
            self._fill_screen()
        else:
            self._lie_over_page()
        self.toggled.emit(True)

    def leave(self, come_back: bool = True) -> None:
        """Return to where it was opened, with the picture selected; ``come_back`` not, another page was opened."""
        left = self.walk.end()
        if left is None:
            return
        self.slideshow.run(False)
        was_full = self.is_full_screen
        self.hide()
        if was_full:
            self.setParent(self._home)
            self._home.window().activateWindow()
        self.picture.clear()
        pictures, entry = left
        if come_back:
            pictures.come_back(entry)
        self.toggled.emit(False)

    def _on_moved(self, entry: Entry, is_other: bool) -> None:
        if is_other:
            self.slideshow.wait()
            self.picture.show_entry(entry, self.walk.around())
            self.head.name.say(entry.path.name, str(entry.path))
        self.foot.show_entry(entry, self.picture.size_px)

    def _show_place(self) -> None:
        self.head.show_place(self.walk.row, self.walk.count)
        self.foot.set_ends(self.walk.is_first, self.walk.is_last)

    def _on_picture_shown(self) -> None:
        if self.entry is not None:
            self.foot.show_entry(self.entry, self.picture.size_px)
            self.slideshow.count()

    def forget(self, ids: frozenset[int]) -> None:
        """Pictures went to the trash."""
        self.walk.forget(ids)

    def take_back(self, ids: frozenset[int]) -> None:
        """Pictures came back from the trash, or were made."""
        self.walk.take_back(ids)
        self.picture.forget(ids)

    def offer_undo(self, text: str, undo: Callable[[], object]) -> None:
        """Show what was done and how to take it back."""
        self._say(text, undo)

    def _say(self, text: str, undo: Callable[[], object] | None = None) -> None:
        if self.is_open:
            self.bar.say(text, "info", [("Undo", undo)] if undo else [], _SHOWN_S)
            self._place()

    # what is done

    def do(self, key: str) -> None:
        """Do what a `LoupeAction`, or an `EntryAction` with ``entry_`` before it, stands for."""
        if self.entry is None:
            return
        if key not in ("next", "previous"):
            self._show_bars()
        if key in _POPUPS:
            self.popup_requested.emit(_POPUPS[key], [self.entry], self._at("tag"))
        elif key.startswith("entry_"):
            self._actions.ask(key.removeprefix("entry_"), [self.entry])
        else:
            self._table(self.entry)[key]()

    def _table(self, entry: Entry) -> dict[str, Callable[[], object]]:
        view, walk, actions = self.picture.view, self.walk, self._actions
        return {
            "back": self.go_back,
            "previous": lambda: walk.step(-1),
            "next": lambda: walk.step(1),
            "first": lambda: walk.go(0),
            "last": lambda: walk.go(walk.count - 1),
            "full_screen": self.toggle_full_screen,
            "zoom_out": lambda: view.zoom_by(0.8),
            "zoom_in": lambda: view.zoom_by(1.25),
            "fit": view.fit,
            "actual_size": lambda: view.zoom_to(1.0),
            "toggle_zoom": view.toggle_zoom,
            "slideshow": lambda: self.slideshow.run(not self.slideshow.runs, self.picture.is_read),
            "compare": lambda: compare_menu(actions, entry, walk.others(), self).popup(self._at("compare")),
            "use": lambda: use_menu(actions, entry, self).popup(self._at("use")),
            "menu": lambda: actions.menu([entry], self).popup(self._at("menu")),
            "delete": lambda: actions.ask("delete", [entry]),
            "undo": self.undo_wished.emit,
        }

    def go_back(self) -> None:
        """Stop the slideshow, else leave the screen for the page it came from, else leave."""
        if self.slideshow.runs:
            self.slideshow.run(False)
        elif self.is_full_screen and self._was_in_page:
            self.toggle_full_screen()
        else:
            self.leave()

    def set_interval(self, seconds: int) -> None:
        """Show each picture of the slideshow for so long."""
        self.head.set_interval(seconds)
        self.slideshow.interval_s = seconds
        self.slideshow.run(self.slideshow.runs, self.picture.is_read)
        self.interval_changed.emit(seconds)

    def _turn_page(self) -> None:
        if self.walk.is_last:
            self.walk.go(0)
        else:
            self.walk.step(1)
        if self.picture.is_read:  # the only one there is, or one that was read before
            self.slideshow.count()

    def _at(self, key: str) -> QPoint:
        """Return where a menu of an action's button opens."""
        button = self.foot.button(key)
        return button.mapToGlobal(QPoint(0, button.height() + 2))

    # page and screen

    def toggle_full_screen(self) -> None:
        """Take the whole screen, or give it back."""
        if self.is_full_screen:
            self._lie_over_page()
            self._home.window().activateWindow()
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self._was_in_page = True
            self._fill_screen()

    def _fill_screen(self) -> None:
        window = self._home.window()
        self.setParent(window, Qt.WindowType.Window)
        self.setWindowTitle(window.windowTitle())
        self.setGeometry(window.screen().geometry())
        self.head.set_full_screen(True)
        self.showFullScreen()
        self.activateWindow()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._show_bars()

    def _lie_over_page(self) -> None:
        if self.is_full_screen:
            self.hide()
            self.setParent(self._home)
        self.setWindowState(Qt.WindowState.WindowNoState)
        self.head.set_full_screen(False)
        self._bars_out.stop()
        self.setGeometry(self._home.rect())
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._show_bars()

    def _show_bars(self) -> None:
        """Show the lines above and below; on the whole screen for as long as something is done with them."""
        self.unsetCursor()
        for bar in (self.head, self.foot):
            bar.show()
            bar.raise_()
        self.bar.raise_()
        self._place()
        if self.is_full_screen:
            self._bars_out.start()

    def _hide_bars(self) -> None:
        used = any(bar.underMouse() or bar.isAncestorOf(self.focusWidget() or self) for bar in (self.head, self.foot))
        if used or QApplication.activePopupWidget() is not None:
            self._bars_out.start()
        elif self.is_full_screen:
            self.head.hide()
            self.foot.hide()
            self.setCursor(Qt.CursorShape.BlankCursor)

    def _place(self) -> None:
        high, low = self.head.sizeHint().height(), self.foot.sizeHint().height()
        self.head.setGeometry(0, 0, self.width(), high)
        self.foot.setGeometry(0, self.height() - low, self.width(), low)
        if self.is_full_screen:
            self.picture.view.setGeometry(self.rect())
        else:
            self.picture.view.setGeometry(0, high, self.width(), max(1, self.height() - high - low))
        wide = min(_MESSAGE_PX, self.width() - GRID * 4)
        tall = self.bar.heightForWidth(wide) if self.bar.hasHeightForWidth() else self.bar.sizeHint().height()
        self.bar.setGeometry((self.width() - wide) // 2, self.height() - low - tall - GRID, wide, tall)

    # Qt's events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Follow the size of the page; show the lines when the pointer moves."""
        if watched is self._home and event.type() == QEvent.Type.Resize and not self.is_full_screen:
            self.setGeometry(self._home.rect())
        elif watched is self.picture.view and event.type() == QEvent.Type.MouseMove and self.is_full_screen:
            self._show_bars()
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        """Take its keys before the menu bar does."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and wanted_by(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Do what a key stands for; Enter presses the button that has the focus."""
        key, focused = wanted_by(event), self.focusWidget()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focused, QAbstractButton):
            focused.click()
        elif key:
            self.do(key)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, is_next: bool) -> bool:  # noqa: N802
        """Walk with Tab among its own buttons: what it covers is not there."""
        self._show_bars()
        stops = [self, *(each for each in self.findChildren(QWidget) if _takes_tab(each))]
        at = stops.index(self.focusWidget() or self) if (self.focusWidget() or self) in stops else 0
        stops[(at + (1 if is_next else -1)) % len(stops)].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep everything in its place."""
        super().resizeEvent(event)
        self._place()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """The desktop closes the whole screen: that leaves the loupe."""
        if self.is_open:
            event.ignore()
            self.leave()


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.isVisible() and widget.isEnabled()
