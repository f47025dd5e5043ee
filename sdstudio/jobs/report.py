"""The report of an error that is a bug: what a developer needs to know, as text to copy."""

from __future__ import annotations

import platform
import traceback

import sdstudio
from sdstudio.core.events import EngineStatus
from sdstudio.jobs.queue import Job


def one_line(error: Exception) -> str:
    """Return an error as one line for a message."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def report_text(error: Exception, job: Job | None, status: EngineStatus | None) -> str:
    """Return the report of an error.

    Args:
        error: With its traceback.
        job: What was being made, if anything.
        status: Of the engine, when there was one.
    """
    lines = [f"SD Studio {sdstudio.__version__}, Python {platform.python_version()}, {platform.platform()}"]
    if status is not None:
        lines.append(", ".join([status.device, status.dtype, *(f"{k} {v}" for k, v in status.versions.items())]))
    if job is not None:
        lines.append(
            f"Job {job.id}, seeds {job.seeds[:8]}, batch size {job.batch_size}: {job.request.model_dump_json()}"
        )
    return "\n".join([*lines, "", *traceback.format_exception(error)])
