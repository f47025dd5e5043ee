"""What to draw: `GenerationRequest`, declared once and read everywhere.

Equal requests give equal pixels on one device. From this one declaration come the parameter panel, the CLI's flags,
validation and its messages, the recipe in the PNG, A1111's text and the history's searchable columns.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sdstudio.catalog.schedulers import DEFAULT_SCHEDULER, SCHEDULERS
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.checks import built
from sdstudio.core.compatibility import FIRST_COMPATIBILITY, NEWEST_COMPATIBILITY
from sdstudio.core.params import Choice, FieldKind, Infotext, Parameter, Searchable, Ui, parameters
from sdstudio.core.request import detail_fields, mask_fields, outpaint_fields
from sdstudio.core.request.advanced_fields import (
    Churn,
    ClipSkip,
    Compatibility,
    Emphasis,
    Eta,
    EtaDdim,
    GuidanceEnd,
    GuidanceRescale,
    GuidanceStart,
    LastLevel,
    Noise,
    Prediction,
    PromptSyntax,
    ZeroSnr,
)
from sdstudio.core.request.file_fields import Loras, Vae
from sdstudio.core.request.finish_fields import OWN_UPSCALER, Finish, FinishUpscaler, made_size
from sdstudio.core.request.input_fields import INIT, InitFit, InitImage, Strength, Upscaler
from sdstudio.core.request.rules import check_together, modern, named, schedule_choices
from sdstudio.core.request.second_pass_fields import (
    Hires,
    HiresNegativePrompt,
    HiresPrompt,
    HiresResize,
    HiresSchedule,
    HiresScheduler,
    HiresSteps,
    HiresStrength,
    HiresUpscaler,
    over_input,
    steps_of_second,
)
from sdstudio.core.request.seed_fields import (
    SEED_MAXIMUM,
    EarlierVariations,
    Ensd,
    Seamless,
    SeedResizeFrom,
    Seeds,
    VariationSeed,
    VariationStrength,
)
from sdstudio.core.request.tile_fields import TileOverlap, TileRedraw, TileSize

log = logging.getLogger(__name__)

RANDOM_SEED_MAXIMUM: Final = 2**32 - 1
"""Largest seed the studio draws itself, so that every other tool can take it (A1111 draws below 4294967294)."""

PROMPT_MAXIMUM: Final = 20_000
"""Longest prompt in characters; Stable Diffusion reads all of it, 75 tokens at a time."""


def _scheduler_choices() -> list[Choice]:
    return [Choice(spec.key, spec.title, spec.about) for spec in SCHEDULERS]


@dataclass(frozen=True, slots=True)
class Written:
    """What the user wrote where the prompts are what became of it: wildcards unresolved, styles not yet set in."""

    prompt: str = ""
    negative_prompt: str = ""
    styles: tuple[str, ...] = ()


class GenerationRequest(BaseModel):
    """Everything that decides the pixels of a picture. Frozen; build it with `checked` to get readable errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        str,
        Field(title="Model", description="The checkpoint that draws: its key in the library, or a folder."),
        Ui(kind=FieldKind.MODEL, group="Model"),
        Searchable(),
    ] = "starter"
    prompt: Annotated[
        str,
        Field(
            title="Prompt",
            description="What to draw. Name the subject first, then style, light and background.",
            max_length=PROMPT_MAXIMUM,
        ),
        Ui(group="Prompt"),
    ] = ""
    negative_prompt: Annotated[
        str,
        Field(
            title="Negative prompt",
            description="What to keep out of the picture. It acts only while the guidance scale is above 1.",
            max_length=PROMPT_MAXIMUM,
        ),
        Ui(group="Prompt"),
    ] = ""
    width: Annotated[
        int,
        Field(
            title="Width",
            description="Width of the picture. Far above the size a model was trained at, subjects repeat.",
            ge=64, le=4096, multiple_of=8,
        ),
        Ui(unit="px", step=8, group="Size"),
        Searchable(),
    ] = 512  # fmt: skip
    height: Annotated[
        int,
        Field(
            title="Height",
            description="Height of the picture. Far above the size a model was trained at, subjects repeat.",
            ge=64, le=4096, multiple_of=8,
        ),
        Ui(unit="px", step=8, group="Size"),
        Searchable(),
    ] = 512  # fmt: skip
    finish: Finish = 1.0
    finish_upscaler: FinishUpscaler = OWN_UPSCALER
    init_image: InitImage = ""
    strength: Strength = 0.75
    init_fit: InitFit = "crop"
    upscaler: Upscaler = ""
    mask: mask_fields.Mask = ""
    mask_mode: mask_fields.MaskMode = "masked"
    masked_content: mask_fields.MaskedContent = "original"
    mask_blur: mask_fields.MaskBlur = 4
    only_masked: mask_fields.OnlyMasked = None
    mask_blending: mask_fields.MaskBlending = "latent"
    mask_weight: mask_fields.MaskWeight = 1.0
    soft_bias: mask_fields.SoftBias = 1.0
    soft_preservation: mask_fields.SoftPreservation = 0.5
    soft_contrast: mask_fields.SoftContrast = 4.0
    soft_influence: mask_fields.SoftInfluence = 0.0
    soft_threshold: mask_fields.SoftThreshold = 0.5
    soft_difference: mask_fields.SoftDifference = 2.0
    outpaint: outpaint_fields.Outpaint = ""
    outpaint_fill: outpaint_fields.OutpaintFill = "edge"
    outpaint_colour: outpaint_fields.OutpaintColour = "#808080"
    outpaint_overlap: outpaint_fields.OutpaintOverlap = 16
    outpaint_passes: outpaint_fields.OutpaintPasses = "side"
    transparency: outpaint_fields.Transparency = "white"
    steps: Annotated[
        int,
        Field(
            title="Steps",
            description="How often the picture is cleaned of noise. 20 to 30 suits most samplers; more costs time.",
            ge=1, le=150,
        ),
        Ui(slider=True),
        Infotext("Steps", 10),
        Searchable(),
    ] = 20  # fmt: skip
    guidance_scale: Annotated[
        float,
        Field(
            title="Guidance scale",
            description="How closely the prompt is followed (CFG scale): uncond + scale x (cond - uncond). "
            "1 skips the unconditional pass and takes half the time; too high oversaturates.",
            ge=1, le=30,
        ),
        Ui(step=0.5, decimals=1, slider=True),
        Infotext("CFG scale", 30),
        Searchable(),
    ] = 7.0  # fmt: skip
    scheduler: Annotated[
        str,
        Field(title="Sampler", description="The rule by which noise is removed from step to step."),
        Ui(kind=FieldKind.CHOICE, choices=_scheduler_choices, more_flags=("--sampler",)),
        Searchable(),
    ] = DEFAULT_SCHEDULER
    schedule: Annotated[
        str,
        Field(title="Schedule", description="The noise levels at which the sampler steps, from pure noise to none."),
        Ui(kind=FieldKind.CHOICE, choices=schedule_choices),
        Searchable(),
    ] = AUTOMATIC
    seed: Annotated[
        int | None,
        Field(
            title="Seed",
            description="The number the starting noise grows from. The same seed and settings give the same picture; "
            "blank draws a new one each time.",
            ge=0, le=SEED_MAXIMUM,
        ),
        Ui(kind=FieldKind.SEED),
        Infotext("Seed", 40),
        Searchable(),
    ] = None  # fmt: skip
    loras: Loras = ()
    vae: Vae = ""
    hires: Hires = 1.0
    hires_resize: HiresResize = ""
    tile_redraw: TileRedraw = ""
    tile_size: TileSize = 512
    tile_overlap: TileOverlap = 128
    hires_strength: HiresStrength = 0.5
    hires_upscaler: HiresUpscaler = ""
    hires_steps: HiresSteps = 0
    hires_scheduler: HiresScheduler = ""
    hires_schedule: HiresSchedule = ""
    hires_prompt: HiresPrompt = ""
    hires_negative_prompt: HiresNegativePrompt = ""
    detail: detail_fields.Detail = ""
    detail_model: detail_fields.DetailModel = ""
    detail_boxes: detail_fields.DetailBoxes = ""
    detail_mask: detail_fields.DetailMask = ""
    detail_prompt: detail_fields.DetailPrompt = ""
    detail_negative_prompt: detail_fields.DetailNegativePrompt = ""
    detail_strength: detail_fields.DetailStrength = 0.4
    detail_confidence: detail_fields.DetailConfidence = 0.3
    detail_top_k: detail_fields.DetailTopK = 0
    detail_min_ratio: detail_fields.DetailMinRatio = 0.0
    detail_max_ratio: detail_fields.DetailMaxRatio = 1.0
    detail_grow: detail_fields.DetailGrow = 4
    detail_blur: detail_fields.DetailBlur = 4
    detail_padding: detail_fields.DetailPadding = 32
    detail_steps: detail_fields.DetailSteps = 0
    detail_guidance: detail_fields.DetailGuidance = 0.0
    variation_strength: VariationStrength = 0.0
    variation_seed: VariationSeed = None
    earlier_variations: EarlierVariations = ""
    seed_resize_from: SeedResizeFrom = ""
    seamless: Seamless = "off"
    rng: Noise = "cpu"
    clip_skip: ClipSkip = 1
    emphasis: Emphasis = "original"
    prompt_syntax: PromptSyntax = "a1111"
    guidance_rescale: GuidanceRescale = 0.0
    guidance_start: GuidanceStart = 0.0
    guidance_end: GuidanceEnd = 1.0
    eta: Eta = 1.0
    eta_ddim: EtaDdim = 0.0
    ensd: Ensd = 0
    s_churn: Churn = 0.0
    last_level: LastLevel = "automatic"
    prediction: Prediction = "automatic"
    zero_snr: ZeroSnr = False
    compatibility: Compatibility = NEWEST_COMPATIBILITY
    file_hashes: tuple[tuple[str, str], ...] = ()
    """Name -> hash, as a recipe or another program records it: decides where several files have the name."""
    written: Written | None = None
    """Not drawn from: kept for the user. ``None`` where the prompts are as they were written."""

    @classmethod
    def checked(cls, values: Mapping[str, Any], limits: Mapping[str, Parameter] | None = None) -> GenerationRequest:
        """Build a request from loose values, or raise which field is wrong and what is allowed.

        Args:
            values: Field names to values; sampler and schedule may go by any name `find_sampling` knows.
            limits: The parameters as a model changes them (`core.models.model.parameters_of`); default: as declared.

        Raises:
            InvalidRequest: For the first field that holds a value that is not allowed.
        """
        values = named(values)
        for name in ("prompt", "negative_prompt"):
            if isinstance(values.get(name), str):  # a lone surrogate would break the tokenizer and SQLite
                values[name] = values[name].encode("utf-8", "replace").decode("utf-8")
        rows = {row.name: row for row in parameters(cls)} | dict(limits or {})
        request = built(cls, values, rows)
        check_together(request, values)
        return request

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> GenerationRequest:
        """Read a request that any version wrote; what this version cannot hold becomes the default and is logged.

        A request that names no compatibility was written by a version before 0.2 and keeps that version's rules.
        """
        values = {"compatibility": FIRST_COMPATIBILITY, **modern(values)}
        try:
            return cls(**values)
        except ValidationError as error:
            bad = {str(item["loc"][0]): item["input"] for item in error.errors()}
            log.warning("a stored request holds what this version does not allow: %s", sorted(bad))
            return cls(**{name: value for name, value in values.items() if name not in bad})

    @property
    def steps_run(self) -> int:
        """How many steps are run: all, or over an input picture what its strength leaves, as diffusers counts.

        Those of a second pass come on top, unless it is drawn over an input picture.
        """
        if over_input(self):
            return steps_of_second(self)
        return int(self.steps * self.strength) if INIT.picture_in(self) else self.steps

    @property
    def made_size(self) -> tuple[int, int]:
        """Width and height of the picture that it makes, by its second pass and its finish."""
        return made_size(dict(self))

    @property
    def counted(self) -> str:
        """The field that counts on from picture to picture: the seed, or of variations the variation seed."""
        return "variation_seed" if self.variation_strength else "seed"

    @property
    def own_seed(self) -> int | None:
        """The value of the field that counts on from picture to picture; ``None`` for a random one."""
        return self.variation_seed if self.variation_strength else self.seed

    def with_seed(self, seed: int) -> GenerationRequest:
        """Return this request with a recorded seed, in the field that counts on."""
        return self.model_copy(update={self.counted: seed})

    def with_base_seed(self) -> GenerationRequest:
        """Return this request, of variations with the seed that they all share, a random one where it has none."""
        if not self.variation_strength or self.seed is not None:
            return self
        return self.model_copy(update={"seed": secrets.randbelow(RANDOM_SEED_MAXIMUM + 1)})


class RunOptions(BaseModel):
    """How many pictures of a request to make, and how many at a time. Neither changes a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[
        int,
        Field(title="Count", description="How many pictures to make, each with the next seed.", ge=1, le=1000),
        Ui(),
    ] = 1
    batch_size: Annotated[
        int,
        Field(
            title="Batch size",
            description="How many pictures are made at once: faster where memory allows. They are those made one by "
            "one, but for single pixels that may differ by a grey level or two.",
            ge=1, le=16,
        ),
        Ui(group="Advanced"),
    ] = 1  # fmt: skip

    wildcards: Annotated[
        Literal["random", "all", "off"],
        Field(
            title="Wildcards",
            description="What {red|blue} and __colour__ stand for: a pick for each picture that follows from its seed, "
            "every combination of them all, or just the characters.",
        ),
        Ui(group="Advanced", titles=("A pick for each picture", "Every combination", "Off")),
    ] = "random"

    seeds: Seeds = ""

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> RunOptions:
        """Build run options from loose values. Raises: InvalidRequest."""
        return built(cls, values, {row.name: row for row in parameters(cls)})
