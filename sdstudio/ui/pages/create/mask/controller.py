"""Painting a mask: how one comes to it, what each change of the mask is to undo, and what the request is told of it.

There is one mask, that of the input picture, and it is as large. The panel's field holds its id, which is found in the
background whenever the hand rests, and at once for whoever asks before that. Nothing here needs numpy until something
is painted: see `PaintedMask`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtWidgets import QFileDialog, QStackedWidget

from sdstudio.core.errors import StudioError
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.opening import OPEN_FILTER
from sdstudio.core.request.finish_fields import is_finished
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry
from sdstudio.ui.forms.mask_editor import MaskEditor
from sdstudio.ui.forms.picture_editor import PictureEditor, Seen
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.input_pictures import InputController
from sdstudio.ui.pages.create.mask.ground import Ground
from sdstudio.ui.pages.create.mask.rows import COMMANDS
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change, both
from sdstudio.ui.widgets.picture_drag import Offer
from sdstudio.ui.widgets.picture_view import PictureView

if TYPE_CHECKING:
    from sdstudio.ui.pages.create.mask.painted import PaintedMask

NO_PICTURE: Final = "There is no picture to paint on."
STILL_READ: Final = "The input picture is still being read. Try again in a moment."
SIZE_NOTE: Final = "{drawn} is drawn, and the picture is {own}: use its size, or draw only what is masked."
PART_NOTE: Final = "Only what is masked is drawn, at {drawn}; the picture keeps its {own}."
NO_PICTURE_HINT: Final = "Choose an input picture, or use Edit on one of the history."


class MaskController(QObject):
    """Brings pictures to be painted on, and does the commands of the mask.

    Args:
        services: Where files are read, and the data folder.
        shell: What is around the page.
        panel: Where the fields of picture and mask are.
        canvas: What is seen while nothing is painted.
        stage: Shows the canvas, or the page that is painted on.
        inputs: Puts pictures into the field of the input picture.
        pictures: Where input pictures are kept.
    """

    def __init__(
        self, services: Services, shell: Shell, panel: ParameterPanel, canvas: Canvas, stage: QStackedWidget,
        inputs: InputController, pictures: InputPictures,
    ) -> None:  # fmt: skip
        super().__init__(shell.over)
        self._services = services
        self._shell = shell
        self._panel = panel
        self._canvas = canvas
        self._stage = stage
        self._inputs = inputs
        self._pictures = pictures
        self._stopped = False
        self._built: PaintedMask | None = None
        picture, mask = panel.field(INIT.field).editor, panel.field(MASK.field).editor
        assert isinstance(picture, PictureEditor)
        assert isinstance(mask, MaskEditor)
        self._picture, self._mask = picture, mask
        self.ground = Ground(shell, services.tasks, panel, picture)
        mask.written = lambda: self._painted.written()
        mask.put.connect(self._on_put)
        mask.paint_wanted.connect(self.paint)
        mask.clear_wanted.connect(lambda: self.do("mask_clear"))
        mask.offered.connect(self._load)
        picture.edited.connect(self._on_picture_changed)
        picture.shown.connect(self._show_small)
        picture.paint_wanted.connect(self.paint)
        inputs.left_behind = self._on_picture_left
        canvas.looked.connect(self.leave)
        panel.changed.connect(self._note_size)

    def stop(self) -> None:
        """Begin nothing more in the background: the window closes."""
        self._stopped = True
        self.ground.stop()
        if self._built is not None:
            self._built.stop()

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"mask_paint": self.paint, **{row.key: partial(self.do, row.key) for row in COMMANDS}}

    @property
    def view(self) -> PictureView:
        """The picture that is seen in the middle, painted on or not."""
        return self._painted.page.view if self.is_painting else self._canvas.view

    @property
    def is_painting(self) -> bool:
        """Whether the picture is seen that is painted on."""
        return self._built is not None and self._stage.currentWidget() is self._built.page

    # coming and going

    def edit(self, entry: Entry) -> None:
        """Let the next pictures begin from one of the history, and paint on it. Raises: HistoryError."""
        self._inputs.use_entry(entry, then=partial(self._paint_on, entry.recipe.request))

    def _paint_on(self, request: GenerationRequest) -> None:
        """Paint on a picture; of one that was finished larger than it was drawn, draw only what is masked.

        Drawn as a whole it would shrink to the size that is drawn at: a masked picture is not finished.
        """
        size, field = (self._panel.value("width"), self._panel.value("height")), self._panel.field("only_masked")
        if is_finished(request) and size[0] < request.made_size[0] and field.value() is None and not field.row.hidden:
            field.set_value(field.row.ui.begins)
        self.paint()

    def paint(self) -> None:
        """Paint on the input picture; without one, on the picture of the canvas."""
        self._shell.attention_wanted.emit()
        seen = self._picture.seen
        if self._panel.field(MASK.field).row.hidden:
            model = self._panel.model
            self._shell.say(f"{model.name if model else 'The model'} takes no mask. Choose another model.", "warning")
        elif seen is not None:
            self._open(seen)
        elif not self._picture.value() and self._canvas.entry is not None:
            try:
                self.edit(self._canvas.entry)
            except StudioError as error:
                self._shell.say(str(error), "error")
        else:
            is_held = self._picture.value() and not self._picture.is_gone
            self._shell.say(STILL_READ if is_held else f"{NO_PICTURE} {NO_PICTURE_HINT}", "warning")

    def _open(self, seen: Seen) -> None:
        painted = self._painted
        painted.begin(QSize(seen.width, seen.height))
        if self._stage.indexOf(painted.page) < 0:
            self._stage.addWidget(painted.page)
        painted.show_picture(str(self._picture.value()), seen)
        self.ground.take(painted.page.ground)
        self._stage.setCurrentWidget(painted.page)
        self._note_size()
        painted.page.layer.setFocus(Qt.FocusReason.OtherFocusReason)

    def _note_size(self) -> None:
        """Say on the page where another size is drawn than that of the picture."""
        seen = self._picture.seen
        if not self.is_painting or seen is None:
            return
        size = (self._panel.value("width"), self._panel.value("height"))
        words = SIZE_NOTE if self._panel.value("only_masked") is None else PART_NOTE
        text = words.format(drawn=f"{size[0]} × {size[1]}", own=f"{seen.width} × {seen.height}")
        is_other = size != (seen.width, seen.height) and not any(self.ground.sides)
        self._painted.page.note(text if is_other else "")

    def leave(self) -> None:
        """Show the canvas again; the mask stays."""
        if self.is_painting:
            self._painted.end()
            had_focus = self._painted.page.isAncestorOf(self._shell.over.focusWidget() or self._shell.over)
            self._stage.setCurrentWidget(self._canvas)
            if had_focus:
                self._canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def escape(self) -> bool:
        """Take back what has begun, else leave; False where nothing is painted."""
        if not self.is_painting:
            return False
        if not self._painted.stop_work():
            self.leave()
        return True

    # commands

    def do(self, key: str) -> None:
        """Do what a row of `COMMANDS` says, where there is a picture to do it on."""
        is_for_page = key == "mask_hide" and not self.is_painting
        if self._picture.seen is None or self._panel.field(MASK.field).row.hidden or is_for_page:
            self.paint()
            return
        seen = self._picture.seen
        self._painted.begin(QSize(seen.width, seen.height))
        match key:
            case "mask_load":
                self._mask.ask()
            case "mask_save":
                self._ask_where_to_save()
            case "mask_alpha":
                self._painted.take_transparency(str(self._picture.value()))
            case _:
                self._painted.do(key)

    def _load(self, offer: Offer) -> None:
        """Take a file, or pixels from elsewhere, as the mask."""
        if offer.path is None and offer.image is None:
            self._panel.field(MASK.field).show_error("Clipboard: there is no picture on it.", "Copy one first.")
        elif self._picture.seen is not None and not self._stopped:
            self._painted.begin(QSize(self._picture.seen.width, self._picture.seen.height))
            self._painted.load(offer)

    def _ask_where_to_save(self) -> None:
        dialog = QFileDialog(self._shell.over, "Save the mask", str(Path.home() / "mask.png"), OPEN_FILTER)
        dialog.setObjectName("saveMaskDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.setNameFilter("PNG (*.png)")
        dialog.fileSelected.connect(lambda name: self._painted.save(Path(name)))
        dialog.open()

    # what the fields tell

    def keep(self, request: GenerationRequest) -> None:
        """Put the mask of a request into the store, where whoever draws finds it.

        Raises:
            StudioError: It cannot be kept; or more is added to the picture than can be.
        """
        if INIT.picture_in(request):
            self.ground.check()
        mask_id = MASK.picture_in(request)
        if mask_id:
            self._painted.drafts.keep(mask_id)

    @property
    def _painted(self) -> PaintedMask:
        if self._built is None:
            from sdstudio.ui.pages.create.mask.painted import PaintedMask  # noqa: PLC0415 (brings in numpy)

            self._built = PaintedMask(self._services, self._shell, self._mask, self._picture, self._pictures)
            self._built.page.bar.done.connect(self.leave)
            self._built.page.bar.wanted.connect(self.do)
            self._built.page.layer.wanted.connect(self.do)
        return self._built

    def _on_put(self, mask_id: str) -> None:
        """The field was given a mask by a request, an undo or the last session."""
        if self._built is not None:
            self._built.put(mask_id)
        elif mask_id and not self._stopped:
            self._services.tasks.run(
                "Reading the mask", lambda _task: _prepare(), lambda _none: self._painted.put(str(self._mask.value())),
                urgent=True,
            )  # fmt: skip

    def _on_picture_changed(self) -> None:
        self.leave()
        self._show_small()

    def _show_small(self) -> None:
        if self._built is not None:
            self._built.show_small()

    def _on_picture_left(self) -> Change | None:
        """Another picture is begun from, by hand, or none: drop what goes with it, and return what was done."""
        return both(self.ground.leave(), self._drop_mask())

    def _drop_mask(self) -> Change | None:
        """Drop a mask of another size than the picture has now."""
        seen, made = self._picture.seen, self._built
        held = str(self._mask.value())
        document = made.document if made is not None else None
        size = (document.width, document.height) if document is not None else None
        if seen is not None and size in (None, (seen.width, seen.height)):
            return None
        bring_back = made.set_aside() if made is not None else lambda: self._mask.set_value(held)
        self._mask.set_value("")
        if not held:
            return None
        if seen is None or size is None:
            message = "The mask went with the input picture."
        else:
            now = f"{seen.width} × {seen.height}"
            message = f"The mask was dropped: it is {size[0]} × {size[1]}, and the new picture {now}."
        return Change(message, bring_back, lambda: self._mask.set_value(""))


def _prepare() -> None:
    """Bring in what painting needs, where the window does not wait for it."""
    import sdstudio.ui.pages.create.mask.painted  # noqa: F401, PLC0415 (brings in numpy)
