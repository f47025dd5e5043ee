"""The middle of the studio: examples to start from, the picture while it forms, then the picture and its actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.events import Decoding, EngineEvent, Enlarging, ModelLoading, StepDone
from sdstudio.core.request import GenerationRequest
from sdstudio.history.store import Entry
from sdstudio.jobs.queue import Job
from sdstudio.ui.batch_strip import BatchStrip
from sdstudio.ui.dragged import mime_of
from sdstudio.ui.empty_state import EmptyState
from sdstudio.ui.entry_actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.picture_view import PictureView
from sdstudio.ui.theme import GRID, mark, set_icon


class Canvas(QWidget):
    """Shows one thing: nothing yet, the running job, or an entry of the history.

    A running job is followed until the user looks at something else; `follow` goes back to it.
    """

    #: An example prompt was pressed; carries it.
    example_chosen = Signal(str)
    #: Another entry is shown; carries it, or None.
    entry_changed = Signal(object)

    def __init__(self, actions: EntryActions, parent: QWidget | None = None) -> None:
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
        self._doing = ""
        self._followed = True
        self._last_event: EngineEvent | None = None
        #: Returns what a request begins from, in the shape of what is to be drawn; ``None`` when it begins from noise.
        self.first_look: Callable[[GenerationRequest], QImage | None] = lambda _request: None
        self.empty = EmptyState("image", "What shall we draw?", "", self)
        self.empty.chosen.connect(self.example_chosen)
        self.view = PictureView(self)
        self.view.setAccessibleName("Picture")
        self.view.drag_out_started.connect(self._on_drag_out_started)
        self.view.menu_requested.connect(self._on_menu_requested)
        self.view.zoom_changed.connect(self._on_zoom_changed)
        self.strip = BatchStrip(self)
        self.strip.chosen.connect(self._on_strip_chosen)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self._stack, 1)
        self._column.addWidget(self.strip)
        self._bar = _HoverBar(actions, self)
        self._live = QPushButton("Back to the live view", self)
        self._live.setAccessibleName("Back to the live view")
        mark(self._live, "chip", True)
        set_icon(self._live, "play", "accent_text", 14)
        self._live.clicked.connect(self.follow)
        self._live.hide()
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
    def follows(self) -> bool:
        """Whether the running job, or the next one, is shown."""
        return self._followed

    def set_examples(self, model_name: str, examples: Sequence[str]) -> None:
        """Offer prompts that the chosen model draws well."""
        text = (
            f"Type a prompt below, or start from one that {model_name} draws well."
            if examples
            else ("Type a prompt below: the subject first, then style, light and background.")
        )
        self.empty.say("What shall we draw?", text)
        self.empty.suggest(list(examples)[:3], "sparkles")

    def begin(self, job: Job, doing: str = "") -> None:
        """A job has started: keep its picture's place, with what is being done written on it."""
        self._job = job
        self._doing = doing
        self._made = []
        self._last_event = None
        if self._followed:
            self._show_place()
        self._update_live()

    def show_event(self, job_id: int, event: EngineEvent) -> None:
        """Show how the running job goes on."""
        if self._job is None or self._job.id != job_id:
            return
        self._last_event = event
        if self._followed:
            self._draw_event(event)

    def add_picture(self, entry: Entry) -> None:
        """A picture of the running job is saved."""
        if self._job is None or entry.job_id != self._job.id:
            return
        self._made.append(entry)
        if self._strip_is_of(self._job.id):
            self.strip.add(entry, choose=self._followed)
        if self._followed:
            self._show(entry)

    def finish(self, job: Job) -> None:
        """A job has ended, one way or another."""
        if self._job is None or self._job.id != job.id:
            return
        if self._strip_is_of(job.id):
            self.strip.finish()
        self._job = None
        self._last_event = None
        if self._followed and self._entry is None:  # the picture that was being made will not come
            if self._made:
                self._show(self._made[-1])
            else:
                self.show_nothing()
        self._update_live()

    def follow(self) -> None:
        """Show the running job, or the next one when it starts."""
        self._followed = True
        if self._job is not None:
            self._show_place()
            for entry in self._made:
                self.strip.add(entry)
            if self._last_event is not None:
                self._draw_event(self._last_event)
        self._update_live()

    def show_entry(self, entry: Entry) -> None:
        """Show a picture of the history."""
        self._followed = self._job is None
        self.strip.begin(0)
        self._show(entry)
        self._update_live()

    def show_nothing(self) -> None:
        """Show the examples."""
        self.view.clear()
        self.strip.begin(0)
        self._stack.setCurrentWidget(self.empty)
        self._set_entry(None)
        self._place_overlays()

    def forget(self, ids: Sequence[int]) -> None:
        """Entries were deleted."""
        for entry_id in ids:
            self.strip.remove(entry_id)
        if self._entry is not None and self._entry.id in ids:
            if self.strip.entries:
                self.strip.choose(self.strip.current)
            else:
                self.show_nothing()

    # what is shown

    def _show_place(self) -> None:
        assert self._job is not None
        request = self._job.request
        self._set_entry(None)
        self.strip.begin(len(self._job.seeds), self._job.id)
        self._stack.setCurrentWidget(self.view)
        self.view.reserve(QSize(request.width, request.height), self._doing)
        first = self.first_look(request)
        if first is not None:
            self.view.lay_under(first)
        self._place_overlays()

    def _draw_event(self, event: EngineEvent) -> None:
        match event:
            case ModelLoading(model=model, fraction=fraction, part=part):
                doing = f" · {part}" if part else ""
                self.view.set_caption(
                    f"Loading {model}  {fraction:.0%}{doing}" if fraction < 1 else "Reading the prompt…"
                )
            case Enlarging(tile=tile, total=total):
                self.view.set_caption(f"Enlarging  {tile / total:.0%}")
            case StepDone(preview=preview) if preview is not None:
                self._set_entry(None)
                self._bar.hide()
                self.view.set_preview(preview)
            case StepDone(step=step, total=total) if not self.view.has_preview:
                self.view.set_caption(f"Step {step} of {total}")
            case Decoding() if not self.view.has_preview:
                self.view.set_caption("Turning it into pixels…")
            case _:
                pass

    def _show(self, entry: Entry) -> None:
        image = QImage(str(entry.path))
        self._stack.setCurrentWidget(self.view)
        if entry.recipe.blocked:
            self.view.reserve(QSize(entry.recipe.request.width, entry.recipe.request.height))
            hint = "The filter can be changed in the settings under Safety."
            self.view.set_blank(f"This picture was blocked: {entry.recipe.blocked}\n\n{hint}")
        elif image.isNull():
            self.view.reserve(QSize(entry.recipe.request.width, entry.recipe.request.height))
            self.view.set_blank(f"The file is gone: {entry.path.name}\n\nRe-run makes the same picture again.")
        else:
            same = self._entry is not None and self._entry.recipe.request.width == image.width()
            self.view.set_picture(image, keep_zoom=same)
        self.view.setAccessibleDescription(entry.recipe.request.prompt)
        self._set_entry(entry)
        self._place_overlays()

    def _strip_is_of(self, job_id: int) -> bool:
        return self.strip.job_id == job_id

    def _set_entry(self, entry: Entry | None) -> None:
        self._entry = entry
        self._bar.set_entry(entry)
        self.entry_changed.emit(entry)

    def _update_live(self) -> None:
        self._live.setVisible(self._job is not None and not self._followed)
        self._place_overlays()

    # overlays

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Show the hover bar while the pointer is over the picture."""
        if event.type() in (QEvent.Type.Enter, QEvent.Type.MouseMove) and self._bar.isHidden():
            self._bar.setVisible(self._entry is not None)
            self._place_overlays()
        elif event.type() == QEvent.Type.Leave and watched is self.view and not self._bar.underMouse():
            self._bar.hide()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the overlays in their corners."""
        super().resizeEvent(event)
        self._place_overlays()

    def _place_overlays(self) -> None:
        area = self._stack.geometry()
        self._bar.fit_into(area.width() - 2 * GRID)
        for overlay in (self._bar, self._live, self._zoom_label):
            overlay.adjustSize()
            overlay.raise_()
        picture = self.view.picture_rect().toRect()
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

    def _on_strip_chosen(self, entry: Entry) -> None:
        self._followed = self._job is None
        self._show(entry)
        self._update_live()

    def _on_menu_requested(self, position: QPoint) -> None:
        if self._entry is not None:
            self._actions.menu([self._entry], self).popup(position)

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


