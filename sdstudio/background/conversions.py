"""Models converted for OpenVINO in the background, by the command line in a process of its own.

In a thread it would hold up the window: tracing a network keeps Python's lock for seconds. The memory that it takes is
free again when the process ends, and a cancel ends it at once.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from sdstudio.core.json_text import json_of
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import HOME_VARIABLE, StudioPaths

_NICE: Final = 5
"""How far a conversion stands back behind what is drawn meanwhile, as Unix counts."""

_END_MS: Final = 2000


class Conversion(QObject):
    """Converts one model.

    Args:
        model: Which.
        paths: Whose cache folder keeps what is converted.
        parent: As Qt has it.
    """

    #: How far it is, 0 to 1.
    progressed = Signal(float)
    #: It is over: "" when the model is converted, else why not. Does not come after `cancel`.
    ended = Signal(str)

    def __init__(self, model: ModelInfo, paths: StudioPaths, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._cancelled = False
        self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert(HOME_VARIABLE, str(paths.home))
        self._process.setProcessEnvironment(environment)
        self._process.started.connect(self._stand_back)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    def start(self) -> None:
        """Begin."""
        command = ["-m", "sdstudio", "models", "openvino", str(self.model.path), "--json", "--quiet"]
        self._process.start(sys.executable, command)

    def cancel(self) -> None:
        """End it at once; nothing of it is kept."""
        self._cancelled = True
        self._process.kill()
        self._process.waitForFinished(_END_MS)

    def _stand_back(self) -> None:
        import psutil  # noqa: PLC0415 (not needed to show the window)

        level = _NICE if os.name == "posix" else psutil.BELOW_NORMAL_PRIORITY_CLASS
        psutil.Process(self._process.processId()).nice(level)

    def _read(self) -> None:
        while self._process.canReadLine():
            row = json_of(bytes(self._process.readLine().data()).decode("utf-8"))
            share = row.get("progress") if isinstance(row, dict) else None
            if isinstance(share, int | float):
                self.progressed.emit(float(share))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._cancelled:
            return
        errors = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
        if code == 0 and status is QProcess.ExitStatus.NormalExit:
            self.ended.emit("")
        else:
            self.ended.emit(errors[-1].removeprefix("sdstudio: ") if errors else f"its process ended with {code}.")

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and not self._cancelled:
            self.ended.emit(self._process.errorString())
