from __future__ import annotations

from datetime import date, timedelta

import pytest

from sdstudio.history.database import look as look_module
from sdstudio.history.database.look import FACET_BY_KEY, FACETS, SORTS, Look, ids_sql
from sdstudio.history.database.search import Asked
from tests.unit.history.conftest import picture, recipe, written

TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def stopped_calendar(monkeypatch):
    """It is `TODAY`, also when midnight passes while the tests run."""

    class Calendar(date):
        @classmethod
        def today(cls):
            return TODAY

    monkeypatch.setattr(look_module, "date", Calendar)


@pytest.fixture
def filled(history, home):
    rows = (  # prompt, model, scheduler, width, height, seed
        ("red heart", "Starter", "euler", 64, 64, 7),
        ("green frog", "starter", "lcm", 64, 128, 100),
        ("red frog", "Dreamshaper", "euler", 64, 64, 20),
        ("blue heart", "Anything", "ddim", 128, 64, 2**64 - 1),
    )
    for prompt, model, scheduler, width, height, seed in rows:
        made = recipe(prompt, model_name=model, scheduler=scheduler, width=width, height=height, seed=seed)
        history.save(picture(size=(width, height)), made)
    with written(home) as db:
        days = (0, 3, 20, 400)
        for entry_id, back in enumerate(days, 1):
            day = (TODAY - timedelta(days=back)).isoformat()
            db.execute("UPDATE entries SET created = ? WHERE id = ?", (f"{day}T12:00:00+00:00", entry_id))
        for entry_id, folder in ((1, "/old"), (2, "/old/frogs"), (3, "/old 2")):
            db.execute("UPDATE entries SET folder = ? WHERE id = ?", (folder, entry_id))
    history.marks.rate([1], 5)
    history.marks.rate([2], 3)
    history.marks.set_favourite([3], True)
    history.marks.add_tag([1, 2], "wip")
    history.marks.add_tag([2, 3], "frog")
    history.marks.collect([1, 4], "Hearts")
    return history


def ids(history, *chosen, query="", sort="newest", limit=None) -> list[int]:
    return list(history.listing.ids(Look(query, sort, tuple(chosen)), limit))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("newest", [4, 3, 2, 1]),
        ("oldest", [1, 2, 3, 4]),
        ("made", [1, 2, 3, 4]),
        ("rating", [1, 2, 3, 4]),
        ("model", [4, 3, 2, 1]),
        ("seed", [1, 3, 2, 4]),
        ("no such sort", [4, 3, 2, 1]),
    ],
)
def test_every_sort_orders_everything_and_what_is_found(filled, sort, order):
    assert ids(filled, sort=sort) == order
    assert ids(filled, sort=sort, limit=2) == order[:2]
    assert ids(filled, sort=sort, query="frog") == [each for each in order if each in (2, 3)]
    assert ids(filled, ("size", "64×64"), sort=sort, query="red") == [each for each in order if each in (1, 3)]


def test_the_date_made_is_a_moment_whatever_the_clocks_showed(filled, home):
    moments = (
        "2026-10-25T02:50:00+02:00",  # summer time ends between these two
        "2026-10-25T02:10:00.500000+01:00",
        "2026-10-25T10:00:00+09:00",
        "2026-10-24T22:00:00-04:00",
    )
    with written(home) as db:
        db.executemany("UPDATE entries SET created = ? WHERE id = ?", [(at, n) for n, at in enumerate(moments, 1)])
    assert ids(filled, sort="made") == [4, 2, 3, 1]


