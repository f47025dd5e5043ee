"""What compel makes of a prompt; every row was given to compel 2.4's own parser too."""

from __future__ import annotations

import pytest

from sdstudio.core.prompts.compel_grammar import read_compel


def texts(wording):
    return [[(span.text, pytest.approx(span.weight, abs=1e-6)) for span in chunk] for clause in wording.clauses
            for chunk in clause.texts]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a cat++ here", [("a", 1.0), ("cat", 1.21), ("here", 1.0)]),
        ("cat-, dog--", [("cat", 0.9), (",", 1.0), ("dog", 0.81)]),
        ("cat++dog", [("cat", 1.21), ("dog", 1.0)]),
        ("(two words)+ (two words)1.3", [("two words", 1.1), ("two words", 1.3)]),
        ("(a)1.3b (a) 1.3 (c).5", [("a", 1.3), ("b a 1.3", 1.0), ("c", 0.5)]),  # a blank parts the number
        ("((a)+ b)++", [("a", 1.331), ("b", 1.21)]),
        ("(a b) c", [("a b c", 1.0)]),
        ("red-haired + 1 - 2", [("red-haired + 1 - 2", 1.0)]),
        ("red-haired+ 5-6 -7", [("red-haired", 1.1), ("5-6 -7", 1.0)]),
        (r"\(a\)+ \+ c\,d", [("(a)", 1.1), (r"\+ c\, d", 1.0)]),  # only before brackets and quotes they vanish
        ('"a cat"1.2 "a, b"++ "c \\"d\\" e"-', [("a cat", 1.2), ("a , b", 1.21), ('c "d" e', 0.9)]),
        ("(a).attend(1.2) b.attend(++) c.attend(-0.5)", [("a", 1.2), ("b", 1.21), ("c.attend(-0.5)", 1.0)]),
        ("(a - b)++ c", [("(a - b)++ c", 1.0)]),  # what stands alone in brackets leaves all of them text
        ("a) (b)+ (c", [("a)", 1.0), ("b", 1.1), ("(c", 1.0)]),
        ("cat(black)+ x", [("cat(black)+ x", 1.0)]),
        ("a, b,c #1 fan", [("a, b, c #1 fan", 1.0)]),
        ("(a:1.2) [b]", [("a:1 . 2 [b]", 1.0)]),
        ("a withLora(ink, 0.5) b", [("a b", 1.0)]),
        ("a cat.swap(dog, s_start=0.1)++ x", [("a", 1.0), ("cat", 1.0), ("++ x", 1.0)]),
    ],
)
def test_weights(text, expected):
    wording = read_compel(text)
    assert texts(wording) == [expected]
    assert wording.clauses[0].weight == 1
    assert not wording.problem


@pytest.mark.parametrize(
    ("text", "prompts", "shares"),
    [
        ('("a cat", "b").blend(1, 0.6)', [[("a cat", 1)], [("b", 1)]], (0.625, 0.375)),
        ('("a (cat)++", b).blend()', [[("a", 1), ("cat", 1.21)], [("b", 1)]], (0.5, 0.5)),
        ('("a - b", "c").blend(1,-0.5,no_normalize)', [[("a - b", 1)], [("c", 1)]], (1, -0.5)),
        (' ( ((a)1.2) , "" ) .blend ( 3,1 ) withLora(x) ', [[("a", 1.2)], []], (0.75, 0.25)),
    ],
)
def test_blend_mixes(text, prompts, shares):
    wording = read_compel(text)
    assert not wording.problem
    assert texts(wording) == prompts
    assert len(wording.clauses) == 1
    assert wording.clauses[0].shares == pytest.approx(shares)


def test_and_sets_one_behind_the_other():
    wording = read_compel('("a cat", "b++").and(1, 0.5) rest')
    assert texts(wording) == [[("a cat", 1)], [("b", 1.21)]]
    assert [clause.weight for clause in wording.clauses] == [1, 0.5]
    assert wording.unread == ("“rest” behind .and(..)",)
    assert texts(read_compel('("a").add()')) == [[("a", 1)]]
    assert texts(read_compel('x ("a", "b").and()')) == [[("x a , b .and()", 1)]]  # only a whole prompt is one


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('("a", "b").blend(1)', ".blend(..) has 1 weights for 2 prompts"),
        ('("a", "b").and(1, 2, 3)', ".and(..) has 3 weights for 2 prompts"),
        ('("a", "b").blend(1, x)', ".blend(1, x) holds more than numbers"),
        ('("a", "b").blend(1, -1)', "add up to 0"),
        ('("a", "b").blend(1, 1) more', "“more” stands behind .blend(..)"),
        ('("a.swap(c)", "b").blend(1, 1)', ".swap(..) cannot stand in .blend(..)"),
        ('("a", ()).blend(1, 1)', "2 weights for 1 prompts"),
    ],
)
def test_what_compel_refuses_has_a_problem(text, problem):
    assert problem in read_compel(text).problem


def test_what_does_nothing_is_named():
    assert read_compel("cat.swap(dog) withLora(ink,1)").unread == (
        "cat.swap(dog) (drawn without the exchange)", "withLora(ink, 1) (write <lora:ink:1>)",
    )  # fmt: skip
    assert read_compel("(cat.swap(dog)").unread == ()  # text after all
    assert read_compel("a cat").unread == ()
