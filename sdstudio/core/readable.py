"""Durations and sizes as people read them."""

from __future__ import annotations


def readable_duration(seconds: float) -> str:
    """Return a duration as people read it: "3 s", "2 min 05 s", "1 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(whole, 1) if seconds > 0.05 else 0} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def readable_size(size_bytes: int) -> str:
    """Return a number of bytes as people read it, "" for none."""
    if size_bytes <= 0:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} bytes" if size_bytes > 1 else "1 byte"
    for unit, limit in (("KB", 10**6), ("MB", 10**9)):
        if size_bytes < limit:
            return f"{size_bytes / limit * 1000:.0f} {unit}"
    return f"{size_bytes / 10**9:.1f} GB"
