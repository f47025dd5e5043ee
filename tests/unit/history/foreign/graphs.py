"""Small ComfyUI graphs, as its API writes them, and what the studio reads of them."""

from __future__ import annotations

import io
import json
from typing import Any

from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.picture_text.foreign.reading import read_picture
from tests.unit.history.foreign.pictures import png

Nodes = dict[str, Any]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def plain(*, sampler: dict[str, Any] | None = None, **others: Any) -> Nodes:
    """One KSampler ("3") with all that it needs; ``others`` are put in or over it: ``n10=node(..)``."""
    nodes = {
        "3": node("KSampler", seed=5, steps=25, cfg=6.5, sampler_name="dpmpp_2m", scheduler="karras", denoise=1.0,
                  model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name="dream.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a bottle", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }  # fmt: skip
    nodes["3"]["inputs"] |= sampler or {}
    return nodes | {name.removeprefix("n"): given for name, given in others.items()}


def custom(sigmas: dict[str, Any] | None = None, sampler: dict[str, Any] | None = None, **others: Any) -> Nodes:
    """A SamplerCustom with nodes for sampler ("20") and noise levels ("21")."""
    nodes = plain(**others)
    nodes["3"] = node("SamplerCustom", add_noise=True, noise_seed=9, cfg=8, model=["4", 0], positive=["6", 0],
                      negative=["7", 0], sampler=["20", 0], sigmas=["21", 0], latent_image=["5", 0])  # fmt: skip
    nodes["20"] = sampler or node("KSamplerSelect", sampler_name="dpmpp_2m")
    nodes["21"] = sigmas or node("BasicScheduler", scheduler="karras", steps=20, denoise=1, model=["4", 0])
    return nodes


def read(nodes: Nodes, **texts: str) -> Reading:
    found = read_picture(io.BytesIO(png({"prompt": json.dumps(nodes), **texts})))
    assert found is not None
    return found
