"""Two pictures and their recipes side by side: what differs in the pixels, and word by word in what made them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import HistoryError, StudioError
from sdstudio.core.params import parameters
from sdstudio.core.pictures.opening import UNREADABLE, allowed_size, opened_picture
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.word_diff import Piece, Side, of_side, word_diff
from sdstudio.history.store import Entry
from sdstudio.history.verdict import AMPLIFIED, Outcome, Verdict, judged
from sdstudio.ui.entries.recipe_text import PROMPTS, every_fact
from sdstudio.ui.entry_tools.compare_view import CompareMode, CompareView
from sdstudio.ui.theme import GRID, STRONG, current_theme, mark, tokens
from sdstudio.ui.widgets.images import as_qimage
from sdstudio.ui.widgets.window_size import open_at

_MODES: Final = (
    (CompareMode.SLIDER, "Slider", "One over the other; move the divider"),
    (CompareMode.SIDES, "Side by side", "Both at once, moved and zoomed together"),
    (CompareMode.DIFFERENCE, "Difference", f"What differs, made {AMPLIFIED} times as visible"),
)

Row = tuple[str, list[Piece]]


class CompareWindow(QDialog):
    """Compares two entries; not modal, several can be open.

    Args:
        entries: The two.
        tasks: Where the difference is computed.
        parent: As Qt has it.
    """

    def __init__(self, entries: Sequence[Entry], tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareWindow")
        self.setWindowTitle("Compare two pictures")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        open_at(self, QSize(1120, 760))
        self._left, self._right = entries[0], entries[1]
        self.view = CompareView(self)
        self._message = QLabel(self)
        self._message.setObjectName("compareSaid")
        self._message.setProperty("role", "muted")
        self.recipes = QTextBrowser(self)
        self.recipes.setObjectName("recipeDiff")
        self.recipes.setAccessibleName("What the recipes say differently")
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.addWidget(self.view)
        split.addWidget(self.recipes)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([520, 190])
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID * 2, GRID * 2, GRID * 2)
        column.setSpacing(GRID)
        column.addLayout(self._modes())
        column.addWidget(split, 1)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._show_recipes)
        self._show_pictures(tasks)
        self._show_recipes()
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _modes(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        group = QButtonGroup(self)
        for mode, title, about in _MODES:
            button = QPushButton(title, self)
            button.setObjectName(f"compare_{mode.value}")
            button.setAccessibleName(title)
            button.setToolTip(about)
            button.setCheckable(True)
            button.setChecked(mode is CompareMode.SLIDER)
            mark(button, "chip", True)
            button.clicked.connect(lambda _checked=False, mode=mode: self.view.set_mode(mode))
            group.addButton(button)
            row.addWidget(button)
        row.addSpacing(GRID)
        row.addWidget(self._message, 1)
        return row

    def _show_pictures(self, tasks: TaskRunner) -> None:
        left, right = QImage(str(self._left.path)), QImage(str(self._right.path))
        gone = [entry.path.name for entry, image in ((self._left, left), (self._right, right)) if image.isNull()]
        if gone:
            self._message.setText(f"{' and '.join(gone)}: the file is gone or cannot be read.")
            return
        self.view.set_pictures(left, right)
        self._message.setText("Comparing the pixels…")
        tasks.run(
            "Comparing pictures",
            lambda _task: _verdict(self._left, self._right),
            self._on_judged,
            lambda error: self._message.setText(error.message),
        )

    def _on_judged(self, verdict: Verdict) -> None:
        if verdict.difference is None:
            same = verdict.outcome is Outcome.IDENTICAL
            self._message.setText("Every pixel is the same." if same else "Of different sizes: B is scaled to A.")
            return
        self.view.set_difference(as_qimage(verdict.difference))
        how_much = f"by {verdict.largest} of 255 at most, {verdict.mean:.2f} on average"
        self._message.setText(f"{verdict.share:.1%} of the pixels differ, {how_much}.")

    def _show_recipes(self, *_: object) -> None:
        differing, same = recipe_diff(self._left, self._right)
        left, right = f"{STRONG}A</b> · {_named(self._left)}", f"{STRONG}B</b> · {_named(self._right)}"
        names = f"<tr><td></td><td>{left}</td><td>{right}</td></tr>"
        rows = "".join(
            f"<tr><td>{html.escape(title)}</td>{_marked(pieces, 'left')}{_marked(pieces, 'right')}</tr>"
            for title, pieces in differing
        )
        alike = f"The same in both: {html.escape(', '.join(same))}." if same else ""
        head = "" if differing else "<p>The recipes say the same.</p>"
        self.recipes.setHtml(f"{head}<table cellpadding='4' width='100%'>{names}{rows}</table><p>{alike}</p>")


def recipe_diff(left: Entry, right: Entry) -> tuple[list[Row], list[str]]:
    """Return the parameters in which two recipes differ, word by word, and the names of those in which they do not."""
    differing: list[Row] = []
    same: list[str] = []
    for title, one, other in _facts(left, right):
        if one == other:
            same.append(title)
        else:
            differing.append((title, word_diff(one, other)))
    return differing, same


def _facts(left: Entry, right: Entry) -> Iterator[tuple[str, str, str]]:
    for row in parameters(GenerationRequest):
        if row.name in PROMPTS:
            yield row.title, getattr(left.recipe.request, row.name), getattr(right.recipe.request, row.name)
    one, other = dict(every_fact(left.recipe)), dict(every_fact(right.recipe))
    for title in {**one, **other}:
        if title != "Took":
            yield title, one.get(title, ""), other.get(title, "")


def _named(entry: Entry) -> str:
    return html.escape(entry.path.name)


def _marked(pieces: Sequence[Piece], side: Side) -> str:
    """Return one side's cell with the words marked that the other has not."""
    color = tokens().danger if side == "left" else tokens().success
    shown = []
    for piece in of_side(pieces, side):
        text = html.escape(piece.text).replace("\n", "<br>")
        shown.append(text if piece.side == "both" else f"<span style='color:{color}; font-weight:600'>{text}</span>")
    words = "".join(shown) or f"<span style='color:{tokens().muted}'>(nothing)</span>"
    return f"<td width='44%'>{words}</td>"


def _verdict(left: Entry, right: Entry) -> Verdict:
    try:
        with opened_picture(right.path) as picture:
            if not allowed_size(picture):
                raise StudioError(f"Picture = {right.path.name}: it is too large to be compared.")
            other = picture.convert("RGB")
    except UNREADABLE as error:
        raise HistoryError(f"Picture = {right.path.name}: it cannot be read ({error}).") from error
    return judged(left.path, left.recipe, other, right.recipe)
