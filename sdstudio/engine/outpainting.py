"""One call of `Engine.generate` that adds ground to a picture: one picture after the other, each in all its passes.

A pass is an edit under a mask, drawn as any other (`Drawing`), over what the passes before have drawn. They look like
one job from outside: steps are counted over all passes, previews show the whole, and only the last pass has a picture.
What is cancelled in between leaves nothing: ground that is drawn in part is no picture.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from PIL import Image

from sdstudio.core.events import Decoding, EngineEvent, EventSink, ImageMade, PreviewFrame, StepDone, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan
from sdstudio.engine.generation import Drawing
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.drawn_over import DrawnOver
from sdstudio.engine.pictures.masked import MaskedPicture
from sdstudio.engine.pictures.outpainted import GrowingPicture, OutpaintedPicture
from sdstudio.engine.pictures.safety import Safety

_SEED_STRIDE: Final = 1_000_003
"""Between the seeds of two passes: a prime, so that neighbours among a job's pictures do not share noise."""
_CELL_PX: Final = 8
_NOT_JUDGED: Final = Safety(None, None)


class Outpainting:
    """Draws ground around a picture, once for each seed.

    Args:
        loaded: The model.
        resolved: What is asked for.
        seeds: One for each picture.
        device: Where it is drawn.
        preview_every_s: As `Drawing` takes it.
        safety: Looks at each picture that is done.
        on_event: Called with what happens.
        picture: What is added to which picture.

    Attributes:
        unfinished: Always ``None``, see above.
    """

    def __init__(
        self, loaded: LoadedModel, resolved: ResolvedRequest, seeds: Sequence[int], device: Device,
        preview_every_s: float | None, safety: Safety, on_event: EventSink, picture: OutpaintedPicture,
    ) -> None:  # fmt: skip
        self._loaded = loaded
        self._resolved = resolved
        self._seeds = tuple(seeds)
        self._device = device
        self._preview_every_s = preview_every_s
        self._safety = safety
        self._on_event = on_event
        self._picture = picture
        self.unfinished: Unfinished | None = None

    def run(self, plan: MemoryPlan) -> None:
        """Make every picture, beginning with this plan. Raises: as `Drawing.run`."""
        plan = replace(plan, batch_size=1)
        of_pass = replace(self._resolved, request=self._picture.pass_request)
        boxes = self._picture.boxes
        for index, seed in enumerate(self._seeds):
            begun = time.monotonic()
            growing = GrowingPicture(self._picture)
            for number, box in enumerate(boxes):
                masked = growing.pass_over(box)
                events = _PassEvents(
                    self._on_event, growing.whole, masked, (number, len(boxes)), (index, len(self._seeds))
                )
                pass_seed = (seed + number * _SEED_STRIDE) % (SEED_MAXIMUM + 1)
                drawing = Drawing(
                    self._loaded, of_pass, (pass_seed,), self._device, self._preview_every_s, _NOT_JUDGED, events.take,
                    DrawnOver(masked.begin, masked),
                )  # fmt: skip
                drawing.run(plan)
                plan = drawing.plan
                assert events.made is not None
                last = events.made
                growing.whole = last.pixels
            self._emit(index, seed, growing, last, time.monotonic() - begun)

    def _emit(self, index: int, seed: int, growing: GrowingPicture, last: ImageMade, took_s: float) -> None:
        whole = self._picture.finished(growing.whole, growing.touched, growing.opaque)
        shown, reason = self._safety.judged(whole)
        made_with = {**last.recipe.made_with, "passes": len(self._picture.boxes)}
        recipe = last.recipe.model_copy(
            update={
                "request": self._resolved.request.with_seed(seed),
                "duration_s": round(took_s, 4),
                "made_with": made_with,
                "blocked": reason,
            }
        )
        self._on_event(ImageMade(index, shown, recipe))


class _PassEvents:
    """Passes on what one pass tells as part of the whole job, and keeps its picture.

    Attributes:
        made: The picture of the pass.
    """

    def __init__(
        self, on_event: EventSink, whole: Image.Image, masked: MaskedPicture, at: tuple[int, int],
        image: tuple[int, int],
    ) -> None:  # fmt: skip
        self._on_event = on_event
        self._whole = whole
        self._masked = masked
        self._at = at
        self._image = image
        self._small: Image.Image | None = None
        self.made: ImageMade | None = None

    def take(self, event: EngineEvent) -> None:
        """Pass an event on, counted over all passes and pictures."""
        image, image_count = self._image
        number, count = self._at
        match event:
            case ImageMade():
                self.made = event
                return
            case StepDone():
                event = replace(
                    event, step=number * event.total + event.step, total=count * event.total, image=image,
                    image_count=image_count, preview=event.preview and self._seen_in_whole(event.preview),
                )  # fmt: skip
            case Decoding():
                event = replace(event, image=image, image_count=image_count)
        self._on_event(event)

    def _seen_in_whole(self, frame: PreviewFrame) -> PreviewFrame:
        """Return a window's preview within the whole as it is so far, as small."""
        box, place = self._masked.box, self._masked.place
        assert box is not None and place is not None  # noqa: PT018
        if self._small is None:
            self._small = self._whole.reduce(_CELL_PX)
        drawn = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        scale = self._masked.seen.width / frame.width
        part = (*place.at, place.at[0] + place.size[0], place.at[1] + place.size[1])
        left, top, right, bottom = (end / scale for end in part)
        size = max(1, (box[2] - box[0]) // _CELL_PX), max(1, (box[3] - box[1]) // _CELL_PX)
        small = self._small.copy()
        inside = drawn.resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        small.paste(inside, (box[0] // _CELL_PX, box[1] // _CELL_PX))
        return PreviewFrame(small.width, small.height, small.tobytes())
