from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.grammar import parse
from sdstudio.core.prompts.marks import Known, MarkKind, marks, mend, pieces
from sdstudio.core.prompts.wildcards import Wildcards

K = MarkKind


@pytest.fixture
def known(home) -> Known:
    return Known(networks={"ink"}, embeddings={"badhands", "bad"}, wildcards=Wildcards.read(home))


def _said(text: str, known: Known, *kinds: MarkKind) -> list[tuple[str, MarkKind]]:
    return [(text[m.start : m.end], m.kind) for m in marks(text, known) if not kinds or m.kind in kinds]


def _errors(text: str, known: Known) -> list[tuple[int, str]]:
    return [(mark.start, mark.message) for mark in marks(text, known) if mark.kind is K.ERROR]


def test_words_that_weigh_more_or_less_are_told_with_their_nesting(known):
    text = "a (red (big) x:1.3) [dim] (even:1.0) b"
    assert _said(text, known, K.HEAVIER, K.LIGHTER) == [
        ("red (big) x", K.HEAVIER), ("dim", K.LIGHTER),
    ]  # fmt: skip
    assert [said for said, _ in _said(text, known, K.SIGN)] == ["(", "(", ")", ":1.3)", "[", "]", "(", ":1.0)"]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("a (b", [(2, "This ( is never closed: it weighs all that follows.")]),
        ("a b] c)", [(3, "This ] closes nothing."), (6, "This ) closes nothing.")]),
        ("a :1.2)", [(6, "This ) closes nothing.")]),
        (r"a \(b \[c", []),
        ("(a [b) c]", []),
        ("{a|b", [(0, "The brace { at character 1 is never closed.")]),
        ("{a|{b} c", [(0, "The brace { at character 1 is never closed.")]),
        ("<lora:ink:0.8> <lora:other:1>", [(15, "There is no LoRA of the name “other”.")]),
        ("<lora:ink:heavy>", [(0, "Its weight is no number: <lora:name:0.8>.")]),
        ("<lora:{ink|other}:1> <hypernet:x:1>", []),
        ("<lora:__colour__:__light__> <lora:ink:{0.5|1}>", []),
        ("<lora:__nope__:1> <lora:a__nope__b:{1|2}> # <lora:__nope__:1>", [(6, "There is no wildcard file nope.txt.")]),
        ("embedding:badhands Embedding: nope", [(19, "There is no embedding of the name “nope”.")]),
        ("<lora:INK:1> BadHands", []),
        ("__colour__ __nope__ __*__", [(11, "There is no wildcard file nope.txt.")]),
        ("# (comment __nope__\nx", []),
    ],
)
def test_what_is_wrong_is_marked_where_it_stands(known, text, errors):
    assert sorted(_errors(text, known)) == errors


def test_nothing_is_called_wrong_before_it_is_known():
    assert _errors("<lora:x:1> embedding:y __z__", Known()) == []


def test_each_kind_of_grammar_is_found(known):
    text = "fox, badhands BREAK AND {2$$a|b} __colour__ <lora:ink:1> [x] [a:b:3] # note"
    assert _said(text, known) == [
        ("x", K.LIGHTER), ("[", K.SIGN), ("]", K.SIGN), ("[", K.SIGN), ("]", K.SIGN), ("BREAK", K.KEYWORD),
        ("AND", K.KEYWORD), ("[", K.STEPS), (":", K.STEPS), (":", K.STEPS), ("]", K.STEPS),
        ("badhands", K.EMBEDDING), ("{2$$", K.CHOICE), ("|", K.CHOICE), ("}", K.CHOICE),
        ("# note", K.COMMENT), ("<lora:ink:1>", K.NETWORK), ("__colour__", K.WILDCARD),
    ]  # fmt: skip


def test_templates_turned_off_are_text(known):
    assert _said("{a|b} __nope__ }", Known(wildcards=known.wildcards, templates=False)) == []


@given(st.text(alphabet="()[]:\\1.3 ab,#<>x\nBREAK", max_size=60) | st.lists(
    st.sampled_from(["(", ")", "[", "]", ":1.2)", " BREAK ", "\\", "word", " ", "#", "\n", "<lora:x:1>", ","]),
    max_size=20).map("".join))  # fmt: skip
