from __future__ import annotations

import pytest

from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.lineage import Kin, relation
from tests.unit.history.conftest import picture, recipe


def test_a_picture_knows_its_parent_and_its_children(history):
    first = history.save(picture(), recipe())
    children = [history.save(picture(), recipe(seed=seed), parent_id=first.id) for seed in range(5)]
    grandchild = history.save(picture(), recipe(), parent_id=children[0].id)
    assert history.lineage.of(first) == Kin(None, tuple(reversed(children)), 5)
    assert history.lineage.of(children[0]) == Kin(first, (grandchild,), 1)
    some = history.lineage.of(first, limit=2)
    assert (some.children, some.count) == ((children[4], children[3]), 5)


def test_deleted_kin_is_left_out_and_comes_back(history):
    parent = history.save(picture(), recipe())
    child = history.save(picture(), recipe(), parent_id=parent.id)
    history.delete([parent.id])
    assert history.lineage.of(child) == Kin()
    history.restore([parent.id])
    assert history.lineage.of(child).parent.id == parent.id
    history.delete([child.id])
    assert history.lineage.of(parent) == Kin()


def test_an_entry_is_found_by_its_file(history, tmp_path):
    entry = history.save(picture(), recipe())
    assert history.lineage.entry_of(entry.path) == entry.id
    assert history.lineage.entry_of(tmp_path / "other.png") is None
    history.delete([entry.id])
    assert history.lineage.entry_of(entry.path) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Re-run"),
        ({"seed": 2}, "Variation"),
        ({"width": 1024, "height": 1024}, "Larger"),
        ({"width": 256}, "Another size"),
        ({"steps": 30, "seed": 3}, "Steps changed"),
        ({"vae": "soft"}, "VAE changed"),
        ({"init_image": "5a" * 32, "seed": 9, "strength": 0.4, "width": 256}, "From a picture"),
        ({"init_image": "5a" * 32, "strength": 0.0, "width": 1024}, "Upscaled"),
        ({"init_image": "5a" * 32, "mask": "6b" * 32, "seed": 9}, "Inpainted"),
        ({"prompt": "b", "steps": 30}, "Prompt and more changed"),
    ],
)
def test_what_was_changed_is_said_in_a_word(change, said):
    parent = GenerationRequest(prompt="a", seed=1)
    assert relation(parent, parent.model_copy(update=change)) == said
