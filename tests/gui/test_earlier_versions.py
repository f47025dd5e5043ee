"""What an earlier version left in a data folder is read by this one: every row, every setting, the window as it was.

Each file in ``old_data_folders`` is what that version's own ``sdstudio history backup`` wrote after sessions in its
window: pictures of all formats, drawn, begun from others, enlarged, imported and thrown away; marks; jobs in every
state that a closed program leaves; presets, styles, wildcards and remarks; every setting and every parameter other than
its default; pages opened, docks moved and one of them hidden. A version that is released adds its own.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QPlainTextEdit, QSlider, QSpinBox, QWidget

from sdstudio.__main__ import main
from sdstudio.core.paths import StudioPaths
from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.settings import Settings
from sdstudio.library.remarks import Remarks

WAIT_MS = 20_000
MODELS = Path("/tmp/studio/home/models")
"""Where the models were that the remarks are about."""
TABLES = ("entries", "entries_text", "entry_tags", "collections", "collection_entries", "jobs")
SHOWN = [12, 11, 10, 8, 7, 6, 5, 4, 3, 2, 1]
QUEUE = [
    ("the last that waits", "queued"), ("a waiting red heart", "queued"), ("a waiting blue heart", "queued"),
    ("a job cut off", "interrupted"), ("a job that fails", "failed"),
]  # fmt: skip

AREAS = Qt.DockWidgetArea
DOCKS = {
    "parametersDock": (AREAS.RightDockWidgetArea, False), "historyDock": (AREAS.LeftDockWidgetArea, False),
    "queueDock": (AREAS.BottomDockWidgetArea, True),
}  # fmt: skip


@pytest.fixture(params=sorted((Path(__file__).parent / "old_data_folders").glob("*.zip")), ids=lambda path: path.stem)
def old(request, home, monkeypatch) -> StudioPaths:
    """The data folder of an earlier version."""
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(home.home)
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    return home


def rows_of(database: Path, columns: dict[str, list[str]]) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(database)) as db:
        return {
            table: db.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2").fetchall()
            for table, names in columns.items()
        }


def columns_of(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(database)) as db:
        found = {table: db.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall() for table in TABLES}
    return {table: ["rowid", *(f'"{name}"' for (name,) in names)] if table == "entries_text" else
            [f'"{name}"' for (name,) in names] for table, names in found.items()}  # fmt: skip


def told(capsys, *argv: str) -> list[dict]:
    """Return what a command says with ``--json``, and see that it says nothing else."""
    capsys.readouterr()
    assert main([*argv, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def holds(now, before) -> bool:
    """Whether JSON holds everything that it held before; names may have come."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(name in now and holds(now[name], before[name]) for name in before)
    return now == before


def window_state(paths: StudioPaths) -> dict[str, dict]:
    kept = QSettings(str(paths.window_state), QSettings.Format.IniFormat)
    return {name: json.loads(kept.value(name)) for name in kept.allKeys() if name not in ("geometry", "layout")}


def test_every_row_of_the_database_is_kept_and_every_picture_is_listed(old, capsys):
    columns = columns_of(old.database)
    before = rows_of(old.database, columns)
    assert all(before.values())
    states = {row[columns["jobs"].index('"state"')] for row in before["jobs"]}
    assert states == {"queued", "done", "failed", "cancelled", "interrupted"}
    listed = told(capsys, "history", "list")
    assert [row["id"] for row in listed] == SHOWN
    assert all(Path(row["path"]).is_file() for row in listed)
    assert rows_of(old.database, columns) == before
    recipes = {row[0]: row[columns["entries"].index('"recipe"')] for row in before["entries"]}
    for entry in listed:
        [shown] = told(capsys, "history", "show", str(entry["id"]))
        assert holds(shown["recipe"], json.loads(recipes[entry["id"]]))
    assert {row["id"] for row in told(capsys, "history", "list", "--tag", "CAFé")} == {1, 3, 4, 8}
    assert {row["id"] for row in told(capsys, "history", "list", "--collection", "Best of")} == {1, 3}
    assert {row["id"] for row in told(capsys, "history", "search", "heart", "--favourite")} == {1}
    assert told(capsys, "history", "check", "--deep", "--quiet") == []


