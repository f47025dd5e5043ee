"""The menu of presets in the panel, and the dialogs behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu, QWidget

from sdstudio.core.errors import StudioError
from sdstudio.ui.pages.create.presets.keeper import PresetKeeper
from sdstudio.ui.theme import icon

if TYPE_CHECKING:
    from sdstudio.ui.pages.create.presets.dialog import PresetDialog

IN_MENU: Final = 12
"""So many presets stand in the menu; with more, the dialog with its search is the way."""


class PresetController(QObject):
    """Fills the menu and opens the dialogs.

    Args:
        keeper: Makes, uses and keeps presets.
        parent: What the dialogs belong to.
    """

    def __init__(self, keeper: PresetKeeper, parent: QWidget) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self._window = parent
        self._dialog: PresetDialog | None = None

    def fill(self, menu: QMenu) -> None:
        """Fill the menu of the panel."""
        menu.clear()
        presets = self._keeper.presets()
        for preset in presets[:IN_MENU]:
            action = menu.addAction(preset.name.replace("&", "&&"))
            action.triggered.connect(lambda _checked=False, preset=preset: self._keeper.use(preset))
        if len(presets) > IN_MENU:
            more = menu.addAction(icon("search"), f"All {len(presets)} presets…")
            more.triggered.connect(lambda: self.open())
        if not presets:
            menu.addAction("No presets yet").setEnabled(False)
        menu.addSeparator()
        menu.addAction(icon("save"), "Save as preset…").triggered.connect(lambda: self.ask_to_save())
        menu.addAction(icon("pencil"), "Manage presets…").triggered.connect(lambda: self.open())

    def open(self) -> None:
        """Open the dialog of all presets with the cursor in its search."""
        from sdstudio.ui.pages.create.presets.dialog import PresetDialog  # noqa: PLC0415 (not needed to show the window)

        if self._dialog is None:
            self._dialog = PresetDialog(self._keeper, self._window)
        self._dialog.open_at_search()

    def ask_to_save(self) -> None:
        """Let the user choose a name, and which values it is for."""
        from sdstudio.ui.pages.create.presets.save_dialog import PresetSaveDialog  # noqa: PLC0415 (not needed to show the window)

        names = {preset.name for preset in self._keeper.presets()}
        dialog = PresetSaveDialog(self._keeper.held(), names, self._window)
        dialog.save_wanted.connect(lambda name, chosen: self._on_save_wanted(dialog, name, chosen))
        dialog.open()

    def _on_save_wanted(self, dialog: QWidget, name: str, chosen: list[str]) -> None:
        try:
            self._keeper.save(name, chosen)
        except StudioError as error:
            self._keeper.message.say(str(error), "error")
            return
        dialog.close()
        self._keeper.acts.tell(self._keeper.last_change, f"Preset “{' '.join(name.split())}” is saved.")
