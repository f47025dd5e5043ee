from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import resources
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.library.prompt_tokens import ChunkCount, TokenCounter, within

STARTER = resources() / "starter"
WORDS = st.lists(
    st.sampled_from(["red", "heart", "é", "🎨", ",", " BREAK ", "(", ")", ":1.3)", "\\(", "[", "]", " ", "\n", "x1y",
                     "'s", "<lora:a:1>", "# c", "extraordinarily"]), max_size=60).map("".join)  # fmt: skip


def _model(path: Path) -> ModelInfo:
    return ModelInfo("m", "M", path, "sd1")


@pytest.fixture(scope="module")
def starter() -> TokenCounter:
    counter = TokenCounter.of(_model(STARTER))
    assert counter is not None
    return counter


@pytest.fixture(scope="module")
def engine_chunks():
    from transformers import CLIPTokenizer

    from sdstudio.engine.prompting.tokens import token_chunks

    tokenizer = CLIPTokenizer.from_pretrained(STARTER / "tokenizer", local_files_only=True)

    def chunks(text, syntax="a1111", compatibility="0.2"):
        dialect = dialect_of(syntax, compatibility)
        bare = cut_networks(text, dialect.has_comments)[0]
        return [len(chunk.ids) for chunk in token_chunks(tokenizer, bare, dialect)]

    return chunks


@settings(max_examples=80, deadline=None)
@given(WORDS | st.text(max_size=200))
def test_a_prompt_is_counted_as_the_engine_cuts_it(starter, engine_chunks, text):
    assert [chunk.used for chunk in starter.chunks(text)] == engine_chunks(text)


def test_long_prompts_are_cut_at_the_same_commas(starter, engine_chunks):
    for text in ("red heart, blue frog " * 40, "heart, " * 200, "heart " * 149 + ", x BREAK y" + " frog" * 80):
        chunks = starter.chunks(text)
        assert [chunk.used for chunk in chunks] == engine_chunks(text)
        assert len(chunks) > 2


def test_a_chunk_tells_where_its_words_stand(starter):
    text = "a (red:1.2) heart <lora:x:1> BREAK # note\n" + "frog " * 80
    first, second, third = starter.chunks(text)
    assert text[first.start : first.end] == "a (red:1.2) heart"
    assert text[second.start : second.end].startswith("frog frog")
    assert text[third.start : third.end].startswith("frog")
    assert second.end <= third.start
    assert (first.used, first.limit, second.used) == (3, 75, 75)


def test_words_that_change_are_counted_where_they_are_most(starter):
    (chunk,) = starter.chunks("a [red heart:frog:0.5] on blue")
    assert chunk == ChunkCount(5, 75, 0, 0)
    assert [each.used for each in starter.chunks("[heart|" + "frog " * 80 + "]")] == [75, 5]
    assert [each.used for each in starter.chunks("a heart AND a blue frog :0.5")] == [3]
    assert starter.chunks("[red:blue:30] heart", steps=20)[0].used == 2


@settings(max_examples=60, deadline=None)
@given(WORDS.map(lambda text: text * 3))
def test_other_ways_to_write_are_counted_as_the_engine_cuts_them(starter, engine_chunks, text):
    for syntax in ("comfyui", "compel"):
        for version in ("0.1", "0.2"):
            counted = [chunk.used for chunk in starter.chunks(text, syntax, 20, version)]
            assert counted == engine_chunks(text, syntax, version), (syntax, version)


def test_long_prompts_of_other_programs_are_counted_in_their_chunks(starter):
    text = "red " * 60 + ", " + "heart " * 13 + "heart, # 1"
    counted = {key: [chunk.used for chunk in starter.chunks(text, key)] for key in ("a1111", "comfyui", "compel")}
    assert counted["a1111"] == [75, 1]  # the rest is a comment
    assert counted["comfyui"] == [74, 4]  # the word with the comma is whole
    assert counted["compel"] == [61, 17]  # behind the last phrase
    assert starter.tokens("a #1 (red:1.2) heart", "comfyui")[:2] == ["a", "#"]
    assert starter.tokens("a <lora:x:1> (red)++", "compel") == ["a", "red"]


def test_other_ways_to_write_are_counted_in_their_own_way(starter):
    assert starter.chunks("heart++ (frog)1.3", "compel")[0].used == 2
    assert starter.chunks("(heart:1.2) [frog]", "comfyui")[0].used == 4
    assert starter.chunks("heart++ (frog)1.3")[0].used > 2


def test_an_empty_prompt_is_one_empty_chunk(starter):
    assert starter.chunks("") == (ChunkCount(0, 75, 0, 0),)
    assert starter.chunks("# only a comment") == (ChunkCount(0, 75, 0, 0),)


@pytest.fixture(scope="module")
def of_two_files(tmp_path_factory) -> TokenCounter:
    folder = tmp_path_factory.mktemp("model") / "tokenizer"
    folder.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(STARTER / "tokenizer" / name, folder)
    counter = TokenCounter.of(_model(folder.parent))
    assert counter is not None
    return counter


@given(WORDS)
@settings(max_examples=30, deadline=None)
def test_the_two_files_alone_count_as_the_whole_one(starter, of_two_files, text):
    assert of_two_files.chunks(text) == starter.chunks(text)


def test_a_tokenizer_that_is_not_there_or_broken_counts_nothing(tmp_path):
    assert TokenCounter.of(_model(tmp_path)) is None
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{")
    assert TokenCounter.of(_model(tmp_path)) is None
    with (tmp_path / "tokenizer" / "tokenizer.json").open("wb") as stream:
        stream.truncate(2**30)
    assert TokenCounter.of(_model(tmp_path)) is None


@pytest.mark.parametrize(("said", "limit"), [(52, 50), (10**30, 75), ("x", 75), (1, 75), (None, 75)])
def test_the_length_is_the_tokenizers_own_within_reason(tmp_path, said, limit):
    shutil.copytree(STARTER / "tokenizer", tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "tokenizer_config.json").write_text(json.dumps({"model_max_length": said}))
    counter = TokenCounter.of(_model(tmp_path))
    assert counter is not None
    assert counter.chunks("red")[0] == ChunkCount(1, limit, 0, 3)


def test_each_token_tells_what_it_stands_for(starter):
    text = "a (red:1.2) heart, BREAK frogs <lora:x:1>"
    assert starter.tokens(text)[:4] == ["a", "red", "heart", ","]
    assert "".join(starter.tokens(text)) == "aredheart,frogs"
    assert len(starter.tokens(text)) == sum(chunk.used for chunk in starter.chunks(text))


def test_a_single_file_is_counted_with_the_vocabulary_that_ships(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    counter = TokenCounter.of(_model(file))
    assert counter is not None
    assert counter.chunks("a photo of an astronaut riding a horse, trending on artstation")[0].used == 13


def test_places_of_chunks_are_told_in_what_was_written_when_styles_stand_around_it():
    text, written = "oil painting of a fox, thick strokes", " a fox "
    chunks = [ChunkCount(3, 5, 0, 15), ChunkCount(2, 5, 16, 21), ChunkCount(2, 5, 23, 36)]
    moved = within(chunks, text, written)
    assert [(chunk.start, chunk.end) for chunk in moved] == [(0, 0), (1, 6), (7, 7)]
    assert [chunk.used for chunk in moved] == [3, 2, 2]
    assert written[1:6] == text[16:21]
