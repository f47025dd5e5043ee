"""The window that keeps the history whole: a backup, and a check of rows against pictures that can repair."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.long_work import LongWork, Work
from sdstudio.background.tasks import TaskRunner, WorkResult
from sdstudio.core.pictures.opening import shown
from sdstudio.history.care.backup import BackupReport
from sdstudio.history.care.checkup import HARMLESS, CheckReport
from sdstudio.history.store import History
from sdstudio.ui.entry_tools.results_view import Result, ResultKind, ResultsView
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, MARGIN, dialog_foot
from sdstudio.ui.widgets.window_size import open_at
from sdstudio.ui.widgets.work_bar import WorkBar

KINDS: Final = (
    ResultKind("open", "to repair", "circle-alert", "danger"),
    ResultKind("repaired", "repaired", "circle-check", "success"),
    ResultKind("stranger", "no pictures of the history", "info", "muted"),
)


class CareDialog(QDialog):
    """Not modal.

    Args:
        history: What is backed up and checked.
        tasks: Where the work is done.
        parent: As Qt has it.
    """

    #: Something was repaired: the list of pictures may be another one.
    history_changed = Signal()

    def __init__(self, history: History, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("careDialog")
        self.setWindowTitle("Back up and check")
        self.setModal(False)
        self._history = history
        self._tasks = tasks
        self._work: LongWork[Any] | None = None
        self._open = 0
        self.target_edit = QLineEdit(str(Path.home() / f"sdstudio-{datetime.now():%Y-%m-%d}.zip"), self)
        self.target_edit.setObjectName("backupTargetEdit")
        self.target_edit.setAccessibleName("Where the backup goes")
        self.browse_button = push_button(self, "backupBrowseButton", "Choose…", "folder-open", self._ask_for_target)
        self.backup_button = push_button(self, "backupButton", "Back up", "save", self._back_up)
        self.deep_box = QCheckBox("Read every picture to its end (slow)", self)
        self.deep_box.setObjectName("checkDeepBox")
        self.deep_box.setAccessibleName("Read every picture to its end")
        self.check_button = push_button(self, "checkButton", "Check", "search", lambda: self._check(repair=False))
        self.repair_button = push_button(self, "repairButton", "Repair", "rotate-ccw", lambda: self._check(repair=True))
        self.repair_button.setEnabled(False)
        self.bar = WorkBar("care", self)
        self._message = QLabel(self)
        self._message.setObjectName("careSaid")
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message.hide()
        self.results = ResultsView("careResults", KINDS, self)
        self._lay_out()

    @property
    def message(self) -> str:
        """The message about the result."""
        return self._message.text()

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.setSpacing(GRID)
        where.addWidget(self.target_edit, 1)
        where.addWidget(self.browse_button)
        where.addWidget(self.backup_button)
        checking = QHBoxLayout()
        checking.setSpacing(GRID)
        checking.addWidget(self.deep_box)
        checking.addStretch(1)
        checking.addWidget(self.check_button)
        checking.addWidget(self.repair_button)
        close = push_button(self, "careCloseButton", "Close", "", self.close)
        foot = dialog_foot(self, [(close, CLOSE)], self.backup_button)  # who types where the backup goes presses Enter
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID + GRID // 2)
        for heading, about, row in (
            (
                "Back up",
                "History, pictures and settings in one file. Unpacked, it is a data folder: everything is there again. "
                "Models are left out. A name that does not end in .zip makes a folder.",
                where,
            ),
            (
                "Check",
                "Compare the history with its pictures. Repairing destroys nothing: an entry whose picture is gone is "
                "taken out of the list and comes back with the file.",
                checking,
            ),
        ):
            title, words = QLabel(heading, self), QLabel(about, self)
            mark(title, "role", "heading")
            mark(words, "role", "muted")
            words.setWordWrap(True)
            column.addWidget(title)
            column.addWidget(words)
            column.addLayout(row)
            column.addSpacing(GRID)
        column.addWidget(self.bar)
        column.addWidget(self._message)
        column.addWidget(self.results, 1)
        column.addStretch(0)
        column.addLayout(foot)
        self.resize(QSize(680, 320))

    def _ask_for_target(self) -> None:
        dialog = QFileDialog(self, "Back up to", self.target_edit.text(), "Zip (*.zip)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("zip")
        dialog.selectFile(self.target_edit.text())
        dialog.fileSelected.connect(self.target_edit.setText)
        dialog.open()

    def _back_up(self) -> None:
        target = Path(self.target_edit.text().strip())
        self._begin("Backing up", lambda tell, stop: self._history.care.back_up(target, tell, stop), self._on_backed_up)

    def _check(self, repair: bool) -> None:
        deep = self.deep_box.isChecked()
        doing = "Repairing" if repair else "Checking"
        self._begin(doing, lambda tell, stop: self._history.care.check(repair, deep, tell, stop), self._on_checked)

    def _begin(self, doing: str, work: Work[WorkResult], done: Callable[[WorkResult], object]) -> None:
        if self._work is not None:
            return
        self._say("")
        self.results.show_results([])
        self._set_busy(True)
        long_work = LongWork(self._tasks, doing, work, self)
        long_work.done.connect(done)
        self._work = long_work
        self._work.failed.connect(lambda error: self._end(str(error), "error"))
        self._work.stopped.connect(lambda: self._end("Cancelled. Nothing was left behind.", "muted"))
        self.bar.watch(self._work, doing)

    def _on_backed_up(self, report: BackupReport) -> None:
        self._end(str(report), "error" if report.missing else "success")
        self.results.show_results([Result("open", path.name, "the picture is gone") for path in report.missing])

    def _on_checked(self, report: CheckReport) -> None:
        self._open = len(report.open)
        self._end(str(report), "error" if report.open else "success")
        lines = []
        for finding in report.findings:
            kind = "repaired" if finding.repaired else "stranger" if finding.kind in HARMLESS else "open"
            text = f"{finding.text}: {finding.repaired}" if finding.repaired else finding.text
            lines.append(Result(kind, shown(finding.path.name), text, shown(str(finding.path.parent))))
        self.results.show_results(lines)
        if lines and self.height() < 520:
            open_at(self, QSize(max(self.width(), 760), 560))
        if any(finding.repaired for finding in report.findings):
            self.history_changed.emit()

    def _end(self, text: str, role: str) -> None:
        self._work = None
        self._set_busy(False)
        self._say(text, role)

    def _set_busy(self, busy: bool) -> None:
        self.backup_button.setEnabled(not busy)
        self.check_button.setEnabled(not busy)
        self.repair_button.setEnabled(not busy and self._open > 0)

    def _say(self, text: str, role: str = "success") -> None:
        self._message.setText(text)
        mark(self._message, "role", role)
        self._message.setVisible(bool(text))
