"""How a declared parameter becomes something to fill in: `editor_for` is the one place that maps kinds to widgets.

A `Field` is an editor with its title, a mark when it differs from the default (click: back to the default), and a line
for the message when its value is not allowed. Numbers in the message's hint are links that fill them in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.catalog.kinds import WEIGHT_MAXIMUM
from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Parameter
from sdstudio.core.request.input_fields import DETAIL_MASK, MASK
from sdstudio.core.request.outpaint_fields import sides_in
from sdstudio.ui import theme
from sdstudio.ui.forms.asset_editors import AssetEditor, LoraEditor
from sdstudio.ui.forms.editor import Editor, camel
from sdstudio.ui.forms.editors import ChoiceEditor, FolderEditor, FoldersEditor, SeedEditor, TextEditor, ToggleEditor
from sdstudio.ui.forms.mask_editor import MaskEditor
from sdstudio.ui.forms.model_box import ModelBox
from sdstudio.ui.forms.number_editor import NUMBER_WIDTH, NumberEditor, OptionalNumberEditor
from sdstudio.ui.forms.picture_editor import PictureEditor, RegionsEditor
from sdstudio.ui.forms.sides_editor import SidesEditor
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.link_label import LinkLabel
from sdstudio.ui.widgets.window_words import in_window

MARK_PX: Final = 16
_TITLED: Final = frozenset({FieldKind.TOGGLE, FieldKind.PICTURE, FieldKind.OPTIONAL})
"""Kinds whose editors show themselves what they are: a box bears its title, a place for a picture its invitation."""
_LONG: Final = 22
"""Letters of a title that may break beside its number, where the panel is narrow."""
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


PICTURE_EDITORS: Final[Mapping[str, type[PictureEditor]]] = {MASK.field: MaskEditor, DETAIL_MASK.field: RegionsEditor}
"""Field of a request -> the editor of its picture, where that is another than the input picture's."""


def editor_for(row: Parameter) -> Editor:
    """Return the editor for a parameter's kind."""
    match row.kind:
        case FieldKind.INTEGER | FieldKind.NUMBER:
            return NumberEditor(row)
        case FieldKind.OPTIONAL:
            return OptionalNumberEditor(row)
        case FieldKind.CHOICE:
            return ChoiceEditor(row)
        case FieldKind.MODEL:
            return ChoiceEditor(row, ModelBox())
        case FieldKind.SEED:
            return SeedEditor(row)
        case FieldKind.TOGGLE:
            return ToggleEditor(row)
        case FieldKind.TEXT:
            return TextEditor(row)
        case FieldKind.PICTURE:
            return PICTURE_EDITORS.get(row.name, PictureEditor)(row)
        case FieldKind.SIDES:
            return SidesEditor(row)
        case FieldKind.FOLDER:
            return FolderEditor(row)
        case FieldKind.FOLDERS:
            return FoldersEditor(row)
        case FieldKind.LORAS:
            return LoraEditor(row)
        case FieldKind.VAE | FieldKind.UPSCALER | FieldKind.DETECTOR:
            return AssetEditor(row)


def fits(row: Parameter, value: Any) -> bool:
    """Return whether a parameter's editor can show a value that came from a file."""
    match row.kind:
        case FieldKind.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case FieldKind.OPTIONAL:
            return value is None or (isinstance(value, int) and not isinstance(value, bool))
        case FieldKind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldKind.SEED:
            return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
        case FieldKind.TOGGLE:
            return isinstance(value, bool)
        case FieldKind.TEXT | FieldKind.MODEL | FieldKind.PICTURE:
            return isinstance(value, str)
        case FieldKind.VAE | FieldKind.UPSCALER | FieldKind.DETECTOR:
            return isinstance(value, str)
        case FieldKind.SIDES:
            return isinstance(value, str) and _are_sides(value)
        case FieldKind.LORAS:
            return isinstance(value, list | tuple) and all(_is_lora(item) for item in value)
        case FieldKind.CHOICE:
            return any(choice.value == value for choice in row.choices)
        case FieldKind.FOLDER:
            return value is None or isinstance(value, str | Path)
        case FieldKind.FOLDERS:
            return isinstance(value, list | tuple) and all(isinstance(item, str | Path) for item in value)


