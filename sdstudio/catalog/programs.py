"""Where other programs keep their models, one row each, so that a folder of theirs is used in place.

Folder names as read in the programs' own sources: A1111, Forge and reForge ``modules/paths_internal.py``; ComfyUI
``folder_paths.py``; Fooocus ``modules/config.py``; SD.Next ``modules/paths.py``; SwarmUI ``Settings.cs``; InvokeAI
``config_default.py``; huggingface_hub ``constants.py``. They are compared without regard to case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, EMBEDDING, LORA, OTHER, UPSCALER, VAE


@dataclass(frozen=True, slots=True)
class Program:
    """One program's folder.

    Attributes:
        key: Stable name.
        title: What the user reads.
        signs: Paths inside its folder that show it; one is enough, and of one written ``a+b`` both must be there.
        folders: Path inside its folder -> kind of what lies there, "" when it follows from the files.
        lists: Files inside its folder that name further folders, each with its format (`library.scanning.places`).
    """

    key: str
    title: str
    signs: tuple[str, ...]
    folders: Mapping[str, str]
    lists: tuple[tuple[str, str], ...] = ()


_UPSCALERS: Final = {f"models/{name}": UPSCALER for name in ("ESRGAN", "RealESRGAN", "SwinIR", "DAT", "HAT", "ScuNET")}

# First match wins: SD.Next and SwarmUI share A1111's folder for checkpoints, Fooocus shares ComfyUI's.
PROGRAMS: tuple[Program, ...] = (
    Program(
        "fooocus", "Fooocus", ("fooocus_version.py", "models/checkpoints+sdxl_styles"),
        {
            "models/checkpoints": CHECKPOINT, "models/loras": LORA, "models/vae": VAE, "models/embeddings": EMBEDDING,
            "models/upscale_models": UPSCALER,
        },
        (("config.txt", "fooocus"),),
    ),
    Program(
        "sdnext", "SD.Next", ("models/Stable-diffusion+models/Diffusers",),
        {
            "models/Stable-diffusion": CHECKPOINT, "models/Diffusers": CHECKPOINT, "models/Lora": LORA,
            "models/VAE": VAE, "models/embeddings": EMBEDDING, "embeddings": EMBEDDING, **_UPSCALERS,
        },
    ),
    Program(
        "swarmui", "SwarmUI", ("Models/Stable-Diffusion+Models/Embeddings", "Models/Stable-Diffusion+SwarmUI.sln"),
        {
            "Models/Stable-Diffusion": CHECKPOINT, "Models/Lora": LORA, "Models/VAE": VAE,
            "Models/Embeddings": EMBEDDING, "Models/upscale_models": UPSCALER,
        },
    ),
    Program(
        "a1111", "A1111 or Forge", ("models/Stable-diffusion",),
        {
            "models/Stable-diffusion": CHECKPOINT, "models/Lora": LORA, "models/LyCORIS": LORA, "models/VAE": VAE,
            "embeddings": EMBEDDING, **_UPSCALERS,
        },
    ),
    Program(
        "comfyui", "ComfyUI", ("models/checkpoints", "extra_model_paths.yaml"),
        {
            "models/checkpoints": CHECKPOINT, "models/diffusers": CHECKPOINT, "models/loras": LORA, "models/vae": VAE,
            "models/embeddings": EMBEDDING, "models/upscale_models": UPSCALER,
        },
        (("extra_model_paths.yaml", "comfyui"),),
    ),
    Program(
        "invokeai", "InvokeAI", ("databases/invokeai.db", "invokeai.yaml"), {"models": ""},
        (("invokeai.yaml", "invokeai"),),
    ),
    Program(
        "huggingface", "Hugging Face cache", ("hub/version.txt", "hub/.locks", "hub+token", "hub+xet"), {"hub": ""}
    ),
)  # fmt: skip

FOLDER_KINDS: Mapping[str, str] = MappingProxyType({
    "stable-diffusion": CHECKPOINT, "stablediffusion": CHECKPOINT, "checkpoints": CHECKPOINT, "diffusers": CHECKPOINT,
    "main": CHECKPOINT,
    "lora": LORA, "loras": LORA, "lycoris": LORA, "locon": LORA,
    "vae": VAE,
    "embeddings": EMBEDDING, "embedding": EMBEDDING, "textual_inversion": EMBEDDING, "textualinversion": EMBEDDING,
    "upscale_models": UPSCALER, "upscaler": UPSCALER, "upscalers": UPSCALER, "esrgan": UPSCALER,
    "realesrgan": UPSCALER, "swinir": UPSCALER, "dat": UPSCALER, "hat": UPSCALER, "spandrel_image_to_image": UPSCALER,
    "detectors": DETECTOR,
    "vae-approx": OTHER, "vae_approx": OTHER, "approxvae": OTHER, "hypernetworks": OTHER, "hypernetwork": OTHER,
    "controlnet": OTHER, "t2i_adapter": OTHER, "ip_adapter": OTHER, "gfpgan": OTHER, "codeformer": OTHER,
    "text_encoder": OTHER, "text_encoders": OTHER, "textencoders": OTHER, "clip": OTHER, "clip_vision": OTHER,
    "clip_embed": OTHER, "unet": OTHER, "diffusion_models": OTHER, "core": OTHER, "onnx": OTHER,
})  # fmt: skip
"""Name of a folder anywhere (lower case) -> kind of what lies in it, for folders of no known program."""

SKIPPED_FOLDERS: Final = frozenset({
    "blobs", "refs", "trees", "venv", "env", "node_modules", "site-packages", "__pycache__", "outputs", "output",
})  # fmt: skip
"""Folders that hold no model under a name of its own."""
