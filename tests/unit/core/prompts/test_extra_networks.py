from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.prompts.extra_networks import comments, cut_networks


@pytest.mark.parametrize(
    ("text", "left", "networks"),
    [
        ("a cat", "a cat", []),
        ("a <lora:ink:0.8> cat", "a  cat", [("lora", "ink", 0.8, 0.8)]),
        ("<lora:ink>", "", [("lora", "ink", 1.0, 1.0)]),
        ("<lora:ink:0.5:0.7>x", "x", [("lora", "ink", 0.5, 0.7)]),
        ("<lora:ink:te=0.2:unet=-1>", "", [("lora", "ink", 0.2, -1.0)]),
        ("<lora:ink:unet=2>", "", [("lora", "ink", 1.0, 2.0)]),
        ("<LyCO: big ink : 0.3 >", "", [("lyco", "big ink", 0.3, 0.3)]),
        ("<hypernet:h:1><lora:b:2>", "", [("hypernet", "h", 1.0, 1.0), ("lora", "b", 2.0, 2.0)]),
        ("1 < 2 <lora:> <: x> <3 <lora:a", "1 < 2 <lora:> <: x> <3 <lora:a", []),
        ("(<lora:ink:1>red:1.2)", "(red:1.2)", [("lora", "ink", 1.0, 1.0)]),
    ],
)
def test_extra_networks_are_cut_and_read(text, left, networks):
    clean, found = cut_networks(text)
    assert clean == left
    assert [(n.kind, n.name, n.text_weight, n.unet_weight) for n in found] == networks
    assert all(text[n.start] == "<" and text[n.end - 1] == ">" for n in found)


def test_only_lora_words_name_a_lora():
    _, found = cut_networks("<lora:a> <lyco:b> <hypernet:c>")
    assert [network.is_lora for network in found] == [True, True, False]


def test_a_weight_that_is_no_number_is_told():
    _, (network,) = cut_networks("<lora:ink:strong>")
    with pytest.raises(ValueError, match="strong"):
        _ = network.text_weight


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a cat # on a mat", "a cat "),
        ("a cat # on a mat\nred", "a cat \nred"),
        ("# first\na cat\n# last", "a cat\n"),
        ("# all of it", ""),
        (r"a \# b", r"a \# b"),
        (r"a \\# b", r"a \\"),
        ("a # <lora:ink:1>\nb", "a \nb"),
    ],
)
def test_comments_are_cut(text, left):
    assert cut_networks(text) == (left, ())


def test_comments_are_found_where_they_stand():
    text = "# one\na # two\nb"
    assert [text[start:end] for start, end in comments(text)] == ["# one\n", "# two"]


@given(st.text(alphabet="<>:#\\\n lora1.=", max_size=60))
def test_nothing_but_what_is_told_is_cut(text):
    clean, networks = cut_networks(text)
    spans = sorted([*comments(text), *((network.start, network.end) for network in networks)])
    kept, place = "", 0
    for start, end in spans:
        kept += text[place:start]
        place = end
    assert clean == kept + text[place:]


@pytest.mark.parametrize("alphabet", ["<>:#\n", "<a:", "\\#", "#\n"])
def test_a_megabyte_takes_less_than_a_second(alphabet):
    text = "".join(random.Random(7).choices(alphabet, k=1 << 20))

    def seconds():
        begun = time.process_time()
        cut_networks(text)
        return time.process_time() - begun

    assert any(seconds() < 1.0 for _ in range(3))  # the machine may be busy with something else
