"""Pictures as other programs write them, built key by key from what those programs' sources say."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

EXIF_IFD, USER_COMMENT, MAKE, MODEL = 0x8769, 0x9286, 0x010F, 0x0110


def png(texts: Mapping[str, str], size: tuple[int, int] = (64, 64)) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text) if key == "XML:com.adobe.xmp" or not text.isascii() else info.add_text(key, text)
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_comment(kind: str, comment: str, order: str = "utf-16-be") -> bytes:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + comment.encode(order)
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, kind, exif=exif)
    return file.getvalue()


def comfy_nodes(**sampler: Any) -> dict[str, Any]:
    """ComfyUI's default graph, with a LoRA and a clip skip put in."""
    return {
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 156680208700286, "steps": 25, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras",
            "denoise": 1.0, "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
            **sampler}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15\\dreamshaper_8.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a glass bottle", "clip": ["11", 0]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text, watermark", "clip": ["11", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
        "10": {"class_type": "LoraLoader", "inputs": {
            "lora_name": "glow.safetensors", "strength_model": 0.75, "strength_clip": 1, "model": ["4", 0],
            "clip": ["4", 1]}},
        "11": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["10", 1]}},
    }  # fmt: skip


COMFY_CUSTOM = {
    "1": {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["6", 0]}},
    "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": ["12", 0]}},
    "3": {"class_type": "CFGGuider", "inputs": {
        "cfg": 4, "model": ["7", 0], "positive": ["8", 0], "negative": ["9", 0]}},
    "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "5": {"class_type": "BasicScheduler", "inputs": {
        "scheduler": "normal", "steps": 12, "denoise": 1, "model": ["7", 0]}},
    "6": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 4}},
    "7": {"class_type": "UNETLoader", "inputs": {"unet_name": "some/unet.safetensors"}},
    "8": {"class_type": "ControlNetApplyAdvanced", "inputs": {
        "strength": 1, "positive": ["10", 0], "negative": ["9", 0], "control_net": ["99", 0]}},
    "9": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["7", 1]}},
    "10": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["7", 1]}},
    "11": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "a fox"}},
    "12": {"class_type": "PrimitiveInt", "inputs": {"value": 18446744073709551615}},
    "13": {"class_type": "LatentUpscale", "inputs": {"samples": ["1", 0], "width": 128, "height": 128}},
    "14": {"class_type": "KSampler", "inputs": {
        "seed": 5, "steps": 8, "cfg": 7, "sampler_name": "heun", "scheduler": "simple", "denoise": 0.5,
        "model": ["7", 0], "positive": ["8", 0], "negative": ["9", 0], "latent_image": ["13", 0]}},
}  # fmt: skip

INVOKE_4 = {
    "generation_mode": "txt2img", "positive_prompt": "a red boat", "negative_prompt": "fog", "width": 512,
    "height": 640, "seed": 1711236951, "rand_device": "cpu", "cfg_scale": 7.5, "cfg_rescale_multiplier": 0.0,
    "steps": 30, "scheduler": "dpmpp_2m_sde_k", "clip_skip": 1, "seamless_x": True,
    "model": {"key": "f7c9", "hash": "blake3:aa11", "name": "Dreamshaper 8", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"key": "x", "name": "ink"}, "weight": 0.6}], "app_version": "4.2.1",
}  # fmt: skip

FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8", "base_model_hash": "aeb7e9e689",
    "clip_skip": 2, "guidance_scale": 4, "loras": [["offset", 0.1, "4852686128"]], "lora_combined_1": "offset : 0.1",
    "metadata_scheme": "fooocus", "negative_prompt": "bad", "performance": "Speed", "prompt": "a stone house",
    "refiner_model": "None", "resolution": "(896, 1152)", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras",
    "seed": "7084000123", "sharpness": 2, "steps": 30, "styles": "['Fooocus V2']", "vae": "Default (model)",
    "version": "Fooocus v2.4.3",
}  # fmt: skip

