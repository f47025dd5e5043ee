"""What a request takes from the library beside its model: LoRA with their weights and words, one VAE, one upscaler.

LoRA are added from a list that is searched while typing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QCompleter, QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import DETECTOR, LORA, UPSCALER, VAE, WEIGHT_MAXIMUM
from sdstudio.core.models.asset import Asset
from sdstudio.core.params import Choice, FieldKind, Parameter, Ui
from sdstudio.ui.forms.editor import Editor
from sdstudio.ui.forms.editors import ChoiceEditor
from sdstudio.ui.forms.number_editor import NumberEditor
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.elided_label import ElidedLabel
from sdstudio.ui.widgets.tooltips import wrapped

FIRST_WEIGHT: Final = 1.0
OWN_VAE: Final = "The model's own"
LANCZOS: Final = "Lanczos"
ANY_DETECTOR: Final = "The first there is"
TRIGGERS_SHOWN: Final = 24

WEIGHT: Final = Parameter(
    "lora_weight", "Weight", "How strongly the LoRA acts: 0 not at all, 1 as it was trained, negative the other way.",
    FieldKind.NUMBER, FIRST_WEIGHT, Ui(step=0.05, decimals=2, slider=True), minimum=-1, maximum=2,
)  # fmt: skip
"""What arrows and slider offer; typed, a weight may be up to `WEIGHT_MAXIMUM`."""


class LoraEditor(Editor):
    """A list of LoRA with weights. A name that the library lacks is kept, and shown as missing."""

    #: Trigger words of a LoRA are to go into the prompt.
    words_wanted = Signal(str)

    def __init__(self, row: Parameter) -> None:
        combo = QComboBox()
        super().__init__(row, combo)
        self.combo = combo
        self._assets: dict[str, Asset] = {}
        self._family = ""
        self.rows: list[LoraRow] = []
        combo.setEditable(True)
        combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        completer = QCompleter(combo.model(), combo)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        combo.setCompleter(completer)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(GRID)
        self._column.addWidget(combo)
        self.set_row(row)
        self.set_assets((), "")
        combo.activated.connect(self._on_chosen)
        edit = combo.lineEdit()
        assert edit is not None
        edit.setObjectName("lorasSearchEdit")
        edit.setAccessibleName(f"Add a {row.title}")
        edit.returnPressed.connect(self._on_typed)

    def set_assets(self, assets: Sequence[Asset], family: str) -> None:
        """Offer these LoRA; those of another family than the model's are shown and cannot be added."""
        self._assets = {asset.key: asset for asset in assets}
        self._family = family
        combo = self.combo
        combo.blockSignals(True)
        combo.clear()
        for place, asset in enumerate(assets):
            combo.addItem(asset.key, asset.key)
            combo.setItemData(place, wrapped(about(asset)), Qt.ItemDataRole.ToolTipRole)
            items = combo.model()
            if isinstance(items, QStandardItemModel):
                items.item(place).setEnabled(not misfit(asset, family) and not asset.problem)
        combo.setCurrentIndex(-1)
        combo.setEditText("")
        edit = combo.lineEdit()
        if edit is not None:
            edit.setPlaceholderText("Add a LoRA…" if assets else "No LoRA in the model folders")
        combo.blockSignals(False)
        for row in self.rows:
            row.show_asset(self._assets.get(row.name), family, self._others(row.name))

    def value(self) -> tuple[tuple[str, float], ...]:
        """Return names and weights in their order."""
        return tuple((row.name, row.weight) for row in self.rows)

    def set_value(self, value: Any) -> None:
        """Show names and weights."""
        wanted = tuple((str(name), float(weight)) for name, weight in value)
        if wanted == self.value():
            return
        while self.rows:
            self._take_out(self.rows[0])
        for name, weight in wanted:
            self._put_in(name, weight)
        self.edited.emit()

    def add(self, name: str, weight: float = FIRST_WEIGHT) -> None:
        """Add one, unless it is there."""
        if name not in (row.name for row in self.rows):
            self._put_in(name, weight)
            self.edited.emit()
            self.finished.emit()

    def _put_in(self, name: str, weight: float) -> None:
        row = LoraRow(name, weight)
        row.show_asset(self._assets.get(name), self._family, self._others(name))
        row.changed.connect(self.edited)
        row.remove_wanted.connect(lambda: self._on_removed(row))
        row.words_wanted.connect(self.words_wanted)
        self.rows.append(row)
        self._column.addWidget(row)

    def _others(self, name: str) -> list[str]:
        """Return the keys of files that go by a mere name together."""
        folded = name.casefold()
        return [key for key in self._assets if "/" in key and key.rpartition("/")[2].casefold() == folded]

    def _take_out(self, row: LoraRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _on_removed(self, row: LoraRow) -> None:
        self._take_out(row)
        self.edited.emit()
        self.finished.emit()

    def _on_chosen(self, place: int) -> None:
        key = self.combo.itemData(place)
        self._clear_search()
        if isinstance(key, str):
            self.add(key)

    def _on_typed(self) -> None:
        """Add what was typed: a name of the list in any case, or one that only the check will know."""
        text = self.combo.currentText().strip()
        place = self.combo.findText(text, Qt.MatchFlag.MatchFixedString)
        if text and place < 0:
            self.add(text)
            self._clear_search()

    def _clear_search(self) -> None:
        self.combo.setCurrentIndex(-1)
        self.combo.setEditText("")


class LoraRow(QWidget):
    """One LoRA: name, trigger words, remove; below its weight."""

    #: The weight was changed.
    changed = Signal()
    #: It is to go.
    remove_wanted = Signal()
    #: These trigger words are to go into the prompt.
    words_wanted = Signal(str)

    def __init__(self, name: str, weight: float) -> None:
        super().__init__()
        self.name = name
        self._title = ElidedLabel(self, Qt.TextElideMode.ElideMiddle)
        self._title.say(name)
        self._problem = QLabel()
        mark(self._problem, "role", "warning")
        self._problem.setWordWrap(True)
        tip = "Put its trigger words into the prompt"
        self.words_button = small_button("sparkles", f"Trigger words of {name}", tip)
        self.words_button.setObjectName("loraWordsButton")
        self.words_button.setPopupMode(self.words_button.ToolButtonPopupMode.InstantPopup)
        self.remove_button = small_button("x", f"Remove {name}", "Take it out")
        self.remove_button.setObjectName("loraRemoveButton")
        for button in (self.words_button, self.remove_button):
            mark(button, "ghost", True)
        self.number = NumberEditor(WEIGHT)
        self.number.set_value(weight)
        self.number.spin.setAccessibleName(f"Weight of {name}")
        head = QHBoxLayout()
        head.setSpacing(GRID // 2)
        head.addWidget(self._title, 1)
        head.addWidget(self.words_button)
        head.addWidget(self.remove_button)
        foot = QHBoxLayout()
        foot.setSpacing(GRID)
        if self.number.slider is not None:
            self.number.slider.setAccessibleName(f"Weight of {name}, slider")
            foot.addWidget(self.number.slider, 1)
        self.number.setFixedWidth(self.number.spin.minimumWidth() + GRID)
        foot.addWidget(self.number)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(head)
        column.addLayout(foot)
        column.addWidget(self._problem)
        self.show_asset(None, "")
        self.number.edited.connect(self.changed)
        self.remove_button.clicked.connect(self.remove_wanted)

    @property
    def weight(self) -> float:
        """How strongly it is to act."""
        return max(-WEIGHT_MAXIMUM, min(WEIGHT_MAXIMUM, float(self.number.value())))

    @property
    def problem(self) -> str:
        """What is wrong with it, "" when nothing is."""
        return "" if self._problem.isHidden() else self._problem.text()

    def show_asset(self, asset: Asset | None, family: str, others: Sequence[str] = ()) -> None:
        """Show what the library knows of it; ``None``: nothing, or that ``others`` go by its name together."""
        problem = "Not in the model folders" if asset is None else asset.problem or misfit(asset, family)
        if asset is None and others:
            problem = f"Several files have this name. Choose {' or '.join(others[:3])}."
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._title.setToolTip(wrapped(about(asset) if asset is not None else self.name))
        triggers = asset.triggers[:TRIGGERS_SHOWN] if asset is not None else ()
        self.words_button.setVisible(bool(triggers))
        menu = QMenu(self.words_button)
        for word in triggers:
            action = QAction(word.replace("&", "&&"), menu)
            action.triggered.connect(lambda _checked=False, word=word: self.words_wanted.emit(word))
            menu.addAction(action)
        self.words_button.setMenu(menu)


_WITHOUT: Final = {
    FieldKind.VAE: (VAE, Choice("", OWN_VAE, "As the model was made.")),
    FieldKind.DETECTOR: (DETECTOR, Choice("", ANY_DETECTOR, "The first of the library.")),
    FieldKind.UPSCALER: (UPSCALER, Choice("", LANCZOS, "Computed, without a network: quick, and adds nothing.")),
}
"""Kind of a parameter -> kind of the files it offers, and what is chosen when none of them is."""


class AssetEditor(ChoiceEditor):
    """One file of the library or none: the VAE or the model's own, the upscaler or Lanczos."""

    def __init__(self, row: Parameter) -> None:
        super().__init__(row)
        self.asset_kind, self._without = _WITHOUT[row.kind]
        self.set_assets((), "")

    def set_assets(self, assets: Sequence[Asset], family: str) -> None:
        """Offer these files; those of another family than the model's are shown and cannot be chosen."""
        unfit = frozenset(asset.key for asset in assets if misfit(asset, family) or asset.problem)
        always = {choice.value for choice in self.row.choices}
        choices = [
            Choice(asset.key, asset.key if "/" in asset.key else asset.name, about(asset))
            for asset in assets
            if asset.key not in always
        ]
        self.set_choices([self._without, *self.row.choices, *choices], unfit)


def misfit(asset: Asset, family: str) -> str:
    """Return why an asset cannot be used with models of a family, "" when it can or nobody knows."""
    if not family or not asset.family or asset.family == family:
        return ""
    return f"Made for {asset.family_title}" if asset.family in FAMILY_BY_KEY else "Made for another kind of model"


def about(asset: Asset) -> str:
    """Return a sentence about an asset, for tooltips."""
    what = asset.family_title or asset.network
    parts = (what, asset.base, f"{asset.size_bytes / 1e6:,.0f} MB", asset.problem, str(asset.path))
    return ". ".join(part for part in parts if part)


def offer(editors: Mapping[str, Editor], assets: Sequence[Asset], family: str) -> None:
    """Hand every editor of these the assets of its kind."""
    for editor in editors.values():
        if isinstance(editor, LoraEditor):
            editor.set_assets([asset for asset in assets if asset.kind == LORA], family)
        elif isinstance(editor, AssetEditor):
            editor.set_assets([asset for asset in assets if asset.kind == editor.asset_kind], family)
