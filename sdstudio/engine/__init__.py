"""How an image is made: torch and diffusers, never Qt.

No telemetry, no loading behind our back, no way around torch's safe unpickling. ``HF_HUB_OFFLINE`` is left alone,
because a download in the same process would stop working; every load passes ``local_files_only`` instead.
"""

from __future__ import annotations

from sdstudio.core.environment import settle_environment

settle_environment()
