"""The window in which regions of finished pictures are marked or looked for, to be redrawn each at the full size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from PIL import Image
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sdstudio.background.long_work import LongWork
from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.opening import as_seen, opened_picture
from sdstudio.core.request.detail_fields import boxes_of, boxes_text, has_detail
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.store import Entry
from sdstudio.jobs.detail_orders import DETAIL_ROWS, orders_for
from sdstudio.jobs.upscale_orders import Orders
from sdstudio.ui.entry_tools.region_marker import RegionMarker
from sdstudio.ui.entry_tools.submitting import what_failed
from sdstudio.ui.forms.asset_editors import offer
from sdstudio.ui.forms.field import Field
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.images import as_qimage
from sdstudio.ui.widgets.work_bar import WorkBar

_SHOWN: Final = (
    "detail", "detail_model", "detail_prompt", "detail_negative_prompt", "detail_strength", "detail_confidence",
    "detail_top_k", "detail_boxes",
)  # fmt: skip
_OF_FINDING: Final = ("detail_model", "detail_confidence", "detail_top_k")
_SEEN_PX: Final = 1024
_WIDTH: Final = 780
_COLUMN: Final = 340
NO_DETECTOR: Final = "There is no detector in the library to look for it. Get one, or mark regions on the picture."
NOTHING: Final = "Drag over the picture to mark a region, or say what to look for."

Looked = tuple[QImage, int, int]
"""A picture made small, and its own width and height."""


class DetailDialog(QDialog):
    """Not modal. What was chosen stays for the next time, but for the boxes.

    Args:
        pictures: Where the pictures are kept as inputs.
        tasks: Where they are read and copied.
        model_of: Returns the model that drew a picture; raises ModelError. On any thread.
        parent: As Qt has it.
    """

    #: Requests are to be submitted: an `Orders`; `show_submitted` shows how that went.
    ordered = TypedSignal[Orders]()
    #: A detector is to be got.
    download_wanted = Signal()

    def __init__(
        self, pictures: InputPictures, tasks: TaskRunner, model_of: Callable[[Entry], ModelInfo],
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("detailDialog")
        self.setModal(False)
        self._pictures = pictures
        self._tasks = tasks
        self._model_of = model_of
        self._entries: Sequence[Entry] = ()
        self._number = 0
        self._has_detector = False
        self._work: LongWork[Orders] | None = None
        self._title = QLabel(self)
        mark(self._title, "role", "heading")
        rows = {row.name: row for row in DETAIL_ROWS}
        self.fields = {name: Field(rows[name]) for name in _SHOWN}
        self.marker = RegionMarker(self)
        self._hint = _wrapped_label("detailHint", self)
        self._message = _wrapped_label("detailMessage", self)
        self.bar = WorkBar("detail", self)
        self.get_button = push_button(self, "detailGetButton", "Get a detector…", "download", self.download_wanted.emit)
        self.close_button = push_button(self, "detailCloseButton", "Close", "", self.close)
        self.redraw_button = push_button(self, "detailButton", "Redraw", "scan", self.start)
        fill(self.redraw_button, "scan")
        self._lay_out()
        self.marker.edited.connect(self._take_marked)
        self.fields["detail_boxes"].changed.connect(self._mark_written)
        for field in self.fields.values():
            field.changed.connect(self._show)

    def open_with(self, entries: Sequence[Entry], detectors: Sequence[Asset]) -> None:
        """Offer to redraw regions of these pictures, found with these detectors of the library."""
        if self._work is None:
            self._entries = entries
            self._say("")
            what = "this picture" if len(entries) == 1 else f"{len(entries):,} pictures"
            self._title.setText(f"Redraw regions of {what}")
            self.setWindowTitle(f"Redraw regions of {what}")
            self.marker.show_picture(QImage(), 1, 1)
            self.fields["detail_boxes"].set_value("")
            for part in (self.marker, self.fields["detail_boxes"]):
                part.setVisible(len(entries) == 1)
            self._look()
            self.show_detectors(detectors)
        bring_forward(self)
        self.fields["detail"].editor.setFocus()

    def show_detectors(self, detectors: Sequence[Asset]) -> None:
        """Offer these detectors."""
        self._has_detector = any(not asset.problem for asset in detectors)
        offer({"detector": self.fields["detail_model"].editor}, detectors, "")
        self._show()

    @property
    def values(self) -> Mapping[str, Any]:
        """What is chosen."""
        return {name: field.value() for name, field in self.fields.items()}

    @property
    def hint(self) -> str:
        """What is missing, "" for nothing."""
        return self._hint.text()

    @property
    def message(self) -> str:
        """What came of the last order, "" when there is no message."""
        return self._message.text()

    def start(self) -> None:
        """Keep the pictures as inputs in the background, then have them submitted."""
        if self._work is not None or any(field.check() for field in self.fields.values()):
            return
        entries, values, pictures, model_of = self._entries, dict(self.values), self._pictures, self._model_of

        def work(tell: OnProgress, stop: Callable[[], bool]) -> Orders:
            return orders_for(entries, values, pictures, model_of, tell, stop)

        self._say("")
        self._work = LongWork(self._tasks, "Preparing pictures with regions to redraw", work, self)
        self._work.done.connect(self._on_prepared)
        self._work.failed.connect(self._on_failed)
        self._work.stopped.connect(self._end)
        self.bar.watch(self._work, "Preparing")
        self._show()

    def show_submitted(self, count: int, failed: Sequence[tuple[Entry, StudioError]]) -> None:
        """Show what became of the orders; with nothing amiss, close."""
        self._end()
        if not failed:
            self.close()
            return
        self.show()  # it may have been closed meanwhile
        self._say(what_failed(count, failed), "error")

    # the picture

    def _look(self) -> None:
        self._number += 1
        if len(self._entries) != 1:
            return
        path = self._entries[0].path
        self._tasks.run(
            "Reading the picture", lambda _task: _looked(path), partial(self._on_looked, self._number),
            self._on_failed, urgent=True,
        )  # fmt: skip

    def _on_looked(self, number: int, looked: Looked) -> None:
        if number == self._number:
            self.marker.show_picture(*looked)
            self._mark_written()

    def _take_marked(self) -> None:
        self.fields["detail_boxes"].set_value(boxes_text(self.marker.boxes))

    def _mark_written(self) -> None:
        try:
            self.marker.set_boxes(boxes_of(str(self.fields["detail_boxes"].value())))
        except InvalidRequest:
            return  # half of it is written

    # what counts

    def _show(self) -> None:
        """Show what will be done, and what is missing."""
        values = self.values
        looks = bool(str(values["detail"]).strip())
        for name in _OF_FINDING:
            self.fields[name].setEnabled(looks)
        lacks = looks and not self._has_detector
        is_blocked = len(self._entries) == 1 and bool(self._entries[0].recipe.blocked)
        self._hint.setText(NO_DETECTOR if lacks else "" if has_detail(values) else NOTHING)
        mark(self._hint, "role", "warning" if lacks else "caption")
        self.get_button.setVisible(lacks)
        self.redraw_button.setEnabled(has_detail(values) and not lacks and not is_blocked and self._work is None)

    # doing it

    def _on_prepared(self, orders: Orders) -> None:
        if orders.stopped:
            self._end()
            self._say("Cancelled: nothing was put into the queue.")
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

    def _lay_out(self) -> None:
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self.marker, 1)
        left.addWidget(self.fields["detail_boxes"])
        right.setSpacing(12)
        for name in _SHOWN[:-1]:
            self.fields[name].setMaximumWidth(_COLUMN)
            right.addWidget(self.fields[name])
        right.addStretch(1)
        missing = QHBoxLayout()
        missing.addWidget(self._hint, 1)
        missing.addWidget(self.get_button)
        keeps = self.get_button.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)  # nothing moves when it comes
        self.get_button.setSizePolicy(keeps)
        columns = QHBoxLayout()
        columns.setSpacing(2 * GRID)
        columns.addLayout(left, 1)
        columns.addLayout(right)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addWidget(self._title)
        column.addLayout(columns, 1)
        column.addLayout(missing)
        column.addWidget(self._message)
        column.addWidget(self.bar)
        buttons = [(self.redraw_button, DO), (self.close_button, CLOSE)]
        column.addLayout(dialog_foot(self, buttons, self.redraw_button))
        self._message.hide()
        self.resize(_WIDTH, 1)


def _looked(path: Any) -> Looked:
    """Read a picture small. On any thread. Raises: PictureUnreadable."""
    with opened_picture(path) as image:
        picture = as_seen(image)
    width, height = picture.size
    picture.thumbnail((_SEEN_PX, _SEEN_PX), Image.Resampling.LANCZOS)
    return as_qimage(picture), width, height


def _wrapped_label(name: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    mark(label, "role", "caption")
    return label
