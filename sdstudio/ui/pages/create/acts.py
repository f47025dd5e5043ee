"""One act on the Create page: whatever it changes of prompts, styles, parameters and folds is taken back by one undo.

What the user changed after an act is not lost when the act is taken back: it can be done again as it then stood, and
a message shows that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence

from sdstudio.ui.pages.create.parameter_panel import PanelStanding, ParameterPanel
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.undo import Change, Undos
from sdstudio.ui.widgets.message_bar import MessageAction, MessageBar, Tone

SHOWN_S: Final = 30.0
"""A message of an act goes by itself after so long, in seconds; its undo stays in the menu."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that stands on the Create page at one moment."""

    panel: PanelStanding
    prompt: str
    negative_prompt: str
    negative_open: bool
    styles: tuple[str, ...]


class Acts(QObject):
    """Does acts and takes them back.

    Args:
        panel: The parameters.
        editor: The prompts.
        undos: Where what takes an act back is kept.
        message: Shows what was done, and offers to take it back.
        parent: As Qt has it.
    """

    def __init__(
        self, panel: ParameterPanel, editor: PromptEditor, undos: Undos, message: MessageBar, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._panel = panel
        self._editor = editor
        self._undos = undos
        self._message = message
        self._shown = ""
        self._undone: tuple[Change, Standing] | None = None
        panel.field_reset.connect(self._on_field_reset)
        panel.group_reset_wanted.connect(self.reset)
        for edit in (editor.prompt_edit, editor.negative_edit):
            edit.installEventFilter(self)

    def standing(self) -> Standing:
        """Return everything that stands there now."""
        editor = self._editor
        is_open = bool(editor.state()["negative_open"])
        return Standing(self._panel.standing(), editor.prompt, editor.negative_prompt, is_open, editor.styles)

    def do(self, text: str, act: Callable[[], object]) -> Change | None:
        """Do something that changes what stands there.

        Args:
            text: What is done, in words: "Use parameters of picture 12".
            act: Does it.

        Returns:
            What takes it back, ``None`` when nothing was changed.
        """
        before = self.standing()
        act()
        return self.keep_since(text, before)

    def keep(self, change: Change, text: str, more: Sequence[MessageAction] = ()) -> None:
        """Keep what takes a change back that was made elsewhere, and show what was done."""
        self._undos.push(change)
        self.tell(change, text, "info", more)

    def tell(self, change: Change | None, text: str, tone: Tone = "info", more: Sequence[MessageAction] = ()) -> None:
        """Show what an act did, with what can be done about it."""
        undo = [("Undo", lambda: self._undos.undo(change))] if change is not None else []
        self._say(text, tone, [*more, *undo])

    def reset(self, group: str = "") -> None:
        """Go back to the model's defaults, of one group or of all parameters."""
        count = len(self._panel.changed_fields(group))
        change = self.do(f"Reset {group or 'all parameters'}", lambda: self._panel.reset(group))
        if change is not None:
            values = "1 value is" if count == 1 else f"{count} values are"
            self.tell(change, f"{group or 'Parameters'}: {values} back at the default.")

    def keep_since(self, title: str, before: Standing) -> Change | None:
        """Keep as one act what was changed since something stood there; ``None`` when nothing was."""
        after = self.standing()
        if after == before:
            return None
        stood = after

        def undo() -> None:
            nonlocal stood
            changed_since = self.standing() != stood
            stood = self.standing()
            self.show(before)
            self._undone = (change, before)
            self._dismiss()
            if changed_since:
                text = f"Undone: {title}. What was changed after it comes back with Redo."
                self._say(text, "info", [("Redo", lambda: self._undos.redo(change))])

        def redo() -> None:
            nonlocal before
            before = self.standing()  # with what was changed since it was taken back
            self.show(stood)
            self._dismiss()

        change = Change(title, undo, redo)
        self._undos.push(change)
        return change

    def show(self, standing: Standing) -> None:
        """Show again what `standing` returned."""
        editor = self._editor
        self._panel.show_standing(standing.panel)
        editor.prompt_edit.step_to(standing.prompt)
        editor.negative_edit.step_to(standing.negative_prompt)
        editor.set_negative_open(standing.negative_open)
        editor.set_styles(standing.styles)

    # inside

    def _on_field_reset(self, name: str, value: object) -> None:
        field, other = self._panel.field(name), value

        def exchange() -> None:
            nonlocal other
            now = field.value()
            field.set_value(other)
            other = now  # also what was put in since

        self._undos.push(Change(f"Reset {field.row.title}", exchange, exchange))

    def _say(self, text: str, tone: Tone, ways: Sequence[MessageAction]) -> None:
        self._shown = text
        self._message.say(text, tone, ways, SHOWN_S)

    def _dismiss(self) -> None:
        if self._shown and self._message.message == self._shown:
            self._message.dismiss()

    # keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Do a whole act again from a prompt, too, where it was just taken back; else redo is of its words."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.matches(QKeySequence.StandardKey.Redo)
            and self._undone is not None
        ):
            change, standing = self._undone
            if self._undos.undone is change and self.standing() == standing:
                self._undos.redo(change)
                return True
        return super().eventFilter(watched, event)
