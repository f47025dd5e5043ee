"""Shows that pictures do not go to the folder of the settings, once for each reason: at the start or later."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer

from sdstudio.background.worker import Worker
from sdstudio.history.store import History
from sdstudio.ui.shell import Shell
from sdstudio.ui.widgets.message_bar import MessageBar


class OutputNotice(QObject):
    """Shows it in a message, with the way to the setting.

    Args:
        history: Where pictures go.
        worker: Saves them.
        message: Where it is shown.
        shell: Emits when the settings change.
        open_settings: Opens them at the group of files.
    """

    def __init__(
        self, history: History, worker: Worker, message: MessageBar, shell: Shell, open_settings: Callable[[], object]
    ) -> None:
        super().__init__(shell.over)
        self._history = history
        self._message = message
        self._open_settings = open_settings
        self._shown = ""
        worker.picture_saved.connect(self.look)
        # Queued: the history takes the settings by the same signal.
        shell.settings_changed.connect(self.look, Qt.ConnectionType.QueuedConnection)
        QTimer.singleShot(0, self, self.look)

    def look(self) -> None:
        """Show what is wrong, unless it was shown."""
        problem = None if self._history.read_only else self._history.placing.problem
        meanwhile = "Pictures are kept in the data folder meanwhile."
        text = "" if problem is None else f"{problem.message} {meanwhile} {problem.hint}"
        text = text.strip()
        if text and text != self._shown:
            self._message.say(text, "warning", [("Settings…", self._open_settings)])
        elif self._shown and not text and self._message.message == self._shown:
            self._message.dismiss()
        self._shown = text
