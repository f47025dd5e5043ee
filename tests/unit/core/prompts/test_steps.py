from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdstudio.core.prompts.grammar import HEAVIEST
from sdstudio.core.prompts.steps import Alternation, Edit, Run, read_steps, read_terms
from sdstudio.core.request.request import PROMPT_MAXIMUM

PROMPTS = st.one_of(
    st.text(alphabet="[]():|\\. 0123ab", max_size=40),
    st.lists(
        st.sampled_from([*"[]():|", ":3]", ":.5]", "::2]", "\\[", "\\|", "cat", " ", "1.5", "[a:b:2]", "[a|", "(b"]),
        max_size=25,
    ).map("".join),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3]", [(3, "a "), (10, "a b")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("a [{b|d{:.5] c", [(5, "a  c"), (10, "a {b|d{ c")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a|(b:1.1)]", [(n, "a" if n % 2 else "(b:1.1)") for n in range(1, 11)]),
        ("[fe|]male", [(n, "female" if n % 2 else "male") for n in range(1, 11)]),
        ("[fe|||]male", [(1, "female"), (4, "male"), (5, "female"), (8, "male"), (9, "female"), (10, "male")]),
    ],
)
def test_a1111s_own_examples(text, expected):
    assert read_steps(text).schedule(10) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [b:.5] c", [(10, "a b c")]),
        ("a [b:1.5] c", [(5, "a  c"), (10, "a b c")]),
        ("a [b:12] c", [(2, "a  c"), (10, "a b c")]),
    ],
)
def test_in_the_second_pass_fractions_count_from_one_and_steps_from_the_first_passs(text, expected):
    assert read_steps(text).schedule(10, first_pass=10) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(10, "")]),
        ("[a::4]", [(4, "a"), (10, "")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:-3]", [(10, "b")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:1.0]", [(10, "a")]),
        (f"[a:b:{'9' * 400}]", [(10, "a")]),
        ("[a:b]", [(10, "[a:b]")]),  # an ordinary bracket
        ("[a:b:c:3]", [(10, "[a:b:c:3]")]),
        ("[a:b:x3]", [(10, "[a:b:x3]")]),
        ("(a|b) | c: 3", [(10, "(a|b) | c: 3")]),
        (r"\[a:b:3\]", [(10, r"\[a:b:3\]")]),
        (r"[a\:b:c:3]", [(3, r"a\:b"), (10, "c")]),
        ("[(a:b:1.2):3]", [(3, ""), (10, "(a:b:1.2)")]),
        ("[a (b:c:3]", [(10, "[a (b:c:3]")]),  # the round bracket is never closed
        ("[a [b:c:3]", [(3, "[a b"), (10, "[a c")]),
        ("[[a|b]:c:2]", [(1, "a"), (2, "b"), (10, "c")]),
    ],
)
def test_editing_and_alternation(text, expected):
    assert read_steps(text).schedule(10) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("time 10:30", [("time 10:30", 1.0)]),
        ("a cat AND a dog", [("a cat ", 1.0), (" a dog", 1.0)]),
        ("a cat :1.2 AND a dog:.5 AND a frog : -2 ", [("a cat", 1.2), (" a dog", 0.5), (" a frog", -2.0)]),
        ("(a:1.2) AND [b:c:0.5]", [("(a:1.2) ", 1.0), (" c", 1.0)]),
        ("SAND ANDROID and", [("SAND ANDROID and", 1.0)]),
        ("AND", [("", 1.0), ("", 1.0)]),
        (f"a:{'9' * 50} AND b", [("a", HEAVIEST), (" b", 1.0)]),
    ],
)
def test_prompts_are_parted_at_and(text, expected):
    assert [(term.prompt.at(10, 10), term.weight) for term in read_terms(text)] == expected


def test_what_changes_is_told():
    assert read_steps("a (b:1.2) [c]").is_static
    assert not read_steps("[a|a]").is_static
    assert not read_steps("([[a:3]])").is_static


def printed(part):
    match part:
        case str():
            return part
        case Run(parts):
            return "".join(printed(item) for item in parts)
        case Edit(before, after, when):
            head = "" if before is None else f"{printed(before)}:"
            return f"[{head}{printed(after)}:{when}]"
        case Alternation(options):
            return f"[{'|'.join(printed(option) for option in options)}]"


def slowly(part, step, steps):
    """The words of a step, by recursion."""
    match part:
        case str():
            return part
        case Run(parts):
            return "".join(slowly(item, step, steps) for item in parts)
        case Edit(before, after, when):
            last = int(float(when) * steps) if "." in when else int(when)
            return slowly(after if step > last else before or Run(()), step, steps)
        case Alternation(options):
            return slowly(options[(step - 1) % len(options)], step, steps)


@given(PROMPTS)
@example("[:[|:1]")
def test_what_is_read_printed_and_read_again_is_the_same(text):
    prompt = read_steps(text)
    assert printed(prompt.run) == text
    assert read_steps(printed(prompt.run)) == prompt


@given(PROMPTS, st.integers(1, 12))
def test_every_step_says_what_its_brackets_choose(text, steps):
    prompt = read_steps(text)
    for step in range(1, steps + 1):
        assert prompt.at(step, steps) == slowly(prompt.run, step, steps)
    schedule = prompt.schedule(steps)
    assert [last for last, _ in schedule] == sorted({last for last, _ in schedule})
    assert schedule[-1][0] == steps
    assert len(schedule) == 1 or not prompt.is_static


@pytest.mark.parametrize("alphabet", ["()[]", "([", "[]:|", "[:3]", "\\", ":|"])
def test_six_of_the_longest_prompts_of_random_brackets_take_less_than_a_second(alphabet):
    text = "".join(random.Random(7).choices(alphabet, k=6 * PROMPT_MAXIMUM))

    def seconds():
        begun = time.process_time()
        read_terms(text)
        return time.process_time() - begun

    assert any(seconds() < 1.0 for _ in range(3))  # the machine may be busy with something else


@pytest.mark.parametrize("unit", ["[a:", "[", "[a|", "[a:b:3]", "([", ":5]", "[[a]", "[)"])
def test_eight_times_the_text_takes_no_more_than_about_eight_times_as_long(unit):
    def seconds(count):
        begun = time.process_time()
        read_terms(unit * count + ":3]" * (count if unit.endswith(":") else 0))[0].prompt.at(5, 10)
        return time.process_time() - begun

    small = min(seconds(1_000) for _ in range(3))
    large = min(seconds(8_000) for _ in range(2))
    assert large < 40 * small + 0.1  # quadratic would be 64
