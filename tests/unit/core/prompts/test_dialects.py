from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdstudio.core.prompts.comfyui_grammar import parse_comfyui
from sdstudio.core.prompts.dialects import DIALECTS, FIRST_DIALECTS, dialect_of
from sdstudio.core.prompts.grammar import HEAVIEST
from sdstudio.core.request.request import PROMPT_MAXIMUM

PROMPTS = st.text(alphabet='():+-\\ .,12ab"', max_size=40)
ROWS = [*DIALECTS.values(), *FIRST_DIALECTS.values()]


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
        ("[a] # BREAK AND (unclosed", [("[a] # BREAK AND ", 1.0), ("(unclosed", 1.0)]),
        (r"\(a\) (b\):2) \x", [("(a) ", 1.0), ("b)", 2.0), (r" \x", 1.0)]),
        ("(a:b:1.2) (a:x) (a:nan)", [("a:b", 1.2), (" ", 1.0), ("a:x", 1.1), (" ", 1.0), ("a:nan", 1.1)]),
        ("(:1.2) (a: 1.5 )", [(":1.2", 1.1), (" ", 1.0), ("a", 1.5)]),
        ("(red)(heart)", [("red", 1.1), ("heart", 1.1)]),  # two words
        ("a) b", [("a) b", 1.0)]),
        ("a) (b:1.5) c", [("a) (b:1.5) c", 1.0)]),  # a stray one takes the next with it
        ("(a (b) c", [("(a (b) c", 1.0)]),  # never closed: text to the end
        ("(a (b)", [("a ", 1.1), ("(b", 1.1)]),  # the last one closes it, and not what it had closed
        ("((a:1.5)", [("(a", 1.5)]),
    ],
)
def test_comfyui(text, expected):
    assert pairs(parse_comfyui(text)) == expected


def parted(text):
    """What ComfyUI takes for one item: a bracket on the first level, or the words before and behind it."""
    items, current, depth = [], "", 0
    for char in text:
        if char == "(" and depth == 0 and current:
            items.append(current)
            current = ""
        current += char
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == ")" and depth == 0:
            items.append(current)
            current = ""
    return [*items, current] if current else items


def comfyui(text, weight=1.0):
    """ComfyUI's weights by recursion, as its own notes on ``token_weights`` describe them."""
    out = []
    for item in parted(text):
        if len(item) > 1 and item[0] == "(" and item[-1] == ")":
            inner, own = item[1:-1], weight * 1.1
            place = inner.rfind(":")
            try:
                number = float(inner[place + 1 :])
            except ValueError:
                number = None
            if place > 0 and number is not None:
                own, inner = number, inner[:place]
            out += comfyui(inner, own)
        else:
            out.append((item, weight))
    return out


@given(st.lists(st.sampled_from([*"(()) ab:1.", ":1.5)", "(a"]), max_size=24).map("".join))
@example("(a:1.2:1.3)")
@example("((a) b:1.2) c (d (e)")
@example("a) ((b:2)")
def test_comfyuis_own_way_by_recursion_gives_the_same_for_any_brackets(text):
    (chunk,) = parse_comfyui(text)
    ours = [(span.text, span.weight) for span in chunk]
    theirs = [(words, pytest.approx(min(weight, HEAVIEST), abs=1e-5)) for words, weight in comfyui(text) if words]
    assert ours == theirs


@given(PROMPTS)
@example("(:1)")  # a weight for no words
@pytest.mark.parametrize("dialect", ROWS)
def test_any_text_is_a_prompt(dialect, text):
    for chunk in dialect.parse(text):
        assert all(span.text and abs(span.weight) <= HEAVIEST for span in chunk)
    wording = dialect.read(text)
    assert all(len(clause.texts) == len(clause.shares) >= 1 for clause in wording.clauses)
    if dialect.is_plain(text):
        assert "".join(span.text for chunk in dialect.parse(text) for span in chunk).split() == text.split()


ENDLESS = (
    "(" * 20_000 + ")" * 20_000, "( " * 20_000, '"' * 40_001, '("a", ' * 7_000, "a++" * 14_000, "(a)1.1" * 7_000,
    "a.swap(" * 6_000, "(a:" * 8_000 + "1)" * 8_000, "(" * 30_000 + ")" * 10_000, "\\" * 40_000, "(a" * 20_000,
)  # fmt: skip


def test_two_of_the_longest_prompts_take_less_than_a_second_however_they_are_built():
    made = random.Random(7)
    texts = [*ENDLESS, *("".join(made.choices(signs, k=2 * PROMPT_MAXIMUM)) for signs in ("()", "(:1)", "a+-)", ' ("'))]
    slow = []
    for key, dialect in [*DIALECTS.items(), ("first compel", FIRST_DIALECTS["compel"])]:
        for text in texts:
            took_s = []
            for _ in range(3):  # the machine may be busy with something else
                begun = time.process_time()
                dialect.read(text)
                took_s.append(time.process_time() - begun)
                if took_s[-1] < 1.0:
                    break
            else:
                slow.append((key, text[:12], min(took_s)))
    assert slow == []


def test_the_first_version_reads_its_own_way():
    assert dialect_of("comfyui", "0.1").parse("a) (b:1.5)")[0][1].weight == 1.5
    assert dialect_of("comfyui", "0.2").parse("a) (b:1.5)")[0][0].weight == 1.0
    assert pairs(dialect_of("compel", "0.1").parse(r"\(a\)+ (b)-")) == [("(a)+ ", 1.0), ("b", 0.9)]
    assert dialect_of("a1111", "0.1") is dialect_of("a1111", "0.2")
    assert [row.has_comments for row in DIALECTS.values()] == [True, False, False]
    assert all(row.has_comments for row in FIRST_DIALECTS.values())
