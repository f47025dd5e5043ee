"""A window beside the studio in which long work on model files is ordered, watched and stopped; it blocks nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from sdstudio.background.model_works import ModelWorkRunner
from sdstudio.background.tasks import Task
from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import ConvertOrder, MergeOrder, WorkReport
from sdstudio.core.params import FieldKind, Parameter, Ui
from sdstudio.core.readable import readable_duration, readable_size
from sdstudio.ui.forms.field import Field
from sdstudio.ui.theme import mark
from sdstudio.ui.widgets.desktop import reveal
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, STOP, dialog_foot
from sdstudio.ui.widgets.message_bar import MessageBar, Tone

WIDTH: Final = 520
_BAR_PARTS: Final = 1000
_ESTIMATE_AFTER: Final = 0.02
"""Share of the work after which its time left is shown: before, it would jump about."""


class WorkDialog(QDialog):
    """What merging and converting have in common: fields, a name, progress with time left, and the end of it.

    Args:
        name: objectName.
        title: Of the window.
        verb: On the button that begins: "Merge".
        model_work: Who does the work.
        parent: The window it belongs to.
    """

    #: How far the work is, in words; "" when there is none. For those who look while this window is closed.
    text_changed = Signal(str)

    def __init__(
        self, name: str, title: str, verb: str, model_work: ModelWorkRunner, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setModal(False)
        self.setMinimumWidth(WIDTH)
        self._verb = verb
        self._model_work = model_work
        self._task: Task[Any] | None = None
        self._began_s = 0.0
        self._named = False
        self.name_field = Field(
            Parameter("result_name", "Name of the result", "Goes into the models folder.", FieldKind.TEXT, "", Ui())
        )
        self.message = MessageBar(f"{name}Message", self)
        self.bar = QProgressBar(self)
        self.bar.setObjectName(f"{name}ProgressBar")
        self.bar.setAccessibleName("Progress")
        self.bar.setRange(0, _BAR_PARTS)
        self.bar.setTextVisible(False)
        self.state = QLabel(self)
        mark(self.state, "role", "caption")
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.start_button = self._button(f"{name}StartButton", verb)
        mark(self.start_button, "primary", True)
        self.cancel_button = self._button(f"{name}CancelButton", "Cancel")
        self.close_button = self._button(f"{name}CloseButton", "Close")
        self.start_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        self.close_button.clicked.connect(self.close)
        self.fields = QVBoxLayout()
        self.fields.setSpacing(12)
        self._lay_out()
        self._show_running(False)
        self.name_field.editor.edited.connect(self._on_name_edited)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Begin at the first field, not at the button that begins the work."""
        super().showEvent(event)
        self._grow()
        item = self.fields.itemAt(0)
        first = item.widget() if item is not None else None
        if isinstance(first, Field):
            first.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def event(self, event: QEvent) -> bool:
        """Grow with the message in it: words that wrap would be made room for by cutting the fields."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self._grow()
        return done

    # what a kind of work adds

    def order(self) -> tuple[MergeOrder | ConvertOrder, Sequence[Asset]]:
        """Return what is to be done, with the models that go in. Raises: InvalidRequest."""
        raise NotImplementedError

    def field_of(self, name: str) -> Field | None:
        """Return the field that an `InvalidRequest` names."""
        return self.name_field if name == "name" else None

    # what all kinds do

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._task is not None

    def suggest_name(self, name: str) -> None:
        """Name the result, unless the user has."""
        if not self._named:
            self.name_field.editor.blockSignals(True)
            self.name_field.set_value(name)
            self.name_field.editor.blockSignals(False)
            self.name_field.clear_error()

    def start(self) -> None:
        """Begin, or show what is missing."""
        if self._task is not None:
            return
        self.message.dismiss()
        try:
            order, inputs = self.order()
        except InvalidRequest as error:
            field = self.field_of(error.field)
            if field is None:
                self.message.say(str(error), "error")
            else:
                field.show_error(error.message, error.hint)
            return
        self._began_s = time.monotonic()
        task = self._task = self._model_work.begin(order, inputs)
        task.progressed.connect(self._on_progressed)
        task.succeeded.connect(self._on_succeeded)
        task.failed.connect(self._on_failed)
        task.cancelled.connect(self._on_cancelled)
        self._show_running(True)
        self._say("Starting…")

    def cancel(self) -> None:
        """Stop; nothing is left of what was written."""
        if self._task is not None:
            self.cancel_button.setEnabled(False)
            self._say("Cancelling…")
            self._task.cancel()

    def _on_progressed(self, fraction: float) -> None:
        if self._task is None or not self.cancel_button.isEnabled():
            return
        self.bar.setValue(round(fraction * _BAR_PARTS))
        text = f"{fraction:.0%}"
        if fraction >= _ESTIMATE_AFTER:
            left_s = (time.monotonic() - self._began_s) * (1 - fraction) / fraction
            text += f" · {readable_duration(left_s)} left"
        self._say(text)

    def _on_succeeded(self, report: WorkReport) -> None:
        took = readable_duration(time.monotonic() - self._began_s)
        message = f"Made {report.path.name}: {readable_size(report.size_bytes)} in {took}."
        self._end()
        self._named = False
        tone: Tone = "warning" if report.notes else "info"
        self.message.say(" ".join((message, *report.notes)), tone, [("Show in folder", lambda: reveal(report.path))])

    def _on_failed(self, error: StudioError) -> None:
        self._end()
        self.message.say(str(error), "error")

    def _on_cancelled(self) -> None:
        self._end()
        self.message.say("Cancelled. Nothing was kept of it.")

    def _end(self) -> None:
        self._task = None
        self._show_running(False)
        self.text_changed.emit("")

    def _say(self, text: str) -> None:
        self.state.setText(text)
        self.text_changed.emit(text)

    def _on_name_edited(self) -> None:
        self._named = True
        self.name_field.clear_error()

    def _show_running(self, running: bool) -> None:
        for field in self.findChildren(Field):
            field.setEnabled(not running)
        self.bar.setValue(0)
        self.bar.setVisible(running)
        self.state.setVisible(running)
        self.cancel_button.setVisible(running)
        self.cancel_button.setEnabled(True)
        self.start_button.setVisible(not running)
        if not running:
            self.state.clear()

    def _grow(self) -> None:
        layout = self.layout()
        needed = layout.totalHeightForWidth(self.width()) if layout is not None else 0
        if needed > self.height():
            self.resize(self.width(), needed)

    def _button(self, name: str, title: str) -> QPushButton:
        button = QPushButton(title, self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        return button

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addLayout(self.fields)
        column.addWidget(self.name_field)
        column.addWidget(self.message)
        column.addStretch(1)
        column.addWidget(self.bar)
        buttons = [(self.start_button, DO), (self.cancel_button, STOP), (self.close_button, CLOSE)]
        column.addLayout(dialog_foot(self, buttons, self.start_button, [self.state]))


def model_field(name: str, title: str, about: str) -> Field:
    """Return a field in which one of the library's models is chosen."""
    return Field(Parameter(name, title, about, FieldKind.CHOICE, None, Ui()))


def where_and_how_large(asset: Asset) -> str:
    """Return the tooltip of a model that is pointed at."""
    return ", ".join(text for text in (str(asset.path), readable_size(asset.size_bytes)) if text)
