"""Merging and converting as one thing to hand upwards: what `core.models.work.ModelWorks` asks for."""

from __future__ import annotations

import threading

from sdstudio.core.models.work import ConvertOrder, MergeOrder, OnProgress, WorkReport
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.model_files.merge import merge


class Works:
    """Carries orders out; holds nothing."""

    def merge(self, order: MergeOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport:
        """See `engine.model_files.merge.merge`."""
        return merge(order, on_progress, cancel)

    def convert(self, order: ConvertOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport:
        """See `engine.model_files.convert.convert`."""
        return convert(order, on_progress, cancel)
