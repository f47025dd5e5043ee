"""What is added to the input picture, on the page where one paints and in the panel: both say the same.

Every drag is one change with its undo. What is added belongs to one picture: with another it goes.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.request.outpaint_fields import OUTPAINT, Sides, check_extent, sides_in
from sdstudio.ui.forms.field import Field
from sdstudio.ui.forms.picture_editor import PictureEditor, Seen
from sdstudio.ui.pages.create.mask.ground_layer import GroundLayer
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.shell import Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.images import as_pillow, as_qimage

_LOOK = ("outpaint_fill", "outpaint_colour")


class Ground(QObject):
    """Keeps panel and page in step.

    Args:
        shell: What is around the page.
        tasks: Fills the ground in the background.
        panel: Where the fields are.
        picture: The field of the input picture.
    """

    def __init__(self, shell: Shell, tasks: TaskRunner, panel: ParameterPanel, picture: PictureEditor) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._tasks = tasks
        self._panel = panel
        self._picture = picture
        self._field: Field = panel.field(OUTPAINT)
        self._layer: GroundLayer | None = None
        self._filled: tuple[object, ...] = ()
        self._is_filling = False
        self._stopped = False
        self._field.changed.connect(self._on_changed)
        self._field.editor.finished.connect(self._check)
        for name in _LOOK:
            panel.field(name).changed.connect(self._fill)

    def stop(self) -> None:
        """Fill nothing more: the window closes."""
        self._stopped = True

    def take(self, layer: GroundLayer) -> None:
        """Show on this layer what is added, and take drags from it."""
        if self._layer is None:
            self._layer = layer
            layer.dragged.connect(self._on_dragged)
        self._on_changed()

    @property
    def sides(self) -> Sides:
        """What is added, nothing where what is typed is not allowed."""
        try:
            return sides_in(self._field.value())
        except InvalidRequest:
            return Sides()

    def check(self) -> None:
        """Check that the picture may grow so much. Raises: InvalidRequest."""
        seen = self._picture.seen
        if seen is not None:
            check_extent(sides_in(self._field.value()), (seen.width, seen.height))

    def leave(self) -> Change | None:
        """Another picture is begun from, by hand, or none: add nothing to it, and return what was done."""
        before = self._field.value()
        if not before:
            return None
        self._field.set_value("")
        words = "Outpaint is back at 0: it was for the picture before."
        return Change(words, partial(self._put, before), partial(self._put, ""))

    def _check(self) -> None:
        try:
            self.check()
        except InvalidRequest as error:
            self._field.show_error(error.message, error.hint)

    def _put(self, value: str) -> None:
        self._field.set_value(value)

    def _on_changed(self) -> None:
        if self._layer is not None:
            self._layer.show_sides(self.sides)
        self._fill()

    def _on_dragged(self, drag: tuple[Sides, Sides]) -> None:
        before, after = (str(sides) for sides in drag)
        self._put(after)
        self._shell.undos.push(Change("Extend the picture", partial(self._put, before), partial(self._put, after)))

    # what the ground begins from

    def _fill(self) -> None:
        """Have the ground filled as it will begin, small; the latest wish counts."""
        seen, sides, layer = self._picture.seen, self.sides, self._layer
        if layer is None or seen is None or not any(sides) or self._is_filling or self._stopped:
            return
        fill, colour = (str(self._panel.value(name)) for name in _LOOK)
        wanted = (self._picture.value(), sides, fill, colour)
        if wanted == self._filled:
            return
        self._is_filling = True
        self._tasks.run(
            "Filling new ground",
            lambda _task: _filled(seen, sides, fill, colour),
            partial(self._on_filled, wanted),
            lambda _error: self._on_filled(wanted, QImage()),
            urgent=True,
        )

    def _on_filled(self, wanted: tuple[object, ...], look: QImage) -> None:
        self._is_filling = False
        self._filled = ()
        if self._layer is not None and wanted[1] == self._layer.sides:
            self._layer.show_look(look)
            self._filled = wanted
        self._fill()


def _filled(seen: Seen, sides: Sides, fill: str, colour: str) -> QImage:
    from sdstudio.core.pictures.ground import extended  # noqa: PLC0415 (brings in numpy)

    scale = max(seen.small.width() / seen.width, seen.small.height() / seen.height)
    return as_qimage(extended(as_pillow(seen.small), Sides(*(round(px * scale) for px in sides)), fill, colour))
