"""Who opens the windows for merging and converting from the Library page, and passes on how far they are."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sdstudio.background.model_works import Workshop
from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.library.library import Library
from sdstudio.ui.pages.library.model_works.convert_dialog import ConvertDialog
from sdstudio.ui.pages.library.model_works.merge_dialog import MergeDialog
from sdstudio.ui.pages.library.page import ModelManager


class WorkDesk(QObject):
    """Two buttons on the Library page and the window behind each, built when it is first wished for.

    Args:
        page: The Library page.
        workshop: Who does the work.
        library: Whose checkpoints are offered.
        models_folder: Where results go.
        window: The windows' parent.
    """

    #: What is being done and how far it is, for the window around it; "" when it has ended.
    told = Signal(str)

    def __init__(
        self, page: ModelManager, workshop: Workshop, library: Library, models_folder: Path, window: QWidget
    ) -> None:
        super().__init__(window)
        self._page = page
        self._workshop = workshop
        self._library = library
        self._models_folder = models_folder
        self._window = window
        self._dialogs: dict[type, MergeDialog | ConvertDialog] = {}
        self.merge_button = page.add_action("mergeButton", "Merge…", "git-merge", lambda: self.open(MergeDialog))
        self.convert_button = page.add_action(
            "convertButton", "Convert…", "arrow-left-right", lambda: self.open(ConvertDialog)
        )
        self.merge_button.setToolTip("Mix two checkpoints, or add the difference of two to a third")
        self.convert_button.setToolTip("Write a model as a single file or a folder, or in half precision")

    def open(self, kind: type[MergeDialog] | type[ConvertDialog]) -> MergeDialog | ConvertDialog:
        """Open one of the windows, or bring it forward, with the model that is looked at on the page."""
        dialog = self._dialogs.get(kind)
        if dialog is None:
            dialog = self._dialogs[kind] = kind(self._workshop, self._models_folder, self._window)
            doing = "Merging" if kind is MergeDialog else "Converting"
            dialog.told.connect(lambda said: self.told.emit(f"{doing} {said}" if said else ""))
        self.show_models()
        seen = self._page.models.current
        if seen is not None and seen.asset.kind == CHECKPOINT and not dialog.running:
            dialog.choose(seen.asset.key)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def show_models(self) -> None:
        """Offer the checkpoints that there are now."""
        assets = self._library.assets(CHECKPOINT)
        for dialog in self._dialogs.values():
            dialog.set_models(assets)
