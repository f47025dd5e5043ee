"""What the window says of an error names its own pages, menus and fields, never a command or a flag."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdstudio
from sdstudio.core.errors import InvalidRequest, ModelPickled
from sdstudio.library.lookup import model_named
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.widgets.window_words import ROWS, in_window

COMMAND = re.compile(r"sdstudio [a-z]|(?:^|[\s(`])--[a-z]")
SAID_ELSEWHERE = {
    "core/desktop.py",  # why there is no window
    "core/request/presets.py",  # the format's name
    "core/request/detail_fields.py",  # the names of flags
    "core/request/file_fields.py",  # the names of flags
    "core/request/request.py",  # the names of flags
    "core/request/second_pass_fields.py",  # the names of flags
    "history/care/recovery.py",  # for the log
    "ui/window/announcing.py",  # the arguments of another program
    "ui/entry_tools/export_dialog.py",  # the names of files
}


def sentences(file: Path) -> Iterator[str]:
    """Yield every text of a source file, what is filled in as "X", without what documents it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents | within:
            yield node.value


def test_no_error_names_a_command_or_a_flag_in_the_window():
    root = Path(sdstudio.__file__).parent
    said = [
        text
        for floor in ("catalog", "core", "engine", "history", "jobs", "library", "ui")
        for file in sorted((root / floor).rglob("*.py"))
        if file.relative_to(root).as_posix() not in SAID_ELSEWHERE and file.name != "window_words.py"
        for text in sentences(file)
        if COMMAND.search(text)
    ]
    assert len(said) >= len(ROWS)
    assert [text for text in said if COMMAND.search(in_window(text))] == []
    assert all(any(pattern.search(text) for text in said) for pattern, _ in ROWS)


def test_an_error_is_worded_for_the_window_and_for_the_command_line(tmp_path):
    with pytest.raises(Exception, match="sdstudio models list") as caught:
        model_named([], [], "nope")
    assert in_window(str(caught.value)).endswith("See the Library page.")
    assert "sdstudio models convert" in ModelPickled.weights_of(tmp_path).hint
    assert in_window(ModelPickled.weights_of(tmp_path).hint) == "Use Convert… on the Library page."


def test_the_prompt_says_it_in_the_windows_words(qtbot):
    editor = PromptEditor()
    qtbot.addWidget(editor)
    hint = "See the names with `sdstudio styles list`."
    editor.show_error(InvalidRequest("prompt", "Style = x: there is none.", hint))
    assert editor.message == "Style = x: there is none. See the names under Styles… in the Edit menu."
