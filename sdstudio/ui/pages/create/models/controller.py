"""Serves the box that names the model: what its list shows is read in the background, before it is opened.

Where there is no model but the built-in one, the empty canvas shows the ways to others.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from sdstudio.background.tasks import Task
from sdstudio.catalog.built_in import STARTER
from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.core.errors import HistoryError, StudioError
from sdstudio.core.events import EngineStatus
from sdstudio.core.models.memory_need import memory_need
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.settings import Settings
from sdstudio.history.database.usage import Newest
from sdstudio.library.scanning.neighbours import Neighbour, neighbours
from sdstudio.library.scanning.sidecar import pictures_beside
from sdstudio.ui.forms.editors import ChoiceEditor
from sdstudio.ui.forms.model_box import ModelBox
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.models.covers import Covers
from sdstudio.ui.pages.create.models.picker import DOWNLOAD, USE_ANOTHER, ModelPicker
from sdstudio.ui.pages.create.models.rows import Known, ModelRow, Room, rows_of
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.empty_state import Way

if TYPE_CHECKING:
    from sdstudio.history.store import Entry, History
    from sdstudio.library.library import Library
    from sdstudio.ui.pages.create.models.programs_dialog import ProgramsDialog


class ModelController(QObject):
    """Opens the list of models and does what is chosen there."""

    #: A model is to be downloaded.
    download_wanted = Signal()

    def __init__(self, services: Services, shell: Shell, panel: ParameterPanel, canvas: Canvas) -> None:
        super().__init__(shell.over)
        self._library = services.library
        self._history = services.history
        self._tasks = services.tasks
        self._shell = shell
        self._canvas = canvas
        self._known = Known()
        self._saved: dict[str, Newest] = {}  # since what is known was last asked for: the answer may not have it yet
        self._programs: ProgramsDialog | None = None
        self._looking: Task[Any] | None = None
        self.picker: ModelPicker | None = None
        editor = panel.field("model").editor
        assert isinstance(editor, ChoiceEditor)
        assert isinstance(editor.combo, ModelBox)
        self._box = editor.combo
        self._box.open_list = self.open
        services.controller.worker.picture_saved.connect(self._on_picture_saved)
        shell.models_read.connect(self.renew)
        shell.remarks_changed.connect(self.renew)

    def renew(self, *_: object) -> None:
        """Read again what is known of the models."""
        self._show_ways()
        self._saved = {}
        self._tasks.run(
            "Reading what is known of the models", lambda _task: known_of(self._library, self._history), self._on_known
        )

    def open(self, typed: str = "") -> None:
        """Open the list, with what was typed as the beginning of a search."""
        if self.picker is None:
            self.picker = ModelPicker(Covers(self._tasks, self), self._shell.over)
            self.picker.chosen.connect(self._on_chosen)
            self.picker.favourite_toggled.connect(self._on_favourite_toggled)
            self.picker.download_wanted.connect(self.download_wanted)
            self.picker.programs_wanted.connect(self.open_programs)
        self.picker.open_below(self._box, self._rows(), typed)

    def open_programs(self) -> None:
        """Open the dialog with other programs' folders, and look for them."""
        if self._programs is None:
            from sdstudio.ui.pages.create.models.programs_dialog import ProgramsDialog  # noqa: PLC0415 (not needed to show the window)

            self._programs = ProgramsDialog(self._shell.over)
            self._programs.folder_chosen.connect(self._on_folder_chosen)
        self._programs.show_looking()
        bring_forward(self._programs)
        if self._looking is None:
            self._looking = self._tasks.run(
                "Looking for other programs", lambda task: neighbours(cancel=task.cancelled_event), self._on_found,
                self._on_not_found,
            )  # fmt: skip

    def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
        if self._programs is not None:
            self._programs.close()

    def _on_found(self, found: tuple[Neighbour, ...]) -> None:
        self._looking = None
        if self._programs is not None:
            self._programs.show_found(found, self._shell.settings.model_folders)

    def _on_not_found(self, error: StudioError) -> None:
        self._looking = None
        self._shell.say(str(error), "error")

    def _on_folder_chosen(self, folder: Path) -> None:
        """Look for models there from now on."""
        before = self._shell.settings.model_folders
        if folder not in before:
            self._take_folders((*before, folder))
            text = f"Models of {folder.name} are used"
            self._shell.undos.push(Change(text, lambda: self._without(folder)))

    def _without(self, folder: Path) -> None:
        self._take_folders(tuple(each for each in self._shell.settings.model_folders if each != folder))

    def _take_folders(self, folders: tuple[Path, ...]) -> None:
        self._shell.take_settings(self._shell.settings.model_copy(update={"model_folders": folders}))
        if self._programs is not None:
            self._programs.show_used(folders)

    def _show_ways(self) -> None:
        others = any(model.is_usable and model.key != STARTER for model in self._library.models())
        ways: list[Way] = [
            (USE_ANOTHER, "folder-plus", self.open_programs), (DOWNLOAD, "download", self.download_wanted.emit)
        ]  # fmt: skip
        self._canvas.empty.lead([] if others else ways)

    def _rows(self) -> tuple[ModelRow, ...]:
        current, status, settings = self._shell.model, self._shell.status, self._shell.settings
        models = self._library.models()
        loaded = next((model for model in models if status is not None and model.key == status.model), None)
        room = Room(status, free_bytes(status, loaded, settings), settings, self._shell.values_of())
        return rows_of(models, self._known, current.key if current is not None else "", room)

    def _show(self) -> None:
        if self.picker is not None and self.picker.isVisible():
            self.picker.show_rows(self._rows())

    def _on_known(self, known: Known) -> None:
        self._known = replace(known, newest=MappingProxyType({**known.newest, **self._saved}))
        self._show()

    def _on_picture_saved(self, entry: Entry) -> None:
        self._saved[entry.recipe.request.model] = Newest(entry.thumbnail, entry.created)
        self._known = replace(self._known, newest=MappingProxyType({**self._known.newest, **self._saved}))

    def _on_chosen(self, key: str) -> None:
        self._box.setCurrentIndex(self._box.findData(key))
        self._box.setFocus()

    def _on_favourite_toggled(self, key: str) -> None:
        wanted = key not in self._known.favourites
        if self._keep_favourite(key, wanted):
            name = next((model.name for model in self._library.models() if model.key == key), key)
            text = f"{name} is {'a favourite' if wanted else 'no favourite any more'}"
            self._shell.undos.push(Change(text, lambda: self._keep_favourite(key, not wanted)))

    def _keep_favourite(self, key: str, wanted: bool) -> bool:
        asset = next((asset for asset in self._library.assets(CHECKPOINT) if asset.key == key), None)
        if asset is None:
            return False
        before = self._library.remarks.of(asset.path, asset.sha256)
        try:
            self._library.keep_remark(asset, replace(before, favourite=wanted))
        except StudioError as error:
            self._shell.say(str(error), "error")
            return False
        favourites = self._known.favourites | {key} if wanted else self._known.favourites - {key}
        self._known = replace(self._known, favourites=favourites)
        self._show()
        return True


