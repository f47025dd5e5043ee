"""What a picture from elsewhere records: its parameters, which model that is, and what cannot be taken over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.params import FieldKind, parameters
from sdstudio.core.pictures.opening import shown
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import fill, push_button
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, DO, MARGIN, dialog_foot
from sdstudio.ui.widgets.images import as_qimage
from sdstudio.ui.widgets.window_size import open_at

PICTURE_PX = 256
LONG_NAME = 32
"""Names longer than this, as those of nodes are, stand on lines of their own, in characters."""


class PictureDialog(QDialog):
    """Not modal, for one picture; nothing is changed until a button is pressed.

    Args:
        path: The picture.
        reading: What it records.
        small: A copy of thumbnail size.
        model: The model of the library it means, ``None`` when there is none.
        parent: As Qt has it.
    """

    #: Its parameters are to be used; carries the `Reading`.
    use_requested = TypedSignal[Reading]()
    #: The next pictures are to begin from it; carries its path.
    input_requested = TypedSignal[Path]()
    #: It is to be imported; carries its path.
    import_requested = TypedSignal[Path]()

    def __init__(
        self, path: Path, reading: Reading, small: Image.Image, model: ModelInfo | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("pictureDialog")
        self.setWindowTitle(shown(path.name))
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.reading = reading
        self._path = path
        self._picture = QLabel(self)
        self._picture.setAccessibleName("The picture")
        self._picture.setPixmap(_pixmap(small))
        self._picture.setFixedWidth(PICTURE_PX)
        self._picture.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        title = QLabel(f"Made with {reading.program or 'SD Studio'}", self)
        mark(title, "role", "heading")
        inside = QWidget()
        mark(inside, "bare", True)
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(GRID, GRID, GRID * 2, GRID)  # the frame of the focus touches no words
        rows.setSpacing(GRID * 2)
        rows.addLayout(self._form(told_rows(reading, model), "muted"))
        for heading, lines in (
            ("Settings that cannot be used", list(reading.not_mapped.items())),
            ("Not recorded: the default is used", [(name, "") for name in reading.assumed]),
        ):
            if lines:
                label = QLabel(heading, inside)
                mark(label, "role", "warning")
                rows.addWidget(label)
                rows.addLayout(self._form(lines, "muted"))
        rows.addStretch(1)
        words = QScrollArea(self)
        words.setObjectName("pictureFacts")
        words.setWidget(inside)
        words.setWidgetResizable(True)
        words.setFrameShape(QFrame.Shape.NoFrame)
        words.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        body = QHBoxLayout()
        body.setSpacing(GRID * 3)
        body.addWidget(self._picture)
        body.addWidget(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addWidget(title)
        column.addLayout(body, 1)
        column.addLayout(self._buttons())
        open_at(self, QSize(760, 480))

    def _form(self, rows: Sequence[tuple[str, str]], role: str) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(GRID * 2)
        form.setVerticalSpacing(GRID)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        for name, value in rows:
            label, text = QLabel(name), QLabel(value)
            mark(label, "role", role)
            label.setTextFormat(Qt.TextFormat.PlainText)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            if len(name) > LONG_NAME:
                label.setWordWrap(True)
                form.addRow(label)
                form.addRow("", text)
            else:
                form.addRow(label, text)
        return form

    def _buttons(self) -> QHBoxLayout:
        use = push_button(
            self, "usePictureButton", "Use its parameters", "sliders-horizontal", self._on_use_pressed,
            "Put what it was made with into the panel; nothing is imported",
        )  # fmt: skip
        fill(use, "sliders-horizontal")
        bring = push_button(
            self, "importPictureButton", "Import into the history", "download", self._on_import_pressed,
            "Keep a copy with all it tells; the original stays as it is",
        )  # fmt: skip
        begin = push_button(
            self, "usePictureAsInputButton", "Use as input", "image", self._on_input_pressed,
            "Use as input (img2img)",
        )  # fmt: skip
        close = push_button(self, "closePictureButton", "Close", "", self.close)
        return dialog_foot(self, [(use, DO), (begin, ALSO), (bring, ALSO), (close, CLOSE)], use)

    def _on_use_pressed(self) -> None:
        self.use_requested.emit(self.reading)
        self.close()

    def _on_input_pressed(self) -> None:
        self.input_requested.emit(self._path)
        self.close()

    def _on_import_pressed(self) -> None:
        self.import_requested.emit(self._path)
        self.close()


def told_rows(reading: Reading, model: ModelInfo | None) -> list[tuple[str, str]]:
    """Return what a picture records, as (title, value): the model first, then what differs from the default."""
    recipe = reading.recipe
    name = recipe.model_name or recipe.request.model or "(not told)"
    where = "not in the library: the chosen model stays" if model is None else f"found as {model.name}"
    rows = [("Model", f"{name} – {where}")]
    for row in parameters(GenerationRequest):
        value = getattr(recipe.request, row.name)
        always = row.kind is not FieldKind.MODEL and row.ui.group in ("Prompt", "Size", "Sampling")
        if row.kind is FieldKind.MODEL or value in (None, "", ()) or (value == row.default and not always):
            continue
        title = next((choice.title for choice in row.choices if choice.value == value), None)
        rows.append((row.title, title or _as_text(value)))
    return rows


def _as_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pixmap(small: Image.Image) -> QPixmap:
    return QPixmap.fromImage(as_qimage(small))
