"""All parameters of what stands in the queue, to read and to copy."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import idle_fields
from sdstudio.jobs.queue import Group
from sdstudio.ui.entries.recipe_text import shown_value
from sdstudio.ui.pages.create.queue.job_words import title_of
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, MARGIN, dialog_foot

_SEEDS_SHOWN: Final = 20
_PROMPTS_SHOWN: Final = 20


def job_facts(group: Group) -> list[tuple[str, str]]:
    """Return what a group is drawn with, as (name, value)."""
    first = group.jobs[0]
    written = first.request.written
    seeds = [str(seed) for job in group.jobs for seed in job.seeds]
    more = f", and {len(seeds) - _SEEDS_SHOWN} more" if len(seeds) > _SEEDS_SHOWN else ""
    rows = [("Written", written.prompt if written is not None else "")]
    if len(group.jobs) > 1:
        prompts = [job.prompt for job in group.jobs[:_PROMPTS_SHOWN]]
        left = len(group.jobs) - len(prompts)
        rows.append((f"{len(group.jobs)} prompts", "\n".join([*prompts, *([f"and {left} more"] if left else [])])))
    left_out = {"seed", *idle_fields(dict(first.request)), *(["prompt"] if len(group.jobs) > 1 else [])}
    for row in parameters(GenerationRequest):
        if row.name not in left_out:
            rows.append((row.title, shown_value(getattr(first.request, row.name), row)))
    rows += [
        ("Pictures", f"{group.made} of {group.count} made"),
        ("Batch size", str(first.batch_size)),
        ("Seeds", ", ".join(seeds[:_SEEDS_SHOWN]) + more),
        ("Submitted", f"{first.created.astimezone():%d %B %Y, %H:%M:%S}"),
        ("Message", " ".join(part for part in (first.message, first.hint) if part)),
    ]
    return [(name, value) for name, value in rows if value]


class JobDetails(QDialog):
    """A list of facts."""

    def __init__(self, group: Group, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("jobDetails")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Details of {title_of(group)[:60]}")
        self.resize(480, 520)
        facts = QWidget()
        form = QFormLayout(facts)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GRID * 2)
        for name, value in job_facts(group):
            key = QLabel(name)
            mark(key, "role", "caption")
            label = QLabel(value)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            flags = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            label.setTextInteractionFlags(flags)
            form.addRow(key, label)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setWidget(facts)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its texts take the focus, and are scrolled to
        close = push_button(self, "jobDetailsCloseButton", "Close", "", self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.addWidget(area, 1)
        column.addLayout(dialog_foot(self, [(close, CLOSE)], close))