def free_bytes(status: EngineStatus | None, loaded: ModelInfo | None, settings: Settings) -> int:
    """Return how much of the engine's memory is free for a model, 0 when unknown.

    The engine returns its own share of main memory alone; what other programs leave is asked of the system. The model
    that is there now goes before another comes.
    """
    if status is None or not status.total_bytes:
        return 0
    need = memory_need(loaded, status.dtype, settings, {}, status.is_accelerator) if loaded is not None else None
    held = need.weights_bytes if need is not None else 0
    if not status.is_accelerator:
        import psutil  # noqa: PLC0415 (not needed to show the window)

        return int(psutil.virtual_memory().available) + held
    return status.total_bytes - status.used_bytes + held


def known_of(library: Library, history: History) -> Known:
    """Read favourites, covers and the newest pictures. On any thread."""
    try:
        newest = history.newest_by_model()
    except HistoryError:
        newest = {}
    by_hash, by_path = library.remarks.everything()
    assets = library.assets(CHECKPOINT)
    beside = pictures_beside(asset.path for asset in assets)
    favourites, covers = set(), {}
    for asset in assets:
        remark = by_hash.get(asset.sha256) or by_path.get(str(asset.path))
        if remark is not None and remark.favourite:
            favourites.add(asset.key)
        cover = (remark.cover if remark is not None else None) or beside.get(asset.path)
        if cover is not None:
            covers[asset.key] = cover
    return Known(frozenset(favourites), MappingProxyType(covers), newest)
