from __future__ import annotations

import pytest
from dynamicprompts.commands import Command
from dynamicprompts.parser.parse import parse

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts import template_reading
from sdstudio.core.prompts.styles import Style
from sdstudio.core.prompts.wildcards import Wildcards
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest, RunOptions, Written
from sdstudio.core.request.submission import shares_of, varied_further

INK = Style("Ink", "ink of {prompt}", "{photo|colour}")


def _request(prompt: str, negative: str = "", seed: int | None = 5) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, negative_prompt=negative, seed=seed)


@pytest.fixture
def wildcards(home) -> Wildcards:
    return Wildcards.read(home)


def test_plain_prompts_are_one_share_and_nothing_else_is_kept(wildcards):
    (share,) = shares_of(_request("red heart"), RunOptions(count=3), (), wildcards)
    assert share.request == _request("red heart")
    assert share.seeds == (5, 6, 7)
    assert share.request.written is None


def test_each_picture_picks_by_its_own_seed_so_that_it_can_be_made_alone(wildcards):
    request = _request("a {red|blue|green|pink} __animal__", "{blurry|noisy}")
    shares = shares_of(request, RunOptions(count=12), (), wildcards)
    assert sorted(seed for share in shares for seed in share.seeds) == list(range(5, 17))
    assert len({(s.request.prompt, s.request.negative_prompt) for s in shares}) == len(shares) > 3
    for share in shares:
        assert "{" not in share.request.prompt + share.request.negative_prompt
        assert share.request.written == Written("a {red|blue|green|pink} __animal__", "{blurry|noisy}", ())
        for seed in share.seeds:
            (alone,) = shares_of(request.with_seed(seed), RunOptions(), (), wildcards)
            assert alone.request.prompt == share.request.prompt


def test_what_is_chosen_in_turn_goes_by_the_pictures_place(wildcards):
    shares = shares_of(_request("{@a|b|c} {@p|q}", "{@x|y}"), RunOptions(count=4), (), wildcards)
    words = {seed: (share.request.prompt, share.request.negative_prompt) for share in shares for seed in share.seeds}
    assert words == {5: ("a p", "x"), 6: ("b q", "y"), 7: ("c p", "x"), 8: ("a q", "y")}


def test_every_combination_gets_all_seeds(wildcards):
    options = RunOptions(count=2, wildcards="all")
    shares = shares_of(_request("{a|b}", "{x|y}"), options, (), wildcards)
    assert [(s.request.prompt, s.request.negative_prompt, s.seeds) for s in shares] == [
        ("a", "x", (5, 6)), ("a", "y", (5, 6)), ("b", "x", (5, 6)), ("b", "y", (5, 6)),
    ]  # fmt: skip


def test_too_many_combinations_are_refused_before_any_is_drawn(wildcards):
    for text, said in (("{a|b}" * 12, "more than"), ("{a|b}" * 9, "1,024")):
        with pytest.raises(InvalidRequest, match="at most 1,000") as caught:
            shares_of(_request(text), RunOptions(count=2, wildcards="all"), (), wildcards)
        assert said in caught.value.message


def test_off_leaves_the_characters_as_they_are(wildcards):
    (share,) = shares_of(_request("{a|b} __colour__ {"), RunOptions(wildcards="off"), (), wildcards)
    assert share.request == _request("{a|b} __colour__ {")


def test_styles_are_set_in_first_and_their_own_choices_are_made(wildcards):
    shares = shares_of(_request("a {red|blue} fox"), RunOptions(wildcards="all"), [INK], wildcards)
    assert [(s.request.prompt, s.request.negative_prompt) for s in shares] == [
        ("ink of a red fox", "photo"), ("ink of a red fox", "colour"),
        ("ink of a blue fox", "photo"), ("ink of a blue fox", "colour"),
    ]  # fmt: skip
    assert shares[0].request.written == Written("a {red|blue} fox", "", ("Ink",))


def test_a_style_that_makes_the_prompt_too_long_is_told(wildcards):
    with pytest.raises(InvalidRequest, match="at most 20,000"):
        shares_of(_request("x" * 19_000), RunOptions(), [Style("Long", "y" * 2000)], wildcards)


def test_a_recipe_keeps_what_was_written(wildcards):
    (share,) = shares_of(_request("{a|b}"), RunOptions(), [INK], wildcards)
    recipe = Recipe(app="test", request=share.request)
    assert Recipe.stored(recipe.model_dump_json()) == recipe
    assert GenerationRequest.stored(share.request.model_dump(mode="json")) == share.request


