from __future__ import annotations

import contextlib
import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdstudio.core.prompt_dialects import DIALECTS, parse_comfyui, parse_compel
from sdstudio.core.prompt_grammar import HEAVIEST
from sdstudio.core.request import PROMPT_MAXIMUM

PROMPTS = st.text(alphabet="():+-\\ .,12ab", max_size=40)


def pairs(chunks):
    (chunk,) = chunks
    return [(span.text, pytest.approx(span.weight, abs=1e-5)) for span in chunk]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a (b) c", [("a ", 1.0), ("b", 1.1), (" c", 1.0)]),
        ("((b))", [("b", 1.21)]),
        ("(b:1.3)", [("b", 1.3)]),
        ("((a:1.2) b:1.5)", [("a", 1.2), (" b", 1.5)]),  # the number is the weight itself
        ("((a) b:1.5)", [("a", 1.65), (" b", 1.5)]),
        ("[a] BREAK AND (unclosed", [("[a] BREAK AND (unclosed", 1.0)]),
        (r"\(a\) (b\):2)", [("(a) ", 1.0), ("b)", 2.0)]),
        ("(a:b:1.2) (a:x) (a:nan)", [("a:b", 1.2), (" ", 1.0), ("a:x", 1.1), (" ", 1.0), ("a:nan", 1.1)]),
        ("a) b", [("a) b", 1.0)]),
    ],
)
def test_comfyui(text, expected):
    assert pairs(parse_comfyui(text)) == expected


def comfyui(text, weight=1.0):
    """ComfyUI's ``token_weights`` for brackets that are all closed, by recursion."""
    items, current, depth = [], "", 0
    for char in text:
        if char == "(" and depth == 0:
            items += [current] if current else []
            current = ""
        current += char
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == ")" and depth == 0:
            items.append(current)
            current = ""
    items += [current] if current else []
    out = []
    for item in items:
        if item[0] == "(" and item[-1] == ")":
            inner, own = item[1:-1], weight * 1.1
            head, colon, number = inner.rpartition(":")
            if colon and not number.endswith(")"):
                with contextlib.suppress(ValueError):
                    own, inner = float(number), head
            out += comfyui(inner, own)
        else:
            out.append((item, weight))
    return out


balanced = st.recursive(
    st.text(alphabet="ab :1.", max_size=5),
    lambda inner: st.lists(inner.map(lambda text: f"({text})") | inner, max_size=4).map("".join),
    max_leaves=12,
)


@given(balanced)
@example("(a:1.2:1.3)")
def test_comfyuis_own_way_by_recursion_gives_the_same(text):
    (chunk,) = parse_comfyui(text)
    ours = [(char, span.weight) for span in chunk for char in span.text]
    theirs = [(char, pytest.approx(weight, abs=1e-5)) for words, weight in comfyui(text) for char in words]
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a cat++ here", [("a ", 1.0), ("cat", 1.21), (" here", 1.0)]),
        ("cat-, dog--", [("cat", 0.9), (", ", 1.0), ("dog", 0.81)]),
        ("(two words)+ (two words)1.3", [("two words", 1.1), (" ", 1.0), ("two words", 1.3)]),
        ("((a)+ b)++", [("a", 1.331), (" b", 1.21)]),
        ("(a b) c", [("a b c", 1.0)]),
        ("red-haired + 1 - 2", [("red-haired + 1 - 2", 1.0)]),
        (r"\(a\)+ \+", [("(a)+ +", 1.0)]),
        ("(a)1.2.3", [("a1.2.3", 1.0)]),
        ("a) (b", [("a) b", 1.0)]),
        ("a\\", [("a", 1.0)]),
    ],
)
def test_compel(text, expected):
    assert pairs(parse_compel(text)) == expected


@given(PROMPTS)
@pytest.mark.parametrize("key", DIALECTS)
def test_any_text_is_a_prompt(key, text):
    dialect = DIALECTS[key]
    for chunk in dialect.parse(text):
        assert all(span.text and abs(span.weight) <= HEAVIEST for span in chunk)
        assert len({span.weight for span in chunk}) == len(chunk) or len(chunk) > 2
    if dialect.is_plain(text):
        assert "".join(span.text for chunk in dialect.parse(text) for span in chunk) == text


@pytest.mark.parametrize("parse", [parse_comfyui, parse_compel])
@pytest.mark.parametrize("alphabet", ["()", "(:1)", "a+-)", "\\", "(a"])
def test_six_of_the_longest_prompts_of_random_brackets_take_less_than_a_second(parse, alphabet):
    text = "".join(random.Random(7).choices(alphabet, k=6 * PROMPT_MAXIMUM))

    def seconds():
        begun = time.process_time()
        parse(text)
        return time.process_time() - begun

    assert any(seconds() < 1.0 for _ in range(3))  # the machine may be busy with something else
