"""Merging and converting as one thing to hand upwards: what `core.model_work.ModelWorks` asks for."""

from __future__ import annotations

import threading

from sdstudio.core.model_work import ConvertOrder, MergeOrder, OnProgress, WorkReport
from sdstudio.engine.convert import convert
from sdstudio.engine.merge import merge


class Works:
    """Carries orders out; holds nothing."""

    def merge(self, order: MergeOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport:
        """See `engine.merge.merge`."""
        return merge(order, on_progress, cancel)

    def convert(self, order: ConvertOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport:
        """See `engine.convert.convert`."""
        return convert(order, on_progress, cancel)
