"""What every page may read of the studio around it, and ask of it; no page knows the window itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sdstudio.background.controller import JobController
from sdstudio.background.model_works import ModelWorkRunner
from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.events import EngineStatus
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import StudioPaths
from sdstudio.core.settings import Settings
from sdstudio.history.store import Entry, History
from sdstudio.library.library import Library
from sdstudio.ui.undo import Undos

Tone = Literal["info", "warning", "error"]
Ways = Sequence[tuple[str, Callable[[], object]]]
"""Buttons of a message: their titles and what they do."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the window works with, built by ``app``."""

    paths: StudioPaths
    library: Library
    history: History
    controller: JobController
    tasks: TaskRunner
    model_work: ModelWorkRunner


class Page(Protocol):
    """One page: built when it is first opened, and then kept."""

    @property
    def widget(self) -> QWidget:
        """What is seen."""

    @property
    def first(self) -> QWidget:
        """What takes the keys when the page is opened."""

    def opened(self) -> None:
        """The page is seen now."""

    def left(self) -> None:
        """Another page is seen."""

    def close(self) -> None:
        """The window closes: nothing is begun any more."""

    def state(self) -> Mapping[str, object]:
        """Return what is to be remembered for the next start."""

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered, where it makes sense."""


class WidgetPage:
    """A page that is one widget, and has nothing to do when it is opened or left, and nothing to remember."""

    def __init__(self, widget: QWidget, first: QWidget | None = None) -> None:
        self.widget = widget
        self.first = first or widget

    def opened(self) -> None:
        """The page is seen now."""

    def left(self) -> None:
        """Another page is seen."""

    def close(self) -> None:
        """The window closes."""

    def state(self) -> Mapping[str, object]:
        """Return what is to be remembered for the next start."""
        return {}

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered."""


class Shell(QObject):
    """What the pages share.

    Args:
        over: The widget that dialogs belong to.
        settings: As they were loaded.
    """

    #: A page is to be opened; carries its key.
    page_wanted = Signal(str)
    #: The Create page should be seen now, above all: parameters were put there, or a message stands there.
    attention_wanted = Signal()
    #: The user changed the settings; carries the new `Settings`.
    settings_changed = TypedSignal[Settings]()
    #: What the engine runs on has changed; carries the `EngineStatus`.
    status_changed = TypedSignal[EngineStatus]()
    #: A message about the studio as a whole is to be shown: text, tone, and buttons with what they do.
    message_wanted = TypedSignal[str, Tone, Ways]()
    #: How far work beside the drawing is; "" when it has ended.
    side_work_changed = Signal(str)
    #: The models are to be looked for again.
    rescan_wanted = Signal()
    #: Looking for models began, or ended.
    scanning = Signal(bool)
    #: The models were looked for; carries all there are.
    models_read = TypedSignal[tuple[ModelInfo, ...]]()
    #: What is known of the models beside what they are was changed: covers, favourites, defaults.
    remarks_changed = Signal()
    #: A model is to be drawn with; carries its key.
    model_wanted = Signal(str)
    #: Words are to be put into the prompt.
    words_wanted = Signal(str)

    def __init__(self, over: QWidget, settings: Settings) -> None:
        super().__init__(over)
        self.over = over
        self._settings = settings
        self.undos = Undos(self)
        self.undos.failed.connect(lambda error: self.say(str(error), "error"))
        self._status: EngineStatus | None = None
        #: Returns the model that is drawn with.
        self.model_of: Callable[[], ModelInfo | None] = lambda: None
        #: Returns the picture that is looked at.
        self.entry_of: Callable[[], Entry | None] = lambda: None
        #: Returns the parameters as they stand now, by their names.
        self.values_of: Callable[[], Mapping[str, Any]] = dict
        #: Returns an entry with its model as the library knows it; pictures of other programs name it their way.
        self.recall: Callable[[Entry], Entry] = lambda entry: entry

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings

    @property
    def model(self) -> ModelInfo | None:
        """The model that is drawn with."""
        return self.model_of()

    @property
    def entry(self) -> Entry | None:
        """The picture that is looked at."""
        return self.entry_of()

    @property
    def status(self) -> EngineStatus | None:
        """What the engine runs on, ``None`` until it is known."""
        return self._status

    def take_status(self, status: EngineStatus) -> None:
        """The engine stands, or holds another model."""
        self._status = status
        self.status_changed.emit(status)

    def take_settings(self, settings: Settings) -> None:
        """Use changed settings, and emit them."""
        self._settings = settings
        self.settings_changed.emit(settings)

    def say(
        self,
        text: str,
        tone: Tone = "info",
        actions: Ways = (),
    ) -> None:
        """Show a message about the studio as a whole."""
        self.message_wanted.emit(text, tone, tuple(actions))

    def rescan(self) -> None:
        """Look for models again, in the background."""
        self.rescan_wanted.emit()
