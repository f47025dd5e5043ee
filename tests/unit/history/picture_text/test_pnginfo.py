from __future__ import annotations

import io
import json
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import sdstudio
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SCHEDULERS, schedule_of
from sdstudio.core.errors import SaveFailed
from sdstudio.core.params import parameters
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.picture_text.pnginfo import infotext, split_infotext, write_png
from tests.unit.history.conftest import noise, picture, recipe

PAIRS = [(spec.key, schedule) for spec in SCHEDULERS for schedule in spec.schedules]


def chunks(data: bytes) -> list[tuple[str, bytes]]:
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        found.append((data[place + 4 : place + 8].decode("ascii"), data[place + 8 : place + 8 + length]))
        place += length + 12
    return found


def png_of(made: Recipe) -> list[tuple[str, bytes]]:
    file = io.BytesIO()
    write_png(file, picture(), made)
    return chunks(file.getvalue())


def test_the_text_is_written_exactly_as_a1111_writes_it():
    made = recipe(
        "a cat (red hat:1.2)",
        negative_prompt="blurry",
        seed=42,
        width=512,
        height=768,
        model_name="v1-5-pruned-emaonly",
    )
    assert infotext(made) == (
        "a cat (red hat:1.2)\nNegative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, CFG scale: 7, Seed: 42, Size: 512x768, "
        f"Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, RNG: CPU, Version: sdstudio {sdstudio.__version__}"
    )


def test_what_needs_an_input_picture_is_written_with_one_alone():
    assert "Denoising" not in infotext(recipe(strength=0.4))
    assert "RNG: CPU, Version" in infotext(recipe())
    text = infotext(recipe(init_image="5a" * 32))
    assert f"Denoising strength: 0.75, Resize mode: Crop, Init image: {'5a' * 32}, RNG" in text


def test_a_mask_is_written_in_the_keys_of_a1111_and_read_from_them():
    values = {
        "init_image": "5a" * 32, "mask": "6b" * 32, "mask_mode": "not_masked", "masked_content": "latent_noise",
        "mask_blur": 8, "only_masked": 48, "mask_blending": "soft_inpainting", "soft_influence": 0.25,
    }  # fmt: skip
    text = infotext(recipe(**values))
    assert (
        "Mask mode: Inpaint not masked, Mask blur: 8, Inpaint area: Only masked, Masked area padding: 48, "
        "Masked content: latent noise, Mask blending: Soft inpainting, Soft inpainting enabled: True, "
        "Soft inpainting schedule bias: 1, Soft inpainting preservation strength: 0.5, "
        "Soft inpainting transition contrast boost: 4, "
    ) in text
    read = split_infotext(text)
    assert {name: read.values[name] for name in values} == values
    assert not {"Mask", "Inpaint area", "Soft inpainting enabled"} & read.leftovers.keys()
    assert "Mask blur" not in infotext(recipe(init_image="5a" * 32))
    assert "Mask" not in infotext(recipe(mask="6b" * 32)), "a mask alone does nothing"


def test_a_mask_of_another_programs_picture_is_missed_and_a_padding_it_does_not_tell_is_32():
    text = "a cat\nSteps: 20, Sampler: Euler, Denoising strength: 0.7, Mask blur: 4, Inpaint area: Only masked"
    read = split_infotext(text)
    assert (read.values["only_masked"], read.values["mask_blur"]) == (32, 4)
    assert read.leftovers == {
        "Mask": "drawn with a mask, which is not inside",
        "Input picture": "made from another picture, which is not inside",
    }
    assert "only_masked" not in split_infotext(text.replace("Only masked", "Whole picture")).values


def test_what_has_no_value_or_means_the_default_is_left_out():
    made = recipe("", scheduler="ddim", clip_skip=1, guidance_scale=7.5).model_copy(update={"model_hash": ""})
    assert infotext(made).startswith(
        "Steps: 20, Sampler: DDIM, Schedule type: Automatic, CFG scale: 7.5, Seed: 42, Size: 64x64, Model: Starter, RNG"
    )
    assert "Clip skip: 2, RNG: CPU" in infotext(recipe(clip_skip=2))


