from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from sdstudio.catalog.kinds import EMBEDDING
from sdstudio.core.errors import InvalidRequest, ModelDamaged, ModelPickled, ModelUnsupported
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.settings import PICKLES_TITLE, Settings
from sdstudio.engine.adapters.embeddings import Embeddings, read_embedding
from sdstudio.engine.prompting.tokens import token_chunks
from tests.tiny_adapters import drawn, write_embedding

WIDTHS = {"sd1": {"emb_params": 32}, "sd2": {"emb_params": 24}, "sdxl": {"clip_l": 16, "clip_g": 24}}


def word_vectors(here, words):
    """The vectors that the model itself has for some words, as an embedding file would hold them."""
    found = []
    for number in ("", "_2"):
        encoder = getattr(here.pipe, f"text_encoder{number}", None)
        if encoder is not None:
            ids = getattr(here.pipe, f"tokenizer{number}")(words, add_special_tokens=False).input_ids
            found.append(encoder.get_input_embeddings().weight[ids].detach().clone())
    return found


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("family", WIDTHS)
def test_vectors_of_words_draw_what_the_words_draw(studio, tmp_path, family, suffix):
    here = studio(family, Settings(previews=False, open_pickles=suffix == ".pt"))
    here.make(steps=1)
    vectors = dict(zip(WIDTHS[family], word_vectors(here, "red heart"), strict=True))
    path = write_embedding(tmp_path / f"my-style{suffix}", vectors)
    adapter = Adapter(EMBEDDING, "my-style", path, family)
    words = drawn(here, prompt="a red heart on a cat")
    assert (drawn(here, adapter, prompt="a my-style on a cat") == words).all()
    assert (drawn(here, adapter, prompt="a embedding:My-Style on a cat") == words).all()
    weighed = drawn(here, prompt="a (red heart:1.4) on a cat")
    assert (drawn(here, adapter, prompt="a (my-style:1.4) on a cat") == weighed).all()
    assert (weighed != words).any()
    assert (drawn(here, prompt="a red heart on a cat") == words).all()
    assert (drawn(here, prompt="a my-style on a cat") != words).any()


def test_one_in_the_negative_prompt_acts(studio, tmp_path):
    here = studio("sd1")
    path = write_embedding(tmp_path / "bad.safetensors", {"emb_params": torch.randn(3, 32)})
    adapter = Adapter(EMBEDDING, "bad", path, "sd1")
    assert (drawn(here, adapter, negative_prompt="bad") != drawn(here, negative_prompt="bad")).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red " * 72 + "bad cat", [72, 6]),  # as in A1111, which looks for no comma here
        ("red " * 70 + "bad cat", [75, 1]),
        ("red, " * 36 + "bad cat", [72, 6]),
        ("red " * 60 + ", " + "cat " * 14 + "bad", [61, 19]),  # the chunk is full before it: after the comma
        ("red " * 72 + "bad bad", [72, 10]),
        ("bad " * 16, [75, 5]),
        ("red " * 73 + "bad " * 15 + "bad", [73, 75, 5]),
        ("red long cat", [1, 75, 26]),  # longer than a chunk: cut where it must be
    ],
)
def test_vectors_of_one_are_read_together(studio, text, expected):
    here = studio("sd1")
    here.make(steps=1)
    known = Embeddings({"bad": (torch.randn(5, 32),), "long": (torch.randn(100, 32),)})
    tokenizer = known.tokenizer(here.pipe.tokenizer, here.pipe.text_encoder)
    assert [len(chunk.ids) for chunk in token_chunks(tokenizer, text)] == expected


def test_one_of_another_family_is_refused_with_both_named(studio, tmp_path):
    path = write_embedding(tmp_path / "xl.safetensors", {"clip_l": torch.zeros(1, 16), "clip_g": torch.zeros(1, 24)})
    with pytest.raises(InvalidRequest, match=r"made for Stable Diffusion XL; .* is Stable Diffusion 1\.x"):
        drawn(studio("sd1"), Adapter(EMBEDDING, "xl", path, "sdxl"), prompt="xl")


def test_diffusers_files_with_one_vector_are_read(tmp_path):
    save_file({"<cat-toy>": torch.arange(4.0)}, tmp_path / "learned.safetensors")
    (vectors,) = read_embedding(tmp_path / "learned.safetensors")
    assert vectors.tolist() == [[0.0, 1.0, 2.0, 3.0]]


