"""Names are sorted as people count: by the size of the numbers in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.folding import natural


def test_numbers_in_names_are_sorted_by_their_size():
    names = ["deep10", "Deep2", "deep02b", "deep", "2", "10", "a1b10", "a1b9", "v" + "9" * 5000, "v10"]
    assert sorted(names, key=natural) == [
        "2", "10", "a1b9", "a1b10", "deep", "Deep2", "deep02b", "deep10", "v10", "v" + "9" * 5000,
    ]  # fmt: skip


@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_names_can_be_sorted(names):
    assert sorted(sorted(names, key=natural), key=natural) == sorted(names, key=natural)
