"""How something comes back from the trash."""

from __future__ import annotations

from sdstudio.core.trash import take_out


def test_a_file_or_folder_comes_back_and_the_trash_forgets_it(tmp_path):
    for name in ("files", "info"):
        (tmp_path / "Trash" / name).mkdir(parents=True)
    for name in ("a.safetensors", "folder"):
        trashed = tmp_path / "Trash" / "files" / name
        trashed.mkdir() if name == "folder" else trashed.write_bytes(b"x")
        note = tmp_path / "Trash" / "info" / f"{name}.trashinfo"
        note.touch()
        original = tmp_path / "gone with its folder" / name
        assert take_out(original, trashed)
        assert original.exists()
        assert not trashed.exists()
        assert not note.exists()


def test_what_is_there_already_stays_and_what_left_the_trash_is_gone(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert take_out(tmp_path / "a", None)
    assert not take_out(tmp_path / "b", None)
    assert not take_out(tmp_path / "b", tmp_path / "Trash" / "b")