def parameter_dict_of_torch_1_11(vectors):
    """Return what torch.save kept of A1111's ``string_to_param`` in 2022: a module with its values in _parameters."""
    params = torch.nn.ParameterDict.__new__(torch.nn.ParameterDict)
    torch.nn.Module.__init__(params)
    params._parameters = OrderedDict({"*": torch.nn.Parameter(vectors)})
    params.__dict__.pop("_keys", None)
    return params


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_of_every_age_are_read(tmp_path, zipped):
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    beside = {"string_to_token": {"*": torch.tensor(265)}, "name": "x", "step": 5000, "sd_checkpoint": None}
    cases = {
        "torch 1.11": {**beside, "string_to_param": parameter_dict_of_torch_1_11(vectors)},
        "torch 1.12": {**beside, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors)})},
        "tensors": {**beside, "string_to_param": torch.nn.ParameterDict({"*": vectors})},
        "plain": {**beside, "string_to_param": {"*": vectors}},
        "parameter": {"<cat-toy>": torch.nn.Parameter(vectors)}, "half": {"emb_params": vectors.half().float()},
    }  # fmt: skip
    wrong = []
    for name, held in cases.items():
        if not zipped and isinstance(held.get("string_to_param"), torch.nn.Module):
            continue  # torch before 1.6 kept the source code of modules, and that is refused
        torch.save(held, tmp_path / f"{name}.pt", _use_new_zipfile_serialization=zipped)
        found = read_embedding(tmp_path / f"{name}.pt")
        if len(found) != 1 or not torch.allclose(found[0], vectors, atol=2e-3):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("key", ["clip_g", "clip_l"])
def test_vectors_for_one_of_two_encoders_act_on_that_one(studio, tmp_path, key):
    here = studio("sdxl")
    here.make(steps=1)
    vectors = dict(zip(WIDTHS["sdxl"], word_vectors(here, "red heart"), strict=True))
    path = write_embedding(tmp_path / "style.safetensors", {key: vectors[key]})
    adapter = Adapter(EMBEDDING, "style", path, "sdxl" if key == "clip_g" else "")
    plain = drawn(here, prompt="a on a cat")
    got = drawn(here, adapter, prompt="a style on a cat")
    assert any("one of the 2 text encoders" in notice.message for notice in here.notices)
    assert (got != plain).any()
    known = Embeddings({"style": [vectors[key]]})
    for name, number in (("clip_l", ""), ("clip_g", "_2")):
        tokenizer = getattr(here.pipe, f"tokenizer{number}")
        encoder = getattr(here.pipe, f"text_encoder{number}")
        count = len(known.tokenizer(tokenizer, encoder)("a style on").input_ids)
        assert count == (4 if name == key else 2)


def test_a_file_of_several_words_is_refused_and_not_read_in_part(tmp_path):
    save_file({"<a>": torch.zeros(1, 32), "<b>": torch.zeros(1, 32)}, tmp_path / "two.safetensors")
    with pytest.raises(ModelUnsupported, match="it holds 2 words of its own"):
        read_embedding(tmp_path / "two.safetensors")


def test_a_pickle_is_read_only_while_the_settings_allow_it(studio, tmp_path):
    here = studio("sd1", Settings(previews=False, open_pickles=True))
    adapter = Adapter(EMBEDDING, "old", write_embedding(tmp_path / "old.pt", {"emb_params": torch.ones(1, 32)}), "sd1")
    drawn(here, adapter, prompt="old")
    here.engine.configure(Settings(previews=False))
    with pytest.raises(ModelPickled, match=r"Embedding = old: old\.pt is a pickle") as caught:
        drawn(here, adapter, prompt="old")
    assert PICKLES_TITLE in caught.value.hint
    drawn(here, prompt="old")


def test_files_that_hold_code_or_no_vectors_are_refused(tmp_path):
    torch.save({"string_to_param": {"*": print}}, tmp_path / "code.pt")
    with pytest.raises(ModelDamaged, match="could not be read"):
        read_embedding(tmp_path / "code.pt")
    save_file({"step": torch.tensor(3)}, tmp_path / "empty.safetensors")
    with pytest.raises(ModelUnsupported, match="holds no vectors"):
        read_embedding(tmp_path / "empty.safetensors")


def test_the_encoder_never_sees_a_token_beyond_its_words(studio):
    here = studio("sd1")
    here.make(steps=1)
    embeddings = Embeddings({"style": [torch.ones(2, 32)]})
    tokenizer, encoder = here.pipe.tokenizer, here.pipe.text_encoder
    ids = embeddings.tokenizer(tokenizer, encoder)("a style").input_ids
    assert len(ids) == 3
    with embeddings.within(encoder, tokenizer, ids) as safe:
        assert max(safe) < len(tokenizer)
        said = encoder.get_input_embeddings()(torch.tensor([safe]))
    assert (said[0, 1:] == 1).all()
    assert not encoder.get_input_embeddings()._forward_hooks
