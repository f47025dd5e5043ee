"""The mask that is painted: the page it is seen on, each change of it with its undo, and what comes from files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QSize

from sdstudio.core.errors import SaveFailed, StudioError
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.input_fields import MASK
from sdstudio.core.settings import Settings
from sdstudio.ui.entries.picture_loader import LoadedPicture, read_picture_file
from sdstudio.ui.forms.mask_editor import MaskEditor
from sdstudio.ui.forms.picture_editor import PictureEditor, Seen
from sdstudio.ui.pages.create.mask import files, works
from sdstudio.ui.pages.create.mask.document import MaskDocument, Patch, Pixels
from sdstudio.ui.pages.create.mask.drafts import MaskDrafts
from sdstudio.ui.pages.create.mask.page import MaskPage
from sdstudio.ui.pages.create.mask.record import MaskRecord
from sdstudio.ui.pages.create.mask.rows import COMMANDS, MaskCommand
from sdstudio.ui.pages.create.mask.whole_mask import Make, WholeMask, Work
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.picture_drag import Offer

_COMMAND_BY_KEY: Final = {row.key: row for row in COMMANDS}
_AT_ONCE: Final = {"mask_invert": works.inverted, "mask_clear": works.cleared, "mask_all": works.everything}
_BY_PX: Final = {"Grow": works.grown, "Shrink": works.shrunk, "Feather": works.feathered}
_DOING: Final = {"Grow": "Growing the mask", "Shrink": "Shrinking the mask", "Feather": "Feathering the mask"}


class PaintedMask(QObject):
    """Has the mask and the page it is painted on.

    Args:
        services: Where files are read.
        shell: What is around the page: undo, settings, messages.
        editor: The panel's field of the mask.
        picture: The panel's field of the input picture.
        pictures: Where input pictures are kept.
    """

    def __init__(
        self, services: Services, shell: Shell, editor: MaskEditor, picture: PictureEditor, pictures: InputPictures
    ) -> None:
        super().__init__(shell.over)
        self._tasks = services.tasks
        self._shell = shell
        self._editor = editor
        self._pictures = pictures
        self._picture_id = ""
        self._awaited = ""
        self.document: MaskDocument | None = None
        self.page = MaskPage()
        self.drafts = MaskDrafts(services.paths, pictures)
        self._record = MaskRecord(
            editor, self.drafts, services.tasks, lambda: self.page.layer.colours,
            lambda: picture.seen.small if picture.seen is not None else None, self,
        )  # fmt: skip
        self._whole = WholeMask(services.tasks, self)
        self._whole.done.connect(self._on_worked)
        self._whole.failed.connect(lambda error: shell.say(str(error), "warning"))
        self._whole.busy_changed.connect(self.page.layer.set_locked)
        self._whole.told.connect(self.page.tell)
        self.page.layer.stroked.connect(self._on_stroked)
        self.page.layer.fill_wanted.connect(self._on_fill_wanted)
        self.page.show_look(shell.settings)
        shell.settings_changed.connect(self._on_settings_changed)

    def stop(self) -> None:
        """Begin nothing more in the background: the window closes."""
        self._whole.stop()
        self._record.stop()

    # which mask it is

    def begin(self, size: QSize) -> None:
        """Have a mask for a picture of this size: the one there is, or one with nothing painted."""
        self.page.hand.suit(max(size.width(), size.height()))
        document = self.document
        if self._awaited and document is None:
            return  # it is being read
        if document is None or (document.width, document.height) != (size.width(), size.height()):
            self._exchange(MaskDocument(size.width(), size.height()))

    def put(self, mask_id: str) -> None:
        """Take the mask of an id, "" for none: it came with a request, an undo or from the last session."""
        self._awaited = mask_id
        if not mask_id:
            self._exchange(None)
            return
        document = self._record.document_of(mask_id)
        if document is not None:
            self._exchange(document, mask_id)
            return
        self._tasks.run(
            "Reading the mask",
            lambda _task: self.drafts.read(mask_id),
            partial(self._on_read, mask_id),
            partial(self._on_gone, mask_id),
            urgent=True,
        )

    def set_aside(self) -> Callable[[], object]:
        """Have no mask; return what brings this one back."""
        document = self.document
        self._exchange(None)
        return lambda: self._exchange(document)

    def _on_read(self, mask_id: str, pixels: Pixels) -> None:
        if mask_id == self._awaited:
            self._exchange(MaskDocument(pixels.shape[1], pixels.shape[0], pixels), mask_id)

    def _on_gone(self, mask_id: str, error: StudioError) -> None:
        if mask_id == self._awaited:
            self._awaited = ""
            self._editor.show_gone(mask_id, error.message)

    def _exchange(self, document: MaskDocument | None, mask_id: str | None = None) -> None:
        self._awaited = ""
        self.document = document
        self.page.layer.set_document(document)
        self._record.follow(document, mask_id)

    def written(self) -> str:
        """Write the mask down and return its id, "" where nothing is painted."""
        return self._awaited or self._record.written()

    def show_small(self) -> None:
        """The picture under the mask is another, or has come: show both in the field."""
        self._record.show_small()

    # the page

    def show_picture(self, picture_id: str, seen: Seen) -> None:
        """Show the picture that is painted on: small at first, whole as soon as it is read."""
        if picture_id == self._picture_id:
            return
        self._picture_id = picture_id
        view = self.page.view
        view.set_blank("")
        view.set_draft(seen.small, QSize(seen.width, seen.height))
        view.fit()
        self._tasks.run(
            "Reading a picture to paint on",
            lambda _task: read_picture_file(self._pictures.path_of(picture_id)),
            partial(self._on_picture_read, picture_id),
            urgent=True,
        )

    def end(self) -> None:
        """The page is not seen any more: a stroke that has begun is taken back."""
        self.page.ground.break_off()
        self.page.layer.break_off()

    def stop_work(self) -> bool:
        """Take back the stroke that has begun, or stop what is being done to the whole mask; False for neither."""
        return self.page.ground.break_off() or self.page.layer.break_off() or self._whole.stop()

    def _on_picture_read(self, picture_id: str, loaded: LoadedPicture | None) -> None:
        if picture_id != self._picture_id or loaded is None:
            return
        if loaded.image.isNull():
            self._shell.say(loaded.problem, "error")
        else:
            self.page.view.set_picture(loaded.image, keep_zoom=True, smaller=loaded.smaller)

    def _on_settings_changed(self, settings: Settings) -> None:
        self.page.show_look(settings)
        self._record.show_small()

    # changes

    def do(self, key: str) -> None:
        """Do a command that needs nothing but the mask."""
        document, row = self.document, _COMMAND_BY_KEY[key]
        if key == "mask_hide":
            self.page.set_hidden(not self.page.layer.is_hidden)
        elif document is not None and row.by_px:
            make: Make = partial(_by_px, row)
            self._whole.add(Work(_DOING[row.menu], document, make))
        elif document is not None:
            self._whole.add(Work(f"{row.title.replace('&', '')} the mask", document, _AT_ONCE[key]))

    def _on_fill_wanted(self, x: int, y: int, erases: bool) -> None:
        if self.document is not None:
            title = "Taking away" if erases else "Filling"
            work = Work(title, self.document, lambda pixels, tell: works.filled(pixels, x, y, erases, tell))
            self._whole.add(work)

    def _on_stroked(self, patch: Patch) -> None:
        assert self.document is not None
        self._push(f"{self.page.hand.tool.title} on the mask", self.document, patch)

    def _on_worked(self, work: Work, patch: Patch | None) -> None:
        if patch is not None:
            self._apply(work.document, patch)
            self._push(work.title, work.document, patch)

    def _push(self, said: str, document: MaskDocument, patch: Patch) -> None:
        change = partial(self._apply, document, patch)
        self._shell.undos.push(Change(said, change, change))
        self._record.fall_behind()

    def _apply(self, document: MaskDocument, patch: Patch) -> None:
        self.page.layer.break_off()
        if document is not self.document:
            self._exchange(document)
        self.page.layer.show_changed(document.apply(patch))
        self._record.fall_behind()

    # files

    def load(self, offer: Offer) -> None:
        """Read a file, or pixels from elsewhere, as the mask."""
        document = self.document
        if document is None:
            return
        self._tasks.run(
            "Reading a mask",
            lambda _task: _read(offer),
            partial(self._on_loaded, document),
            self._on_not_loaded,
            urgent=True,
        )

    def _on_loaded(self, document: MaskDocument, loaded: files.Loaded) -> None:
        if document is not self.document:
            return
        size = (document.width, document.height)
        if loaded.size == size:
            self._take(document, loaded)
            return
        sizes = [" × ".join(map(str, each)) for each in (loaded.size, size)]
        message = f"{loaded.name} is {sizes[0]}, and the picture {sizes[1]}. The mask is as it was."
        self._shell.say(message, "warning", [("Stretch it", partial(self._stretch, document, loaded))])

    def _stretch(self, document: MaskDocument, loaded: files.Loaded) -> None:
        size = (document.width, document.height)
        self._tasks.run(
            "Stretching a mask", lambda _task: loaded.stretched(size), partial(self._on_loaded, document), urgent=True
        )

    def _take(self, document: MaskDocument, loaded: files.Loaded) -> None:
        self._whole.add(Work(f"Mask from {loaded.name}", document, lambda _pixels, _tell: loaded.pixels))
        if loaded.remark:
            self._shell.say(f"{loaded.name}: {loaded.remark}", "warning")

    def _on_not_loaded(self, error: StudioError) -> None:
        self._shell.say(f"{error} The mask is as it was.", "warning")

    def take_transparency(self, picture_id: str) -> None:
        """Take what is transparent in the input picture as the mask."""
        document = self.document
        if document is not None:
            work = Work(
                "Mask from transparency", document,
                lambda _pixels, _tell: files.transparent_part(self._pictures.path_of(picture_id)),
            )  # fmt: skip
            self._whole.add(work)

    def save(self, path: Path) -> None:
        """Write the mask to a file."""
        document = self.document
        if document is not None:
            pixels = document.pixels.copy()
            self._tasks.run(
                "Saving the mask",
                lambda _task: files.save(pixels, path),
                lambda _none: self._shell.say(f"The mask was saved to {path.name}."),
                lambda error: self._shell.say(str(error), "error"),
                asked_for=True,
            )


def _by_px(row: MaskCommand, pixels: Pixels, tell: Callable[[float], object]) -> Pixels:
    return _BY_PX[row.menu](pixels, row.by_px, tell)


def _read(offer: Offer) -> files.Loaded:
    if offer.path is not None:
        return files.loaded(offer.path)
    with tempfile.TemporaryDirectory(prefix="sdstudio-") as folder:
        path = Path(folder) / f"Pasted {MASK.title.lower()}.png"
        if offer.image is None or not offer.image.save(str(path)):
            raise SaveFailed("Pasted mask: it could not be written.", "Save it as a file and load that.")
        return files.loaded(path)