def test_a_cancelled_picture_says_its_step_and_no_reader_takes_it_for_a_parameter():
    made = recipe(steps=60).model_copy(update={"made_with": {"unfinished": {"step": 13, "of": 60}}})
    text = infotext(made)
    assert "Steps: 60," in text
    assert "Unfinished: step 13 of 60, Version" in text
    read = split_infotext(text)
    assert read.values["steps"] == 60
    assert read.leftovers["Unfinished"] == "step 13 of 60"
    assert "Unfinished" not in infotext(recipe(steps=60))
    for told in ({"step": "13", "of": 60}, {"step": 13}, [13, 60], None):
        assert made.model_copy(update={"made_with": {"unfinished": told}}).unfinished is None


@pytest.mark.parametrize("name", ["v1,5", "a: b", "two\nlines", '"quoted"', "naïve 猫, ✓"])
def test_values_with_commas_colons_and_newlines_are_quoted(name):
    text = infotext(recipe(model_name=name))
    assert f"Model: {json.dumps(name, ensure_ascii=False)}, RNG" in text
    assert "\n" not in text.split("\n", 1)[1]
    assert split_infotext(text).leftovers["Model"] == name


def test_both_texts_stand_before_the_pixels():
    kinds = [kind for kind, _ in png_of(recipe("naïve"))]
    assert kinds.index("iTXt") < kinds.index("tEXt") < kinds.index("IDAT")


@pytest.mark.parametrize(("prompt", "kind"), [("plain café", "tEXt"), ("猫", "iTXt"), ("🦊", "iTXt")])
def test_parameters_are_text_when_latin_1_holds_them_else_international_text(prompt, kind):
    (found,) = [(kind, data) for kind, data in png_of(recipe(prompt)) if data.startswith(b"parameters\0")]
    assert found[0] == kind
    encoding = "latin-1" if kind == "tEXt" else "utf-8"
    assert prompt.encode(encoding) in found[1]


def test_every_sampler_and_schedule_come_back_from_their_text():
    found = {}
    for scheduler, schedule in PAIRS:
        read = split_infotext(infotext(recipe(scheduler=scheduler, schedule=schedule)))
        left = {name for name in ("Sampler", "Schedule type") if name in read.leftovers}
        found[scheduler, schedule] = (read.values["scheduler"], read.values["schedule"]), left
    assert len(found) > 300
    assert {pair: told for pair, told in found.items() if told != (pair, set())} == {}


@pytest.mark.parametrize(
    ("sampler", "schedule", "key", "levels", "left"),
    [
        ("DPM++ 2M Karras", None, "dpmpp_2m", "karras", {}),  # before 1.9
        ("DPM++ 2M", "Karras", "dpmpp_2m", "karras", {}),
        ("DPM++ 2M", "Automatic", "dpmpp_2m", "automatic", {}),
        ("DPM++ 2M", None, "dpmpp_2m", "uniform", {}),  # a plain name meant even levels until 1.9
        ("DPM++ 2M", "Normal", "dpmpp_2m", "uniform", {}),
        ("DPM++ 2M", "Turbo", "dpmpp_2m", "turbo", {}),
        ("DPM++ 2M", "Phi", "dpmpp_2m", "automatic", {"Schedule type": "Phi"}),  # reForge's
        ("DPM++ 2M SDE Exponential", None, "dpmpp_2m_sde", "exponential", {}),
        ("Euler a Karras", None, "euler_a", "karras", {}),
        ("Restart", "Karras", "heun", "karras", {"Sampler": "Restart"}),
        ("PLMS", None, "pndm", "automatic", {}),
        ("k_dpmpp_2m", "SGM Uniform", "dpmpp_2m", "sgm_uniform", {}),
    ],
)
def test_old_and_new_sampler_names_are_understood(sampler, schedule, key, levels, left):
    kind = f", Schedule type: {schedule}" if schedule else ""
    read = split_infotext(f"a cat\nSteps: 20, Sampler: {sampler}{kind}, CFG scale: 7, Seed: 1, Size: 512x512")
    assert (read.values["scheduler"], read.values["schedule"]) == (key, levels)
    assert read.leftovers == left


