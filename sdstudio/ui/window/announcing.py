"""How a desktop is notified that work has ended, or how far it is: a sound, a notification, progress in the taskbar.

Each tries what the desktop may have, one after the other, and does nothing where there is none of it. Qt's own sounds
are in the part of PySide that is not installed (its multimedia brings 200 MB), so a sound is played by the program that
the system plays sounds with.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QProcess, QStandardPaths, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from sdstudio.core.paths import resources
from sdstudio.ui.theme import icon

PLAYERS: Final = (("pw-play",), ("paplay",), ("aplay", "-q"), ("canberra-gtk-play", "-f"), ("afplay",))
"""Programs that play a file, and what stands before its name."""
DESKTOP_FILE: Final = "sdstudio.desktop"
_TRAY_MS: Final = 10_000
_PORTAL: Final = "org.freedesktop.portal.Desktop"


def play_done() -> None:
    """Play the sound of work that has ended."""
    file = resources() / "sounds" / "done.wav"
    if not _played(file):
        QApplication.beep()


def _played(file: Path) -> bool:
    if sys.platform == "win32":
        import winsound  # noqa: PLC0415 (there on Windows alone)

        winsound.PlaySound(str(file), winsound.SND_FILENAME | winsound.SND_ASYNC)
        return True
    for program, *before in PLAYERS:
        path = QStandardPaths.findExecutable(program)
        if path and QProcess.startDetached(path, [*before, str(file)])[0]:
            return True
    return False


class Desktop(QObject):
    """The desktop around the studio."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tray: QSystemTrayIcon | None = None

    def notify(self, title: str, text: str) -> bool:
        """Show a notification; False where the desktop has none."""
        ways = (self._notified_by_tray, _notified_by_portal, _notified_by_program)
        return any(way(title, text) for way in ways)

    def show_progress(self, fraction: float | None) -> None:
        """Show in the taskbar how far the work is, 0 to 1; ``None`` for no work.

        KDE, Unity, dash to dock and others listen to this signal; elsewhere nobody does, and the title shows it.
        """
        if not sys.platform.startswith("linux"):
            return
        from PySide6.QtDBus import QDBusConnection, QDBusMessage  # noqa: PLC0415 (only once there is work)

        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return
        signal = QDBusMessage.createSignal("/sdstudio", "com.canonical.Unity.LauncherEntry", "Update")
        properties: dict[str, Any] = {"progress-visible": fraction is not None, "progress": float(fraction or 0.0)}
        signal.setArguments([f"application://{DESKTOP_FILE}", properties])
        bus.send(signal)

    def _notified_by_tray(self, title: str, text: str) -> bool:
        if not (QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()):
            return False
        if self._tray is None:  # a message needs an icon that is shown
            self._tray = QSystemTrayIcon(icon("sdstudio", size=64), self)
        self._tray.show()
        self._tray.showMessage(title, text, icon("sdstudio", size=64), _TRAY_MS)
        QTimer.singleShot(_TRAY_MS, self._tray, self._tray.hide)
        return True


def _notified_by_portal(title: str, text: str) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    from PySide6.QtDBus import QDBusConnection, QDBusMessage  # noqa: PLC0415 (as above)

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected() or not bus.interface().isServiceRegistered(_PORTAL).value():
        return False
    call = QDBusMessage.createMethodCall(
        _PORTAL, "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Notification", "AddNotification"
    )
    call.setArguments(["done", {"title": title, "body": text}])
    return bus.send(call)


def _notified_by_program(title: str, text: str) -> bool:
    path = QStandardPaths.findExecutable("notify-send")
    arguments = ["--app-name=SD Studio", "--icon=sdstudio", "--", title, text]
    return bool(path) and bool(QProcess.startDetached(path, arguments)[0])
