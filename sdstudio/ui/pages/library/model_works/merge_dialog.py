"""The window in which checkpoints are merged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtWidgets import QLabel, QWidget

from sdstudio.background.model_works import ModelWorkRunner
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import ConvertOrder, MergeMode, MergeOptions, MergeOrder
from sdstudio.core.params import Choice, parameters
from sdstudio.jobs.model_orders import merge_order, target_of
from sdstudio.ui.forms.editors import ChoiceEditor
from sdstudio.ui.forms.field import Field
from sdstudio.ui.pages.library.model_works.work_dialog import WorkDialog, model_field, where_and_how_large
from sdstudio.ui.theme import mark

LETTERS: Final = ("A", "B", "C")
_ABOUT: Final = (
    "The checkpoint that the result is like.",
    "The checkpoint that is mixed in.",
    "The checkpoint that B was trained from: what they have in common stays out.",
)
_NAME_PART: Final = 28


class MergeDialog(WorkDialog):
    """Chooses two or three single files of one family, and how they are mixed.

    Args:
        model_work: Who merges.
        models_folder: Where results go.
        parent: The window it belongs to.
    """

    def __init__(self, model_work: ModelWorkRunner, models_folder: Path, parent: QWidget | None = None) -> None:
        super().__init__("mergeDialog", "Merge checkpoints", "Merge", model_work, parent)
        self._models_folder = models_folder
        self._assets: dict[str, Asset] = {}
        rows = {row.name: row for row in parameters(MergeOptions)}
        self.mode, self.alpha, self.precision = (Field(rows[name]) for name in ("mode", "alpha", "precision"))
        self.inputs = tuple(
            model_field(f"merge_{letter.lower()}", letter, about) for letter, about in zip(LETTERS, _ABOUT, strict=True)
        )
        self.formula = QLabel(self)
        mark(self.formula, "role", "caption")
        self.empty = QLabel(
            "Merging takes single files: put two checkpoints of one family into the library, or convert a folder.",
            self,
        )
        self.empty.setWordWrap(True)
        mark(self.empty, "role", "warning")
        for widget in (self.mode, self.formula, self.empty, *self.inputs, self.alpha, self.precision):
            self.fields.addWidget(widget)
        self.mode.changed.connect(self._show_mode)
        for field in (*self.inputs, self.alpha, self.mode):
            field.changed.connect(self._suggest)
        self._show_mode()
        self.set_models(())

    def set_models(self, assets: Sequence[Asset]) -> None:
        """Offer these checkpoints; folders and pickles have to be converted first and are left out."""
        offered = [asset for asset in assets if asset.path.suffix.lower() == ".safetensors" and asset.family]
        self._assets = {asset.key: asset for asset in offered}
        choices = [
            Choice(asset.key, f"{asset.name}  ·  {asset.family_title}", where_and_how_large(asset)) for asset in offered
        ]
        for field in self.inputs:
            if isinstance(field.editor, ChoiceEditor):
                field.editor.set_choices(choices)
                if field.value() is None:
                    field.editor.combo.setPlaceholderText("Choose a checkpoint…")
        self.empty.setVisible(len(offered) < 2)
        self.start_button.setEnabled(len(offered) >= 2)

    def choose(self, key: str) -> None:
        """Choose a checkpoint as A, unless one is chosen already."""
        if key in self._assets and self.inputs[0].value() is None:
            self.inputs[0].set_value(key)

    def order(self) -> tuple[MergeOrder | ConvertOrder, Sequence[Asset]]:
        """Return the merge that is asked for. Raises: InvalidRequest."""
        mode = MergeMode[str(self.mode.value()).upper()]
        chosen = []
        for place, field in enumerate(self.inputs[: mode.input_count]):
            asset = self._assets.get(str(field.value()))
            if asset is None:
                raise InvalidRequest(f"input{place}", f"{LETTERS[place]} is not chosen yet.", "Choose a checkpoint.")
            chosen.append(asset)
        wrong = self.alpha.check()
        if wrong is not None:
            raise wrong
        options = MergeOptions(mode=self.mode.value(), alpha=self.alpha.value(), precision=self.precision.value())
        target = target_of(str(self.name_field.value()), "file", self._models_folder)
        return merge_order(chosen, options, target), chosen

    def field_of(self, name: str) -> Field | None:
        """Return the field that an error names."""
        if name.startswith("input") and name[5:].isdigit():
            return self.inputs[int(name[5:])]
        return self.alpha if name == "alpha" else super().field_of(name)

    def _show_mode(self) -> None:
        mode = MergeMode[str(self.mode.value()).upper()]
        self.formula.setText(f"Each weight becomes {mode.formula}, computed in float32.")
        self.inputs[2].setVisible(mode.input_count == 3)

    def _suggest(self) -> None:
        mode = MergeMode[str(self.mode.value()).upper()]
        chosen = [self._assets.get(str(field.value())) for field in self.inputs[: mode.input_count]]
        names = [asset.name[:_NAME_PART].strip() for asset in chosen if asset is not None]
        if len(names) == mode.input_count:
            self.suggest_name(f"{'-'.join(names)}-{self.alpha.value():g}")
