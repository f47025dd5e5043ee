"""From names in a request to files at a model: found, refused with both families named, hashed once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sdstudio.catalog.built_in import DRAWINGS
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.library import Library
from sdstudio.library.resolving import RequestResolver
from tests.tiny_detectors import tiny_grounding_dino
from tests.tiny_upscalers import dense_weights, write

LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


def write_lora(path, width=768):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"{LAYER}.lora_down.weight": torch.zeros(2, width), f"{LAYER}.lora_up.weight": torch.zeros(320, 2)}
    save_file(tensors, path)


@pytest.fixture
def shelf(home, tiny_models):
    (home.models / "tiny").symlink_to(tiny_models["sd1"], target_is_directory=True)
    write_lora(home.models / "Lora" / "ink.safetensors")
    write_lora(home.models / "Lora" / "cinema.safetensors", 2048)
    embeddings = home.models / "embeddings"
    embeddings.mkdir()
    save_file({"emb_params": torch.zeros(2, 768)}, embeddings / "bad-hands.safetensors")
    save_file({"clip_l": torch.zeros(1, 768), "clip_g": torch.zeros(1, 1280)}, embeddings / "heart.safetensors")
    vae = {"first_stage_model.decoder.conv_in.weight": torch.zeros(2, 2)}
    (home.models / "VAE").mkdir()
    save_file(vae, home.models / "VAE" / "soft.safetensors")
    library = Library(home)
    return library, RequestResolver(library), library.find("tiny")


def adapters_of(shelf, **values):
    _, resolver, model = shelf
    return resolver.resolve(GenerationRequest(**values), model).adapters


def refused(shelf, **values):
    _, resolver, model = shelf
    with pytest.raises(InvalidRequest) as error:
        resolver.check(GenerationRequest(**values), model)
    return error.value


def test_names_in_list_and_prompt_become_files_with_weights_and_hashes(shelf, home):
    lora, embedding, vae = adapters_of(
        shelf, prompt="a cat <lora:ink:0.5:0.25>", negative_prompt="Bad-Hands", loras=(("ink", 0.5),), vae="soft"
    )
    assert (lora.kind, lora.path, lora.family) == ("lora", home.models / "Lora" / "ink.safetensors", "sd1")
    assert (lora.text_weight, lora.unet_weight) == (1.0, 0.75)
    assert len(lora.hash) == 12
    assert (embedding.kind, embedding.name) == ("embedding", "bad-hands")
    assert (vae.kind, vae.name, len(vae.hash)) == ("vae", "soft", 10)


def test_a_model_without_anything_stays_as_it_is(shelf):
    _, resolver, model = shelf
    request = GenerationRequest(prompt="a cat")
    assert resolver.resolve(request, model) == ResolvedRequest(request, model)


def test_what_only_the_second_pass_names_is_looked_up_too(shelf):
    second = {"hires": 2, "hires_prompt": "a dog <lora:ink:0.5>", "hires_negative_prompt": "Bad-Hands"}
    lora, embedding = adapters_of(shelf, prompt="a cat", **second)
    assert (lora.name, lora.weights(second=False), lora.weights(second=True)) == ("ink", (0, 0), (0.5, 0.5))
    assert embedding.name == "bad-hands"
    both, _ = adapters_of(shelf, prompt="a cat <lora:ink:0.8>", **second)
    assert (both.weights(second=False), both.weights(second=True)) == ((0.8, 0.8), (0.5, 0.5))
    (listed,) = adapters_of(shelf, prompt="a cat", loras=(("ink", 0.7),), hires=2, hires_prompt="a dog")
    assert listed.second_weights is None
    assert not adapters_of(shelf, prompt="a cat", **{**second, "hires": 1})
    error = refused(shelf, prompt="a cat", hires=2, hires_prompt="a dog <lora:nothing:1>")
    assert error.field == "hires_prompt"


def test_a_lora_of_another_family_is_refused_with_both_named(shelf):
    error = refused(shelf, loras=(("cinema", 1.0),))
    assert error.field == "loras"
    assert error.message == (
        "LoRA = cinema: it is made for Stable Diffusion XL; Tiny SD 1 is Stable Diffusion 1.x."
    )  # fmt: skip
    assert refused(shelf, prompt="<lora:cinema:1>").field == "prompt"


def test_an_unknown_name_is_refused_with_what_was_meant(shelf):
    assert "Did you mean ink?" in refused(shelf, loras=(("imk", 1.0),)).hint
    assert refused(shelf, vae="soff").hint == "Did you mean soft?"
    assert refused(shelf, prompt="embedding:bad-hand").hint == "Did you mean bad-hands?"


def test_a_word_that_is_anothers_embedding_stays_a_word_unless_it_is_called_one(shelf):
    assert adapters_of(shelf, prompt="a heart") == ()
    assert "made for Stable Diffusion XL" in refused(shelf, prompt="a embedding:heart").message


def test_a_name_inside_a_tag_or_a_comment_is_no_word(shelf, home):
    write_lora(home.models / "Lora" / "bad-hands.safetensors")
    shelf[0].rescan()
    assert [adapter.kind for adapter in adapters_of(shelf, prompt="a cat <lora:bad-hands:1> # bad-hands")] == ["lora"]


@pytest.mark.parametrize("tag", ["<lora:ink:much>", "<lora:ink:99>", "<lora:ink:nan>", "<lora::1>"])
def test_a_weight_that_is_none_is_refused(shelf, tag):
    error = refused(shelf, prompt=f"a cat {tag}")
    assert error.message == f"{tag}: a LoRA's weight is a number from -10 to 10."


def test_a_file_that_is_cut_off_is_refused_before_any_work(shelf, home):
    path = home.models / "Lora" / "ink.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    shelf[0].rescan()
    assert "ink" in refused(shelf, loras=(("ink", 1.0),)).message


def test_hashes_are_read_once(shelf, monkeypatch):
    library = shelf[0]
    computed = []
    hash_asset = library.hash_asset

    def counted(asset, **more):
        computed.append(asset)
        return hash_asset(asset, **more)

    monkeypatch.setattr(library, "hash_asset", counted)
    adapters_of(shelf, loras=(("ink", 1.0),))
    adapters_of(shelf, loras=(("ink", 0.5),))
    assert len(computed) == 1


def test_hashing_stops_when_asked(shelf):
    from sdstudio.core.errors import Cancelled

    _, resolver, model = shelf
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        resolver.resolve(GenerationRequest(loras=(("ink", 1.0),)), model, cancel)


def test_an_upscaler_is_found_by_name_or_path_where_a_picture_is_to_be_enlarged(home):
    path = write(dense_weights(), home.models / "upscale_models" / "4x-sharp.safetensors")
    Image.new("RGB", (8, 8)).save(home.home / "small.png")
    key = InputPictures(home).keep(home.home / "small.png").id
    library = Library(home)
    shelf = library, RequestResolver(library), library.find("starter")
    (by_name,) = adapters_of(shelf, init_image=key, upscaler="4x-sharp")
    (by_path,) = adapters_of(shelf, init_image=key, upscaler=str(path))
    assert (by_name.kind, by_name.path, len(by_name.hash)) == ("upscaler", path, 10)
    assert (by_path.path, by_path.hash) == (by_name.path, by_name.hash)
    assert by_name.recorded == {"kind": "upscaler", "name": "4x-sharp", "hash": by_name.hash}
    assert adapters_of(shelf, upscaler="4x-sharp") == ()
    save_file({"residual_group.x": torch.zeros(1)}, path.with_name("swin.safetensors"))
    library.rescan()
    assert refused(shelf, init_image=key, upscaler="swin").message.count("swin") == 2  # its name and its file
    error = refused(shelf, init_image=key, upscaler="gone")
    assert (error.field, "gone" in error.message) == ("upscaler", True)


@pytest.fixture
def kept(home, tmp_path):
    path = tmp_path / "cat.png"
    Image.new("RGB", (8, 8), "teal").save(path)
    return InputPictures(home).keep(path, entry_id=12)


def test_the_input_picture_becomes_a_file_beside_the_model(shelf, kept):
    _, resolver, model = shelf
    request = GenerationRequest(init_image=kept.id)
    resolver.check(request, model)
    assert resolver.resolve(request, model).pictures == {INIT: kept.path}
    assert resolver.resolve(GenerationRequest(), model).pictures == {}
    assert (resolver.parent_of(request), resolver.parent_of(GenerationRequest())) == (12, None)


def test_an_input_picture_that_is_gone_is_refused_before_work(shelf, kept):
    kept.path.unlink()
    error = refused(shelf, init_image=kept.id)
    assert (error.field, error.message.partition(":")[0]) == ("init_image", "Input picture = cat.png")


def test_another_kind_of_model_is_refused_unless_nothing_is_drawn_over_the_picture(shelf, kept):
    _, resolver, model = shelf
    other = replace(model, family="other")
    with pytest.raises(InvalidRequest, match="cannot begin from one") as raised:
        resolver.check(GenerationRequest(init_image=kept.id), other)
    assert raised.value.field == "init_image"
    resolver.check(GenerationRequest(init_image=kept.id, strength=0), other)


def test_variations_are_refused_where_nothing_would_vary(shelf):
    _, resolver, model = shelf
    resolver.check(GenerationRequest(variation_strength=0.1), model)
    with pytest.raises(InvalidRequest, match=r"Variation strength = 0.1: .* takes none") as raised:
        resolver.check(GenerationRequest(variation_strength=0.1), replace(model, family="other"))
    assert raised.value.field == "variation_strength"
    assert "Stable Diffusion XL" in raised.value.hint


def test_each_syntax_names_embeddings_in_its_own_way_and_a_hash_hides_nothing(shelf):
    text = "bad-hands # embedding:bad-hands <bad-hands> <lora:ink:1>"
    both = ["lora", "embedding"]
    for syntax, kinds in (("a1111", ["embedding"]), ("comfyui", both), ("compel", both)):
        assert [adapter.kind for adapter in adapters_of(shelf, prompt=text, prompt_syntax=syntax)] == kinds
    assert adapters_of(shelf, prompt="bad-hands <bad-hands>", prompt_syntax="comfyui") == ()
    assert adapters_of(shelf, prompt="bad-hands embedding:other", prompt_syntax="compel") == ()
    assert refused(shelf, prompt="embedding:other", prompt_syntax="comfyui").field == "prompt"
    assert len(adapters_of(shelf, prompt="bad-hands", prompt_syntax="comfyui", compatibility="0.1")) == 1


def test_a_blend_with_a_weight_too_many_is_refused_before_work(shelf):
    error = refused(shelf, negative_prompt='("a", "b").blend(1, 2, 3)', prompt_syntax="compel")
    assert (error.field, error.message) == (
        "negative_prompt", "Negative prompt: .blend(..) has 3 weights for 2 prompts.",
    )  # fmt: skip


@pytest.fixture
def twins(home, tiny_models):
    """Two LoRA and two embeddings of one name each, in folders; the files differ in length."""
    (home.models / "tiny").symlink_to(tiny_models["sd1"], target_is_directory=True)
    for folder, rank in (("ink", 2), ("pony", 3)):
        path = home.models / "Lora" / folder / "style.safetensors"
        path.parent.mkdir(parents=True)
        down, up = torch.zeros(rank, 768), torch.zeros(320, rank)
        save_file({f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up}, path)
        (home.models / "embeddings" / folder).mkdir(parents=True)
        save_file({"emb_params": torch.zeros(rank, 768)}, home.models / "embeddings" / folder / "heart.safetensors")
    library = Library(home)
    return library, RequestResolver(library), library.find("tiny")


def test_a_name_of_several_files_is_asked_about_wherever_it_stands(twins):
    for values, field, hint in (
        ({"prompt": "<lora:style:1>"}, "prompt", "Write <lora:ink/style:1>, say."),
        ({"prompt": "<lora:style.safetensors:1>"}, "prompt", "Write <lora:ink/style:1>, say."),
        ({"loras": (("style", 1.0),)}, "loras", "Choose one of them, ink/style say."),
        ({"negative_prompt": "a heart"}, "negative_prompt", "Write embedding:ink/heart, say."),
        ({"prompt": "embedding:heart"}, "prompt", "Write embedding:ink/heart, say."),
    ):
        error = refused(twins, **values)
        assert (error.field, error.hint) == (field, hint)
        assert "several files have this name: ink/" in error.message


def test_a_folder_before_the_name_tells_which_one(twins):
    for name in ("pony/style", "pony\\style", "pony/style.safetensors", "Lora/pony/style"):
        [lora] = adapters_of(twins, prompt=f"a cat <lora:{name}:1>")
        assert (lora.path.parent.name, lora.remarks) == ("pony", ())
    for text in ("embedding:pony/heart", "embedding:pony\\heart.safetensors:1.2", "pony/heart"):
        [embedding] = adapters_of(twins, prompt=f"a ({text})")
        assert (embedding.path.parent.name, embedding.remarks) == ("pony", ())


def test_a_hash_decides_and_finds_a_file_under_another_name(twins):
    library = twins[0]
    hashed = {asset.key: library.hash_asset(asset) for asset in library.assets("lora")}
    for key, asset in hashed.items():
        for digits in (asset.short_hash, asset.sha256[:10].upper(), asset.sha256):
            [lora] = adapters_of(twins, prompt="<lora:style:1>", file_hashes=(("style", digits),))
            assert (lora.path, lora.remarks) == (library.find_asset("lora", key).path, ())
    refused_all = ({"file_hashes": (("style", "0" * 12),)}, {"file_hashes": (("other", hashed["ink/style"].sha256),)})
    for values in refused_all:
        with pytest.raises(InvalidRequest, match="several files"):
            adapters_of(twins, prompt="<lora:style:1>", **values)
    [lora] = adapters_of(twins, prompt="<lora:gone:1>", file_hashes=(("gone", hashed["pony/style"].short_hash),))
    assert lora.remarks == ("LoRA gone: pony/style is used, which has its hash",)


def test_only_one_that_fits_the_model_is_used_and_told(twins, home):
    write_lora(home.models / "Lora" / "pony" / "style.safetensors", 2048)
    twins[0].rescan()
    [lora] = adapters_of(twins, prompt="<lora:style:1>")
    assert lora.path.parent.name == "ink"
    assert lora.remarks == (
        "LoRA style: ink/style is used, and not pony/style (made for Stable Diffusion XL)",
    )  # fmt: skip


def test_copies_are_no_question_and_version_01_took_the_first(twins, home):
    [first] = adapters_of(twins, prompt="<lora:style:1>", compatibility="0.1")
    assert first.path.parent.name == "ink"
    assert "as version 0.1 did" in first.remarks[0]
    same = (home.models / "Lora" / "ink" / "style.safetensors").read_bytes()
    (home.models / "Lora" / "pony" / "style.safetensors").write_bytes(same)
    twins[0].rescan()
    twins[1].check(GenerationRequest(prompt="<lora:style:1>"), twins[2])
    [lora] = adapters_of(twins, prompt="<lora:style:1>")
    assert (lora.path.parent.name, lora.remarks) == ("ink", ())


def test_a_folder_that_is_not_there_is_told(shelf):
    [lora] = adapters_of(shelf, prompt="<lora:elsewhere/ink:1>")
    assert lora.remarks == ("LoRA elsewhere/ink: there is no such folder, ink is used",)
    [embedding] = adapters_of(shelf, prompt="embedding:elsewhere/bad-hands")
    assert embedding.remarks == ("Embedding elsewhere/bad-hands: there is no such folder, bad-hands is used",)


def test_what_a_lora_brings_along_may_be_called_an_embedding(shelf, home):
    path = home.models / "Lora" / "ink.safetensors"
    tensors = {f"{LAYER}.lora_down.weight": torch.zeros(2, 768), f"{LAYER}.lora_up.weight": torch.zeros(320, 2)}
    words = {f"bundle_emb.{name}": torch.zeros(1, 768) for name in ("wet ink.clip_l", "dry.emb_params")}
    save_file(tensors | words, path)
    shelf[0].rescan()
    assert set(shelf[0].find_asset("lora", "ink").bundled) == {"wet ink", "dry"}
    assert [adapter.name for adapter in adapters_of(shelf, prompt="embedding:dry <lora:ink:1>")] == ["ink"]
    assert "no such Embedding" in refused(shelf, prompt="embedding:dry").message


def test_the_finish_has_a_file_of_its_own_beside_the_upscaler_of_an_input_picture(shelf, home, tmp_path):
    library, resolver, model = shelf
    write(dense_weights(4), home.models / "upscale_models" / "sharp.safetensors")
    Image.new("RGB", (32, 32)).save(tmp_path / "small.png")
    picture = InputPictures(home).keep(tmp_path / "small.png").id
    library.rescan()
    both = {"init_image": picture, "upscaler": "sharp", "finish": 2.0}
    resolved = resolver.resolve(GenerationRequest(**both), model)
    assert (resolved.upscaler.name, resolved.finisher.name, len(resolved.finisher.hash)) == ("sharp", DRAWINGS, 10)
    assert [adapter.name for adapter in resolved.adapters] == ["sharp", DRAWINGS]
    same = resolver.resolve(GenerationRequest(**{**both, "upscaler": DRAWINGS}), model)
    assert [adapter.name for adapter in same.adapters] == [DRAWINGS]
    assert resolver.resolve(GenerationRequest(finish=2.0, finish_upscaler=""), model).finisher is None
    assert resolver.resolve(GenerationRequest(finish_upscaler="gone"), model).finisher is None, "it does not act"
    hashes = (("gone", resolved.finisher.hash),)
    asked = GenerationRequest(finish=2.0, finish_upscaler="gone", file_hashes=hashes)
    assert resolver.resolve(asked, model).finisher.path == resolved.finisher.path
    error = refused(shelf, finish=2.0, finish_upscaler="gone")
    assert (error.field, error.message) == ("finish_upscaler", "Upscaler = 'gone': there is no such Upscaler.")


def test_regions_are_looked_for_with_the_detector_that_is_named_recorded_or_there(shelf, home):
    library, resolver, model = shelf
    error = refused(shelf, detail="a face")
    assert (error.field, error.message) == ("detail", "Detector: there is none to look for 'a face'.")
    assert "models download grounding-dino-tiny" in error.hint
    resolver.check(GenerationRequest(detail_boxes="1,1,9,9"), model)
    named = adapters_of(shelf, detail_boxes="1,1,9,9", detail_negative_prompt="x [SEP] bad-hands")
    assert [adapter.name for adapter in named] == ["bad-hands"]
    for name in ("first", "second"):
        tiny_grounding_dino(home.models / "detectors" / name)
    (home.models / "detectors" / "broken").mkdir()
    broken = home.models / "detectors" / "broken" / "model.safetensors"
    broken.write_bytes((home.models / "detectors" / "first" / "model.safetensors").read_bytes())
    library.rescan()
    (adapter,) = adapters_of(shelf, detail="a face")
    assert (adapter.kind, adapter.name, len(adapter.hash)) == ("detector", "first", 10)
    for values in ({"detail_model": "second"}, {"file_hashes": (("second", adapter.hash),)}):
        (other,) = adapters_of(shelf, detail="a face", **values)
        assert other.path == home.models / "detectors" / "second" / "model.safetensors"
    error = refused(shelf, detail="a face", detail_model="broken")
    assert error.field == "detail_model"
    assert "lacks its config.json" in error.message
    assert "first" not in [model.key for model in library.models()]
