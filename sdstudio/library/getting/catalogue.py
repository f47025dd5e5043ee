"""The models that are worth getting first, from ``resources/catalog/models.toml``: what each is, needs and likes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.catalog.schedules import SCHEDULE_BY_KEY
from sdstudio.core.paths import resources
from sdstudio.library.getting.plan import SafePath

CATALOGUE_FILE: Final = "catalog/models.toml"

_PARAMETERS: Final = ("width", "height", "steps", "guidance_scale", "scheduler", "schedule")


def _family(key: str) -> str:
    if key and key not in FAMILY_BY_KEY:
        raise ValueError(f"family = {key!r}: allowed are {', '.join(FAMILY_BY_KEY)}")
    return key


def _scheduler(key: str) -> str:
    if key and key not in SCHEDULER_BY_KEY:
        raise ValueError(f"scheduler = {key!r}: allowed are {', '.join(SCHEDULER_BY_KEY)}")
    return key


def _schedule(key: str) -> str:
    if key and key not in SCHEDULE_BY_KEY:
        raise ValueError(f"schedule = {key!r}: allowed are {', '.join(SCHEDULE_BY_KEY)}")
    return key


class CatalogueRow(BaseModel):
    """One model that can be got.

    Attributes:
        key: Stable name on the command line, and of its folder or file.
        title: What the user reads.
        repo: Where it is on the Hub.
        file: The one file of the repository that it is, "" for a folder: a model in the diffusers layout, a detector.
        kind: Key in ``catalog.kinds``.
        family: Key in ``catalog.families``, "" for what belongs to none.
        licence: Name of its licence.
        size_gb: About how much is downloaded, in 10^9 bytes; ``None`` when nobody has looked.
        memory_gb: About how much memory drawing takes in half precision, in 10^9 bytes; ``None`` as above.
        width: Recommended, as are the next five; ``None`` or "" leaves the family's.
        about: One sentence: what it is for.
        note: What to know before, "" when there is nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[SafePath, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    file: str = ""
    kind: Literal["checkpoint", "lora", "vae", "detector"]
    family: Annotated[str, AfterValidator(_family)] = ""
    licence: Annotated[str, Field(min_length=2)]
    size_gb: Annotated[float, Field(gt=0)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: Annotated[str, AfterValidator(_scheduler)] = ""
    schedule: Annotated[str, AfterValidator(_schedule)] = ""
    about: Annotated[str, Field(min_length=10)]
    note: str = ""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The recommended parameters that differ from the family's: request field -> value."""
        values = {name: getattr(self, name) for name in _PARAMETERS}
        return {name: value for name, value in values.items() if value not in (None, "")}


@cache
def catalogue() -> tuple[CatalogueRow, ...]:
    """Return all rows, in the order of the file."""
    raw = tomllib.loads((resources() / CATALOGUE_FILE).read_text(encoding="utf-8"))
    return tuple(CatalogueRow(**row) for row in raw["model"])


def row_of(key: str) -> CatalogueRow | None:
    """Return the row with this key, in any case."""
    return next((row for row in catalogue() if row.key == key.strip().lower()), None)
