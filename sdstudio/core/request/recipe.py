"""`Recipe`: a request and everything else that a finished picture was drawn with, as files and history hold it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sdstudio.core.compatibility import NEWEST_COMPATIBILITY
from sdstudio.core.json_text import json_of
from sdstudio.core.request.request import GenerationRequest

log = logging.getLogger(__name__)

UNFINISHED: Final = "unfinished"
"""Key in a recipe's ``made_with`` under which a cancelled picture's ``step`` stands, and ``of`` how many."""

DETAIL: Final = "detail"
"""Key in ``made_with`` under which the ``regions`` stand that were redrawn, each with its ``box`` and, where a detector
found it, ``score`` and ``label``; and ``stopped_after``, where that was cancelled, how many of them are."""

IMPORTED: Final = "imported"
"""Key in a recipe's ``made_with`` under which a foreign picture's origin and leftovers stand."""


class Recipe(BaseModel):
    """A finished picture's request and everything else it was drawn with; the JSON under ``sdstudio`` in its PNG.

    ``made_with`` holds what reproduction depends on beyond the request: model hash and name, device, dtype, versions,
    scheduler class and configuration, batch size and place in the batch, memory switches.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = 1
    app: str
    request: GenerationRequest
    model_name: str = ""
    model_family: str = ""
    model_hash: str = ""
    created: str = ""
    duration_s: float = 0.0
    blocked: str = ""
    made_with: dict[str, Any] = Field(default_factory=dict)

    @property
    def file_hashes(self) -> tuple[tuple[str, str], ...]:
        """Name -> hash of the files that it was drawn with, else of those that its request names."""
        rows = self.made_with.get("adapters")
        recorded = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        pairs = [(row.get("name"), row.get("hash")) for row in recorded]
        hashes = tuple((name, digits) for name, digits in pairs if isinstance(name, str) and isinstance(digits, str))
        return (*(pair for pair in hashes if pair[1]), *self.request.file_hashes)

    @property
    def unfinished(self) -> tuple[int, int] | None:
        """The step at which the picture was cancelled, and of how many; ``None`` for one that was drawn to the end."""
        stop = self.made_with.get(UNFINISHED)
        step, total = (stop.get("step"), stop.get("of")) if isinstance(stop, dict) else (None, None)
        return (step, total) if isinstance(step, int) and isinstance(total, int) else None

    @property
    def regions(self) -> list[Mapping[str, Any]]:
        """The regions that were redrawn, each with its ``box``, and where it was found ``score`` and ``label``."""
        detail = self.made_with.get(DETAIL)
        rows = detail.get("regions") if isinstance(detail, dict) else None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def is_partly_detailed(self) -> bool:
        """Whether regions are missing that were to be redrawn, because that was stopped."""
        detail = self.made_with.get(DETAIL)
        return isinstance(detail, dict) and "stopped_after" in detail

    @classmethod
    def stored(cls, text: str) -> Recipe:
        """Read a recipe's JSON, of this or any other version.

        Fields that this version does not know are left out, and values it does not allow become the default, with a
        line in the log: a picture of another version stays readable.

        Raises:
            ValueError: It is no recipe.
        """
        values = json_of(text)
        if not isinstance(values, dict) or not isinstance(values.get("request"), dict):
            raise ValueError("no recipe: a JSON object with a request is one")
        request, made_with = values["request"], values.get("made_with")
        if isinstance(made_with, dict) and IMPORTED in made_with:  # no version of the studio has drawn it
            request = {"compatibility": NEWEST_COMPATIBILITY, **request}
        values = {**values, "request": GenerationRequest.stored(request)}
        try:
            return cls(**values)
        except ValidationError as error:
            bad = {str(item["loc"][0]) for item in error.errors()}
            log.warning("a stored recipe holds what this version does not allow: %s", sorted(bad))
            right = {name: value for name, value in values.items() if name not in bad}
            return cls(**({"app": ""} if "app" in values else {}) | right)
