"""What stands above the parameters and does not scroll with them: what is done to all of them at once."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.theme import GRID, mark, set_icon


class PanelHead(QWidget):
    """The panel with a line of buttons above it.

    Args:
        panel: The parameters.
    """

    #: All parameters are to go back to the model's defaults.
    reset_wanted = Signal()
    #: The menu of presets opens; carries the QMenu to fill.
    presets_asked = TypedSignal[QMenu]()

    def __init__(self, panel: ParameterPanel) -> None:
        super().__init__()
        self._panel = panel
        self.reset_button = QToolButton()
        self.reset_button.setObjectName("resetAllButton")
        self.reset_button.setText(" Reset all")
        self.reset_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        mark(self.reset_button, "fold", True)
        set_icon(self.reset_button, "rotate-ccw", "muted", 14)
        self.presets_button = QToolButton()
        self.presets_button.setObjectName("presetsButton")
        self.presets_button.setText(" Presets")
        self.presets_button.setAccessibleName("Presets")
        self.presets_button.setToolTip("Values under a name: use, save and manage them")
        self.presets_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.presets_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        mark(self.presets_button, "fold", True)
        set_icon(self.presets_button, "layers", "muted", 14)
        menu = QMenu(self.presets_button)
        menu.setObjectName("presetsMenu")
        menu.aboutToShow.connect(lambda: self.presets_asked.emit(menu))
        self.presets_button.setMenu(menu)
        self._row = QHBoxLayout()
        self._row.setContentsMargins(12, GRID // 2, 12, 0)
        self._row.setSpacing(GRID // 2)
        self._row.addWidget(self.presets_button)
        self._row.addStretch(1)
        self._row.addWidget(self.reset_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row)
        column.addWidget(panel, 1)
        self.reset_button.clicked.connect(self.reset_wanted)
        panel.changed.connect(self._show_changed)
        panel.model_chosen.connect(self._show_changed)
        self._show_changed()

    def _show_changed(self) -> None:
        titles = [field.row.title for field in self._panel.changed_fields()]
        self.reset_button.setEnabled(bool(titles))
        text = f"Reset all parameters: {len(titles)} changed" if titles else "Reset all parameters: none is changed"
        self.reset_button.setAccessibleName(text)
        about = f"Changed: {', '.join(titles)}. Click for the model's defaults." if titles else "Nothing is changed"
        self.reset_button.setToolTip(about)