def test_a_thousand_pictures_read_the_template_and_each_line_once(home, monkeypatch):
    (home.wildcards / "hue.txt").write_text("deep red\nsky blue\nlight {green|grey}", encoding="utf-8")
    read: list[str] = []

    def counted(text: str) -> Command:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(template_reading, "parse", counted)
    template_reading.parsed.cache_clear()
    shares = shares_of(_request("once a __hue__", "no __hue__"), RunOptions(count=1000), (), Wildcards.read(home))
    assert len(shares) == 16
    assert len(read) == len(set(read)) == 6  # both prompts, three lines, and the wildcard's name


def test_styles_that_make_a_prompt_too_long_are_refused(wildcards):
    style = Style("Long", "x" * 15_000 + " {prompt}", "")
    with pytest.raises(InvalidRequest, match=r"Prompt = 25,0.. characters"):
        shares_of(_request("y" * 10_000), RunOptions(), (style,), wildcards)


def test_a_hash_is_a_letter_in_comfyuis_and_compels_prompts(wildcards):
    style = Style("Ink", "{prompt}, ink")
    for syntax, version, is_comment in (("a1111", "0.2", True), ("comfyui", "0.1", True), ("comfyui", "0.2", False),
                                        ("compel", "0.2", False)):  # fmt: skip
        values = {"prompt": "a #1 {red}", "seed": 5, "prompt_syntax": syntax, "compatibility": version}
        for options in (RunOptions(), RunOptions(wildcards="all")):
            (share,) = shares_of(GenerationRequest(**values), options, [style], wildcards)
            assert share.request.prompt == ("a #1 {red}\n, ink" if is_comment else "a #1 red, ink")


def test_variations_share_a_seed_and_count_their_variation_seeds(wildcards):
    request = GenerationRequest(prompt="a {red|blue} heart", seed=5, variation_strength=0.2, variation_seed=8)
    (share, *others) = shares_of(request, RunOptions(count=3), (), wildcards)
    assert sorted(seed for one in (share, *others) for seed in one.seeds) == [8, 9, 10]
    assert share.request.with_seed(9).model_dump(include={"seed", "variation_seed"}) == {"seed": 5, "variation_seed": 9}
    (free,) = shares_of(GenerationRequest(variation_strength=0.2), RunOptions(count=2), (), wildcards)
    assert free.request.seed is not None
    assert len(set(free.seeds)) == 2


def test_a_variation_of_a_variation_begins_from_it_and_changes_less():
    request, strengths = GenerationRequest(seed=5), []
    for seed in (8, 9, 10, 11):
        request = varied_further(request)
        assert (request.seed, request.variation_seed) == (5, None)
        strengths.append(request.variation_strength)
        request = request.with_seed(seed)
    assert strengths == [0.15, 0.1, 0.07, 0.05]
    assert request.earlier_variations == "8:0.15, 9:0.1, 10:0.07"
    bold = varied_further(GenerationRequest(seed=5, variation_strength=1.0, variation_seed=7))
    assert (bold.earlier_variations, bold.variation_strength) == ("7:1", 0.15)


@pytest.mark.parametrize("text", ["8", "8:", "8:1.1", "-8:0.1", "8:nan", f"{2**64}:0.1", "8:0.1 9:0.1", "8:0.1," * 65])
def test_earlier_variations_that_are_none_are_refused(text):
    with pytest.raises(InvalidRequest, match=r"Earlier variations = ") as caught:
        GenerationRequest.checked({"earlier_variations": text})
    assert caught.value.field == "earlier_variations"
    full = GenerationRequest(variation_strength=0.1, variation_seed=8, earlier_variations=", ".join(["8:0.1"] * 64))
    with pytest.raises(InvalidRequest, match="at most 64"):
        varied_further(full)


def test_a_list_of_seeds_takes_the_place_of_seed_and_count(wildcards):
    (share,) = shares_of(_request("heart"), RunOptions(count=3, seeds="1, 2,7-9, 2"), (), wildcards)
    assert share.seeds == (1, 2, 7, 8, 9)


@pytest.mark.parametrize("text", ["1-", "x", "9-7", "-1", str(2**64), "0-1000", "1.5", "1-500,600-1200"])
def test_a_list_of_seeds_that_is_none_is_refused(text):
    with pytest.raises(InvalidRequest, match=r"Seeds = ") as caught:
        RunOptions.checked({"seeds": text})
    assert caught.value.field == "seeds"
