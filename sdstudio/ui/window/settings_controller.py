"""The settings' window, built when it is first opened, and updated when settings are changed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from sdstudio.core.settings import Settings
from sdstudio.ui.shell import Shell
from sdstudio.ui.widgets.bring_forward import bring_forward

if TYPE_CHECKING:
    from sdstudio.ui.window.settings_dialog import SettingsDialog


class SettingsController(QObject):
    """Opens the settings.

    Args:
        shell: Has the settings.
    """

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._dialog: SettingsDialog | None = None
        shell.settings_changed.connect(self._on_changed)

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"settings": self.open}

    def open(self) -> SettingsDialog:
        """Open the settings, or bring them forward."""
        from sdstudio.ui.window.settings_dialog import SettingsDialog  # noqa: PLC0415 (not needed to show the window)

        if self._dialog is None:
            self._dialog = SettingsDialog(self._shell.settings, self._shell.over)
            self._dialog.settings_changed.connect(self._shell.take_settings)
        bring_forward(self._dialog)
        return self._dialog

    def _on_changed(self, settings: Settings) -> None:
        """Show settings that were changed, here or elsewhere."""
        if self._dialog is not None and self._dialog.settings != settings:
            self._dialog.set_settings(settings)

    def close(self) -> None:
        """Close their window."""
        if self._dialog is not None:
            self._dialog.close()
