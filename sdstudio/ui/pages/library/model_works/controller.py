"""Who opens the windows for merging and converting from the Library page, and passes on how far they are."""

from __future__ import annotations

from PySide6.QtCore import QObject

from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.ui.pages.library.model_works.convert_dialog import ConvertDialog
from sdstudio.ui.pages.library.model_works.merge_dialog import MergeDialog
from sdstudio.ui.pages.library.page import ModelManager
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.bring_forward import bring_forward


class ModelWorksController(QObject):
    """Two buttons on the Library page and the window behind each, built when it is first opened.

    Args:
        services: Who does the work, the library whose checkpoints are offered, and where results go.
        shell: What is around the page.
        page: The Library page.
    """

    def __init__(self, services: Services, shell: Shell, page: ModelManager) -> None:
        super().__init__(shell.over)
        self._services = services
        self._shell = shell
        self._page = page
        services.model_work.made.connect(lambda _report: shell.rescan())
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
            dialog = self._dialogs[kind] = kind(
                self._services.model_work, self._services.paths.models, self._shell.over
            )
            doing = "Merging" if kind is MergeDialog else "Converting"
            dialog.text_changed.connect(
                lambda text: self._shell.side_work_changed.emit(f"{doing} {text}" if text else "")
            )
        self.show_models()
        seen = self._page.models.current
        if seen is not None and seen.asset.kind == CHECKPOINT and not dialog.running:
            dialog.choose(seen.asset.key)
        bring_forward(dialog)
        return dialog

    def show_models(self, *_: object) -> None:
        """Offer the checkpoints that there are now."""
        assets = self._services.library.assets(CHECKPOINT)
        for dialog in self._dialogs.values():
            dialog.set_models(assets)