SWARM = {"sui_image_params": {
    "prompt": "a green car", "negativeprompt": "rust", "model": "Official/sd_xl_base_1.0", "seed": 77, "steps": 20,
    "cfgscale": 7.0, "aspectratio": "1:1", "width": 1024, "height": 1024, "sampler": "dpmpp_2m", "scheduler": "karras",
    "loras": ["paint"], "loraweights": ["0.5"], "automaticvae": True, "swarm_version": "0.6.4.0",
}, "sui_extra_data": {"date": "2024-05-01"}}  # fmt: skip

NOVEL = {
    "prompt": "1girl, {smile}", "steps": 28, "height": 1216, "width": 832, "scale": 5.0, "uncond_scale": 0.0,
    "cfg_rescale": 0.0, "seed": 3621354012, "n_samples": 1, "noise_schedule": "karras", "sampler": "k_euler_ancestral",
    "uc": "lowres", "sm": False, "request_type": "PromptGenerateRequest", "signed_hash": "abc=",
}  # fmt: skip

EASY = {
    "prompt": "an oak", "negative_prompt": "leaf", "seed": "42", "use_stable_diffusion_model": "sd-v1-5",
    "clip_skip": "True", "use_vae_model": "None", "sampler_name": "euler_a", "width": "512", "height": "512",
    "num_inference_steps": "25", "guidance_scale": "7.5", "use_lora_model": "wood", "lora_alpha": "0.4",
}  # fmt: skip

DRAW = {
    "c": "a lighthouse & sea", "uc": "people", "seed": 2917234, "scale": 4.5, "steps": 20,
    "sampler": "DPM++ 2M Karras", "size": "512x768", "model": "sd_v1.5_f16.ckpt", "strength": 1,
    "seed_mode": "Scale Alike", "v2": {"x": 1},
}  # fmt: skip


def xmp(values: Mapping[str, Any]) -> str:
    inside = json.dumps(values).replace("&", "&amp;").replace('"', "&quot;")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><exif:UserComment><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">{inside}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF>'
        "</x:xmpmeta>"
    )


A1111 = (
    "a cat (red hat:1.2), <lora:hat:0.8>\nNegative prompt: blurry\nSteps: 20, Sampler: {sampler}, CFG scale: 7, "
    'Seed: 42, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Lora hashes: "hat: 1a2b3c4d5e6f", '
    "Hires upscale: 2, Version: {version}"
)


def hidden(text: str, size: tuple[int, int] = (64, 64), mark: bytes = b"stealth_pngcomp") -> bytes:
    """A picture with a text in the lowest bits of its pixels and nowhere else; the mark says in which and how."""
    packed = gzip.compress(text.encode()) if mark.endswith(b"comp") else text.encode()
    data = mark + (len(packed) * 8).to_bytes(4, "big") + packed
    bits = [byte >> place & 1 for byte in data for place in range(7, -1, -1)]
    file = io.BytesIO()
    with_bits(bits, size, in_alpha=b"png" in mark).save(file, "PNG")
    return file.getvalue()


def with_bits(bits: list[int], size: tuple[int, int], in_alpha: bool) -> Image.Image:
    """A picture with these lowest bits, column by column, in its transparency or in red, green and blue by turns."""
    pixels = Image.new("RGBA" if in_alpha else "RGB", size, (10, 101, 202, 254) if in_alpha else (10, 101, 202))
    channels = (3,) if in_alpha else (0, 1, 2)
    values = pixels.load()
    for at, bit in enumerate(bits):
        place, channel = divmod(at, len(channels))
        x, y = divmod(place, size[1])
        value = list(values[x, y])
        value[channels[channel]] = value[channels[channel]] & ~1 | bit
        values[x, y] = tuple(value)
    return pixels


def bits_of(pixels: Image.Image, in_alpha: bool) -> list[int]:
    """The lowest bits of a picture in the order in which text is hidden in them."""
    values = pixels.convert("RGBA").load()
    places = ((x, y) for x in range(pixels.width) for y in range(pixels.height))
    return [values[place][channel] & 1 for place in places for channel in ((3,) if in_alpha else (0, 1, 2))]