def _are_sides(text: str) -> bool:
    try:
        sides_in(text)
    except InvalidRequest:
        return False
    return True


def _is_lora(item: Any) -> bool:
    match item:
        case [str(name), int() | float() as weight]:
            return bool(name) and abs(weight) <= WEIGHT_MAXIMUM
    return False


class Field(QWidget):
    """One parameter: title, mark, editor, message.

    Args:
        row: The parameter.
        described: Show the description as text, not only as a tooltip.
        stacked: Put a number under its title, as wide as the field, and not beside it.
    """

    #: After every change of the value, by the user or by the program.
    changed = Signal()
    #: The mark was clicked and the default is back; carries the value before.
    was_reset = TypedSignal[object]()

    def __init__(self, row: Parameter, described: bool = False, stacked: bool = False) -> None:
        super().__init__()
        self.row = row
        self.editor = editor_for(row)
        self.title = QLabel(row.title)
        self.title.setBuddy(self.editor)
        self.mark = ResetMark(row)
        self.message = LinkLabel()
        self._lay_out(described, stacked)
        self._start()
        if row.default is not None:
            self.editor.set_value(row.default)
        self._show_mark()
        self.editor.edited.connect(self._on_edited)
        self.editor.finished.connect(self.check)
        self.mark.clicked.connect(self._on_mark_clicked)
        self.message.linkActivated.connect(self._on_fix)
        self._error: tuple[str, str] | None = None

    def value(self) -> Any:
        """Return the value of the editor, allowed or not."""
        return self.editor.value()

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self.editor.set_value(value)

    def reset(self) -> None:
        """Go back to the default."""
        self.editor.set_value(self.row.default)

    @property
    def is_changed(self) -> bool:
        """Whether the value differs from the default."""
        return bool(self.value() != self.row.default)

    def set_row(self, row: Parameter) -> None:
        """Take a model's bounds and default; a value that stood at the old default moves to the new one."""
        untouched = not self.is_changed
        self.row = row
        self.editor.set_row(row)
        self.mark.set_row(row)
        self.clear_error()
        if untouched:
            self.editor.set_value(row.default)
        self._show_mark()

    def check(self) -> InvalidRequest | None:
        """Show what is wrong with the value, and return it; ``None`` and no message when it is allowed."""
        if isinstance(self.editor.field, QAbstractSpinBox):
            self.editor.field.interpretText()  # an emptied box holds the number of before: let it say so
        try:
            self._check()
        except InvalidRequest as error:
            self.show_error(error.message, error.hint)
            return error
        self.clear_error()
        return None

    def show_error(self, text: str, hint: str = "") -> None:
        """Show a message under the editor until its value is edited; numbers in the hint can be clicked."""
        hint = in_window(hint)
        now = theme.current_theme()
        if self._error is None and now is not None:  # few fields ever have one
            now.changed.connect(self._on_theme_changed)
        self._error = text, hint
        markup = html.escape(hint)
        if self.row.kind in (FieldKind.INTEGER, FieldKind.OPTIONAL, FieldKind.NUMBER, FieldKind.SEED):
            colour = theme.tokens().accent_text
            markup = _NUMBER.sub(rf'<a href="\g<0>" style="color: {colour}">\g<0></a>', markup)
        self.message.say(f"{html.escape(text)} {markup}".strip())
        self.message.setAccessibleName(f"{text} {hint}".strip())
        self.message.show()
        mark(self.editor.field, "invalid", True)

    def keep_line(self, note: QWidget) -> None:
        """Keep a line below the editor for a hint; the message may lie over it."""
        layout = self.layout()
        assert layout is not None
        layout.addWidget(note)
        self._message_over.lift = note.height() + layout.spacing()

    def say_below(self, anchor: QWidget) -> None:
        """Let the message lie below something else than the field itself."""
        self._message_over.stay_beside(anchor)

    def _on_theme_changed(self) -> None:
        if self.error and self._error is not None:
            self.show_error(*self._error)

    def clear_error(self) -> None:
        """Take the message away."""
        if not self.message.isHidden():
            self.message.hide()
            mark(self.editor.field, "invalid", False)

    @property
    def error(self) -> str:
        """The message shown, "" when there is none."""
        return "" if self.message.isHidden() else self.message.accessibleName()

    def _check(self) -> None:
        if isinstance(self.editor, ChoiceEditor) and self.editor.is_missing:
            message = f"{self.row.title} = {self.value()!r}: there is none of this name."
            hint = "Choose another from the list." if self.editor.combo.count() else ""
            raise InvalidRequest(self.row.name, message, hint)
        if isinstance(self.editor, PictureEditor) and self.editor.problem is not None:
            raise InvalidRequest(self.row.name, *self.editor.problem)
        check_bounds(self.row, self.value())

    def _start(self) -> None:
        mark(self.title, "role", "muted")
        self.title.setToolTip(self.editor.field.toolTip())
        mark(self.message, "role", "error")
        mark(self.message, "over", True)
        self.message.setObjectName(camel(self.row.name) + "Message")
        self.message.setWordWrap(True)
        self.message.hide()

    def _lay_out(self, described: bool, stacked: bool) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        head = QHBoxLayout()
        head.setSpacing(GRID // 2)
        for part in (self.title, self.mark):
            part.setParent(self)
        self.title.setVisible(self.row.kind not in _TITLED)
        if self.row.kind is FieldKind.TOGGLE:
            head.addWidget(self.editor)
        elif isinstance(self.editor, OptionalNumberEditor):
            head.addWidget(self.editor.box)
        elif self.row.kind is not FieldKind.PICTURE:
            head.addWidget(self.title)
        if self.row.kind is not FieldKind.PICTURE:
            head.addWidget(self.mark)
            head.addStretch(1)
            column.addLayout(head)
        if isinstance(self.editor, NumberEditor | OptionalNumberEditor) and not stacked:
            self.editor.setFixedWidth(NUMBER_WIDTH)
            self.title.setWordWrap(len(self.row.title) > _LONG)
            head.addWidget(self.editor)
            if isinstance(self.editor, NumberEditor) and self.editor.slider is not None:
                column.addWidget(self.editor.slider)
        elif self.row.kind is not FieldKind.TOGGLE:
            column.addWidget(self.editor)
        if described:
            about = QLabel(self.row.description)
            about.setWordWrap(True)
            mark(about, "role", "caption")
            column.addWidget(about)
        self.message.setParent(self)
        self._message_over = LiesOver(self.message, self, "below")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _on_edited(self) -> None:
        self.clear_error()
        self._show_mark()
        self.changed.emit()

    def _on_mark_clicked(self) -> None:
        before = self.value()
        self.reset()
        self.was_reset.emit(before)

    def _on_fix(self, number: str) -> None:
        self.editor.set_value(float(number) if self.row.kind is FieldKind.NUMBER else int(number))
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_mark(self) -> None:
        self.mark.setVisible(self.is_changed and self.row.kind not in (FieldKind.MODEL, FieldKind.PICTURE))


class ResetMark(QAbstractButton):
    """A dot that means "changed from the default" and takes the change back when clicked. Its place stays reserved."""

    def __init__(self, row: Parameter) -> None:
        super().__init__()
        self.setObjectName(camel(row.name) + "ResetButton")
        self.setFixedSize(MARK_PX, MARK_PX)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.set_row(row)

    def set_row(self, row: Parameter) -> None:
        """Name the default."""
        self.setAccessibleName(f"Reset {row.title}")
        default = next((choice.title for choice in row.choices if choice.value == row.default), row.default)
        shown = f" ({default})" if isinstance(default, int | float | str) and default != "" else ""
        self.setToolTip(f"Changed. Click for the default{shown}.")

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """A fixed square."""
        return QSize(MARK_PX, MARK_PX)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the dot, or the arrow back while pointed at or focused."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse() or self.hasFocus():
            side = MARK_PX - 4
            painter.drawPixmap(2, 2, theme.pixmap("rotate-ccw", "accent_text", side, self.devicePixelRatioF()))
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.tokens().accent_text))
        painter.drawEllipse(QRectF(MARK_PX / 2 - 3, MARK_PX / 2 - 3, 6, 6))
