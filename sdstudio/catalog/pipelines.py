"""Which pipelines of diffusers are drawn with besides those of the families, and why others are not.

Names are those of ``_class_name`` in ``model_index.json``. A test holds the table against diffusers' own of what draws
from text (``AUTO_TEXT2IMAGE_PIPELINES_MAPPING``): each of its classes stands here, or belongs to a family.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DRAWN: Final = frozenset({
    "AuraFlowPipeline", "HunyuanDiTPAGPipeline", "HunyuanDiTPipeline", "Kandinsky3Pipeline",
    "LatentConsistencyModelPipeline", "LuminaPipeline", "PixArtAlphaPipeline", "PixArtSigmaPAGPipeline",
    "PixArtSigmaPipeline", "StableDiffusion3Pipeline", "StableDiffusionPAGPipeline", "StableDiffusionXLPAGPipeline",
})  # fmt: skip
"""Pipelines that belong to no family and are drawn with by the parameters that all pipelines have."""

_SEVERAL: Final = "it is several models in one, with a sampler each"
_CONTROL: Final = "it draws after a control picture"
_OTHER_LATENTS: Final = "its latents are not the four channels of Stable Diffusion"
_PRIOR: Final = "it draws from the output of a prior model"

NOT_DRAWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ChromaPipeline": _OTHER_LATENTS,
        "CogView3PlusPipeline": _OTHER_LATENTS,
        "CogView4ControlPipeline": _CONTROL,
        "CogView4Pipeline": _OTHER_LATENTS,
        "Flux2KleinPipeline": _OTHER_LATENTS,
        "Flux2Pipeline": _OTHER_LATENTS,
        "FluxControlNetPipeline": _CONTROL,
        "FluxControlPipeline": _CONTROL,
        "FluxKontextPipeline": _OTHER_LATENTS,
        "FluxPipeline": _OTHER_LATENTS,
        "GlmImagePipeline": _OTHER_LATENTS,
        "HeliosPipeline": "it draws videos",
        "HeliosPyramidPipeline": "it draws videos",
        "IFPipeline": "it draws small pictures without a VAE, for further models to enlarge",
        "Ideogram4Pipeline": _OTHER_LATENTS,
        "KandinskyCombinedPipeline": _SEVERAL,
        "KandinskyV22CombinedPipeline": _SEVERAL,
        "KolorsPAGPipeline": "its text encoder (ChatGLM) is code that neither diffusers' nor transformers' index names",
        "KolorsPipeline": "its text encoder (ChatGLM) is code that neither diffusers' nor transformers' index names",
        "Krea2Pipeline": _OTHER_LATENTS,
        "Lumina2Pipeline": _OTHER_LATENTS,
        "NucleusMoEImagePipeline": _OTHER_LATENTS,
        "OvisImagePipeline": _OTHER_LATENTS,
        "PRXPipeline": _OTHER_LATENTS,
        "QwenImage21Pipeline": _OTHER_LATENTS,
        "QwenImageControlNetPipeline": _CONTROL,
        "QwenImagePipeline": _OTHER_LATENTS,
        "SanaPAGPipeline": _OTHER_LATENTS,
        "SanaPipeline": _OTHER_LATENTS,
        "StableCascadeCombinedPipeline": _SEVERAL,
        "StableDiffusion3ControlNetPipeline": _CONTROL,
        "StableDiffusion3PAGPipeline": _OTHER_LATENTS,
        "StableDiffusionControlNetPAGPipeline": _CONTROL,
        "StableDiffusionControlNetPipeline": _CONTROL,
        "StableDiffusionXLControlNetPAGPipeline": _CONTROL,
        "StableDiffusionXLControlNetPipeline": _CONTROL,
        "StableDiffusionXLControlNetUnionPipeline": _CONTROL,
        "StableUnCLIPPipeline": _PRIOR,
        "UnCLIPPipeline": _PRIOR,
        "WuerstchenCombinedPipeline": _SEVERAL,
        "ZImageControlNetInpaintPipeline": _CONTROL,
        "ZImageControlNetPipeline": _CONTROL,
        "ZImageOmniPipeline": _OTHER_LATENTS,
        "ZImagePipeline": _OTHER_LATENTS,
    }
)
"""Pipelines that draw from text and that the studio does not draw with -> why."""

NOT_FROM_TEXT: Final = (
    "Img2Img", "Inpaint", "Upscale", "Video", "Audio", "Depth2Img", "Pix2Pix", "ControlNet", "ImageVariation", "Prior",
)  # fmt: skip
"""Parts of names of pipelines that draw from more than text."""
