"""The line below the picture: how it was made in a few numbers, and its stars, heart and trash to press.

Its place is kept while there is no picture, so that nothing moves when one comes.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPoint, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QToolButton, QWidget

from sdstudio.core.request.second_pass_fields import draws_part
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.picture_loader import size_of_file
from sdstudio.ui.entries.recipe_text import recipe_html, sampler_title
from sdstudio.ui.entries.stars import Stars
from sdstudio.ui.theme import GRID, NARROW_PX, mark, set_icon, with_room
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.elided_label import ElidedLabel

HEIGHT_PX: Final = GRID * 4
_ICON_PX: Final = 16
_LINE_PX: Final = GRID * 2


def facts_of(entry: Entry, size: tuple[int, int] | None = None) -> str:
    """Return how a picture was made in one line, the most asked first: the end is what is left out.

    Args:
        entry: The picture.
        size: Its width and height where they are known; default: what was asked for.
    """
    request, recipe = entry.recipe.request, entry.recipe
    width, height = size or request.made_size
    steps = "1 step" if request.steps == 1 else f"{request.steps} steps"
    if recipe.unfinished is not None:
        steps = "unfinished, step {} of {}".format(*recipe.unfinished)
    model = recipe.model_name or request.model
    parts = (f"Seed {request.seed}", f"{width} × {height}", steps, sampler_title(request), model)
    return "  ·  ".join(part for part in parts if part)


class PictureCaption(QFrame):
    """Facts of the shown picture, and its marks.

    Args:
        actions: Does what is chosen.
        parent: As Qt has it.
    """

    #: The menu of the picture is wanted at this global position.
    menu_requested = Signal(QPoint)

    def __init__(self, actions: EntryActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pictureCaption")
        self._actions = actions
        self._entry: Entry | None = None
        self.facts = ElidedLabel(self)
        self.facts.setObjectName("pictureFacts")
        self.stars = Stars(self, _ICON_PX)
        self.stars.setObjectName("captionStars")
        self.stars.rated.connect(lambda stars: self._ask(f"rate_{stars}"))
        self.heart = self._button("heart", "Favourite", "captionHeartButton", "Make it a favourite, or no longer (F)")
        self.heart.clicked.connect(lambda: self._ask("favourite"))
        self.repeat = self._button(
            "grid-3x3", "Repeat the picture", "captionRepeatButton", "See how its edges meet: three by three (Ctrl+T)"
        )
        self.repeat.setCheckable(True)
        self.trash = self._button("trash-2", "Move to trash", "captionTrashButton", "Move it to the trash (Del)")
        self.trash.clicked.connect(lambda: self._ask("delete"))
        self.more = self._button("ellipsis", "More actions", "captionMoreButton", "What else can be done with it")
        self.more.clicked.connect(
            lambda: self.menu_requested.emit(self.more.mapToGlobal(QPoint(0, self.more.height())))
        )
        self._is_narrow = self._is_low = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(GRID, 0, 0, 0)
        self._grid.setHorizontalSpacing(GRID // 2)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(0, 1)
        self._grid.addWidget(self.facts, 0, 0)
        for at, part in enumerate((self.stars, self.heart, self.repeat, self.trash, self.more)):
            self._grid.addWidget(part, 1, at + 1)
        self._lay_out()
        self.show_entry(None)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Give the facts a line of their own where there is little room."""
        super().resizeEvent(event)
        is_narrow = event.size().width() < NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._lay_out()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Another font needs another height."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._lay_out()

    def fit_below(self, canvas_px: int) -> None:
        """Leave the facts out where they would take what a canvas of this height needs for the picture."""
        is_low = 2 * (with_room(HEIGHT_PX) + with_room(_LINE_PX)) > canvas_px
        if is_low != self._is_low:
            self._is_low = is_low
            self._lay_out()

    def _lay_out(self) -> None:
        is_narrow, has_facts = self._is_narrow, not (self._is_narrow and self._is_low)
        self.setFixedHeight(with_room(HEIGHT_PX) + with_room(_LINE_PX) * (is_narrow and has_facts))
        self.facts.setVisible(has_facts and self._entry is not None)
        self._grid.removeWidget(self.facts)
        self._grid.addWidget(self.facts, 0 if is_narrow else 1, 0, 1, 6 if is_narrow else 1)
        mark(self.facts, "role", "caption" if is_narrow else "muted")

    def show_entry(self, entry: Entry | None) -> None:
        """Show the facts of this picture; ``None`` leaves the line empty."""
        self._entry = entry
        for part in (self.facts, self.stars, self.heart, self.repeat, self.trash, self.more):
            part.setVisible(entry is not None and (part is not self.facts or not (self._is_narrow and self._is_low)))
        if entry is None:
            return
        size = (
            size_of_file(entry.path) if draws_part(dict(entry.recipe.request)) else QSize()
        )  # not that of the request
        self.facts.say(facts_of(entry, (size.width(), size.height()) if size.isValid() else None), recipe_html(entry))
        self.stars.set_stars(entry.rating)
        look = ("heart-full", "danger") if entry.favourite else ("heart", "muted")
        set_icon(self.heart, *look, _ICON_PX)
        self.heart.setAccessibleDescription("yes" if entry.favourite else "no")

    def show_repeated(self, repeated: bool) -> None:
        """Show whether copies of the picture lie around it."""
        self.repeat.setChecked(repeated)
        set_icon(self.repeat, "grid-3x3", "accent_text" if repeated else "muted", _ICON_PX)

    def _ask(self, key: str) -> None:
        self._actions.ask(key, [self._entry] if self._entry else [])

    def _button(self, icon_name: str, accessible: str, name: str, tip: str) -> QToolButton:
        button = small_button(icon_name, accessible, tip)
        button.setParent(self)
        button.setObjectName(name)
        set_icon(button, icon_name, "muted", _ICON_PX)
        mark(button, "ghost", True)
        return button
