"""What can be done with one press of Generate in the queue, as a menu: which entries there are, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtWidgets import QMenu, QWidget

from sdstudio.jobs.queue import Group, JobState
from sdstudio.ui.theme import set_icon

_ALL: Final = frozenset(JobState)
_UNFINISHED: Final = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class QueueAction:
    """One entry.

    Attributes:
        key: Names what does it.
        title: In the menu.
        icon: Its picture.
        states: In which it is offered.
        keys: What does it by keyboard, for the menu to show.
    """

    key: str
    title: str
    icon: str
    states: frozenset[JobState]
    keys: str = ""


QUEUE_ACTIONS: Final = (
    QueueAction("run_next", "Run next", "play", frozenset({JobState.QUEUED})),
    QueueAction("up", "Move up", "arrow-up-down", frozenset({JobState.QUEUED}), "Alt+Up"),
    QueueAction("down", "Move down", "arrow-up-down", frozenset({JobState.QUEUED}), "Alt+Down"),
    QueueAction("retry", "Run again", "rotate-ccw", _UNFINISHED),
    QueueAction("show", "Show the pictures", "image", _ALL, "Enter"),
    QueueAction("edit", "Edit", "pencil", frozenset({JobState.QUEUED})),
    QueueAction("duplicate", "Duplicate", "copy", _ALL),
    QueueAction("details", "Details…", "info", _ALL),
    QueueAction("cancel", "Cancel", "x", frozenset({JobState.RUNNING}), "Del"),
    QueueAction("remove", "Remove", "trash-2", _ALL - {JobState.RUNNING}, "Del"),
)


def queue_menu(group: Group, does: Mapping[str, Callable[[Group], object]], parent: QWidget) -> QMenu:
    """Return the menu of a group; it goes when it is closed."""
    menu = QMenu(parent)
    menu.setObjectName("queueMenu")
    menu.aboutToHide.connect(menu.deleteLater)
    for row in QUEUE_ACTIONS:
        if group.state not in row.states or (row.key == "show" and not group.made):
            continue
        action = menu.addAction(f"{row.title}\t{row.keys}" if row.keys else row.title)
        action.setObjectName(f"queue_{row.key}")
        set_icon(action, row.icon)
        action.triggered.connect(lambda _checked=False, key=row.key: does[key](group))
    return menu
