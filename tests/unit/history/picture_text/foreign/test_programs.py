from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.found import Found, model_title
from sdstudio.history.picture_text.foreign.origin import Reading, origin_of
from sdstudio.history.picture_text.foreign.programs import PROGRAMS
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.picture_text.pnginfo import NOT_THE_SAME
from tests.unit.history.foreign.pictures import (
    A1111,
    COMFY_CUSTOM,
    DRAW,
    EASY,
    FOOOCUS,
    INVOKE_4,
    NOVEL,
    SWARM,
    comfy_nodes,
    png,
    with_comment,
    xmp,
)


def reading(data: bytes) -> Reading:
    found = read_picture(io.BytesIO(data))
    assert found is not None
    return found


def told(data: bytes) -> dict[str, Any]:
    """What the picture decides of a request, short names for the long ones."""
    request = reading(data).recipe.request
    return {
        "prompt": request.prompt, "negative": request.negative_prompt, "steps": request.steps, "seed": request.seed,
        "cfg": request.guidance_scale, "size": (request.width, request.height), "skip": request.clip_skip,
        "model": request.model,
    }  # fmt: skip


def sampler_of(data: bytes) -> str:
    request = reading(data).recipe.request
    return f"{request.scheduler} {request.schedule}"


def test_every_program_of_the_table_has_a_picture_here_that_only_it_recognises():
    made = {
        "InvokeAI": png({"invokeai_metadata": json.dumps(INVOKE_4)}),
        "SwarmUI": png({"parameters": json.dumps(SWARM)}),
        "Fooocus": png({"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}),
        "A1111": png({"parameters": A1111.format(sampler="Euler a", version="v1.10.1")}),
        "ComfyUI": png({"prompt": json.dumps(comfy_nodes()), "workflow": "{}"}),
        "NovelAI": png({"Software": "NovelAI", "Comment": json.dumps(NOVEL), "Description": "1girl"}),
        "Easy Diffusion": png(EASY),
        "Draw Things": png({"XML:com.adobe.xmp": xmp(DRAW)}),
    }
    assert list(made) == [program.name for program in PROGRAMS]
    for name, data in made.items():
        assert reading(data).program.startswith(name), name


def test_comfyui_is_followed_from_the_sampler_to_prompts_model_lora_and_size():
    data = png({"prompt": json.dumps(comfy_nodes()), "workflow": "{}"})
    assert told(data) == {
        "prompt": "a glass bottle <lora:glow:1:0.75>", "negative": "text, watermark", "steps": 25,
        "seed": 156680208700286, "cfg": 6.5, "size": (512, 768), "skip": 2, "model": "dreamshaper_8",
    }  # fmt: skip
    assert sampler_of(data) == "dpmpp_2m karras"
    assert reading(data).not_mapped == {}
    assert reading(data).assumed == ()


def test_comfyuis_custom_samplers_linked_values_and_second_passes_are_understood():
    data = png({"prompt": json.dumps(COMFY_CUSTOM)})
    assert told(data) == {
        "prompt": "a fox", "negative": "ugly", "steps": 12, "seed": 2**64 - 1, "cfg": 4.0, "size": (64, 64), "skip": 1,
        "model": "unet",
    }  # fmt: skip
    assert sampler_of(data) == "euler uniform"
    left = reading(data).not_mapped
    assert left["Pass 2"] == "steps 8, cfg 7, denoise 0.5, sampler_name heun"
    assert "4 pictures" in left["Batch"]
    assert "LatentUpscale" in left["Other nodes"]


def test_comfyuis_graph_in_a_webp_is_read():
    from PIL import Image

    exif = Image.Exif()
    exif[0x0110] = "prompt:" + json.dumps(comfy_nodes())
    exif[0x010F] = "workflow:{}"
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "WEBP", exif=exif)
    assert told(file.getvalue())["steps"] == 25


def test_a_picture_made_from_another_one_says_so():
    nodes = comfy_nodes(denoise=0.6, latent_image=["20", 0])
    nodes["20"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["21", 0], "vae": ["4", 2]}}
    nodes["21"] = {"class_type": "LoadImage", "inputs": {"image": "in.png"}}
    read = reading(png({"prompt": json.dumps(nodes)}, (72, 80)))
    assert (read.recipe.request.width, read.recipe.request.height) == (72, 80), "the picture's own size"
    assert read.recipe.request.strength == 0.6
    assert set(read.not_mapped) == {"Input picture", "Other nodes"}


