"""The settings as one window beside the studio: every field of `Settings`, by its groups, applied as it is changed."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.settings import Settings
from sdstudio.ui.forms.field import Field
from sdstudio.ui.forms.number_editor import NumberEditor
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.dialog_foot import BACK, CLOSE, MARGIN, dialog_foot
from sdstudio.ui.widgets.window_size import open_at
from sdstudio.ui.window.name_example import NameExample

GROUPS_WIDTH: Final = 168
SIZE: Final = QSize(720, 560)
_ENTERS: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class SettingsDialog(QDialog):
    """All settings. Not modal; nothing waits for an OK.

    Args:
        settings: What to show.
        parent: The window it belongs to.
    """

    #: After every change, with the new settings.
    settings_changed = TypedSignal[Settings]()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("settingsDialog")
        self.setWindowTitle("Settings")
        self.setModal(False)
        self._settings = settings
        self._before_reset: Settings | None = None
        self._fields: dict[str, Field] = {}
        self._groups = QListWidget()
        self._pages = QStackedWidget()
        self._reset = QPushButton()
        self._close = QPushButton("Close")
        self._build()
        self.set_settings(settings)
        for field in self._fields.values():
            self._listen(field)
        open_at(self, SIZE)

    @property
    def settings(self) -> Settings:
        """The settings as they hold now."""
        return self._settings

    def set_settings(self, settings: Settings) -> None:
        """Show settings that were changed elsewhere; nothing is emitted."""
        self._settings = settings
        self._before_reset = None
        self._show(settings)
        self._show_reset()

    def field(self, name: str) -> Field:
        """Return the field of a setting, for example to show a message at it."""
        return self._fields[name]

    def show_group(self, group: str) -> None:
        """Turn to a group by its title."""
        for item in self._groups.findItems(group, Qt.MatchFlag.MatchExactly):
            self._groups.setCurrentItem(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Enter in a field is for the field; elsewhere it presses the default button."""
        if isinstance(self.focusWidget(), QLineEdit | QAbstractSpinBox) and event.key() in _ENTERS:
            event.accept()
        else:
            super().keyPressEvent(event)

    def _listen(self, field: Field) -> None:
        if field.row.kind in (FieldKind.TEXT, FieldKind.FOLDER):  # half a word is no setting: wait until it is typed
            field.editor.finished.connect(self._on_edited)
            field.mark.clicked.connect(self._on_edited)
            return
        if isinstance(field.editor, NumberEditor):  # half a number neither
            field.editor.spin.setKeyboardTracking(False)
        field.changed.connect(self._on_edited)

    def _on_edited(self) -> None:
        values = {name: field.value() for name, field in self._fields.items()}
        try:
            for name, field in self._fields.items():
                if values[name] != getattr(self._settings, name):  # what was good once may be so no more: a folder
                    check_bounds(field.row, values[name])
        except InvalidRequest:  # its field shows it
            return
        settings = Settings(**values)
        if settings != self._settings:  # a line of text also emits that it is done when nothing was typed
            self._before_reset = None
            self._take(settings)

    def _on_reset(self) -> None:
        if self._before_reset is None:
            wanted, self._before_reset = Settings(), self._settings
        else:
            wanted, self._before_reset = self._before_reset, None
        self._show(wanted)
        self._take(wanted)

    def _show(self, settings: Settings) -> None:
        for name, field in self._fields.items():
            field.blockSignals(True)  # one change, not one for each field
            field.set_value(getattr(settings, name))
            field.blockSignals(False)
            if field.row.kind is FieldKind.FOLDER:
                field.check()
        self._example.refresh()

    def _take(self, settings: Settings) -> None:
        self._settings = settings
        self._show_reset()
        self.settings_changed.emit(settings)

    def _show_reset(self) -> None:
        undo = self._before_reset is not None
        self._reset.setText("Undo reset" if undo else "Reset all")
        self._reset.setToolTip("Bring your settings back" if undo else "All settings back to their defaults")
        self._reset.setEnabled(undo or self._settings != Settings())

    def _build(self) -> None:
        groups: dict[str, list[Parameter]] = {}
        for row in parameters(Settings):
            groups.setdefault(row.ui.group, []).append(row)
        for group, rows in groups.items():
            self._groups.addItem(QListWidgetItem(group))
            self._pages.addWidget(self._page(group, rows))
        self._example = NameExample(self._fields["name_pattern"], self._fields["file_format"])
        self._groups.setObjectName("settingsGroups")
        self._groups.setAccessibleName("Groups of settings")
        self._groups.setFixedWidth(GROUPS_WIDTH)
        mark(self._groups, "sidebar", True)
        self._groups.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._groups.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._groups.currentRowChanged.connect(self._pages.setCurrentIndex)
        self._groups.setCurrentRow(0)
        self._reset.setObjectName("resetSettingsButton")
        self._reset.clicked.connect(self._on_reset)
        self._close.setObjectName("closeSettingsButton")
        self._close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._groups)
        middle.addWidget(self._pages, 1)
        column.addLayout(middle, 1)
        column.addWidget(_line())
        note = _label("Changes apply at once.", "caption")
        foot = dialog_foot(self, [(self._reset, BACK), (self._close, CLOSE)], self._close, [note])
        foot.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.addLayout(foot)

    def _page(self, group: str, rows: list[Parameter]) -> QWidget:
        inside = QWidget()
        mark(inside, "bare", True)
        column = QVBoxLayout(inside)
        column.setContentsMargins(3 * GRID, 2 * GRID, 3 * GRID, 2 * GRID)
        column.setSpacing(12)
        column.addWidget(_label(group, "heading"))
        for place, row in enumerate(rows):
            if place:
                column.addWidget(_line())
            field = self._fields[row.name] = Field(row, described=True)
            column.addWidget(field)
            if row.ui.check is not None:  # over its own description, not over the title of the next
                field.say_below(field.editor)
        column.addStretch(1)
        page = QScrollArea()
        page.setWidget(inside)
        page.setWidgetResizable(True)
        page.setFrameShape(QFrame.Shape.NoFrame)
        page.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus, and are scrolled to
        page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return page


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    mark(label, "role", role)
    return label


def _line() -> QFrame:
    line = QFrame()
    mark(line, "separator", True)
    return line
