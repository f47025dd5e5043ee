"""The pages, one over the other; each is built only when it is opened for the first time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.ui.entries.browser import HistoryBrowser

if TYPE_CHECKING:
    from sdstudio.ui.shell import Page


@runtime_checkable
class HasBrowser(Protocol):
    """A page that shows the history itself."""

    browser: HistoryBrowser


class Pages(QStackedWidget):
    """The pages.

    Args:
        browser: The browser in its dock.
        parent: As Qt has it.
    """

    #: Another page is open; carries its key.
    opened = Signal(str)
    #: A page was built; carries the `Page`.
    added = TypedSignal["Page"]()

    def __init__(self, browser: HistoryBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dock_browser = browser
        self._builders: Mapping[str, Callable[[], Page]] = {}
        self._built: dict[str, Page] = {}
        self._states: Mapping[str, Mapping[str, object]] = {}
        self._name = ""

    def serve(self, builders: Mapping[str, Callable[[], Page]]) -> None:
        """Take what builds each page, by its key; the first one is built and seen at once."""
        self._builders = builders
        self._name = next(iter(builders))
        self._build(self._name)

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of each page."""
        return tuple(self._builders)

    @property
    def name(self) -> str:
        """The key of the open page."""
        return self._name

    @property
    def browser(self) -> HistoryBrowser:
        """The browser that is seen, or would be on the Create page."""
        page = self._built.get(self._name)
        return page.browser if isinstance(page, HasBrowser) else self._dock_browser

    def open(self, key: str) -> None:
        """Open a page.

        Raises:
            ValueError: No page has this key.
        """
        if key not in self._builders:
            raise ValueError(f"page = {key!r}: it is one of {', '.join(self._builders)}")
        if key not in self._built:
            self._build(key)
        page, before = self._built[key], self._built[self._name]
        self._name = key
        self.setCurrentWidget(page.widget)
        page.first.setFocus(Qt.FocusReason.OtherFocusReason)  # or it would fall to the model's list of choices
        if before is not page:
            before.left()
        page.opened()
        self.opened.emit(key)

    def close_all(self) -> None:
        """The window closes."""
        for page in self._built.values():
            page.close()

    def state(self) -> dict[str, Mapping[str, object]]:
        """Return what is to be remembered of each page for the next start, by its key."""
        built = {key: page.state() for key, page in self._built.items()}
        return {**self._states, **built}

    def restore_state(self, states: Mapping[str, Mapping[str, object]]) -> None:
        """Take what was remembered, for when a page is built."""
        self._states = states

    def _build(self, key: str) -> None:
        page = self._built[key] = self._builders[key]()
        self.addWidget(page.widget)
        page.restore_state(self._states.get(key, {}))
        self.added.emit(page)
