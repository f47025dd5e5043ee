"""Whether pictures can still be made as they were: each one's verdict, the pixels that differ, and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

from PIL.ImageQt import ImageQt
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.verifying import Verified, Verifier
from sdstudio.history.store import Entry
from sdstudio.history.verdict import AMPLIFIED, Outcome
from sdstudio.jobs.progress import progress_of
from sdstudio.jobs.runner import JobEvent
from sdstudio.ui.theme import GRID, current_theme, icon, mark
from sdstudio.ui.widgets.dialog_foot import CLOSE, MARGIN, STOP, dialog_foot
from sdstudio.ui.widgets.picture_view import PictureView
from sdstudio.ui.widgets.window_size import open_at

SIZE: Final = QSize(920, 620)
LIST_WIDTH: Final = 264
CAUSES_SHOWN: Final = 8
"""Causes that have a row of their own; the picture above needs its room."""
VALUE_LENGTH: Final = 120
"""Characters shown of a value; the rest stands in its tooltip."""
STEPS: Final = 1000

# Outcome -> word, icon, colour.
_LOOKS: Final[Mapping[str, tuple[str, str, str]]] = {
    "identical": ("Identical", "circle-check", "success"),
    "near": ("Near", "circle-alert", "warning"),
    "different": ("Different", "circle-alert", "danger"),
    "failed": ("Could not be redrawn", "triangle-alert", "danger"),
    "waiting": ("Waiting", "clock", "muted"),
    "running": ("Redrawing", "refresh-cw", "accent_text"),
}
_VIEWS: Final = (("kept", "Original"), ("again", "Redrawn"), ("difference", f"Difference ×{AMPLIFIED}"))


class VerifyWindow(QDialog):
    """Verdicts on the left, the chosen one in full on the right. Not modal; closing it cancels what waits.

    Args:
        verifier: Does the work.
        parent: The window it belongs to.
    """

    def __init__(self, verifier: Verifier, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("verifyWindow")
        self.setWindowTitle("Verify pictures")
        self._verifier = verifier
        self._verified: dict[int, Verified] = {}
        self._items: dict[int, QListWidgetItem] = {}
        self._asked = 0
        self._fraction = 0.0
        self.list = QListWidget()
        self._head = QLabel()
        self._picture = PictureView()
        self._picture.double_clicked.connect(self._picture.toggle_zoom)
        self._views = QButtonGroup(self)
        self._causes_part = QFrame()
        self._causes = QFormLayout(self._causes_part)
        self._bar = QProgressBar()
        self._doing = QLabel()
        self.cancel_button = QPushButton("Cancel")
        self._start()
        self._lay_out()
        self.list.currentItemChanged.connect(lambda *_: self._show_chosen())
        self._views.idClicked.connect(lambda _id: self._show_picture())
        self.cancel_button.clicked.connect(verifier.cancel)
        verifier.begun.connect(self._on_begun)
        verifier.progressed.connect(self._on_progressed)
        verifier.verified.connect(self._on_verified)
        verifier.finished.connect(self._on_finished)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._renew_icons)
        open_at(self, SIZE)
        self._show_chosen()

    def verify(self, entries: Sequence[Entry]) -> None:
        """Verify more pictures; those verified before stay in the list."""
        if not self._verifier.waiting:
            self._asked = 0
        new = [entry for entry in entries if self._state_of(entry.id) not in ("waiting", "running")]
        for entry in new:
            self._verified.pop(entry.id, None)
            if entry.id not in self._items:
                self._items[entry.id] = QListWidgetItem()
                self.list.addItem(self._items[entry.id])
            self._items[entry.id].setData(Qt.ItemDataRole.UserRole, entry)
            self._show_state(entry.id, "waiting")
        self._asked += len(new)
        if new:
            self.list.setCurrentItem(self._items[new[0].id])
            self._verifier.verify(new)
        self._show_progress(0.0, "")

    @property
    def summary(self) -> str:
        """How many are identical, "" while none is verified."""
        outcomes = [verified.verdict.outcome if verified.verdict else None for verified in self._verified.values()]
        return f"{outcomes.count(Outcome.IDENTICAL)} of {len(outcomes)} identical" if outcomes else ""

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Nobody waits for the verdicts any more."""
        self._verifier.cancel()
        super().closeEvent(event)

    # facts

    def _on_begun(self, entry: Entry) -> None:
        if entry.id in self._items:
            self._show_state(entry.id, "running")
            self._show_chosen()

    def _on_progressed(self, event: JobEvent) -> None:
        progress = progress_of(event.event)
        if progress is not None:
            fraction = progress.fraction if progress.fraction >= 0 else self._fraction
            self._show_progress(fraction, progress.text)

    def _on_verified(self, verified: Verified) -> None:
        self._verified[verified.entry.id] = verified
        if verified.entry.id in self._items:
            self._show_state(verified.entry.id, verified.verdict.outcome.value if verified.verdict else "failed")
        self._show_progress(0.0, "")
        self._show_chosen()

    def _on_finished(self) -> None:
        for entry_id in list(self._items):
            if self._state_of(entry_id) in ("waiting", "running"):  # cancelled
                self.list.takeItem(self.list.row(self._items.pop(entry_id)))
        self._show_progress(0.0, "")
        self._show_chosen()

    # showing

    def _state_of(self, entry_id: int) -> str:
        item = self._items.get(entry_id)
        return str(item.data(Qt.ItemDataRole.UserRole + 1)) if item is not None else ""

    def _renew_icons(self) -> None:
        for entry_id in self._items:
            self._show_state(entry_id, self._state_of(entry_id))

    def _show_state(self, entry_id: int, state: str) -> None:
        word, icon_name, color = _LOOKS[state]
        item = self._items[entry_id]
        entry: Entry = item.data(Qt.ItemDataRole.UserRole)
        prompt = " ".join(entry.recipe.request.prompt.split())
        item.setData(Qt.ItemDataRole.UserRole + 1, state)
        item.setText(f"{word}\n{entry.id} · {prompt[:60]}")
        item.setIcon(icon(icon_name, color))

    def _show_progress(self, fraction: float, text: str) -> None:
        left = self._verifier.waiting
        done = self._asked - left
        self._fraction = fraction
        self._bar.setVisible(bool(left))
        self.cancel_button.setVisible(bool(left))
        self._bar.setValue(round(STEPS * (done + fraction) / max(1, self._asked)))
        place = f"{done + 1} of {self._asked}" if self._asked > 1 else ""  # of one, its state is enough
        doing = " · ".join(part for part in (place, text) if part)
        self._doing.setText(doing if left else self.summary)

    def _chosen(self) -> Verified | None:
        item = self.list.currentItem()
        return self._verified.get(item.data(Qt.ItemDataRole.UserRole).id) if item is not None else None

    def _show_chosen(self) -> None:
        verified = self._chosen()
        verdict = verified.verdict if verified is not None else None
        item = self.list.currentItem()
        if verified is not None:
            self._head.setText(str(verdict) if verdict else str(verified.error))
        else:
            state = str(item.data(Qt.ItemDataRole.UserRole + 1)) if item is not None else ""
            nothing = "Choose pictures in the history and verify them."
            self._head.setText(_LOOKS[state][0] if state in _LOOKS else nothing)
        while self._causes.rowCount():
            self._causes.removeRow(0)
        causes = verdict.causes if verdict is not None else ()
        for cause in causes[:CAUSES_SHOWN]:
            self._add_row(cause.what, f"{_shortened(cause.recorded)}  →  {_shortened(cause.now)}", str(cause))
        if len(causes) > CAUSES_SHOWN:
            rest = causes[CAUSES_SHOWN:]
            self._add_row("Also", ", ".join(cause.what for cause in rest), "\n".join(map(str, rest)))
        self._causes_part.setVisible(bool(verdict is not None and verdict.causes))
        there = {
            "kept": item is not None,
            "again": verdict is not None,
            "difference": verdict is not None and verdict.difference is not None,
        }
        for button in self._views.buttons():
            button.setEnabled(there[button.objectName().removeprefix("verify").removesuffix("Button").lower()])
        wanted = 2 if there["difference"] else 0
        self._views.button(wanted).setChecked(True)
        self._show_picture()

    def _add_row(self, what: str, value: str, whole: str) -> None:
        title, text = QLabel(what), QLabel(value)
        text.setToolTip(html.escape(whole).replace("\n", "<br>"))
        mark(title, "role", "muted")
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._causes.addRow(title, text)

    def _show_picture(self) -> None:
        item, verified = self.list.currentItem(), self._chosen()
        if item is None:
            self._picture.clear()
            return
        verdict = verified.verdict if verified is not None else None
        match self._views.checkedId(), verdict:
            case 1, verdict if verdict is not None:
                image = ImageQt(verdict.again).copy()
            case 2, verdict if verdict is not None and verdict.difference is not None:
                image = ImageQt(verdict.difference).copy()
            case _:
                image = QImage(str(item.data(Qt.ItemDataRole.UserRole).path))
        if image.isNull():
            self._picture.set_blank("The file is gone")
        else:
            self._picture.set_picture(image, keep_zoom=True)

    # building

    def _start(self) -> None:
        self.list.setObjectName("verifyListView")
        self.list.setAccessibleName("Verdicts")
        self.list.setFixedWidth(LIST_WIDTH)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._head.setObjectName("verifyVerdict")
        self._head.setWordWrap(True)
        self._head.setTextFormat(Qt.TextFormat.PlainText)
        self._head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        mark(self._head, "role", "heading")
        self._picture.setAccessibleName("Picture")
        self._causes.setContentsMargins(0, 0, 0, 0)
        self._causes.setHorizontalSpacing(GRID * 2)
        self._causes.setVerticalSpacing(GRID // 2)
        self._causes_part.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._bar.setObjectName("verifyProgressBar")
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(160)
        mark(self._doing, "role", "caption")
        self.cancel_button.setObjectName("verifyCancelButton")
        self.cancel_button.setAccessibleName("Cancel verifying")

    def _lay_out(self) -> None:
        views = QHBoxLayout()
        views.setSpacing(GRID // 2)
        for place, (name, title) in enumerate(_VIEWS):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setObjectName(f"verify{name.capitalize()}Button")
            button.setAccessibleName(f"Show: {title}")
            self._views.addButton(button, place)
            views.addWidget(button)
        views.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(GRID)
        right.addWidget(self._head)
        right.addLayout(views)
        right.addWidget(self._picture, 1)
        right.addWidget(self._causes_part)
        body = QHBoxLayout()
        body.setSpacing(GRID * 2)
        body.addWidget(self.list)
        body.addLayout(right, 1)
        close = QPushButton("Close")
        close.setObjectName("verifyCloseButton")
        close.setAccessibleName("Close")
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addLayout(body, 1)
        foot = dialog_foot(self, [(self.cancel_button, STOP), (close, CLOSE)], close, [self._doing])
        foot.insertWidget(0, self._bar)
        column.addLayout(foot)


def _shortened(value: str) -> str:
    return value if len(value) <= VALUE_LENGTH else f"{value[: VALUE_LENGTH - 1]}…"
