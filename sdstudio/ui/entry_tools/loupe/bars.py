"""The lines above and below the picture in the loupe: where one is, what made the picture, a button for each action."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QActionGroup, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from sdstudio.history.store import Entry
from sdstudio.ui.entries.caption import facts_of
from sdstudio.ui.entries.stars import Stars
from sdstudio.ui.entry_tools.loupe.actions import LOUPE_ACTION_BY_KEY
from sdstudio.ui.entry_tools.loupe.slideshow import INTERVALS_S
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.elided_label import ElidedLabel
from sdstudio.ui.widgets.tooltips import wrapped

_ZOOM_PX: Final = 52
_WORDS_PX: Final = 1000
_WORDS: Final = {"compare": " Compare", "use": " Use parameters"}
_ICON_ONLY: Final = Qt.ToolButtonStyle.ToolButtonIconOnly


class LoupeHead(QFrame):
    """Back, which picture of how many, its file's name, slideshow, full screen."""

    #: A button was pressed; carries the key of its `LoupeAction`.
    wanted = Signal(str)
    #: Another interval was chosen; carries its seconds.
    interval_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("loupeHead")
        self._back = tool_button(self, "back", self.wanted)
        self.position = QLabel(self)
        self.position.setObjectName("loupePosition")
        self.name = ElidedLabel(self)
        self.name.setObjectName("loupeName")
        self.name.setProperty("role", "muted")
        self._slideshow = tool_button(self, "slideshow", self.wanted)
        self._interval = QToolButton(self)
        self._interval.setObjectName("loupe_interval")
        self._interval.setAccessibleName("Seconds for each picture of the slideshow")
        self._interval.setToolTip("How long the slideshow shows each picture")
        self._interval.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._interval.setMinimumWidth(GRID * 6)
        mark(self._interval, "ghost", True)
        self._interval.clicked.connect(self._open_intervals)
        self._full = tool_button(self, "full_screen", self.wanted)
        self.menu: QMenu | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self._back)
        row.addWidget(self.position)
        row.addWidget(self.name, 1)
        row.addWidget(self._slideshow)
        row.addWidget(self._interval)
        row.addWidget(self._full)
        self.set_interval(INTERVALS_S[1])

    def show_place(self, row: int | None, count: int, more: bool = False) -> None:
        """Show which picture of how many is shown; ``row`` is ``None`` for one that has left the list."""
        of = f"{count:,}{'+' if more else ''}"
        self.position.setText(f"No longer in this list of {of}" if row is None else f"{row + 1:,} of {of}")

    def set_running(self, running: bool) -> None:
        """Return whether the slideshow runs."""
        set_icon(self._slideshow, "pause" if running else "play")
        mark(self._slideshow, "picked", running)

    def set_full_screen(self, is_full: bool) -> None:
        """Return whether it has the whole screen."""
        set_icon(self._full, "minimize" if is_full else "maximize")

    def set_interval(self, seconds: int) -> None:
        """Show how long each picture of a slideshow is shown."""
        self._seconds = seconds
        self._interval.setText(f"{seconds} s")

    def _open_intervals(self) -> None:
        if self.menu is not None:
            self.menu.deleteLater()
        self.menu = QMenu(self)
        group = QActionGroup(self.menu)
        for seconds in INTERVALS_S:
            action = self.menu.addAction(f"{seconds} seconds")
            action.setCheckable(True)
            action.setChecked(seconds == self._seconds)
            group.addAction(action)
            action.triggered.connect(lambda _checked=False, seconds=seconds: self.interval_chosen.emit(seconds))
        self.menu.popup(self._interval.mapToGlobal(QPoint(0, self._interval.height() + 2)))


