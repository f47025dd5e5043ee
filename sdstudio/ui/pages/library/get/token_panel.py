"""Where an access token of the Hub is entered: what it is for, where it comes from, and whether it can be kept."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.library.getting.tokens import TokenStore
from sdstudio.ui.theme import GRID, mark, set_icon

_ABOUT = (
    "Some authors give their models only to those who have accepted their terms. Accept them on the model's page at "
    "huggingface.co, make a token that may read at huggingface.co/settings/tokens, and enter it here."
)


class TokenPanel(QFrame):
    """Hidden until somebody needs it. The keyring may ask the user something, so it is spoken to in the background."""

    #: A token was entered and serves from now on.
    entered = Signal()

    def __init__(self, tokens: TokenStore, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tokenPanel")
        self.setAccessibleName("Access token")
        self.setProperty("card", True)
        self._tokens = tokens
        self._tasks = tasks
        about = QLabel(_ABOUT, self)
        about.setWordWrap(True)
        self.edit = QLineEdit(self)
        self.edit.setObjectName("tokenEdit")
        self.edit.setAccessibleName("Access token")
        self.edit.setPlaceholderText("hf_…")
        self.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.edit.setMaxLength(300)
        self.edit.returnPressed.connect(self._enter)
        self.enter_button = QPushButton("Use", self)
        self.enter_button.setObjectName("tokenEnterButton")
        self.enter_button.setAccessibleName("Use this token")
        self.enter_button.clicked.connect(self._enter)
        self.forget_button = QPushButton("Forget", self)
        self.forget_button.setObjectName("tokenForgetButton")
        self.forget_button.setAccessibleName("Forget the token")
        self.forget_button.setToolTip("Take the token out of the system's keyring")
        self.forget_button.clicked.connect(self._forget)
        close = QToolButton(self)
        close.setObjectName("tokenCloseButton")
        close.setAccessibleName("Close the token panel")
        mark(close, "ghost", True)
        set_icon(close, "x", "muted", 14)
        close.clicked.connect(self.hide)
        self.message = QLabel(self)
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        top = QHBoxLayout()
        top.addWidget(about, 1)
        top.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.edit, 1)
        row.addWidget(self.enter_button)
        row.addWidget(self.forget_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID, GRID, GRID)
        column.setSpacing(GRID)
        column.addLayout(top)
        column.addLayout(row)
        column.addWidget(self.message)
        self.hide()

    def open(self) -> None:
        """Show it, ready to type."""
        self.message.hide()
        self.show()
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _enter(self) -> None:
        token = self.edit.text()
        self.enter_button.setEnabled(False)
        self._tasks.run("Keeping the token", lambda _task: self._tokens.enter(token), self._on_entered, self._on_failed)

    def _on_entered(self, kept: bool) -> None:
        self.enter_button.setEnabled(True)
        self.edit.clear()
        if kept:
            self.hide()
        else:
            self._say(
                "This system has no keyring that is open: the token serves until the studio is closed.", "warning"
            )
        self.entered.emit()

    def _on_failed(self, error: StudioError) -> None:
        self.enter_button.setEnabled(True)
        self._say(str(error), "error")

    def _forget(self) -> None:
        self._tasks.run("Forgetting the token", lambda _task: self._tokens.forget(), self._on_forgotten)

    def _on_forgotten(self, _nothing: object) -> None:
        self._say("The token is forgotten here. Enter it again when you need it.", "muted")

    def _say(self, text: str, role: str) -> None:
        mark(self.message, "role", role)
        self.message.setText(text)
        self.message.show()
