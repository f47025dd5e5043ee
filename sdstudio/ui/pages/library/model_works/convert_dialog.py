"""The window in which a model is written in another layout or number format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QWidget

from sdstudio.background.model_works import ModelWorkRunner
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import KEEP, ConvertOptions, ConvertOrder, MergeOrder
from sdstudio.core.params import Choice, parameters
from sdstudio.jobs.model_orders import convert_order, target_of
from sdstudio.ui.forms.editors import ChoiceEditor
from sdstudio.ui.forms.field import Field
from sdstudio.ui.pages.library.model_works.work_dialog import WorkDialog, model_field, where_and_how_large


class ConvertDialog(WorkDialog):
    """Chooses a model and what it is to become.

    Args:
        model_work: Who converts.
        models_folder: Where results go.
        parent: The window it belongs to.
    """

    def __init__(self, model_work: ModelWorkRunner, models_folder: Path, parent: QWidget | None = None) -> None:
        super().__init__("convertDialog", "Convert a model", "Convert", model_work, parent)
        self._models_folder = models_folder
        self._assets: dict[str, Asset] = {}
        rows = {row.name: row for row in parameters(ConvertOptions)}
        self.model = model_field("convert_model", "Model", "A folder, a .safetensors file or an old .ckpt.")
        self.layout_field, self.precision = (
            Field(rows["layout"], described=True),
            Field(rows["precision"], described=True),
        )
        for widget in (self.model, self.layout_field, self.precision):
            self.fields.addWidget(widget)
        self.model.changed.connect(self._on_model_chosen)
        for field in (self.layout_field, self.precision):
            field.changed.connect(self._suggest)

    def set_models(self, assets: Sequence[Asset]) -> None:
        """Offer these checkpoints, those that cannot be drawn with too: a pickle is among them."""
        self._assets = {asset.key: asset for asset in assets}
        if isinstance(self.model.editor, ChoiceEditor):
            self.model.editor.set_choices([
                Choice(asset.key, f"{asset.name}  ·  {_nature(asset)}", where_and_how_large(asset)) for asset in assets
            ])  # fmt: skip

    def choose(self, key: str) -> None:
        """Choose a model."""
        self.model.set_value(key)

    def order(self) -> tuple[MergeOrder | ConvertOrder, Sequence[Asset]]:
        """Return the conversion that is asked for. Raises: InvalidRequest."""
        asset = self._asset
        if asset is None:
            raise InvalidRequest("model", "No model is chosen yet.", "Choose one.")
        layout = str(self.layout_field.value())
        options = ConvertOptions(layout=self.layout_field.value(), precision=self.precision.value())
        target = target_of(str(self.name_field.value()), layout, self._models_folder)
        return convert_order(asset.path, options, target), [asset]

    def field_of(self, name: str) -> Field | None:
        """Return the field that an error names."""
        return {"model": self.model, "layout": self.layout_field}.get(name) or super().field_of(name)

    @property
    def _asset(self) -> Asset | None:
        return self._assets.get(str(self.model.value()))

    def _on_model_chosen(self) -> None:
        """A single file most likely wants to be a folder, and the other way round."""
        asset = self._asset
        if asset is not None:
            self.layout_field.set_value("folder" if asset.path.suffix.lower() == ".safetensors" else "file")
        self.model.clear_error()
        self._suggest()

    def _suggest(self) -> None:
        self.layout_field.clear_error()
        asset = self._asset
        if asset is not None:
            stem = asset.path.name if asset.path.is_dir() else asset.path.stem
            precision = str(self.precision.value())
            self.suggest_name(stem if precision == KEEP else f"{stem}-{precision}")


def _nature(asset: Asset) -> str:
    if asset.path.is_dir():
        return "Folder"
    return "Single file" if asset.path.suffix.lower() == ".safetensors" else "Old checkpoint (.ckpt)"
