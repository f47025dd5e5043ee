"""What comes into the studio and goes out: dropped files, imports, exports, copies, backups; a dialog for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PySide6.QtCore import QMimeData, QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import SaveFailed, StudioError
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.pictures.opening import ENDINGS, OPEN_FILTER, shown
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.store import Entry
from sdstudio.library.recall import model_of, recalled
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.bare_copies import BareCopies
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.desktop import copy_picture
from sdstudio.ui.widgets.message_bar import MessageAction, MessageBar
from sdstudio.ui.widgets.picture_drag import files_of, mime_of
from sdstudio.ui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from sdstudio.ui.entry_tools.care_dialog import CareDialog
    from sdstudio.ui.entry_tools.export_dialog import ExportDialog
    from sdstudio.ui.entry_tools.import_dialog import ImportDialog


class Exchange(QObject):
    """Opens the dialogs, each built when it is first needed, and reads what is dropped in the background.

    Args:
        services: The library for the models that pictures name, the history, and where the work is done.
        shell: What is around it; shows what went wrong.
        message: Shows what else can be done with a picture that records nothing.
        status: Shows what was done.
        actions: Those that copy, save and export are done here.
    """

    #: A picture's parameters are to be used; carries its `Reading` and what it is called.
    use_requested = TypedSignal[Reading, str]()
    #: The next pictures are to begin from a file; carries its path.
    input_wanted = TypedSignal[Path]()
    #: Entries came into the history or left it.
    history_changed = Signal()

    def __init__(
        self, services: Services, shell: Shell, message: MessageBar, status: StatusLine, actions: EntryActions
    ) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._window = shell.over
        self._library = services.library
        self._history = services.history
        self._tasks = services.tasks
        self._message = message
        self._status = status
        self._import: ImportDialog | None = None
        self._export: ExportDialog | None = None
        self._care: CareDialog | None = None
        self._bare = BareCopies()
        self._said_here = ""
        actions.handle("export", self.export)
        actions.handle("save_as", lambda entries: self.ask_where_to_save(entries[0]))
        actions.handle("copy", lambda entries: self.copy(entries[0]))
        shell.recall = self.recalled_entry

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {
            "import_pictures": self.ask_for_pictures, "import_folder": self.ask_for_folder, "care": self.open_care,
        }  # fmt: skip

    @property
    def _copies_tell(self) -> bool:
        """Whether copies record how they were made."""
        return self._shell.settings.copies_tell

    # coming in

    def takes(self, mime: QMimeData) -> bool:
        """Return whether pictures or folders are among what is dragged."""
        return any(path.suffix.lower() in ENDINGS or path.is_dir() for path in self.paths_of(mime))

    def paths_of(self, mime: QMimeData) -> list[Path]:
        """Return the local files and folders among what is dragged."""
        return files_of(mime)

    def take(self, paths: Sequence[Path]) -> None:
        """Take what was dropped: one picture is shown with all it records, more are imported."""
        if len(paths) == 1 and not paths[0].is_dir():
            self.show_picture(paths[0])
        elif paths:
            self.import_paths(paths)

    def show_picture(self, path: Path) -> None:
        """Read one picture, and show what it records."""

        def work(_task: object) -> tuple[Reading | None, Image.Image]:
            from sdstudio.history.picture_text.foreign.reading import examine_picture  # noqa: PLC0415 (brings in all readers)

            return examine_picture(path)

        self._tasks.run("Reading a picture", work, partial(self._on_read, path), self._on_unreadable)

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Import files and folders."""
        dialog = self._import_dialog()
        bring_forward(dialog)
        dialog.take(paths)

    def ask_for_pictures(self) -> None:
        """Let the user choose pictures to import."""
        dialog = self._file_dialog("Import pictures", OPEN_FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(lambda names: self.import_paths([Path(name) for name in names]))
        dialog.open()

    def ask_for_folder(self) -> None:
        """Let the user choose a folder of pictures to import."""
        choose_folder(self._window, "Import a folder of pictures", lambda folder: self.import_paths([folder]))

    def _on_read(self, path: Path, came: tuple[Reading | None, Image.Image]) -> None:
        from sdstudio.ui.entry_tools.picture_dialog import PictureDialog  # noqa: PLC0415 (not needed to show the window)

        reading, small = came
        name = shown(path.name)
        if reading is None:
            text = f"{name}: no generation parameters found."
            self._say_here(text, [("Use as input", lambda: self.input_wanted.emit(path))])
            return
        dialog = PictureDialog(path, reading, small, self.model_of(reading.recipe), self._window)
        dialog.use_requested.connect(lambda reading: self.use_requested.emit(self.recalled_reading(reading), name))
        dialog.input_requested.connect(self.input_wanted)
        dialog.import_requested.connect(lambda chosen: self.import_paths([chosen]))
        dialog.show()

    def _on_unreadable(self, error: StudioError) -> None:
        self._say_here(str(error))

    def _say_here(self, said: str, ways: Sequence[MessageAction] = ()) -> None:
        """Show what concerns the page on which a picture was dropped; see `take_back`."""
        self._message.say(said, "warning", ways)
        self._said_here = self._message.message

    def take_back(self) -> None:
        """Hide the message about a dropped picture: another page is opened."""
        if self._said_here and self._message.message == self._said_here:
            self._message.dismiss()
        self._said_here = ""

    # which model

    def model_of(self, recipe: Recipe) -> ModelInfo | None:
        """Return the model of the library that a recipe means, ``None`` when it is not there."""
        return model_of(self._library, recipe)

    def recalled(self, recipe: Recipe) -> Recipe:
        """Return an imported picture's recipe with its model as the library knows it; others are left as they are."""
        return recalled(self._library, recipe)

    def recalled_entry(self, entry: Entry) -> Entry:
        """Return an entry with its recipe `recalled`."""
        recipe = self.recalled(entry.recipe)
        return entry if recipe is entry.recipe else replace(entry, recipe=recipe)

    def recalled_reading(self, reading: Reading) -> Reading:
        """Return a reading with its recipe `recalled`."""
        return replace(reading, recipe=self.recalled(reading.recipe))

    # going out

    def export(self, entries: Sequence[Entry]) -> None:
        """Offer to export pictures."""
        from sdstudio.ui.entry_tools.export_dialog import ExportDialog  # noqa: PLC0415 (not needed to show the window)

        if self._export is None:
            self._export = ExportDialog(self._tasks, self._window)
            self._export.bar.text_changed.connect(self._shell.side_work_changed)
        self._export.offer(entries, self._copies_tell)
        bring_forward(self._export)

    def mime_of(self, entries: Sequence[Entry]) -> QMimeData:
        """Return pictures of the history to drag out: as they are, or bare where copies are to record nothing."""
        return mime_of(entries) if self._copies_tell else self._bare.mime_of(entries)

    def copy(self, entry: Entry) -> None:
        """Put a picture on the clipboard, bare where copies are to record nothing.

        Raises:
            SaveFailed: The file is gone.
        """
        if self._copies_tell:
            copy_picture(entry.path)
            return

        def say(error: StudioError) -> None:
            self._message.say(str(error), "error")

        def put(written: list[Path]) -> None:
            try:
                copy_picture(written[0])
            except StudioError as error:
                say(error)

        self._tasks.run("Copying a picture", lambda _task: self._bare.written([entry]), put, say)

    def ask_where_to_save(self, entry: Entry) -> None:
        """Let the user choose where a copy of a picture goes."""
        dialog = self._file_dialog("Save a copy of the picture", "PNG (*.png);;JPEG (*.jpg);;WebP (*.webp)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(entry.path.suffix.removeprefix("."))
        name = entry.path.name if self._copies_tell else f"picture-{entry.id:06d}{entry.path.suffix}"
        dialog.selectFile(str(Path.home() / name))
        dialog.fileSelected.connect(lambda target: self.save_copy(entry, Path(target)))
        dialog.open()

    def save_copy(self, entry: Entry, target: Path) -> None:
        """Save a copy in the format of its ending, with what it was made with where copies record it."""
        from sdstudio.history.exchange.export import ExportOptions, save_as  # noqa: PLC0415 (as above)
        from sdstudio.history.formats import FORMAT_BY_SUFFIX  # noqa: PLC0415 (as above)

        try:
            row = FORMAT_BY_SUFFIX.get(target.suffix.lower())
            if row is None:
                message = f"File type = {target.suffix!r}: it is not a picture format."
                raise SaveFailed(message, "Use .png, .jpg or .webp.")
            if not target.parent.is_dir():  # a drive that was taken out: a folder in its place would hide that
                raise SaveFailed(f"Could not save {target}: its folder is not there.", "Choose another folder.")
            cleaned = save_as(entry.path, entry.recipe, target, ExportOptions(row.key, 95, self._copies_tell))
        except StudioError as error:
            self._message.say(str(error), "error")
        else:
            hidden = ". Text hidden in its pixels was taken out." if cleaned else ""
            self._status.rest(f"Saved {target}{hidden}")

    # keeping whole

    def open_care(self) -> None:
        """Open backup and check."""
        from sdstudio.ui.entry_tools.care_dialog import CareDialog  # noqa: PLC0415 (not needed to show the window)

        if self._care is None:
            self._care = CareDialog(self._history, self._tasks, self._window)
            self._care.history_changed.connect(self.history_changed)
            self._care.bar.text_changed.connect(self._shell.side_work_changed)
        bring_forward(self._care)

    def _import_dialog(self) -> ImportDialog:
        from sdstudio.ui.entry_tools.import_dialog import ImportDialog  # noqa: PLC0415 (not needed to show the window)

        if self._import is None:
            self._import = ImportDialog(self._history, self._tasks, self.model_of, self._window)
            self._import.history_changed.connect(self.history_changed)
            self._import.bar.text_changed.connect(self._shell.side_work_changed)
        return self._import

    def _file_dialog(self, title: str, name_filter: str) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(Path.home()), name_filter)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog
