"""What to draw, in words: the two prompts, the keys that work on them, and the one filled button that starts a job.

All in one frame: prompt, negative prompt when unfolded, messages about the job, a foot with counter and buttons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import parameters
from sdstudio.core.prompts.marks import Known
from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.prompt_tokens import ChunkCount
from sdstudio.ui.pages.create.prompt.completion import CompletionList, Offer
from sdstudio.ui.pages.create.prompt.foot import PromptFoot
from sdstudio.ui.pages.create.prompt.generate_button import GenerateButton, forever_button
from sdstudio.ui.pages.create.prompt.highlighter import PromptColours
from sdstudio.ui.pages.create.prompt.prompt_grip import PromptGrip
from sdstudio.ui.pages.create.prompt.style_chips import BelowPrompt, StyleChips
from sdstudio.ui.pages.create.prompt.text_edit import ExampleChips, PromptText
from sdstudio.ui.pages.create.prompt.tools import PromptTools
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.window_words import in_window

MessageRole = Literal["error", "warning", "success", "caption"]
PROMPT_LINES: Final = (3, 4, 16)  # at least, at first, at most
NEGATIVE_LINES: Final = (2, 3, 3)
CHUNKS_SHOWN: Final = 4
COUNTER_TIP: Final = (
    "<qt>Tokens of each chunk: words or parts of words. The model reads a chunk at a time, so words count most with "
    "those of their own chunk; every second chunk is shaded. BREAK begins a new one. Words of styles count, too.</qt>"
)


class PromptEditor(QWidget):
    """Prompt, negative prompt, Generate and Cancel."""

    #: Generate was pressed or Ctrl+Enter typed.
    generate_requested = Signal()
    #: Cancel was pressed.
    cancel_requested = Signal()
    #: After every change of either prompt or of the styles.
    changed = Signal()
    #: The prompt's tokens were counted.
    counted = Signal()
    #: The cursor came into one of the prompts.
    focused = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promptEditor")
        rows = {row.name: row for row in parameters(GenerationRequest)}
        self.prompt_edit = PromptText("promptEdit", PROMPT_LINES, "What should the picture show?")
        self.negative_edit = PromptText("negativePromptEdit", NEGATIVE_LINES, "What to keep out: blurry, text, frame …")
        for name, edit in (("prompt", self.prompt_edit), ("negative_prompt", self.negative_edit)):
            edit.setAccessibleName(rows[name].title)
            edit.setAccessibleDescription(rows[name].description)
            edit.installEventFilter(self)  # before the completion's, which is asked first
        self.generate_button = GenerateButton()
        self.forever_button = forever_button()
        self.cancel_button = QPushButton("Cancel")
        self.chips = ExampleChips(self.prompt_edit)
        self.tools = PromptTools()
        self.style_chips = StyleChips()
        edits = (self.prompt_edit, self.negative_edit)
        self.colours = tuple(PromptColours(edit) for edit in edits)
        self.completions = tuple(CompletionList(edit) for edit in edits)
        self._chunks: tuple[ChunkCount, ...] = ()
        self._guidance_scale = 7.0
        self._frame = QFrame()
        self._message_row = QFrame()
        self._message = QLabel()
        self._close_message = small_button("x", "Close the message", "Close the message")
        self._negative_part = QWidget()
        self._negative_button = QToolButton()
        self._negative_hint = QLabel()
        self._counter = QLabel()
        self._notes = QWidget()
        self._start()
        self._lay_out()
        self._connect()
        self.set_negative_open(False)
        self.set_running(False)
        self._count()

    # prompts

    @property
    def prompt(self) -> str:
        """The prompt as it stands."""
        return self.prompt_edit.toPlainText()

    @property
    def negative_prompt(self) -> str:
        """The negative prompt as it stands, folded away or not."""
        return self.negative_edit.toPlainText()

    def set_prompt(self, text: str) -> None:
        """Put a prompt in place of the one there; undo brings that back."""
        self.prompt_edit.replace_text(text)

    def set_negative_prompt(self, text: str) -> None:
        """Put a negative prompt in place of the one there, and unfold it when it is not empty."""
        self.negative_edit.replace_text(text)
        if text:
            self.set_negative_open(True)

    def restore_prompts(self, prompt: str, negative_prompt: str) -> None:
        """Put both prompts of a picture in place of those there. Styles go: their words are in the prompts already."""
        self.set_prompt(prompt)
        self.set_negative_prompt(negative_prompt)
        self.set_styles(())

    def append_prompt(self, text: str) -> None:
        """Put words behind the prompt, after a comma."""
        before = self.prompt.rstrip().rstrip(",")
        self.set_prompt(f"{before}, {text}" if before else text)
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def insert_prompt(self, text: str) -> None:
        """Put words where the cursor stands in the prompt, in place of the selection."""
        self.prompt_edit.textCursor().insertText(text)
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the chosen styles."""
        return self.style_chips.names

    def set_styles(self, names: Sequence[str]) -> None:
        """Choose these styles."""
        self.style_chips.set_names(names)

    def toggle_style(self, name: str) -> None:
        """Choose a style, or take it away."""
        self.style_chips.toggle(name)

    def set_negative_open(self, is_open: bool) -> None:
        """Show or fold away the negative prompt."""
        self._negative_part.setVisible(is_open)
        self._negative_button.setChecked(is_open)
        set_icon(self._negative_button, "chevron-down" if is_open else "chevron-right", "muted")
        self.tools.presets_button.setVisible(is_open)
        self._show_negative()

    def change_weight(self, steps: int) -> None:
        """Move the weight of the selection or the word at the cursor, in the prompt with the focus, else the first."""
        edit = self.negative_edit if self.negative_edit.hasFocus() else self.prompt_edit
        edit.change_weight(steps)

    # what is known from elsewhere

    def set_examples(self, examples: tuple[str, ...]) -> None:
        """Offer prompts to click while the prompt is empty."""
        self.chips.set_examples(examples)

    def set_guidance(self, guidance_scale: float) -> None:
        """Show which guidance scale holds: at 1 the negative prompt does nothing, and a line shows it."""
        self._guidance_scale = guidance_scale
        self._show_negative()

    def set_known(self, known: Known) -> None:
        """Take what prompts may name, for colours and for what is wrong."""
        for colours in self.colours:
            colours.set_known(known)

    def set_offers(self, offers: Sequence[Offer]) -> None:
        """Take what prompts may go on with."""
        for completion in self.completions:
            completion.set_offers(offers)

    def show_chunks(self, prompt: Sequence[ChunkCount], negative: Sequence[ChunkCount]) -> None:
        """Show the prompt's tokens in place of its words, and shade both prompts by chunks; () when not counted."""
        self._chunks = tuple(prompt)
        for colours, chunks in zip(self.colours, (prompt, negative), strict=True):
            colours.set_chunks(chunks)
        self._count()
        self.counted.emit()

    @property
    def chunk_count(self) -> int:
        """How many chunks the prompt has, 0 while that is not known."""
        return len(self._chunks)

    def add_note(self, note: QWidget) -> None:
        """Put a hint of one line into the place that is kept for it, beside the fold of the negative prompt."""
        layout = self._notes.layout()
        assert layout is not None
        layout.addWidget(note)

    def set_running(self, is_running: bool) -> None:
        """Return whether there is something to cancel."""
        self.cancel_button.setVisible(is_running)
        self.cancel_button.setEnabled(is_running)

    def set_waiting(self, count: int) -> None:
        """Show on Generate how many jobs wait already."""
        self.generate_button.set_waiting(count)

    # messages

    def show_message(self, text: str, hint: str = "", role: MessageRole = "error") -> None:
        """Show a message about the job until it is closed or the prompt edited."""
        self._message.setText(in_window(f"{text} {hint}".strip()))
        mark(self._message, "role", role)
        self._message_row.show()

    def show_error(self, error: InvalidRequest) -> bool:
        """Show what is wrong with a prompt, at it. False when the error is about another field."""
        edits = {"prompt": self.prompt_edit, "negative_prompt": self.negative_edit}
        if error.field not in edits:
            return False
        if error.field == "negative_prompt":
            self.set_negative_open(True)
        self.show_message(error.message, error.hint)
        mark(self._frame, "invalid", True)
        edits[error.field].setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def clear_message(self) -> None:
        """Take the message away."""
        self._message_row.hide()
        mark(self._frame, "invalid", False)

    @property
    def message(self) -> str:
        """The message shown, "" when there is none."""
        return "" if self._message_row.isHidden() else self._message.text()

    # last session

    def state(self) -> dict[str, Any]:
        """Return what to keep for the next start, as JSON values."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "negative_open": not self._negative_part.isHidden(),
            "styles": list(self.styles),
            "lines": self.prompt_edit.lines,
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Show what `state` returned."""
        for name, edit in (("prompt", self.prompt_edit), ("negative_prompt", self.negative_edit)):
            if isinstance(state.get(name), str):
                edit.setPlainText(state[name])
        self.set_negative_open(state.get("negative_open") is True)
        self.prompt_edit.set_lines(state["lines"] if isinstance(state.get("lines"), int) else self.prompt_edit.lines)
        styles = state.get("styles")
        self.set_styles([name for name in styles if isinstance(name, str)] if isinstance(styles, list) else [])

    # how it works inside

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Keys that work in both prompts, and the frame that glows with the focus."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            mark(self._frame, "focused", event.type() == QEvent.Type.FocusIn)
            if event.type() == QEvent.Type.FocusIn:
                self.focused.emit()
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._on_key(event)
        return super().eventFilter(watched, event)

    def _on_key(self, event: QKeyEvent) -> bool:
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if control:
                is_forever = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
                (self.forever_button if is_forever else self.generate_button).click()
            case Qt.Key.Key_Up if control:
                self.change_weight(1)
            case Qt.Key.Key_Down if control:
                self.change_weight(-1)
            case _:
                return False
        return True

    def _start(self) -> None:
        mark(self._frame, "card", True)
        self._frame.setObjectName("promptFrame")
        self._message.setObjectName("promptMessage")
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message_row.hide()
        mark(self._close_message, "ghost", True)
        self._negative_button.setObjectName("negativePromptFoldButton")
        self._negative_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._negative_button.setCheckable(True)
        self._negative_button.setToolTip("Show or fold away what to keep out of the picture")
        mark(self._negative_button, "fold", True)
        mark(self._message_row, "card", True)
        self._message_row.setObjectName("promptMessageCard")
        mark(self._negative_hint, "role", "warning")
        self._negative_hint.setText("Does nothing while the guidance scale is 1.")
        self._counter.setObjectName("promptCounter")
        mark(self._counter, "role", "caption")
        self._counter.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._counter.setMinimumWidth(GRID * 5)  # the last chunk at least: a long count moves no dock aside
        self.cancel_button.setObjectName("cancelButton")
        self.cancel_button.setAccessibleName("Cancel")
        self.cancel_button.setToolTip("Stop the picture that is being made (Esc)")
        policy = self.cancel_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.cancel_button.setSizePolicy(policy)

    def _lay_out(self) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self._frame)
        column = QVBoxLayout(self._frame)
        column.setContentsMargins(GRID, 0, GRID, GRID)
        column.setSpacing(GRID // 2)
        below = BelowPrompt(self.style_chips, self._counter, self.tools)
        for part in (PromptGrip(self.prompt_edit), self.prompt_edit, below):
            column.addWidget(part)
        negative = QVBoxLayout(self._negative_part)
        negative.setContentsMargins(0, 0, 0, 0)
        negative.setSpacing(GRID // 2)
        line = QFrame()
        mark(line, "separator", True)
        negative.addWidget(line)
        negative.addWidget(self.negative_edit)
        column.addWidget(self._negative_part)
        row = QHBoxLayout(self._message_row)
        row.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        row.addWidget(self._message, 1)
        row.addWidget(self._close_message, 0, Qt.AlignmentFlag.AlignTop)
        self.message_over = LiesOver(self._message_row, self, "above")
        mark(self._notes, "bare", True)
        notes = QHBoxLayout(self._notes)
        notes.setContentsMargins(0, 0, 0, 0)
        notes.addWidget(self._negative_hint)
        folds = (self._negative_button, self.tools.presets_button)
        last = (self.cancel_button, self.forever_button, self.generate_button)
        column.addWidget(PromptFoot(folds, self._notes, last))

    def _connect(self) -> None:
        self.prompt_edit.textChanged.connect(self._on_text_changed)
        self.negative_edit.textChanged.connect(self._on_text_changed)
        self.chips.example_chosen.connect(self._on_example_chosen)
        self.generate_button.clicked.connect(self._on_generate)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self._close_message.clicked.connect(self.clear_message)
        self._negative_button.clicked.connect(self._on_fold_clicked)
        self.style_chips.changed.connect(self.changed)
        for completion in self.completions:
            completion.style_chosen.connect(self._on_style_chosen)

    def _on_text_changed(self) -> None:
        self.clear_message()
        self._count()
        self._show_negative()
        self.changed.emit()

    def _on_example_chosen(self, example: str) -> None:
        self.set_prompt(example)
        self.prompt_edit.moveCursor(QTextCursor.MoveOperation.End)
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_style_chosen(self, name: str) -> None:
        if name not in self.styles:
            self.toggle_style(name)

    def _on_generate(self) -> None:
        self.clear_message()
        if self.generate_button.hasFocus():  # what is typed next is the next prompt
            self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.generate_requested.emit()

    def _on_fold_clicked(self, is_open: bool) -> None:
        self.set_negative_open(is_open)
        (self.negative_edit if is_open else self.prompt_edit).setFocus(Qt.FocusReason.OtherFocusReason)

    def _count(self) -> None:
        words = len(self.prompt.split())
        text = "" if not words else "1 word" if words == 1 else f"{words:,} words"
        if (words or self.styles) and self._chunks:  # until the new count comes, the one before stays: nothing flickers
            shown = self._chunks[-CHUNKS_SHOWN:]
            more = "… · " if len(shown) < len(self._chunks) else ""
            text = more + " · ".join(f"{chunk.used} / {chunk.limit}" for chunk in shown)
        self._counter.setText(text)
        self._counter.setToolTip(COUNTER_TIP if self._chunks else "")

    def _show_negative(self) -> None:
        words = len(self.negative_prompt.split())
        folded = self._negative_part.isHidden()
        self._negative_button.setText(f"Negative prompt · {words}" if words and folded else "Negative prompt")
        count = f", {words} words" if words else ""
        self._negative_button.setAccessibleName(f"Negative prompt{count}, {'show' if folded else 'fold away'}")
        self._negative_hint.setVisible(self._guidance_scale <= 1 and bool(words or not folded))