class LoupeFoot(QFrame):
    """The prompt, the facts, and a button for each action."""

    #: A button was pressed; carries the key of its `LoupeAction`, or of the `EntryAction` with ``entry_`` before it.
    wanted = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("loupeFoot")
        self.prompt = ElidedLabel(self)
        self.prompt.setObjectName("loupePrompt")
        self.facts = ElidedLabel(self)
        self.facts.setObjectName("loupeFacts")
        self.facts.setProperty("role", "muted")
        self.stars = Stars(self)
        self.stars.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # clicked, they would take the arrows
        self.stars.rated.connect(lambda stars: self.wanted.emit(f"entry_rate_{stars}"))
        self._heart = self._mark_button("favourite", "Favourite (F)", "heart")
        self._tag = self._mark_button("tag", "Tags… (T)", "tag")
        self._zoom = QLabel(self)
        self._zoom.setObjectName("loupeZoom")
        self._zoom.setProperty("role", "muted")
        self._zoom.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._zoom.setFixedWidth(_ZOOM_PX)
        self._buttons: dict[str, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID, GRID, GRID // 2)
        column.setSpacing(2)
        column.addWidget(self.prompt)
        column.addWidget(self.facts)
        column.addLayout(self._tools())

    def _tools(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self.stars)
        row.addWidget(self._heart)
        row.addWidget(self._tag)
        row.addStretch(1)
        for key in ("previous", "next"):
            row.addWidget(self._button(key))
        row.addStretch(1)
        row.addWidget(self._button("zoom_out"))
        row.addWidget(self._zoom)
        for key in ("zoom_in", "fit", "actual_size"):
            row.addWidget(self._button(key))
        self._buttons["actual_size"].setText("1:1")
        self._buttons["actual_size"].setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._buttons["actual_size"].setMinimumWidth(GRID * 5)
        row.addSpacing(GRID)
        for key in ("compare", "use", "menu"):
            row.addWidget(self._button(key))
        for key, words in _WORDS.items():
            self._buttons[key].setText(words)
        row.addSpacing(GRID)
        row.addWidget(self._button("delete"))
        return row

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Show in words what two of the icons mean, where there is room for it."""
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if self.width() >= _WORDS_PX else _ICON_ONLY
        for key in _WORDS:
            self._buttons[key].setToolButtonStyle(style)

    def button(self, key: str) -> QWidget:
        """Return the button of an action: a menu opens at it."""
        return self._tag if key == "tag" else self._buttons[key]

    def show_entry(self, entry: Entry, size: QSize) -> None:
        """Show what made a picture of this size in pixels, and show its marks."""
        prompt = entry.recipe.request.prompt[:4000]
        self.prompt.say(" ".join(prompt.split())[:2000] or "No prompt", wrapped(prompt))
        self.facts.say(facts_of(entry, (size.width(), size.height())))
        self.stars.set_stars(entry.rating)
        set_icon(self._heart, "heart-full" if entry.favourite else "heart", "danger" if entry.favourite else "text")
        self._heart.setAccessibleDescription("yes" if entry.favourite else "no")

    def show_zoom(self, zoom: float) -> None:
        """Show how large the picture is shown."""
        self._zoom.setText(f"{zoom:.0%}")

    def set_ends(self, is_first: bool, is_last: bool) -> None:
        """Return whether there is nothing before or after the picture."""
        self._buttons["previous"].setEnabled(not is_first)
        self._buttons["next"].setEnabled(not is_last)

    def _button(self, key: str) -> QToolButton:
        self._buttons[key] = tool_button(self, key, self.wanted)
        return self._buttons[key]

    def _mark_button(self, key: str, about: str, icon_name: str) -> QToolButton:
        button = _ghost(self, f"loupe_{key}", about.partition(" (")[0].rstrip("…"), about, icon_name)
        button.clicked.connect(lambda: self.wanted.emit(f"entry_{key}"))
        return button


def tool_button(parent: QWidget, key: str, wanted: SignalInstance) -> QToolButton:
    """Return the button of a `LoupeAction`."""
    row = LOUPE_ACTION_BY_KEY[key]
    button = _ghost(parent, f"loupe_{key}", row.title, row.about, row.icon)
    button.clicked.connect(lambda: wanted.emit(key))
    return button


def _ghost(parent: QWidget, name: str, title: str, about: str, icon_name: str) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setAccessibleName(title)
    button.setToolTip(about)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # clicked, it would take the keys that walk and zoom
    mark(button, "ghost", True)
    set_icon(button, icon_name)
    return button
