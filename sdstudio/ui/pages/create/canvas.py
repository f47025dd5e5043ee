"""The middle of the studio: examples to start from, the picture while it forms, then the picture and its actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QImage, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QStackedWidget, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.events import Decoding, EngineEvent, StepDone
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry
from sdstudio.jobs.progress import progress_of
from sdstudio.jobs.queue import Job
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.caption import PictureCaption
from sdstudio.ui.entries.keys import pressed_key
from sdstudio.ui.entries.picture_loader import LoadedPicture
from sdstudio.ui.pages.create.batch_strip import BatchStrip
from sdstudio.ui.pages.create.canvas_picture import CanvasPicture
from sdstudio.ui.pages.create.hover_bar import HoverBar, live_button
from sdstudio.ui.theme import GRID
from sdstudio.ui.widgets.empty_state import EmptyState
from sdstudio.ui.widgets.menu_buttons import unlit_after
from sdstudio.ui.widgets.picture_drag import mime_of
from sdstudio.ui.widgets.picture_view import PictureView

_LEAST_PX: Final = GRID * 12
"""The canvas gives way before the prompt does, whose buttons must not be cut."""
_HOW_TO_BEGIN: Final = "Type a prompt below: the subject first, then style, light and background."
_LOW_PX: Final = 320
"""A canvas lower than this has smaller thumbnails in its strip."""


class Canvas(QWidget):
    """Shows one thing: nothing yet, the running job, or an entry of the history.

    A running job is followed until the user looks at something else; `follow` goes back to it. When a job leaves no
    picture, the one before it is shown again. Strip and caption keep their places: nothing moves when they come.
    """

    #: An example prompt was pressed; carries it.
    example_chosen = Signal(str)
    #: Another entry is shown; carries it, or None.
    entry_changed = TypedSignal[Entry | None]()
    #: The user wants to see a picture, or the one that is made.
    looked = Signal()

    def __init__(self, actions: EntryActions, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._actions = actions
        self._entry: Entry | None = None
        #: Returns pictures of the history as what is dragged.
        self.mime_of: Callable[[Sequence[Entry]], QMimeData] = mime_of
        self._job: Job | None = None
        self._made: list[Entry] = []
        self._count = 0
        self._before: tuple[Entry, tuple[Entry, ...]] | None = None
        self._doing = ""
        self._followed = True
        self._last_event: EngineEvent | None = None
        #: Returns what a request begins from, in the shape of what is to be drawn; ``None`` when it begins from noise.
        self.first_look: Callable[[GenerationRequest], QImage | None] = lambda _request: None
        #: Returns how large the picture of a request will be.
        self.size_of: Callable[[GenerationRequest], tuple[int, int]] = lambda request: request.made_size
        self.empty = EmptyState("image", "What shall we draw?", "", self)
        self.empty.chosen.connect(self.example_chosen)
        self.view = PictureView(self)
        self.view.setAccessibleName("Picture")
        self.view.setMinimumSize(160, GRID)
        self._picture = CanvasPicture(self.view, tasks)
        self.view.drag_out_started.connect(self._on_drag_out_started)
        self.view.menu_requested.connect(self._on_menu_requested)
        self.view.zoom_changed.connect(self._on_zoom_changed)
        self.view.double_clicked.connect(lambda _where: self._open())
        self.strip = BatchStrip(self)
        self.strip.opened.connect(lambda _entry: self._open())
        self.strip.chosen.connect(self._on_strip_chosen)
        self.caption = PictureCaption(actions, self)
        self.caption.menu_requested.connect(self._on_menu_requested)
        self._filled = QWidget(self)
        filled = QVBoxLayout(self._filled)
        filled.setContentsMargins(0, 0, 0, 0)
        filled.setSpacing(0)
        filled.addWidget(self.view, 1)
        filled.addWidget(self.strip)
        filled.addWidget(self.caption)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._filled)
        self._stack.setMinimumSize(160, _LEAST_PX)  # whatever words the empty place holds
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._bar = HoverBar(actions, self)
        self._live = live_button(self)
        self._live.clicked.connect(self.follow)
        self._zoom_label = QLabel(self)
        self._zoom_label.setProperty("role", "pill")
        self._zoom_label.hide()
        self.view.installEventFilter(self)
        self._bar.installEventFilter(self)

    @property
    def entry(self) -> Entry | None:
        """The entry that is shown, ``None`` for a running job or nothing."""
        return self._entry

    @property
    def request(self) -> GenerationRequest | None:
        """What the picture that is shown or awaited is drawn from, ``None`` for none."""
        if self._entry is not None:
            return self._entry.recipe.request
        return self._job.request if self._job is not None else None

    @property
    def job_id(self) -> int | None:
        """The job whose picture is awaited here, ``None`` for none."""
        return self._job.id if self._job is not None else None

    @property
    def follows(self) -> bool:
        """Whether the running job, or the next one, is shown."""
        return self._followed

    def set_examples(self, model_name: str, examples: Sequence[str]) -> None:
        """Offer prompts that the chosen model draws well."""
        offer = f"Type a prompt below, or start from one that {model_name} draws well."
        self.empty.say("What shall we draw?", offer if examples else _HOW_TO_BEGIN)
        self.empty.suggest(list(examples)[:3], "sparkles")

    def begin(self, job: Job, doing: str = "", count: int = 0, made: Sequence[Entry] = ()) -> None:
        """A job has started: keep its picture's place, with what is being done written on it.

        Args:
            job: Of a press of Generate, which has one strip, however many jobs it is.
            doing: What is being done.
            count: How many pictures the press of Generate is about; default: as many as the job.
            made: Those of them that are there already.
        """
        self._job = job
        self._doing = doing
        self._count = count or job.count
        self._made = list(made)
        self._last_event = None
        if self._followed:
            self._show_place()
        self._update_live()

    def go_on(self, job: Job) -> None:
        """The next job of the same press of Generate has started: the last picture stays until there is more to see."""
        self._job = job
        self._last_event = None

    def show_event(self, job_id: int, event: EngineEvent) -> None:
        """Show how the running job goes on."""
        if self._job is None or self._job.id != job_id:
            return
        self._last_event = event
        if self._followed:
            self._draw_event(event)

    def add_picture(self, entry: Entry) -> None:
        """A picture of the running job is saved."""
        if self._job is None or entry.job_id != self._job.id or any(made.id == entry.id for made in self._made):
            return
        self._made.append(entry)
        if self._strip_is_of(self._job):
            self.strip.add(entry, choose=self._followed)
        if self._followed:
            self._show(entry, was_awaited=True)

    def finish(self, job: Job) -> None:
        """A job has ended, one way or another."""
        if self._job is None or self._job.id != job.id:
            return
        if self._strip_is_of(job):
            self.strip.finish()
        self._job = None
        self._last_event = None
        if self._followed and self._entry is None:  # the picture that was being made will not come
            if self._made:
                self._show(self._made[-1])
            else:
                self._show_before()
        self._update_live()

    def follow(self) -> None:
        """Show the running job, or the next one when it starts."""
        self._followed = True
        self.looked.emit()
        if self._job is not None:
            self._show_place()
            if self._last_event is not None:
                self._draw_event(self._last_event)
        self._update_live()

    def show_entry(self, entry: Entry) -> None:
        """Show a picture of the history."""
        self._followed = self._job is None
        self.looked.emit()
        self.strip.begin(0)
        self._show(entry)
        self._update_live()

    def show_pictures(self, entries: Sequence[Entry]) -> None:
        """Show pictures that came together: the last of them, all in the strip."""
        self.show_entry(entries[-1])
        self.strip.begin(len(entries))
        for entry in entries:
            self.strip.add(entry)

    def show_nothing(self) -> None:
        """Show the examples."""
        self.view.clear()
        self.strip.begin(0)
        self._before = None
        self._stack.setCurrentWidget(self.empty)
        self._set_entry(None)
        self._place_overlays()

    def show_at_start(self, entry: Entry, picture: LoadedPicture) -> bool:
        """Show the picture the user saw last, unless there is something to see already; return whether it is shown."""
        if self._job is not None or self._stack.currentWidget() is not self.empty:
            return False
        self._show(entry, picture)
        return True

    def renew(self, entries: Sequence[Entry]) -> None:
        """Marks of these entries changed."""
        for entry in entries:
            self.strip.renew(entry)
            self._made = [entry if made.id == entry.id else made for made in self._made]
            if self._entry is not None and self._entry.id == entry.id:
                self._set_entry(entry)

    def forget(self, ids: Sequence[int], instead: Entry | None = None) -> None:
        """Entries were deleted; ``instead`` takes the place of the one shown, where its job left no other."""
        for entry_id in ids:
            self.strip.remove(entry_id)
        self._made = [made for made in self._made if made.id not in ids]
        if self._before is not None:
            left = tuple(each for each in self._before[1] if each.id not in ids)
            shown = self._before[0] if self._before[0].id not in ids else left[-1] if left else None
            self._before = None if shown is None else (shown, left)
        if self._entry is not None and self._entry.id in ids:
            if self.strip.entries:
                self.strip.choose(self.strip.current)
            elif instead is not None:
                self.show_entry(instead)
            else:
                self.show_nothing()

    # what is shown

    def _show_place(self) -> None:
        assert self._job is not None
        request = self._job.request
        if self._entry is not None:
            self._before = self._entry, self.strip.entries
        self._set_entry(None)
        self.strip.begin(self._count, self._job.group_id)
        for entry in self._made:
            self.strip.add(entry)
        self._stack.setCurrentWidget(self._filled)
        self.view.reserve(QSize(*self.size_of(request)), self._doing)
        self.view.lay_under(self.first_look(request))
        self._place_overlays()

    def _draw_event(self, event: EngineEvent) -> None:
        if isinstance(event, StepDone) and event.preview is not None:
            self._set_entry(None)
            self._bar.hide()
            self.view.set_preview(event.preview)
            return
        progress = progress_of(event)
        is_covered = self.view.has_preview and isinstance(event, StepDone | Decoding)
        if progress is not None and progress.caption and not is_covered:
            self.view.set_caption(progress.caption)

    def _show_before(self) -> None:
        """Show what was seen before the job that left nothing."""
        if self._before is None:
            self.show_nothing()
            return
        shown, siblings = self._before
        self.strip.begin(len(siblings))
        for entry in siblings:
            self.strip.add(entry, choose=False)
        self.strip.mark(shown.id)
        self._show(shown)

    def _show(self, entry: Entry, picture: LoadedPicture | None = None, was_awaited: bool = False) -> None:
        self._stack.setCurrentWidget(self._filled)
        self._picture.show(entry, self._entry, picture, was_awaited)
        self.view.setAccessibleDescription(entry.recipe.request.prompt)
        self._set_entry(entry)
        self._place_overlays()

    def _strip_is_of(self, job: Job) -> bool:
        return self.strip.group_id == job.group_id

    def _set_entry(self, entry: Entry | None) -> None:
        self._entry = entry
        if entry is None:
            self._picture.stop()
        self._bar.set_entry(entry)
        self.caption.show_entry(entry)
        self.entry_changed.emit(entry)

    def _update_live(self) -> None:
        self._live.setVisible(self._job is not None and not self._followed)
        self._place_overlays()

    # overlays

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Show the hover bar while the pointer is over the picture."""
        if event.type() in (QEvent.Type.Enter, QEvent.Type.MouseMove) and self._bar.isHidden():
            self._bar.setVisible(self._bar.suits(self.view.covered_rect()))
            self._place_overlays()
        elif event.type() == QEvent.Type.Leave and watched is self.view and not self._bar.underMouse():
            self._bar.hide()
        return super().eventFilter(watched, event)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Return False: the wrapped words of the empty place would claim room that the buttons below need."""
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the overlays in their corners."""
        super().resizeEvent(event)
        self.strip.set_low(self.height() < _LOW_PX)
        self.caption.fit_below(self.height())
        self._place_overlays()

    def _place_overlays(self) -> None:
        area = self._stack.geometry()
        if self._stack.currentWidget() is self._filled:
            area.setHeight(self.view.height())
        self._bar.fit_into(area.width() - 2 * GRID)
        for overlay in (self._bar, self._live, self._zoom_label):
            overlay.adjustSize()
            overlay.raise_()
        picture = self.view.covered_rect().toRect()
        low = min(picture.bottom() - self._bar.height() - GRID, area.bottom() - self._bar.height() - GRID)
        self._bar.move(area.center().x() - self._bar.width() // 2, max(area.top() + GRID, low))
        self._live.move(area.center().x() - self._live.width() // 2, area.top() + GRID)
        corner = QPoint(
            area.right() - self._zoom_label.width() - GRID, area.bottom() - self._zoom_label.height() - GRID
        )
        self._zoom_label.move(corner)

    def _on_zoom_changed(self, zoom: float) -> None:
        self._zoom_label.setText(f"{zoom:.0%}")
        self._zoom_label.setVisible(not self.view.is_fitted)
        self._place_overlays()

    # the hand

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """The keys that the menu shows work wherever in the canvas the focus is."""
        key = pressed_key(event)
        if self._entry is None or not key or not self._actions.press(key, [self._entry]):
            super().keyPressEvent(event)

    def _open(self) -> None:
        if self._entry is not None:
            self._actions.ask("look", [self._entry])

    def _on_strip_chosen(self, entry: Entry) -> None:
        self._followed = self._job is None
        self._show(entry)
        self._update_live()

    def _on_menu_requested(self, position: QPoint) -> None:
        if self._entry is not None:
            menu = self._actions.menu([self._entry], self)
            unlit_after(menu, self.caption.more)
            menu.popup(position)

    def _on_drag_out_started(self) -> None:
        if self._entry is None:
            return
        mime = self.mime_of([self._entry])
        if not mime.hasImage():
            mime.setImageData(self.view.picture)
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.setPixmap(
            QPixmap(str(self._entry.thumbnail)).scaledToHeight(96, Qt.TransformationMode.SmoothTransformation)
        )
        drag.exec(Qt.DropAction.CopyAction)
