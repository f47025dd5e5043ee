"""The model's hash, computed beside the job that needs it: reading gigabytes must not hold up a picture."""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

from sdstudio.core.errors import Cancelled, StudioError
from sdstudio.core.models.model import ModelInfo

log = logging.getLogger(__name__)

SHORT: Final = 10
"""Digits of A1111's model hash."""

PATIENCE_S: Final = 1.0
"""How long the first picture waits for the hash; small models are hashed long before it is made."""


class ModelHash(Protocol):
    """Computes a model's hash in hex, from a cache where it can: `Library.hash_of`. May raise Cancelled."""

    def __call__(self, model: ModelInfo, *, cancel: threading.Event) -> str: ...  # noqa: D102


class HashInBackground:
    """One model's hash, computed on a thread of its own from now on."""

    def __init__(self, compute: ModelHash, model: ModelInfo) -> None:
        self.model = model
        self._compute = compute
        self._cancel = threading.Event()
        self._hash = ""
        self._waited = False
        self._thread = threading.Thread(target=self._run, name="sdstudio-hash", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._hash = self._compute(self.model, cancel=self._cancel)
        except (Cancelled, StudioError, OSError) as error:
            log.info("no hash of %s: %r", self.model.key, error)

    def short(self) -> str:
        """Return the hash as recipes hold it, "" while it is not known."""
        if not self._waited:
            self._waited = True
            self._thread.join(PATIENCE_S)
        return self._hash[:SHORT]

    @property
    def running(self) -> bool:
        """Whether it is still being computed."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Let the computation end soon."""
        self._cancel.set()


class LatestHash:
    """The hash of the model that is drawn with; one that is being computed goes on with the next job of that model."""

    def __init__(self, compute: ModelHash) -> None:
        self._compute = compute
        self._of: HashInBackground | None = None

    def begin(self, model: ModelInfo) -> None:
        """Compute a model's, unless it is being computed."""
        if self._of is not None and self._of.model == model and self._of.running:
            return
        self.stop()
        self._of = HashInBackground(self._compute, model)

    def short(self) -> str:
        """Return the hash as recipes hold it, "" while it is not known."""
        return self._of.short() if self._of is not None else ""

    def stop(self) -> None:
        """Let the computation end soon."""
        if self._of is not None:
            self._of.stop()
