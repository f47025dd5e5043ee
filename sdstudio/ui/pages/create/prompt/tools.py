"""The small buttons below the prompts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from sdstudio.background.signals import BoundSignal, TypedSignal
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.menu_buttons import unlit_after


class PromptTools(QWidget):
    """Styles, prompt builder, past prompts; and the button for presets, which stands beside the negative prompt."""

    #: The styles' menu is about to be seen: fill it.
    styles_asked = TypedSignal[QMenu]()
    #: The presets' menu is about to be seen: fill it.
    presets_asked = TypedSignal[QMenu]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.styles_button = small_button("palette", "Styles", "Apply a style")
        self.builder_button = small_button("sparkles", "Prompt builder", "Build a prompt of its parts")
        self.past_button = small_button("history", "Past prompts", "Find in past prompts (Ctrl+Shift+F)")
        self.presets_button = QToolButton()
        self.presets_button.setText("Presets")
        self.presets_button.setAccessibleName("Negative prompt presets")
        self.presets_button.setToolTip("Choose, save or edit negative prompts")
        self.presets_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_icon(self.presets_button, "chevron-down", "muted")
        mark(self.presets_button, "fold", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        names = ("negativePresetsButton", "stylesButton", "promptBuilderButton", "pastPromptsButton")
        buttons = (self.presets_button, self.styles_button, self.builder_button, self.past_button)
        for button, name in zip(buttons, names, strict=True):
            button.setObjectName(name)
            if button is not self.presets_button:
                mark(button, "ghost", True)
                row.addWidget(button)
        for button, wanted in ((self.styles_button, self.styles_asked), (self.presets_button, self.presets_asked)):
            menu = QMenu(button)
            menu.setToolTipsVisible(True)
            menu.aboutToShow.connect(lambda menu=menu, wanted=wanted: self._on_about_to_show(menu, wanted))
            button.setMenu(menu)
            unlit_after(menu, button)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _on_about_to_show(self, menu: QMenu, wanted: BoundSignal[QMenu]) -> None:
        menu.clear()
        wanted.emit(menu)
