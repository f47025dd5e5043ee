from __future__ import annotations

import codecs
import os

from sdstudio.core.prompts.wildcards import FILE_MAXIMUM_BYTES, VALUE_MAXIMUM, Wildcards


def test_shipped_wildcards_are_there_and_hold_words(home):
    wildcards = Wildcards.read(home)
    assert {"colour", "animal", "light"} <= set(wildcards.files)
    for name in wildcards.files:
        values = wildcards.values(name)
        assert len(values) >= 4
        assert len(set(values)) == len(values)
    assert wildcards.values("nothing") == ()


def test_a_file_of_the_users_goes_before_a_shipped_one_and_folders_are_part_of_the_name(home):
    (home.wildcards / "colour.txt").write_text("# mine\n\n  mauve  \nteal\n", encoding="utf-8")
    (home.wildcards / "light").mkdir()
    (home.wildcards / "light" / "Studio.TXT").write_text("\ufeffrim light\r\nkey light", encoding="utf-8")
    wildcards = Wildcards.read(home)
    assert wildcards.values("colour") == ("mauve", "teal")
    assert wildcards.values("light/Studio") == ("rim light", "key light")
    assert list(wildcards.files) == sorted(wildcards.files)


def test_links_out_of_the_folder_hidden_folders_and_other_files_are_left_aside(home, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("key\n")
    (home.wildcards / "leak.txt").symlink_to(secret)
    (home.wildcards / "out").symlink_to(tmp_path, target_is_directory=True)
    (home.wildcards / ".git").mkdir()
    (home.wildcards / ".git" / "x.txt").write_text("x")
    (home.wildcards / "words.md").write_text("x")
    assert {"leak", "out/secret", ".git/x", "words"}.isdisjoint(Wildcards.read(home).files)


def test_odd_bytes_and_huge_files_are_read_as_far_as_is_sane(home):
    (home.wildcards / "odd.txt").write_bytes(b"caf\xe9\n\x00nul\n" + b"x" * 10_000)
    with (home.wildcards / "huge.txt").open("wb") as stream:
        stream.write(b"first\n")
        stream.truncate(FILE_MAXIMUM_BYTES * 10)
    wildcards = Wildcards.read(home)
    assert wildcards.values("odd") == ("café", "nul", "x" * VALUE_MAXIMUM)
    assert wildcards.values("huge") == ("first",)


def test_a_file_that_went_away_holds_nothing(home):
    (home.wildcards / "gone.txt").write_text("x")
    wildcards = Wildcards.read(home)
    (home.wildcards / "gone.txt").unlink()
    assert wildcards.values("gone") == ()


def test_a_file_is_read_in_the_encoding_that_its_editor_wrote(home):
    """Windows' editors write UTF-16 with a mark, or Windows-1252; people put lines of several origins into one file."""
    text = "café\r\nrouge – bleu\r\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        raw = text.encode(encoding)
        (home.wildcards / "hue.txt").write_bytes(codecs.BOM_UTF16_BE + raw if encoding == "utf-16-be" else raw)
        assert Wildcards.read(home).values("hue") == ("café", "rouge – bleu"), encoding
    (home.wildcards / "hue.txt").write_bytes("straße\n".encode("latin-1") + "žluť, 赤\n".encode())
    assert Wildcards.read(home).values("hue") == ("straße", "žluť, 赤")
    (home.wildcards / "hue.txt").write_bytes("赤\n青い\n".encode("utf-16"))
    assert Wildcards.read(home).values("hue") == ("赤", "青い")


def test_a_file_that_is_cut_off_at_the_bound_loses_its_last_line_only(home):
    (home.wildcards / "long.txt").write_bytes(b"first\n" + "é".encode() * FILE_MAXIMUM_BYTES)
    assert Wildcards.read(home).values("long") == ("first",)


def test_a_name_that_is_not_utf_8_is_left_out_and_logged(home, caplog):
    with open(os.fsencode(home.wildcards) + b"/caf\xe9.txt", "w") as file:
        file.write("x\n")
    (home.wildcards / "café.txt").write_text("x\n")
    assert [name for name in Wildcards.read(home).files if name.startswith("caf")] == ["café"]
    assert "not UTF-8" in caplog.text