def test_every_sort_is_covered():
    assert [row.key for row in SORTS] == ["newest", "oldest", "made", "rating", "model", "seed"]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ([("favourite", "yes")], [3]),
        ([("rating", "3")], [2, 1]),
        ([("rating", "4")], [1]),
        ([("rating", "0")], [4, 3]),
        ([("model", "Starter")], [1]),
        ([("model", "Starter"), ("model", "Anything")], [4, 1]),
        ([("scheduler", "euler")], [3, 1]),
        ([("size", "64×128")], [2]),
        ([("tag", "wip")], [2, 1]),
        ([("tag", "WIP"), ("tag", "frog")], [2]),
        ([("collection", "hearts")], [4, 1]),
        ([("date", "today")], [1]),
        ([("date", "week")], [2, 1]),
        ([("date", "month")], [3, 2, 1]),
        ([("date", (TODAY - timedelta(days=400)).isoformat()[:7])], [4]),
        ([("scheduler", "euler"), ("tag", "frog")], [3]),
        ([("model", "none such")], []),
        ([("tag", "'; DROP TABLE entries; --")], []),
    ],
)
def test_facets_narrow_what_is_shown(filled, chosen, found):
    assert ids(filled, *chosen) == found
    assert filled.listing.count(Look(chosen=tuple(chosen))) == len(found)
    assert ids(filled, *chosen, query="r") == [each for each in found]
    assert ids(filled, *chosen, query="red") == [each for each in found if each in (1, 3)]


@pytest.mark.parametrize("row", FACETS, ids=lambda row: row.key)
def test_every_value_that_a_facet_offers_has_a_name_and_finds_as_many_as_it_says(filled, row):
    offered = filled.listing.facet(row.key)
    assert offered
    for value, number in offered:
        assert row.name(value)
        found = ids(filled, (row.key, value))
        assert number is None or len(found) == number


def test_names_are_for_readers():
    assert FACET_BY_KEY["scheduler"].name("dpmpp_2m_karras") == "DPM++ 2M Karras"
    assert FACET_BY_KEY["scheduler"].name("gone") == "gone"
    assert FACET_BY_KEY["rating"].name("3") == "★★★ and up"
    assert FACET_BY_KEY["rating"].name("0") == "Not rated"
    assert FACET_BY_KEY["date"].name("2026-11") == "November 2026"
    assert FACET_BY_KEY["date"].name("week") == "Last 7 days"


def test_choosing_and_clearing_give_other_looks():
    look = Look().with_value("tag", "a").with_value("tag", "b").with_value("rating", "3").with_value("rating", "4")
    assert look.values("tag") == ("a", "b")
    assert look.values("rating") == ("4",)
    assert look.with_value("tag", "a", on=False).values("tag") == ("b",)
    assert look.cleared() == Look()
    assert not look.is_whole
    assert Look(sort="seed").is_whole
    assert not Look(sort="seed").is_default
    assert Look(query="  ").is_default


@pytest.mark.parametrize("sort", SORTS, ids=lambda row: row.key)
def test_no_look_reads_recipes(database, sort):
    looks = [Look(sort=sort.key), *(Look("red", sort.key, ((row.key, "1"),)) for row in FACETS)]
    for look in looks:
        sql, values = ids_sql(look, Asked(match='"red"') if look.query else Asked())
        code = database.read(f"EXPLAIN {sql}", values)
        root = database.read("SELECT rootpage FROM sqlite_master WHERE name = 'entries'")[0][0]
        tables = {row["p1"] for row in code if row["opcode"] == "OpenRead" and row["p2"] == root}
        read = [tuple(row)[:5] for row in code if row["opcode"] == "Column" and row["p1"] in tables]
        assert read == [], sql


def test_entries_come_in_the_order_asked_for_without_those_that_are_gone(filled):
    filled.delete([2])
    assert [entry.id for entry in filled.listing.entries([3, 2, 1, 99, 4])] == [3, 1, 4]
    assert [entry.id for entry in filled.listing.entries([1] * 2000)] == [1] * 2000


def test_pending_and_deleted_pictures_are_in_no_look(filled, home):
    with written(home) as db:
        db.execute("UPDATE entries SET state = 'pending' WHERE id = 1")
    filled.delete([3])
    for query in ("", "r", "e", "red", "heart frog", "7"):
        for sort in ("newest", "seed"):
            assert not {1, 3} & set(ids(filled, query=query, sort=sort))
    assert ids(filled, query="frog") == [2]


def test_many_ids_are_read_in_pieces(history):
    from sdstudio.history.database.listing import PIECE, numbers_in

    wanted = list(range(10**6, 10**6 + PIECE // 3))
    assert list(numbers_in(",".join(map(str, wanted)))) == wanted
    assert list(numbers_in("")) == []
