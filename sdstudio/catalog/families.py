"""The model families, one row each: what they differ in, and what of a request each of them takes.

No code asks which family it is. How a family's pipelines are driven stands in ``engine.families``, by the row's key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Override:
    """What a family changes about one field of the request; ``None`` leaves the declaration as it stands."""

    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    hidden: bool = False


BESIDE_FIELDS: Final = frozenset({"embeddings", "explaining"})
"""What a family may take that is no field of a request: embeddings in prompts, and steps that are shown as pictures."""

_TAKEN: Final = frozenset({
    "clip_skip", "emphasis", "prompt_syntax", "guidance_rescale", "guidance_start", "guidance_end", "prediction",
    "zero_snr", "init_image", "strength", "init_fit", "upscaler", "loras", "vae", "mask", "mask_mode",
    "masked_content", "mask_blur", "only_masked", "mask_blending", "mask_weight", "soft_bias", "soft_preservation",
    "soft_contrast", "soft_influence", "soft_threshold", "soft_difference",
    "outpaint", "outpaint_fill", "outpaint_colour", "outpaint_overlap", "outpaint_passes", "transparency",
    "variation_strength", "variation_seed", "earlier_variations", "seed_resize_from", "ensd", "seamless", "hires",
    "hires_strength", "hires_upscaler", "hires_steps", "hires_scheduler", "hires_prompt", "hires_negative_prompt",
    "detail", "detail_model", "detail_boxes", "detail_mask", "detail_prompt", "detail_negative_prompt",
    "detail_strength", "detail_confidence", "detail_top_k", "detail_min_ratio", "detail_max_ratio", "detail_grow",
    "detail_blur", "detail_padding", "detail_steps", "detail_guidance",
    "hires_resize", "hires_schedule", "tile_redraw", "tile_size", "tile_overlap",
    *BESIDE_FIELDS,
})  # fmt: skip
"""What Stable Diffusion 1, 2 and XL take beyond what every text-to-image pipeline has."""

_PARTS = ("text_encoder", "tokenizer", "unet", "vae", "scheduler")
_SD1_STEPS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
_SDXL_STEPS = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """One family of models.

    Attributes:
        key: Stable name in requests and SQL.
        title: What the user reads.
        pipelines: Names of diffusers pipeline classes whose models belong to it.
        parts: Parts of a model in the diffusers layout that nothing can be drawn without.
        takes: Fields of a request that act on it beyond those that act on every family, and what of `BESIDE_FIELDS`
            it can. What another row takes and this one does not is hidden.
        text_width: Cross-attention width of its UNet; 0 when the family does not follow from it.
        native_size: Side in pixels it was trained at.
        sizes: Presets (width, height) with about the trained number of pixels, the square first.
        preview: Key in ``catalog.previews``; "" when no linear preview is known.
        final_norm_on_skip: SD 1 and 2 apply the text encoder's last layer norm to a skipped layer, SDXL does not; this
            decides how A1111's clip skip maps to diffusers' (see ``engine.prompting.checks``).
        skips_negative: Clip skip counts for the negative prompt too, as in A1111, Forge, ComfyUI and InvokeAI, which
            set it on the text encoder; ``False`` leaves all layers of the negative prompt, as diffusers' pipelines do.
        align_your_steps: Noise levels (sigma) of the schedule of that name, for 11 levels (NVIDIA, "Align Your Steps",
            https://research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html).
        name_tells_variant: Words in the name of a model's folder show its variant and how it was distilled, as in
            "sdxl-turbo"; ``False`` where nothing is known of the network that such words would be about.
        overrides: Request field -> what the family changes about it.
        about: One sentence for the model list.
    """

    key: str
    title: str
    pipelines: tuple[str, ...]
    text_width: int
    native_size: int
    sizes: tuple[tuple[int, int], ...]
    takes: frozenset[str] = frozenset()
    parts: tuple[str, ...] = _PARTS
    preview: str = ""
    final_norm_on_skip: bool = True
    skips_negative: bool = True
    align_your_steps: tuple[float, ...] = _SD1_STEPS
    name_tells_variant: bool = True
    overrides: Mapping[str, Override] = field(default_factory=dict)
    about: str = ""


FAMILIES: Sequence[ModelFamily] = [
    ModelFamily(
        key="sd1",
        title="Stable Diffusion 1.x",
        pipelines=("StableDiffusionPipeline", "StableDiffusionInpaintPipeline"),
        text_width=768,
        native_size=512,
        sizes=((512, 512), (512, 768), (768, 512), (576, 448), (448, 576), (640, 384), (384, 640)),
        takes=_TAKEN,
        preview="sd1",
        overrides={
            "width": Override(default=512),
            "height": Override(default=512),
            "guidance_scale": Override(default=7.0),
        },
        about="The most fine-tuned family; made for 512 pixels.",
    ),
    ModelFamily(
        key="sd2",
        title="Stable Diffusion 2.x",
        pipelines=("StableDiffusionPipeline", "StableDiffusionInpaintPipeline"),
        text_width=1024,
        native_size=768,
        sizes=((768, 768), (768, 1024), (1024, 768), (896, 640), (640, 896), (960, 576), (576, 960)),
        takes=_TAKEN,
        preview="sd1",
        overrides={
            "width": Override(default=768),
            "height": Override(default=768),
            "tile_size": Override(default=768),
            "tile_overlap": Override(default=192),
            "guidance_scale": Override(default=7.0),
        },
        about="OpenCLIP text encoder, 768 pixels; listens to negative prompts more than SD 1.",
    ),
    ModelFamily(
        key="sdxl",
        title="Stable Diffusion XL",
        pipelines=("StableDiffusionXLPipeline", "StableDiffusionXLInpaintPipeline"),
        text_width=2048,
        native_size=1024,
        sizes=((1024, 1024), (832, 1216), (1216, 832), (896, 1152), (1152, 896), (768, 1344), (1344, 768)),
        takes=_TAKEN,
        parts=(*_PARTS, "text_encoder_2", "tokenizer_2"),
        preview="sdxl",
        final_norm_on_skip=False,
        align_your_steps=_SDXL_STEPS,
        overrides={
            "width": Override(default=1024),
            "height": Override(default=1024),
            "tile_size": Override(default=1024),
            "tile_overlap": Override(default=256),
            "guidance_scale": Override(default=6.0),
            "steps": Override(default=25),
        },
        about="Two text encoders and 1024 pixels: the most detail, and the most memory.",
    ),
    ModelFamily(
        key="other",
        title="Other text-to-image",
        pipelines=(),
        text_width=0,
        native_size=1024,
        sizes=((1024, 1024), (832, 1216), (1216, 832)),
        skips_negative=False,
        name_tells_variant=False,
        overrides={
            "width": Override(default=1024),
            "height": Override(default=1024),
        },
        about="Loaded through AutoPipelineForText2Image with the parameters every pipeline has.",
    ),
]
"""In the order in which they are shown. Nothing of the product adds a row; tests do."""

FAMILY_BY_KEY: Mapping[str, ModelFamily] = {family.key: family for family in FAMILIES}


def optional_fields() -> frozenset[str]:
    """Return what some family takes and another may not."""
    return frozenset().union(*(family.takes for family in FAMILIES))


def titles_that_take(capability: str = "") -> str:
    """Return the titles of the families that take something, for hints: "A, B or C"; of all named ones for ""."""
    titles = [row.title for row in FAMILIES if row.pipelines and (not capability or capability in row.takes)]
    return " or ".join(filter(None, (", ".join(titles[:-1]), *titles[-1:])))


def family_of_pipeline(class_name: str, text_width: int) -> ModelFamily:
    """Return the family of a diffusers pipeline class whose UNet has this cross-attention width.

    SD 1 and SD 2 share ``StableDiffusionPipeline``; the width distinguishes them. A width that belongs to none of the
    rows (the starter's 192, a tiny test model) is the class's first family.
    """
    named = [family for family in FAMILIES if class_name in family.pipelines]
    exact = [family for family in named if family.text_width == text_width]
    return (exact or named or [FAMILY_BY_KEY["other"]])[0]
