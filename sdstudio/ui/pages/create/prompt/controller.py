"""What lies around the prompts: styles, presets and wildcards of the data folder; what they make of a submission.

It also passes the editor what a prompt may name, what was written before, and how many tokens the model counts; all of
that is looked up in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QMenu, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.catalog.kinds import EMBEDDING, LORA
from sdstudio.core.compatibility import NEWEST_COMPATIBILITY
from sdstudio.core.errors import StudioError
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import StudioPaths
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.marks import Known
from sdstudio.core.prompts.named_files import Naming
from sdstudio.core.prompts.styles import Style, StyleBook, free_name, styled
from sdstudio.core.prompts.wildcards import Wildcards
from sdstudio.core.request.request import GenerationRequest, RunOptions, Written
from sdstudio.core.request.submission import Share, shares_of
from sdstudio.history.database.look import Look
from sdstudio.history.database.past_prompts import PastPrompt, past_prompts, phrases
from sdstudio.history.store import Entry, History
from sdstudio.library.library import Library
from sdstudio.library.prompt_tokens import ChunkCount, TokenCounter, within
from sdstudio.ui.pages.create.prompt.builder_dialog import PromptBuilder
from sdstudio.ui.pages.create.prompt.completion import Offer
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.prompt.past_prompts_dialog import PastPrompts
from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog
from sdstudio.ui.theme import set_icon
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.bring_forward import bring_forward

COUNT_DELAY_MS = 120
PROMPTS_READ = 1000
"""Newest prompts whose phrases are offered: 0.4 s in the background on two busy cores, once after each new picture."""
PHRASES_OFFERED = 3000


@dataclass(frozen=True, slots=True)
class _Named:
    """Everything a prompt may name, and what to offer of it."""

    known: Known
    offers: tuple[Offer, ...]


class PromptController(QObject):
    """Gives the editor what it offers, and turns what is written into what is drawn.

    Args:
        editor: The prompts.
        paths: The data folder.
        library: Its LoRA and embeddings are named in prompts.
        history: Past prompts.
        tasks: Runs work in the background.
        window: Dialogs belong to it.
    """

    #: A prompt was kept as a style: the `Change`, the message, and what else can be done about it.
    style_kept = TypedSignal[Change, str, Sequence[tuple[str, Callable[[], object]]]]()
    #: The window closes: nothing is begun in the background any more.
    stopped = Signal()

    def __init__(
        self, editor: PromptEditor, paths: StudioPaths, library: Library, history: History, tasks: TaskRunner,
        window: QWidget,
    ) -> None:  # fmt: skip
        super().__init__(window)
        self.styles = StyleBook.of_styles(paths)
        self.negative_presets = StyleBook.of_negative_presets(paths)
        self._editor = editor
        self._paths = paths
        self._library = library
        self._history = history
        self._tasks = tasks
        self._window = window
        self._counter: TokenCounter | None = None
        self._counting = 0
        self._known = Known()
        self._reading = ("a1111", NEWEST_COMPATIBILITY, 20, True)
        self._model_path = ""
        self._dialogs: dict[str, StyleDialog] = {}
        self._past: PastPrompts | None = None
        self._builder: PromptBuilder | None = None
        self._phrases: tuple[list[int], Sequence[str]] | None = None
        self._stopped = False
        #: Does something that is taken back as one: what it is called, and what does it.
        self.do: Callable[[str, Callable[[], object]], object] = lambda _text, act: act()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(COUNT_DELAY_MS)
        self._soon.timeout.connect(self.count)
        editor.changed.connect(self._soon.start)
        tools = editor.tools
        tools.styles_asked.connect(self._fill_styles)
        tools.presets_asked.connect(self._fill_presets)
        tools.builder_button.clicked.connect(self.open_builder)
        tools.past_button.clicked.connect(self.open_past_prompts)
        editor.focused.connect(self.look_around)

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        return {"past_prompts": self.open_past_prompts, "styles": self.edit_styles}

    def shares(self, request: GenerationRequest, options: RunOptions) -> tuple[Share, ...]:
        """Return what to draw of a request as it was written. Raises: InvalidRequest."""
        styles = self.styles.named(self._editor.styles)
        return shares_of(request, options, styles, Wildcards.read(self._paths))

    def stop(self) -> None:
        """Begin nothing more in the background: the window closes."""
        self._stopped = True
        self.stopped.emit()
        self._soon.stop()

    # tokens

    def set_model(self, model: ModelInfo | None) -> None:
        """Count with another model's tokenizer."""
        path = str(model.path) if model is not None else ""
        if path == self._model_path:
            return
        self._model_path = path
        self._counter = None
        self._editor.show_chunks((), ())
        if model is not None:
            self._tasks.run("Reading the tokenizer", lambda _task: (path, TokenCounter.of(model)), self._take_counter)

    def set_reading(self, syntax: str, compatibility: str, steps: int, templates: bool) -> None:
        """Read prompts in another way: by which syntax of which version, over how many steps, with templates or not."""
        reading = (syntax, compatibility, steps, templates)
        if reading != self._reading:
            names_otherwise = self._naming() is not dialect_of(syntax, compatibility).naming
            self._reading = reading
            self._editor.set_known(self._with_reading(self._known))
            self._soon.start()
            if names_otherwise:
                self.look_around()

    def _naming(self) -> Naming:
        return dialect_of(*self._reading[:2]).naming

    def _with_reading(self, known: Known) -> Known:
        syntax, compatibility, _, templates = self._reading
        return replace(known, syntax=syntax, compatibility=compatibility, templates=templates)

    def count(self) -> None:
        """Count both prompts' tokens, in the background; an older count that comes late is dropped."""
        self._soon.stop()
        counter = self._counter
        if counter is None or self._stopped:
            return
        self._counting += 1
        number, written = self._counting, (self._editor.prompt, self._editor.negative_prompt)
        syntax, compatibility, steps, _ = self._reading
        styles = self._chosen_styles()
        texts = styled(styles, *written, dialect_of(syntax, compatibility).has_comments)

        def counted(_task: object) -> tuple[int, list[tuple[ChunkCount, ...]]]:
            counts = [counter.chunks(text, syntax, steps, compatibility) for text in texts]
            return number, [within(*each) for each in zip(counts, texts, written, strict=True)]

        self._tasks.run("Counting tokens", counted, self._show_count)

    def _chosen_styles(self) -> Sequence[Style]:
        names = self._editor.styles
        there = {style.name: style for style in self._of(self.styles)} if names else {}
        return [there[name] for name in names if name in there]

    def _take_counter(self, found: tuple[str, TokenCounter | None]) -> None:
        path, counter = found
        if path == self._model_path:
            self._counter = counter
            self.count()

    def _show_count(self, counted: tuple[int, list[tuple[ChunkCount, ...]]]) -> None:
        number, (prompt, negative) = counted
        if number == self._counting and self._counter is not None:
            self._editor.show_chunks(prompt, negative)

    # what may be named

    def look_around(self) -> None:
        """Look again at what a prompt may name and at what was written before, in the background."""
        if not self._stopped:
            self._tasks.run("Looking up what prompts may name", lambda _task: self._named(), self._take_named, _ignore)

    def _named(self) -> _Named:
        wildcards = Wildcards.read(self._paths)
        networks, embeddings = (self._library.assets(kind) for kind in (LORA, EMBEDDING))
        names = {
            name.casefold()
            for asset in networks
            for name in (asset.key, asset.name, asset.path.name, asset.path.stem, asset.alias)
        }
        known = Known(names, {asset.key for asset in embeddings}, wildcards)
        offers = [Offer(LORA, asset.key, f"<lora:{asset.key}:1>") for asset in networks]
        naming = self._naming()
        offers += [Offer(EMBEDDING, asset.key, naming.written(asset.key)) for asset in embeddings]
        offers += [Offer("wildcard", name, f"__{name}__") for name in wildcards.files]
        offers += [Offer("style", style.name, "") for style in self.styles.styles]
        offers += [Offer("phrase", phrase, phrase) for phrase in self._past_phrases()]
        return _Named(known, tuple(offers))

    def _past_phrases(self) -> Sequence[str]:
        newest = self._history.listing.ids(Look(), 1)
        if self._phrases is None or self._phrases[0] != list(newest):
            found = phrases(past_prompts(self._history.listing, limit=PROMPTS_READ))
            self._phrases = (list(newest), found[:PHRASES_OFFERED])
        return self._phrases[1]

    def _take_named(self, named: _Named) -> None:
        self._known = named.known
        self._editor.set_known(self._with_reading(named.known))
        self._editor.set_offers(named.offers)

    # styles and presets

    def edit_styles(self) -> None:
        """Open the dialog of styles."""
        self._dialog(self.styles, "Styles", "style", has_prompt=True).show()

    def edit_presets(self) -> None:
        """Open the dialog of negative prompt presets."""
        self._dialog(self.negative_presets, "Negative prompt presets", "preset", has_prompt=False).show()

    def save_style(self) -> None:
        """Keep both prompts as a style named by its first words; it can be renamed, or taken back."""
        editor, book = self._editor, self.styles
        try:
            before = book.styles
            name = free_name(editor.prompt or editor.negative_prompt, before)
            style = Style(name, editor.prompt, editor.negative_prompt)
            book.add(style)
        except StudioError as error:
            editor.show_message(error.message, error.hint)
            return
        after = book.styles

        def keep(styles: Sequence[Style]) -> None:
            book.replace(styles)
            self._on_book_saved()

        def rename() -> None:
            dialog = self._dialog(book, "Styles", "style", has_prompt=True)
            dialog.reload()
            dialog.show()
            dialog.choose(style.name)

        self._on_book_saved()
        change = Change(f"Style “{style.name}” saved", lambda: keep(before), lambda: keep(after))
        self.style_kept.emit(change, f"Style “{style.name}” is saved.", [("Rename…", rename)])

    def save_preset(self) -> None:
        """Open the dialog of presets with the negative prompt as a new one."""
        dialog = self._dialog(self.negative_presets, "Negative prompt presets", "preset", has_prompt=False)
        dialog.show()
        dialog.add(Style("My preset", "", self._editor.negative_prompt))

    @property
    def changed_dialogs(self) -> tuple[StyleDialog, ...]:
        """The open dialogs that hold what is not saved."""
        return tuple(dialog for dialog in self._dialogs.values() if dialog.is_changed)

    def _dialog(self, book: StyleBook, title: str, noun: str, has_prompt: bool) -> StyleDialog:
        if noun not in self._dialogs:
            dialog = self._dialogs[noun] = StyleDialog(book, title, noun, has_prompt, self._window)
            dialog.saved.connect(self._on_book_saved)
            dialog.discarded.connect(lambda stood: self._on_discarded(dialog, noun, stood))
        return self._dialogs[noun]

    def _on_discarded(self, dialog: StyleDialog, noun: str, stood: tuple[tuple[Style, ...], int]) -> None:
        change = Change(f"Changed {noun}s discarded", lambda: dialog.take_up(stood))
        self.style_kept.emit(change, f"What was changed in the {noun}s is not saved.", [])

    def _on_book_saved(self) -> None:
        there = {style.name for style in self.styles.styles}
        self._editor.set_styles([name for name in self._editor.styles if name in there])
        self.look_around()

    def _fill_styles(self, menu: QMenu) -> None:
        for style in self._of(self.styles):
            action = _added(menu, style.name, partial(self._editor.toggle_style, style.name))
            action.setCheckable(True)
            action.setChecked(style.name in self._editor.styles)
            action.setToolTip("\n".join(part for part in (style.prompt, style.negative_prompt) if part))
        menu.addSeparator()
        save = _added(menu, "Save this prompt as a style", self.save_style, "save")
        save.setEnabled(bool(self._editor.prompt.strip() or self._editor.negative_prompt.strip()))
        _added(menu, "Edit styles…", self.edit_styles, "pencil")
        _added(menu, "Open the wildcards folder", self._open_wildcards, "folder-open")

    def _fill_presets(self, menu: QMenu) -> None:
        for preset in self._of(self.negative_presets):
            act = _added(menu, preset.name, partial(self._editor.set_negative_prompt, preset.negative_prompt))
            act.setToolTip(preset.negative_prompt)
        menu.addSeparator()
        save = _added(menu, "Save this negative prompt…", self.save_preset, "save")
        save.setEnabled(bool(self._editor.negative_prompt.strip()))
        _added(menu, "Edit presets…", self.edit_presets, "pencil")

    def _of(self, book: StyleBook) -> Sequence[Style]:
        try:
            return book.styles
        except StudioError as error:
            self._editor.show_message(error.message, error.hint)
            return ()

    def _open_wildcards(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._paths.wildcards)))

    def use_written(self, entry: Entry) -> None:
        """Put a picture's prompts and styles into the editor as they were written, wildcards and all."""
        self.use_words(entry.recipe.request)

    def use_words(self, request: GenerationRequest) -> None:
        """Put a request's prompts and styles into the editor as they were written."""
        written = request.written or Written(request.prompt, request.negative_prompt)
        there = {style.name for style in self._of(self.styles)}
        self._editor.restore_prompts(written.prompt, written.negative_prompt)
        self._editor.set_styles([name for name in written.styles if name in there])
        gone = [name for name in written.styles if name not in there]
        if gone:
            message = f"Style = {', '.join(gone)}: there is no style of this name any more."
            self._editor.show_message(message, "Use only the prompt to have the words it was drawn with.", "warning")

    # past prompts, builder

    def open_past_prompts(self) -> None:
        """Open the list of past prompts with the cursor in its search field."""
        if self._past is None:
            self._past = PastPrompts(self._find_past, self._window)
            self._past.insert_requested.connect(self._insert_past)
            self._past.replace_requested.connect(self._replace_past)
        self._past.open_at_search()

    def open_builder(self) -> None:
        """Open the prompt builder."""
        if self._builder is None:
            self._builder = PromptBuilder(self._window)
            self._builder.insert_requested.connect(self._editor.append_prompt)
            self._builder.replace_requested.connect(self._editor.set_prompt)
        bring_forward(self._builder)

    def _find_past(self, query: str, show: Callable[[Sequence[PastPrompt]], None]) -> None:
        self._tasks.run("Searching past prompts", lambda _task: past_prompts(self._history.listing, query), show)

    def _insert_past(self, past: PastPrompt) -> None:
        self._editor.insert_prompt(past.prompt)

    def _replace_past(self, past: PastPrompt) -> None:
        self.do("Use a past prompt", lambda: self._editor.restore_prompts(past.prompt, past.negative_prompt))


def _added(menu: QMenu, title: str, act: Callable[[], object], icon_name: str = "") -> QAction:
    action = menu.addAction(title.replace("&", "&&"))
    if icon_name:
        set_icon(action, icon_name)
    action.triggered.connect(lambda _checked=False: act())
    return action


def _ignore(_error: StudioError) -> None:
    """A history that cannot be read is reported where it is shown; prompts go on without what it knows."""