@pytest.mark.parametrize("made", [
    {"parameters": "a\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Denoising strength: 0.35"},
    {"invokeai_metadata": json.dumps({**INVOKE_4, "strength": 0.35})},
    {"prompt": json.dumps(comfy_nodes(denoise=0.35))},
])  # fmt: skip
def test_the_strength_of_another_programs_picture_is_taken_over_and_its_input_picture_is_not(made):
    read = reading(png(made))
    assert read.recipe.request.strength == 0.35
    assert "Input picture" in read.not_mapped
    assert "Denoising strength" not in read.not_mapped


def test_the_strength_of_a_second_pass_is_not_that_of_an_input_picture():
    text = A1111.format(sampler="Euler a", version="v1.10.1, Denoising strength: 0.35")
    read = reading(png({"parameters": text}))
    assert read.recipe.request.strength == GenerationRequest().strength
    assert "Input picture" not in read.not_mapped


def test_invokeai_3_and_later():
    data = png({"invokeai_metadata": json.dumps(INVOKE_4), "invokeai_graph": "{}"})
    assert told(data) == {
        "prompt": "a red boat <lora:ink:0.6>", "negative": "fog", "steps": 30, "seed": 1711236951, "cfg": 7.5,
        "size": (512, 640), "skip": 2, "model": "Dreamshaper 8",
    }  # fmt: skip
    assert sampler_of(data) == "dpmpp_2m_sde karras"
    not_mapped = dict(reading(data).not_mapped)
    assert "fresh noise" in not_mapped.pop("Sampler (not the same)")
    assert not_mapped == {"seamless_x": "True", "Model hash (other kind)": "blake3:aa11"}
    assert reading(data).recipe.app == "InvokeAI 4.2.1"
    older = {**INVOKE_4, "model": {"model_name": "old one"}, "loras": [{"lora": {"model_name": "l"}, "weight": 1}]}
    assert told(png({"invokeai_metadata": json.dumps(older)}))["model"] == "old one"


def test_invokeai_2_and_1():
    second = {
        "model": "stable diffusion", "model_weights": "sd-1.5", "app_version": "2.3.0", "image": {
            "prompt": [{"prompt": "a barn [cows, mud]", "weight": 1.0}], "steps": 40, "cfg_scale": 8.0, "height": 512,
            "width": 576, "seed": 9, "seamless": False, "type": "txt2img", "sampler": "k_heun", "perlin": 0.1},
    }  # fmt: skip
    data = png({"sd-metadata": json.dumps(second), "Dream": '"a barn" -s 1'})
    assert told(data) == {
        "prompt": "a barn", "negative": "cows, mud", "steps": 40, "seed": 9, "cfg": 8.0, "size": (576, 512), "skip": 1,
        "model": "sd-1.5",
    }  # fmt: skip
    assert sampler_of(data) == "heun automatic"
    assert reading(data).not_mapped["perlin"] == "0.1"
    first = png({"Dream": '"a "quoted" barn [mud]" -s 50 -S 123 -W 512 -H 640 -C 7.5 -A k_euler_a -G 0.8'})
    assert told(first) | {"model": ""} == {
        "prompt": 'a "quoted" barn', "negative": "mud", "steps": 50, "seed": 123, "cfg": 7.5, "size": (512, 640),
        "skip": 1, "model": "",
    }  # fmt: skip
    assert reading(first).not_mapped == {"G": "0.8"}


