"""Which pages there are, one row each: the title of its button, and what builds it when it is first opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sdstudio.ui.pages.create.shown import CreateShown

if TYPE_CHECKING:
    from sdstudio.ui.shell import Page
    from sdstudio.ui.window.parts import Parts


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One page.

    Attributes:
        key: Its stable name.
        title: On its button.
        icon: Name of its icon.
        about: Tooltip.
        build: Builds it of what the window has.
        kept_as: Under which name its state is remembered, "" for one made of its key.
    """

    key: str
    title: str
    icon: str
    about: str
    build: Callable[[Parts], Page]
    kept_as: str = ""

    @property
    def memory_name(self) -> str:
        """Under which name its state is remembered."""
        return self.kept_as or f"page{self.key}"


def _build_library(parts: Parts) -> Page:
    from sdstudio.ui.pages.library.shown import build_library  # noqa: PLC0415 (not needed to show the window)

    return build_library(parts.services, parts.shell, parts.library_controller, parts.download_controller)


def _build_history(parts: Parts) -> Page:
    from sdstudio.ui.pages.history.shown import HistoryShown  # noqa: PLC0415 (as above)

    return HistoryShown(parts.services, parts.shell, parts.history_model, parts.actions, parts.history_controller)


def _build_learn(parts: Parts) -> Page:
    from sdstudio.ui.pages.learn.shown import build_learn  # noqa: PLC0415 (as above)

    return build_learn(parts.shell, parts.explain_controller)


PAGES: tuple[PageSpec, ...] = (
    PageSpec("Create", "Create", "sparkles", "Make pictures", lambda parts: CreateShown(parts.create_page)),
    PageSpec("Library", "Library", "library", "The models you have", _build_library),
    PageSpec("History", "History", "images", "All pictures you made", _build_history, kept_as="pages"),
    PageSpec("Learn", "Learn", "graduation-cap", "How it works", _build_learn),
)
PAGE_KEYS: Final = tuple(row.key for row in PAGES)
