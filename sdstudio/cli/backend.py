"""Where the commands get what draws and what merges and converts; the engine is imported nowhere else in ``cli``.

Both are imported when they are called for, since torch takes longer to import than most commands run.
"""

from __future__ import annotations

from sdstudio.core.backend import Backend
from sdstudio.core.models.work import ModelWorks
from sdstudio.core.settings import Settings


def make_backend(settings: Settings) -> Backend:
    """Return the local engine."""
    from sdstudio.engine.engine import make_engine  # noqa: PLC0415 (torch, only to draw)

    return make_engine(settings)


def make_works() -> ModelWorks:
    """Return what merges and converts model files."""
    from sdstudio.engine.model_files.works import Works  # noqa: PLC0415 (torch, only to merge and convert)

    return Works()
