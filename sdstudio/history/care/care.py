"""What keeps a history whole: a backup, and a check that can repair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sdstudio.core.paths import StudioPaths
from sdstudio.history.bulk_work import OnProgress, never, unheard
from sdstudio.history.database.schema import Database

if TYPE_CHECKING:
    from sdstudio.history.care.backup import BackupReport
    from sdstudio.history.care.checkup import CheckReport


class Care:
    """Both may be called from any thread, while pictures are made; see `backup` and `checkup`."""

    def __init__(
        self, database: Database, paths: StudioPaths, settle: Callable[[], None], trash: Callable[[Path], Path | None]
    ) -> None:
        self._database = database
        self._paths = paths
        self._settle = settle
        self._trash = trash

    def back_up(
        self, target: Path, on_progress: OnProgress = unheard, cancelled: Callable[[], bool] = never
    ) -> BackupReport:
        """Write a backup, whole or not at all. Raises: SaveFailed, HistoryError, Cancelled."""
        from sdstudio.history.care.backup import back_up  # noqa: PLC0415 (rarely wanted, and the window opens before)

        return back_up(self._database, self._paths, target, on_progress, cancelled)

    def check(
        self,
        repair: bool = False,
        deep: bool = False,
        on_progress: OnProgress = unheard,
        cancelled: Callable[[], bool] = never,
    ) -> CheckReport:
        """Compare pictures and rows, and put right what can be. Raises: HistoryError."""
        from sdstudio.history.care.checkup import Checkup  # noqa: PLC0415 (as above)

        checkup = Checkup(self._database, self._paths, self._settle, self._trash, repair, deep, on_progress, cancelled)
        return checkup.run()
