"""One window for one data folder: the first holds a lock and listens, a second asks it to come forward and ends."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from sdstudio.core.errors import LockedByOther, SaveFailed

_RAISE: Final = b"raise\n"
_PATIENCE_MS: Final = 1000
BROUGHT_FORWARD: Final = "It was brought to the front."
"""The hint of `LockedByOther` when the user got the window after all."""
CLOSING_MS: Final = 10_000
"""How long a window may need to close while its worker ends."""


class SingleInstance(QObject):
    """Holds the data folder's lock for as long as it lives.

    Args:
        lock_path: The lock, in the data folder.
        read_only: Whether the folder can be read alone: any number of windows may do that, without a lock.

    Raises:
        LockedByOther: Another window has the folder; it was asked to come forward.
        SaveFailed: The folder cannot be written.
    """

    #: Another start of the program asks this window to come forward.
    raise_requested = Signal()

    def __init__(self, lock_path: Path, read_only: bool = False) -> None:
        super().__init__()
        self._name = server_name(lock_path)
        self._lock = QLockFile(str(lock_path))
        self._server = QLocalServer(self)
        if read_only:
            return
        self._lock.setStaleLockTime(0)
        if not self._lock.tryLock(100):
            self._wait_or_raise(lock_path)
        # A killed owner leaves its socket behind; removing it is safe only under the lock.
        QLocalServer.removeServer(self._name)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connected)
        self._server.listen(self._name)

    def close(self) -> None:
        """Stop listening and give the folder free."""
        self._server.close()
        self._lock.unlock()

    def _wait_or_raise(self, lock_path: Path) -> None:
        """Get the lock from a window that is closing: it holds it and no longer answers. Raises as the class does."""
        if self._lock.error() == QLockFile.LockError.PermissionError:
            hint = "Allow writing to it or set SDSTUDIO_HOME to another folder."
            raise SaveFailed(f"Data folder = {lock_path.parent}: it cannot be written.", hint)
        if self._lock.error() == QLockFile.LockError.UnknownError:  # Qt's name for a full disk
            message = f"Data folder = {lock_path.parent}: nothing can be written into it, its disk may be full."
            raise SaveFailed(message, "Free some space, then start again.")
        taken = f"Data folder = {lock_path.parent}: another window of the studio has it open."
        if _ask_to_raise(self._name):
            raise LockedByOther(taken, BROUGHT_FORWARD)
        if not self._lock.tryLock(CLOSING_MS):
            raise LockedByOther(taken, "Close it, or set SDSTUDIO_HOME to another folder.")

    def stop_listening(self) -> None:
        """Answer no more: the window is closing and cannot come forward."""
        self._server.close()

    def _on_connected(self) -> None:
        while (connection := self._server.nextPendingConnection()) is not None:
            connection.disconnected.connect(connection.deleteLater)
            connection.readyRead.connect(lambda asked=connection: self._on_asked(asked))

    def _on_asked(self, connection: QLocalSocket) -> None:
        if bytes(connection.readAll().data()).startswith(_RAISE.strip()):
            self.raise_requested.emit()
        connection.disconnectFromServer()


def server_name(lock_path: Path) -> str:
    """Return the local server's name for a data folder: short, because a socket's path may have 107 bytes."""
    digest = hashlib.sha256(str(lock_path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"sdstudio-{digest[:16]}"


def _ask_to_raise(name: str) -> bool:
    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(_PATIENCE_MS):
        return False
    socket.write(_RAISE)
    sent = socket.waitForBytesWritten(_PATIENCE_MS)
    socket.disconnectFromServer()
    return bool(sent)