def test_how_a1111_weighed_is_read_and_what_is_not_known_here_left_over():
    text = "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Emphasis: {}, Skip Early CFG: 0.25"
    read = split_infotext(text.format("No norm"))
    assert (read.values["emphasis"], read.values["guidance_start"]) == ("no_norm", 0.25)
    assert split_infotext(text.format("Ignore")).leftovers == {"Emphasis": "Ignore"}


def test_what_did_not_act_on_the_sampler_is_left_over():
    read = split_infotext("a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Eta: 0.5, Sigma churn: 3, Eta DDIM: 0.0")
    assert read.leftovers == {"Eta": "0.5"}
    assert read.values["s_churn"] == 3
    GenerationRequest.checked(read.values)


def test_an_unknown_sampler_is_left_over():
    read = split_infotext("a cat\nSteps: 20, Sampler: Wonder, CFG scale: 7, Seed: 1, Size: 512x512")
    assert "scheduler" not in read.values
    assert read.leftovers["Sampler"] == "Wonder"


def test_a_real_text_with_loras_hires_and_civitai_resources_is_read():
    text = (
        "masterpiece, <lora:detail:0.8>, a (castle:1.2)\non a hill\n"
        "Negative prompt: lowres,\nbad hands\n"
        'Steps: 28, Sampler: Euler a, CFG scale: 7.5, Seed: 3735928559, Size: 832x1216, Model hash: 31e35c80fc, '
        'Model: sd_xl_base_1.0, Denoising strength: 0.4, Clip skip: 2, Hires upscale: 1.5, '
        'Lora hashes: "detail: 1a2b3c4d5e6f, other: aabbccddeeff", '
        'Hashes: {"model":"31e35c80fc","lora:detail":"1a2b3c4d5e"}, '
        'Civitai resources: [{"type":"checkpoint","modelVersionId":128078,"modelName":"SD XL, base"}], Version: v1.6.0'
    )  # fmt: skip
    read = split_infotext(text)
    assert read.values == {
        "prompt": "masterpiece, <lora:detail:0.8>, a (castle:1.2)\non a hill",
        "negative_prompt": "lowres,\nbad hands",
        "steps": 28, "scheduler": "euler_a", "schedule": "automatic", "guidance_scale": 7.5, "seed": 3735928559,
        "width": 832, "height": 1216, "clip_skip": 2, "rng": "nvidia", "file_hashes": (("detail", "1a2b3c4d5e6f"),),
        "hires": 1.5, "hires_strength": 0.4, "hires_upscaler": "Latent",
    }  # fmt: skip
    assert read.leftovers["Lora hashes"] == "other: aabbccddeeff"  # the prompt names no such LoRA
    assert json.loads(read.leftovers["Hashes"])["lora:detail"] == "1a2b3c4d5e"
    assert json.loads(read.leftovers["Civitai resources"])[0]["modelName"] == "SD XL, base"
    assert read.leftovers["Version"] == "v1.6.0"
    GenerationRequest.checked(read.values)


def test_values_that_are_not_allowed_are_left_over():
    text = "x\nSteps: 9000, Sampler: Euler, CFG scale: abc, Seed: -1, Size: 500x512, Clip skip: nan"
    read = split_infotext(text)
    assert read.values == {
        "prompt": "x", "negative_prompt": "", "scheduler": "euler", "schedule": "automatic", "height": 512,
        "rng": "nvidia",
    }  # fmt: skip
    assert read.leftovers == {
        "Steps": "9000", "CFG scale": "abc", "Seed": "-1", "Size-1": "500", "Clip skip": "nan",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "   ", "just a prompt", "two\nlines", "a, b: c", '{"sui_image_params": {}}'])
