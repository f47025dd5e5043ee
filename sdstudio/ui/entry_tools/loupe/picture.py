"""The picture in the loupe: its thumbnail at once, all of it as soon as it is read, or why it cannot be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QMimeData, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QImage, QPixmap
from PySide6.QtWidgets import QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.picture_loader import PictureLoader, size_like
from sdstudio.ui.widgets.picture_drag import mime_of
from sdstudio.ui.widgets.picture_view import PictureView

_DRAGGED_PX = 96


class LoupePicture(QObject):
    """Shows pictures in a `PictureView`.

    Args:
        actions: Does what is chosen in the context menu.
        tasks: Where pictures are read.
        parent: Where the view lies.
    """

    #: The picture, or why there is none, is shown now.
    shown = Signal()

    def __init__(self, actions: EntryActions, tasks: TaskRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._actions = actions
        self._entry: Entry | None = None
        self.is_read = False
        #: Returns pictures of the history as what is dragged.
        self.mime_of: Callable[[Sequence[Entry]], QMimeData] = mime_of
        self._loader = PictureLoader(tasks, self)
        self._loader.loaded.connect(self._on_loaded)
        self.view = PictureView(parent)
        self.view.setObjectName("loupeView")
        self.view.setAccessibleName("Large picture")
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.double_clicked.connect(self.view.toggle_zoom)
        self.view.menu_requested.connect(self._open_menu)
        self.view.drag_out_started.connect(self._drag_out)

    @property
    def size_px(self) -> QSize:
        """How large the picture is; what was asked for until it is read."""
        if self.is_read and not self.view.picture.isNull():
            return self.view.picture.size()
        request = self._entry.recipe.request if self._entry is not None else None
        return QSize(*request.made_size) if request is not None else QSize()

    def show_entry(self, entry: Entry, around: Sequence[Entry]) -> None:
        """Show a picture, and read those it may be followed by."""
        self._entry = entry
        self.is_read = False
        self.view.setAccessibleDescription(entry.recipe.request.prompt)
        self._loader.want([entry, *around])
        if self._loader.get(entry.id) is not None or entry.recipe.blocked:
            self._show()
            return
        draft = QImage(str(entry.thumbnail))
        size = size_like(draft, QSize(*entry.recipe.request.made_size))
        if draft.isNull():
            self.view.clear()
            self.view.reserve(size, "Reading the picture…")
        else:
            self.view.set_draft(draft, size)

    def clear(self) -> None:
        """Let go of everything."""
        self._entry = None
        self._loader.want([])
        self.view.clear()

    def forget(self, ids: frozenset[int]) -> None:
        """These pictures may have come back: they are read anew."""
        for entry_id in ids:
            self._loader.forget(entry_id)

    def _on_loaded(self, entry_id: int) -> None:
        if self._entry is not None and entry_id == self._entry.id and not self.is_read:
            self._show()

    def _show(self) -> None:
        entry = self._entry
        assert entry is not None
        loaded = self._loader.get(entry.id)
        self.is_read = True
        if entry.recipe.blocked:
            self._say(f"This picture was blocked: {entry.recipe.blocked}")
        elif loaded is None or loaded.image.isNull():
            self._say(loaded.problem if loaded is not None else "")
        else:
            self.view.set_picture(loaded.image, keep_zoom=True, smaller=loaded.smaller)
        self.shown.emit()

    def _say(self, text: str) -> None:
        self.view.clear()
        request = self._entry.recipe.request if self._entry is not None else None
        if request is not None:
            self.view.reserve(QSize(*request.made_size))
        self.view.set_blank(text)

    def _open_menu(self, where: QPoint) -> None:
        if self._entry is not None:
            self._actions.menu([self._entry], self.view).popup(where)

    def _drag_out(self) -> None:
        if self._entry is None:
            return
        mime = self.mime_of([self._entry])
        drag = QDrag(self)
        drag.setMimeData(mime)
        small = QPixmap(str(self._entry.thumbnail))
        if not small.isNull():
            drag.setPixmap(small.scaledToHeight(_DRAGGED_PX, Qt.TransformationMode.SmoothTransformation))
        drag.exec(Qt.DropAction.CopyAction)