class _HoverBar(QFrame):
    """The most used actions, over the picture."""

    def __init__(self, actions: EntryActions, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("hoverBar")
        self.setProperty("card", True)
        self._entry: Entry | None = None
        self._worded: list[QToolButton] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        row.setSpacing(GRID // 2)
        for spec in ENTRY_ACTIONS:
            if spec.bar:
                button = QToolButton(self)
                button.setObjectName(f"hover_{spec.key}")
                button.setAccessibleName(spec.title.rstrip("…"))
                button.setToolTip(spec.about)
                button.setText(f" {spec.title.rstrip('…')}")
                if spec.key in ("rerun", "variations"):
                    self._worded.append(button)
                mark(button, "ghost", True)
                set_icon(button, spec.icon)
                button.clicked.connect(
                    lambda _checked=False, key=spec.key: actions.ask(key, [self._entry] if self._entry else [])
                )
                row.addWidget(button)
        self.hide()

    def fit_into(self, width: int) -> None:
        """Say the first two actions in words where there is room for it."""
        for style in (Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly):
            for button in self._worded:
                button.setToolButtonStyle(style)
            if self.sizeHint().width() <= width:
                return

    def set_entry(self, entry: Entry | None) -> None:
        """Act on this entry from now on."""
        self._entry = entry
        if entry is None:
            self.hide()
