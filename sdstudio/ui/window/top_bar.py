"""The slim bar at the head of the window: the pages, the model, what it runs on, and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from sdstudio.core.events import EngineStatus
from sdstudio.ui.theme import GRID, mark, set_icon

_PICKER_PX: Final = 240
_DEVICE_PX: Final = 200  # so that the picker stays where it is when the text changes


class Tab(Protocol):
    """The tooltip of a page's button."""

    @property
    def key(self) -> str:
        """Its stable name."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def icon(self) -> str:
        """Name of its icon."""

    @property
    def about(self) -> str:
        """Its tooltip."""


class TopBar(QFrame):
    """Shows which page is open and asks for others.

    Args:
        pages: The pages.
        parent: As Qt has it.
    """

    #: A page's button was pressed; carries its key.
    page_chosen = Signal(str)
    #: The settings are to be opened.
    settings_requested = Signal()

    def __init__(self, pages: Sequence[Tab], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("topBar")
        self.setFixedHeight(GRID * 6)
        self._buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(GRID, 0, GRID, 0)
        self._row.setSpacing(GRID // 2)
        self._titles = {page.key: page.title for page in pages}
        for at, page in enumerate(pages):
            name = page.key
            button = QPushButton(f" {page.title}", self)
            button.setObjectName(f"page{name}Button")
            button.setAccessibleName(f"{page.title} page")
            button.setToolTip(f"{page.about} (Alt+{at + 1})")
            button.setCheckable(True)
            mark(button, "nav", True)
            set_icon(button, page.icon)
            button.clicked.connect(lambda _checked=False, name=name: self.page_chosen.emit(name))
            group.addButton(button)
            self._row.addWidget(button)
            self._buttons[name] = button
        self._row.addStretch(1)
        self._picker_place = self._row.count()
        self._picker: QWidget | None = None
        self._row.addStretch(1)
        self.status: EngineStatus | None = None
        self._device = QLabel("Starting engine…", self)
        self._device.setMinimumWidth(_DEVICE_PX)
        self._device.setObjectName("deviceLabel")
        self._device.setProperty("role", "muted")
        self._device.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(self._device)
        gear = QToolButton(self)
        gear.setObjectName("settingsButton")
        gear.setAccessibleName("Settings")
        gear.setToolTip("Settings (Ctrl+,)")
        mark(gear, "ghost", True)
        set_icon(gear, "settings", "text", 18)
        gear.clicked.connect(self.settings_requested)
        self._row.addWidget(gear)

    def set_picker(self, picker: QWidget) -> None:
        """Put the model picker into the middle."""
        picker.setMinimumWidth(_PICKER_PX)
        self._row.insertWidget(self._picker_place, picker)
        self._picker = picker.focusProxy() or picker
        # Handing its focus on from where it was made, it would lead Tab past all that lies between there and here.
        picker.setFocusProxy(None)  # type: ignore[arg-type]

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Let Tab go from left to right: the model picker was made elsewhere."""
        super().showEvent(event)
        if self._picker is not None:
            self.setTabOrder(list(self._buttons.values())[-1], self._picker)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Where large letters leave no room, the pages' buttons show their icons alone; the tooltips have the words."""
        super().resizeEvent(event)
        self._fit_names()

    def show_page(self, name: str) -> None:
        """Mark the open page."""
        self._buttons[name].setChecked(True)

    def show_status(self, status: EngineStatus) -> None:
        """Show device and memory."""
        self.status = status
        memory = ""
        if status.total_bytes:
            memory = f"  ·  {status.used_bytes / 2**30:.1f} of {status.total_bytes / 2**30:.0f} GB"
        self._device.setText(f"{status.device}{memory}")
        self._fit_names()
        versions = "\n".join(f"{name} {version}" for name, version in status.versions.items())
        self._device.setToolTip(f"{status.device}, {status.dtype}\n{versions}")

    def _fit_names(self) -> None:
        for name, button in self._buttons.items():
            button.setText(f" {self._titles[name]}")
        if self._row.minimumSize().width() > self.width():
            for button in self._buttons.values():
                button.setText("")
