"""A data folder that can be read alone: a real mount where the tests may make one, else access rights."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sdstudio.cli import main
from sdstudio.core.errors import HistoryError
from sdstudio.core.paths import StudioPaths
from sdstudio.history.database.look import Look
from sdstudio.history.exchange.export import ExportOptions, export_folder
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue
from tests.unit.history.conftest import everything_below, noise, only_to_be_read, recipe, started


@pytest.fixture
def filled(home, trash) -> StudioPaths:
    history = History(home, trash)
    for n, prompt in enumerate(("red heart", "blue fox", "red fox")):
        history.save(noise((64, 64)), recipe(prompt, seed=n))
    history.marks.rate([2], 4)
    history.close()
    return home


def after_a_crash(home: StudioPaths) -> None:
    """Leave the log beside the database, as a program does that was killed: with it a picture that only it knows."""
    history = History(home, lambda _path: None)
    history.save(noise((64, 64)), recipe("red boat", seed=9))
    kept = {ending: Path(f"{home.database}{ending}").read_bytes() for ending in ("", "-wal")}
    history.close()
    for ending, content in kept.items():
        Path(f"{home.database}{ending}").write_bytes(content)


def of_an_older_version(home: StudioPaths) -> None:
    """Put the first version's database in its place; its pictures are not there."""
    with closing(sqlite3.connect(home.database)) as old:
        old.executescript((Path(__file__).parents[1] / "old_databases" / "1.sql").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("left", "red"), [(None, 2), (after_a_crash, 3)])
def test_a_read_only_history_is_listed_searched_exported_and_backed_up(filled, trash, tmp_path, left, red):
    if left is not None:
        left(filled)
    before = everything_below(filled.home)
    shutil.rmtree(filled.thumbnails)  # as in a backup
    with only_to_be_read(filled.home):
        history = History(filled, trash)
        assert history.read_only
        assert history.count("red") == red
        assert list(history.listing.ids(Look().with_value("rating", "4"))) == [2]
        entries = history.entries()
        assert all(history.thumbnail(entry) == entry.path for entry in entries)
        assert export_folder(entries, tmp_path / "out", ExportOptions()).failed == []
        report = history.care.back_up(tmp_path / "backup")
        assert (report.pictures, report.missing) == (len(entries), [])
        assert history.care.check(deep=True).findings == []
        queue = JobQueue(filled)
        assert queue.jobs() == []
        for refused in (
            lambda: history.care.check(repair=True), lambda: history.recover(), lambda: history.marks.rate([1], 3),
            lambda: history.delete([1]), lambda: queue.submit(entries[0].recipe.request, [1]),
            lambda: history.check_writable(),
        ):  # fmt: skip
            with pytest.raises(HistoryError, match="it is read-only"):
                refused()
        queue.close()
        history.close()
    copy, _ = started(StudioPaths(tmp_path / "backup"), trash)
    assert copy.count("red") == red
    copy.close()
    assert everything_below(filled.home) == {name for name in before if not name.startswith("thumbnails")}


def test_a_read_only_history_of_an_older_version_is_read(home, trash):
    of_an_older_version(home)
    with only_to_be_read(home.home):
        history = History(home, trash)
        assert history.read_only
        assert history.count() > 0
        assert history.marks.tags(1) == ()
        history.close()
    assert [file.name for file in home.home.glob("history.db*")] == ["history.db"]


def test_a_read_only_history_that_another_program_writes_is_read_as_it_stands(filled, trash):
    """As from a second machine: what is written beside the mount is seen."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount one folder twice")
    writer = History(filled, trash)
    with only_to_be_read(filled.home):
        # The mount hides the writable folder from new openings; the writer's files are open already.
        history = History(filled, trash)
        assert history.read_only
        assert history.count() == 3
        writer.marks.rate([1], 5)
        assert history.get(1).rating == 5
        history.close()
    writer.close()


@pytest.fixture
def run(filled, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("SDSTUDIO_HOME", str(filled.home))

    def call(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_command_line_reads_a_read_only_folder_and_says_what_cannot_be(run, filled, tmp_path):
    with only_to_be_read(filled.home):
        for command in (
            ("history", "list"), ("history", "search", "fox"), ("history", "show", "1"), ("history", "check"),
            ("history", "export", "1", "--zip", str(tmp_path / "x.zip")), ("models", "list"), ("wildcards", "list"),
            ("history", "backup", str(tmp_path / "b.zip")), ("styles", "list"),
        ):  # fmt: skip
            code, out, err = run(*command)
            assert (code, "sdstudio:" in err) == (0, False), (command, out, err)
        for command in (
            ("history", "check", "--repair"), ("history", "mark", "1", "--stars", "5"), ("generate", "x"),
            ("styles", "import", str(_styles(tmp_path))), ("history", "rerun", "1"),
        ):  # fmt: skip
            code, _out, err = run(*command)
            assert code == 1, command
            assert "bug" not in err
            assert "read-only" in err.lower(), (command, err)


def _styles(folder: Path) -> Path:
    path = folder / "styles.csv"
    path.write_text("name,prompt\nA,b\n")
    return path


def test_a_folder_without_a_history_that_cannot_be_written_is_refused(tmp_path, trash):
    home = tmp_path / "home"
    home.mkdir()
    with only_to_be_read(home), pytest.raises(HistoryError, match="cannot be made or written") as raised:
        History(StudioPaths(home), trash)
    assert "SDSTUDIO_HOME" in raised.value.hint