def test_the_pieces_joined_are_the_words_that_the_grammar_reads_and_stand_where_they_say(text):
    found = list(pieces(text))
    parsed = parse(cut_networks(text)[0])
    for number, spans in enumerate(parsed):
        assert "".join(piece.text for piece in found if piece.part == number) == "".join(s.text for s in spans)
    assert all("".join(text[place] for place in piece.places) == piece.text for piece in found)


@given(st.text(max_size=80))
def test_no_text_is_too_odd_to_mark(text):
    for mark in marks(text, Known(networks=(), embeddings=("a", "("))):
        assert 0 <= mark.start < mark.end <= len(text)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a [b:c:0.5]", [2, 4, 6, 10]),
        ("[fe|]male", [0, 3, 4]),
        ("[a:[b:c:2]:1]", [0, 2, 10, 12, 3, 5, 7, 9]),
        ("[a:b] [a] (a:1.2)", []),
        ("[b:.5]", [0, 2, 5]),
    ],
)
def test_what_changes_from_step_to_step_is_marked_and_not_weighed(known, text, places):
    found = marks(text, known)
    assert sorted(mark.start for mark in found if mark.kind is K.STEPS) == sorted(places)
    if places:
        assert K.LIGHTER not in {mark.kind for mark in found}


def test_another_syntax_has_other_weights_and_no_wrong_brackets(known):
    other = Known(wildcards=known.wildcards, syntax="compel")
    assert _said("(a [b]++ ) __colour__ :)", other) == [("__colour__", K.WILDCARD)]


def test_embeddings_are_marked_as_whole_words_in_any_case(known):
    text = "BADHANDS, bad-x badly embedding: bad (badhands:1.2) embedding:bad.pt"
    assert _said(text, known, K.EMBEDDING) == [
        ("BADHANDS", K.EMBEDDING), ("embedding: bad", K.EMBEDDING), ("badhands", K.EMBEDDING),
        ("embedding:bad.pt", K.EMBEDDING),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("syntax", "version", "expected"),
    [
        ("a1111", "0.2", [("# <lora:ink:1> bad embedding:bad <bad>", K.COMMENT)]),
        ("comfyui", "0.1", [("# <lora:ink:1> bad embedding:bad <bad>", K.COMMENT)]),
        ("comfyui", "0.2", [("embedding:bad", K.EMBEDDING), ("<lora:ink:1>", K.NETWORK)]),
        ("compel", "0.2", [("<bad>", K.EMBEDDING), ("<lora:ink:1>", K.NETWORK)]),
    ],
)
def test_a_hash_and_names_of_embeddings_are_marked_as_each_syntax_has_them(known, syntax, version, expected):
    text = "cat # <lora:ink:1> bad embedding:bad <bad>"
    assert _said(text, replace(known, syntax=syntax, compatibility=version)) == expected


def test_a_name_in_angles_that_is_no_embedding_is_wrong_in_compels_syntax(known):
    compel = replace(known, syntax="compel")
    assert _errors("a <other> cat", compel) == [(2, "There is no embedding of the name “other”.")]
    assert _errors("a <other> cat", known) == []


def test_a_wildcard_behind_a_hash_counts_where_there_are_no_comments(known):
    assert _said("# __colour__", replace(known, syntax="comfyui"), K.WILDCARD) == [("__colour__", K.WILDCARD)]
    assert _said("# __colour__", known, K.WILDCARD) == []


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a (b, ", "a (b), "),
        ("a [b", "a [b]"),
        ("{red|blue fox", "{red|blue fox}"),
        ("a b) c", "a b c"),
        ("a (b # (note", None),  # the end is a comment: what is put there closes nothing
        ("<lora:nope:1>", None),
    ],
)
def test_a_bracket_without_a_partner_is_mended_where_that_helps(text, mended, known):
    wrong = next(mark for mark in marks(text, known) if mark.kind is K.ERROR)
    change = mend(text, wrong, known)
    assert (None if change is None else text[: change[0]] + change[2] + text[change[1] :]) == mended
