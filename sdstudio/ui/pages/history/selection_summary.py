"""Several selected pictures in words: how many, how large their files are, what they share and in what they differ."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from sdstudio.background.tasks import Task, TaskRunner
from sdstudio.core.errors import Cancelled
from sdstudio.core.readable import readable_size
from sdstudio.history.database.listing import Entries
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.entries.recipe_text import recipe_rows
from sdstudio.ui.theme import GRID, set_icon
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.tooltips import wrapped

_OFFERED: Final = ("compare", "grid", "upscale", "export", "favourite", "tag", "collect", "delete")
_NOT_SHARED: Final = frozenset({"Made", "Took"})
"""Facts that are never worth a word when several pictures are selected."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of several pictures.

    Attributes:
        count: How many are there.
        size_bytes: Of their files together; those that are gone count nothing.
        gone: How many have no file any more.
        shared: Facts that are the same in all, as (name, value).
        differing: Names of the facts in which they differ.
    """

    count: int
    size_bytes: int
    gone: int
    shared: tuple[tuple[str, str], ...]
    differing: tuple[str, ...]


def summary_of(entries: Sequence[Entry], stop: threading.Event | None = None) -> Summary:
    """Read the summary of pictures. On any thread. Raises: HistoryError; Cancelled when it is to stop."""
    count = size_bytes = gone = 0
    facts: dict[str, set[str]] = {}
    for entry in entries:
        if stop is not None and stop.is_set():
            raise Cancelled
        try:
            size_bytes += entry.path.stat().st_size
        except OSError:
            gone += 1
        of_entry = {name: value for name, value in recipe_rows(entry) if name not in _NOT_SHARED}
        for name in of_entry.keys() - facts.keys():
            facts[name] = {""} if count else set()  # those before did not record it
        for name, values in facts.items():
            if len(values) < 2:
                values.add(of_entry.get(name, ""))
        count += 1
    order = [name for name, _ in recipe_rows(entries[0])] if count else []
    names = sorted(facts, key=lambda name: order.index(name) if name in order else len(order))
    shared = tuple((name, next(iter(facts[name]))) for name in names if len(facts[name]) == 1)
    return Summary(count, size_bytes, gone, shared, tuple(name for name in names if len(facts[name]) > 1))


class SelectionSummary(QFrame):
    """Stands where the details of one picture are, while several are selected.

    Args:
        actions: Does what is chosen.
        tasks: Where the pictures are read.
        parent: As Qt has it.
    """

    def __init__(self, actions: EntryActions, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("selectionSummary")
        self._actions = actions
        self._tasks = tasks
        self._entries: Sequence[Entry] = ()
        self._task: Task[Any] | None = None
        self.title = _label("selectionTitle", "heading", self)
        self.file_size = _label("selectionSize", "muted", self)
        self.differing = _label("selectionDiffering", "muted", self)
        self._shared = QFormLayout()
        self._shared.setHorizontalSpacing(GRID * 2)
        self._shared.setVerticalSpacing(GRID)
        inside = QWidget()
        inside.setProperty("bare", True)
        words = QVBoxLayout(inside)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(GRID)
        words.addLayout(self._shared)
        words.addWidget(self.differing)
        words.addStretch(1)
        scrolled = QScrollArea(self)
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setWidget(inside)
        self._buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID * 2, GRID * 2, GRID * 2)
        column.setSpacing(GRID)
        column.addWidget(self.title)
        column.addWidget(self.file_size)
        column.addWidget(scrolled, 1)
        column.addWidget(self._offers())

    def show_entries(self, entries: Entries) -> None:
        """Summarise these pictures: their number at once, the rest as soon as it is read."""
        self._entries = entries
        self.title.setText(f"{len(entries):,} pictures selected")
        self.file_size.setText("Reading…")
        self._fill(())
        self.differing.setText("")
        for row in ENTRY_ACTIONS:
            if row.key in self._buttons:
                self._buttons[row.key].setVisible(row.suits(len(entries)))
        self.stop()
        self._task = self._tasks.run(
            "Reading the selected pictures",
            lambda task: summary_of(entries, task.cancelled_event),
            self._on_read,
            lambda error: self.file_size.setText(str(error)),
        )

    def stop(self) -> None:
        """Stop reading: something else is selected."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_read(self, summary: Summary) -> None:
        self._task = None
        gone = f", {summary.gone:,} without a file" if summary.gone else ""
        self.file_size.setText(f"{readable_size(summary.size_bytes)} together{gone}")
        self._fill(summary.shared)
        names = ", ".join(name.lower() for name in summary.differing)
        self.differing.setText(f"They differ in: {names}." if names else "They were made with the same parameters.")

    def _fill(self, rows: Sequence[tuple[str, str]]) -> None:
        while self._shared.rowCount():
            self._shared.removeRow(0)
        for name, value in rows:
            title, text = QLabel(name), QLabel(value)
            title.setProperty("role", "muted")
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setWordWrap(True)
            text.setMinimumWidth(1)
            text.setToolTip(wrapped(value))
            self._shared.addRow(title, text)

    def _offers(self) -> QWidget:
        holder = QWidget(self)
        holder.setProperty("bare", True)
        flow = FlowLayout(GRID, holder)
        for row in ENTRY_ACTIONS:
            if row.key in _OFFERED:
                button = QPushButton(f" {row.title}", holder)
                button.setObjectName(f"selection_{row.key}")
                button.setAccessibleName(row.title.rstrip("…"))
                button.setToolTip(row.about)
                set_icon(button, row.icon)
                button.clicked.connect(lambda _checked=False, key=row.key: self._actions.ask(key, self._entries))
                self._buttons[row.key] = button
                flow.addWidget(button)
        return holder


def _label(name: str, role: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label
