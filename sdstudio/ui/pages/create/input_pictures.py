"""How a picture comes into a request: serves the panel's field of a role, and sends pictures of the history to one.

Files are copied, checked and made small in the background; what arrives after the user has gone on is left aside.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image
from PySide6.QtCore import QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import HistoryError, InvalidRequest, SaveFailed, StudioError
from sdstudio.core.pictures.fit import placed
from sdstudio.core.pictures.input_store import InputPictures, KeptPicture
from sdstudio.core.pictures.opening import as_seen, opened_picture, shown, upright_size
from sdstudio.core.request.detail_fields import is_only_detailed
from sdstudio.core.request.input_fields import INIT, InputRole
from sdstudio.core.request.outpaint_fields import Sides, adds_ground, sides_in
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.forms.picture_editor import PictureEditor, Seen
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.images import as_qimage
from sdstudio.ui.widgets.picture_drag import Offer

SMALL_PX: Final = 512
"""Longest side of what is shown of an input: 256 logical pixels on a screen of twice as many."""
PASTED: Final = "Pasted picture.png"
_SEEN_KEPT: Final = 16


class InputController(QObject):
    """Serves the field of one role of input pictures.

    Args:
        services: Where files are read and copied, and the history, which knows its own pictures.
        shell: What is around the page.
        panel: Where the field is.
        canvas: Shows what pictures begin from.
        pictures: Where input pictures are kept.
        actions: One of them puts a picture of the history into the field of what is drawn over.
        role: Which.
    """

    #: A line for the status bar.
    status_changed = Signal(str)
    #: A picture that came from elsewhere on the page became the input picture: the `Change`, None for none, its name,
    #: and what went with the one before, "" for nothing.
    brought = TypedSignal[Change | None, str, str]()

    def __init__(
        self, services: Services, shell: Shell, panel: ParameterPanel, canvas: Canvas, pictures: InputPictures,
        actions: EntryActions, role: InputRole = INIT,
    ) -> None:  # fmt: skip
        super().__init__(shell.over)
        self._role = role
        self._shell = shell
        self._history = services.history
        self._panel = panel
        self._pictures = pictures
        self._undos = undos = shell.undos
        self._tasks = services.tasks
        self._field = panel.field(role.field)
        editor = self._field.editor
        assert isinstance(editor, PictureEditor)
        self._editor = editor
        self._number = 0
        self._change: Change | None = None
        self._lost = ""
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._stopped = False
        #: Takes away what belongs to the picture before, and returns what was done; ``None`` where nothing does.
        self.left_behind: Callable[[], Change | None] = lambda: None
        editor.offered.connect(self.take)
        editor.look_wanted.connect(self._look)
        editor.edited.connect(lambda: editor.offer_undo(False))
        editor.left.connect(self._on_left)
        editor.undo_wanted.connect(lambda: undos.undo(self._change))
        editor.size_wanted.connect(self._use_size)
        if role is INIT:
            actions.handle("use_as_input", lambda entries: self.use_entry(entries[0]))
            canvas.first_look = self.first_look
            canvas.size_of = self.size_of

    def stop(self) -> None:
        """Begin nothing more in the background: the window closes."""
        self._stopped = True

    def use_entry(self, entry: Entry, then: Callable[[], object] | None = None) -> None:
        """Let the next pictures begin from one of the history; ``then`` is done once it is there.

        Raises:
            HistoryError: It was blocked.
        """
        if entry.recipe.blocked:
            raise HistoryError(f"Picture {entry.id}: it was blocked, there is nothing to begin from.")
        self._bring(Offer(entry.path, entry_id=entry.id), then)

    def use_file(self, path: Path) -> None:
        """Let the next pictures begin from a file."""
        self._bring(Offer(path))

    def use_offer(self, offer: Offer) -> None:
        """Let the next pictures begin from one that was pasted elsewhere on the page."""
        self._bring(offer)

    def _bring(self, offer: Offer, then: Callable[[], object] | None = None) -> None:
        self._shell.attention_wanted.emit()
        self._panel.show_field(self._role.field)
        self.take(offer, is_brought=True, then=then)

    def take(self, offer: Offer, is_brought: bool = False, then: Callable[[], object] | None = None) -> None:
        """Keep an offered picture, and put it into the field once it is whole.

        Args:
            offer: The picture.
            is_brought: It was given elsewhere than at the field, and what became of it is to be shown.
            then: Is done once it is in the field.
        """
        if offer.path is None and offer.image is None:
            self._field.show_error("Clipboard: there is no picture on it.", "Copy a picture, or its file, first.")
            return
        if self._stopped:
            return
        self._number += 1
        self._field.clear_error()
        self._editor.show_busy(True)
        self._tasks.run(
            "Taking an input picture in",
            lambda _task: _kept(self._pictures, self._history, offer),
            partial(self._on_kept, self._number, offer.count, is_brought, then),
            partial(self._on_not_kept, self._number),
            urgent=True,
        )

    def first_look(self, request: GenerationRequest) -> QImage | None:
        """Return the input of a request as it begins, small and in its shape; ``None`` unless it is at hand."""
        seen = self._seen.get(INIT.picture_in(request))
        if seen is None:
            return None
        if adds_ground(dict(request)):
            return extended(seen, sides_in(request.outpaint), request.outpaint_colour)
        return fitted(seen.small, request.width, request.height, request.init_fit)

    def size_of(self, request: GenerationRequest) -> tuple[int, int]:
        """Return how large the picture of a request will be, as far as that is at hand."""
        seen = self._seen.get(INIT.picture_in(request))
        if seen is not None and is_only_detailed(request):
            return seen.width, seen.height
        if seen is None or not adds_ground(dict(request)):
            return request.made_size
        return sides_in(request.outpaint).around((seen.width, seen.height))

    def _on_kept(
        self, number: int, count: int, is_brought: bool, then: Callable[[], object] | None,
        came: tuple[KeptPicture, Seen],
    ) -> None:  # fmt: skip
        kept, seen = came
        if number != self._number or not self._editor.is_busy:
            return  # another was offered meanwhile, or it is not wanted any more
        self._remember(kept.id, seen)
        self._editor.show_busy(False)
        self._change, self._lost = None, ""
        self._editor.take(kept.id)
        if is_brought and (then is None or self._lost):  # what is done next shows it else
            self.brought.emit(self._change, seen.name, self._lost)
        if count > 1:
            self.status_changed.emit(f"{count} pictures came: the first is the {self._role.title.lower()}")
        if then is not None:
            then()

    def _on_not_kept(self, number: int, error: StudioError) -> None:
        if number == self._number and self._editor.is_busy:
            self._editor.show_busy(False)
            self._panel.show_error(InvalidRequest(self._role.field, error.message, error.hint))

    def _look(self, picture_id: str) -> None:
        """Show the picture of an id that came with a request: from the history, or from the last session."""
        seen = self._seen.get(picture_id)
        if seen is not None:
            self._editor.show_picture(picture_id, seen)
        elif not self._stopped:
            self._tasks.run(
                "Reading the input picture",
                lambda _task: _seen_of(self._pictures.path_of(picture_id), self._pictures),
                partial(self._on_looked, picture_id),
                partial(self._on_gone, picture_id),
                urgent=True,
            )

    def _on_looked(self, picture_id: str, seen: Seen) -> None:
        self._remember(picture_id, seen)
        self._editor.show_picture(picture_id, seen)

    def _on_gone(self, picture_id: str, error: StudioError) -> None:
        self._editor.show_gone(picture_id, error.message)
        if picture_id == self._editor.value():  # nobody may be at the field now: the focus stays where it is
            self._field.show_error(error.message, error.hint)

    def _remember(self, picture_id: str, seen: Seen) -> None:
        self._seen[picture_id] = seen
        self._seen.move_to_end(picture_id)
        while len(self._seen) > _SEEN_KEPT:
            self._seen.popitem(last=False)

    # taking back

    def _on_left(self, before: str) -> None:
        now = self._editor.value()
        what = "removed" if not now else "replaced" if before else "added"
        lost = self.left_behind()
        self._lost = lost.text if lost is not None else ""

        def undo() -> None:
            self._editor.set_value(before)
            if lost is not None:
                lost.undo()

        def redo() -> None:
            self._editor.set_value(now)
            if lost is not None and lost.redo is not None:
                lost.redo()

        self._change = change = Change(f"{self._role.title} {what}", undo, redo)
        self._undos.push(change)
        if lost is not None:
            self._shell.say(lost.text, "info", [("Undo", lambda: self._undos.undo(change))])
        self._editor.offer_undo(bool(before))

    # the size

    def _use_size(self, width: int, height: int) -> None:
        """Make the picture to be drawn as large as its input, as near as is allowed."""
        for name, side in zip(("width", "height"), self._nearest(width, height), strict=True):
            self._panel.field(name).set_value(side)

    def _nearest(self, width: int, height: int) -> tuple[int, int]:
        rows = [self._panel.field(name).row for name in ("width", "height")]
        most = min(row.maximum or width for row in rows)
        scale = min(1.0, most / max(width, height))
        sides = []
        for row, side in zip(rows, (width, height), strict=True):
            step = row.multiple_of or 1
            sides.append(int(max(row.minimum or step, round(side * scale / step) * step)))
        return sides[0], sides[1]


def _kept(pictures: InputPictures, history: History, offer: Offer) -> tuple[KeptPicture, Seen]:
    """Keep an offered picture and make it small. On any thread. Raises: StudioError."""
    if offer.path is None:
        kept = _kept_pixels(pictures, offer.image)
    else:
        entry_id = offer.entry_id if offer.entry_id is not None else history.lineage.entry_of(offer.path)
        kept = pictures.keep(offer.path, entry_id)
    return kept, _seen_of(kept.path, pictures)


def _kept_pixels(pictures: InputPictures, image: QImage | None) -> KeptPicture:
    with tempfile.TemporaryDirectory(prefix="sdstudio-") as folder:
        path = Path(folder) / PASTED
        if image is None or not image.save(str(path)):
            raise SaveFailed("Pasted picture: it could not be written.", "Save it as a file and choose that.")
        return pictures.keep(path)


def _seen_of(path: Path, pictures: InputPictures) -> Seen:
    """Read what is shown of a kept picture. On any thread. Raises: PictureUnreadable."""
    found = pictures.find(path.stem)
    name = found.name if found is not None else ""
    with opened_picture(path) as image:
        width, height = upright_size(image)
        image.draft("RGB", (2 * SMALL_PX, 2 * SMALL_PX))  # a JPEG is decoded no larger than it is needed
        image.thumbnail((SMALL_PX, SMALL_PX), Image.Resampling.LANCZOS)
        small = as_qimage(as_seen(image))
    return Seen(small, shown(name or path.name), width, height)


def extended(seen: Seen, sides: Sides, colour: str) -> QImage:
    """Return a picture small, with ground of one colour around it."""
    wide, high = sides.around((seen.width, seen.height))
    scale = SMALL_PX / max(wide, high)
    shape = QImage(max(1, round(wide * scale)), max(1, round(high * scale)), QImage.Format.Format_RGB32)
    shape.fill(QColor(colour))
    painter = QPainter(shape)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF(*(side * scale for side in (sides.left, sides.top, seen.width, seen.height))), seen.small)
    painter.end()
    return shape


def fitted(small: QImage, width: int, height: int, fit: str) -> QImage:
    """Return a small picture in the shape of ``width`` x ``height``; ``fit``: as `placed` takes it."""
    scale = SMALL_PX / max(width, height)
    shape = QImage(max(1, round(width * scale)), max(1, round(height * scale)), QImage.Format.Format_RGB32)
    shape.fill(Qt.GlobalColor.white)
    place = placed((small.width(), small.height()), (shape.width(), shape.height()), fit)
    left, top, right, bottom = place.part
    painter = QPainter(shape)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRect(*place.at, *place.size), small, QRect(left, top, right - left, bottom - top))
    painter.end()
    return shape
