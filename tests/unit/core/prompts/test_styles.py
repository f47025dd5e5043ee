from __future__ import annotations

import pytest

from sdstudio.core.errors import InvalidRequest, SaveFailed, StudioError
from sdstudio.core.paths import resources
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.prompts.styles import FILE_MAXIMUM_BYTES, Style, StyleBook, read_styles, styled

A1111 = (
    "name,prompt,negative_prompt\n"
    '----- looks -----,,\n'
    'Ink,"ink drawing of {prompt}, lines","colour, photo"\n'
    'Soft,soft light,\n'
    'Ink,"pen drawing of {prompt}",\n'
)  # fmt: skip


@pytest.fixture
def book(home) -> StyleBook:
    return StyleBook.of_styles(home)


def test_a_prompt_is_set_into_a_style_or_a_style_behind_the_prompt():
    into, behind = Style("a", "oil of {prompt}, thick", "photo"), Style("b", "soft light", "")
    assert styled([into, behind], "a fox", "blurry") == ("oil of a fox, thick, soft light", "blurry, photo")
    assert styled([behind, into], "a fox", "") == ("oil of a fox, soft light, thick", "photo")
    assert styled([behind], "", "") == ("soft light", "")
    assert styled([], " a fox ", "x") == (" a fox ", "x")


@pytest.mark.parametrize("words", ["soft light", "photo of {prompt}, soft light"])
@pytest.mark.parametrize("prompt", ["a fox # not red", "# first\na fox\n# not red", "a fox # <lora:a:1>"])
def test_a_comment_at_the_end_of_the_prompt_does_not_swallow_the_style(words, prompt):
    both = Style("s", words, words).applied(prompt, prompt)
    for text in both:
        said = cut_networks(text)[0]
        assert "a fox" in said
        assert "soft light" in said
        assert "red" not in said


def test_a_styles_csv_of_a1111_is_read_without_its_dividers_and_the_later_row_of_a_name_counts(tmp_path):
    path = tmp_path / "styles.csv"
    path.write_text("\ufeff" + A1111, encoding="utf-8")
    assert read_styles(path) == (Style("Ink", "pen drawing of {prompt}", ""), Style("Soft", "soft light", ""))


def test_the_oldest_spelling_and_broken_bytes_are_read_too(tmp_path):
    path = tmp_path / "styles.csv"
    path.write_bytes(b'name,text\nOld,"\xff old words"\nshort\n')
    (style,) = read_styles(path)
    assert style == Style("Old", "ÿ old words", "")


def test_a_styles_csv_is_read_as_spreadsheets_and_people_write_it(tmp_path):
    want = (Style("Ä", 'x, "y"', "z, w"),)
    quoted = '"x, ""y"""'
    path = tmp_path / "styles.csv"
    for text in (
        f'name, prompt, negative_prompt\nÄ, {quoted}, "z, w"\n',
        f'name,prompt,negative_prompt\nÄ,   {quoted}, "z, w"\n',
        f'"name" , "prompt","negative_prompt"\r\nÄ,{quoted},"z, w"\r\n\r\n',
        f'\n\nName,Prompt,Negative Prompt,notes\nÄ,{quoted},"z, w",mine,more\n,,\n',
        f'name,prompt,negative_prompt,\rÄ,{quoted},"z, w",\r',
        f'name;prompt;negative_prompt\nÄ;{quoted};z, w\n',
        f'sep=;\r\nname;prompt;negative_prompt\r\nÄ;{quoted};"z, w"\r\n',
        f'name\tprompt\tnegative_prompt\nÄ\t{quoted}\tz, w\n',
        f'negative_prompt,name,prompt\n"z, w",Ä,{quoted}\n',
        f'name,text,negative_prompt\nÄ,old,\nÄ,{quoted},"z, w"\n',
    ):  # fmt: skip
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
            path.write_bytes(text.encode(encoding))
            assert read_styles(path) == want, (text, encoding)


@pytest.mark.parametrize(
    "text", ["", "just some words\n", "prompt,negative_prompt\na,b\n", 'name,prompt\n"' + "x" * 200_000]
)
def test_what_is_no_list_of_styles_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(StudioError) as caught:
        read_styles(path)
    assert "other.csv" in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_quotation_mark_that_is_not_closed_is_told_in_one_line(tmp_path):
    path = tmp_path / "styles.csv"
    path.write_text('name,prompt,negative_prompt\nfox,"a fox,blurry\ncat,a cat,\n')
    with pytest.raises(StudioError, match=r"styles\.csv: a quotation mark is not closed") as told:
        read_styles(path)
    assert "\n" not in str(told.value)
    path.write_text('name,prompt,negative_prompt\nfox,"a fox",blurry\ncat,a 6" cat,"none\nat all"\n')
    assert [style.prompt for style in read_styles(path)] == ["a fox", 'a 6" cat']


def test_a_file_of_any_size_is_not_read(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as stream:
        stream.truncate(FILE_MAXIMUM_BYTES + 1)
    with pytest.raises(StudioError, match="larger than"):
        read_styles(path)


def test_the_shipped_styles_hold_until_the_user_keeps_own_ones(book, home):
    shipped = book.styles
    assert len(shipped) >= 10
    assert all(style.prompt and style.negative_prompt for style in shipped)
    book.add(Style("Mine", "{prompt}, mine", "not mine"))
    again = StyleBook.of_styles(home).styles
    assert again == (*shipped, Style("Mine", "{prompt}, mine", "not mine"))
    book.add(Style("Mine", "changed"))
    book.replace([style for style in book.styles if style.name != shipped[0].name])
    assert StyleBook.of_styles(home).styles == (*shipped[1:], Style("Mine", "changed"))


def test_kept_styles_come_back_whatever_they_say(book, home):
    odd = Style("Ödd, 'name'", '  line one\nline "two", three', " é\t")
    book.replace([odd])
    assert StyleBook.of_styles(home).styles == (odd,)


def test_negative_presets_are_a_book_of_their_own(home):
    presets = StyleBook.of_negative_presets(home)
    assert all(not preset.prompt and preset.negative_prompt for preset in presets.styles)
    presets.add(Style("Mine", "", "fog"))
    assert home.negative_presets.exists()
    assert not home.styles.exists()


def test_a_file_is_added_to_the_book(book, tmp_path):
    path = tmp_path / "styles.csv"
    path.write_text(A1111)
    before = len(book.styles)
    assert book.take_from(path) == 2
    assert len(book.styles) == before + 2
    assert [style.name for style in book.named(["Soft", "Ink"])] == ["Soft", "Ink"]


def test_a_name_that_is_not_there_is_told_with_a_near_one(book):
    with pytest.raises(InvalidRequest, match="no style of this name") as caught:
        book.named(["Watercolor"])
    assert "Watercolour" in caught.value.hint


def test_a_folder_that_cannot_be_written_leaves_the_book_as_it_was(home):
    book = StyleBook(home.home / "missing" / "styles.csv", resources() / "catalog" / "styles.csv")
    before = book.styles
    with pytest.raises(SaveFailed):
        book.add(Style("x", "y"))
    assert book.styles == before
