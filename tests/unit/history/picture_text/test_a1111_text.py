"""Texts as A1111 of every year and its kin have written them, and what others have made of them on the way."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from sdstudio.history.picture_text.a1111_text import parse_pairs
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.picture_text.pnginfo import NOT_THE_SAME, infotext
from tests.unit.history.foreign.pictures import png, with_comment

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 6ce0161689, Model: foo"


def read(text: str) -> Reading:
    found = read_picture(io.BytesIO(png({"parameters": text})))
    assert found is not None, text
    return found


def prompts(text: str) -> tuple[Any, ...]:
    request = read(text).recipe.request
    return request.prompt, request.negative_prompt, request.steps, request.seed, request.width


@pytest.mark.parametrize(
    "prompt",
    [
        "{{masterpiece}}, best quality", "{red|blue} car", "{{{1girl}}}", "{", "{}", '{"a": 1}', '{"a": 1, "b": [2]}',
        "{2$$a|b}, {c}", '{"prompt": "a cat", "steps": 30}', "[cat|dog]", '"quoted", a: b, c: d, e: f',
        "Steps: 1) mix, 2) bake, 3) eat", "a recipe, Steps: 20, Sampler: Euler, CFG scale: 3, Seed: 1, in a book",
        "Steps: 5, Sampler: DDIM, CFG scale: 3, Seed: 1\nand more", "Size: big, Model: tall, Seed: of a tree",
        "a Negative prompt: of sorts", "Template: a house", "two\n\nlines", "hair: red, eyes: blue, hat: tall",
    ],
)  # fmt: skip
def test_whatever_the_prompt_says_it_is_the_prompt(prompt):
    for ends in ("\n", "\r\n", "\r"):
        text = f"{prompt}\nNegative prompt: low (res:1.2), Steps: many\nand more\n{LINE}".replace("\n", ends)
        assert prompts(text) == (prompt, "low (res:1.2), Steps: many\nand more", 20, 42, 512)
    assert prompts(f"{prompt}\n{LINE}") == (prompt, "", 20, 42, 512)


@pytest.mark.parametrize("text", ['{"a": 1}', json.dumps({"prompt": "a\nSteps: 20, Sampler: Euler, Seed: 1"}), "{" * 9])
def test_json_and_bare_words_hold_no_parameters(text):
    assert parse_pairs(text)[2] == {}


@pytest.mark.parametrize("mark", ["\ufeff", "\ufffe", "ï»¿"])
def test_a_byte_order_mark_is_no_letter_of_the_prompt(mark):
    assert prompts(f"{mark}a cat\nNegative prompt: x\n{LINE}")[0] == "a cat"
    found = read_picture(io.BytesIO(with_comment("JPEG", f"\ufeffa cat\n{LINE}")))
    assert found is not None
    assert found.recipe.request.prompt == "a cat"


BEHIND = {
    "Template: a {red|blue} cat\nNegative Template: blurry": {
        "Template": "a {red|blue} cat", "Negative Template": "blurry",
    },
    "Template:a {red:1.2|blue} cat, (hat:1.3), (dog:0.9), (tree:1.1),\n\n__hat__": {
        "Template": "a {red:1.2|blue} cat, (hat:1.3), (dog:0.9), (tree:1.1),\n\n__hat__",
    },
    "Negative Template: Steps: 1, two: 2, three: 3": {"Negative Template": "Steps: 1, two: 2, three: 3"},
    "\nUpscaled with a tool": {"Further lines": "Upscaled with a tool"},
    "\nUsed embeddings: badhand [afea], easy [12ab]": {"TI hashes": "badhand: afea, easy: 12ab"},
    "\n\nWarning: too many input tokens; some (4) have been truncated:\n, a, b": {
        "Further lines": "Warning: too many input tokens; some (4) have been truncated:\n, a, b",
    },
}  # fmt: skip


@pytest.mark.parametrize("behind", BEHIND)
def test_what_stands_behind_the_parameters_is_told_and_no_part_of_the_prompts(behind):
    found = read(f"a red cat\nNegative prompt: blurry\n{LINE}\n{behind}")
    assert prompts(f"a red cat\nNegative prompt: blurry\n{LINE}\n{behind}") == ("a red cat", "blurry", 20, 42, 512)
    assert dict(found.not_mapped) == BEHIND[behind]


REST = "Steps: 24, Sampler: Euler a, Schedule type: Automatic, CFG scale: 4, Seed: 7, Size: 640x960, Model: G"
ONE_LINE = {
    f"Parameters                      : a red cat.Negative prompt: blurry.{REST}": ("a red cat", "blurry"),
    f"User Comment                    : a red cat. It sits..Negative prompt: blurry.{REST}": (
        "a red cat. It sits.", "blurry",
    ),
    f"a red cat, sittingNegative prompt: blurry, bad anatomy{REST}": ("a red cat, sitting", "blurry, bad anatomy"),
    f"a red cat Negative prompt: blurry {REST}": ("a red cat", "blurry"),
    f"a red cat, Negative prompt: {REST}": ("a red cat,", ""),
    f"a red cat. {REST}": ("a red cat.", ""),
    f"a red cat {REST}, Civitai resources: "
    '[{"type":"checkpoint","modelVersionId":1,"modelName":"M, x"}], Civitai metadata: {}': ("a red cat", ""),
}  # fmt: skip


@pytest.mark.parametrize("text", ONE_LINE)
def test_a_text_without_line_ends_is_parted_where_they_were(text):
    assert prompts(text) == (*ONE_LINE[text], 24, 7, 640)


def test_what_civitai_lists_is_told_and_its_model_taken_where_none_is_named():
    listed = [
        {"type": "checkpoint", "modelVersionId": 128713, "modelName": "Dream, Shaper", "modelVersionName": "8"},
        {"type": "lora", "weight": 0.6, "modelVersionId": 62833, "modelName": "Detail: Tweaker"},
        {"type": "embed", "modelVersionId": 5},
    ]
    line = "Steps: 40, Sampler: Undefined, CFG scale: 7, Seed: 1, Size: 512x512, Clip skip: 2"
    found = read(f"a cat\n{line}, Created Date: 2026-02-25T22:09:08.81Z, Civitai resources: {json.dumps(listed)}")
    assert found.recipe.model_name == "Dream, Shaper"
    assert found.not_mapped["Listed by Civitai"] == "lora Detail: Tweaker (0.6), embed 5"
    assert found.not_mapped["Sampler"] == "Undefined"
    assert read(f"a cat\n{LINE}, Civitai resources: {json.dumps(listed)}").recipe.model_name == "foo"


def test_values_may_hold_commas_colons_quotes_and_line_ends():
    values = {
        "ADetailer prompt": 'a "face", Steps: 3\nsecond', "ADetailer negative prompt": "x: y, z", "RP Ratios": "1,1",
        "ControlNet 0": "Module: canny, Model: c [1234], Weight: 1, Resize Mode: Crop and Resize",
    }  # fmt: skip
    for dumps in (json.dumps, lambda text: json.dumps(text).replace("\\n", "\n")):  # some leave the line end as it is
        line = ", ".join(f"{key}: {dumps(value)}" for key, value in values.items())
        found = read(f"a cat\nNegative prompt: x\n{LINE}, {line}, Version: v1.10.1\nTemplate: a {{cat}}")
        assert {key: found.not_mapped[key] for key in values} == values
        assert found.not_mapped["Template"] == "a {cat}"
        assert found.program == "A1111 v1.10.1"
    old = "preprocessor: canny, starting/ending: (0, 1), preprocessor params: (512, 100), Odd: (a, b) c, List: [1, 2]"
    found = read(f"a cat\n{LINE}, ControlNet 0: {old}, ENSD: 31337")
    told = {key: found.not_mapped[key] for key in ("starting/ending", "preprocessor params", "Odd", "List")}
    assert list(told.values()) == ["(0, 1)", "(512, 100)", "(a", "[1, 2]"]
    assert found.recipe.request.ensd == 31337
    unquoted = f'a cat\n{LINE}, ControlNet 0: preprocessor: canny, weight: 1, Note: 6" pipe, Raw: ""'
    found = read(unquoted)
    assert (found.recipe.model_name, found.recipe.request.prompt) == ("foo", "a cat")
    assert found.not_mapped["Note"] == '6" pipe'
    assert "Raw" not in found.not_mapped, "a key without a value says nothing"


@pytest.mark.parametrize(
    ("sampler", "said", "levels"),
    [
        (name + label, version, key)
        for name in ("DPM++ 2M", "DPM++ SDE", "DPM2 a", "DPM++ 2M SDE", "DPM++ 3M SDE")
        for label, key in (("", "uniform"), (" Karras", "karras"), (" Exponential", "exponential"))
        for version in ("", ", Version: v1.2.1", ", Version: v1.8.0-RC", ", Version: 1.6.0", ", Version: ComfyUI",
                        ", Version: f0.0.17v1.8.0rc-latest-276-g29be1da7", ", Version: 7b9f3c0d, App: SD.Next")
    ]
    + [
        ("DPM++ 2M", ", Schedule type: Automatic, Version: v1.9.4", "automatic"),
        ("DPM++ 2M", ", Version: v1.10.1", "automatic"),
        ("DPM++ 2M", ", Version: f2.0.1v1.10.1-previous-1", "automatic"),
        ("DPM++ 2M", ", Schedule type: Karras, Version: f2.0.1v1.10.1", "karras"),
        ("DPM++ 2M", ", Scheduler: karras, Version: Fooocus v2.4.3", "karras"),
        ("DPM++ 2M", ", Sampler sigma: karras, App: SD.Next, Version: 7b9f3c0d", "karras"),
        ("DPM++ 2M SDE Karras", ", Scheduler: karras, Version: Fooocus v2.4.3", "karras"),
        ("dpmpp_2m", "", "uniform"), ("dpmpp_2m_karras", "", "karras"), ("dpmpp_2m_sde_gpu_exponential", "",
        "exponential"), ("dpmpp_2m", ", Scheduler: sgm_uniform", "sgm_uniform"),
    ],
)  # fmt: skip
def test_the_schedule_is_the_one_that_the_version_meant(sampler, said, levels):
    found = read(f"a cat\nSteps: 20, Sampler: {sampler}, CFG scale: 7, Seed: 42, Size: 512x768{said}")
    assert found.recipe.request.schedule == levels
    assert not {"Sampler", "Schedule type"} & found.not_mapped.keys()


def test_that_ddim_and_plms_step_once_less_since_1_6_is_told():
    """They ask at ``len(timesteps) - 1`` of ``range(0, 1000, 1000 // steps)``, each plus 1: never at the lowest."""
    for sampler, said, is_told in (
        ("DDIM", ", Version: v1.6.0", True), ("PLMS", ", Version: v1.10.1", True), ("DDIM", ", Version: 1.6.1", True),
        ("DDIM", ", Schedule type: Automatic, Version: f2.0.1v1.10.1-previous-1", True),
        ("DDIM", ", Version: v1.5.2", False), ("PLMS", "", False), ("Euler", ", Version: v1.6.0", False),
        ("UniPC", ", Version: v1.6.0", False), ("DDIM", ", Version: sdstudio 0.2.0", False),
        ("DDIM", ", App: SD.Next, Version: 7b9f3c0d", False), ("DDIM", ", Version: ComfyUI", False),
    ):  # fmt: skip
        found = read(f"a cat\nSteps: 20, Sampler: {sampler}, CFG scale: 7, Seed: 42, Size: 512x768{said}")
        assert ("leave out the last step" in found.not_mapped.get(NOT_THE_SAME, "")) == is_told, (sampler, said)
        assert "Sampler" not in found.not_mapped


@pytest.mark.parametrize(
    ("sampler", "said", "program", "noise", "grammar"),
    [
        ("Euler", "", "A1111", "nvidia", ("a1111", "original")),
        ("Euler", ", Version: v1.6.0", "A1111 v1.6.0", "nvidia", ("a1111", "original")),
        ("Euler", ", Version: f2.0.1v1.10.1", "Forge f2.0.1v1.10.1", "nvidia", ("a1111", "original")),
        ("Euler", ", App: SD.Next, Version: 7b9f3c0d", "SD.Next 7b9f3c0d", "nvidia", ("a1111", "original")),
        ("Euler", ", Version: ComfyUI", "ComfyUI", "cpu", ("comfyui", "no_norm")),
        ("euler", "", "ComfyUI", "cpu", ("comfyui", "no_norm")),
        ("dpmpp_2m_sde_gpu_karras", "", "ComfyUI", "cpu", ("comfyui", "no_norm")),
        ("k_euler_a", "", "A1111", "nvidia", ("a1111", "original")),
    ],
)
def test_who_wrote_it_decides_noise_and_grammar(sampler, said, program, noise, grammar):
    found = read(f"a cat\nSteps: 20, Sampler: {sampler}, CFG scale: 7, Seed: 42, Size: 512x768{said}")
    request = found.recipe.request
    assert (found.program, request.rng, (request.prompt_syntax, request.emphasis)) == (program, noise, grammar)


def test_keys_are_known_in_other_spellings():
    text = "a cat\nSteps: 20, Sampler: dpmpp_2m, CFG Scale: 8.0, Seed: 5, Size: 512 x 640, Model Hash: 6ce0161689, "
    found = read(text + "Model: foo, CLIP skip: 2, Denoise: 1.0, Version: ComfyUI")
    request = found.recipe.request
    assert (request.guidance_scale, request.width, request.height, request.clip_skip) == (8.0, 512, 640, 2)
    assert (found.recipe.model_hash, dict(found.not_mapped)) == ("6ce0161689", {})
    found = read("a cat\nWidth: 512, Height: 640, Seed: 5, Steps: 9, Scheduler: Euler a")
    assert (found.recipe.request.height, found.recipe.request.scheduler) == (640, "euler_a")


@pytest.mark.parametrize(
    "second_pass",
    ["First pass size: 512x512", "First pass size: 0x0", "HiRes mode: 1", "Second pass: True"],
)
def test_the_strength_of_a_second_pass_means_no_input_picture(second_pass):
    found = read(f"a cat\n{LINE}, Denoising strength: 0.7, {second_pass}")
    assert "Input picture" not in found.not_mapped
    assert found.not_mapped["Denoising strength"] == "0.7"
    assert second_pass.partition(":")[0] in found.not_mapped


HIRES = 'Hires upscaler: 4x-sharp, Hires steps: 7, Hires sampler: Euler a, Hires prompt: "a dog, x: y"'


@pytest.mark.parametrize(
    ("second_pass", "values"),
    [
        (f"Hires upscale: 2, {HIRES}", (2, 0.7, "4x-sharp", 7, "euler_a", "a dog, x: y")),
        ("Hires resize: 1536x1024", (1, 0.7, "Latent", 0, "", "")),
        ("Hires upscale: 2, Hires upscaler: Lanczos", (2, 0.7, "", 0, "", "")),
    ],
)
def test_a_second_pass_is_read_with_its_strength(second_pass, values):
    found = read(f"a cat\nSteps: 20, Sampler: Euler, Seed: 5, Size: 512x640, Denoising strength: 0.7, {second_pass}")
    fields = ("hires", "hires_strength", "hires_upscaler", "hires_steps", "hires_scheduler", "hires_prompt")
    assert tuple(getattr(found.recipe.request, name) for name in fields) == values
    assert dict(found.not_mapped) == {}
    assert found.recipe.request.hires_resize == ("1536x1024" if values[0] == 1 else "")
    again = read(infotext(found.recipe)).recipe.request
    assert again.hires_resize == found.recipe.request.hires_resize
    assert {name: getattr(again, name) for name in fields} == dict(zip(fields, values, strict=True))


def test_a_finish_is_what_a1111_does_in_its_extras_after_drawing():
    text = f"a cat\n{LINE}, Postprocess upscale by: 4, Postprocess upscaler: {{}}"
    for name, ours in (("R-ESRGAN 4x+", "R-ESRGAN 4x+"), ("Lanczos", ""), ("drawings-4x", "drawings-4x")):
        found = read(text.format(name))
        assert (found.recipe.request.finish, found.recipe.request.finish_upscaler) == (4, ours)
        assert dict(found.not_mapped) == {}
        assert f"Postprocess upscale by: 4, Postprocess upscaler: {name}" in infotext(found.recipe)
    assert "Postprocess" not in infotext(read(f"a cat\n{LINE}").recipe)


ADETAILER = (
    'ADetailer model: face_yolov8n.pt, ADetailer prompt: "a face [SEP] b, c", ADetailer confidence: 0.5, '
    "ADetailer dilate erode: 8, ADetailer mask blur: 2, ADetailer denoising strength: 0.6, ADetailer inpaint padding: "
    "16, ADetailer use separate steps: True, ADetailer steps: 12, ADetailer use separate CFG scale: True, "
    "ADetailer CFG scale: 3.5, ADetailer mask only top k: 2"
)
TAKEN = {
    "detail": "a face.", "detail_prompt": "a face [SEP] b, c", "detail_confidence": 0.5, "detail_grow": 8,
    "detail_blur": 2, "detail_strength": 0.6, "detail_padding": 16, "detail_steps": 12, "detail_guidance": 3.5,
    "detail_top_k": 2,
}  # fmt: skip


def test_a_unit_of_adetailer_is_taken_over_but_for_its_network():
    beside = "ADetailer sampler: DDIM, ADetailer model 2nd: hand_yolov8n.pt, ADetailer prompt 2nd: a hand"
    found = read(f"a cat\n{LINE}, {ADETAILER}, {beside}, ADetailer version: 24.5.1")
    assert {name: getattr(found.recipe.request, name) for name in TAKEN} == TAKEN
    assert set(found.not_mapped) == {
        "ADetailer model", "ADetailer sampler", "ADetailer model 2nd", "ADetailer prompt 2nd", "ADetailer version",
    }  # fmt: skip
    text = infotext(found.recipe)
    assert all(f"{pair}" in text for pair in ADETAILER.split(", ")[5:])
    again = read(text)
    assert {name: getattr(again.recipe.request, name) for name in TAKEN} == TAKEN
    assert not again.not_mapped
    listed = read(f'a cat\n{LINE}, ADetailer model: yolov8x-worldv2.pt, ADetailer model classes: "cat, a dog"')
    assert listed.recipe.request.detail == "cat. a dog."
    unknown = read(f"a cat\n{LINE}, ADetailer model: mine.pt, ADetailer denoising strength: 0.6")
    assert unknown.recipe.request.detail_strength == 0.4
    assert unknown.not_mapped["ADetailer denoising strength"] == "0.6"


@pytest.mark.parametrize(
    ("keys", "scheduler", "schedule"),
    [
        ("Hires sampler: DPM++ 2M, Hires schedule type: Karras", "dpmpp_2m", "karras"),
        ("Hires sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"),  # before version 1.9
        ("Hires schedule type: Exponential", "", "exponential"),
    ],
)
def test_the_schedule_of_a_second_pass_is_read(keys, scheduler, schedule):
    found = read(f"a cat\n{LINE}, Denoising strength: 0.7, Hires upscale: 2, Hires upscaler: Latent, {keys}")
    request = found.recipe.request
    assert (request.hires_scheduler, request.hires_schedule) == (scheduler, schedule)
    assert dict(found.not_mapped) == {}
    assert read(infotext(found.recipe)).recipe.request.hires_schedule == schedule


def test_a_schedule_that_the_sampler_of_the_second_pass_does_not_take_is_left_over():
    keys = "Hires upscale: 2, Hires sampler: DDIM, Hires schedule type: Karras"
    found = read(f"a cat\n{LINE}, Denoising strength: 0.7, {keys}")
    assert (found.recipe.request.hires_scheduler, found.recipe.request.hires_schedule) == ("ddim", "")
    assert dict(found.not_mapped) == {"Hires schedule type": "Karras"}


def test_a_redraw_in_tiles_by_the_extension_is_read_and_told_as_different():
    found = read(
        "fox girl\nSteps: 26, Sampler: Euler, Seed: 5, Size: 2816x1984, Denoising strength: 0.42, "
        "Ultimate SD upscale upscaler: 4x_NMKD-Siax_200k, Ultimate SD upscale tile_width: 960, "
        "Ultimate SD upscale tile_height: 960, Ultimate SD upscale mask_blur: 8, Ultimate SD upscale padding: 48"
    )
    request = found.recipe.request
    assert (request.tile_redraw, request.tile_size, request.hires_strength) == ("2816x1984", 960, 0.42)
    assert request.hires_upscaler == "4x_NMKD-Siax_200k"
    assert request.strength == type(request).model_fields["strength"].default
    left = dict(found.not_mapped)
    assert (left["Ultimate SD upscale mask_blur"], left["Ultimate SD upscale padding"]) == ("8", "48")
    assert "one after the other" in left["Ultimate SD upscale"]
    assert read(infotext(found.recipe)).recipe.request == request


@pytest.mark.parametrize(
    ("said", "left", "prompt"),
    [
        ('Lora hashes: "NeverStyle: 1a2b3c4d5e6f, Rox: 99aa"', {"Lora hashes": "NeverStyle: 1a2b3c4d5e6f"}, ""),
        ('Lora hashes: "rox: 99aa"', {}, ""),
        ('TI hashes: "badhand: 1a2b, Easy_Neg: 3c4d, hand: 5e"', {"TI hashes": "hand: 5e"}, ""),
        ('Hashes: {"lora:Never": "12", "lora:rox": "34", "embed:other": "56", "vae": "78"}',
         {"Lora hashes": "Never: 12", "TI hashes": "other: 56", "VAE hash": "78"}, ""),
        ('Lora hashes: "offset: 4852, rox: 1", Lora weights: "offset: 0.1, rox: 0.5, odd: much"',
         {"Lora weights": "odd: much"}, " <lora:offset:0.1>"),
        ("AddNet Enabled: True, AddNet Module 1: LoRA, AddNet Model 1: foo(1a2b), AddNet Weight A 1: 0.7",
         {"AddNet Enabled": "True", "AddNet Module 1": "LoRA", "AddNet Model 1": "foo(1a2b)",
          "AddNet Weight A 1": "0.7"}, ""),
        ("Hypernet: paint(12345678), Hypernet strength: 0.6",
         {"Hypernet": "paint(12345678)", "Hypernet strength": "0.6"}, ""),
    ],
)  # fmt: skip
def test_what_only_its_hash_or_its_weight_names_is_told_or_taken(said, left, prompt):
    found = read(f"a badhand <lora:sub/Rox:0.8>\nNegative prompt: (easy_neg:1.2)\n{LINE}, {said}, Version: v1.6.0")
    assert found.recipe.request.prompt == f"a badhand <lora:sub/Rox:0.8>{prompt}"
    assert {key: text for key, text in found.not_mapped.items() if key != "Hashes"} == left


@pytest.mark.parametrize(
    ("said", "vae", "left"),
    [
        ("VAE: Default (model)", "", {}), ("VAE: Default", "", {}), ("VAE: Baked VAE", "", {}), ("VAE: None", "", {}),
        ("VAE: automatic, VAE hash: 735e4c3a44", "", {}), ("VAE: ft.vae.pt, VAE hash: 735e4c3a44", "ft.vae", {}),
        ("VAE hash: 735e4c3a44", "", {"VAE hash": "735e4c3a44"}), ("Module 1: ae.safetensors", "ae", {}),
        ("VAE: ft, Module 1: ae, Module 2: clip_l", "ft", {"Module 1": "ae", "Module 2": "clip_l"}),
        ("VAE: TAESD", "", {"VAE": "TAESD"}),
    ],
)  # fmt: skip
def test_the_models_own_vae_has_many_names_and_another_one_is_never_dropped(said, vae, left):
    found = read(f"a cat\n{LINE}, {said}")
    assert (found.recipe.request.vae, dict(found.not_mapped)) == (vae, left)


def test_the_text_is_found_where_other_tools_put_it():
    from PIL import Image

    for key in ("Parameters", "Comment", "Description"):
        found = read_picture(io.BytesIO(png({key: f"a cat\n{LINE}"})))
        assert found is not None
        assert found.recipe.request.seed == 42
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG", comment=f"a cat\n{LINE}".encode())
    found = read_picture(file)
    assert found is not None
    assert found.recipe.request.seed == 42


@pytest.mark.parametrize(
    ("said", "rules"),
    [
        ("Version: sdstudio 0.1.0", "0.1"), ("Version: sdstudio 0.2.0", "0.2"), ("Version: v1.10.1", "0.2"),
        ("Compatibility: Version 0.1, Version: sdstudio 0.2.0", "0.1"),
    ],
)  # fmt: skip
def test_the_studios_own_text_keeps_the_rules_of_the_version_that_wrote_it(said, rules):
    assert read(f"a cat\n{LINE}, Schedule type: Automatic, RNG: CPU, {said}").recipe.request.compatibility == rules
