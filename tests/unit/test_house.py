"""The house stands: one place to touch for each thing, floors that a linter keeps, torch left out where it must be."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdstudio.catalog.families import BESIDE_FIELDS, FAMILIES, FAMILY_BY_KEY, family_of_pipeline
from sdstudio.catalog.previews import PREVIEW_BY_KEY, PREVIEWS
from sdstudio.catalog.schedulers import DEFAULT_SCHEDULER, SCHEDULER_BY_KEY, SCHEDULERS, find_scheduler
from sdstudio.cli import build_parser
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.params import FieldKind, parameters
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.settings import Settings

ROOT = Path(__file__).parents[2]
DECLARED = [row for model in (GenerationRequest, RunOptions, Settings) for row in parameters(model)]
LINT = Path(sys.executable).with_name("lint-imports")


def _folded(name: str) -> str:
    return "".join(c for c in name.lower().replace("++", "pp") if c.isalnum())


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
class TestSchedulerRow:
    def test_its_class_is_there_and_takes_its_configuration(self, spec):
        from sdstudio.engine.samplers.schedulers import scheduler_class

        scheduler = scheduler_class(spec)(**spec.config)
        assert {name: scheduler.config[name] for name in spec.config} == dict(spec.config)

    def test_what_it_needs_can_be_imported(self, spec):
        if spec.needs:
            assert importlib.import_module(spec.needs).__name__ == spec.needs

    def test_every_name_of_it_leads_to_it(self, spec):
        for name in (spec.key, spec.title, *spec.aliases):
            assert find_scheduler(name) is spec, name

    def test_it_is_a_choice_of_the_request_with_a_sentence_about_it(self, spec):
        [row] = [row for row in parameters(GenerationRequest) if row.name == "scheduler"]
        [choice] = [choice for choice in row.choices if choice.value == spec.key]
        assert choice.title == spec.title
        assert choice.about.endswith(".")

    def test_a1111_can_name_it(self, spec):
        assert spec.sampler


def test_no_two_schedulers_share_a_name():
    named = [{_folded(name) for name in (spec.key, spec.title, *spec.aliases)} for spec in SCHEDULERS]
    names = [name for row in named for name in row]
    assert len(names) == len(set(names))
    assert len(SCHEDULER_BY_KEY) == len(SCHEDULERS)
    assert DEFAULT_SCHEDULER in SCHEDULER_BY_KEY


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
class TestFamilyRow:
    def test_its_pipelines_are_in_diffusers(self, family):
        import diffusers

        assert all(hasattr(diffusers, name) for name in family.pipelines)

    def test_its_models_are_recognised(self, family):
        for name in family.pipelines:
            assert family_of_pipeline(name, family.text_width) is family

    def test_its_preview_exists(self, family):
        assert not family.preview or family.preview in PREVIEW_BY_KEY

    def test_its_sizes_can_be_drawn(self, family):
        for width, height in family.sizes:
            GenerationRequest.checked({"width": width, "height": height})
        assert family.sizes[0][0] == family.sizes[0][1]

    def test_its_overrides_name_parameters_and_its_defaults_hold(self, family):
        assert set(family.overrides) <= {row.name for row in parameters(GenerationRequest)}
        model = ModelInfo("m", "M", Path("m"), family.key)
        request = default_request(model)
        GenerationRequest.checked(request.model_dump(), parameters_of(model))

    def test_what_it_takes_is_a_parameter_or_known_beside_them(self, family):
        assert family.takes <= {row.name for row in parameters(GenerationRequest)} | BESIDE_FIELDS

    def test_it_is_described(self, family):
        assert family.title
        assert family.about.endswith(".")


def test_an_unknown_pipeline_belongs_to_the_other_family():
    assert family_of_pipeline("NeverHeardOfPipeline", 0) is FAMILY_BY_KEY["other"]


@pytest.mark.parametrize("spec", PREVIEWS, ids=lambda spec: spec.key)
def test_a_preview_row_has_three_colours_for_each_channel(spec):
    assert len(spec.factors) >= 4
    assert all(len(row) == 3 for row in (*spec.factors, spec.bias))


@pytest.mark.parametrize("row", DECLARED, ids=lambda row: row.name)
class TestParameterRow:
    def test_it_has_a_title_a_description_a_flag_and_a_group(self, row):
        assert row.title
        assert row.description.endswith(".")
        assert row.flag == (row.ui.flag or "--" + row.name.replace("_", "-"))
        assert row.ui.group

    def test_its_bounds_are_whole_and_hold_its_default(self, row):
        if row.kind in (FieldKind.INTEGER, FieldKind.NUMBER):
            assert row.minimum <= row.default <= row.maximum
        if row.kind is FieldKind.CHOICE:
            assert row.default in [choice.value for choice in row.choices]

    def test_it_has_a_widget_that_shows_its_default(self, row, qtbot):
        from sdstudio.ui.forms.field import Field

        field = Field(row)
        qtbot.addWidget(field)
        if row.kind is not FieldKind.MODEL:  # its choices are the models that are there
            field.set_value(row.default)
            assert field.value() == row.default
            assert not field.is_changed


def test_no_two_declared_names_collide():
    names = [row.name for row in DECLARED]
    assert len(names) == len(set(names))


def _readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in text.split("```")[1::2] for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("sdstudio ")]


@pytest.mark.parametrize("command", _readme_commands())
def test_the_readme_shows_commands_that_exist(command):
    args = build_parser(lambda *_: 0).parse_args(shlex.split(command)[1:])
    assert callable(args.run)


def test_the_readme_and_the_check_share_their_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    check = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/sdstudio"
    installs = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]'"
    second = f"{installs} && .venv/bin/pytest -n 2 --dist loadfile -m 'not slow'"
    assert first in readme
    assert second in readme
    assert second in check
    ran = [line for line in check.splitlines() if line.startswith("run_tests ")]
    assert ran == ['run_tests "not slow and not gpu"', 'run_tests "slow and not gpu"'], "each test is in one of the two"


@pytest.fixture
def house(tmp_path):
    """A copy of the package and its rules, to plant violations in."""
    shutil.copytree(ROOT / "sdstudio", tmp_path / "sdstudio", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [LINT, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_floors_are_kept(house):
    done = _lint(house)
    assert done.returncode == 0, done.stdout


VIOLATIONS = (
    ("core.errors", "PySide6"),
    ("engine.prompting.checks", "PySide6.QtCore"),
    ("history.store", "PySide6"),
    ("jobs.queue", "PySide6"),
    ("cli.flags", "PySide6"),
    ("library.library", "torch"),
    ("history.store", "torch"),
    ("core.request.request", "diffusers"),
    ("ui", "torch"),
    ("ui", "sdstudio.engine.device.devices"),
    ("jobs.queue", "sdstudio.background.tasks"),
    ("background", "sdstudio.engine.device.devices"),
    ("jobs", "sdstudio.engine.device.devices"),
    ("core.request.request", "sdstudio.history.store"),
    ("catalog.families", "sdstudio.core.errors"),
    ("library.library", "sdstudio.history.store"),
)
"""Module -> what it must not import: Qt, torch and what brings it, and modules of the floors above."""


def test_planted_violations_of_the_floors_are_all_found_in_one_run(house):
    for importer, imported in VIOLATIONS:
        path = house / "sdstudio" / importer.replace(".", "/")
        with (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).open("a") as file:
            file.write(f"\nimport {imported}\n")
    done = _lint(house)
    assert done.returncode != 0, done.stdout
    printed = re.sub(r"\s+", " ", done.stdout)
    told = {pair: pair[1] if pair[1].startswith("sdstudio.") else pair[1].partition(".")[0] for pair in VIOLATIONS}
    found = [pair for pair, name in told.items() if f"sdstudio.{pair[0]} -> {name} " in printed]
    assert found == list(VIOLATIONS), done.stdout


ENGINE_VIOLATIONS = (
    ("engine.detailing", "engine.generation"),
    ("engine.outpainting", "engine.engine"),
    ("engine.second_pass", "engine.detailing"),
    ("engine.within_memory", "engine.second_pass"),
    ("engine.vae", "engine.engine"),
    ("engine.batch", "engine.vae"),
    ("engine.unfinished", "engine.recording"),
    ("engine.openvino.networks", "engine.batch"),
    ("engine.pictures.preview", "engine.batch"),
    ("engine.model_files.folder", "engine.pictures.preview"),
    ("engine.families.base", "engine.model_files.loading"),
    ("engine.prompting.tokens", "engine.families.registry"),
    ("engine.adapters.lora", "engine.prompting.tokens"),
    ("engine.weight_files.pickles", "engine.adapters.lora"),
    ("engine.device.memory", "engine.samplers.noise"),
    ("engine.samplers.noise", "engine.weight_files.pickles"),
    ("cli.draw", "engine.device.devices"),
    ("process", "engine.engine"),
    ("bench.report", "engine.engine"),
)
"""Module -> module that it must not import: one of each layer of the engine, then from outside of it."""


def test_planted_violations_about_the_engine_are_all_found_in_one_run(house):
    for importer, imported in ENGINE_VIOLATIONS:
        with (house / "sdstudio" / f"{importer.replace('.', '/')}.py").open("a") as file:
            file.write(f"\nimport sdstudio.{imported}\n")
    (house / "sdstudio" / "engine" / "helpers.py").write_text('"""Anything."""\n')
    printed = _lint(house).stdout
    found = [pair for pair in ENGINE_VIOLATIONS if f"sdstudio.{pair[0]} -> sdstudio.{pair[1]} " in printed]
    assert found == list(ENGINE_VIOLATIONS), printed
    assert "- sdstudio.engine.helpers\n" in printed


UI_VIOLATIONS = (
    ("ui.pages.create.canvas", "ui.window.build"),
    ("ui.entry_tools.exchange", "ui.pages.create.controller"),
    ("ui.entries.cell", "ui.entry_tools.upscale"),
    ("ui.forms.fold", "ui.entries.keys"),
    ("ui.widgets.buttons", "ui.forms.fold"),
    ("ui.shell", "ui.widgets.message_bar"),
    ("ui.undo", "ui.shell"),
    ("ui.theme", "ui.undo"),
    ("ui.icon_drawing", "ui.theme"),
    ("ui.pages.library.page", "ui.pages.create.page"),
    ("ui.pages.learn.page", "ui.pages.history.page"),
)
"""Module -> module that it must not import: one of each layer of the window, then of one page from another."""

CIRCLES = {
    "ui.window": ("closing_dialog", "import sdstudio.ui.window.closing"),
    "jobs": ("job", "def late():\n    import sdstudio.jobs.queue"),
    "library": ("links", "if TYPE_CHECKING:\n    import sdstudio.library.library"),
}
"""Package -> a module of it, and how it imports one that imports it: at once, late, and for its types alone."""


def test_planted_violations_about_the_window_are_all_found_in_one_run(house):
    for importer, imported in UI_VIOLATIONS:
        with (house / "sdstudio" / f"{importer.replace('.', '/')}.py").open("a") as file:
            file.write(f"\nimport sdstudio.{imported}\n")
    (house / "sdstudio" / "ui" / "helpers.py").write_text('"""Anything."""\n')
    printed = _lint(house).stdout
    found = [pair for pair in UI_VIOLATIONS if f"sdstudio.{pair[0]} -> sdstudio.{pair[1]} " in printed]
    assert found == list(UI_VIOLATIONS), printed
    assert "- sdstudio.ui.helpers\n" in printed
    assert "Pages are strangers to each other BROKEN" in printed


def test_planted_circles_are_all_found_in_one_run_however_they_are_imported(house):
    for package, (module, lines) in CIRCLES.items():
        with (house / "sdstudio" / package.replace(".", "/") / f"{module}.py").open("a") as file:
            file.write(f"\nfrom typing import TYPE_CHECKING\n{lines}\n")
    printed = _lint(house).stdout
    assert "No circles among the parts of any package BROKEN" in printed
    assert [package for package in CIRCLES if f"No cycles are allowed in sdstudio.{package}." in printed] == [*CIRCLES]


def test_a_module_on_no_floor_is_found(house):
    (house / "sdstudio" / "helpers.py").write_text('"""Anything."""\n')
    assert _lint(house).returncode != 0


WITHOUT_TORCH = (
    "cli",
    "library.library",
    "history.store",
    "background.controller",
    "background.worker",
    "ui.window.main_window",
    "app",
)
"""Modules that leave torch out when they are imported, those that the others import first."""


def test_importing_them_leaves_torch_out():
    code = f"""
