"""The Library page: its views (models, space, and what others bring), its buttons, and the messages above them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.library.scanning.places import Trouble
from sdstudio.ui.pages.library.models_view import LibraryView
from sdstudio.ui.pages.library.space_view import SpaceView
from sdstudio.ui.theme import GRID, mark, scaled, set_icon
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.desktop import reveal
from sdstudio.ui.widgets.elided_label import ElidedLabel
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar

MODELS: Final = "models"
SPACE: Final = "space"
_ROOM_FOR_TITLES_PX: Final = 1240


class ModelManager(QWidget):
    """Shows what the library holds and emits what is asked for; others scan, hash and keep."""

    #: A folder is to be looked for models in from now on; carries its path.
    folder_added = TypedSignal[Path]()
    #: The disk is to be looked at again.
    rescan_requested = Signal()
    #: The hashes of all files are to be computed.
    hash_all_requested = Signal()
    #: The hashing is to stop.
    hashing_cancelled = Signal()

    def __init__(self, models_folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelManager")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._models_folder = models_folder
        self._titles: dict[QPushButton, str] = {}
        self._tab_titles: dict[QPushButton, str] = {}
        self.bar = MessageBar("libraryMessage", self)
        self._tabs = QButtonGroup(self)
        self._views: dict[str, tuple[QPushButton, QWidget]] = {}
        self._tab_row = QHBoxLayout()
        self._tab_row.setSpacing(GRID // 2)
        self._stack = QStackedWidget(self)
        self._action_row = QHBoxLayout()
        self._action_row.setSpacing(GRID)
        self.rescan_button = self._button("rescanButton", "Rescan folders", "refresh-cw", self.rescan_requested.emit)
        self.hash_button = self._button("hashAllButton", "Compute hashes", "hash", self.hash_all_requested.emit)
        self.hash_button.setToolTip("Compute the hashes of all files, in the background; pictures come first")
        self.stop_button = self._button("stopHashingButton", "Stop hashing", "x", self.hashing_cancelled.emit)
        self._hash_place = QStackedWidget(self)  # as wide as the wider one: what stands beside it never moves
        self._hash_place.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        for button in (self.hash_button, self.stop_button):
            self._hash_place.addWidget(button)
        self._hashing = ElidedLabel(self)
        self._hashing.setProperty("role", "muted")
        self._troubles = QLabel(self)
        self._troubles.setObjectName("libraryTroubles")
        self._troubles.setTextFormat(Qt.TextFormat.PlainText)
        self._troubles.setProperty("role", "warning")
        self._troubles.setWordWrap(True)
        self._lay_out()
        self.models = LibraryView(self)  # after the buttons above it, for Tab goes in the order of making
        #: Takes the keys when the page is opened.
        self.first: QWidget = self.models.list
        self.space = SpaceView(self)
        self.add_view(MODELS, "Models", "box", self.models)
        self.add_view(SPACE, "Disk usage", "hard-drive", self.space)
        self.open_view(MODELS)
        self.show_hashing("")
        self.show_troubles(())

    def add_view(self, key: str, title: str, icon_name: str, view: QWidget) -> QPushButton:
        """Give the page one more view, with a button to open it; return the button."""
        button = QPushButton(f" {title}", self)
        button.setObjectName(f"{key}ViewButton")
        button.setAccessibleName(f"{title} view")
        button.setCheckable(True)
        mark(button, "nav", True)
        set_icon(button, icon_name)
        button.clicked.connect(lambda: self.open_view(key))
        button.setToolTip(title)
        self._tab_titles[button] = title
        self._tabs.addButton(button)
        self._tab_row.addWidget(button)
        self._stack.addWidget(view)
        self._views[key] = (button, view)
        return button

    def open_view(self, key: str) -> None:
        """Open one of the views."""
        button, view = self._views[key]
        button.setChecked(True)
        self._stack.setCurrentWidget(view)

    def add_action(self, name: str, title: str, icon_name: str, act: Callable[[], object]) -> QPushButton:
        """Give the page one more button, for something to do with models; return it."""
        button = self._button(name, title, icon_name, act)
        self._action_row.addWidget(button)
        return button

    def show_file(self, path: Path) -> None:
        """Show one file among the models."""
        self.open_view(MODELS)
        self.models.choose(path)
        self.models.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_scanning(self, scanning: bool) -> None:
        """Return whether the disk is being looked at."""
        self.rescan_button.setEnabled(not scanning)
        self.rescan_button.setMinimumWidth(self.rescan_button.width() if scanning else 0)  # its words are shorter
        self._titles[self.rescan_button] = "Scanning…" if scanning else "Rescan folders"
        self._fit_titles()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Where there is little room, buttons show their icons alone; the tooltips have the words."""
        super().resizeEvent(event)
        self.rescan_button.setMinimumWidth(0)
        self._fit_titles()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """The buttons' own sizes are known once the style sheet has been applied to them."""
        super().showEvent(event)
        for button in (*self._titles, *self._tab_titles):
            button.ensurePolished()
        self._fit_titles()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Another font or style needs another room."""
        super().changeEvent(event)
        if self.isVisible() and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_titles()

    def _fit_titles(self) -> None:
        for button, title in self._titles.items():
            button.setText(f" {title}" if title and self.width() >= scaled(_ROOM_FOR_TITLES_PX) else "")
            if not button.toolTip():
                button.setToolTip(title)
        for button, title in self._tab_titles.items():
            button.setText(f" {title}")
        if self._head.minimumSize().width() > self.contentsRect().width() - 5 * GRID:
            for button in self._tab_titles:
                button.setText("")

    def show_hashing(self, text: str) -> None:
        """Show how far the hashing is, "" when there is none."""
        self._hashing.say(text)
        self._hash_place.setCurrentWidget(self.stop_button if text else self.hash_button)

    def show_troubles(self, troubles: Sequence[Trouble]) -> None:
        """Show what was left out, one line each; the first, and all of them as a tooltip."""
        lines = [str(trouble) for trouble in troubles]
        more = f"  (and {len(lines) - 1} more: hover to read)" if len(lines) > 1 else ""
        self._troubles.setText(f"Left out: {lines[0]}{more}" if lines else "")
        self._troubles.setToolTip("\n".join(lines[:40]))
        self._troubles.setVisible(bool(lines))

    @staticmethod
    def reveal(path: Path) -> None:
        """Show a file in the file manager."""
        reveal(path)

    def ask_for_folder(self) -> None:
        """Let the user choose a folder to look in."""
        choose_folder(self, "Add a folder with models, or another program's folder", self.folder_added.emit)

    def _lay_out(self) -> None:
        own = self._button("openModelsButton", "Open models folder", "folder-open", lambda: reveal(self._models_folder))
        self._titles[own] = ""
        own.setToolTip(f"Open the models folder: {self._models_folder}")
        add = self._button("addFolderButton", "Add folder…", "folder-plus", self.ask_for_folder)
        add.setToolTip(
            "Use models where they are: any folder, or one of A1111, Forge, ComfyUI, Fooocus, SD.Next, SwarmUI, "
            "InvokeAI or the Hugging Face cache. Nothing is copied."
        )
        title = QLabel("Library", self)
        title.setProperty("role", "title")
        head = self._head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(title)
        head.addSpacing(GRID)
        head.addLayout(self._tab_row)
        head.addWidget(self._hashing, 1)
        head.addLayout(self._action_row)
        for widget in (self._hash_place, self.rescan_button, own, add):
            head.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 3, GRID * 3, GRID * 2, GRID * 2)
        column.setSpacing(GRID + GRID // 2)
        column.addLayout(head)
        LiesOver(self.bar, self._stack, "bottom")
        column.addWidget(self._stack, 1)
        column.addWidget(self._troubles)

    def _button(self, name: str, title: str, icon_name: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(f" {title}", self)
        self._titles[button] = title
        button.setObjectName(name)
        button.setAccessibleName(title)
        set_icon(button, icon_name)
        button.clicked.connect(lambda: act())
        return button
