"""The chosen thing of the library: what it records, what history and user add, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.catalog.built_in import is_built_in
from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, EMBEDDING, LORA, UPSCALER
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.catalog.schedules import SCHEDULE_BY_KEY
from sdstudio.core.models.asset import Asset
from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.remarks import NOTES_MAXIMUM, Remark
from sdstudio.ui.pages.library.asset_delegate import cover_pixmap
from sdstudio.ui.pages.library.asset_model import ShownAsset
from sdstudio.ui.pages.library.tidying import BUILT_IN_STAYS
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.breaking_row import BreakingRow
from sdstudio.ui.widgets.empty_state import EmptyState

PANE_PX: Final = 368
_COVER_PX: Final = 96
_BESIDE_COVER_PX: Final = 264
"""In less, at the usual font size, the cover's buttons go below it."""
_BESIDE_PX: Final = 320
"""In less, at the usual font size, buttons go below each other."""
_KEEP_DELAY_MS: Final = 1200
_TO_COPY: Final = ("AutoV3", "Hash", "SHA-256", "Location", "Base model", "Also called")
_TITLES: Final = {row.name: row.title for row in parameters(GenerationRequest)}


class NotesEdit(QPlainTextEdit):
    """Notes that emit when they were written and left alone for a moment, or left."""

    #: What is written is to be kept.
    written = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_KEEP_DELAY_MS)
        self._soon.timeout.connect(self.written)
        self.textChanged.connect(self._soon.start)

    def take(self, text: str) -> None:
        """Show what was kept; it is not written anew."""
        self.blockSignals(True)
        self.setPlainText(text)
        self.blockSignals(False)
        self._soon.stop()

    def finish(self) -> None:
        """Keep now what waits to be kept."""
        if self._soon.isActive():
            self._soon.stop()
            self.written.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Leaving the field saves the note."""
        super().focusOutEvent(event)
        self.finish()


class AssetDetails(QFrame):
    """One thing of the library and its buttons, which emit signals."""

    #: A checkpoint is to be drawn with; carries its key.
    use_pressed = Signal(str)
    #: Words are to be put into the prompt; carries them.
    words_pressed = Signal(str)
    #: The place is to be shown in the file manager; carries the path.
    reveal_pressed = TypedSignal[Path]()
    #: It is to go to the trash; carries the `Asset`.
    trash_pressed = TypedSignal[Asset]()
    #: Its hash is to be computed; carries the `Asset`.
    hash_pressed = TypedSignal[Asset]()
    #: The user wrote notes; carries the `Asset` and the text.
    notes_written = TypedSignal[Asset, str]()
    #: A cover is to be chosen; carries the `Asset`, and "file", "picture" (the one on the canvas) or "none".
    cover_wanted = TypedSignal[Asset, str]()
    #: The parameters that are set now are to be its own, or no longer; carries the `Asset` and whether to keep them.
    values_wanted = TypedSignal[Asset, bool]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("assetDetails")
        self.setFixedWidth(PANE_PX)
        self.shown: ShownAsset | None = None
        self._empty = EmptyState(
            "box", "Nothing selected", "Select a model to see what is known about it, and to keep notes of your own.",
            self, 32,
        )  # fmt: skip
        self._filled = QWidget(self)
        self._build()
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self._empty)
        outside.addWidget(self._filled)
        self.show_asset(None, Remark())

    def show_asset(self, row: ShownAsset | None, remark: Remark) -> None:
        """Show one thing and the user's remark about it, or that nothing is chosen."""
        self.notes_edit.finish()
        self.shown = row
        self._empty.setVisible(row is None)
        self._filled.setVisible(row is not None)
        if row is None:
            return
        self.notes_edit.take(remark.notes)
        self._show_values(remark.defaults)
        self.renew(row)

    def renew(self, row: ShownAsset) -> None:
        """Show what is new about the chosen thing; what the user writes meanwhile stays."""
        self.shown = row
        asset = row.asset
        self._name.setText(_breakable(row.title))
        self._facts.setText(row.facts)
        self._problem.setText(_breakable(asset.problem))
        self._problem.setVisible(bool(asset.problem))
        picture = cover_pixmap(row, _COVER_PX, self.devicePixelRatioF())
        self._cover.setPixmap(picture)
        self._cover.setText("" if not picture.isNull() else "No cover")
        self.no_cover_button.setEnabled(row.cover is not None)
        is_checkpoint = asset.kind == CHECKPOINT
        self.use_button.setVisible(is_checkpoint)
        self.use_button.setText("In use" if row.in_use else "Use")
        usable = row.model.is_usable if row.model is not None else not asset.problem
        self.use_button.setEnabled(not row.in_use and usable)
        self.prompt_button.setVisible(asset.kind in (LORA, EMBEDDING) and not asset.problem)
        for part in self._value_widgets:
            part.setVisible(is_checkpoint)
        self._show_rows(rows_of(row))
        self._triggers.clear()
        self._triggers.addItems(asset.triggers)
        for widget in (self._triggers, self._triggers_title):
            widget.setVisible(bool(asset.triggers))
        self.hash_button.setVisible(not asset.short_hash)
        stays = BUILT_IN_STAYS if is_built_in(asset.kind, asset.key) else ""
        self.trash_button.setEnabled(not stays)
        self.trash_button.setToolTip(stays)
        self.trash_button.setAccessibleDescription(stays)

    def show_remark(self, remark: Remark) -> None:
        """Show the remark about the chosen thing again."""
        self.notes_edit.take(remark.notes)
        self._show_values(remark.defaults)

    @property
    def is_writing(self) -> bool:
        """Whether notes are being written."""
        return self.notes_edit.hasFocus()

    # building

    def _build(self) -> None:
        self._cover = QLabel("No cover", self)
        self._cover.setFixedSize(_COVER_PX, _COVER_PX)
        self._cover.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._cover.setProperty("role", "caption")
        self._cover.setAccessibleName("Cover")
        self._name = _label("heading")
        self._facts = _label("muted")
        self._problem = _label("error")
        self.use_button = self._button("useModelButton", "Use", "", lambda a: self.use_pressed.emit(a.key))
        mark(self.use_button, "primary", True)
        self.prompt_button = self._button("addToPromptButton", "Add to prompt", "pencil", self._on_prompt_pressed)
        reveal = self._button(
            "revealModelButton", "Show in folder", "folder-open", lambda a: self.reveal_pressed.emit(a.path)
        )
        self.trash_button = self._button(
            "trashModelButton", "Move to trash", "trash-2", lambda a: self.trash_pressed.emit(a)
        )
        self.hash_button = self._button(
            "hashModelButton", "Compute its hash", "hash", lambda a: self.hash_pressed.emit(a)
        )
        self.cover_button = self._cover_button("coverFileButton", "Choose cover…", "file")
        self.picture_cover_button = self._cover_button("coverPictureButton", "Use current picture", "picture")
        self.no_cover_button = self._cover_button("noCoverButton", "Remove cover", "none")
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(GRID * 2)
        self._form.setVerticalSpacing(GRID // 2)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._triggers_title = _label("group", "Trigger words  ·  click to copy")
        self._triggers = QListWidget(self)
        self._triggers.setObjectName("triggerView")
        self._triggers.setAccessibleName("Trigger words; press Enter to copy one")
        self._triggers.setProperty("field", True)
        self._triggers.setFixedHeight(GRID * 14)
        self._triggers.itemClicked.connect(lambda item: copy_words(item.text()))
        self._triggers.itemActivated.connect(lambda item: copy_words(item.text()))
        self.notes_edit = NotesEdit(self)
        self.notes_edit.setObjectName("modelNotesEdit")
        self.notes_edit.setAccessibleName("Notes")
        self.notes_edit.setPlaceholderText("What works well with it, where it is from…")
        self.notes_edit.setTabChangesFocus(True)
        self.notes_edit.setFixedHeight(GRID * 12)
        self.notes_edit.written.connect(self._on_notes_written)
        self._values = _label("muted")
        self.keep_values_button = self._button(
            "keepValuesButton", "Save as this model's defaults", "save", lambda a: self.values_wanted.emit(a, True)
        )
        self.keep_values_button.setToolTip(
            "Size, steps, guidance scale, sampler and clip skip as they are set now: used whenever this model is chosen"
        )
        self.forget_values_button = self._button(
            "forgetValuesButton", "Remove", "rotate-ccw", lambda a: self.values_wanted.emit(a, False)
        )
        self._lay_out(reveal)

    def _lay_out(self, reveal: QPushButton) -> None:
        inside = QWidget()
        inside.setProperty("bare", True)
        column = QVBoxLayout(inside)
        column.setContentsMargins(GRID * 2, GRID * 2, GRID * 2, GRID * 2)
        column.setSpacing(GRID)
        covers = QVBoxLayout()
        covers.setSpacing(GRID // 2)
        for button in (self.cover_button, self.picture_cover_button, self.no_cover_button):
            covers.addWidget(button)
        head = BreakingRow(_BESIDE_COVER_PX, inside, shares=(0, 1))
        head.first.addWidget(self._cover)
        head.first.addStretch(1)
        head.second.addLayout(covers)
        buttons = QVBoxLayout()
        buttons.setSpacing(GRID)
        places = BreakingRow(_BESIDE_PX, inside)
        places.first.addWidget(reveal)
        places.second.addWidget(self.trash_button)
        for part in (self.use_button, self.prompt_button, places):
            buttons.addWidget(part)
        values = BreakingRow(_BESIDE_PX, inside, shares=(1, 0))
        values.first.addWidget(self.keep_values_button, 1)
        values.second.addWidget(self.forget_values_button)
        values_title = _label("group", "Default parameters")
        self._value_widgets = (values_title, self._values, self.keep_values_button, self.forget_values_button)
        for widget in (self._name, self._facts, self._problem):
            column.addWidget(widget)
        column.addWidget(head)
        column.addLayout(buttons)
        column.addWidget(_label("group", "Facts"))
        column.addLayout(self._form)
        column.addWidget(self.hash_button)
        column.addWidget(self._triggers_title)
        column.addWidget(self._triggers)
        column.addWidget(_label("group", "Notes"))
        column.addWidget(self.notes_edit)
        column.addWidget(values_title)
        column.addWidget(self._values)
        column.addWidget(values)
        column.addStretch(1)
        area = QScrollArea(self._filled)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        outside = QVBoxLayout(self._filled)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(area)

    def _button(self, name: str, title: str, icon_name: str, act: Any) -> QPushButton:
        button = QPushButton(f" {title}" if icon_name else title, self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        button.setIconSize(QSize(16, 16))
        if icon_name:
            set_icon(button, icon_name)
        button.clicked.connect(lambda: act(self.shown.asset) if self.shown is not None else None)
        return button

    def _cover_button(self, name: str, title: str, source: str) -> QPushButton:
        return self._button(name, title, "", lambda asset: self.cover_wanted.emit(asset, source))

    def _show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in rows:
            shown: QWidget = _label("", value)
            if name in _TO_COPY:
                shown = QLineEdit(value)
                shown.setReadOnly(True)
                shown.setCursorPosition(0)
                shown.setToolTip(value)
                shown.setObjectName(f"model{name.replace('-', '').title().replace(' ', '')}Edit")
                shown.setAccessibleName(name)
            title = QLabel(name)
            title.setProperty("role", "muted")
            self._form.addRow(title, shown)

    def _show_values(self, values: Mapping[str, Any]) -> None:
        """Show what the chosen model begins with: what the user kept, else what its file or name asks for."""
        model = self.shown.model if self.shown is not None else None
        own = _values_said(model.defaults) if model is not None else ""
        if values:
            self._values.setText(f"Saved by you: {_values_said(values)}.")
        else:
            text = f"From its files: {own}." if own else "Those of its family."
            self._values.setText(text)
        self.forget_values_button.setEnabled(bool(values))

    def _on_prompt_pressed(self, asset: Asset) -> None:
        self.words_pressed.emit(f"<lora:{asset.key}:1>" if asset.kind == LORA else asset.key)

    def _on_notes_written(self) -> None:
        if self.shown is not None:
            self.notes_written.emit(self.shown.asset, self.notes_edit.toPlainText()[:NOTES_MAXIMUM])


def rows_of(row: ShownAsset) -> list[tuple[str, str]]:
    """Return what is known about an asset, as (name, value), the most asked first."""
    asset = row.asset
    used = f"{row.use.pictures:,}, last {row.use.last.astimezone():%d %B %Y}" if row.use is not None else "none yet"
    changed = f"{datetime.fromtimestamp(asset.modified_s):%d %B %Y}" if asset.modified_s else ""
    family = "" if asset.kind in (DETECTOR, UPSCALER) else asset.family_title or "not recorded in the file"
    rows = [
        ("Family", " ".join(part for part in (family, asset.variant_title) if part)),
        ("Network", asset.network),
        ("Base model", asset.base),
        ("Not drawn with", _breakable("; ".join(asset.not_drawn))),
        ("Brings along", ", ".join(asset.bundled)),
        ("Also called", asset.alias if asset.alias != asset.key else ""),
        ("Pictures", used),
        ("Size", f"{asset.size_bytes:,} bytes" if asset.size_bytes else ""),
        ("Modified", changed),
        ("AutoV3", asset.short_hash if asset.kind_row.body_hash else ""),
        ("Hash", asset.sha256[:10]),
        ("SHA-256", asset.sha256),
        ("Location", str(asset.path)),
    ]
    return [(name, value) for name, value in rows if value]


def _values_said(values: Mapping[str, Any]) -> str:
    shown = {_TITLES[name].lower(): _shown(name, value) for name, value in values.items() if name in _TITLES}
    return ", ".join(f"{title} {value}" for title, value in shown.items())


def _shown(name: str, value: Any) -> str:
    """Return a value as the panel shows it: of a sampler its title, not its key."""
    if name == "scheduler" and value in SCHEDULER_BY_KEY:
        return SCHEDULER_BY_KEY[value].title
    return SCHEDULE_BY_KEY[value].title if name == "schedule" and value in SCHEDULE_BY_KEY else str(value)


def copy_words(words: str) -> None:
    """Put words on the clipboard."""
    QGuiApplication.clipboard().setText(words)


def _breakable(text: str) -> str:
    """Let long words break: a label wraps at blanks alone, and neither names of files nor paths have any."""
    return re.sub(r"(\S{8})(?=\S)", "\\1\u200b", text)


def _label(role: str, text: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
