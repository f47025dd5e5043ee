"""The canvas's picture: a small one is read at once, a large one elsewhere, with its thumbnail in its place meanwhile.

Whatever is shown next, also a preview of the next picture, ends the wait: a picture that is read late is not shown.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QSize
from PySide6.QtGui import QImage

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import Entry
from sdstudio.ui.entries.picture_loader import LoadedPicture, PictureLoader, size_of_file
from sdstudio.ui.widgets.picture_view import PictureView

AT_ONCE_PX: Final = 768 * 768
"""Pixels of a picture that is read while the window waits: some ten milliseconds, and nothing flickers."""

_DAMAGED: Final = "The file is damaged and cannot be shown."


class CanvasPicture(QObject):
    """Shows pictures of the history in a `PictureView`.

    Args:
        view: Where.
        tasks: Where large pictures are read.
    """

    def __init__(self, view: PictureView, tasks: TaskRunner) -> None:
        super().__init__(view)
        self._view = view
        self._entry: Entry | None = None
        self._loader = PictureLoader(tasks, self)
        self._loader.loaded.connect(self._on_loaded)

    def show(
        self, entry: Entry, before: Entry | None, picture: LoadedPicture | None = None, was_awaited: bool = False
    ) -> None:
        """Show an entry's picture.

        Args:
            entry: Whose.
            before: What is shown now; one as wide keeps the zoom.
            picture: Where it has been read.
            was_awaited: What is shown now is its preview, which stays for as long.
        """
        self.stop()
        if picture is None and not entry.recipe.blocked:
            size = size_of_file(entry.path)
            if size.width() * size.height() > AT_ONCE_PX:
                self._await(entry, size, was_awaited)
                return
            picture = LoadedPicture(QImage(str(entry.path)))
        self._put(entry, picture, before)

    def stop(self) -> None:
        """Something else is shown: a picture that comes now is not."""
        if self._entry is not None:
            self._entry = None
            self._loader.want([])

    def _await(self, entry: Entry, size: QSize, was_awaited: bool) -> None:
        self._entry = entry
        self._loader.want([entry])
        if self._view.has_preview and was_awaited:
            return
        self._view.set_blank("")  # nothing fades over from another picture's preview
        small = QImage(str(entry.thumbnail))
        if small.isNull():
            self._view.reserve(size, "Reading the picture…")
        else:
            self._view.set_draft(small, size)

    def _on_loaded(self, entry_id: int) -> None:
        entry, loaded = self._entry, self._loader.get(entry_id)
        if entry is not None and entry.id == entry_id and loaded is not None:
            self.stop()
            self._put(entry, loaded, entry)

    def _put(self, entry: Entry, picture: LoadedPicture | None, before: Entry | None) -> None:
        if entry.recipe.blocked or picture is None:
            hint = "The filter can be changed in the settings under Safety."
            self._say(entry, f"This picture was blocked: {entry.recipe.blocked}\n\n{hint}")
        elif picture.image.isNull():
            problem = picture.problem if entry.path.is_file() else f"The file is gone: {entry.path.name}"
            self._say(entry, f"{problem or _DAMAGED}\n\nRe-run makes the same picture again.")
        else:
            wide = before.recipe.request.made_size[0] if before is not None else 0
            same = before is entry or wide == picture.image.width()
            self._view.set_picture(picture.image, keep_zoom=same, smaller=picture.smaller)

    def _say(self, entry: Entry, words: str) -> None:
        self._view.reserve(QSize(*entry.recipe.request.made_size))
        self._view.set_blank(words)
