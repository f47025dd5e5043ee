"""The settings' window, built when it is first wished for, and told of settings that are changed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sdstudio.core.settings import Settings

if TYPE_CHECKING:
    from sdstudio.ui.window.settings_dialog import SettingsDialog


class SettingsDesk(QObject):
    """Opens the settings.

    Args:
        settings: As they were loaded.
        window: What their window belongs to.
    """

    #: The user changed something; carries the new `Settings`.
    changed = Signal(object)

    def __init__(self, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._settings = settings
        self._window = window
        self._dialog: SettingsDialog | None = None

    def open(self) -> SettingsDialog:
        """Open the settings, or bring them forward."""
        from sdstudio.ui.window.settings_dialog import SettingsDialog  # noqa: PLC0415 (not needed to show the window)

        if self._dialog is None:
            self._dialog = SettingsDialog(self._settings, self._window)
            self._dialog.settings_changed.connect(self.changed)
        if self._dialog.isVisible():
            self._dialog.raise_()
        self._dialog.show()
        self._dialog.activateWindow()
        return self._dialog

    def take(self, settings: Settings) -> None:
        """Show settings that were changed, here or elsewhere."""
        self._settings = settings
        if self._dialog is not None and self._dialog.settings != settings:
            self._dialog.set_settings(settings)

    def close(self) -> None:
        """Close their window."""
        if self._dialog is not None:
            self._dialog.close()
