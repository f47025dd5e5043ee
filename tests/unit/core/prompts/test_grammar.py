from __future__ import annotations

import itertools
import random
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdstudio.core.prompts.dialects import DIALECTS
from sdstudio.core.prompts.grammar import HEAVIEST, parse

is_plain = DIALECTS["a1111"].is_plain
PIECES = ["(", ")", "[", "]", ":1.3)", ": 0.5 )", "\\(", "\\]", "\\\\", " BREAK ", "BREAK", "cat", ", "]
PROMPTS = st.one_of(
    st.text(alphabet="()[]:\\ .,-+a1B", max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.text(max_size=30),
)


def pairs(text):
    """One list of (text, weight) for each chunk."""
    return [[(span.text, pytest.approx(span.weight)) for span in chunk] for chunk in parse(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55), (", sun, ", 1.1),
             ("sky", 1.4641), (".", 1.1)],
        ),
    ],
)  # fmt: skip
def test_a1111s_own_examples(text, expected):
    assert pairs(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("()", []),
        ("[x]", [("x", 1 / 1.1)]),
        ("[[x", [("x", 1 / 1.21)]),
        ("[(x)]", [("x", 1.0)]),
        ("(x:1.3)", [("x", 1.3)]),
        ("(x: 1.3 )", [("x", 1.3)]),
        ("(x:+.5)(y:-2)(z:3.)", [("x", 0.5), ("y", -2.0), ("z", 3.0)]),
        ("(x:1)", [("x", 1.0)]),
        ("((x:2) y:3)", [("x", 6.0), (" y", 3.0)]),
        ("([a)b]c", [("a", 1.0), ("b", 1 / 1.1), ("c", 1.0)]),
        ("x)]: y:1.5)", [("x)]: y:1.5)", 1.0)]),
        ("(x:1.2.3)", [("x:1.2.3", 1.1)]),
        ("(time 10:30)", [("time 10", 30.0)]),
        ("a \\ b\\", [("a  b", 1.0)]),
        (r"\\(x\:2)", [("\\", 1.0), ("x", 2.0)]),
        (r"(smile \(happy\):1.2)", [("smile (happy)", 1.2)]),
        ("(قلب:1.2) 🐸", [("قلب", 1.2), (" 🐸", 1.0)]),
        ("[a:b:0.5]", [("a:b:0.5", 1 / 1.1)]),
        ("[a|b] AND <lora:x:0.5>", [("a|b", 1 / 1.1), (" AND <lora:x:0.5>", 1.0)]),
    ],
)
def test_brackets_weights_and_escapes(text, expected):
    assert pairs(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a BREAK b", [[("a", 1.0)], [("b", 1.0)]]),
        ("a\n BREAK \n BREAK b", [[("a", 1.0)], [], [("b", 1.0)]]),
        ("BREAK", [[], []]),
        ("(a BREAK b:1.2) c", [[("a", 1.2)], [("b", 1.2), (" c", 1.0)]]),
        ("BREAKFAST break aBREAK", [[("BREAKFAST break aBREAK", 1.0)]]),
    ],
)
def test_break_begins_a_chunk_and_takes_the_blanks_along(text, expected):
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", True),
        ("a red heart, 10:30", True),
        ("BREAKFAST :) x]", True),
        ("a (red) heart", False),
        ("(red:1)", False),
        (r"red \(heart\)", False),
        ("red BREAK heart", False),
        ("back\\slash", False),
    ],
)
def test_a_prompt_is_plain_when_it_means_its_bare_text(text, plain):
    assert is_plain(text) is plain


def test_a_thousand_brackets_are_no_infinity():
    assert parse("(" * 10_000 + "x")[0][0].weight == HEAVIEST
    assert parse("[" * 10_000 + "x")[0][0].weight == 0
    assert parse("(" * 9 + "x:-" + "9" * 400 + ")")[0][0].weight == -HEAVIEST


def slowly(text):
    """The same grammar, character by character: every closed bracket multiplies all that came since it opened."""
    out, opened = [], {"(": [], "[": []}

    def close(kind, factor):
        for entry in out[opened[kind].pop() :]:
            entry[1] = max(-HEAVIEST, min(HEAVIEST, entry[1] * factor))

    while text:
        weight = re.match(r":\s*([-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+))\s*\)", text)
        if text[0] == "\\":
            literal = text[1:2] if text[1:2] in {"(", ")", "[", "]", "\\"} else ""
            out += [[literal, 1.0]] if literal else []
            text = text[1 + len(literal) :]
        elif weight and opened["("]:
            close("(", float(weight[1]))
            text = text[weight.end() :]
        else:
            char, text = text[0], text[1:]
            if char in opened:
                opened[char].append(len(out))
            elif char == ")" and opened["("]:
                close("(", 1.1)
            elif char == "]" and opened["["]:
                close("[", 1 / 1.1)
            else:
                out.append([char, 1.0])
    for kind, factor in (("(", 1.1), ("[", 1 / 1.1)):
        while opened[kind]:
            close(kind, factor)
    return out


@given(PROMPTS.filter(lambda text: "BREAK" not in text))
@example("([a)b]c(d:0)")
def test_every_character_weighs_what_the_brackets_around_it_say(text):
    (chunk,) = parse(text)
    fast = [(char, span.weight) for span in chunk for char in span.text]
    assert fast == [(char, pytest.approx(weight, abs=1e-6)) for char, weight in slowly(text)]


def printed(chunks):
    """A prompt that means these chunks: every span in brackets of its own."""
    texts = []
    for chunk in chunks:
        spans = [(re.sub(r"([\\()\[\]])", r"\\\1", span.text), span.weight) for span in chunk]
        # A BREAK that brackets split, as in "BRE(AK:1)", is a word.
        texts.append("".join(f"({text.replace('BREAK', 'BRE(AK:1)')}:{weight:.6f})" for text, weight in spans))
    return " BREAK ".join(texts)


@given(PROMPTS)
@example("BRE(AK:1)")
@example("x BREAK( y)")
def test_what_is_parsed_printed_and_parsed_again_is_the_same(text):
    chunks = parse(text)
    assert chunks
    assert parse(printed(chunks)) == chunks
    for chunk in chunks:
        assert all(span.text and abs(span.weight) <= HEAVIEST for span in chunk)
        assert all(left.weight != right.weight for left, right in itertools.pairwise(chunk))


@given(PROMPTS)
def test_a_plain_prompt_is_its_own_text(text):
    if is_plain(text):
        assert "".join(span.text for chunk in parse(text) for span in chunk) == text


@pytest.mark.parametrize("alphabet", ["()[]", "([", "()[] a", " :", ":1", "\\"])
def test_a_megabyte_of_random_brackets_takes_about_eight_times_as_long_as_an_eighth_of_it(alphabet):
    text = "".join(random.Random(7).choices(alphabet, k=1 << 20))
    assert_in_proportion(lambda count: text[:count], 1 << 17)


@pytest.mark.parametrize("unit", ["(a", "(a:1.1)", "[a](b: 1.1 )\\]:", ")a(", ": ", ":1", "[", " ", "a BREAK ", "\\("])
def test_eight_times_the_text_takes_no_more_than_about_eight_times_as_long(unit):
    assert_in_proportion(lambda count: unit * count, 4_000)


def assert_in_proportion(text, count):
    def seconds(count):
        wanted = text(count)
        begun = time.process_time()
        parse(wanted)
        return time.process_time() - begun

    small = min(seconds(count) for _ in range(3))
    large = min(seconds(8 * count) for _ in range(2))
    assert large < 40 * small + 0.1  # quadratic would be 64
