from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine
from sdstudio.engine.families.any_pipeline import AnyPipeline
from sdstudio.engine.families.registry import CODE, FamilyWithoutCode, code_of, validate

ENGINE = Path(__file__).parents[4] / "sdstudio" / "engine"


def test_every_row_has_its_code_and_no_code_is_without_a_row():
    validate()
    assert set(CODE) == set(FAMILY_BY_KEY)


def test_a_row_without_code_is_an_error_at_start_that_names_the_file_to_write(monkeypatch):
    row = replace(FAMILY_BY_KEY["other"], key="flux", title="Flux", pipelines=("FluxPipeline",))
    monkeypatch.setattr("sdstudio.engine.families.registry.FAMILIES", [*FAMILIES, row])
    with pytest.raises(FamilyWithoutCode, match=r'"flux" \(Flux\).*engine/families/flux\.py.*engine/families/base\.py'):
        Engine(Settings())


def test_rows_that_share_a_pipeline_share_their_code(monkeypatch):
    monkeypatch.setitem(CODE, "sd2", AnyPipeline())
    with pytest.raises(FamilyWithoutCode, match='"sd1" and "sd2" both draw with StableDiffusionPipeline'):
        validate()


def test_a_pipeline_of_no_row_is_driven_by_what_all_have():
    assert code_of("PixArtSigmaPipeline") is CODE["other"]
    assert code_of("StableDiffusionXLPipeline") is CODE["sdxl"]


def _unets(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [f"{path.name}:{node.lineno}" for node in nodes if isinstance(node, ast.Attribute) and node.attr == "unet"]


def test_no_pipelines_unet_is_named_outside_the_families():
    files = [path for path in ENGINE.parent.rglob("*.py") if path.parent != ENGINE / "families"]
    assert len(files) > 400
    assert [found for path in files for found in _unets(path)] == []
    assert _unets(ENGINE / "families" / "stable_diffusion.py")