import importlib, sys
for module in {WITHOUT_TORCH}:
    importlib.import_module(f"sdstudio.{{module}}")
    print(module, [name for name in ("torch", "diffusers", "transformers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{module} []" for module in WITHOUT_TORCH]


@pytest.mark.parametrize("path", sorted((ROOT / "sdstudio").rglob("*.py")), ids=lambda path: path.name)
def test_a_module_says_what_it_knows_and_is_not_long(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert text.count("\n") <= 400


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _private_names(tree: ast.AST) -> set[str]:
    """Return the private names that a module defines: functions, classes, attributes and variables."""
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            named.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node):
            named.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            named.add(node.id)
    return {name for name in named if _is_private(name)}


def _touched(tree: ast.AST, private: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each private name of the product that a test takes hold of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in private:
            if not _is_own(node):
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sdstudio":
            yield from ((node.lineno, alias.name) for alias in node.names if _is_private(alias.name))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")).endswith("attr"):
            words = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            yield from ((node.lineno, word) for word in words if word.rpartition(".")[2] in private)


def test_no_test_takes_hold_of_a_private_name_of_the_product():
    modules = (ROOT / "sdstudio").rglob("*.py")
    private = set().union(*(_private_names(ast.parse(path.read_text(encoding="utf-8"))) for path in modules))
    touched = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for line, name in _touched(ast.parse(path.read_text(encoding="utf-8")), private)
    ]
    assert len(private) > 1000
    assert touched == []


@pytest.mark.parametrize(
    "line",
    [
        "studio.tasks._running",
        "from sdstudio.background.tasks import _outcome",
        "monkeypatch.setattr(runner, '_running', {})",
        "monkeypatch.setattr('sdstudio.background.tasks._outcome', None)",
        "hasattr(runner, '_running')",
    ],
)
def test_a_private_name_is_found_however_it_is_written(line):
    private = _private_names(ast.parse("def _outcome():\n    self._running = 1"))
    assert private == {"_outcome", "_running"}
    assert len(list(_touched(ast.parse(line), private))) == 1
    assert list(_touched(ast.parse("self._running, block._forward_hooks"), private)) == []


def test_to_add_x_touch_y_names_places_that_there_are():
    """Each row of the table in CONTRIBUTING.md: every path lies there, every name stands in a file of its row."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| to add")]
    assert len(rows) > 60
    wrong = []
    for row in rows:
        quoted = re.findall(r"`([^`]+)`", row)
        paths = [name for name in quoted if "/" in name or name.endswith((".py", ".md"))]
        files = []
        for name in paths:
            found = [path for path in (ROOT / name, ROOT / "sdstudio" / name) if path.exists()]
            if not found:
                wrong.append(f"{name} is not there: {row}")
            for path in found:
                files += [path] if path.is_file() else sorted(path.rglob("*.py"))
        source = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for name in set(quoted) - set(paths):
            word = re.split(r"[^\w]", name.rsplit(".", 1)[-1] if re.fullmatch(r"[\w.]+", name) else name)[0]
            if files and word and word not in source:
                wrong.append(f"{name} stands in none of its files: {row}")
    assert wrong == []


QT_VALUES = re.compile(r"(?:bool|int|float|str|Q[A-Z]\w+|, )*")
"""What a `Signal` of Qt may carry; anything else is a `TypedSignal`, whose values mypy knows."""


def _untyped_signals(source: str) -> list[str]:
    carried = re.findall(r"\bSignal\(([^)]*)\)", source)
    return [values for values in carried if not QT_VALUES.fullmatch(values)]


def test_every_signal_says_what_it_carries():
    """But for signals.py, where Qt's own are made, there is none that carries any object."""
    modules = [path for path in (ROOT / "sdstudio").rglob("*.py") if path.name != "signals.py"]
    untyped = {path.name: _untyped_signals(path.read_text(encoding="utf-8")) for path in modules}
    assert {name: found for name, found in untyped.items() if found} == {}
    assert _untyped_signals("Signal(object); Signal(Job); Signal(str, list); Signal(int, QPoint); Signal()") == [
        "object", "Job", "str, list",
    ]  # fmt: skip
