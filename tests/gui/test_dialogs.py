"""Every dialog of the program: buttons in one order, the platform's; Enter presses the default one; one margin."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

import sdstudio.ui
from sdstudio.app import Studio
from sdstudio.background.verifying import Verifier
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.foreign.reading import Reading
from sdstudio.jobs.job import Group, groups_of
from sdstudio.ui.entry_tools.care_dialog import CareDialog
from sdstudio.ui.entry_tools.detail_dialog import DetailDialog
from sdstudio.ui.entry_tools.export_dialog import ExportDialog
from sdstudio.ui.entry_tools.import_dialog import ImportDialog
from sdstudio.ui.entry_tools.picture_dialog import PictureDialog
from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog
from sdstudio.ui.entry_tools.verify_window import VerifyWindow
from sdstudio.ui.pages.create.models.programs_dialog import ProgramsDialog
from sdstudio.ui.pages.create.presets.dialog import PresetDialog
from sdstudio.ui.pages.create.presets.keeper import PresetKeeper
from sdstudio.ui.pages.create.presets.save_dialog import PresetSaveDialog
from sdstudio.ui.pages.create.prompt.builder_dialog import PromptBuilder
from sdstudio.ui.pages.create.prompt.past_prompts_dialog import PastPrompts
from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog
from sdstudio.ui.pages.create.queue.job_details import JobDetails
from sdstudio.ui.pages.library.model_works.convert_dialog import ConvertDialog
from sdstudio.ui.pages.library.model_works.merge_dialog import MergeDialog
from sdstudio.ui.widgets.dialog_foot import ALSO, BACK, CLOSE, DO, MARGIN, STOP
from sdstudio.ui.window.about_dialog import AboutDialog
from sdstudio.ui.window.closing_dialog import ClosingDialog
from sdstudio.ui.window.settings_dialog import SettingsDialog

WINDOWS = {"CompareWindow", "GridWindow", "CommandPalette", "ShortcutList"}
"""Show pictures or lists and have no foot with an answer."""
BASES = {"WorkDialog"}
RECIPE = Recipe(app="test", request=GenerationRequest(prompt="heart", width=64, height=64, seed=1))

Make = Callable[[Studio, Path], QDialog]
DIALOGS: dict[str, Make] = {
    "AboutDialog": lambda studio, _: AboutDialog(studio.paths, None),
    "CareDialog": lambda studio, _: CareDialog(studio.history, studio.tasks),
    "ClosingDialog": lambda studio, _: ClosingDialog(["1 picture"], True, False, studio.window),
    "ConvertDialog": lambda studio, path: ConvertDialog(_workshop(studio), path),
    "ExportDialog": lambda studio, _: ExportDialog(studio.tasks),
    "ImportDialog": lambda studio, _: ImportDialog(studio.history, studio.tasks, lambda _recipe: None),
    "JobDetails": lambda studio, _: JobDetails(_group(studio)),
    "MergeDialog": lambda studio, path: MergeDialog(_workshop(studio), path),
    "PastPrompts": lambda _studio, _: PastPrompts(lambda _query, told: told([])),
    "PictureDialog": lambda _studio, path: PictureDialog(
        path / "a.png", Reading("", RECIPE), Image.new("RGB", (64, 64)), None
    ),
    "PresetDialog": lambda studio, _: PresetDialog(_presets(studio), studio.window),
    "PresetSaveDialog": lambda studio, _: PresetSaveDialog(_presets(studio).held(), [], studio.window),
    "ProgramsDialog": lambda _studio, _: ProgramsDialog(),
    "PromptBuilder": lambda _studio, _: PromptBuilder(),
    "SettingsDialog": lambda _studio, _: SettingsDialog(Settings()),
    "StyleDialog": lambda studio, _: StyleDialog(StyleBook.of_styles(studio.paths), "Styles", "style", True),
    "DetailDialog": lambda studio, _: DetailDialog(InputPictures(studio.paths), studio.tasks, lambda entry: None),
    "UpscaleDialog": lambda studio, _: UpscaleDialog(InputPictures(studio.paths), studio.tasks),
    "VerifyWindow": lambda studio, _: VerifyWindow(Verifier(studio.worker)),
}


def _workshop(studio: Studio) -> Any:
    from sdstudio.background.model_works import ModelWorkRunner

    return ModelWorkRunner(studio.tasks, studio.library.hash_asset, lambda: None, studio.tasks)


def _presets(studio: Studio) -> PresetKeeper:
    [keeper] = studio.window.findChildren(PresetKeeper)
    return keeper


def _group(studio: Studio) -> Group:
    studio.controller.pause()
    job = studio.controller.submit(RECIPE.request, RunOptions())
    [group] = groups_of([job])
    return group


@pytest.fixture
def opened(studio: Studio, qtbot: Any, tmp_path: Path) -> Callable[[str], QDialog]:
    def make(name: str) -> QDialog:
        dialog = DIALOGS[name](studio, tmp_path)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        qtbot.addWidget(dialog)
        with qtbot.waitExposed(dialog):
            dialog.show()
        QApplication.processEvents()
        return dialog

    return make


def foot_of(dialog: QDialog) -> QDialogButtonBox:
    [box] = dialog.findChildren(QDialogButtonBox)
    return box


def test_no_dialog_is_forgotten_here() -> None:
    for module in pkgutil.iter_modules(sdstudio.ui.__path__):
        importlib.import_module(f"sdstudio.ui.{module.name}")
    found, waiting = set(), [QDialog]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("sdstudio.ui"):
                found.add(kind.__name__)
    assert set(DIALOGS) <= found <= {*DIALOGS, *WINDOWS, *BASES}


def test_buttons_stand_in_the_order_of_the_platform(opened: Callable[[str], QDialog], qtbot: Any) -> None:
    platform = QDialogButtonBox()
    qtbot.addWidget(platform)
    for role in (DO, ALSO, STOP, CLOSE, BACK):
        platform.addButton(QPushButton(role.name), role)
    platform.show()
    QApplication.processEvents()

    def roles(box: QDialogButtonBox) -> list[Any]:
        shown = [button for button in box.buttons() if button.isVisible()]
        return [box.buttonRole(button) for button in sorted(shown, key=lambda button: button.x())]

    order = roles(platform)
    assert len(order) == 5
    for name in DIALOGS:
        dialog = opened(name)
        own = roles(foot_of(dialog))
        assert own == sorted(own, key=order.index), name
        assert CLOSE in own, name


def test_enter_presses_the_default_button(opened: Callable[[str], QDialog], tmp_path: Path) -> None:
    for name in DIALOGS:
        dialog = opened(name)
        if isinstance(dialog, CareDialog):
            dialog.target_edit.setText(str(tmp_path / "backup.zip"))
        focus = dialog.focusWidget()
        if isinstance(focus, QPushButton | QToolButton):
            focus.clearFocus()
        buttons = dialog.findChildren(QPushButton)
        [default] = [button for button in buttons if button.isDefault() and button.isVisible()]
        pressed: list[str] = []
        default.pressed.connect(lambda pressed=pressed: pressed.append(""))
        is_enabled = default.isEnabled()
        QTest.keyClick(dialog, Qt.Key.Key_Return)
        assert len(pressed) == int(is_enabled), name


def test_enter_presses_the_button_with_the_focus(opened: Callable[[str], QDialog]) -> None:
    for name in DIALOGS:
        dialog = opened(name)
        box = foot_of(dialog)
        [close] = [button for button in box.buttons() if box.buttonRole(button) == CLOSE]
        close.setFocus()
        QTest.keyClick(close, Qt.Key.Key_Return)
        assert not dialog.isVisible(), name


def test_all_have_one_margin_and_their_foot_last(opened: Callable[[str], QDialog]) -> None:
    for name in DIALOGS:
        dialog = opened(name)
        box = foot_of(dialog)
        corner = box.mapTo(dialog, QPoint(box.width(), box.height()))
        assert (dialog.width() - corner.x(), dialog.height() - corner.y()) == (MARGIN, MARGIN), name
        lefts = [child.mapTo(dialog, QPoint()).x() for child in dialog.findChildren(QWidget) if child.isVisible()]
        assert min(lefts) in (MARGIN, 0), name  # what scrolls goes to the edge
        in_foot = [box.isAncestorOf(stop) for stop in stops_of(dialog)]
        if name not in ("ConvertDialog", "MergeDialog"):  # begin at a field by themselves
            assert in_foot == sorted(in_foot), name
        if not all(in_foot):
            assert not box.isAncestorOf(dialog.focusWidget()), name


def stops_of(dialog: QDialog) -> list[QWidget]:
    """Return where Tab stops, in its order."""
    stops: list[QWidget] = []
    at = dialog.nextInFocusChain()
    while at is not dialog:
        if at.isVisible() and at.isEnabled() and at.focusPolicy() & Qt.FocusPolicy.TabFocus:
            stops.append(at)
        at = at.nextInFocusChain()
    return stops


def test_no_heading_shouts(studio: Studio, qtbot: Any, opened: Callable[[str], QDialog]) -> None:
    window = studio.window
    for page in ("Library", "History", "Learn", "Create"):
        window.pages.open(page)
    library = window.library_controller.page
    qtbot.waitUntil(lambda: library.models.details.shown is not None, timeout=20_000)
    roots = [window, *(opened(name) for name in DIALOGS)]
    texts = {label.text() for root in roots for label in root.findChildren(QLabel)}
    texts |= {button.text() for root in roots for button in root.findChildren(QPushButton)}
    assert {"Facts", "Notes", "Default parameters"} <= texts
    assert [text for text in texts if text.isupper() and sum(map(str.isalpha, text)) > 4] == []
    sheet = QApplication.instance().styleSheet()
    assert "text-transform" not in sheet
    assert "uppercase" not in sheet
