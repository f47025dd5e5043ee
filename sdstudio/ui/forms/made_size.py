"""A line below the finish: how large the picture will be at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtWidgets import QLabel

from sdstudio.core.request.finish_fields import made_size
from sdstudio.ui.forms.field import Field
from sdstudio.ui.theme import mark

_DECIDING: Final = ("width", "height", "hires", "hires_resize", "tile_redraw", "finish", "init_image", "mask")


class MadeSize(QLabel):
    """Follows the fields that decide the size of a picture. It always has its line, so that nothing moves.

    Args:
        fields: Those of a request, by their names.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        super().__init__()
        self.setObjectName("madeSizeLabel")
        mark(self, "role", "caption")
        self._fields = {name: fields[name] for name in _DECIDING}
        for field in self._fields.values():
            field.changed.connect(self._show)
        self._show()
        fields["finish"].keep_line(self)

    def _show(self) -> None:
        width, height = made_size({name: field.value() for name, field in self._fields.items()})
        self.setText(f"The picture has {width:,} × {height:,} px.")
