from __future__ import annotations

import contextlib
import itertools
from random import Random

import pytest
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.wildcards import WildcardManager
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.paths import StudioPaths
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.templates import (
    CHOICES_MAXIMUM,
    DEPTH_MAXIMUM,
    Picker,
    brace_problem,
    combinations,
    is_template,
    picked,
    wildcard_names,
)
from sdstudio.core.prompts.wildcards import Wildcards


@pytest.fixture(scope="module")
def wildcards(tmp_path_factory) -> Wildcards:
    home = StudioPaths(tmp_path_factory.mktemp("home")).create()
    for name, lines in {
        "hue": "red\nblue", "pet": "__hue__ cat\ndog 100% \\# not a comment # one", "loop": "__loop__ x",
        "deep/hue2": "green", "long": "x" * 4000, "drawn": "{~a|b}",
    }.items():  # fmt: skip
        file = home.wildcards / f"{name}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(lines, encoding="utf-8")
    return Wildcards.read(home)


ALL = [
    ("a {red|blue} heart", ["a red heart", "a blue heart"]),
    ("{2$$a|b|c}", ["a,b", "a,c", "b,a", "b,c", "c,a", "c,b"]),
    ("{2$$ and $$a|b}", ["a and b", "b and a"]),
    ("{1-2$$a|b}", ["a", "b", "a,b", "b,a"]),
    ("__hue__ on {white|__hue__}", ["blue on white", "blue on blue", "blue on red", "red on white", "red on blue",
                                    "red on red"]),
    ("__pet__", ["blue cat", "red cat", "dog 100% \\# not a comment"]),
    ("{a|{b|c}}", ["a", "b", "c"]),
    ("__deep/hue2__", ["green"]),
    ("__hue2__", ["green"]),
    ("{!a|b}", ["a", "b"]),
    ("{a|a}", ["a"]),
    ("{|x} y", [" y", "x y"]),
    ("  keep  {a}\n\n  all ", ["  keep  a\n\n  all "]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "prompts"), ALL)
def test_every_combination_is_made_once_and_in_order(wildcards, text, prompts):
    assert combinations(text, wildcards, 100) == prompts


@pytest.mark.parametrize(("text", "prompts"), ALL)
def test_a_pick_is_one_of_them_and_the_same_for_the_same_seed(wildcards, text, prompts):
    made = [picked(text, wildcards, Random(seed)) for seed in range(30)]
    assert made == [picked(text, wildcards, Random(seed)) for seed in range(30)]
    assert set(made) <= set(prompts)
    assert len(set(made)) > len(prompts) // 3


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("100% {wool}, $5 #1 http://x.y /* c */ %", "100% wool, $5 #1 http://x.y /* c */ %"),
        ("foo__bar {a} __x", "foo__bar a __x"),
        ("(x:{1.3}) [a|b] <lora:my__own__style:1> [{a}:{b}:0.5]", "(x:1.3) [a|b] <lora:my__own__style:1> [a:b:0.5]"),
        ("\\{plain\\} {a}", "{plain} a"),
        ("🎨 {é} 🎨", "🎨 é 🎨"),
    ],
)
def test_what_is_no_choice_stays_as_it_was_typed(wildcards, text, prompt):
    assert picked(text, wildcards, Random(1)) == prompt


@pytest.mark.parametrize("text", ["", "red heart", "a|b", "{a|b", "}a{"[:2], "snake_case __init", "<lora:a__b__c:1>"])
def test_a_prompt_that_is_no_template_is_not_touched(wildcards, text):
    assert not is_template(text)
    assert picked(text, wildcards, Random(1)) == text
    assert combinations(text, wildcards, 5) == [text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {b|c} {d", "the brace { at character 9 is never closed"),
        ("a } {b}", "the brace } at character 3 closes nothing"),
        ("__hues__", "Did you mean __hue__"),
        ("__nothing_like_it__", "Put nothing_like_it.txt into"),
        ("{2$$}$$ x|{y}", "cannot be read at “$$ x|{y}”"),
        ("__loop__", "leads back to itself"),
        ("{a|b} " * (CHOICES_MAXIMUM + 1), "at most 200"),
        ("{" * (DEPTH_MAXIMUM + 1) + "}" * (DEPTH_MAXIMUM + 1), "at most 12 deep"),
        ("{a} " + "__long__ " * 6, "at most 20,000"),
    ],
)
def test_what_cannot_be_resolved_is_told_at_its_field(wildcards, text, said):
    with pytest.raises(InvalidRequest) as caught:
        picked(text, wildcards, Random(1), "negative_prompt")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.field == "negative_prompt"


def test_combinations_end_where_choices_would_not(wildcards):
    with pytest.raises(InvalidRequest, match="no end"):
        combinations("{~a|b}", wildcards, 10)
    assert set(combinations("__drawn__ {x|y}", wildcards, 1000)) <= {"a x", "a y", "b x", "b y"}
    assert len(combinations("{a|b}" * 40, wildcards, 77)) == 77


def test_wildcards_are_found_where_they_stand():
    assert list(wildcard_names("a __hue__, <lora:x__y__z:1> __deep/a-b__")) == [(2, 9, "hue"), (28, 40, "deep/a-b")]
    assert brace_problem("a {b} c") is None


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="{}|_$%#/*~!@:\\ab \n1-", max_size=40))
def test_no_text_ends_in_anything_but_a_prompt_or_a_message(wildcards, text):
    for make in (lambda: [picked(text, wildcards, Random(1))], lambda: combinations(text, wildcards, 20)):
        with contextlib.suppress(InvalidRequest):
            assert all(isinstance(prompt, str) for prompt in make())


