from __future__ import annotations

import pytest

from sdstudio.core.prompts.named_files import (
    LoraUse,
    Naming,
    angled_names,
    embedding_names,
    explicit_embeddings,
    lora_uses,
    split_at_embeddings,
    tag,
)

KNOWN = ("bad-hands-5", "bad-hands", "v1.3_style")


@pytest.mark.parametrize(
    ("prompt", "uses"),
    [
        ("a cat", ()),
        ("a cat <lora:ink>", (LoraUse("ink"),)),
        ("<lora:ink:0.8> a <lora:detail:-1>", (LoraUse("ink", 0.8, 0.8), LoraUse("detail", -1.0, -1.0))),
        ("<lora:ink:0.5:1>", (LoraUse("ink", 0.5, 1.0),)),
        ("<lora:ink:te=0.5:unet=0.25>", (LoraUse("ink", 0.5, 0.25),)),
        ("<lyco:ink:0.5>", (LoraUse("ink", 0.5, 0.5),)),
        ("<hypernet:ink:0.5>", ()),
        ("<lora:ink:0.5> <lora:ink:0.25>", (LoraUse("ink", 0.75, 0.75),)),
    ],
)
def test_a_prompt_names_lora(prompt, uses):
    assert lora_uses(prompt) == uses


def test_list_and_prompt_add_up():
    assert lora_uses("<lora:ink:1>", [("ink", 0.5), ("soft", 2)]) == (
        LoraUse("ink", 1.5, 1.5), LoraUse("soft", 2, 2, "loras"),
    )  # fmt: skip


def test_a_tag_is_read_back():
    assert lora_uses(tag("ink", 0.35)) == (LoraUse("ink", 0.35, 0.35),)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a cat", ()),
        ("bad-hands", ("bad-hands",)),
        ("BAD-hands-5, bad-hands", ("bad-hands-5", "bad-hands")),
        ("(bad-hands:1.2) embedding:v1.3_style", ("bad-hands", "v1.3_style")),
        ("very-bad-hands", ()),
        ("bad-hands-55", ()),
        ("embedding:bad-hands.pt, red", ("bad-hands",)),
        ("a (Embedding: bad-hands-5.SafeTensors:1.2)", ("bad-hands-5",)),
    ],
)
def test_words_that_are_embeddings_are_found(text, names):
    assert embedding_names(text, KNOWN) == names


def test_a_text_is_split_at_embeddings_and_loses_nothing():
    pieces = list(split_at_embeddings("a bad-hands, embedding:bad-hands-5 b", KNOWN))
    assert pieces == [("a ", ""), ("", "bad-hands"), (", ", ""), ("", "bad-hands-5"), (" b", "")]
    assert list(split_at_embeddings("a b", ())) == [("a b", "")]


def test_an_embeddings_ending_is_no_word_where_it_is_called_one():
    assert list(split_at_embeddings("embedding:bad-hands.pt b", KNOWN)) == [("", "bad-hands"), (" b", "")]
    assert list(split_at_embeddings("embedding:bad-hands.pth", KNOWN)) == [("", "bad-hands"), (".pth", "")]
    assert list(split_at_embeddings("bad-hands.pt b", KNOWN)) == [("", "bad-hands"), (".pt b", "")]
    assert explicit_embeddings("embedding:bad-hands.pt (embedding:x.bin:2) embedding:y.1") == ("bad-hands", "x", "y.1")


@pytest.mark.parametrize(
    ("naming", "text", "names"),
    [
        (Naming.PREFIXED, "bad-hands, embedding:bad-hands-5 (embedding:v1.3_style.pt)", ("bad-hands-5", "v1.3_style")),
        (Naming.PREFIXED, "xembedding:bad-hands embedding: bad-hands embedding:bad-handsome", ()),
        (Naming.PREFIXED, "(red)embedding:bad-hands", ("bad-hands",)),
        (Naming.ANGLED, "bad-hands embedding:bad-hands <Bad-Hands-5> (<v1.3_style>)++", ("bad-hands-5", "v1.3_style")),
        (Naming.ANGLED, "<bad> < bad-hands >", ()),
    ],
)
def test_comfyui_and_invokeai_name_embeddings_in_their_own_ways(naming, text, names):
    assert embedding_names(text, KNOWN, naming) == names
    assert all(embedding_names(naming.written(name), KNOWN, naming) == (name,) for name in KNOWN)
    assert "".join(piece or "?" for piece, _ in split_at_embeddings(text, KNOWN, naming)).count("?") == len(names)


def test_a_name_in_angles_that_nothing_goes_by_is_text():
    assert explicit_embeddings("<other> embedding:bad-hands", Naming.ANGLED) == ()
    assert angled_names("a <other> <lora:ink:1> <bad-hands>") == ("other", "bad-hands")


def test_a_hash_is_a_character_where_there_are_no_comments():
    assert lora_uses("a #1 <lora:ink:0.5>", has_comments=False) == (LoraUse("ink", 0.5, 0.5),)
    assert lora_uses("a #1 <lora:ink:0.5>") == ()