@pytest.mark.parametrize("where", ["png", "JPEG", "WEBP"])
def test_fooocus(where):
    text = json.dumps(FOOOCUS)
    data = png({"parameters": text, "fooocus_scheme": "fooocus"}) if where == "png" else with_comment(where, text)
    assert told(data) == {
        "prompt": "a stone house <lora:offset:0.1>", "negative": "bad", "steps": 30, "seed": 7084000123, "cfg": 4.0,
        "size": (896, 1152), "skip": 2, "model": "juggernautXL_v8",
    }  # fmt: skip
    assert sampler_of(data) == "dpmpp_2m_sde karras"
    assert reading(data).recipe.model_hash == "aeb7e9e689"
    assert reading(data).not_mapped["styles"] == "['Fooocus V2']"


@pytest.mark.parametrize("where", ["png", "JPEG"])
def test_swarmui(where):
    text = json.dumps(SWARM)
    data = png({"parameters": text}) if where == "png" else with_comment(where, text)
    assert told(data) == {
        "prompt": "a green car <lora:paint:0.5>", "negative": "rust", "steps": 20, "seed": 77, "cfg": 7.0,
        "size": (1024, 1024), "skip": 1, "model": "sd_xl_base_1.0",
    }  # fmt: skip
    assert sampler_of(data) == "dpmpp_2m karras"
    assert reading(data).not_mapped == {"automaticvae": "True"}


def test_novelai():
    data = png({
        "Title": "AI generated image", "Description": "1girl", "Software": "NovelAI",
        "Source": "Stable Diffusion XL C1E1DE52", "Comment": json.dumps(NOVEL),
    })  # fmt: skip
    assert told(data) | {"model": ""} == {
        "prompt": "1girl, {smile}", "negative": "lowres", "steps": 28, "seed": 3621354012, "cfg": 5.0,
        "size": (832, 1216), "skip": 1, "model": "",
    }  # fmt: skip
    assert sampler_of(data) == "euler_a karras"
    assert reading(data).recipe.model_name == "Stable Diffusion XL C1E1DE52"


@pytest.mark.parametrize("where", ["png", "JPEG"])
def test_easy_diffusion(where):
    data = png(EASY) if where == "png" else with_comment(where, json.dumps(EASY))
    assert told(data) == {
        "prompt": "an oak <lora:wood:0.4>", "negative": "leaf", "steps": 25, "seed": 42, "cfg": 7.5, "size": (512, 512),
        "skip": 2, "model": "sd-v1-5",
    }  # fmt: skip
    assert sampler_of(data) == "euler_a automatic"
    assert reading(data).not_mapped == {}


def test_ai_runner():
    values = {"prompt": "a hut", "negative_prompt": "", "scale": "7.5", "seed": "4", "steps": "20",
              "scheduler": "Euler", "model": "stable-v1"}  # fmt: skip
    read = reading(png(values))
    assert (read.program, read.recipe.request.seed, read.recipe.model_name) == ("AI Runner", 4, "stable-v1")


@pytest.mark.parametrize("where", ["xmp", "exif"])
def test_draw_things(where):
    data = png({"XML:com.adobe.xmp": xmp(DRAW)}) if where == "xmp" else with_comment("JPEG", json.dumps(DRAW))
    assert told(data) == {
        "prompt": "a lighthouse & sea", "negative": "people", "steps": 20, "seed": 2917234, "cfg": 4.5,
        "size": (512, 768), "skip": 1, "model": "sd_v1.5_f16",
    }  # fmt: skip
    assert sampler_of(data) == "dpmpp_2m karras"
    assert reading(data).not_mapped == {"seed_mode": "Scale Alike"}


