"""The Learn page: what happens between the prompt and the picture, in the words the controls use."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from sdstudio.ui.pages.learn.diagram import LearnDiagram
from sdstudio.ui.pages.learn.explain_view import ExplainView
from sdstudio.ui.theme import GRID, STRONG

_COLUMN_PX = 720

INTRODUCTION: Final = (
    "Stable Diffusion starts from pure noise and removes it step by step, guided by your words. It does not work "
    "on pixels but on <i>latents</i>: a picture an eighth as wide and an eighth as high, with four numbers in "
    "each place. Framed in colour below are the three networks that were trained; the rest is arithmetic."
)

SECTIONS: Final = (
    (
        "Text encoder",
        "The prompt is cut into <i>tokens</i>, words or parts of words, and CLIP turns each into a vector that "
        "carries its meaning in context. It reads 77 tokens at a time, two of which mark beginning and end. Words "
        "at the front weigh more, so name the subject first. Stable Diffusion XL reads the prompt with two "
        "encoders at once. <b>Clip skip</b> takes the vectors from an earlier layer, which some anime models were "
        "trained on.",
    ),
    (
        "UNet",
        "The UNet is the large network that draws. It is shown the latents, how noisy they are, and the prompt's "
        "vectors, and guesses what in them is noise (or, for some models, a mix of noise and picture called "
        "<i>v</i>). The live preview is what the picture would be if the present guess were already right.",
    ),
    (
        "Steps and sampler",
        "One guess is not good enough, so the sampler takes away only a part of the noise and asks again: once "
        "for each <b>step</b>. Samplers differ in how large the parts are and how they use earlier guesses. "
        "DPM++ 2M Karras is a good first choice with 20 to 30 steps. Samplers with “a” (ancestral) or “SDE” in "
        "their name add fresh noise at every step: the picture keeps changing with more steps. Heun, DPM2 and "
        "DPM++ SDE ask the UNet twice a step and take twice the time.",
    ),
    (
        "Guidance scale and negative prompt",
        "At each step the UNet guesses twice: <i>cond</i> with your prompt, <i>uncond</i> with the negative "
        "prompt, which may be empty. What is used is<br><br>&nbsp;&nbsp;&nbsp;&nbsp;<b>uncond + s · (cond − "
        "uncond)</b><br><br>with <i>s</i> the guidance scale. So the picture is pushed towards the prompt and "
        "away from the negative prompt. Too low and the prompt is ignored, too high and colours burn out. At 1 "
        "the formula is just <i>cond</i>: the second guess is left out, which saves half the time, and the "
        "negative prompt has no effect.",
    ),
    (
        "Seed",
        "The seed is the number from which the starting noise grows. The same seed, model and settings give the "
        "same picture on the same machine, and every picture's seed is kept: <b>Re-run</b> makes it again, "
        "<b>Variation</b> changes only the seed. Several pictures in one go take the seeds that follow. The noise "
        "is always made on the CPU, so that it does not depend on the graphics card or on how many pictures are "
        "made at once.",
    ),
    (
        "Size",
        "Sides are multiples of 8, because one latent covers 8 × 8 pixels. A model draws best near the number of "
        "pixels it was trained with: about 512 × 512 for Stable Diffusion 1, 768 × 768 for 2, 1024 × 1024 for XL. "
        "Far above it subjects repeat, far below it they fall apart. Time and memory grow with the number of "
        "pixels.",
    ),
    (
        "VAE",
        "When the steps are done, the decoder of the VAE (variational autoencoder) turns the latents into pixels. "
        "It adds the fine texture, and for large pictures it needs the most memory of all parts. Some VAEs "
        "overflow in half precision; the studio notices and decodes again in full precision.",
    ),
    (
        "When memory is short",
        "In the settings, under Speed and memory: <b>float16</b> halves the weights. <b>VAE tiling</b> decodes a "
        "large picture in tiles, <b>VAE slicing</b> a batch one by one; each costs a little time. <b>Attention "
        "slicing</b> computes attention in parts, which helps on Apple GPUs alone. <b>CPU offload</b> keeps the "
        "networks in main memory and moves them to the graphics card when needed: <i>Model</i> moves whole networks "
        "and is a little slower, <i>Sequential</i> moves single layers, needs the least and is much slower. A "
        "smaller size or a batch size of 1 helps most.",
    ),
)


class LearnPage(QScrollArea):
    """One column of text that is not wider than reads well."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_out_of_style = False
        self.setObjectName("learnPage")
        self.setAccessibleName("How it works")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        sheet = QWidget()
        sheet.setObjectName("learnSheet")
        column_widget = QWidget(sheet)
        column_widget.setMaximumWidth(_COLUMN_PX)
        column = QVBoxLayout(column_widget)
        column.setContentsMargins(GRID * 3, GRID * 5, GRID * 3, GRID * 6)
        column.setSpacing(GRID)
        title = QLabel("From words to a picture")
        title.setProperty("role", "title")
        column.addWidget(title)
        column.addWidget(_prose(INTRODUCTION))
        column.addSpacing(GRID * 2)
        column.addWidget(LearnDiagram())
        column.addSpacing(GRID * 2)
        self.explain_view = ExplainView()
        column.addWidget(self.explain_view)
        column.addSpacing(GRID)
        for heading, text in SECTIONS:
            column.addSpacing(GRID * 2)
            label = QLabel(heading)
            label.setProperty("role", "heading")
            column.addWidget(label)
            column.addWidget(_prose(text))
        column.addStretch(1)
        row = QHBoxLayout(sheet)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(column_widget, 100)
        row.addStretch(1)
        self._sheet = sheet
        self.setWidget(sheet)

    def event(self, event: QEvent) -> bool:
        """Lay out all the text in another style only when it is seen: that takes longer than all other pages."""
        if event.type() == QEvent.Type.StyleChange and not self.isVisible():
            self._is_out_of_style = True
            return True
        if event.type() == QEvent.Type.Show and self._is_out_of_style:
            self._is_out_of_style = False
            QApplication.sendEvent(self, QEvent(QEvent.Type.StyleChange))
        return super().event(event)

    def show_explanation(self) -> None:
        """Bring the explained picture into view, from its top: it is yet to grow by all the steps."""
        QTimer.singleShot(0, self, self._scroll_to_explanation)  # a page that was just built is not yet laid out

    def _scroll_to_explanation(self) -> None:
        self.verticalScrollBar().setValue(self.explain_view.mapTo(self._sheet, QPoint()).y() - GRID * 2)


def _prose(text: str) -> QLabel:
    strong = text.replace("<b>", STRONG)
    label = QLabel(f"<div style='line-height: 150%'>{strong}</div>")
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
