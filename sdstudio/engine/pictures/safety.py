"""Who keeps a picture from being shown, and what is shown instead: the model's own checker, and filters from outside.

A blocked picture is a plain one with words. (The stock pipeline paints it black: users "wasted four hours
rendering black boxes", CompVis/stable-diffusion 331.)
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from sdstudio.core.errors import StudioError
from sdstudio.core.events import EventSink, ModelLoading
from sdstudio.engine.device.devices import Device
from sdstudio.engine.model_files.loading import CHECKER, LoadedModel, load_component

SafetyFilter = Callable[[Image.Image], str]
"""Returns why a picture is blocked, "" when it is not."""

GROUP: Final = "sdstudio.safety_filters"
REASON: Final = "The model's safety checker took this picture for explicit."
GROUND: Final = (58, 62, 69)
FRAME: Final = (84, 89, 98)
INK: Final = (225, 228, 232)


def installed_filters() -> dict[str, SafetyFilter]:
    """Return the filters that installed packages offer, by name. A package is imported when its filter first judges."""
    return {entry.name: _lazy(entry) for entry in entry_points(group=GROUP)}


def _lazy(entry: EntryPoint) -> SafetyFilter:
    loaded: list[SafetyFilter] = []

    def judge(picture: Image.Image) -> str:
        if not loaded:
            try:
                loaded.append(entry.load())
            except (ImportError, AttributeError) as error:
                message = f"Custom filter = {entry.name}: its package would not load ({error})."
                raise StudioError(message, "Repair it, or choose no filter in the settings.") from error
        return loaded[0](picture)

    return judge


def load_checker(loaded: LoadedModel, device: Device, on_event: EventSink, cancel: threading.Event) -> bool:
    """Load the checker that the model ships, once; ``False`` when it ships none. Raises: ModelError, Cancelled."""
    parts = [loaded.files.component(name) for name in CHECKER]
    if None in parts:
        return False
    if loaded.checker is None:
        on_event(ModelLoading(loaded.info.name, 1.0, CHECKER[0]))
        both = [load_component(loaded.files, part, device.dtype, cancel) for part in parts if part is not None]
        loaded.checker = (both[0], both[1])
    return True


@torch.no_grad()
def is_explicit(loaded: LoadedModel, picture: Image.Image, device: Device) -> bool:
    """Ask the model's own checker about one picture. It sits on the device only while it judges."""
    if loaded.checker is None:
        return False
    checker, processor = loaded.checker
    checker.to(device.torch_device)
    seen = processor(picture, return_tensors="pt").pixel_values.to(device.torch_device, device.dtype)
    array = np.asarray(picture, dtype=np.float32)[None] / 255  # the checker blackens its argument; this is a copy
    _, explicit = checker(images=array, clip_input=seen)
    if device.is_accelerator:
        checker.to("cpu")
    return bool(explicit[0])


def blocked_picture(size: tuple[int, int], reason: str) -> Image.Image:
    """Return a plain picture with the words that a picture was blocked and, where there is room, why."""
    picture = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(picture)
    width, height = size
    inset = max(2, min(size) // 24)
    draw.rounded_rectangle((inset, inset, width - 1 - inset, height - 1 - inset), inset * 2, outline=FRAME)
    for with_reason in (True, False):
        for points in (32, 28, 24, 20, 16, 13, 11, 9, 8):
            font = ImageFont.load_default(points)
            per_line = int((width - 4 * inset) / (draw.textlength("the quick brown", font) / 15))
            lines = ["Blocked", "", *textwrap.wrap(reason, max(per_line, 1))] if with_reason else ["Blocked"]
            text = "\n".join(lines)
            middle = (width / 2, height / 2)
            left, top, right, bottom = draw.multiline_textbbox(middle, text, font, "mm", align="center")
            if min(left, width - right) >= inset * 2 and min(top, height - bottom) >= inset * 2:
                draw.multiline_text(middle, text, INK, font, "mm", align="center")
                return picture
    return picture


class Safety:
    """What judges the pictures of one job.

    Args:
        own: A filter chosen in the settings.
        checker: Asks the model's own checker.
    """

    def __init__(self, own: SafetyFilter | None, checker: Callable[[Image.Image], bool] | None) -> None:
        self._own = own
        self._checker = checker

    def judged(self, picture: Image.Image) -> tuple[Image.Image, str]:
        """Return the picture and "", or what is shown instead and why."""
        reason = REASON if self._checker is not None and self._checker(picture) else ""
        if not reason and self._own is not None:
            reason = self._own(picture.copy())
        return (blocked_picture(picture.size, reason), reason) if reason else (picture, "")
