"""One picture of the user's own, explained part by part: text encoder, UNet, guidance, scheduler, VAE.

Before a picture is chosen it shows how to choose one; while it is drawn again it shows how far that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSlider, QVBoxLayout, QWidget

from sdstudio.background.explaining import Explanation
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent, GuidanceStep
from sdstudio.core.request.input_fields import INIT
from sdstudio.jobs.progress import progress_of
from sdstudio.ui.pages.learn.step_tiles import StepStrip, StepTile, mixed
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.window_words import in_window

STRIP: Final = 6
SCALE_MAXIMUM: Final = 20
TOKENS_SHOWN: Final = 75
INVITATION: Final = (
    "See this happen with a picture of your own: it is drawn again with the same seed, and what the networks said at "
    "every step is kept to look at. Choose “Explain this picture” from the menu of any picture, or take the newest."
)


class ExplainView(QFrame):
    """The card on the Learn page."""

    #: The newest picture is to be explained.
    newest_wanted = Signal()
    #: The drawing is to stop.
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explainView")
        mark(self, "card", True)
        self.explanation: Explanation | None = None
        self._place = 0
        self._heading = QLabel("Your own picture, step by step")
        self._message = QLabel(INVITATION)
        self._newest = QPushButton("Explain the newest picture")
        self._bar = QProgressBar()
        self._cancel = QPushButton("Cancel")
        self._inside = QWidget()
        self.strip = StepStrip(STRIP)
        self.step_slider = QSlider(Qt.Orientation.Horizontal)
        self.scale_slider = QSlider(Qt.Orientation.Horizontal)
        self._step_label = QLabel()
        self._scale_label = QLabel()
        self._tokens = QWidget()
        self._token_row = FlowLayout(GRID // 2, self._tokens)
        self._token_about = _caption("")
        self._way = _caption("")
        self._way.setObjectName("explainWay")
        self.tiles = {
            "noisy": StepTile("noisyTile", "Goes in", "the latents, still noisy", smooth=False),
            "uncond": StepTile("uncondTile", "uncond", "what the UNet foresees without your prompt"),
            "cond": StepTile("condTile", "cond", "what it foresees with your prompt"),
            "guided": StepTile("guidedTile", "Comes out", ""),
        }
        self._latents = StepTile("latentsTile", "Latents", "", smooth=False)
        self._decoded = StepTile("decodedTile", "Picture", "what the VAE makes of them")
        self._lay_out()
        self._connect()
        self.rest()

    # states

    def rest(self) -> None:
        """Show the invitation, or the explanation that is there."""
        self._bar.hide()
        _take_place(self._newest, self._cancel)
        self._inside.setVisible(self.explanation is not None)
        if self.explanation is None:
            self._message.setText(INVITATION)
            mark(self._message, "role", "")

    def settle(self) -> None:
        """Nothing is being drawn any more: buttons as at rest, the message stays."""
        failed = self._message.text() if self._message.property("role") == "error" else ""
        self.rest()
        if failed:
            self._message.setText(failed)
            mark(self._message, "role", "error")
        elif self.explanation is not None:
            self._name(self.explanation)

    def begin(self, prompt: str) -> None:
        """Show that a picture is being drawn again."""
        self._message.setText(f"Drawing “{_short(prompt)}” again …")
        mark(self._message, "role", "")
        self._bar.setRange(0, 0)
        self._bar.show()
        _take_place(self._cancel, self._newest)

    def show_progress(self, event: EngineEvent) -> None:
        """Show how far it is."""
        progress = progress_of(event)
        if progress is not None:
            self._message.setText(f"Drawing it again: {progress.text}")
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * progress.fraction))

    def show_error(self, error: StudioError) -> None:
        """Show why it could not be drawn."""
        self.rest()
        self._message.setText(in_window(str(error)))
        mark(self._message, "role", "error")

    def show_explanation(self, explanation: Explanation, tokens: Sequence[str], picture: QPixmap) -> None:
        """Show a picture's steps.

        Args:
            explanation: The steps.
            tokens: The prompt's tokens; none when they are not known.
            picture: The finished picture.
        """
        self.explanation = explanation
        request, steps = explanation.entry.recipe.request, explanation.steps
        self._name(explanation)
        begin = "From the input picture under noise" if INIT.picture_in(request) else "From noise"
        self._way.setText(f"{begin} to the picture: what the UNet foresaw on the way. Click on one.")
        self._show_tokens(tokens)
        titles = [f"step {step.step}" for step in steps]
        self.strip.show_steps([step.guided for step in steps], titles)
        self.step_slider.setRange(0, len(steps) - 1)
        guided = any(step.uncond is not None for step in steps)
        self.scale_slider.setEnabled(guided)
        without = "with your negative prompt" if request.negative_prompt.strip() else "without your prompt"
        self.tiles["uncond"].set_about(f"what the UNet foresees {without}")
        self.scale_slider.setValue(round(min(request.guidance_scale, SCALE_MAXIMUM) * 10))
        height, width = steps[-1].guided.shape[:2]
        self._latents.show_pixels(steps[-1].guided)
        self._latents.set_about(f"{width} × {height} places with four numbers in each")
        self._decoded.show_pixmap(picture)
        self._decoded.set_about(f"{explanation.pixels.width} × {explanation.pixels.height} pixels, made by the VAE")
        self.step_slider.setValue(len(steps) // 2)
        self._show_step()
        self.rest()
        self._inside.show()

    def event(self, event: QEvent) -> bool:
        """Take the height that the lines need: once a text wraps anew, the column leaves one of them to its stretch."""
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.setMinimumHeight(self.heightForWidth(self.width()))
        return done

    # inside

    def _name(self, explanation: Explanation) -> None:
        request = explanation.entry.recipe.request
        self._message.setText(f"“{_short(request.prompt) or 'no prompt'}”, seed {request.seed}")
        mark(self._message, "role", "muted")

    @property
    def _step(self) -> GuidanceStep:
        assert self.explanation is not None
        return self.explanation.steps[self.step_slider.value()]

    def _show_step(self) -> None:
        if self.explanation is None:
            return
        step, scale = self._step, self.scale_slider.value() / 10
        own = self.explanation.entry.recipe.request.guidance_scale
        self._step_label.setText(f"Step {step.step} of {step.total}")
        self.step_slider.setAccessibleDescription(self._step_label.text())
        self.strip.mark_place(self.step_slider.value())
        self.tiles["noisy"].show_pixels(step.noisy)
        self.tiles["uncond"].show_pixels(step.uncond)
        self.tiles["cond"].show_pixels(step.cond)
        if step.uncond is None:
            self.tiles["guided"].show_pixels(step.guided)
            self._scale_label.setText("No guidance at this step: the UNet was asked once.")
            self.tiles["guided"].set_about("cond alone")
            return
        self.tiles["guided"].show_pixels(mixed(step.uncond, step.cond, scale))
        self.tiles["guided"].set_about(f"uncond + {scale:g} × (cond − uncond)")
        drawn = "as it was drawn" if abs(scale - own) < 0.05 else f"drawn with {own:g}"
        self._scale_label.setText(f"Guidance scale {scale:g} at this step ({drawn})")

    def _show_tokens(self, tokens: Sequence[str]) -> None:
        while (item := self._token_row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for token in tokens[:TOKENS_SHOWN]:
            chip = QLabel(token)
            mark(chip, "role", "token")
            self._token_row.addWidget(chip)
        self._tokens.setVisible(bool(tokens))
        more = f", the first {TOKENS_SHOWN} of them here" if len(tokens) > TOKENS_SHOWN else ""
        count, each = ("one token", "it") if len(tokens) == 1 else (f"{len(tokens)} tokens{more}", "each")
        text = f"Your prompt is {count}. The text encoder turns {each} into a vector."
        self._token_about.setText(text if tokens else "The text encoder turns the words of your prompt into vectors.")
        self._tokens.updateGeometry()

    def _connect(self) -> None:
        self._newest.clicked.connect(self.newest_wanted)
        self._cancel.clicked.connect(self.cancel_requested)
        self.step_slider.valueChanged.connect(self._show_step)
        self.scale_slider.valueChanged.connect(self._show_step)
        self.strip.chosen.connect(self.step_slider.setValue)

    def _lay_out(self) -> None:
        mark(self._heading, "role", "heading")
        self._message.setWordWrap(True)
        self._message.setObjectName("explainSaid")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._newest.setObjectName("explainNewestButton")
        self._cancel.setObjectName("explainCancelButton")
        for button in (self._newest, self._cancel):
            button.setAccessibleName(button.text())
        self._bar.setObjectName("explainBar")
        self._bar.setAccessibleName("Drawing the picture again")
        for slider, name, title in (
            (self.step_slider, "explainStepSlider", "Step"),
            (self.scale_slider, "explainScaleSlider", "Guidance scale at this step"),
        ):
            slider.setObjectName(name)
            slider.setAccessibleName(title)
        self.scale_slider.setRange(0, SCALE_MAXIMUM * 10)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self._newest)
        head.addWidget(self._bar, 1)
        head.addWidget(self._cancel)
        head.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(self._heading)
        column.addWidget(self._message)
        column.addWidget(self._inside)
        column.addLayout(head)
        parts = QVBoxLayout(self._inside)
        parts.setContentsMargins(0, 0, 0, GRID)
        parts.setSpacing(GRID)
        parts.addWidget(_group("Text encoder"))
        parts.addWidget(self._token_about)
        parts.addWidget(self._tokens)
        parts.addWidget(_group("Sampler"))
        parts.addWidget(self._way)
        parts.addWidget(self.strip)
        parts.addWidget(_group("UNet and guidance"))
        parts.addWidget(_caption("At each step the UNet is asked twice, and guidance goes on from one to the other."))
        parts.addLayout(_slider_row(self._step_label, self.step_slider))
        parts.addLayout(_tile_row([self.tiles[name] for name in ("noisy", "uncond", "cond", "guided")]))
        parts.addLayout(_slider_row(self._scale_label, self.scale_slider))
        parts.addWidget(_group("VAE"))
        parts.addLayout(_tile_row([self._latents, self._decoded]))


def _short(prompt: str) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= 90 else words[:89] + "…"


def _take_place(come: QPushButton, gone: QPushButton) -> None:
    """Show a button in place of another, with the focus if that had it: else it went to the model picker."""
    come.show()
    if gone.hasFocus():
        come.setFocus(Qt.FocusReason.OtherFocusReason)
    gone.hide()


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    mark(label, "role", "caption")
    return label


def _group(text: str) -> QLabel:
    label = QLabel(text)
    label.setContentsMargins(0, GRID, 0, 0)
    mark(label, "role", "group")
    return label


def _slider_row(label: QLabel, slider: QSlider) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addWidget(label)
    column.addWidget(slider)
    return column


def _tile_row(tiles: Sequence[StepTile]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(GRID)
    for tile in tiles:
        row.addWidget(tile)
    row.addStretch(1)
    return row