@pytest.mark.parametrize(
    ("extra", "version", "program"),
    [
        ({}, "v1.10.1", "A1111 v1.10.1"),
        ({}, "f2.0.1v1.10.1-previous-1", "Forge f2.0.1v1.10.1-previous-1"),
        ({"smproj": "{}", "parameters-json": "{}"}, "v1.7.0", "StabilityMatrix"),
        ({}, "ComfyUI", "ComfyUI"),
    ],
)
def test_a1111_and_its_kin(extra, version, program):
    text = A1111.format(sampler="DPM++ 2M Karras", version=version)
    data = png({"parameters": text, **extra})
    assert told(data) == {
        "prompt": "a cat (red hat:1.2), <lora:hat:0.8>", "negative": "blurry", "steps": 20, "seed": 42, "cfg": 7.0,
        "size": (512, 768), "skip": 1, "model": "v1-5-pruned-emaonly",
    }  # fmt: skip
    read = reading(data)
    assert (read.program, read.recipe.model_hash) == (program, "6ce0161689")
    assert read.recipe.request.hires == 2
    assert sampler_of(data) == "dpmpp_2m karras"


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a1111_text_in_a_jpeg_is_read_in_either_byte_order(order):
    text = "猫" * 30 + "\n" + A1111.format(sampler="Euler", version="v1.6.0")
    assert told(with_comment("JPEG", text, order))["prompt"].startswith("猫猫")


@pytest.mark.parametrize(
    ("names", "sampling", "left"),
    [
        ({"sampler_name": "dpmpp_2m", "scheduler": "normal"}, "dpmpp_2m uniform", {}),
        ({"sampler_name": "heun", "scheduler": "sgm_uniform"}, "heun sgm_uniform", {}),
        (
            {"sampler_name": "euler_ancestral", "scheduler": "sgm_uniform"},
            "euler_a sgm_uniform",
            {NOT_THE_SAME: "ComfyUI: the fresh noise of its steps comes from the device's own generator"},
        ),
        ({"sampler_name": "dpm_adaptive"}, "dpmpp_2m karras", {"Sampler": "dpm_adaptive"}),
        ({"sampler_name": "wonder"}, None, {"Sampler": "wonder", "Schedule type": "karras"}),
        ({"scheduler": "beta57"}, "dpmpp_2m automatic", {"Schedule type": "beta57"}),
        ({"scheduler": "linear_quadratic"}, "dpmpp_2m linear_quadratic", {}),
        ({"sampler_name": "ddim", "scheduler": "beta"}, "euler beta_comfyui", {}),
    ],
)
def test_comfyuis_names_are_taken_or_the_nearest_and_what_was_meant_is_kept(names, sampling, left):
    data = png({"prompt": json.dumps(comfy_nodes(**names))})
    assert sampling is None or sampler_of(data) == sampling
    assert dict(reading(data).not_mapped) == left


@pytest.mark.parametrize(
    ("texts", "noise"),
    [
        ({"parameters": A1111.format(sampler="Euler", version="v1.10.1")}, "nvidia"),
        ({"parameters": A1111.format(sampler="Euler", version="v1.10.1, RNG: CPU")}, "cpu"),
        ({"parameters": A1111.format(sampler="Euler", version="ComfyUI")}, "cpu"),
        ({"parameters": A1111.format(sampler="Euler", version="v1"), "smproj": "{}"}, "cpu"),
        ({"prompt": json.dumps(comfy_nodes())}, "cpu"),
        ({"invokeai_metadata": json.dumps(INVOKE_4)}, "cpu"),
        ({"invokeai_metadata": json.dumps({**INVOKE_4, "rand_device": "cuda"})}, "nvidia"),
    ],
)
def test_the_noise_is_the_programs(texts, noise):
    assert reading(png(texts)).recipe.request.rng == noise


def test_the_grammar_of_the_prompt_is_the_programs():
    def grammar(texts: dict[str, str]) -> tuple[str, str]:
        request = reading(png(texts)).recipe.request
        return request.prompt_syntax, request.emphasis

    assert grammar({"prompt": json.dumps(comfy_nodes())}) == ("comfyui", "no_norm")
    assert grammar({"parameters": json.dumps(SWARM)}) == ("comfyui", "no_norm")
    assert grammar({"invokeai_metadata": json.dumps(INVOKE_4)}) == ("compel", "original")
    assert grammar({"parameters": A1111.format(sampler="Euler", version="v1")}) == ("a1111", "original")
    rescaled = json.dumps({**INVOKE_4, "cfg_rescale_multiplier": 0.7})
    assert reading(png({"invokeai_metadata": rescaled})).recipe.request.guidance_rescale == 0.7


