"""The Create page: canvas over prompts in the middle, and around them docks that move, hide and remember."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QFrame, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.panel_head import PanelHead
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.queue.panel import QueuePanel
from sdstudio.ui.theme import GRID

_STATE_VERSION: Final = 1
_PANEL_PX: Final = 296
_SIDE_PX: Final = 280
_LEAST_SIDE_PX: Final = 200


class CreatePage(QMainWindow):
    """A main window inside the main window: its docks come and go with the page."""

    def __init__(
        self, canvas: Canvas, editor: PromptEditor, panel: PanelHead, history: HistoryBrowser, queue: QueuePanel
    ) -> None:
        super().__init__(None, Qt.WindowType.Widget)
        self.setObjectName("createPage")
        self.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
        )
        middle = QWidget(self)
        middle.setObjectName("createMiddle")
        middle.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(middle)
        column.setContentsMargins(GRID, 0, GRID, GRID)
        column.setSpacing(GRID // 2)
        #: Shows the canvas, or what is painted on in its place.
        self.stage = QStackedWidget(middle)
        self.stage.addWidget(canvas)
        column.addWidget(self.stage, 1)
        column.addWidget(editor)
        #: Takes the keys when the page is opened. No focus proxy: Tab would go from the page to it, past all before it.
        self.first: QWidget = editor.prompt_edit
        self.setCentralWidget(middle)
        self.panel_dock = self._dock("Parameters", "parametersDock", panel, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.history_dock = self._dock("History", "historyDock", history, Qt.DockWidgetArea.RightDockWidgetArea)
        self.queue_dock = self._dock("Queue", "queueDock", queue, Qt.DockWidgetArea.RightDockWidgetArea)
        self._default_state = self.saveState(_STATE_VERSION)
        self._awaited = b""
        self._sized = False

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Share out the room the first time: before it is known, sizes of docks mean nothing."""
        super().showEvent(event)
        if not self._sized:
            self._sized = True
            QTimer.singleShot(0, self, self._take_room)

    @property
    def docks(self) -> tuple[QDockWidget, ...]:
        """All docks, in the order of the View menu."""
        return (self.panel_dock, self.history_dock, self.queue_dock)

    def layout_state(self) -> bytes:
        """Return where the docks are, or will be once the page is seen."""
        return self._awaited or bytes(self.saveState(_STATE_VERSION).data())

    def restore_layout(self, state: bytes) -> None:
        """Put the docks where they were, as wide as they were as soon as the page is seen and has its room."""
        if self.restoreState(state, _STATE_VERSION):
            self._awaited = state
            if self._sized:
                self._take_room()

    def reset_layout(self) -> None:
        """Put the docks where they were at the very first start."""
        for dock in self.docks:
            dock.setFloating(False)
            dock.show()
        self._awaited = b""
        self.restoreState(self._default_state, _STATE_VERSION)
        self._first_sizes()

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"reset_layout": self.reset_layout}

    def show_panel(self) -> None:
        """Show the parameters, though their dock was closed or another lies over it."""
        self.panel_dock.show()
        self.panel_dock.raise_()

    def _take_room(self) -> None:
        state, self._awaited = self._awaited, b""
        if not state or not self.restoreState(state, _STATE_VERSION):
            self._first_sizes()

    def _first_sizes(self) -> None:
        self.resizeDocks([self.panel_dock, self.history_dock], [_PANEL_PX, _SIDE_PX], Qt.Orientation.Horizontal)
        self.resizeDocks([self.history_dock, self.queue_dock], [GRID * 60, GRID * 34], Qt.Orientation.Vertical)

    def _dock(self, title: str, name: str, inside: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(inside)
        dock.setMinimumWidth(_LEAST_SIDE_PX)
        for part, about in (("float", f"Move {title} into a window of its own, or back"), ("close", f"Hide {title}")):
            button = dock.findChild(QAbstractButton, f"qt_dockwidget_{part}button")
            if button is not None:
                button.setToolTip(about)
        edge = _Edge(dock)
        dock.topLevelChanged.connect(edge.setVisible)
        self.addDockWidget(area, dock)
        return dock


class _Edge(QFrame):
    """A line around a dock that is a window of its own: not every desktop draws a frame or a shadow."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self.setObjectName("dockEdge")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        dock.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Stay around it, and above what it holds."""
        if isinstance(watched, QWidget) and event.type() in (QEvent.Type.Resize, QEvent.Type.ChildAdded):
            self.setGeometry(watched.rect())
            self.raise_()
        return False
