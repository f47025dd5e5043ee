from __future__ import annotations

import pytest

from sdstudio.core.errors import HistoryError
from sdstudio.history.database.look import Look
from sdstudio.history.store import History
from tests.unit.history.conftest import picture, recipe


@pytest.fixture
def ids(history):
    return [history.save(picture(), recipe(f"picture {number}")).id for number in range(3)]


def shown(history, **look) -> list[int]:
    return list(history.listing.ids(Look(**look)))


def test_a_rating_and_a_favourite_are_part_of_the_entry_and_undo_puts_back_what_was(history, ids):
    history.marks.rate(ids[:2], 3)
    undo = history.marks.rate(ids, 5)
    unlike = history.marks.set_favourite(ids[1:], True)
    assert [(entry.rating, entry.favourite) for entry in history.listing.entries(ids)] == [
        (5, False), (5, True), (5, True),
    ]  # fmt: skip
    undo()
    unlike()
    assert [(entry.rating, entry.favourite) for entry in history.listing.entries(ids)] == [
        (3, False), (3, False), (0, False),
    ]  # fmt: skip


@pytest.mark.parametrize("rating", [-1, 6])
def test_a_rating_outside_its_bounds_is_refused(history, ids, rating):
    with pytest.raises(HistoryError, match="0 to 5"):
        history.marks.rate(ids, rating)


def test_ids_that_name_nothing_are_passed_over(history, ids):
    marks = history.marks
    for change in (marks.rate([999], 2), marks.add_tag([999], "x"), marks.collect([999, ids[0]], "y")):
        change()
    assert marks.tags(999) == ()
    assert marks.collections() == ()


def test_tags_are_given_and_taken_each_with_undo_and_in_any_case_the_same(history, ids):
    marks = history.marks
    marks.add_tag(ids[:1], "Portrait")
    undo = marks.add_tag(ids, "  portrait ")
    assert [marks.tags(each) for each in ids] == [("Portrait",), ("portrait",), ("portrait",)]
    undo()  # the one that had it keeps it
    assert [marks.tags(each) for each in ids] == [("Portrait",), (), ()]
    undo = marks.remove_tag(ids, "PORTRAIT")
    assert marks.tags(ids[0]) == ()
    undo()
    assert marks.tags(ids[0]) == ("PORTRAIT",)


@pytest.mark.parametrize("name", ["", "  ", "\n\x00", "x" * 61])
def test_a_name_that_says_nothing_or_too_much_is_refused(history, ids, name):
    with pytest.raises(HistoryError, match="1 to 60 characters"):
        history.marks.add_tag(ids, name)
    with pytest.raises(HistoryError, match="1 to 60 characters"):
        history.marks.collect(ids, name)


def test_a_collection_is_made_filled_renamed_and_removed_and_each_step_can_be_undone(history, ids):
    marks = history.marks
    made = marks.collect(ids[:1], "Best")
    more = marks.collect(ids, "best")
    assert marks.collections() == ("Best",)
    assert marks.collections_of(ids[2]) == ("Best",)
    more()
    assert [marks.collections_of(each) for each in ids] == [("Best",), (), ()]
    renamed = marks.rename_collection("Best", "Best of all")
    assert marks.collections() == ("Best of all",)
    renamed()
    back = marks.take_out(ids, "Best")
    assert marks.collections_of(ids[0]) == ()
    back()
    removed = marks.remove_collection("Best")
    assert marks.collections() == ()
    removed()
    assert marks.collections_of(ids[0]) == ("Best",)
    made()
    assert marks.collections() == ()


def test_a_collection_cannot_take_the_name_of_another(history, ids):
    history.marks.collect(ids, "A")
    history.marks.collect(ids, "B")
    with pytest.raises(HistoryError, match="there is one of this name"):
        history.marks.rename_collection("A", "b")
    with pytest.raises(HistoryError, match="there is none of this name"):
        history.marks.rename_collection("C", "D")


def test_marks_stay_with_a_deleted_picture_and_come_back_with_it(history, ids):
    history.marks.rate(ids, 4)
    history.marks.add_tag(ids, "kept")
    history.delete(ids[:1])
    assert shown(history, chosen=(("tag", "kept"),)) == [ids[2], ids[1]]
    assert history.restore(ids[:1])[0].rating == 4
    assert history.marks.tags(ids[0]) == ("kept",)


def test_a_picture_that_is_named_twice_is_marked_once(history, ids):
    twice = [ids[0], ids[0]]
    undos = [history.marks.add_tag(twice, "best"), history.marks.collect(twice, "Best"), history.marks.rate(twice, 4)]
    assert history.marks.tags(ids[0]) == ("best",)
    assert history.marks.collections_of(ids[0]) == ("Best",)
    for undo in undos:
        undo()
    assert history.get(ids[0]).rating == 0
    assert history.marks.tags(ids[0]) == history.marks.collections() == ()


@pytest.mark.parametrize(
    "name",
    [
        "  a \n b ",
        "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # "I want" in Persian
        "a\x1b\udcff",
    ],
)
def test_what_gave_a_tag_or_a_collection_takes_it_away_again(history, ids, name):
    history.marks.add_tag(ids, name)
    history.marks.collect(ids, name)
    kept = history.marks.tags(ids[0])
    assert len(kept) == 1
    assert ("\u200c" in name, "\u200d" in name) == ("\u200c" in kept[0], "\u200d" in kept[0])
    history.marks.remove_tag(ids, name)
    history.marks.take_out(ids, name)
    assert history.marks.tags(ids[0]) == history.marks.collections_of(ids[0]) == ()


def test_undoing_a_new_collection_keeps_what_another_window_put_into_it(history, home, trash, ids):
    undo = history.marks.collect(ids[:1], "Best")
    other = History(home, trash)
    other.marks.collect(ids[1:], "Best")
    other.close()
    undo()
    assert [history.marks.collections_of(each) for each in ids] == [(), ("Best",), ("Best",)]


@pytest.mark.parametrize("meanwhile", ["Worst", "best"])
def test_a_removed_collection_comes_back_whatever_was_made_meanwhile(history, ids, meanwhile):
    history.marks.collect(ids[:1], "Best")
    undo = history.marks.remove_collection("Best")
    history.marks.collect(ids[1:2], meanwhile)
    undo()
    assert [name.casefold() for name in history.marks.collections_of(ids[0])] == ["best"]
    assert history.marks.collections_of(ids[1]) == (meanwhile,)
