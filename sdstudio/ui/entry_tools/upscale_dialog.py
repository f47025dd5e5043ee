"""The window in which pictures are made larger: by how much, with which upscaler, and whether details are redrawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QDialog, QFrame, QLabel, QVBoxLayout, QWidget

from sdstudio.background.long_work import LongWork
from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.params import Choice, FieldKind, Parameter, Ui, parameters
from sdstudio.core.pictures.input_size import SIDE_MAXIMUM, Size, is_allowed, larger
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.store import Entry
from sdstudio.jobs.upscale_orders import (
    FACTORS,
    Enlargement,
    Orders,
    orders_for,
    sizes_of,
)
from sdstudio.ui.entry_tools.submitting import what_failed
from sdstudio.ui.forms.asset_editors import offer
from sdstudio.ui.forms.field import Field
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.work_bar import WorkBar

WIDTH: Final = 440
_OWN: Final = {row.name: row for row in parameters(GenerationRequest)}
FACTOR: Final = Parameter(
    "upscale_factor", "Factor", "How many times as wide and as high.", FieldKind.CHOICE, 2.0, Ui(),
    choices=tuple(Choice(factor, f"{factor:g} ×") for factor in FACTORS),
)  # fmt: skip
STRENGTH: Final = replace(_OWN["strength"], name="upscale_strength", default=0.3, minimum=0.2, maximum=0.5)
"""Below, hardly anything is drawn; above, a large picture is drawn as several small ones and heads double."""
UPSCALER: Final = replace(_OWN["upscaler"], name="upscale_upscaler")
REDRAW_ABOUT: Final = (
    "The model draws over the enlarged picture with the picture's own prompt and seed: that adds fine detail, and "
    "small things may change."
)


class UpscaleDialog(QDialog):
    """Not modal. What was chosen stays for the next time.

    Args:
        pictures: Where the pictures are kept as inputs.
        tasks: Where they are looked at and copied.
        parent: As Qt has it.
    """

    #: Requests are to be submitted: an `Orders`; `show_submitted` shows how that went.
    ordered = TypedSignal[Orders]()

    def __init__(self, pictures: InputPictures, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("upscaleDialog")
        self.setModal(False)
        self._pictures = pictures
        self._tasks = tasks
        self._entries: Sequence[Entry] = ()
        self._sizes: list[Size | None] | None = None
        self._number = 0
        self._work: LongWork[Orders] | None = None
        self._title = QLabel(self)
        mark(self._title, "role", "heading")
        self.factor = Field(FACTOR)
        self.upscaler = Field(UPSCALER)
        self.strength = Field(STRENGTH)
        self.redraw_box = QCheckBox("Redraw details", self)
        self.redraw_box.setObjectName("upscaleRedrawCheckBox")
        self.redraw_box.setAccessibleName("Redraw details")
        self.redraw_box.setAccessibleDescription(REDRAW_ABOUT)
        self._result = _wrapped_label("upscaleResult", self)
        self._about = _wrapped_label("upscaleRedrawAbout", self)
        self._message = _wrapped_label("upscaleMessage", self)
        self.bar = WorkBar("upscale", self)
        self.close_button = push_button(self, "upscaleCloseButton", "Close", "", self.close)
        self.upscale_button = push_button(self, "upscaleButton", "Upscale", "scaling", self.start)
        fill(self.upscale_button, "scaling")
        self._lay_out()
        self.factor.changed.connect(self._show)
        self.strength.changed.connect(self._show)
        self.redraw_box.toggled.connect(self.strength.setVisible)
        self.redraw_box.toggled.connect(self._show)
        self.strength.hide()

    def open_with(self, entries: Sequence[Entry], assets: Sequence[Asset]) -> None:
        """Offer to make these pictures larger, with these upscalers among others of the library."""
        if self._work is None:
            self._entries = entries
            self._say("")
            what = "this picture" if len(entries) == 1 else f"{len(entries):,} pictures"
            self._title.setText(f"Upscale {what}")
            self.setWindowTitle(f"Upscale {what}")
            offer({"upscaler": self.upscaler.editor}, assets, "")
            self._read_sizes()
        bring_forward(self)
        self.factor.editor.setFocus()

    @property
    def how(self) -> Enlargement:
        """What is chosen."""
        strength = float(self.strength.value()) if self.redraw_box.isChecked() else 0.0
        return Enlargement(float(self.factor.value()), str(self.upscaler.value() or ""), strength)

    @property
    def outcome(self) -> str:
        """How large the result will be, or why there will be none."""
        return self._result.text()

    @property
    def message(self) -> str:
        """What came of the last order, "" when there is no message."""
        return self._message.text()

    def start(self) -> None:
        """Keep the pictures as inputs in the background, then have them submitted."""
        if self._work is not None or self._sizes is None or self.strength.check() or self.upscaler.check():
            return
        entries, sizes, how, pictures = self._entries, self._sizes, self.how, self._pictures

        def work(tell: OnProgress, stop: Callable[[], bool]) -> Orders:
            return orders_for(entries, sizes, how, pictures, tell, stop)

        self._say("")
        self.upscale_button.setEnabled(False)
        self._work = LongWork(self._tasks, "Preparing pictures to upscale", work, self)
        self._work.done.connect(self._on_prepared)
        self._work.failed.connect(self._on_failed)
        self._work.stopped.connect(self._end)
        self.bar.watch(self._work, "Preparing")
        self._fit()

    def show_submitted(self, count: int, failed: Sequence[tuple[Entry, StudioError]]) -> None:
        """Show what became of the orders; with nothing amiss, close."""
        self._end()
        if not failed:
            self.close()
            return
        self.show()  # it may have been closed meanwhile
        self._say(what_failed(count, failed), "error")

    # what counts

    def _read_sizes(self) -> None:
        self._sizes = None
        self._number += 1
        entries = self._entries
        self._show()
        self._tasks.run(
            "Reading the sizes of pictures",
            lambda task: sizes_of(entries, task.cancelled_event.is_set),
            partial(self._on_sizes, self._number),
            urgent=True,
        )

    def _on_sizes(self, number: int, sizes: list[Size | None]) -> None:
        if number == self._number:
            self._sizes = sizes
            self._show()

    def _show(self) -> None:
        """Show what will come of it, and what cannot."""
        redraw = self.redraw_box.isChecked()
        self._about.setText(REDRAW_ABOUT + (f" {self._cost}" if redraw else ""))
        if self._sizes is None:
            self._show_result("Looking at the pictures…", "caption", False)
            return
        readable = [size for size in self._sizes if size is not None]
        results = [larger(size, self.how.factor) for size in readable]
        allowed = [size for size in results if is_allowed(size)]
        lost, too_large = len(self._sizes) - len(readable), len(results) - len(allowed)
        text = self._words(readable, allowed)
        if too_large:
            widest = max(results, key=max)
            size = f"{widest[0]:,} × {widest[1]:,} px"
            several = f"{too_large:,} of {len(self._sizes):,} would be {size} and {_is(too_large)} left out"
            limit = f"{several if len(self._sizes) > 1 else f'That is {size}'}: at most {SIDE_MAXIMUM:,} px a side."
            text = f"{text} {limit}".strip() + ("" if allowed else " Choose a smaller factor.")
        if lost:
            text = f"{text} {_lost(lost, len(self._sizes))}".strip()
        self._show_result(text, "warning" if too_large or lost else "caption", bool(allowed))

    @property
    def _cost(self) -> str:
        return f"Each step then takes at least {self.how.factor**2:g} times as long, and more memory."

    def _words(self, readable: Sequence[Size], allowed: Sequence[Size]) -> str:
        if not allowed:
            return ""
        if len(readable) == 1:
            (width, height), (new_width, new_height) = readable[0], allowed[0]
            return f"{width:,} × {height:,} px becomes {new_width:,} × {new_height:,} px."
        largest = max(allowed, key=lambda size: size[0] * size[1])
        pictures = "1 picture" if len(allowed) == 1 else f"{len(allowed):,} pictures"
        return f"{pictures}, the largest becomes {largest[0]:,} × {largest[1]:,} px."

    def _show_result(self, text: str, role: str, can_start: bool) -> None:
        self._result.setText(text)
        mark(self._result, "role", role)
        self.upscale_button.setEnabled(can_start and self._work is None)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the words need at this width: a window does not grow with its labels by itself."""
        layout = self.layout()
        assert layout is not None
        layout.activate()
        height = max(layout.totalHeightForWidth(self.width()), layout.totalMinimumSize().height())
        self.setMinimumHeight(height)
        self.resize(self.width(), height)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Wrap the words anew."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    # doing it

    def _on_prepared(self, orders: Orders) -> None:
        if orders.stopped:
            self._end()
            self._say("Cancelled: nothing was put into the queue.", "caption")
        else:
            self.ordered.emit(orders)

    def _on_failed(self, error: StudioError) -> None:
        self._end()
        self._say(str(error), "error")

    def _end(self) -> None:
        self._work = None
        self._show()

    def _say(self, text: str, role: str = "caption") -> None:
        self._message.setText(text)
        mark(self._message, "role", role)
        self._message.setVisible(bool(text))
        self._fit()

    def _lay_out(self) -> None:
        line = QFrame(self)
        mark(line, "separator", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        parts = (
            self._title, self.factor, self._result, self.upscaler, line, self.redraw_box, self._about, self.strength,
            self._message, self.bar,
        )  # fmt: skip
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        column.addSpacing(GRID)
        buttons = [(self.upscale_button, DO), (self.close_button, CLOSE)]
        column.addLayout(dialog_foot(self, buttons, self.upscale_button))
        self._message.hide()
        self.setMinimumWidth(WIDTH)
        self.resize(WIDTH, 1)


def _wrapped_label(name: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    mark(label, "role", "caption")
    return label


def _lost(lost: int, count: int) -> str:
    if count == 1:
        return "The picture cannot be read, or was blocked."
    return f"{lost:,} cannot be read, or {'was' if lost == 1 else 'were'} blocked."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