def test_text_without_parameters_is_a_prompt_or_nothing(text):
    read = split_infotext(text)
    assert read.leftovers == {}
    assert read.values in ({}, {"prompt": text.strip(), "negative_prompt": ""})


requests = st.builds(
    GenerationRequest,
    prompt=st.text(st.characters(codec="utf-8"), max_size=300),
    negative_prompt=st.text(st.characters(codec="utf-8"), max_size=100),
    width=st.integers(8, 512).map(lambda n: n * 8),
    height=st.integers(8, 512).map(lambda n: n * 8),
    steps=st.integers(1, 150),
    guidance_scale=st.floats(1, 30),
    seed=st.integers(0, SEED_MAXIMUM),
    clip_skip=st.integers(1, 12),
    prediction=st.sampled_from(["automatic", "epsilon", "v_prediction"]),
    zero_snr=st.booleans(),
    emphasis=st.sampled_from(["original", "no_norm"]),
    prompt_syntax=st.sampled_from(["a1111", "comfyui", "compel"]),
    guidance_rescale=st.floats(0, 1),
    guidance_start=st.floats(0, 1),
    guidance_end=st.floats(0, 1),
    seed_resize_from=st.sampled_from(["", "512x768"]),
    seamless=st.sampled_from(["off", "x", "y", "both"]),
)
beginnings = st.fixed_dictionaries({
    "init_image": st.text("0123456789abcdef", min_size=64, max_size=64),
    "strength": st.floats(0, 1),
    "init_fit": st.sampled_from(["crop", "pad", "stretch"]),
})  # fmt: skip
variations = st.fixed_dictionaries({
    "variation_strength": st.floats(0, 1, exclude_min=True), "variation_seed": st.integers(0, SEED_MAXIMUM),
    "earlier_variations": st.sampled_from(["", "8:0.15", "8:0.15, 18446744073709551615:1"]),
})  # fmt: skip
second_passes = st.fixed_dictionaries({
    "hires": st.floats(1, 4, exclude_min=True),
    "width": st.just(512), "height": st.just(640), "hires_strength": st.floats(0, 1),
    "hires_steps": st.integers(0, 150),
    "hires_upscaler": st.sampled_from(["", "Latent", "4x-sharp"]),
    "hires_scheduler": st.sampled_from(["", "euler_a", "dpmpp_2m_sde"]),
    "hires_prompt": st.sampled_from(["", "a dog, x: y"]),
    "hires_schedule": st.sampled_from(["", "karras"]),
})  # fmt: skip
sized = st.fixed_dictionaries({"hires": st.just(1.0), "hires_resize": st.sampled_from(["1024x1536", "0x1024"])})
tiled = st.fixed_dictionaries({
    "hires": st.just(1.0), "tile_redraw": st.sampled_from(["4096x4096", "2048x", "4"]),
    "tile_size": st.just(768), "tile_overlap": st.sampled_from([0, 96]),
})  # fmt: skip
finishes = st.fixed_dictionaries({
    "finish": st.floats(1, 6.4, exclude_min=True), "finish_upscaler": st.sampled_from(["", "drawings-4x", "4x-sharp"]),
    "width": st.just(512), "height": st.just(640),
})  # fmt: skip
detailings = st.fixed_dictionaries({
    "detail": st.sampled_from(["a face. a hand.", "eyes"]), "detail_prompt": st.sampled_from(["", "a [SEP] b, c: d"]),
    "detail_strength": st.floats(0.1, 1), "detail_confidence": st.floats(0, 1), "detail_top_k": st.integers(0, 100),
    "detail_grow": st.integers(-128, 128), "detail_steps": st.integers(20, 150), "detail_guidance": st.floats(0, 30),
    "detail_boxes": st.sampled_from(["", "1,2,30,40; 5,5,9,9"]), "width": st.just(512), "height": st.just(640),
    "detail_mask": st.sampled_from(["", "5a" * 32]), "detail_model": st.sampled_from(["", "dino"]),
})  # fmt: skip
numbers = {
    "eta": st.floats(0, 1), "eta_ddim": st.floats(0, 1), "s_churn": st.floats(0, 100), "ensd": st.integers(-9, 40_000),
}  # fmt: skip


