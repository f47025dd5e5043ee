"""Every row of the catalogue of models to get."""

from __future__ import annotations

import pytest

from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.getting.catalogue import CatalogueRow, catalogue, row_of
from sdstudio.library.scanning.notes import NOTES_FILE, read_notes


def test_the_models_everybody_asks_for_are_there_once():
    rows = catalogue()
    assert len({row.key for row in rows}) == len(rows)
    assert len({(row.repo, row.file) for row in rows}) == len(rows)
    repos = " ".join(row.repo.lower() for row in rows)
    for wanted in (
        "stable-diffusion-v1-5/", "stable-diffusion-2-1", "stable-diffusion-xl-base", "sd-turbo", "sdxl-turbo", "lcm",
        "sdxl-lightning", "openjourney", "waifu-diffusion", "ghibli-diffusion", "dreamlike",
    ):  # fmt: skip
        assert wanted in repos


@pytest.mark.parametrize("row", catalogue(), ids=lambda row: row.key)
def test_its_recommendations_are_allowed_and_become_the_models_own(row, tmp_path):
    import json

    GenerationRequest.checked(dict(row.defaults))
    (tmp_path / NOTES_FILE).write_text(json.dumps({"name": row.title, **row.defaults}))
    notes = read_notes(tmp_path)
    assert notes.warnings == []
    assert notes.defaults == dict(row.defaults)
    assert (row.kind in ("checkpoint", "detector")) == (row.file == "")
    assert row.about.endswith(".")
    assert row_of(row.key.upper()) is row


def test_a_row_with_a_mistake_is_refused():
    good = catalogue()[0].model_dump()
    for name, value in {"scheduler": "nope", "family": "sd9", "key": "../x", "licence": "", "sizegb": 1}.items():
        with pytest.raises(ValueError, match=name):
            CatalogueRow(**{**good, name: value})
