"""One download as a card: how far it is, how fast, what it waits for, and what can be done about it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.downloads import Download, DownloadState
from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.core.errors import AccessRefused
from sdstudio.core.readable import readable_duration, readable_size
from sdstudio.library.getting.meter import DownloadProgress
from sdstudio.library.getting.plan import Plan
from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon
from sdstudio.ui.widgets.progress_line import ProgressLine

_LOOKS: Final[dict[DownloadState, tuple[str, str, str]]] = {  # icon, field of `Tokens`, the button's title
    DownloadState.ASKING: ("clock", "muted", ""),
    DownloadState.READY: ("info", "accent_text", "Download"),
    DownloadState.WAITING: ("clock", "muted", "Pause"),
    DownloadState.RUNNING: ("download", "accent_text", "Pause"),
    DownloadState.PAUSED: ("pause", "muted", "Resume"),
    DownloadState.FAILED: ("circle-alert", "danger", "Retry"),
    DownloadState.CANCELLED: ("trash-2", "muted", "Undo"),
    DownloadState.DONE: ("circle-check", "success", "Use"),
}
_WITH_A_BAR: Final = (DownloadState.RUNNING, DownloadState.WAITING, DownloadState.PAUSED)


class DownloadRow(QFrame):
    """A card that is updated in place, so that nothing flickers and the focus stays."""

    #: The one thing to do in its state: download, pause, resume, retry, undo, use; carries its id.
    pressed = Signal(int)
    #: It is to be cancelled, or taken out of the list; carries its id.
    cancel_pressed = Signal(int)
    #: The user wants to enter an access token for it; carries its id.
    token_pressed = Signal(int)

    def __init__(self, download: Download, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self._download = download
        self._icon = QLabel(self)
        self._icon.setFixedSize(16, 16)
        self._title = QLabel(self)
        self._title.setProperty("role", "heading")
        self.detail = QLabel(self)
        self.detail.setProperty("role", "muted")
        self.remark = QLabel(self)
        self.remark.setProperty("role", "caption")
        for label in (self._title, self.detail, self.remark):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(label is not self._title)
        self.bar = ProgressLine(self)
        self.bar.setAccessibleName("Progress of this download")
        self.button = QPushButton(self)
        self.button.clicked.connect(lambda: self.pressed.emit(self._download.id))
        self.token_button = QPushButton("Enter token…", self)
        self.token_button.setAccessibleName("Enter access token")
        self.token_button.clicked.connect(lambda: self.token_pressed.emit(self._download.id))
        self.close_button = QToolButton(self)
        mark(self.close_button, "ghost", True)
        set_icon(self.close_button, "x", "muted", 14)
        self.close_button.clicked.connect(lambda: self.cancel_pressed.emit(self._download.id))
        self._lay_out()
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._draw_icon)
        self.show_download(download)

    @property
    def download(self) -> Download:
        """As it was last shown."""
        return self._download

    def show_download(self, download: Download) -> bool:
        """Show how it stands; return whether the card may need another height."""
        before = (self.detail.text(), self.remark.text(), self.token_button.isHidden())
        self._download = download
        state, title = download.state, download.title
        self._title.setText(title)
        self.setAccessibleName(f"Download of {title}, {state.value}")
        self.detail.setText(_detail(download))
        mark(self.detail, "role", "error" if state is DownloadState.FAILED else "muted")
        plan = download.plan
        self.remark.setText(plan.remark if plan is not None and state is DownloadState.READY else "")
        self.remark.setVisible(bool(self.remark.text()))
        self.bar.setVisible(state in _WITH_A_BAR)
        self.bar.set_fraction(download.progress.fraction if download.progress is not None else 0.0)
        act = _LOOKS[state][2]
        usable = state is not DownloadState.DONE or (plan is not None and plan.kind == CHECKPOINT)
        self.button.setVisible(bool(act) and usable)
        self.button.setText(act)
        self.button.setAccessibleName(f"{act} {title}")
        self.token_button.setVisible(state is DownloadState.FAILED and isinstance(download.error, AccessRefused))
        closes = state in (DownloadState.DONE, DownloadState.READY, DownloadState.ASKING)
        self.close_button.setVisible(state is not DownloadState.CANCELLED)
        self.close_button.setToolTip("Take out of the list" if closes else "Cancel and delete what has arrived")
        self.close_button.setAccessibleName(f"{'Dismiss' if closes else 'Cancel'} {title}")
        self._draw_icon()
        return before != (self.detail.text(), self.remark.text(), self.token_button.isHidden())

    def _draw_icon(self) -> None:
        name, color, _act = _LOOKS[self._download.state]
        self._icon.setPixmap(pixmap(name, color, 16, self.devicePixelRatioF()))

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        for widget in (self._title, self.detail, self.remark, self.bar):
            words.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID * 2, GRID, GRID, GRID)
        row.setSpacing(GRID + GRID // 2)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        for button in (self.token_button, self.button, self.close_button):
            row.addWidget(button)


def _detail(download: Download) -> str:
    plan, progress = download.plan, download.progress
    match download.state:
        case DownloadState.ASKING:
            return "Asking what there is…"
        case DownloadState.READY if plan is not None:
            return described(plan)
        case DownloadState.FAILED:
            return str(download.error)
        case DownloadState.RUNNING:
            return going(progress) if progress is not None else "Starting…"
        case DownloadState.WAITING:
            return "Waiting for its turn"
        case DownloadState.PAUSED:
            begun = "Interrupted" if download.is_leftover else "Paused"
            return f"{begun} at {_share(progress)}" if progress is not None else begun
        case DownloadState.CANCELLED:
            return "Cancelled. What has arrived is deleted in a moment."
        case _:
            return f"In {download.path}" if download.path is not None else ""


def described(plan: Plan) -> str:
    """Return what is shown before a download: size, files, licence, place."""
    files = "1 file" if len(plan.files) == 1 else f"{len(plan.files)} files"
    licence = f"licence {plan.licence}" if plan.licence else "no licence named"
    return f"{readable_size(plan.size_bytes)} in {files}  ·  {licence}  ·  into {plan.target}"


def going(progress: DownloadProgress) -> str:
    """Return the line under a download that is under way: how much has come, how fast, and how long it takes."""
    if progress.doing:
        return f"{_share(progress)}  ·  {progress.doing}"
    if progress.bytes_per_second <= 0:
        return f"{_share(progress)}  ·  waiting for data"
    speed = readable_size(round(progress.bytes_per_second)) or "0 KB"
    return f"{_share(progress)}  ·  {speed}/s  ·  {readable_duration(progress.seconds_left)} left"


def _share(progress: DownloadProgress) -> str:
    return f"{readable_size(progress.done_bytes) or '0 KB'} of {readable_size(progress.total_bytes)}"