@st.composite
def sampled_requests(draw):
    spec = draw(st.sampled_from(SCHEDULERS))
    acting = {name: draw(numbers[name]) for name in spec.takes}
    schedule = draw(st.sampled_from(spec.schedules))
    begun = draw(st.just({}) | beginnings | second_passes | finishes)
    if "hires" in begun:
        if SCHEDULER_BY_KEY[begun["hires_scheduler"] or spec.key].automatic == "":
            begun["hires_schedule"] = ""
        begun |= draw(st.just({}) | sized | tiled)
    begun |= draw(st.just({}) | variations) | draw(st.just({}) | detailings)
    return draw(requests).model_copy(update={"scheduler": spec.key, "schedule": schedule, **acting, **begun})


recipes = st.builds(
    Recipe,
    app=st.just("sdstudio 0.1.0"),
    request=sampled_requests(),
    model_name=st.text(st.characters(codec="utf-8"), max_size=40),
    model_hash=st.text("0123456789abcdef", min_size=10, max_size=10),
    made_with=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3),
)


@given(recipes)
def test_every_recipe_comes_back_exactly_from_its_png(made):
    file = io.BytesIO()
    write_png(file, picture(size=(8, 8)), made)
    file.seek(0)
    assert recipe_of(file) == made


@given(recipes)
def test_numbers_and_sampler_always_come_back_from_the_text(made):
    plain = made.model_copy(update={"request": made.request.model_copy(update={"prompt": "p", "negative_prompt": ""})})
    read = GenerationRequest.checked({**split_infotext(infotext(plain)).values, "model": made.request.model})
    assert read == plain.request


@pytest.mark.parametrize("spec", [spec for spec in SCHEDULERS if spec.automatic], ids=lambda spec: spec.key)
@pytest.mark.parametrize(("label", "key"), [("", "uniform"), (" Karras", "karras"), (" SGM Uniform", "sgm_uniform")])
def test_the_one_name_of_before_1_9_is_read(spec, label, key):
    text = f"p\nSteps: 20, Sampler: {spec.sampler}{label}, CFG scale: 7, Seed: 1, Size: 512x512, Version: v1.8.0"
    read = split_infotext(text)
    assert read.values["scheduler"] == spec.key
    plain = "lcm_uniform" if spec.automatic == "lcm_uniform" else "uniform"  # A1111's LCM has even levels of its own
    assert schedule_of(spec, read.values["schedule"]) == (key if label else plain)


def test_a_text_of_version_0_1_means_what_it_meant_there():
    """It wrote A1111's names for what was only near, and drew by its own rules."""
    text = "p\nSteps: 20, Sampler: {}, Schedule type: {}, CFG scale: 7, Seed: 1, Size: 512x512, Version: sdstudio {}"
    for sampler, schedule, old, new in (
        ("DPM++ 2S a", "Karras", ("dpmpp_2s", "karras"), ("dpmpp_2s_a", "karras")),
        ("UniPC", "Karras", ("unipc", "karras"), ("unipc_a1111", "automatic")),
        ("LCM", "Automatic", ("lcm", "automatic"), ("lcm_any", "automatic")),
        ("DPM++ 2M", "KL Optimal", ("dpmpp_2m", "kl_optimal"), ("dpmpp_2m", "kl_optimal_a1111")),
        ("DPM2", "Automatic", ("dpm2", "automatic"), ("dpm2", "automatic")),
    ):
        for version, meant, rules in (("0.1.3", old, "0.1"), ("0.2.0", new, None)):
            values = split_infotext(text.format(sampler, schedule, version)).values
            assert (values["scheduler"], values["schedule"], values.get("compatibility")) == (*meant, rules)


