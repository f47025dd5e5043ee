"""What is known of the library, brought together: folders are watched, hashes computed, notes kept, uses counted.

Reading runs off the window's thread; what changes data can be taken back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog

from sdstudio.background.asset_hashing import AssetHasher, HashingProgress
from sdstudio.background.folder_watch import FolderWatch
from sdstudio.background.tasks import TaskContext
from sdstudio.catalog.built_in import is_built_in
from sdstudio.catalog.kinds import CHECKPOINT, EMBEDDING, LORA, VAE
from sdstudio.core.errors import HistoryError, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.titles import model_titles
from sdstudio.core.pictures.opening import OPEN_FILTER
from sdstudio.core.readable import readable_duration
from sdstudio.library.library import Library
from sdstudio.library.remarks import Remark, own_values
from sdstudio.library.scanning.sidecar import pictures_beside, words_beside
from sdstudio.library.space import Portion, portions
from sdstudio.ui.pages.library.asset_model import ShownAsset
from sdstudio.ui.pages.library.tidying import LibraryTidying
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change

if TYPE_CHECKING:
    from sdstudio.history.store import History
    from sdstudio.ui.pages.library.page import ModelManager

HASHED_BY_THEMSELVES: Final = (LORA, EMBEDDING, VAE)
"""Kinds whose hashes are computed as soon as they are found: pictures are to name them, and they are small."""


_HASH_DELAY_MS: Final = 2000
"""The start of the program goes before."""


class LibraryController(QObject):
    """Does the work, and updates the page once there is one."""

    def __init__(self, services: Services, shell: Shell) -> None:
        super().__init__(shell.over)
        self._library = services.library
        self._history = services.history
        self._tasks = services.tasks
        self._shell = shell
        #: The Library page, ``None`` until it is built.
        self.page: ModelManager | None = None
        self._drawing = threading.Event()
        self.hasher = AssetHasher(services.library, self._drawing.is_set, self)
        self.hasher.hashed.connect(self._on_hashed)
        self.hasher.progressed.connect(self._on_hashing)
        self.hasher.ended.connect(lambda: self._tell_hashing(""))
        self.watch = FolderWatch(self)
        self.watch.changed.connect(shell.rescan_wanted)
        self._hash_soon = QTimer(self)
        self._hash_soon.setSingleShot(True)
        self._hash_soon.setInterval(_HASH_DELAY_MS)
        self._hash_soon.timeout.connect(self._hash_new)
        worker = services.controller.worker
        worker.job_started.connect(lambda _job: self._drawing.set())
        worker.job_finished.connect(lambda _job: self._drawing.clear())
        worker.picture_saved.connect(lambda _entry: self._renew_soon())
        self._stale = False
        self.tidying = LibraryTidying(self._library, self._tasks, self)
        self.tidying.changed.connect(shell.rescan_wanted)
        self.tidying.done.connect(self._done)
        self.tidying.message_wanted.connect(self._say)
        self.tidying.failed.connect(self._say_error)
        shell.models_read.connect(self.on_scanned)
        shell.scanning.connect(self._show_scanning)

    def stop(self) -> None:
        """Begin nothing more, and let what runs end by itself."""
        self._hash_soon.stop()
        self.watch.stop()
        self.hasher.stop(wait=False)

    def close(self, patience_s: float) -> bool:
        """End the threads; False when one did not end in time."""
        self.stop()
        return self.hasher.join(patience_s)

    def on_scanned(self, *_: object) -> None:
        """The disk was looked at: watch what was found, hash what is to be named in pictures, show all."""
        self.watch.watch(self._library.looked_into())
        self._hash_soon.start()
        self.renew()

    def add_page(self, page: ModelManager) -> None:
        """Serve the Library page from now on."""
        self.page = page
        page.folder_added.connect(self._on_folder_added)
        page.rescan_requested.connect(self._shell.rescan)
        view, details = page.models, page.models.details
        view.chosen.connect(self._on_chosen)
        details.use_pressed.connect(self._shell.model_wanted)
        details.words_pressed.connect(self._shell.words_wanted)
        details.words_pressed.connect(lambda words: page.bar.say(f"In the prompt now: {words}", dismiss_after_s=8.0))
        details.reveal_pressed.connect(page.reveal)
        details.trash_pressed.connect(self.tidying.throw_away)
        details.hash_pressed.connect(lambda asset: self.hasher.start([asset]))
        details.notes_written.connect(self._on_notes_written)
        details.cover_wanted.connect(self._on_cover_wanted)
        details.values_wanted.connect(self._on_values_wanted)
        page.hash_all_requested.connect(lambda: self.hasher.start(self._library.assets()))
        page.hashing_cancelled.connect(self._on_hashing_cancelled)
        page.space.file_chosen.connect(page.show_file)
        page.space.search_pressed.connect(lambda: self.hasher.stop(wait=False))
        self.tidying.add_view(page.space)
        self.renew()

    # what is shown

    def renew(self) -> None:
        """Read what is known of everything, and show it."""
        if self.page is None:
            return
        current = self._shell.model

        def read(_task: TaskContext) -> tuple[tuple[ShownAsset, ...], tuple[Portion, ...]]:
            rows = shown_assets(self._library, self._history, current.key if current is not None else "")
            return rows, portions(row.asset for row in rows if not is_built_in(row.asset.kind, row.asset.key))

        self._tasks.run("Reading what is known of the models", read, self._on_read)

    def _renew_soon(self) -> None:
        """A picture was made: its model has been used once more. Read it when the page is looked at again."""
        self._stale = True
        if self.page is not None and self.page.isVisible():
            self.renew()

    def page_opened(self) -> None:
        """The page is looked at."""
        if self._stale:
            self._stale = False
            self.renew()

    def _on_read(self, known: tuple[tuple[ShownAsset, ...], tuple[Portion, ...]]) -> None:
        if self.page is None:
            return
        rows, space = known
        current = self._shell.model
        key = current.key if current is not None else ""
        self.page.models.show_assets([_used(row, key) for row in rows])
        self.page.space.show_space(space)
        self.page.show_troubles(self._library.troubles())

    def set_current(self, key: str) -> None:
        """Another model is chosen."""
        if self.page is not None:
            for row in self.page.models.model.everything:
                changed = _used(row, key)
                if changed.in_use != row.in_use:
                    self.page.models.change(changed)

    def _on_chosen(self, row: ShownAsset | None) -> None:
        assert self.page is not None
        details = self.page.models.details
        if row is not None and details.shown is not None and details.shown.asset.path == row.asset.path:
            details.renew(row)
            return
        remark = self._library.remarks.of(row.asset.path, row.asset.sha256) if row is not None else Remark()
        details.show_asset(row, remark)

    # hashes

    def _hash_new(self) -> None:
        """Hash what pictures are to name, when that is wanted and nothing else is being hashed."""
        if self._shell.settings.hash_in_background and not self.hasher.is_running:
            self.hasher.start([a for a in self._library.assets() if a.kind in HASHED_BY_THEMSELVES and not a.problem])

    def _on_hashed(self, asset: Asset) -> None:
        row = self._row_of(asset.path)
        if row is not None and self.page is not None:
            hashed = replace(row.asset, sha256=asset.sha256, body_sha256=asset.body_sha256)
            self.page.models.change(replace(row, asset=hashed))

    def _on_hashing(self, progress: HashingProgress) -> None:
        left = f", {readable_duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        self._tell_hashing(f"Hashing {progress.done + 1} of {progress.count}: {progress.fraction:.0%}{left}")

    def _on_hashing_cancelled(self) -> None:
        self.hasher.stop(wait=False)
        self._tell_hashing("")

    def _tell_hashing(self, text: str) -> None:
        if self.page is not None:
            self.page.show_hashing(text)

    # remarks of the user

    def _on_notes_written(self, asset: Asset, text: str) -> None:
        before = self._remark_of(asset)
        if before.notes != text:
            self._keep(asset, replace(before, notes=text), f"Notes about {asset.name} changed", before)

    def _on_values_wanted(self, asset: Asset, wanted: bool) -> None:
        before = self._remark_of(asset)
        try:
            values = own_values(self._shell.values_of())
        except StudioError as error:
            self._say_error(error)
            return
        text = f"{asset.name} {'has these parameters as defaults' if wanted else 'has its family’s defaults again'}"
        self._keep(asset, replace(before, defaults=values if wanted else {}), text, before)

    def _on_cover_wanted(self, asset: Asset, source: str) -> None:
        if source == "none":
            before = self._remark_of(asset)
            self._keep(asset, replace(before, cover=None), f"Cover of {asset.name} removed", before)
        elif source == "picture":
            entry = self._shell.entry
            if entry is None:
                self._say("There is no picture on the canvas.")
            else:
                self._take_cover(asset, entry.path)
        else:
            dialog = QFileDialog(self.page, f"A cover for {asset.name}")
            dialog.setNameFilter(OPEN_FILTER)
            dialog.fileSelected.connect(lambda path: self._take_cover(asset, Path(path)))
            dialog.finished.connect(dialog.deleteLater)
            dialog.open()

    def _take_cover(self, asset: Asset, picture: Path) -> None:
        def taken(cover: Path) -> None:
            before = self._remark_of(asset)
            self._keep(asset, replace(before, cover=cover), f"Cover of {asset.name} changed", before)

        self._tasks.run(
            "Reading a cover", lambda _task: self._library.remarks.cover_from(picture), taken, self._say_error
        )

    def _remark_of(self, asset: Asset) -> Remark:
        return self._library.remarks.of(asset.path, asset.sha256)

    def _keep(self, asset: Asset, remark: Remark, text: str, before: Remark | None) -> None:
        """Keep a remark and offer to take it back; ``before`` is None when this takes one back."""
        try:
            self._library.keep_remark(asset, remark)
        except StudioError as error:
            self._say_error(error)
            return
        row = self._row_of(asset.path)
        if row is not None and self.page is not None:
            beside = pictures_beside([asset.path]).get(asset.path)
            self.page.models.change(replace(row, cover=remark.cover or beside))
            shown = self.page.models.details.shown
            if shown is not None and shown.asset.path == asset.path and not self.page.models.details.is_writing:
                self.page.models.details.show_remark(remark)
        if asset.kind == CHECKPOINT:
            self._shell.remarks_changed.emit()
        if before is not None:
            self._done(text, lambda: self._keep(asset, before, "", None))

    # messages

    def _row_of(self, path: Path) -> ShownAsset | None:
        if self.page is None:
            return None
        return next((row for row in self.page.models.model.everything if row.asset.path == path), None)

    def _done(self, text: str, undo: Callable[[], object]) -> None:
        """Show what was done, and offer to take it back."""
        undos = self._shell.undos
        change = Change(text, undo)
        undos.push(change)
        if self.page is not None:
            self.page.bar.say(text, actions=[("Undo", lambda: undos.undo(change))], dismiss_after_s=30.0)

    def _say(self, text: str) -> None:
        if self.page is not None:
            self.page.bar.say(text)

    def _say_error(self, error: StudioError) -> None:
        if self.page is not None:
            self.page.bar.say(str(error), "error")
        else:
            self._shell.say(str(error), "error")

    def _on_folder_added(self, folder: Path) -> None:
        folders = self._shell.settings.model_folders
        if folder not in folders:
            self._shell.take_settings(self._shell.settings.model_copy(update={"model_folders": (*folders, folder)}))

    def _show_scanning(self, is_on: bool) -> None:
        if self.page is not None:
            self.page.set_scanning(is_on)

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"add_folder": self.ask_for_folder}

    def ask_for_folder(self) -> None:
        """Let the user choose a folder with models."""
        self._shell.page_wanted.emit("Library")
        if self.page is not None:
            self.page.ask_for_folder()


def shown_assets(library: Library, history: History, current: str) -> tuple[ShownAsset, ...]:
    """Return everything there is with all that is known about it."""
    try:
        uses = history.uses()
    except HistoryError:
        uses = {}
    by_hash, by_path = library.remarks.everything()
    models = {model.path: model for model in library.models()}
    titles = model_titles(models.values())
    assets = library.assets()
    beside = pictures_beside(asset.path for asset in assets)
    rows = []
    for asset in assets:
        if asset.kind in (LORA, EMBEDDING):
            words = dict.fromkeys((*words_beside(asset.path), *asset.triggers))
            asset = replace(asset, triggers=tuple(words))
        remark = by_hash.get(asset.sha256) or by_path.get(str(asset.path)) or Remark()
        model = models.get(asset.path) if asset.kind == CHECKPOINT else None
        use, cover = uses.get((asset.kind, asset.key)), remark.cover or beside.get(asset.path)
        title = titles[model.key] if model is not None else ""
        rows.append(_used(ShownAsset(asset, model, use, cover, other_title=title), current))
    return tuple(rows)


def _used(row: ShownAsset, key: str) -> ShownAsset:
    in_use = row.asset.kind == CHECKPOINT and row.asset.key == key
    return row if in_use == row.in_use else replace(row, in_use=in_use)
