from __future__ import annotations

from sdstudio.core.wildcards import FILE_MAXIMUM_BYTES, VALUE_MAXIMUM, Wildcards


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
    assert wildcards.values("odd") == ("caf\ufffd", "nul", "x" * VALUE_MAXIMUM)
    assert wildcards.values("huge") == ("first",)


def test_a_file_that_went_away_holds_nothing(home):
    (home.wildcards / "gone.txt").write_text("x")
    wildcards = Wildcards.read(home)
    (home.wildcards / "gone.txt").unlink()
    assert wildcards.values("gone") == ()