def test_the_level_before_zero_is_written_as_a1111_does():
    made = recipe("p", scheduler="euler", last_level="left_out")
    assert "Discard penultimate sigma: True" in infotext(made)
    assert split_infotext(infotext(made)).values["last_level"] == "left_out"
    kept = recipe("p", scheduler="dpm2", last_level="kept")
    assert split_infotext(infotext(kept)).values["last_level"] == "kept"
    assert "Discard" not in infotext(recipe("p", scheduler="dpm2"))


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20)
lines = (
    st.lists(words, min_size=1, max_size=5).map(" ".join).filter(lambda line: not line.startswith(("Negative", "{")))
)


@given(st.lists(lines, max_size=4).map("\n".join), st.lists(lines, max_size=3).map("\n".join))
def test_plain_prompts_come_back_from_the_text(prompt, negative):
    made = recipe(prompt, negative_prompt=negative)
    read = split_infotext(infotext(made)).values
    assert (read["prompt"], read["negative_prompt"]) == (prompt, negative)


@given(st.text(max_size=400))
def test_any_text_is_read_and_what_is_taken_is_allowed(text):
    values = split_infotext(text).values
    request = GenerationRequest.checked(values)
    assert request.prompt == values.get("prompt", "")


@pytest.mark.parametrize(
    "text", ["a" * 500_000, " " * 500_000, 'a:"' * 100_000, "a: b, " * 100_000, "Hashes: {" * 50_000, "[" * 200_000]
)
def test_hostile_text_is_read_in_time_that_grows_with_its_length(text):
    begun = time.perf_counter()
    split_infotext("prompt\n" + text)
    assert time.perf_counter() - begun < 5, "measured 1.3 s at most; quadratic time would be minutes"


def test_every_declared_key_is_unique():
    rows = [row.infotext for row in parameters(GenerationRequest) if row.infotext is not None]
    assert len({row.key for row in rows}) == len({row.order for row in rows}) == len(rows)


def test_a_picture_of_a1111_gives_a_recipe(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, "
                                "Model hash: 6ce0161689, Model: v1-5, Version: v1.9.4")  # fmt: skip
    picture().save(tmp_path / "a.png", pnginfo=info)
    made = recipe_of(tmp_path / "a.png")
    assert (made.request.prompt, made.request.steps, made.request.seed) == ("a cat", 25, 5)
    assert (made.app, made.model_name, made.model_hash) == ("A1111 v1.9.4", "v1-5", "6ce0161689")


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_text_in_the_exif_of_a_jpeg_or_webp_is_read(tmp_path, ending):
    pixels, text = picture(), "a 猫\nSteps: 25, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 512x512"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    pixels.save(tmp_path / f"a.{ending}", exif=exif)
    assert recipe_of(tmp_path / f"a.{ending}").request.prompt == "a 猫"


def test_text_behind_the_pixels_is_found_too(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("sdstudio", recipe("late").model_dump_json())
    file = io.BytesIO()
    picture().save(file, "PNG", pnginfo=info)
    data = file.getvalue()
    (text,) = [c for c in chunks(data) if c[0] == "iTXt"]
    raw = struct.pack(">I", len(text[1])) + b"iTXt" + text[1] + struct.pack(">I", zlib.crc32(b"iTXt" + text[1]))
    end = data.index(b"IEND") - 4
    (tmp_path / "late.png").write_bytes(data.replace(raw, b"")[: end - len(raw)] + raw + data[end:])
    assert recipe_of(tmp_path / "late.png").request.prompt == "late"


def zipped_bomb() -> bytes:
    text = b"parameters\0\0" + zlib.compress(b"a" * 100_000_000, 9)
    return struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))


