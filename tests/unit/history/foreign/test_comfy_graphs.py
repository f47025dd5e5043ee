"""ComfyUI graphs as people have them: what acts on the pixels is taken over, or told by the name of its node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.history.foreign.graphs import Nodes, node, plain, read

FROM: dict[str, Any] = {"model": ["4", 0], "clip": ["4", 1]}
LORA_TEXT = "a red bottle <lora:ink:0.5:0.25> <lora:old:0.3>"


def encoded(text: str, clip: str, output: int = 0) -> dict[str, Any]:
    return node("CLIPTextEncode", text=text, clip=[clip, output])


def through(**text_node: Any) -> Nodes:
    """A graph whose prompt comes from node "10"; "11" and "12" hold the words "red" and "bottle"."""
    return plain(
        n6=node("CLIPTextEncode", text=["10", 0], clip=["4", 1]), n10=text_node,
        n11=node("PrimitiveString", value="red"), n12=node("String Literal", string="bottle"),
    )  # fmt: skip


TEXTS: list[tuple[dict[str, Any], str]] = [
    (node("StringConcatenate", string_a=["11", 0], string_b=["12", 0], delimiter=", "), "red, bottle"),
    (node("CR Text Concatenate", text1=["11", 0], text2=["12", 0], separator=" + "), "red + bottle"),
    (node("Text Concatenate", delimiter=", ", clean_whitespace="true", text_b=["12", 0], text_a=" red ", text_c=""),
     "red, bottle"),
    (node("Text Concatenate", delimiter="\\n", clean_whitespace="false", text_a="red", text_b="bottle"), "red\nbottle"),
    (node("JoinStringMulti", inputcount=3, string_1=["11", 0], string_2="", string_3=["12", 0], delimiter="/",
          return_list=False), "red/bottle"),
    (node("JoinStrings", string1=["11", 0], string2=["12", 0], delimiter=" "), "red bottle"),
    (node("easy promptConcat", prompt1=["11", 0], prompt2=["12", 0], separator="-"), "red-bottle"),
    (node("StringFunction|pysssss", action="append", tidy_tags="yes", text_a="red ,, ", text_b=["12", 0], text_c=""),
     "red, bottle"),
    (node("StringFunction|pysssss", action="replace", tidy_tags="no", text_a="red can", text_b="can", text_c="bottle"),
     "red bottle"),
    (node("ShowText|pysssss", text=["11", 0], text_0="of the run before"), "red"),
    (node("ShowText|pysssss", text=["99", 0], text_0="shown"), "shown"),
    (node("StringReplace", string="blue bottle", find="blue", replace=["11", 0]), "red bottle"),
    (node("Text Find and Replace", text="blue bottle", find="blue", replace="red"), "red bottle"),
    (node("CR Text Replace", text="a b c", find1="a", replace1="x", find2="b", replace2="y", find3="c", replace3="z"),
     "x y z"),
    (node("CaseConverter", string=["11", 0], mode="UPPERCASE"), "RED"),
    (node("StringTrim", string="  red ", mode="Both"), "red"),
    (node("StringSubstring", string="a red bottle", start=2, end=5), "red"),
    (node("Text Multiline", text="red\n# not this\nbottle"), "red\nbottle"),
    (node("StringConstantMultiline", string=" red\nbottle ", strip_newlines=True), "redbottle"),
    (node("PrimitiveStringMultiline", value="red"), "red"),
    (node("Any Switch (rgthree)", any_01=["99", 0], any_02=["11", 0], any_03=["12", 0]), "red"),
    (node("ImpactWildcardProcessor", wildcard_text="__colour__", populated_text="red", seed=1), "red"),
    (node("Reroute", value=["11", 0]), "red"),
]  # fmt: skip


def test_words_come_through_the_nodes_that_make_them():
    wrong = []
    for text_node, words in TEXTS:
        found = read(through(**text_node))
        if found.recipe.request.prompt != words or found.not_mapped:
            wrong.append((text_node["class_type"], found.recipe.request.prompt, dict(found.not_mapped)))
    assert wrong == []


def test_an_output_other_than_the_first_is_that_one():
    nodes = through(**node("Text String", text="no", text_b="red", text_c="no", text_d=""))
    nodes["6"]["inputs"]["text"] = ["10", 1]
    assert read(nodes).recipe.request.prompt == "red"
    nodes = plain(sampler={"steps": ["10", 0], "cfg": ["10", 2], "scheduler": ["10", 4]}, n10=node(
        "KSampler Config (rgthree)", steps_total=31, refiner_step=20, cfg=4.5, sampler_name="euler", scheduler="simple"
    ))  # fmt: skip
    request = read(nodes).recipe.request
    assert (request.steps, request.guidance_scale, request.schedule) == (31, 4.5, "simple")


@pytest.mark.parametrize(
    ("kind", "inputs", "words"),
    [
        ("DPRandomGenerator", {"text": "a {red|blue} bottle", "seed": 4}, "a {red|blue} bottle"),
        ("Brand New Prompt Maker", {"prompt": "a bottle", "style": "sepia"}, "a bottle"),
        ("RegexReplace", {"string": "red", "regex_pattern": "(a+)+$", "replace": ""}, "red"),
        ("Text Random Line", {"text": "red\nblue", "seed": 2}, "red\nblue"),
    ],
)
def test_a_node_whose_text_is_not_in_the_picture_is_told_beside_the_nearest_to_it(kind, inputs, words):
    found = read(through(**node(kind, **inputs)))
    assert found.recipe.request.prompt == words
    assert kind in found.not_mapped


def test_a_wildcard_encoder_gives_what_was_drawn_and_its_lora():
    nodes = plain(sampler={"model": ["6", 0], "positive": ["6", 2]}, n6=node(
        "ImpactWildcardEncode", wildcard_text="a __c__ bottle", populated_text=LORA_TEXT, mode="fixed", seed=1,
        model=["4", 0], clip=["4", 1],
    ), n7=encoded("b", "6", 1))  # fmt: skip
    found = read(nodes)  # its tags have the UNet's weight first, A1111's the text encoders'
    assert found.recipe.request.prompt == "a red bottle <lora:ink:0.25:0.5> <lora:old:0.3>"
    assert found.not_mapped == {}


def test_a_tag_in_a_plain_encoder_is_only_words_and_loads_nothing():
    found = read(plain(n6=node("CLIPTextEncode", text="a bottle <lora:ink:0.5> <3", clip=["4", 1])))
    assert found.recipe.request.prompt == r"a bottle \<lora:ink:0.5> <3"
    assert "Prompt" in found.not_mapped


LORAS: list[tuple[str, dict[str, Any], str]] = [
    ("LoraLoader", {"lora_name": "x\\ink.safetensors", "strength_model": 0.5, "strength_clip": 0.25}, "ink:0.25:0.5"),
    ("LoraLoader", {"lora_name": ["12", 0], "strength_model": 0.5, "strength_clip": 0.5}, "bottle:0.5"),
    ("LoraLoader", {"lora_name": "ink.pt", "strength_model": ["13", 0], "strength_clip": ["13", 0]}, "ink:0.75"),
    ("LoraLoader|pysssss", {"lora_name": {"content": "ink.safetensors", "image": None}, "strength_model": 1,
                            "strength_clip": 1}, "ink:1"),
    ("LoraLoader", {"lora_name": "ink.pt", "strength_model": 0, "strength_clip": 0.0}, ""),
    ("CR Load LoRA", {"switch": "On", "lora_name": "ink", "strength_model": 1, "strength_clip": 0.5}, "ink:0.5:1"),
    ("CR Load LoRA", {"switch": "Off", "lora_name": "ink", "strength_model": 1, "strength_clip": 0.5}, ""),
    ("Power Lora Loader (rgthree)", {
        "PowerLoraLoaderHeaderWidget": {"type": "PowerLoraLoaderHeaderWidget"},
        "lora_1": {"on": True, "lora": "ink.safetensors", "strength": 0.8},
        "lora_2": {"on": False, "lora": "off.safetensors", "strength": 1},
        "lora_3": {"on": True, "lora": "two.safetensors", "strength": 0.6, "strengthTwo": 0.4}, "➕ Add Lora": "",
    }, "ink:0.8 two:0.4:0.6"),
    ("Lora Loader Stack (rgthree)", {"lora_01": "ink.pt", "strength_01": 0.5, "lora_02": "None", "strength_02": 1},
     "ink:0.5"),
    ("LoraTagLoader", {"text": "words <lora:ink:0.5> <lora:two:1:0.25>"}, "ink:0.5 two:0.25:1"),
    ("CR Apply LoRA Stack", {"lora_stack": ["14", 0]}, "near:0.7:0.9 far:0.4"),
    ("easy loraStackApply", {"lora_stack": ["15", 0]}, "ink:0.5"),
    ("Apply LoRA Stack", {"lora_stack": ["16", 0]}, "ink:0.2:0.1"),
]  # fmt: skip
BESIDE = {
    "12": node("String Literal", string="bottle.safetensors"), "13": node("PrimitiveFloat", value=0.75),
    "14": node("CR LoRA Stack", switch_1="On", lora_name_1="near.pt", model_weight_1=0.9, clip_weight_1=0.7,
               switch_2="Off", lora_name_2="no.pt", model_weight_2=1, clip_weight_2=1, lora_stack=["17", 0]),
    "15": node("easy loraStack", toggle=True, mode="simple", num_loras=1, lora_1_name="ink.pt", lora_1_strength=0.5,
               lora_2_name="more.pt", lora_2_strength=1),
    "16": node("LoRA Stacker", input_mode="advanced", lora_count=1, lora_name_1="ink.pt", lora_wt_1=1, model_str_1=0.1,
               clip_str_1=0.2, lora_name_2="more.pt", lora_wt_2=1),
    "17": node("CR LoRA Stack", switch_1="On", lora_name_1="far.pt", model_weight_1=0.4, clip_weight_1=0.4),
}  # fmt: skip


def test_every_node_that_loads_lora_gives_their_names_and_both_weights():
    wrong = []
    for kind, inputs, tags in LORAS:
        used = {link[0] for link in inputs.values() if isinstance(link, list)}
        beside = {f"n{key}": BESIDE[key] for key in ({*used, "17"} if "14" in used else used)}
        loads = node(kind, model=["4", 0], clip=["4", 1], **inputs)
        nodes = plain(sampler={"model": ["10", 0]}, n6=encoded("a", "10", 1),
                      n7=encoded("b", "10", 1), n10=loads, **beside)  # fmt: skip
        found = read(nodes)
        prompt = " ".join(["a", *(f"<lora:{tag}>" for tag in tags.split())])
        if found.recipe.request.prompt != prompt or found.not_mapped:
            wrong.append((kind, found.recipe.request.prompt, dict(found.not_mapped)))
    assert wrong == []


def test_a_lora_acts_where_its_outputs_lead():
    loads = node("LoraLoader", lora_name="ink.pt", strength_model=0.5, strength_clip=0.25, **FROM)
    on_unet = plain(sampler={"model": ["10", 0]}, n10=loads)
    assert read(on_unet).recipe.request.prompt == "a bottle <lora:ink:0:0.5>"
    on_text = plain(n6=encoded("a", "10", 1), n10=loads)
    assert read(on_text).recipe.request.prompt == "a <lora:ink:0.25:0>"
    assert "CLIP" in read(on_text).not_mapped, "the negative prompt has another one"
    only = node("LoraLoaderModelOnly", lora_name="ink.pt", strength_model=0.5, model=["4", 0])
    assert read(plain(sampler={"model": ["10", 0]}, n10=only)).recipe.request.prompt == "a bottle <lora:ink:0:0.5>"


def test_what_an_unknown_loader_of_a_lora_does_beyond_is_told():
    loads = node("LoraLoaderBlockWeight //Inspire", lora_name="ink.pt", strength_model=0.5, strength_clip=0.5,
                 block_vector="1,0,0,1", **FROM)  # fmt: skip
    found = read(plain(sampler={"model": ["10", 0]}, n6=encoded("a", "10", 1), n7=encoded("b", "10", 1), n10=loads))
    assert found.recipe.request.prompt == "a <lora:ink:0.5>"
    assert found.not_mapped == {"LoraLoaderBlockWeight //Inspire": "block_vector 1,0,0,1"}


@pytest.mark.parametrize("weight", [float("nan"), 1e300, 10**400, "lots", None, True, [1, 2]])
def test_a_lora_whose_weight_is_none_is_told(weight):
    loads = node("LoraLoader", lora_name="ink.pt", strength_model=weight, strength_clip=1, **FROM)
    found = read(plain(sampler={"model": ["10", 0]}, n10=loads))
    assert found.recipe.request.prompt == "a bottle"
    assert "ink" in " ".join(found.not_mapped.values())


def test_a_loader_that_does_it_all_is_read_whole():
    nodes = plain(
        sampler={"model": ["4", 0], "positive": ["4", 1], "negative": ["4", 2], "latent_image": ["4", 3]},
        n4=node("Efficient Loader", ckpt_name="dream.safetensors", vae_name="fine.pt", clip_skip=-2, lora_name="ink.pt",
                lora_model_strength=0.5, lora_clip_strength=0.5, positive="a bottle", negative=["11", 0],
                token_normalization="none", weight_interpretation="comfy", empty_latent_width=576,
                empty_latent_height=640, batch_size=1),
        n11=node("PrimitiveString", value="fog"), n8=node("VAEDecode", samples=["3", 0], vae=["4", 4]),
    )  # fmt: skip
    for key in "567":
        del nodes[key]
    found = read(nodes)
    request = found.recipe.request
    assert (request.prompt, request.negative_prompt) == ("a bottle <lora:ink:0.5>", "fog")
    assert (request.width, request.height, request.clip_skip, request.vae) == (576, 640, 2, "fine")
    assert (request.model, dict(found.not_mapped)) == ("dream", {})
    nodes["4"]["inputs"]["weight_interpretation"] = "compel"
    assert read(nodes).not_mapped == {"Efficient Loader": "weight_interpretation compel"}


def test_contexts_lead_to_all_that_they_hold():
    outputs = {"model": 1, "positive": 4, "negative": 5, "latent_image": 6, "seed": 8, "steps": 9}
    nodes = plain(
        sampler={name: ["20", output] for name, output in outputs.items()},
        n20=node("Context Big (rgthree)", base_ctx=["21", 0], positive=["6", 0]),
        n21=node("Context (rgthree)", negative=["7", 0], latent=["5", 0], seed=77, steps=21, **FROM),
    )
    found = read(nodes)
    request = found.recipe.request
    assert (request.prompt, request.negative_prompt, request.model) == ("a bottle", "blurry", "dream")
    assert (request.seed, request.steps, request.height, dict(found.not_mapped)) == (77, 21, 768, {})


def test_a_switch_hands_on_what_it_is_set_to():
    switch = node("CR Model Input Switch", Input=2, model1=["4", 0], model2=["11", 0])
    other = node("CheckpointLoaderSimple", ckpt_name="other.ckpt")
    nodes = plain(sampler={"model": ["10", 0]}, n10=switch, n11=other)
    assert read(nodes).recipe.request.model == "other"
    assert "CR Model Input Switch" in read(nodes).not_mapped
    two = node("CR Text Input Switch", Input=2, text1=["12", 0], text2=["11", 0])
    assert read(through(**two)).recipe.request.prompt == "red"


def test_of_a_node_with_two_sides_the_linked_one_is_read():
    styled = node("StylerOfTomorrow", text_positive="a bottle", text_negative="fog", style="sepia")
    nodes = through(**styled) | {"7": node("CLIPTextEncode", text=["10", 1], clip=["4", 1])}
    found = read(nodes)
    assert (found.recipe.request.prompt, found.recipe.request.negative_prompt) == ("a bottle", "fog")
    assert "style sepia" in found.not_mapped["StylerOfTomorrow"]


def test_pipes_lead_to_all_that_they_hold():
    pipe = node("ToBasicPipe", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["6", 0], negative=["7", 0])
    sampler = node("ImpactKSamplerBasicPipe", basic_pipe=["10", 0], seed=5, steps=25, cfg=6.5, sampler_name="euler",
                   scheduler="normal", latent_image=["5", 0], denoise=1.0)  # fmt: skip
    found = read(plain(n3=sampler, n10=pipe))
    request = found.recipe.request
    assert (request.prompt, request.negative_prompt, request.model) == ("a bottle", "blurry", "dream")
    assert found.not_mapped == {}


@pytest.mark.parametrize(
    ("kind", "inputs", "words"),
    [
        ("FreeU_V2", {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}, "b1 1.3"),
        ("PerturbedAttentionGuidance", {"scale": 3}, "scale 3"),
        ("SelfAttentionGuidance", {"scale": 0.5, "blur_sigma": 2}, "scale 0.5"),
        ("HyperTile", {"tile_size": 256}, "tile_size 256"),
        ("IPAdapterAdvanced", {"weight": 0.8, "ipadapter": ["12", 0]}, "ipadapter face.bin"),
        ("ModelSamplingSD3", {"shift": 3.0}, "shift 3"),
        ("ModelMergeSimple", {"ratio": 0.4}, "ratio 0.4"),
        ("A Node Of Tomorrow", {"power": 9000}, "power 9000"),
    ],
)
def test_what_changes_the_model_is_told_with_its_values(kind, inputs, words):
    nodes = plain(sampler={"model": ["10", 0]}, n10=node(kind, model=["4", 0], **inputs),
                  n12=node("IPAdapterModelLoader", ipadapter_name="face.bin"))  # fmt: skip
    found = read(nodes)
    assert words in found.not_mapped[kind]
    assert found.recipe.request.model == "dream"


def test_how_the_model_samples_is_taken_over():
    sampling = node("ModelSamplingDiscrete", sampling="v_prediction", zsnr=True, model=["4", 0])
    rescaled = node("RescaleCFG", multiplier=0.7, model=["10", 0])
    found = read(plain(sampler={"model": ["11", 0]}, n10=sampling, n11=rescaled))
    request = found.recipe.request
    assert (request.prediction, request.zero_snr, request.guidance_rescale) == ("v_prediction", True, 0.7)
    assert found.not_mapped == {}
    plainly = node("ModelSamplingDiscrete", sampling="eps", zsnr=False, model=["10", 0])
    request = read(plain(sampler={"model": ["11", 0]}, n10=sampling, n11=plainly)).recipe.request
    assert (request.prediction, request.zero_snr) == ("epsilon", False), "the nearest to the sampler wins"
    lcm = read(plain(sampler={"model": ["10", 0]}, n10=node("ModelSamplingDiscrete", sampling="lcm", model=["4", 0])))
    assert lcm.not_mapped == {"ModelSamplingDiscrete": "sampling lcm"}


CONDITIONING: list[tuple[str, dict[str, Any], str, str]] = [
    ("ConditioningCombine", {"conditioning_1": ["6", 0], "conditioning_2": ["11", 0]}, "a bottle\nmore", ""),
    ("ConditioningConcat", {"conditioning_to": ["6", 0], "conditioning_from": ["11", 0]}, "a bottle\nmore", ""),
    ("ConditioningAverage", {"conditioning_to": ["6", 0], "conditioning_from": ["11", 0],
                             "conditioning_to_strength": 0.3}, "a bottle\nmore", "0.3"),
    ("ConditioningSetArea", {"conditioning": ["6", 0], "width": 256, "strength": 1}, "a bottle", "width 256"),
    ("ConditioningSetMask", {"conditioning": ["6", 0], "strength": 0.5}, "a bottle", "strength 0.5"),
    ("ConditioningSetTimestepRange", {"conditioning": ["6", 0], "start": 0.0, "end": 0.5}, "a bottle", "end 0.5"),
    ("FluxGuidance", {"conditioning": ["6", 0], "guidance": 3.5}, "a bottle", "guidance 3.5"),
    ("unCLIPConditioning", {"conditioning": ["6", 0], "strength": 0.9}, "a bottle", "strength 0.9"),
    ("StyleModelApply", {"conditioning": ["6", 0], "strength": 0.8}, "a bottle", "strength 0.8"),
    ("GLIGENTextboxApply", {"conditioning_to": ["6", 0], "text": "a cup", "width": 64}, "a bottle", "a cup"),
    ("ControlNetApply", {"conditioning": ["6", 0], "strength": 0.8, "control_net": ["12", 0]}, "a bottle", "canny"),
    ("ConditioningOfTomorrow", {"conditioning": ["6", 0], "power": 7}, "a bottle", "power 7"),
]  # fmt: skip


def test_what_joins_or_bounds_words_is_told_and_the_words_are_kept():
    wrong = []
    for kind, inputs, words, told in CONDITIONING:
        found = read(plain(
            sampler={"positive": ["10", 0]}, n10=node(kind, **inputs),
            n11=encoded("more", "4", 1),
            n12=node("ControlNetLoader", control_net_name="canny.safetensors"),
        ))  # fmt: skip
        if found.recipe.request.prompt != words or told not in found.not_mapped.get(kind, "?"):
            wrong.append((kind, found.recipe.request.prompt, dict(found.not_mapped)))
    assert wrong == []


def test_zeros_are_no_empty_prompt():
    zero = node("ConditioningZeroOut", conditioning=["6", 0])
    found = read(plain(sampler={"negative": ["10", 0]}, n10=zero))
    assert found.recipe.request.negative_prompt == ""
    assert "ConditioningZeroOut" in found.not_mapped


def test_two_texts_for_two_encoders_are_both_kept():
    encode = node("CLIPTextEncodeSDXL", text_g="a bottle", text_l="glass", width=1024, height=1024, crop_w=0, crop_h=8,
                  target_width=512, target_height=768, clip=["4", 1])  # fmt: skip
    found = read(plain(n6=encode))
    assert found.recipe.request.prompt == "a bottle"
    told = found.not_mapped["CLIPTextEncodeSDXL"]
    assert all(words in told for words in ("text_l glass", "crop_h 8", "1024x1024"))
    assert "512x768" not in told, "that is the picture's"
    same = node("CLIPTextEncodeSDXL", text_g="a bottle", text_l="a bottle", width=512, height=768, crop_w=0, crop_h=0,
                target_width=512, target_height=768, clip=["4", 1])  # fmt: skip
    assert read(plain(n6=same)).not_mapped == {}


def test_clip_skip_is_that_of_the_prompts_own_branch():
    skips = {f"n1{at}": node("CLIPSetLastLayer", stop_at_clip_layer=-at, clip=["4", 1]) for at in (2, 3)}
    both = plain(n6=encoded("a", "12", 0), n7=encoded("b", "12", 0),
                 **skips)  # fmt: skip
    assert read(both).recipe.request.clip_skip == 2
    other = plain(n6=encoded("a", "13", 0), n7=encoded("b", "12", 0),
                  **skips)  # fmt: skip
    assert read(other).recipe.request.clip_skip == 3
    assert "clip skip 2" in read(other).not_mapped["CLIP"]


def test_another_models_parts_are_told():
    nodes = plain(n6=encoded("a", "11", 1),
                  n8=node("VAEDecode", samples=["3", 0], vae=["12", 2]),
                  n11=node("CheckpointLoaderSimple", ckpt_name="words.ckpt"),
                  n12=node("CheckpointLoaderSimple", ckpt_name="pixels.ckpt"))  # fmt: skip
    left = read(nodes).not_mapped
    assert "words.ckpt" in left["CLIP"]
    assert "pixels.ckpt" in left["VAE"]
    loaded = plain(n8=node("VAEDecode", samples=["3", 0], vae=["11", 0]), n11=node("VAELoader", vae_name="fine.pt"))
    assert (read(loaded).recipe.request.vae, dict(read(loaded).not_mapped)) == ("fine", {})
    clip = node("DualCLIPLoader", clip_name1="l.pt", clip_name2="g.pt", type="sdxl")
    assert "l.pt" in read(plain(n6=encoded("a", "11"), n11=clip)).not_mapped["DualCLIPLoader"]


def test_an_encoder_that_reads_weights_as_a1111_does_says_so():
    encode = node("smZ CLIPTextEncode", text="[a:b:0.5]", clip=["4", 1], parser="A1111", mean_normalization=True)
    found = read(plain(n6=encode, n7=encode | {"inputs": {**encode["inputs"], "text": "blurry"}}))
    assert (found.recipe.request.prompt_syntax, found.recipe.request.emphasis) == ("a1111", "original")
    assert found.not_mapped == {}


UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("texts under other names",
     {"n6": node("CLIPTextEncode", text=["10", 0], clip=["4", 1]), "n10": node("A", x=["11", 0]),
      "n11": node("B", txt=["12", 0], mode="quick"), "n12": node("C", my_prompt="a red bottle", count=3)},
     "a red bottle", "blurry"),
    ("conditioning under other names",
     {"sampler": {"positive": ["10", 0]}, "n10": node("A", into=["11", 0], k=2), "n11": node("B", x=["12", 0]),
      "n12": node("C", y=["6", 0])},
     "a bottle", "blurry"),
    ("both sides go through, under names of their own",
     {"sampler": {"positive": ["10", 0], "negative": ["10", 1]},
      "n10": node("A", base_neg=["7", 0], base_pos=["6", 0])},
     "a bottle", "blurry"),
    ("an encoder of both sides",
     {"sampler": {"positive": ["10", 0], "negative": ["10", 1]},
      "n10": node("A", clip=["4", 1], positive_prompt="a red bottle", negative_prompt="dull")},
     "a red bottle", "dull"),
    ("an encoder of both sides, linked",
     {"sampler": {"positive": ["10", 0], "negative": ["10", 1]},
      "n10": node("A", clip=["4", 1], pos=["11", 0], neg=["11", 1]), "n11": node("B", pos="a red bottle", neg="dull")},
     "a red bottle", "dull"),
    ("a sampler that holds nothing itself",
     {"n3": node("A", basic_pipe=["10", 0], settings=["11", 0]), "n11": node("B", steps=11),
      "n10": node("ToBasicPipe", model=["4", 0], clip=["4", 1], positive=["6", 0], negative=["7", 0])},
     "a bottle", "blurry"),
]  # fmt: skip


def test_the_nearest_words_are_found_through_nodes_that_nobody_knows_and_each_is_told():
    wrong = []
    for name, parts, positive, negative in UNKNOWN:
        found = read(plain(**parts))
        request, told = found.recipe.request, " ".join(f"{key} {text}" for key, text in found.not_mapped.items())
        kinds = {part["class_type"] for key, part in parts.items() if key != "sampler"}
        untold = {kind for kind in kinds if len(kind) == 1 and kind not in told.split()}
        if (request.prompt, request.negative_prompt) != (positive, negative) or untold:
            wrong.append((name, request.prompt, request.negative_prompt, untold))
    assert wrong == []
