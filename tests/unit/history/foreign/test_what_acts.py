"""What NovelAI, InvokeAI, SwarmUI, Fooocus, Easy Diffusion and Draw Things say of what acts: taken over, or told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.history.foreign.graphs import node, plain
from tests.unit.history.foreign.pictures import DRAW, EASY, FOOOCUS, INVOKE_4, NOVEL, SWARM, png, xmp
from tests.unit.history.picture_text.foreign.test_programs import reading, sampler_of


def novel(**changes: Any) -> Any:
    return reading(png({"Software": "NovelAI", "Comment": json.dumps({**NOVEL, "prompt": "park", **changes})}))


def invoke(**changes: Any) -> Any:
    return reading(png({"invokeai_metadata": json.dumps({**INVOKE_4, **changes})}))


def dream(line: str) -> Any:
    return reading(png({"Dream": line}))


def swarm(**changes: Any) -> Any:
    return reading(png({"parameters": json.dumps({"sui_image_params": {**SWARM["sui_image_params"], **changes}})}))


def fooocus(**changes: Any) -> Any:
    return reading(png({"parameters": json.dumps({**FOOOCUS, **changes})}))


def caption(base: str, *characters: tuple[str, float, float], **more: Any) -> dict[str, Any]:
    rows = [{"char_caption": words, "centers": [{"x": x, "y": y}]} for words, x, y in characters]
    return {"caption": {"base_caption": base, "char_captions": rows}, **more}


def test_novelais_characters_are_in_the_prompt_and_where_they_stood_is_told():
    found = novel(
        v4_prompt=caption("park", ("girl, red hair", 0.3, 0.5), ("boy", 0.7, 0.5), use_coords=True, use_order=True),
        v4_negative_prompt=caption("lowres", ("hat", 0.3, 0.5), ("", 0.7, 0.5), legacy_uc=False),
    )
    assert found.recipe.request.prompt == "park\ngirl, red hair\nboy"
    assert found.recipe.request.negative_prompt == "lowres\nhat"
    assert "at 0.3, 0.5" in found.not_mapped["Character 1"]
    assert "Negative of character 1" in found.not_mapped
    unplaced = novel(v4_prompt=caption("park", ("boy", 0.7, 0.5), use_coords=False))
    assert "0.7" not in unplaced.not_mapped["Character 1"]
    only = novel(prompt=None, uc=None, v4_prompt=caption("a pier"), v4_negative_prompt=caption("fog"))
    assert (only.recipe.request.prompt, only.recipe.request.negative_prompt) == ("a pier", "fog")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sm": True, "sm_dyn": True}, {"sm", "sm_dyn"}),
        ({"dynamic_thresholding": True, "dynamic_thresholding_percentile": 0.99},
         {"dynamic_thresholding", "dynamic_thresholding_percentile"}),
        ({"dynamic_thresholding": False, "dynamic_thresholding_percentile": 0.99}, set()),
        ({"skip_cfg_above_sigma": 19.0}, {"skip_cfg_above_sigma"}),
        ({"uncond_scale": 0.6}, {"uncond_scale"}),
        ({"uncond_scale": 1.0, "controlnet_strength": 1.0, "strength": 0.0, "params_version": 3}, set()),
        ({"reference_image_multiple": ["A" * 5000], "reference_strength_multiple": [0.6]},
         {"reference_image_multiple", "reference_strength_multiple"}),
        ({"request_type": "Img2ImgRequest", "strength": 0.7}, {"Input picture"}),
        ({"prompt": "1.5::tree::"}, {"Prompt weights"}),
    ],
)  # fmt: skip
def test_what_acts_in_novelai_is_told(changes, told):
    found = novel(**changes)
    assert set(found.not_mapped) == told
    assert "A" * 50 not in " ".join(found.not_mapped.values())


def test_novelais_numbers_and_levels():
    assert novel(cfg_rescale=0.4).recipe.request.guidance_rescale == 0.4
    assert novel(seed=0).recipe.request.seed == 0
    comment = {**NOVEL, "sampler": "k_dpmpp_2m", "noise_schedule": "native"}
    assert sampler_of(png({"Software": "NovelAI", "Comment": json.dumps(comment)})) == "dpmpp_2m uniform"
    comment |= {"noise_schedule": "exponential", "v4_prompt": [1], "v4_negative_prompt": {"caption": "x"}}
    assert sampler_of(png({"Software": "NovelAI", "Comment": json.dumps(comment)})) == "dpmpp_2m exponential"


LINES: list[tuple[str, dict[str, Any], set[str]]] = [
    ('"a barn" -s50 -W576 -H512 -C7.5 -Ak_lms -S123',
     {"steps": 50, "width": 576, "scheduler": "lms", "seed": 123}, set()),
    ('"a "red" barn [mud]" -s 50 -S 123 -W 512 -H 640 -C 7.5 -A k_euler_a',
     {"prompt": 'a "red" barn', "negative_prompt": "mud", "height": 640, "scheduler": "euler_a"}, set()),
    ("a barn, low sun -s 30 -S 9 -W 512 -H 512 -C 8 -A ddim # model_id=sd-1.5",
     {"prompt": "a barn, low sun", "steps": 30, "model": "sd-1.5", "guidance_scale": 8.0, "scheduler": "ddim"}, set()),
    ('"a barn" --steps 40 --seed 7 --cfg_scale 6 --sampler k_heun --width 512 --height 512',
     {"steps": 40, "seed": 7, "guidance_scale": 6.0, "scheduler": "heun"}, set()),
    ('"a barn" -s 50 -S 1 -W 512 -H 512 -C 7.5 -A k_lms --seamless --hires_fix -U 2 0.75 -G 0.8 -ft codeformer -cf 0.5',
     {}, {"seamless", "hires_fix", "U", "G", "ft", "cf"}),
    ('"a barn" -s 50 -S 1 -W 512 -H 512 -C 7.5 -I in.png -A k_lms --fit -f 0.6 -M mask.png',
     {"strength": 0.6}, {"I", "M", "Input picture"}),
    ('"a barn" -s 50 -S 1 -C 7.5 -A k_lms -V 3:0.1,4:0.2 -v0.2 --threshold 1.0 --perlin 0.2',
     {}, {"V", "v", "threshold", "perlin"}),
    ('"a barn:0.7 a sea:0.3" -s 50 -S 1 -C 7.5 -A k_lms', {}, {"Prompt weights"}),
]  # fmt: skip


def test_invokeais_first_lines_are_read_in_every_spelling():
    wrong = []
    for line, values, told in LINES:
        found = dream(line)
        request = found.recipe.request.model_dump()
        if {name: request[name] for name in values} != values or set(found.not_mapped) != told:
            wrong.append((line, {name: request[name] for name in values}, dict(found.not_mapped)))
    assert wrong == []


def test_what_compel_does_and_the_studio_does_not_is_told():
    written = {
        '("a", "b").blend(1, 0.8)': "", '("a", "b").and()': "", "a dog++ and (a cat)1.2, #1": "",
        "a cat.swap(dog)": "cat.swap(dog) (drawn without the exchange)",
        '("a", "b").and() c': "“c” behind .and(..)",
        '("a", "b").blend(1)': ".blend(..) has 1 weights for 2 prompts",
    }  # fmt: skip
    for words, told in written.items():
        both = {"positive_prompt": words}, {"positive_prompt": "x", "negative_prompt": words}
        for found in (invoke(**values, loras=[]) for values in both):
            assert words in (found.recipe.request.prompt, found.recipe.request.negative_prompt)
            assert found.not_mapped.get("Prompt", "") == told
    assert ".blend() of InvokeAI: here it is words" in dream('"(a, b).blend(1, 1)" -s 20 -S 1').not_mapped["Prompt"]
    named = invoke(positive_prompt="a barn withLora(ink, 0.4) useLora(old)", loras=[])
    assert named.recipe.request.prompt == "a barn <lora:ink:0.4> <lora:old:1>"


def test_what_acts_in_invokeai_3_is_told():
    found = invoke(
        positive_style_prompt="oil", negative_style_prompt="fog", ipAdapters=[{"weight": 1}], hrf_enabled=True,
        clip_skip=True, loras=[{"model": {"name": "x"}, "weight": "0.5"}, {"lora": {"model_name": "y"}, "weight": {}}],
        seed=0, cfg_scale=0.5,
    )  # fmt: skip
    assert {"positive_style_prompt", "ipAdapters", "hrf_enabled", "CFG scale", "LoRA"} <= set(found.not_mapped)
    assert "negative_style_prompt" not in found.not_mapped, "it is the negative prompt itself"
    assert (found.recipe.request.clip_skip, found.recipe.request.seed) == (1, 0)
    assert found.recipe.request.prompt == "a red boat <lora:x:0.5>"


def test_invokeai_2_tells_variations_weights_and_begins_from_pictures():
    image = {
        "prompt": [{"prompt": "a barn", "weight": 0.7}, {"prompt": "a sea", "weight": 1.0}], "steps": 40, "seed": 0,
        "cfg_scale": 8.0, "sampler": "k_heun", "width": 512, "height": 512, "type": "img2img", "strength_steps": 0.6,
        "variations": [{"seed": 3, "weight": 0.1}], "perlin": 0.0, "facetool": "gfpgan",
    }  # fmt: skip
    found = reading(png({"sd-metadata": json.dumps({"model_id": "sd-1.5", "app_version": "2.3.5", "image": image})}))
    request = found.recipe.request
    assert (request.prompt, request.strength, request.seed, request.model) == ("a barn a sea", 0.6, 0, "sd-1.5")
    assert set(found.not_mapped) == {"variations", "Prompt weights", "Input picture"}
    assert request.prompt_syntax == "compel"
    grid = reading(png({"sd-metadata": json.dumps({"images": [image, image]})}))
    assert "Grid" in grid.not_mapped


def test_swarmuis_numbers_may_stand_as_texts():
    found = swarm(
        seed="77", steps="20.0", cfgscale="6.5", width="768", height="1024", clipstopatlayer="-2", loras="paint,ink",
        loraweights="0.5,0.25", automaticvae=None,
    )  # fmt: skip
    request = found.recipe.request
    assert (request.seed, request.steps, request.guidance_scale) == (77, 20, 6.5)
    assert (request.width, request.height, request.clip_skip) == (768, 1024, 2)
    assert request.prompt == "a green car <lora:paint:0.5> <lora:ink:0.25>"
    assert found.not_mapped == {}


def test_what_acts_in_swarmui_is_taken_over_or_told():
    found = swarm(
        prompt="a <embed:neon> car <segment:face> <random:red,blue>", loras=["paint", "ink"], loraweights=["0.5", "x"],
        loratencweights=["0.25"], automaticvae=None, refinerupscale="1.5", freeublockone=1.1, clipstopatlayer="all",
        variationseed=3, variationseedstrength=0.2,
    )  # fmt: skip
    assert found.recipe.request.prompt.startswith("a embedding:neon car <segment:face>")
    assert "<lora:paint:0.25:0.5>" in found.recipe.request.prompt
    assert "<segment:..>, <random:..>" in found.not_mapped["Prompt"]
    assert "ink" in found.not_mapped["LoRA"]
    assert {"refinerupscale", "freeublockone", "clipstopatlayer", "SwarmUI variation strength"} <= set(found.not_mapped)


def test_fooocus_lora_stand_in_either_place_and_none_is_none():
    either = fooocus(loras=None, lora_combined_1="offset : 0.1", lora_combined_2="ink : 0.75", steps="30")
    assert either.recipe.request.prompt == "a stone house <lora:offset:0.1> <lora:ink:0.75>"
    assert either.recipe.request.steps == 30
    assert fooocus(loras=[["None", 1.0], ["ink", "0.5"]]).recipe.request.prompt == "a stone house <lora:ink:0.5>"
    full = fooocus(full_prompt=["a stone house", "cinematic"], full_negative_prompt=["bad"], refiner_switch=0.5)
    assert "full_prompt" in full.not_mapped
    assert not {"full_negative_prompt", "refiner_switch"} & set(full.not_mapped)
    assert "refiner_switch" in fooocus(refiner_model="r.safetensors", refiner_switch=0.5).not_mapped


def test_every_lora_of_easy_diffusion_is_named():
    found = reading(png({**EASY, "use_lora_model": "wood, ink", "lora_alpha": "0.4", "control_alpha": "1.0"}))
    assert found.recipe.request.prompt == "an oak <lora:wood:0.4> <lora:ink:1>"
    assert found.not_mapped == {}
    control = reading(png({**EASY, "use_controlnet_model": "canny", "control_alpha": "0.7", "clip_skip": "3"}))
    assert set(control.not_mapped) == {"use_controlnet_model", "control_alpha"}
    assert control.recipe.request.clip_skip == 3


def test_what_acts_in_draw_things_newer_record_is_taken_over_or_told():
    record = {
        "controls": [{"file": "canny.ckpt", "weight": 1}], "hiresFix": True, "refinerModel": None, "sharpness": 0,
        "clipSkip": 2, "loras": [{"file": "ink_f16.ckpt", "weight": 0.65, "mode": "all"}], "shift": 1, "maskBlur": 1.5,
    }  # fmt: skip
    found = reading(png({"XML:com.adobe.xmp": xmp({**DRAW, "v2": record, "seed_mode": "Torch CPU Compatible"})}))
    assert set(found.not_mapped) == {"controls", "hiresFix"}
    request = found.recipe.request
    assert (request.clip_skip, request.rng) == (2, "cpu")
    assert request.prompt == "a lighthouse & sea <lora:ink_f16:0.65>"
    nvidia = reading(png({"XML:com.adobe.xmp": xmp({**DRAW, "seed_mode": "Nvidia GPU Compatible"})}))
    assert (nvidia.recipe.request.rng, dict(nvidia.not_mapped)) == ("nvidia", {})


def test_a_text_beside_a_graph_gives_its_values_and_the_graph_what_it_has_no_key_for():
    nodes = plain(
        sampler={"model": ["10", 0], "positive": ["13", 0]}, n10=node("FreeU_V2", b1=1.3, model=["11", 0]),
        n11=node("ModelSamplingDiscrete", sampling="v_prediction", zsnr=True, model=["12", 0]),
        n12=node("LoraLoaderModelOnly", lora_name="ink.pt", strength_model=0.5, model=["4", 0]),
        n13=node("ControlNetApply", strength=0.7, conditioning=["6", 0]),
    )  # fmt: skip
    text = "a barn\nSteps: 9, Sampler: Euler, CFG scale: 3, Seed: 8, Size: 64x64, Version: ComfyUI"
    found = reading(png({"parameters": text, "prompt": json.dumps(nodes)}))
    request = found.recipe.request
    assert (request.prompt, request.steps, request.seed) == ("a barn", 9, 8)
    assert (request.prediction, request.zero_snr) == ("v_prediction", True)
    assert {"FreeU_V2", "ControlNetApply", "LoRA"} <= set(found.not_mapped)
    tagged = reading(png({"parameters": f"<lora:ink:0.5> {text}", "prompt": json.dumps(nodes)}))
    assert "LoRA" not in tagged.not_mapped