def test_every_setting_is_kept(old):
    stored = json.loads(old.settings.read_text(encoding="utf-8"))
    settings, complaints = Settings.load(old.settings)
    assert complaints == []
    assert holds(settings.model_dump(mode="json"), stored)
    defaults = Settings().model_dump(mode="json")
    assert all(stored[name] != defaults[name] for name in stored)


def test_presets_styles_wildcards_and_remarks_are_kept(old, capsys):
    presets = told(capsys, "presets", "list")
    assert presets == json.loads(old.presets.read_text(encoding="utf-8"))["presets"]
    assert {"Fast draft", "Portrait"} == {preset["name"] for preset in presets}
    styles = {row["name"]: row for row in told(capsys, "styles", "list")}
    assert styles["Ink"]["prompt"] == "{prompt}, ink on paper"
    assert styles["Söft"]["prompt"] == "soft light"
    negative = [(style.name, style.negative_prompt) for style in StyleBook.of_negative_presets(old).styles]
    assert negative == [("No frogs", "frog, toad"), ("Clean", "blurry")]
    words = {row["name"]: row["values"] for row in told(capsys, "wildcards", "list")}
    assert holds(words, {"tint": ["red", "blue"], "deep/animal": ["cat", "frog"]})
    remark = Remarks(old).of(MODELS / "tiny")
    assert remark.notes == "Draws hearts.\nÄlter als alle."
    assert (dict(remark.defaults), remark.favourite) == ({"steps": 6, "scheduler": "heun"}, True)
    assert remark.cover.is_file()
    assert Remarks(old).of(MODELS / "loras" / "sd1-5.safetensors").notes == "Use at 0.5."


def test_the_window_comes_up_as_it_was_left_and_keeps_that(old, build, caplog, qtbot):
    caplog.set_level(logging.WARNING)
    remembered = window_state(old)
    studio = build()
    window = studio.window
    qtbot.waitUntil(lambda: window.width() == 900, timeout=WAIT_MS)
    assert window.height() == 640
    assert window.font().pixelSize() == 16  # 12 pt
    assert window.palette().window().color().lightness() > 200  # the light theme
    history = window.findChild(QWidget, "historyPage")
    assert history.isVisible()
    assert history.findChild(QSlider, "thumbnailSizeSlider").value() == 210
    assert [(job.prompt, job.state.value) for job in studio.controller.jobs()] == QUEUE
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    page = window.findChild(QMainWindow, "createPage")
    docks = {dock.objectName(): dock for dock in page.findChildren(QDockWidget)}
    assert {name: (page.dockWidgetArea(dock), dock.isHidden()) for name, dock in docks.items()} == DOCKS
    qtbot.waitUntil(lambda: docks["parametersDock"].width() == 330, timeout=WAIT_MS)
    assert docks["historyDock"].width() == 210
    assert window.findChild(QPlainTextEdit, "promptEdit").toPlainText() == "a (red:1.2) heart, größer\nзима"
    assert window.findChild(QPlainTextEdit, "negativePromptEdit").isVisible()
    assert window.findChild(QSpinBox, "stepsSpinBox").value() == 33
    assert all(window.findChild(QWidget, name).isHidden() for name in ("windowMessage", "promptMessageCard"))
    assert [record.getMessage() for record in caplog.records] == []
    qtbot.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    assert history.isVisible()
    assert studio.close()
    now = window_state(old)
    assert set(remembered) == {"window", "pages", "panel", "editor", "loupe"}
    assert len(remembered["panel"]["values"]) > 25
    assert {name: now[name] for name in remembered if not holds(now[name], remembered[name])} == {}
