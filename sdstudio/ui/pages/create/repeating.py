"""Whether the canvas shows a picture repeated, three by three, so that one sees how its edges meet."""

from __future__ import annotations

from PySide6.QtCore import QObject

from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.widgets.picture_view import PictureView


class Repeating(QObject):
    """A picture that is drawn to be seamless is shown repeated, any other alone, until the user wants it otherwise.

    Args:
        canvas: It, with the button below the picture.
    """

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._wanted: bool | None = None
        canvas.entry_changed.connect(lambda _entry: self._show())
        canvas.caption.repeat.clicked.connect(lambda: self.toggle(canvas.view))

    def toggle(self, view: PictureView) -> None:
        """Show the picture of this view repeated, or alone again; on the canvas those that follow it too."""
        if view is not self._canvas.view:
            view.set_repeated(not view.is_repeated)
            return
        wanted = not view.is_repeated
        self._wanted = None if wanted == self._is_seamless else wanted
        self._show()

    @property
    def _is_seamless(self) -> bool:
        request = self._canvas.request
        return request is not None and request.seamless != "off"

    def _show(self) -> None:
        if self._canvas.request is None:
            return  # nothing is to be seen, and the next picture decides
        repeated = self._is_seamless if self._wanted is None else self._wanted
        self._canvas.view.set_repeated(repeated)
        self._canvas.caption.show_repeated(repeated)
