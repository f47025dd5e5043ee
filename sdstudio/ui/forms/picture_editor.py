"""The picture that a request begins from: dropped, pasted or chosen; seen small, with its name and its size.

The editor holds the picture's id and knows neither files nor threads: it emits what was offered to it and which id it
would like to show, and shows what came of it (``input_controller`` answers).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.params import Parameter
from sdstudio.core.pictures.opening import OPEN_FILTER
from sdstudio.ui import theme
from sdstudio.ui.forms.editor import Editor, camel, tooltip
from sdstudio.ui.theme import GRID, RADIUS, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.drop_answer import accept_as_copy
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.picture_drag import Offer, offer_of

PICTURES: Final = f"{OPEN_FILTER};;All files (*)"
EMPTY_PX: Final = 72
FILLED_PX: Final = 120
INVITATION: Final = "Drop a picture here, or choose one…"
REGIONS_INVITATION: Final = "No painted regions. Drop a black picture with white regions here, or choose one…"
COPYING: Final = "Taking the picture in…"
GONE: Final = "The picture is gone"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is shown of a picture: it small, its name, and its size in pixels, turned as it is to be seen."""

    small: QImage
    name: str
    width: int
    height: int


class PictureEditor(Editor):
    """One picture, or none. It fills its place only when it was `show_picture`-n what belongs to its id."""

    #: A picture was dropped, pasted or chosen: an `Offer`.
    offered = TypedSignal[Offer]()
    #: Another id is held and its picture is to be shown; carries the id.
    look_wanted = Signal(str)
    #: The picture that is held has been read, and is seen.
    shown = Signal()
    #: Another picture takes the place of this id, or none does, by hand.
    left = Signal(str)
    #: The last change is to be taken back.
    undo_wanted = Signal()
    #: Its picture is to be painted on.
    paint_wanted = Signal()
    #: Width and height are to be those of the picture.
    size_wanted = Signal(int, int)

    invitation = INVITATION
    """What stands in its place while it holds none."""
    is_begun_from = True
    """Whether it can be painted on, and its size be that of what is drawn."""

    def __init__(self, row: Parameter) -> None:
        place = PicturePlace()
        super().__init__(row, place)
        self.place = place
        self._id = ""
        self._busy = False
        self._gone = ""
        self.seen: Seen | None = None
        self._about = QLabel()
        mark(self._about, "role", "caption")
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._about.setWordWrap(True)
        self.paint_button = self._button("Edit", "Paint", self.paint_wanted.emit)
        self.choose_button = self._button("Choose…", "Choose", self.ask)
        self.paste_button = self._button("Paste", "Paste", self.paste)
        self.size_button = self._button("Use its size", "UseSize", self._on_size_wanted)
        self.remove_button = self._button("Remove", "Remove", self.remove)
        self.undo_button = self._button("Undo", "Undo", self.undo_wanted.emit)
        self.undo_button.hide()
        self._lay_out()
        self.set_row(row)
        self._show()
        place.clicked.connect(lambda: self.ask_at_place())
        place.dropped.connect(self.offered)
        place.paste_pressed.connect(self.paste)
        place.remove_pressed.connect(self.remove)

    def value(self) -> str:
        """Return the id of the picture, "" for none."""
        return self._id

    def set_value(self, value: Any) -> None:
        """Show the picture of an id, "" for none."""
        self._busy = False
        wanted = str(value or "")
        if wanted == self._id:
            self._show()
            return
        self._id = wanted
        self.seen = None
        self._gone = ""
        self._show()
        self.edited.emit()
        if wanted:
            self.look_wanted.emit(wanted)

    @property
    def problem(self) -> tuple[str, str] | None:
        """Why no picture can be drawn with what is held: the message and what to do; ``None`` when one can."""
        if self._busy:
            return f"{self.row.title}: it is still being taken in.", "Wait a moment."
        return (self._gone, "Remove it, or choose another.") if self._gone else None

    @property
    def is_busy(self) -> bool:
        """Whether an offered picture is being taken in."""
        return self._busy

    @property
    def is_gone(self) -> bool:
        """Whether the picture that is held was looked for and not found."""
        return bool(self._gone)

    # what is asked of it

    def take(self, picture_id: str) -> None:
        """Hold a picture that was chosen by hand; the one before can be brought back."""
        before = self._id
        self.set_value(picture_id)
        if before != picture_id:
            self.left.emit(before)
            self.finished.emit()

    def remove(self) -> None:
        """Hold no picture any more."""
        if self._id or self._busy:
            self.take("")

    def ask(self) -> None:
        """Let the user choose a file."""
        dialog = QFileDialog(self, f"{self.row.title}: choose a picture", str(Path.home()), PICTURES)
        dialog.setObjectName("inputPictureDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.offered.emit(Offer(Path(name))))
        dialog.open()

    def ask_at_place(self) -> None:
        """Its place was pressed: let the user choose a file."""
        self.ask()

    def paste(self) -> None:
        """Offer the picture on the clipboard; an empty `Offer` when there is none."""
        mime = QApplication.clipboard().mimeData()
        self.offered.emit((offer_of(mime) if mime is not None else None) or Offer())

    # what others have it show

    def show_busy(self, busy: bool) -> None:
        """Show that an offered picture is being taken in, or no longer."""
        self._busy = busy
        self._show()

    def show_picture(self, picture_id: str, seen: Seen) -> None:
        """Show what belongs to an id; one that came too late is left aside."""
        if picture_id == self._id:
            self.seen = seen
            self._gone = ""
            self._show()
            self.shown.emit()

    def show_gone(self, picture_id: str, message: str) -> None:
        """Show that the picture of an id is not there any more."""
        if picture_id == self._id:
            self.seen = None
            self._gone = message
            self._show()

    def offer_undo(self, offered: bool) -> None:
        """Show the button that takes the last change back, or hide it."""
        self.undo_button.setVisible(offered)

    def set_row(self, row: Parameter) -> None:
        """Take another description."""
        super().set_row(row)
        self.place.setToolTip(tooltip(row))

    # inside

    def _button(self, title: str, suffix: str, act: Any) -> QPushButton:
        button = push_button(self, f"{camel(self.row.name)}{suffix}Button", title, "", act)
        button.setAccessibleName(f"{self.row.title}: {title.rstrip('…')}")
        return button

    def _lay_out(self) -> None:
        buttons = QWidget()
        mark(buttons, "bare", True)
        flow = FlowLayout(GRID // 2, buttons)
        for button in (
            self.choose_button, self.paint_button, self.paste_button, self.size_button, self.remove_button,
            self.undo_button,
        ):  # fmt: skip
            flow.addWidget(button)
        self._buttons = buttons
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addWidget(self.place)
        column.addWidget(self._about)
        column.addWidget(buttons)

    def _show(self) -> None:
        seen, held = self.seen, bool(self._id)
        if self._busy:
            said, name = COPYING, COPYING
        elif self._gone:
            said, name = GONE, self._gone
        else:
            said, name = "" if held else self.invitation, seen.name if seen is not None else ""
        self.place.show_state(seen.small if seen is not None and not self._busy else None, said, held, bool(self._gone))
        self.place.setAccessibleDescription(name or self.row.description)
        self._about.setText(f"{seen.name} · {seen.width} × {seen.height}" if seen is not None else "")
        self._about.setVisible(seen is not None)
        for button, shown in (
            (self.choose_button, not held or bool(self._gone)), (self.paste_button, not held),
            (self.paint_button, held and not self._gone and self.is_begun_from),
            (self.size_button, held and not self._gone and self.is_begun_from),
            (self.remove_button, held),
        ):  # fmt: skip
            if not shown and self.window().focusWidget() is button:
                self.place.setFocus(Qt.FocusReason.OtherFocusReason)  # else the next number takes what is typed
            button.setVisible(shown)
        for button in (self.size_button, self.paint_button):
            button.setEnabled(seen is not None)

    def _on_size_wanted(self) -> None:
        if self.seen is not None:
            self.size_wanted.emit(self.seen.width, self.seen.height)


class RegionsEditor(PictureEditor):
    """Regions that were painted elsewhere, or none."""

    invitation = REGIONS_INVITATION
    is_begun_from = False


class PicturePlace(QAbstractButton):
    """Where the picture lies: a button that opens the choice, takes drops, and knows the keys to remove and open."""

    #: A picture was let go over it: an `Offer`.
    dropped = TypedSignal[Offer]()
    #: Paste was chosen while it has the focus.
    paste_pressed = Signal()
    #: Delete was pressed.
    remove_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._small: QImage | None = None
        self._said = INVITATION
        self._is_gone = False
        self._is_over = False
        self.setAcceptDrops(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        paste = QAction("Paste", self)
        paste.setObjectName("pasteAction")
        paste.triggered.connect(self.paste_pressed)
        self.addAction(paste)
        self.setFixedHeight(EMPTY_PX)

    def show_state(self, small: QImage | None, said: str, is_held: bool, is_gone: bool) -> None:
        """Show a picture, or words."""
        self._small, self._said, self._is_gone = small, said, is_gone
        self.setFixedHeight(FILLED_PX if is_held and not is_gone else EMPTY_PX)
        self.update()

    @property
    def said(self) -> str:
        """The words that stand in it."""
        return self._said

    @property
    def small(self) -> QImage | None:
        """The picture that is shown."""
        return self._small

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as there is room."""
        return QSize(160, EMPTY_PX)

    # the hand

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Enter chooses, as a click does; Delete removes."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.click()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_pressed.emit()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 (Qt's name)
        """Take a picture from wherever it comes."""
        if offer_of(event.mimeData()) is not None:
            accept_as_copy(event)
            self._set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802 (Qt's name)
        """It went elsewhere."""
        super().dragLeaveEvent(event)
        self._set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 (Qt's name)
        """It was let go."""
        self._set_over(False)
        offer = offer_of(event.mimeData())
        if offer is not None:
            accept_as_copy(event)
            self.dropped.emit(offer)

    def _set_over(self, over: bool) -> None:
        self._is_over = over
        self.update()

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the picture on its ground, or the words in a frame of dashes."""
        colours = theme.tokens()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        hot = self._is_over or self.hasFocus()
        line = colours.danger if self._is_gone or self.property("invalid") else colours.control
        pen = QPen(QColor(colours.accent_text if hot else line), 2 if hot else 1)
        if self._small is None and not hot:
            pen.setStyle(Qt.PenStyle.DashLine)
        ground = colours.hover if self._is_over or self.underMouse() else colours.window
        painter.setBrush(QColor(ground))
        painter.setPen(pen)
        painter.drawRoundedRect(frame, RADIUS, RADIUS)
        if self._small is not None:
            self._draw_picture(painter, self._small, frame.adjusted(3, 3, -3, -3))
        elif self._said:
            colour = colours.danger if self._is_gone else colours.muted
            painter.setPen(QColor(colour))
            area = frame.adjusted(GRID, GRID, -GRID, -GRID)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._said)
        painter.end()

    def _draw_picture(self, painter: QPainter, small: QImage, room: QRectF) -> None:
        scale = min(room.width() / small.width(), room.height() / small.height())
        width, height = small.width() * scale, small.height() * scale
        where = QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)
        shape = QPainterPath()
        shape.addRoundedRect(where, RADIUS / 2, RADIUS / 2)
        painter.setClipPath(shape)
        painter.drawImage(where, small)
