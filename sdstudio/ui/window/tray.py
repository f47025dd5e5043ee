"""The studio without its window: the work goes on, an icon in the tray shows it, and the end of it is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon, QWidget

from sdstudio.ui.theme import icon
from sdstudio.ui.widgets.bring_forward import bring_forward

LOOK_EVERY_MS: Final = 250
"""Work ends in a dozen places; that none is left is looked up, and costs one reading of the queue."""


class Background(QObject):
    """Off until the window goes.

    Args:
        window: The window.
        works: What is still to be done, a line each.
        parent: As Qt has it.
    """

    #: Everything is done.
    over = Signal()
    #: Whatever is left is to be stopped: the user chose that in the tray.
    stop_wanted = Signal()

    def __init__(self, window: QWidget, works: Callable[[], Sequence[str]], parent: QObject) -> None:
        super().__init__(parent)
        self._window = window
        self._works = works
        self._tray: QSystemTrayIcon | None = None
        self._menu: QMenu | None = None
        self._others: list[QWidget] = []
        self._look = QTimer(self)
        self._look.setInterval(LOOK_EVERY_MS)
        self._look.timeout.connect(self._on_look)

    @property
    def is_on(self) -> bool:
        """Whether the window is away."""
        return self._look.isActive()

    def begin(self) -> None:
        """Take the window, and those beside it, off the screen."""
        self._others = [
            widget for widget in QApplication.topLevelWidgets()
            if widget is not self._window and widget.isVisible() and widget.isWindow()
        ]  # fmt: skip
        for widget in (*self._others, self._window):
            widget.hide()
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._show_tray()
        self._look.start()

    def _show_tray(self) -> None:
        self._menu = QMenu("SD Studio", self._window)
        self._menu.addAction("Show the window").triggered.connect(partial(bring_forward, self._window))
        self._menu.addAction("Stop, and keep what is finished").triggered.connect(self.stop_wanted)
        self._tray = QSystemTrayIcon(icon("sdstudio", size=64), self)
        self._tray.setContextMenu(self._menu)
        self._tray.activated.connect(self._on_activated)
        self._tell()
        self._tray.show()

    def end(self) -> None:
        """The window is there again, or goes for good."""
        if not self.is_on:
            return
        self._look.stop()
        if self._tray is not None:
            self._tray.hide()
            self._tray.deleteLater()
            self._tray = None
        if self._menu is not None:
            self._menu.deleteLater()
            self._menu = None
        if self._window.isVisible():
            for widget in self._others:
                widget.show()
        self._others = []

    def _tell(self) -> None:
        if self._tray is not None:
            self._tray.setToolTip("\n".join(["SD Studio works in the background", *self._works()]))

    def _on_look(self) -> None:
        if self._works():
            self._tell()
        else:
            self.over.emit()

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason is not QSystemTrayIcon.ActivationReason.Context:
            bring_forward(self._window)
