"""One picture of the history and everything known about it: marks to change, the recipe to read, all facts to unfold.

Looking changes nothing: the panel's parameters stay as they are until "Use parameters" is pressed. Other modules put
parts of their own below the recipe with `EntryDetails.add_section`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import HistoryError
from sdstudio.core.folding import natural
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.actions import ENTRY_ACTION_BY_KEY, EntryActions
from sdstudio.ui.entries.mark_popup import MarkKind
from sdstudio.ui.entries.picture_loader import PictureLoader, size_like
from sdstudio.ui.entries.recipe_text import every_fact, recipe_rows
from sdstudio.ui.entries.stars import Stars
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.empty_state import EmptyState
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.picture_view import PictureView

_PANE_PX: Final = 320
_FACT_PX: Final = 112
_BUTTONS: Final = (
    ("restore", "Use parameters"), ("rerun", "Re-run"), ("use_as_input", "Use as input"), ("upscale", "Upscale…"),
)  # fmt: skip
_KINDS: Final[tuple[tuple[MarkKind, str], ...]] = (("tag", "Tag"), ("collection", "Collection"))


class EntryDetails(QFrame):
    """One picture and its recipe.

    Args:
        actions: Does what is chosen.
        history: Knows its tags and collections.
        tasks: Where the picture is read.
        parent: As Qt has it.
    """

    #: Another picture is shown; carries the `Entry`, or None.
    shown = TypedSignal[Entry | None]()
    #: A tag or collection is to be given or taken: kind, the entries, name, whether it is given.
    mark_requested = TypedSignal[MarkKind, Sequence[Entry], str, bool]()
    #: Tags or collections are to be chosen: kind, the entries, where on the screen.
    popup_requested = TypedSignal[MarkKind, Sequence[Entry], QPoint]()

    def __init__(
        self, actions: EntryActions, history: History, tasks: TaskRunner, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("entryDetails")
        self.setFixedWidth(_PANE_PX)
        self.entry: Entry | None = None
        self._actions = actions
        self._history = history
        self._loader = PictureLoader(tasks, self)
        self._loader.loaded.connect(lambda _id: self._show_loaded())
        self._picture = PictureView(self)
        self._picture.double_clicked.connect(lambda _where: self._ask("look"))
        self._picture.setAccessibleName("Chosen picture")
        self._picture.setMinimumHeight(GRID * 12)
        self._picture.setMaximumHeight(_PANE_PX - GRID * 4)
        self._picture.menu_requested.connect(self._on_menu_requested)
        self.stars = Stars(self)
        self.stars.rated.connect(lambda stars: self._ask(f"rate_{stars}"))
        self.heart = QToolButton(self)
        self.heart.setObjectName("favouriteButton")
        self.heart.setAccessibleName("Favourite")
        self.heart.setToolTip("Favourite (F)")
        mark(self.heart, "ghost", True)
        self.heart.clicked.connect(lambda: self._ask("favourite"))
        self._marks: dict[str, FlowLayout] = {}
        self._form = _form()
        self._facts = _form()
        self._facts_holder = _holder(self._facts, self)
        self._fold = QToolButton(self)
        self._fold.setObjectName("allFactsButton")
        self._fold.setAccessibleName("All parameters")
        self._fold.setText("All parameters")
        self._fold.setCheckable(True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        mark(self._fold, "fold", True)
        self._fold.toggled.connect(self._on_folded)
        self._sections = QVBoxLayout()
        self._sections.setSpacing(GRID)
        self._empty = EmptyState(
            "image", "Nothing selected", "Click a picture to see how it was made; double click to see it large.",
            self, 32,
        )  # fmt: skip
        self._filled = QWidget(self)
        column = QVBoxLayout(self._filled)
        column.setContentsMargins(0, 0, 0, GRID * 2)
        column.setSpacing(GRID)
        column.addWidget(self._picture, 2)
        column.addLayout(self._marks_row())
        column.addWidget(self._words(), 3)
        column.addLayout(self._buttons())
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self._empty)
        outside.addWidget(self._filled)
        self._on_folded(False)
        self.show_entry(None)

    def add_section(self, section: QWidget) -> None:
        """Put a part below the recipe; it follows `shown`."""
        self._sections.addWidget(section)

    def show_entry(self, entry: Entry | None) -> None:
        """Show one entry, or that there is none."""
        before, self.entry = self.entry, entry
        self._empty.setVisible(entry is None)
        self._filled.setVisible(entry is not None)
        if entry is not None:
            if before is None or before.id != entry.id:
                self._show_picture(entry)
                _fill(self._form, recipe_rows(entry))
                _fill(self._facts, every_fact(entry.recipe), _FACT_PX)
            self._show_marks(entry)
        self.shown.emit(entry)

    def show_marks_of(self, ids: Sequence[int]) -> None:
        """Marks of these pictures changed. Raises: HistoryError."""
        if self.entry is not None and (self.entry.id in ids or not ids):
            for entry in self._history.listing.entries([self.entry.id]):
                self.show_entry(entry)

    def _show_picture(self, entry: Entry) -> None:
        size = QSize(*entry.recipe.request.made_size)
        self._loader.want([] if entry.recipe.blocked else [entry])
        draft = QImage() if entry.recipe.blocked else QImage(str(entry.thumbnail))
        if draft.isNull():
            self._picture.clear()
            self._picture.reserve(size)
            self._picture.set_blank("Blocked" if entry.recipe.blocked else "")
        else:
            self._picture.fit()
            self._picture.set_draft(draft, size_like(draft, size))

    def _show_loaded(self) -> None:
        loaded = self._loader.get(self.entry.id) if self.entry is not None else None
        if loaded is None:
            return
        if loaded.image.isNull():
            self._picture.clear()
            self._picture.reserve(QSize(1, 1))
            self._picture.set_blank(loaded.problem)
        else:
            self._picture.set_picture(loaded.image, smaller=loaded.smaller)

    def _show_marks(self, entry: Entry) -> None:
        self.stars.set_stars(entry.rating)
        set_icon(self.heart, "heart-full" if entry.favourite else "heart", "danger" if entry.favourite else "muted", 18)
        self.heart.setAccessibleDescription("yes" if entry.favourite else "no")
        for kind, title in _KINDS:
            try:
                names = sorted(self._history.marks.held(kind, [entry.id]), key=natural)
            except HistoryError:
                names = []  # the next look at it shows more than a chip could
            flow = self._marks[kind]
            while flow.count() > 1:
                gone = flow.takeAt(0)
                widget = gone.widget() if gone is not None else None
                if widget is not None:
                    widget.hide()
                    widget.deleteLater()
            add = flow.takeAt(0)
            for name in names:
                flow.addWidget(self._chip(kind, title, name))
            if add is not None:
                flow.addItem(add)
            flow.invalidate()

    def _chip(self, kind: MarkKind, title: str, name: str) -> QPushButton:
        chip = QPushButton(f"{name}  ×", self)
        chip.setObjectName(f"{kind}Chip")
        chip.setAccessibleName(f"Take {title.lower()} {name} away")
        chip.setToolTip("Take it away")
        mark(chip, "chip", True)
        chip.clicked.connect(lambda: self._take_away(kind, name))
        return chip

    def _take_away(self, kind: MarkKind, name: str) -> None:
        if self.entry is not None:
            self.mark_requested.emit(kind, (self.entry,), name, False)

    def _marks_row(self) -> QVBoxLayout:
        line = QHBoxLayout()
        line.addWidget(self.stars)
        line.addStretch(1)
        line.addWidget(self.heart)
        column = QVBoxLayout()
        column.setContentsMargins(GRID * 2, 0, GRID * 2, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(line)
        for kind, title in _KINDS:
            holder = QWidget(self)
            holder.setProperty("bare", True)
            flow = FlowLayout(GRID // 2, holder)
            add = QPushButton(f" {title}", holder)
            add.setObjectName(f"{kind}AddButton")
            add.setAccessibleName(f"Add {title.lower()}")
            mark(add, "chip", True)
            set_icon(add, "plus", "muted", 12)
            add.clicked.connect(lambda _checked=False, kind=kind, add=add: self._open_popup(kind, add))
            flow.addWidget(add)
            self._marks[kind] = flow
            column.addWidget(holder)
        return column

    def _open_popup(self, kind: MarkKind, below: QWidget) -> None:
        if self.entry is not None:
            self.popup_requested.emit(kind, (self.entry,), below.mapToGlobal(QPoint(0, below.height() + 2)))

    def _words(self) -> QScrollArea:
        inside = QWidget()
        inside.setProperty("bare", True)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(_holder(self._form, self))
        column.addLayout(self._sections)
        fold = QHBoxLayout()
        fold.setContentsMargins(GRID + GRID // 2, 0, GRID, 0)
        fold.addWidget(self._fold)
        fold.addStretch(1)
        column.addLayout(fold)
        column.addWidget(self._facts_holder)
        column.addStretch(1)
        words = QScrollArea(self)
        words.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus, and are scrolled to
        words.setWidgetResizable(True)
        words.setFrameShape(QFrame.Shape.NoFrame)
        words.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        words.setWidget(inside)
        return words

    def _buttons(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(GRID * 2, 0, GRID * 2, 0)
        grid.setSpacing(GRID)
        for at, (key, title) in enumerate(_BUTTONS):
            spec = ENTRY_ACTION_BY_KEY[key]
            button = QPushButton(f" {title}", self)
            button.setObjectName(f"details_{key}")
            button.setAccessibleName(spec.title)
            button.setToolTip(spec.about)
            set_icon(button, spec.icon)
            button.clicked.connect(lambda _checked=False, key=key: self._ask(key))
            grid.addWidget(button, at // 2, at % 2)
            grid.setColumnStretch(at % 2, 1)
        return grid

    def _ask(self, key: str) -> None:
        self._actions.ask(key, [self.entry] if self.entry else [])

    def _on_folded(self, is_open: bool) -> None:
        set_icon(self._fold, "chevron-down" if is_open else "chevron-right", "muted", 14)
        self._facts_holder.setVisible(is_open)

    def _on_menu_requested(self, where: QPoint) -> None:
        if self.entry is not None:
            self._actions.menu([self.entry], self).popup(where)


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(GRID * 2, 0, GRID * 2, 0)
    form.setHorizontalSpacing(GRID * 2)
    form.setVerticalSpacing(GRID)
    return form


def _holder(form: QFormLayout, parent: QWidget) -> QWidget:
    holder = QWidget(parent)
    holder.setProperty("bare", True)
    holder.setLayout(form)
    return holder


def _fill(form: QFormLayout, rows: Sequence[tuple[str, str]], title_px: int = 0) -> None:
    while form.rowCount():
        form.removeRow(0)
    for name, value in rows:
        title, text = QLabel(name), QLabel(value)
        title.setProperty("role", "muted")
        if title_px:
            title.setWordWrap(True)
            title.setFixedWidth(title_px)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        text.setMinimumWidth(1)  # a word that is wider than the pane would widen all rows, and cut them
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form.addRow(title, text)
