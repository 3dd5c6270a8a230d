"""Scans, facets, look-ups of many ids and deletions by filter behave the same embedded and over every transport."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from engram import Between, Client, Deletion, F, Facet, FacetValue, Filter, MemoryStore, Own, Space
from engram.client.snapshot import ClientSnapshot
from engram.errors import FailedPrecondition, InvalidInput, NotFound
from engram.store import Snapshot
from tests.integration.homes import HOMES, ids, vector_of
from tests.integration.server_process import vectors_of
from tests.integration.socket_client import SocketServer

NAMES = [f"id-{number}" for number in (3, 20, 1, 100, 2, 7, 15)]
TIMES = [50, 10, 40, 10, 30, 20, 10]
ROOMS = ["mess", "bridge", "mess", "hold", "mess", "bridge", "mess"]
BY = {
    "generation": NAMES,
    "time": ["id-20", "id-100", "id-15", "id-7", "id-2", "id-1", "id-3"],
    "id": sorted(NAMES),
}
OF_PUMPS = Filter(tags={"pump"})
PUMPS = ["id-3", "id-1", "id-2", "id-15"]


def fill(home: Any) -> None:
    """Store seven observations with the generations 2 to 8; the first is a version that was superseded."""
    home.observe("id-3", vector_of("id-3"), "old", metadata={"room": "old"})
    home.observe(
        NAMES,
        vectors_of(NAMES),
        [f"text of {name}" for name in NAMES],
        timestamps=TIMES,
        confidences=[0.5, 0.25, 0.5, 1.0, 0.75, 0.5, 0.25],
        metadata=[{"room": room, "deck": deck} for deck, room in enumerate(ROOMS)],
        tags=[["pump"] if name in PUMPS else [] for name in NAMES],
    )


def test_a_scan_is_in_order_whatever_its_pages(home: Any) -> None:
    fill(home)
    for order, reverse, size in itertools.product(BY, (False, True), (1, 3, 7, 1000)):
        expected = BY[order][::-1] if reverse else BY[order]
        found = list(home.scan(order=order, reverse=reverse, page_size=size))
        assert ids(found) == expected
        assert {hit.id: hit.content for hit in found} == {name: f"text of {name}" for name in NAMES}
        pages = list(home.scan(order=order, reverse=reverse, page_size=size).pages())
        assert [ids(page) for page in pages] == [expected[start : start + size] for start in range(0, 7, size)]
        assert {page.generation for page in pages} == {8}
        assert [bool(page.cursor) for page in pages] == [True] * (len(pages) - 1) + [False]


def told(hit: Any) -> dict[str, Any]:
    """All that a hit says, but when it was found, and whether it was linked by then."""
    left_out = {"vector", "recalled_us", "indexed"}
    return {one.name: getattr(hit, one.name) for one in fields(hit) if one.init and one.name not in left_out}


def test_a_hit_of_a_scan_has_all_that_was_stored(home: Any) -> None:
    fill(home)
    hits = list(home.scan(include_vectors=True))
    for row, hit in enumerate(hits):
        assert (hit.id, hit.content, hit.time_us) == (NAMES[row], f"text of {NAMES[row]}", TIMES[row] * 10**6)
        assert (hit.metadata, hit.tags) == ({"room": ROOMS[row], "deck": row}, ["pump"] if hit.id in PUMPS else [])
        assert (hit.score, hit.generation, hit.recent, hit.strength, hit.importance) == (1.0, row + 2, False, None, 0.5)
        np.testing.assert_array_equal(hit.vector, vector_of(hit.id))
        assert told(home.get(hit.id)) == told(hit)
        assert pickle.loads(pickle.dumps(hit)) == hit  # noqa: S301  (it was made here)
    hits[0].metadata["room"] = "changed"
    assert home.get("id-3").metadata["room"] == "mess"


def test_a_scan_by_a_filter_has_what_passes(home: Any) -> None:
    fill(home)
    assert ids(home.scan(OF_PUMPS)) == PUMPS
    assert ids(home.scan(Filter(metadata={"deck": Between(2, 4)}), order="id")) == ["id-1", "id-100", "id-2"]
    assert ids(home.scan(filter=Filter(since=20, until=50), page_size=1, order="time")) == ["id-7", "id-2", "id-1"]
    assert ids(home.scan(Filter(tags={"nobody"}))) == []
    assert [ids(page) for page in home.scan(Filter(tags={"nobody"})).pages()] == [[]]


def test_ids_are_found_by_what_they_begin_with(home: Any) -> None:
    fill(home)
    begun = Own.id.starts_with("id-1")
    for order, reverse, size in itertools.product(BY, (False, True), (1, 2)):
        expected = [name for name in BY[order] if name.startswith("id-1")]
        found = ids(home.scan(begun, order=order, reverse=reverse, page_size=size))
        assert found == (expected[::-1] if reverse else expected)
    assert (home.count(begun), home.facets("room", begun)["room"].distinct, home.delete(filter=begun)) == (3, 2, 3)
    assert (home.count(begun), home.count(Own.id.starts_with("id-"))) == (0, 4)
    assert (home.snapshot(8).count(begun), home.count(Own.id.starts_with("ID-"))) == (3, 0)


def test_a_scan_is_of_one_snapshot_whatever_is_written_meanwhile(home: Any) -> None:
    fill(home)
    scan = home.scan(page_size=2)
    found = ids([next(scan), next(scan)])
    assert scan.generation == 8
    home.delete(NAMES[2:4])
    home.observe(["id-2", "new"], vectors_of(["id-2", "new"]), ["changed", "new"])
    rest = list(scan)
    assert found + ids(rest) == NAMES
    assert {hit.content for hit in rest} == {f"text of {name}" for name in NAMES[2:]}
    assert ids(home.scan()) == ["id-3", "id-20", "id-7", "id-15", "id-2", "new"]
    assert ids(home.scan(max_generation=1)) == ["id-3"]
    assert ids(home.scan(max_generation=0)) == []


def test_a_scan_goes_on_from_a_cursor(home: Any) -> None:
    fill(home)
    for order, reverse in itertools.product(BY, (False, True)):
        expected = BY[order][::-1] if reverse else BY[order]
        for taken in range(1, len(NAMES)):
            page = next(home.scan(order=order, reverse=reverse, page_size=taken).pages())
            home.observe("later", vector_of("later"))
            rest = home.scan(order=order, reverse=reverse, cursor=page.cursor)
            assert ids(page) + ids(rest) == expected
            home.delete(["later"])
            assert rest.generation == page.generation


def test_a_cursor_belongs_to_one_scan_of_one_space(home: Any, server: SocketServer) -> None:
    fill(home)
    cursor = next(home.scan(OF_PUMPS, order="id", page_size=1).pages()).cursor
    other_scans: list[Any] = [
        lambda: home.scan(order="id", cursor=cursor),
        lambda: home.scan(Filter(tags={"crew"}), order="id", cursor=cursor),
        lambda: home.scan(OF_PUMPS, order="time", cursor=cursor),
        lambda: home.scan(OF_PUMPS, order="id", reverse=True, cursor=cursor),
        lambda: home.scan(OF_PUMPS, order="id", cursor=cursor, max_generation=7),
        lambda: home.scan(OF_PUMPS, order="id", cursor=cursor[:-3]),
        lambda: home.scan(OF_PUMPS, order="id", cursor="x" + cursor),
        lambda: home.scan(OF_PUMPS, order="id", cursor="WzEsMl0"),
        lambda: home.scan(OF_PUMPS, order="id", cursor="ä"),
        lambda: home.snapshot(7).scan(OF_PUMPS, order="id", cursor=cursor),
    ]
    for scan in other_scans:
        with pytest.raises(InvalidInput) as refused:
            list(scan())
        assert (refused.value.code, refused.value.field) == ("invalid_cursor", "cursor")
    with HOMES["embedded"].space(server) as elsewhere, pytest.raises(InvalidInput, match="another space"):
        list(elsewhere.scan(OF_PUMPS, order="id", cursor=cursor))
    assert ids(home.scan(OF_PUMPS, order="id", cursor=cursor, max_generation=8, page_size=2)) == sorted(PUMPS)[1:]


def test_a_space_without_observations_is_scanned(home: Any) -> None:
    assert list(home.scan()) == []
    assert [page.generation for page in home.scan(order="id").pages()] == [0]
    facets = home.facets("room", fields=["tags", "time_us"])
    assert (facets.count, facets.generation) == (0, 0)
    assert facets["room"] == facets["tags"] == Facet((), 0, 0, None, None)
    assert (home.clear(), home.get([])) == (0, [])


def test_ids_of_every_kind_are_in_order(home: Any) -> None:
    names = ["a", "a\x00", "a\x00b", "a" * 60, "a" * 60 + "b", "a" * 60 + "ä", "ä", "木", "🙂", "B", " ", "\n"]
    home.observe(names, vectors_of(names))
    assert ids(home.scan(order="id", page_size=1)) == sorted(names)
    assert ids(home.scan(order="id", page_size=5, reverse=True)) == sorted(names, reverse=True)


def test_a_space_is_a_collection(home: Any) -> None:
    fill(home)
    assert ids(home) == NAMES
    held = home.snapshot(1)
    assert ids(held) == ids(held.scan(order="id", reverse=True)) == ["id-3"]


@pytest.mark.parametrize("name", [name for name in HOMES if "async" not in name])
def test_a_space_that_waits_has_a_length_and_members(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as home:
        assert isinstance(home, Space | Client)
        assert (len(home), "id-3" in home, bool(home)) == (0, False, True)
        fill(home)
        held = home.snapshot()
        home.delete(["id-3"])
        assert isinstance(held, Snapshot | ClientSnapshot)
        assert (len(home), "id-3" in home, "id-1" in home) == (6, False, True)
        assert (len(held), "id-3" in held, "x" in held) == (7, True, False)
        assert (len(home.snapshot(0)), bool(home.snapshot(0))) == (0, True)
        assert home.snapshot(0).scan().generation == 0
        for thing in (home, held):
            with pytest.raises(InvalidInput) as refused:
                _ = 5 in thing  # type: ignore[operator]
            assert (refused.value.code, refused.value.field) == ("invalid_text", "id")


def test_many_ids_are_looked_up_in_their_order(home: Any) -> None:
    fill(home)
    wanted = ["id-7", "nobody", "id-3", "id-7", ""]
    found = home.get(wanted)
    assert [hit and hit.id for hit in found] == ["id-7", None, "id-3", "id-7", None]
    assert (found.generation, found[2].content) == (8, "text of id-3")
    for same in (tuple(wanted), np.array(wanted), iter(wanted)):
        assert [hit and hit.id for hit in home.get(same)][:3] == ["id-7", None, "id-3"]
    old = home.get(["id-3", "id-20"], 1)
    assert (old[0].content, old[1], old.generation) == ("old", None, 1)
    assert home.get(["id-3"], include_vectors=True)[0].vector is not None
    held = home.snapshot(1)
    assert [hit and hit.content for hit in held.get(["id-20", "id-3"])] == [None, "old"]
    assert home.get([]) == []


def test_more_ids_than_one_call_has_are_looked_up(home: Any) -> None:
    fill(home)
    wanted = [f"none-{number}" for number in range(25_000)]
    wanted[3], wanted[12_345], wanted[24_999] = "id-3", "id-20", "id-1"
    found = home.get(wanted)
    assert (len(found), [hit.id for hit in found if hit is not None]) == (25_000, ["id-3", "id-20", "id-1"])


def test_facets_are_values_with_their_numbers(home: Any) -> None:
    fill(home)
    facets = home.facets(["room", "deck", "nothing"], fields=["tags", "confidence", "time_us", "importance"])
    assert (facets.count, facets.generation) == (7, 8)
    rooms = (FacetValue("mess", 4), FacetValue("bridge", 2), FacetValue("hold", 1))
    assert facets["room"] == Facet(rooms, 7, 3, "bridge", "mess")
    assert facets["deck"] == Facet(tuple(FacetValue(deck, 1) for deck in range(7)), 7, 7, 0, 6)
    assert facets["nothing"] == Facet((), 0, 0, None, None)
    assert facets["tags"] == Facet((FacetValue("pump", 4),), 4, 1, "pump", "pump")
    assert facets["confidence"].values[0] == FacetValue(0.5, 3)
    assert (facets["time_us"].least, facets["time_us"].greatest) == (10_000_000, 50_000_000)
    assert facets["importance"] == Facet((FacetValue(0.5, 7),), 7, 1, 0.5, 0.5)
    of_keys = home.facets(fields="keys")["keys"]
    assert of_keys == Facet((FacetValue("deck", 7), FacetValue("room", 7)), 7, 2, "deck", "room")
    of_pumps = home.facets("room", OF_PUMPS, limit=1)
    assert (of_pumps.count, of_pumps["room"]) == (4, Facet((FacetValue("mess", 4),), 4, 1, "mess", "mess"))
    assert home.facets("room", limit=2)["room"].distinct == 3
    assert home.facets("room", max_generation=1)["room"].values == (FacetValue("old", 1),)
    held = home.snapshot(1)
    assert (held.facets(["room"]).count, held.facets(filter=OF_PUMPS).count, home.facets().count) == (1, 0, 7)


def test_facets_of_every_kind_of_value(home: Any) -> None:
    values: list[Any] = [1, 1.0, True, "1", None, [1, "a", "a", None, {"x": 1}], {"x": 1}, [], 2**64 - 1, -(2**63)]
    names = [f"id-{number}" for number in range(len(values) + 1)]
    home.observe(names, vectors_of(names), metadata=[*({"k": value} for value in values), {"other": 1}])
    facet = home.facets("k")["k"]
    assert [(type(one.value), one.value, one.count) for one in facet.values] == [
        (int, 1, 3),
        (type(None), None, 2),
        (int, -(2**63), 1),
        (int, 2**64 - 1, 1),
        (str, "1", 1),
        (str, "a", 1),
        (bool, True, 1),
    ]
    assert (facet.count, facet.distinct, facet.least, facet.greatest) == (10, 7, -(2**63), 2**64 - 1)


def test_a_deletion_by_filter_is_as_of_one_generation(home: Any) -> None:
    fill(home)
    tried = home.delete(filter=OF_PUMPS, dry_run=True)
    assert (tried, tried.generation, tried.as_of) == (4, 8, 8)
    home.observe("id-1", vector_of("id-1"), "written later", tags=["pump"])
    done = home.delete(filter=OF_PUMPS, max_generation=8)
    assert isinstance(done, Deletion)
    assert (done, done.generation, done.as_of, done.more) == (3, 12, 8, False)
    assert ids(home.scan()) == ["id-20", "id-100", "id-7", "id-1"]
    assert home.delete(filter=OF_PUMPS, max_generation=8) == 0
    assert (home.delete(filter=OF_PUMPS), home.delete(filter=OF_PUMPS)) == (1, 0)
    assert ids(home.snapshot(8).scan(OF_PUMPS)) == PUMPS


def test_a_deletion_by_a_tree_of_conditions(home: Any) -> None:
    for number in range(6):
        home.observe(f"id-{number}", vector_of(f"id-{number}"), metadata={"deck": number, "room": "mess"})
    condition = (F.room == "mess") & ~F.deck.is_in([1, 3]) & (F.deck >= 1)
    assert home.delete(filter=condition) == 3
    assert home.delete(filter=(F.deck == 0) | (F.deck == 9)) == 1
    assert sorted(ids(home.scan())) == ["id-1", "id-3"]


def test_a_deletion_by_ids_is_tried(home: Any) -> None:
    fill(home)
    tried = home.delete(["id-1", "id-1", "nobody"], dry_run=True)
    assert (tried, tried.generation, home.get("id-1") is not None) == (1, 8, True)


def test_a_space_is_cleared(home: Any) -> None:
    fill(home)
    done = home.clear()
    assert (done, done.generation, done.as_of) == (7, 15, 8)
    assert (list(home.scan()), home.clear()) == ([], 0)
    home.observe("id-1", vector_of("id-1"))
    assert ids(home.scan()) == ["id-1"]
    assert ids(home.snapshot(8).scan()) == NAMES


def test_ids_are_erased(home: Any) -> None:
    fill(home)
    home.observe("id-1", vector_of("id-2"))
    home.delete(["id-2"])
    receipt = home.erase(["id-1", "id-2", "nobody"])
    assert (receipt.count, receipt.generation, len(receipt.digests)) == (3, 11, 3)
    assert ids(home.scan()) == [name for name in NAMES if name not in {"id-1", "id-2"}]
    assert ids(home.snapshot(8).scan()) == ids(home.scan())
    home.observe("id-1", vector_of("id-1"))
    assert home.get("id-1") is not None
    for bad in ("id-1", [1], None):
        with pytest.raises(InvalidInput):
            home.erase(bad)


def test_more_than_one_part_is_deleted(home: Any) -> None:
    names = [f"id-{number:05}" for number in range(10_300)]
    for start in range(0, len(names), 5150):
        part = names[start : start + 5150]
        home.observe(part, vectors_of(part), tags=[["x"]] * len(part))
    home.observe("other", vector_of("other"))
    assert home.delete(filter=Filter(tags={"x"})) == 10_300
    assert ids(home.scan()) == ["other"]


@pytest.mark.parametrize("name", [name for name in HOMES if "client" in name])
def test_a_space_that_is_not_there_has_no_pages(name: str, server: SocketServer) -> None:
    with HOMES[name].found(server, "nowhere-at-all") as home:
        calls: list[Any] = [
            lambda: list(home.scan()),
            lambda: home.facets("x"),
            home.clear,
            lambda: home.get(["x"]),
            lambda: home.delete(filter=OF_PUMPS),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call()


def test_a_closed_store_deletes_nothing() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=8)
        space.observe("a", np.ones(8))
    for call in (space.clear, lambda: space.delete(filter=Filter(until="2200-01-01"))):
        with pytest.raises(FailedPrecondition) as refused:
            call()
        assert refused.value.code == "closed"
    # As recalls do, scans of a closed store work on.
    assert ids(list(space.scan())) == ["a"]
