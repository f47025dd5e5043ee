"""What the panel's field is told of the mask: its id, found while the hand rests, and how it looks in small.

Whoever asks for the id before it is found gets it at once: 40 ms for 2048 x 2048 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage, QPainter

from sdstudio.background.tasks import TaskContext, TaskRunner
from sdstudio.ui.forms.mask_editor import MaskEditor, share_words
from sdstudio.ui.forms.picture_editor import Seen
from sdstudio.ui.pages.create.mask.document import MaskDocument, Pixels
from sdstudio.ui.pages.create.mask.drafts import MaskDrafts, Written, written

REST_MS: Final = 400
"""The hand rests when nothing was painted for so long."""
_SMALL_PX: Final = 256
_KNOWN: Final = 16


class MaskRecord(QObject):
    """Keeps the field in step with the mask.

    Args:
        editor: The panel's field.
        drafts: Where masks are written.
        tasks: Finds ids in the background.
        colours: Returns the colours in which the mask is seen, one for each of its 256 levels.
        picture: Returns the picture it lies over, small; ``None`` while it is not at hand.
        parent: As Qt has it.
    """

    def __init__(
        self, editor: MaskEditor, drafts: MaskDrafts, tasks: TaskRunner, colours: Callable[[], list[int]],
        picture: Callable[[], QImage | None], parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._editor = editor
        self._drafts = drafts
        self._tasks = tasks
        self._colours = colours
        self._picture = picture
        self._document: MaskDocument | None = None
        self._known: dict[str, tuple[MaskDocument, int]] = {}
        self._small: Pixels | None = None
        self._share = 0.0
        self._stopped = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._find)

    def follow(self, document: MaskDocument | None, mask_id: str | None = None) -> None:
        """Tell of this mask from now on; ``mask_id`` where it is known already."""
        self._rest.stop()
        self._document, self._small = document, None
        if document is None:
            self._editor.show_written("")
        elif mask_id:
            self._know(mask_id, document, document.revision)
            self._editor.show_written(mask_id)
            self._find()
        else:
            self._editor.fall_behind()
            self._find()

    def stop(self) -> None:
        """Find nothing more in the background: the window closes. Whoever asks is still answered."""
        self._stopped = True
        self._rest.stop()

    def fall_behind(self) -> None:
        """The mask was changed."""
        self._editor.fall_behind()
        if not self._stopped:
            self._rest.start()

    def document_of(self, mask_id: str) -> MaskDocument | None:
        """Return the mask of an id that still is what it was, ``None`` where it has to be read."""
        document, revision = self._known.get(mask_id, (None, 0))
        return document if document is not None and document.revision == revision else None

    def written(self) -> str:
        """Write the mask down now and return its id."""
        document = self._document
        if document is None:
            return ""
        mask_id = self._id_of(document)
        if mask_id is None:
            mask = written(document.pixels)
            self._drafts.save(mask)
            mask_id = self._hold(mask, document, document.revision)
        return mask_id

    def show_small(self) -> None:
        """Show the mask in the field, over the picture it belongs to."""
        document, small = self._document, self._small
        if document is None or small is None or not self._editor.held:
            return
        height, width = small.shape
        ground = QImage(width, height, QImage.Format.Format_RGB32)
        ground.fill(0)
        picture = self._picture()
        painter = QPainter(ground)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if picture is not None:
            painter.drawImage(ground.rect(), picture)
        over = QImage(small.data, width, height, width, QImage.Format.Format_Indexed8)
        over.setColorTable(self._colours())
        painter.drawImage(ground.rect(), over)
        painter.end()
        seen = Seen(ground, share_words(self._share), document.width, document.height)
        self._editor.show_picture(self._editor.held, seen)

    def _find(self) -> None:
        document = self._document
        if document is None or self._stopped:
            return
        pixels, revision = document.pixels.copy(), document.revision
        is_known = self._id_of(document) is not None

        def work(_task: TaskContext) -> tuple[Written, Pixels]:
            mask = written(pixels)
            if not is_known:  # else its file is there, and need not be the same to the byte
                self._drafts.save(mask)
            return mask, _smaller(pixels)

        self._tasks.run("Keeping the mask", work, partial(self._on_found, document, revision), urgent=True)

    def _on_found(self, document: MaskDocument, revision: int, found: tuple[Written, Pixels]) -> None:
        mask, small = found
        if document is not self._document or revision != document.revision:
            return  # it was painted on meanwhile: the hand will rest again
        known = self._id_of(document)
        mask_id = known if known is not None else self._hold(mask, document, revision)
        self._small, self._share = small, mask.share
        self._editor.show_written(mask_id)
        self.show_small()

    def _hold(self, mask: Written, document: MaskDocument, revision: int) -> str:
        if not mask.share:
            return ""
        self._drafts.hold(mask)
        self._know(mask.id, document, revision)
        return mask.id

    def _id_of(self, document: MaskDocument) -> str | None:
        return next((each for each, at in self._known.items() if at == (document, document.revision)), None)

    def _know(self, mask_id: str, document: MaskDocument, revision: int) -> None:
        self._known.pop(mask_id, None)
        self._known[mask_id] = (document, revision)
        while len(self._known) > _KNOWN:
            self._known.pop(next(iter(self._known)))


def _smaller(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    image.thumbnail((_SMALL_PX, _SMALL_PX), Image.Resampling.BOX)
    return np.ascontiguousarray(image)