def test_what_is_not_told_is_named():
    read = reading(png({"parameters": "a cat\nSteps: 20, Seed: 5, Wonder: 9"}, (72, 64)))
    assert read.assumed == ("Guidance scale", "Sampler")
    assert read.not_mapped == {"Wonder": "9"}
    assert (read.recipe.request.width, read.recipe.model_name) == (72, "")


def test_the_origin_is_kept_in_the_recipe_and_comes_back_from_its_json():
    read = reading(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    again = origin_of(type(read.recipe).stored(read.recipe.model_dump_json()))
    assert again is not None
    assert (again.program, dict(again.not_mapped), again.assumed) == (read.program, dict(read.not_mapped), ())


@pytest.mark.parametrize(
    ("name", "title"),
    [("a/b\\c.safetensors", "c"), ("v1.5.ckpt", "v1.5"), ("v1.5", "v1.5"), ("x.safetensors.GGUF", "x.safetensors")],
)
def test_a_models_name_is_without_folders_and_ending(name, title):
    assert model_title(name) == title


def test_an_old_model_name_carries_its_hash():
    found = Found("x")
    found.add_model("sd-v1-4.ckpt [7460a6fa]")
    assert found.pairs == {"Model": "sd-v1-4.ckpt", "Model hash": "7460a6fa"} or found.pairs == {
        "Model": "sd-v1-4", "Model hash": "7460a6fa",
    }  # fmt: skip


LOOP = {"1": {"class_type": "KSampler", "inputs": {
    "seed": ["1", 0], "steps": ["2", 0], "latent_image": ["1", 0], "positive": ["2", 0], "model": ["1", 0]}},
    "2": {"class_type": "X", "inputs": {"value": ["3", 0]}}, "3": {"class_type": "Y", "inputs": {"value": ["2", 0]}},
}  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        {"prompt": json.dumps(LOOP)},
        {"prompt": json.dumps({"1": {"inputs": []}, "2": 5, "3": None})},
        {"prompt": '{"a":' * 30_000},
        {"prompt": "[1]"},
        {"prompt": "a sentence"},
        {"parameters": '{"sui_image_params": []}'},
        {"parameters": '{"base_model": {}, "loras": [[]], "prompt": []}'},
        {"invokeai_metadata": '{"model": [], "loras": {}, "seed": {}}'},
        {"sd-metadata": '{"image": {"prompt": 5}}'},
        {"Dream": '"'},
        {"Dream": '"a' + " -s" * 100_000},
        {"Comment": '{"uc": [], "sampler": {}}'},
        {"num_inference_steps": "lots"},
        {"XML:com.adobe.xmp": "<exif:UserComment>" * 50_000},
        {"parameters": "a\nSteps: 1e400, Size: 9999999999999999x1, Seed: " + "9" * 5000},
        {"Software": "NovelAI"},
        {},
    ],
    ids=range(17),
)
def test_nonsense_is_no_picture_or_a_recipe_that_is_allowed(texts):
    found = read_picture(io.BytesIO(png(texts)))
    if found is not None:
        request = found.recipe.request
        assert GenerationRequest.model_validate(request.model_dump()) == request


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([INVOKE_4, FOOOCUS, NOVEL, EASY, DRAW, SWARM["sui_image_params"]]), st.data())
def test_any_value_in_the_place_of_another_never_breaks_a_reader(base, data):
    changed = {key: data.draw(values) if data.draw(st.booleans()) else value for key, value in base.items()}
    text = json.dumps(changed)
    texts = {
        "invokeai_metadata": text, "parameters": text, "Comment": text, "UserComment": text,
        "sd-metadata": json.dumps({"image": changed}), "prompt": json.dumps({"1": {"inputs": changed}}),
    }  # fmt: skip
    for program in PROGRAMS:
        for key in texts:
            found = program.read({key: texts[key]})
            assert found is None or all(isinstance(value, str) for value in found.pairs.values())
