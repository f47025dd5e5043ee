"""How the text of a tooltip is written so that it wraps."""

from __future__ import annotations

import html


def wrapped(*paragraphs: str) -> str:
    """Return paragraphs as a tooltip that wraps; "" for none."""
    parts = [html.escape(text) for text in paragraphs if text]
    return f"<qt>{'<br><br>'.join(parts)}</qt>" if parts else ""
