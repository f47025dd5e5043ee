from __future__ import annotations

import pytest

from sdstudio.history.picture_text.foreign.unused import unused_settings


@pytest.mark.parametrize(
    ("not_mapped", "said"),
    [
        ({"G": "1", "cf": "2", "U": "3"}, "unknown keys G, cf, U"),
        ({"Face restoration": "CodeFormer"}, "unknown key Face restoration"),
        ({"Sampler": "Nobody's"}, "Sampler Nobody's"),
        ({"G": "1", "CFG scale": "9000"}, "CFG scale 9000; unknown key G"),
        ({"Sampler (not the same)": "Euler " * 20}, f"Sampler (not the same) {('Euler ' * 20)[:39]}…"),
    ],
)
def test_keys_the_studio_does_not_know_are_told_apart_from_values_it_cannot_have(not_mapped, said):
    assert unused_settings(not_mapped) == f"Some settings could not be used: {said}"