def with_chunk(chunk: bytes) -> bytes:
    file = io.BytesIO()
    picture().save(file, "PNG")
    return file.getvalue()[:33] + chunk + file.getvalue()[33:]


def saved(made: Recipe) -> bytes:
    file = io.BytesIO()
    write_png(file, noise((64, 64)), made)
    return file.getvalue()


HOSTILE = {
    "empty": b"",
    "text": b"I am no picture",
    "header alone": b"\x89PNG\r\n\x1a\n",
    "truncated header": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0",
    "text that unpacks to 100 MB": with_chunk(zipped_bomb()),
    "2^31 pixels a side": with_chunk(b"").replace(struct.pack(">II", 64, 64), struct.pack(">II", 2**31 - 1, 2**31 - 1)),
    "deep json": None,
    "json that is no recipe": None,
    "recipe with a list for a request": None,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.logs("history.picture_text.pnginfo")
def test_broken_and_hostile_files_have_no_recipe(tmp_path, name):
    path = tmp_path / "x.png"
    if HOSTILE[name] is not None:
        path.write_bytes(HOSTILE[name])
    else:
        texts = {
            "deep json": '{"request":' * 50_000,
            "json that is no recipe": "[1, 2, 3]",
            "recipe with a list for a request": '{"app": "x", "request": []}',
        }
        info = PngImagePlugin.PngInfo()
        info.add_itxt("sdstudio", texts[name])
        picture().save(path, pnginfo=info)
    assert recipe_of(path) is None


def test_a_missing_file_and_a_folder_have_no_recipe(tmp_path):
    assert recipe_of(tmp_path / "nowhere.png") is None
    assert recipe_of(tmp_path) is None


@pytest.mark.parametrize("length", [10, 50, 200, 600, 900])
def test_a_cut_off_picture_never_crashes_the_reader(tmp_path, length):
    path = tmp_path / "cut.png"
    path.write_bytes(saved(recipe())[:length])
    read = recipe_of(path)
    assert read is None or read.request == recipe().request


def test_very_long_text_is_not_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a, " * 1_000_000)
    picture().save(tmp_path / "long.png", pnginfo=info)
    assert recipe_of(tmp_path / "long.png") is None


@pytest.mark.logs("a stored (recipe|request) holds")
def test_a_recipe_of_a_newer_version_is_read_as_far_as_it_is_known(tmp_path):
    values = json.loads(recipe("future").model_dump_json())
    values["format"] = 9
    values["sound"] = True
    values["request"]["sharpness"] = 0.5
    values["request"]["steps"] = 10_000
    info = PngImagePlugin.PngInfo()
    info.add_itxt("sdstudio", json.dumps(values))
    picture().save(tmp_path / "new.png", pnginfo=info)
    read = recipe_of(tmp_path / "new.png")
    assert (read.request.prompt, read.request.seed, read.request.steps) == ("future", 42, 20)


def test_a_path_is_written_whole_or_not_at_all(tmp_path):
    write_png(tmp_path / "a" / "b.png", picture(), recipe())
    assert recipe_of(tmp_path / "a" / "b.png") == recipe()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed):
        write_png(tmp_path / "file" / "b.png", picture(), recipe())


def test_ground_that_is_added_is_written_and_read():
    values = {
        "init_image": "5a" * 32, "outpaint": "left=128,top=64", "outpaint_fill": "colour", "outpaint_colour": "#12ab34",
        "outpaint_overlap": 24, "outpaint_passes": "one", "transparency": "keep",
    }  # fmt: skip
    text = infotext(recipe(**values))
    assert 'Outpaint: "left=128,top=64", Outpaint fill: colour, Outpaint colour: #12ab34, Outpaint overlap: 24' in text
    read = split_infotext(text)
    assert {name: read.values[name] for name in values} == values
    assert "Outpaint" not in infotext(recipe(outpaint="left=8")), "without a picture nothing is added"
