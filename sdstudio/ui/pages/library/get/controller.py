"""What joins downloads to the window: built when they are first needed, so that they cost the start nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.readable import readable_duration, readable_size
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.message_bar import MessageAction

if TYPE_CHECKING:
    from sdstudio.background.downloads import Download, Downloads
    from sdstudio.library.getting.hub import Hub
    from sdstudio.library.getting.tokens import TokenStore
    from sdstudio.ui.pages.library.get.view import GetModels
    from sdstudio.ui.pages.library.page import ModelManager

VIEW: Final = "get"
_TITLE: Final = "Download models"


class DownloadController(QObject):
    """Owns the downloads and their view.

    Args:
        services: What the window works with.
        shell: What is around the page; shows what happens.
    """

    def __init__(self, services: Services, shell: Shell) -> None:
        super().__init__(shell.over)
        self._services = services
        self._shell = shell
        self._downloads: Downloads | None = None
        self._hub: Hub | None = None
        self._tokens: TokenStore | None = None
        self._page: ModelManager | None = None
        self._tab: QPushButton | None = None
        self._shown = ""
        self.view: GetModels | None = None
        QTimer.singleShot(0, self, self._offer_leftovers)

    @property
    def downloads(self) -> Downloads:
        """The downloads, made when they are first needed."""
        if self._downloads is None:
            from sdstudio.background.downloads import Downloads  # noqa: PLC0415 (brings in the network's library)
            from sdstudio.library.getting.hub import Hub  # noqa: PLC0415 (as above)
            from sdstudio.library.getting.tokens import TokenStore  # noqa: PLC0415 (as above)

            self._tokens = TokenStore()
            self._hub = Hub(self._tokens)
            self._downloads = Downloads(self._services.paths.models, self._hub, self)
            self._downloads.arrived.connect(self._on_arrived)
            self._downloads.changed.connect(lambda _download: self._show_progress())
            self._downloads.removed.connect(lambda _id: self._show_progress())
        return self._downloads

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"get_models": self.open}

    def open(self) -> None:
        """Open the view."""
        self._shell.page_wanted.emit("Library")
        if self._page is not None:
            self._page.open_view(VIEW)

    @property
    def under_way(self) -> tuple[Download, ...]:
        """The downloads that run or wait for their turn."""
        return self._downloads.under_way if self._downloads is not None else ()

    def stop(self) -> None:
        """Stop the downloads, and wait for nothing; the next start offers to go on with them."""
        if self._downloads is not None:
            self._downloads.stop()

    def close(self, patience_s: float) -> bool:
        """Stop the downloads; False when one did not end in time."""
        return self._downloads is None or self._downloads.close(patience_s)

    def _offer_leftovers(self) -> None:
        """Show downloads that an earlier run left, if there are any; looking costs one listing of a folder."""
        if not self._services.paths.has_downloads:
            return
        count = self.downloads.take_up_leftovers()
        if count:
            what = "A download was" if count == 1 else f"{count} downloads were"
            actions: list[MessageAction] = [("Resume", self._resume_leftovers), ("Show", self.open)]
            self._shell.say(f"{what} interrupted when the studio was closed.", "info", actions)

    def add_page(self, page: ModelManager) -> None:
        """Serve the Library page from now on."""
        self._page = page
        self._tab = page.add_view(VIEW, _TITLE, "download", _BuiltWhenSeen(self, page))
        self._show_progress()

    def built_view(self, parent: QWidget) -> GetModels:
        """Build the view."""
        from sdstudio.ui.pages.library.get.view import GetModels  # noqa: PLC0415 (not needed to show the window)

        downloads = self.downloads
        assert self._hub is not None
        assert self._tokens is not None
        self.view = GetModels(
            downloads, self._hub, self._tokens, self._services, lambda: self._shell.settings.safety_checker, parent
        )
        self.view.use_requested.connect(self._use)
        return self.view

    def _show_progress(self) -> None:
        """Show on the tab, in the status line and in the title how far everything that runs is together."""
        running = [row.progress for row in self._downloads.downloads() if row.is_running] if self._downloads else []
        known = [progress for progress in running if progress is not None]
        total, done = sum(one.total_bytes for one in known), sum(one.done_bytes for one in known)
        share = f"{done / total:.0%}" if total else ""
        if self._tab is not None:
            self._tab.setText(f" {_TITLE} · {share}" if share else f" {_TITLE}")
        speed = sum(one.bytes_per_second for one in known)
        left = f" · {readable_size(round(speed))}/s · {readable_duration((total - done) / speed)} left" if speed else ""
        text = f"Downloading {share}{left}" if share else ""
        if text != self._shown:
            self._shown = text
            self._shell.side_work_changed.emit(text)

    def _resume_leftovers(self) -> None:
        for download in self.downloads.downloads():
            if download.is_leftover:
                self.downloads.start(download.id)
        self.open()

    def _on_arrived(self, download: Download) -> None:
        from sdstudio.library.getting.download import verified_hashes  # noqa: PLC0415 (imported by now)

        path = download.path
        if download.plan is not None and path is not None:
            self._services.library.learn(verified_hashes(download.plan, path))
        self._shell.rescan()
        can_draw = download.plan is not None and download.plan.kind == CHECKPOINT
        actions: list[MessageAction] = [("Use", lambda: self._use(path))] if can_draw else []
        self._shell.say(f"{download.title} has arrived.", "info", actions)

    def _use(self, path: Path | None) -> None:
        """Draw with the model at this place; the disk is read again first, as its last reading may be on its way."""

        def choose(models: tuple[ModelInfo, ...]) -> None:
            self._shell.models_read.emit(models)
            key = next((model.key for model in models if model.path == path), "")
            if key:
                self._shell.model_wanted.emit(key)

        self._services.tasks.run("Reading the model folders", lambda _task: self._services.library.rescan(), choose)


class _BuiltWhenSeen(QWidget):
    """Stands where the view will be, until it is opened for the first time."""

    def __init__(self, download_controller: DownloadController, parent: QWidget) -> None:
        super().__init__(parent)
        self._downloads: DownloadController | None = download_controller
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Build the view."""
        super().showEvent(event)
        if self._downloads is not None:
            download_controller, self._downloads = self._downloads, None
            self._column.addWidget(download_controller.built_view(self))