def test_what_a_seed_picks_is_the_same_in_every_version(tmp_path):
    file = tmp_path / "hue.txt"
    file.write_text("deep red\nsky blue\nlight {green|grey}", encoding="utf-8")
    wildcards = Wildcards(tmp_path, {"hue": file})
    picker = Picker("{2::a|__hue__|{1-2$$ and $$x y|z}} 5% {@p|q}", wildcards)
    picks = [picker.pick(Random(seed)) for seed in (1, 2, 3, 4, 5, 2**64 - 1)]
    assert picks == ["deep red 5% p", "a 5% p", "deep red 5% p", "a 5% p", "sky blue 5% p", "a 5% p"]


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a fox # __gone__", ["a fox # __gone__"]),
        ("a fox # {red|blue}", ["a fox # {red|blue}"]),
        ("{a|b} fox # :-{ 100% __hue__ $5 {x}", ["a fox # :-{ 100% __hue__ $5 {x}", "b fox # :-{ 100% __hue__ $5 {x}"]),
        ("# }\n{a|b} fox\n# {c|d}\n{x}", ["# }\na fox\n# {c|d}\nx", "# }\nb fox\n# {c|d}\nx"]),
        ("{#ff0000|blue} fox", ["#ff0000 fox", "blue fox"]),  # no comment while the choice is not made
        ("a \\# {red|blue}", ["a \\# red", "a \\# blue"]),
        ("{red # warm|blue} fox", ["red fox", "blue fox"]),
        ("{red|blue # cold} fox", ["red fox", "blue fox"]),
        ("{\nred # warm {x}\n# |grey # {}\n|blue\n} fox", ["red \n fox", "blue\n fox"]),  # the package's guide
    ],
)
def test_braces_and_wildcards_in_a_comment_stand_for_nothing(wildcards, text, prompts):
    assert combinations(text, wildcards, 100) == prompts
    assert picked(text, wildcards, Random(1)) in prompts


def test_a_comment_in_a_wildcard_line_does_not_swallow_the_rest_of_the_prompt(tmp_path):
    lines = {"red # warm": "red", "{deep # or not|pale} blue # cold": "deep blue", "\\#1 green": "\\#1 green",
             "<lora:ink#2:1> # {": "<lora:ink#2:1>", "   # {never": None, "grey#": "grey"}  # fmt: skip
    file = tmp_path / "hue.txt"
    for line, value in lines.items():
        file.write_text(f"{line}\n", encoding="utf-8")
        wildcards = Wildcards(tmp_path, {"hue": file})
        if value is None:
            assert wildcards.values("hue") == ()
            continue
        made = combinations("a __hue__ fox, <lora:x:1>", wildcards, 9)[0]
        assert made == f"a {value} fox, <lora:x:1>"
        assert "fox" in cut_networks(made)[0]
        assert picked("{__hue__} fox", wildcards, Random(1)).endswith(" fox")


def test_choices_in_turn_go_on_from_picture_to_picture_as_in_the_package(tmp_path):
    """The right values are those of the package's own sampler, which keeps its place from picture to picture."""
    file = tmp_path / "hue.txt"
    file.write_text("red\nblue\n{w|y} green", encoding="utf-8")
    wildcards = Wildcards(tmp_path, {"hue": file})
    manager = WildcardManager(root_map={"": [{"hue": ["red", "blue", "{w|y} green"]}]})
    for text in (
        "{@a|b|c}", "x {@a|b|c} {@p|q}", "{@{m|n}|c}", "{@2$$a|b|c}", "{@1-2$$ and $$a|b}", "__@hue__", "{@__hue__|z}",
        "{@2$$__hue__}", "{@a {@x|y|z}|b}", "${v={@a|b|c}}${v} ${v}",
    ):  # fmt: skip
        stock = SamplingContext(SamplingMethod.RANDOM, manager, rand=Random(5))
        wanted = [result.text for result in itertools.islice(stock.sample_prompts(text), 14)]
        picker = Picker(text, wildcards)
        assert [picker.pick(Random(5), turn) for turn in range(14)] == wanted, text
    assert [picked("{@a|b|c} {1|2}", wildcards, Random(seed), turn=0)[0] for seed in range(5)] == ["a"] * 5


def test_a_wildcard_within_a_lora_is_one_where_it_stands_alone(wildcards):
    assert is_template("<lora:__hue__:1>")
    assert combinations("fox <lora:__hue__:1>", wildcards, 9) == ["fox <lora:blue:1>", "fox <lora:red:1>"]
    assert combinations("<lora:{__hue__|x}:__!hue2__>", wildcards, 9) == [
        "<lora:blue:green>", "<lora:red:green>", "<lora:x:green>",
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match="__hues__: there is no such file"):
        picked("<lora:__hues__:1>", wildcards, Random(1))
    for name in ("<lora:my__hue__:1>", "<lora:__hue__x:1>", "<lora:__hue:1>", "<lora:a__hue__b:0.5>"):
        assert not is_template(name)
        assert picked(f"{name} {{a}}", wildcards, Random(1)) == f"{name} a"
