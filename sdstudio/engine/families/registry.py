"""Which code drives which family: each row of ``catalog.families`` has one here, by its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sdstudio.catalog.families import FAMILIES, ModelFamily, family_of_pipeline
from sdstudio.engine.families.any_pipeline import AnyPipeline
from sdstudio.engine.families.base import Family
from sdstudio.engine.families.stable_diffusion import StableDiffusion

_STABLE_DIFFUSION: Final = StableDiffusion()

CODE: Final[Mapping[str, Family]] = {
    "sd1": _STABLE_DIFFUSION,
    "sd2": _STABLE_DIFFUSION,
    "sdxl": _STABLE_DIFFUSION,
    "other": AnyPipeline(),
}
"""Key of a row -> the code that drives its pipelines."""


class FamilyWithoutCode(Exception):
    """A row of the table that nothing can draw with; a mistake in the table, reported at the start."""


def validate() -> None:
    """Check that every row has its code, and that rows that share a pipeline share it. Raises: FamilyWithoutCode."""
    for row in FAMILIES:
        if row.key not in CODE:
            raise FamilyWithoutCode(
                f'The family "{row.key}" ({row.title}) has no code: write sdstudio/engine/families/{row.key}.py with a '
                "class that has what Family (sdstudio/engine/families/base.py) asks, and name it in CODE of "
                "sdstudio/engine/families/registry.py."
            )
        for name in row.pipelines:
            first = family_of_pipeline(name, 0)
            if CODE.get(first.key) is not CODE[row.key]:
                raise FamilyWithoutCode(
                    f'The families "{first.key}" and "{row.key}" both draw with {name}: give them the same code in '
                    "CODE of sdstudio/engine/families/registry.py."
                )


def row_of(pipeline: str) -> ModelFamily:
    """Return the first row that names a pipeline, and the other family's for one that none names."""
    return family_of_pipeline(pipeline, 0)


def code_of(pipeline: str) -> Family:
    """Return the code that drives a pipeline, by the name of its class."""
    return CODE[row_of(pipeline).key]
