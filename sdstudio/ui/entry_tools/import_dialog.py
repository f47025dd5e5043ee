"""The window that imports: how far it is, what became of each file, and one button that takes all of it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from sdstudio.background.long_work import LongWork, Work
from sdstudio.background.tasks import TaskRunner, WorkResult
from sdstudio.core.errors import StudioError
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.pictures.opening import shown
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.bulk_work import OnProgress
from sdstudio.history.database.marks import tidy
from sdstudio.history.exchange.importing import ImportReport, Taken, import_pictures
from sdstudio.history.picture_text.foreign.unused import unused_settings
from sdstudio.history.store import History
from sdstudio.ui.entry_tools.results_view import Result, ResultKind, ResultsView
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, MARGIN, dialog_foot
from sdstudio.ui.widgets.window_size import open_at
from sdstudio.ui.widgets.work_bar import WorkBar

FindModel = Callable[[Recipe], ModelInfo | None]

_NAME_LENGTH: Final = 32
FAILED, NO_MODEL, NOT_MAPPED, KNOWN = "failed", "no_model", "not_mapped", "known"
KINDS: Final = (
    ResultKind(FAILED, "failed", "circle-alert", "danger"),
    ResultKind(NO_MODEL, "without their model", "box", "warning"),
    ResultKind(NOT_MAPPED, "with settings that could not be used", "triangle-alert", "warning"),
    ResultKind(KNOWN, "already there", "circle-check", "muted"),
)


class ImportDialog(QDialog):
    """Not modal: the studio goes on meanwhile. One import at a time; more files wait for it.

    Args:
        history: Where pictures go.
        tasks: Where the work is done.
        find_model: The model of the library that a recipe means.
        parent: As Qt has it.
    """

    #: Entries came into the history, or left it.
    history_changed = Signal()

    def __init__(
        self, history: History, tasks: TaskRunner, find_model: FindModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("importDialog")
        self.setWindowTitle("Import pictures")
        self.setModal(False)
        self._history = history
        self._tasks = tasks
        self._find_model = find_model
        self._waiting: list[Path] = []
        self._work: LongWork[Any] | None = None
        self._imported: list[int] = []
        self._taken_back = False
        self._folders: dict[str, list[int]] = {}
        self._title = QLabel("Nothing imported yet", self)
        mark(self._title, "role", "heading")
        self._about = QLabel(
            "Pictures are copied into the history with all they tell; the originals stay as they are.", self
        )
        self._about.setWordWrap(True)
        mark(self._about, "role", "muted")
        self.bar = WorkBar("import", self)
        self.results = ResultsView("importResults", KINDS, self)
        self.undo_button = push_button(self, "importUndoButton", "Undo import", "undo-2", self._on_undo_pressed)
        self.collect_button = push_button(
            self, "importCollectButton", "Make a collection of it", "folder-plus", self._on_collect_pressed,
            "Pictures of a folder stay together in a collection of its name",
        )  # fmt: skip
        close = self._close = push_button(self, "importCloseButton", "Close", "", self.close)
        foot = dialog_foot(self, [(self.undo_button, ALSO), (self.collect_button, ALSO), (close, CLOSE)], close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addWidget(self._title)
        column.addWidget(self._about)
        column.addWidget(self.bar)
        column.addWidget(self.results, 1)
        column.addStretch(0)
        column.addLayout(foot)
        self.undo_button.hide()
        self.collect_button.hide()
        self.resize(QSize(680, 200))

    @property
    def message(self) -> str:
        """The message about the result."""
        return self._title.text()

    def take(self, paths: Sequence[Path]) -> None:
        """Import these files and folders, after what is being imported now."""
        self._waiting += paths
        if self._work is None:
            self._begin()

    def _begin(self) -> None:
        paths, self._waiting = self._waiting, []
        self._imported, self._taken_back, self._folders = [], False, {}
        self.undo_button.hide()
        self.collect_button.hide()
        self.results.show_results([])
        self._title.setText("Importing pictures")

        def work(tell: OnProgress, stop: Callable[[], bool]) -> tuple[ImportReport, list[Result], dict[str, list[int]]]:
            report = import_pictures(self._history, paths, tell, stop)
            folders: dict[str, list[int]] = {}
            for path in paths:
                ids, name = report.within(path) if path.is_dir() else [], tidy(path.name)
                if ids and name:
                    folders[name] = [*folders.get(name, ()), *ids]
            return report, results_of(report, self._find_model), folders

        self._watch("Importing pictures", work, self._on_imported)

    def _watch(self, doing: str, work: Work[WorkResult], done: Callable[[WorkResult], object]) -> None:
        long_work = LongWork(self._tasks, doing, work, self)
        long_work.done.connect(done)
        self._work = long_work
        self._work.failed.connect(self._on_failed)
        self._work.stopped.connect(self._on_stopped)
        self.bar.watch(self._work, doing)

    def _on_imported(self, came: tuple[ImportReport, list[Result], dict[str, list[int]]]) -> None:
        report, results, self._folders = came
        self._work = None
        self._imported = [taken.entry.id for taken in report.taken]
        self._title.setText(str(report))
        self.results.show_results(results)
        self.undo_button.setVisible(bool(self._imported))
        self.undo_button.setText(" Undo import")
        self._offer_collections()
        if results and self.height() < 420:
            open_at(self, QSize(max(self.width(), 760), 480))
        self._close.setFocus(Qt.FocusReason.OtherFocusReason)  # not the button that would take it all back
        if self._imported:
            self.history_changed.emit()
        if self._waiting:
            self._begin()

    def _offer_collections(self) -> None:
        name = next(iter(self._folders), "")
        one = f" Make a collection “{name if len(name) <= _NAME_LENGTH else name[:_NAME_LENGTH] + '…'}”"
        self.collect_button.setText(one if len(self._folders) == 1 else f" Make {len(self._folders)} collections")
        self.collect_button.setAccessibleName(self.collect_button.text().strip())
        self.collect_button.setVisible(bool(self._folders))

    def _on_collect_pressed(self) -> None:
        """Put the pictures of each folder into a collection of its name."""
        folders, self._folders = self._folders, {}
        self.collect_button.hide()
        marks = self._history.marks

        def done(_undo: object) -> None:
            names = ", ".join(f"“{name}”" for name in folders)
            self._title.setText(f"{self.message.rstrip('.')}. In the history under Collections: {names}.")
            self.history_changed.emit()

        self._tasks.run(
            "Making collections", lambda _task: [marks.collect(ids, name) for name, ids in folders.items()], done,
            lambda error: self._title.setText(str(error)),
        )  # fmt: skip

    def _on_undo_pressed(self) -> None:
        """Take the import back, or bring it back when it was taken back."""
        if self._work is not None:
            return
        self.collect_button.hide()
        ids, back = list(self._imported), self._taken_back
        change = self._history.restore if back else self._history.delete

        def work(tell: OnProgress, stop: Callable[[], bool]) -> int:
            for at, entry_id in enumerate(ids):
                if stop():
                    return at
                tell(at, len(ids), "")
                change([entry_id])
            tell(len(ids), len(ids), "")
            return len(ids)

        self._watch("Bringing the pictures back" if back else "Taking the import back", work, self._on_undone)

    def _on_undone(self, count: int) -> None:
        self._work = None
        self._taken_back = not self._taken_back
        what = "1 picture" if count == 1 else f"{count:,} pictures"
        self._title.setText(f"{what} moved to the trash." if self._taken_back else f"{what} back in the history.")
        self.undo_button.setText(" Bring back" if self._taken_back else " Undo import")
        self.history_changed.emit()

    def _on_failed(self, error: StudioError) -> None:
        self._work = None
        self._title.setText(str(error))
        self.history_changed.emit()

    def _on_stopped(self) -> None:
        self._work = None
        self._title.setText("Import cancelled")


def results_of(report: ImportReport, find_model: FindModel) -> list[Result]:
    """Return a line for each file that needs one: those that failed first."""
    lines = [Result(FAILED, shown(failure.source.name), failure.reason, shown(str(failure.source.parent)))
             for failure in report.failed]  # fmt: skip
    models: dict[tuple[str, str], bool] = {}
    for taken in report.taken:
        lines += _losses(taken, find_model, models)
    lines += [Result(KNOWN, shown(path.name), f"the same picture as number {number}", shown(str(path.parent)))
              for path, number in report.known]  # fmt: skip
    return lines


def _losses(taken: Taken, find_model: FindModel, models: dict[tuple[str, str], bool]) -> list[Result]:
    recipe, name, folder = taken.reading.recipe, shown(taken.source.name), shown(str(taken.source.parent))
    lines = []
    key = (recipe.model_name or recipe.request.model, recipe.model_hash)
    if key not in models:
        models[key] = find_model(recipe) is not None
    if not models[key]:
        reason = f"the model {key[0]} is not in the library" if key[0] else "its model is not recorded"
        lines.append(Result(NO_MODEL, name, reason, folder))
    left = taken.reading.not_mapped
    if left:
        more = "\n".join(f"{title}: {text}" for title, text in left.items())
        lines.append(Result(NOT_MAPPED, name, unused_settings(left), f"{folder}\n{more}"))
    return lines
