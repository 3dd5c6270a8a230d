"""A space in which observations expire: what is gone when, and what the past still has."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from engram.log.records.header import Column
from engram.model.cue import Cue
from engram.model.filters.fields import Own
from engram.model.many.many_query import many_query
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace
from engram.store.recall.snapshot import exhausted
from tests.doubles.batches import DIM, vector_of
from tests.doubles.expiry_clock import ExpiryClock, S
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.switching import frequent_switches

OPTIONS = StoreOptions(segment_bytes=64 << 10, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ExpiryClock:
    clock = ExpiryClock()
    clock.use(monkeypatch)
    return clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "data", options=OPTIONS) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space("notes", dim=DIM)


def observe(space: Space, *ids: str, **columns: Any) -> int:
    texts = [f"the pump of {id}" for id in ids]
    return space.observe(list(ids), [vector_of(id) for id in ids], texts, **columns)


def names(found: Any) -> set[str]:
    return {hit.id for hit in found}


def answers(space: Any, **options: Any) -> list[set[str]]:
    """What each way of asking finds."""
    return [
        names(space.recall(vector_of("a"), **options)),
        names(space.recall(Cue(text="pump", by="words"), **options)),
        names(space.recall(Cue(filter=Own.confidence >= 0.0), **options)),
        *map(names, space.recall_many([vector_of("a"), vector_of("b")], **options)),
        names(hit for batch in space.recall_stream(vector_of("a"), **options) for hit in batch),
    ]


def test_what_is_due_is_gone_from_every_answer_about_now(space: Space, clock: ExpiryClock) -> None:
    before = observe(space, "a", "b", "c", expires_at=[clock.at(10), None, clock.at(20)])
    held = space.snapshot()
    everything = {"a", "b", "c"}
    for gone, seconds in ((set(), 9), ({"a"}, 1), ({"a", "c"}, 10)):
        clock.go_on(seconds)
        left = everything - gone
        assert answers(space) == [left] * 6
        assert names(space.scan()) == left
        counts = space.count(), len(space), space.facets(fields="confidence").count, space.stats().live_count
        assert counts == (len(left),) * 4
        assert {id for id in everything if id in space} == left
        assert {id for id in everything if space.get(id) is not None} == left
        assert [hit is not None for hit in space.get(["a", "b", "c"])] == [id in left for id in "abc"]
        # The past goes by generations alone.
        assert answers(space, max_generation=before) == [everything] * 6
        assert answers(held) == [everything] * 6
        assert names(space.scan(max_generation=before)) == names(held.scan()) == everything
        assert space.count(max_generation=before) == len(held) == 3
        assert space.get("a", max_generation=before) is not None
        assert held.get("a") is not None


def test_it_is_removed_by_a_deletion_of_its_own(space: Space, clock: ExpiryClock) -> None:
    before = observe(space, "a", "b", ttl=[10, None])
    clock.remove_expired(space)
    assert space.generation == before
    clock.go_on(10)
    clock.remove_expired(space)
    assert space.generation == before + 1
    assert answers(space) == [{"b"}] * 6
    assert answers(space, max_generation=before) == [{"a", "b"}] * 6
    clock.remove_expired(space)
    assert space.generation == before + 1, "it is removed once"
    clock.set_by(-100)
    assert space.get("a") is None, "what was removed does not come back"


def test_what_is_hidden_comes_back_with_the_time_of_day(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", ttl=10)
    clock.set_by(3600)
    assert space.get("a") is None
    clock.set_by(-3600)
    assert space.get("a") is not None


def test_a_jump_ahead_hides_and_removes_only_once_it_has_lasted(space: Space, clock: ExpiryClock) -> None:
    before = observe(space, "a", ttl=60)
    clock.remove_expired(space)
    clock.set_by(86_400)
    clock.remove_expired(space)
    assert (space.get("a"), space.generation) == (None, before)
    clock.go_on(3599)
    clock.remove_expired(space)
    # It was due by then by any clock.
    assert space.generation == before + 1


def test_a_jump_ahead_is_not_believed_for_an_hour(space: Space, clock: ExpiryClock) -> None:
    before = observe(space, "a", ttl=7200)
    clock.remove_expired(space)
    clock.set_by(86_400)
    for seconds, generation in ((0, before), (3500, before), (200, before + 1)):
        clock.go_on(seconds)
        clock.remove_expired(space)
        assert (space.get("a"), space.generation) == (None, generation)


def test_only_the_version_that_expired_goes(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", "b", ttl=10)
    clock.go_on(10)
    observe(space, "a")
    clock.remove_expired(space)
    assert answers(space) == [{"a"}] * 6
    hit = space.get("a")
    assert hit is not None
    assert (hit.expires_us, hit.expires_at) == (None, None)


def test_a_time_that_has_passed_is_taken_and_due_at_once(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a")
    generation = observe(space, "a", expires_at=clock.at(-5))
    assert (space.get("a"), space.count()) == (None, 0)
    assert space.get("a", max_generation=generation) is not None
    assert observe(space, "b", ttl=0) == generation + 1
    assert space.get("b") is None


def test_streams_and_cursors_hide_what_was_due_when_they_began(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", "b", "c", "d", ttl=[5, 10, 10, None])
    clock.go_on(5)
    stream = space.recall_stream(vector_of("a"), batch_size=1)
    first = next(stream)
    pages = space.scan(page_size=1).pages()
    page = next(pages)
    clock.go_on(5)
    clock.remove_expired(space)
    assert names(first) | names(hit for batch in stream for hit in batch) == {"b", "c", "d"}
    assert [hit.id for hit in page] + [hit.id for page in pages for hit in page] == ["b", "c", "d"]
    assert names(space.scan()) == {"d"}
    assert names(space.scan(cursor=page.cursor)) == {"c", "d"}


def test_a_standing_recall_is_not_told_what_is_due(space: Space, clock: ExpiryClock) -> None:
    start = observe(space, "first")
    observe(space, "a", "b", ttl=[5, None])
    clock.go_on(5)
    cue = Cue(vector_of("a"), score_min=-1.0)
    with space.recall_stream(cue, max_generation=start, follow=True) as stream:
        while stream.more_results:
            stream.next_batch()
        assert names(next(stream)) == {"b"}


def test_conditions_and_updates_take_it_for_deleted(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", "b", ttl=5)
    clock.go_on(5)
    with pytest.raises(NotFound) as missing:
        space.update("b", content="new")
    assert missing.value.code == "missing_ids"
    assert space.delete(["b"]) == 0
    assert space.observe("a", vector_of("a"), "again", if_absent=True) == 4
    assert answers(space) == [set() if by_words else {"a"} for by_words in (False, True, False, False, False, False)]


def test_an_update_keeps_what_it_does_not_name(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", "b", ttl=[10, None])
    space.update(["a", "b"], confidences=[0.5, 0.5])
    assert [hit and hit.expires_us for hit in space.get(["a", "b"])] == [clock.day_us + 10 * S, None]
    space.update("a", expires_at=None)
    space.update("b", ttl=7)
    assert [hit and hit.expires_us for hit in space.get(["a", "b"])] == [None, clock.day_us + 7 * S]


def test_what_was_recorded_last_holds_where_several_set_the_default() -> None:
    with MemoryStore(None) as store, ThreadPoolExecutor(4) as threads, frequent_switches():
        space = store.space("notes", dim=2)
        for _ in range(500):
            list(threads.map(space.set_ttl, (1, 2, 3, 4)))
            assert space.ttl_s == space._engine._state.manifest.settings["ttl_s"]


def test_a_space_has_a_default(space: Space, store: MemoryStore, clock: ExpiryClock, tmp_path: Path) -> None:
    assert space.ttl_s is None
    space.set_ttl(60)
    observe(space, "a", "b", "c", ttl=[None, 5, math.inf])
    observe(space, "d")
    space.update("c", content="still for ever")
    now = clock.day_us
    expected = [now + 60 * S, now + 5 * S, None, now + 60 * S]
    assert [hit and hit.expires_us for hit in space.get(["a", "b", "c", "d"])] == expected
    for bad in (-1, math.nan, "60", True):
        with pytest.raises(InvalidInput) as refused:
            space.set_ttl(bad)  # type: ignore[arg-type]  # That is what is tested.
        assert refused.value.code == "invalid_ttl"
    store.close()
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        space = again.space("notes")
        assert space.ttl_s == 60
        space.set_ttl(None)
        observe(space, "e")
        assert space.ttl_s is None
        assert [hit and hit.expires_us for hit in space.get(["a", "e"])] == [now + 60 * S, None]


def test_it_survives_a_restart(space: Space, store: MemoryStore, clock: ExpiryClock, tmp_path: Path) -> None:
    before = observe(space, "a", "b", "c", ttl=[5, 10, None])
    store.close()
    clock.go_on(5)
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        space = again.space("notes")
        assert answers(space) == [{"b", "c"}] * 6
        clock.go_on(5)
        clock.remove_expired(space)
        assert (space.generation, names(space.scan())) == (before + 2, {"c"})
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        clock.set_by(-100)
        assert names(again.space("notes").scan()) == {"c"}


def test_filters_know_it(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a", "b", "c", expires_at=[clock.at(10), clock.at(20), None])
    limit = clock.at(15)
    assert names(space.scan(Own.expires_at < limit)) == {"a"}
    assert names(space.scan(Own.expires_at >= limit)) == {"b"}
    assert names(space.scan(Own.expires_at.exists())) == {"a", "b"}
    assert names(space.scan(~Own.expires_at.exists())) == {"c"}
    assert names(space.scan(Own.expires_at != clock.at(10))) == {"b", "c"}
    assert names(space.scan({"of": "expires_at", "op": "exists"})) == {"a", "b"}


def test_only_records_in_which_something_expires_have_the_column(space: Space, clock: ExpiryClock) -> None:
    observe(space, "a")
    observe(space, "b", ttl=math.inf)
    observe(space, "c", ttl=5)
    has = [
        int(Column.EXPIRES_AT) in dict(header.columns)
        for record in space._engine.log.records()
        if (header := record.segment.header_at(record.position)) is not None
    ]
    assert has == [False, False, True]
    assert space._engine._state.attributes.expiring is not None


def test_compaction_keeps_it(space: Space, clock: ExpiryClock) -> None:
    space.set_retention(RetentionPolicy(0.0))
    for version in range(20):
        ids = [f"{version}-{row}" if row % 2 else f"{row}" for row in range(20)]
        texts = [f"{id} of {version} " + "and more " * 20 for id in ids]
        vectors = np.array([vector_of(id, version) for id in ids])
        space.observe(ids, vectors, texts, ttl=[100 + row for row in range(20)])
    engine = space._engine
    engine.retention.advance()
    engine.log_compaction.run(Pace(0, lambda: True))
    assert any(record.has_gaps for record in engine.log.records())
    wanted = {hit.id: clock.day_us + (100 + int(hit.id.rpartition("-")[2])) * S for hit in space.scan()}
    assert len(wanted) == 210
    assert {hit.id: hit.expires_us for hit in space.scan()} == wanted
    clock.go_on(110)
    assert space.count() == sum(1 for expires_us in wanted.values() if expires_us > clock.day_us)


def test_a_space_in_which_nothing_expires_has_no_index_of_it(space: Space) -> None:
    observe(space, "a", "b")
    assert space._engine._state.attributes.expiring is None


def test_a_default_is_named_when_the_space_is_made(store: MemoryStore, clock: ExpiryClock) -> None:
    short = store.space("short", dim=DIM, ttl=timedelta(minutes=1))
    assert (short.ttl_s, short.config.ttl_s, store.space("short", ttl=60)) == (60, 60, short)
    with pytest.raises(AlreadyExists, match=r"ttl_s 60\.0, not 30"):
        store.space("short", ttl=30)
    with pytest.raises(InvalidInput) as refused:
        store.space("other", ttl=-1)
    assert (refused.value.code, "other" in {space.name for space in store.spaces()}) == ("invalid_ttl", False)
    observe(short, "a")
    short.set_ttl(30)
    assert (short.ttl_s, short.config.ttl_s, store.space("short", ttl=30)) == (30, 30, short)
    observe(short, "b")
    assert [hit and hit.expires_us for hit in short.get(["a", "b"])] == [clock.day_us + 60 * S, clock.day_us + 30 * S]


def test_a_default_goes_with_a_space_under_its_new_name_and_ends_with_it(
    store: MemoryStore, clock: ExpiryClock, tmp_path: Path
) -> None:
    store.space("short", dim=DIM, ttl=60).set_ttl(30)
    store.alias("brief", "short")
    store.rename("short", "renamed")
    observe(store.space("brief"), "a")
    assert (store.space("brief").name, store.space("renamed").ttl_s) == ("renamed", 30)
    store.space("renamed").set_ttl(20)
    observe(store.space("renamed"), "b")
    store.close()
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        space = again.space("brief")
        assert (space.ttl_s, [hit and hit.expires_us for hit in space.get(["a", "b"])]) == (
            20,
            [clock.day_us + 30 * S, clock.day_us + 20 * S],
        )
        again.drop("renamed")
        assert again.space("renamed", dim=DIM).ttl_s is None


def test_rows_without_a_vector_expire_like_any_others(store: MemoryStore, clock: ExpiryClock, tmp_path: Path) -> None:
    space = store.space("log", dim=DIM, vectors="optional", ttl=10)
    space.observe(["a", "b", "c"], [None, vector_of("b"), None], ["the pump", "the pump", None], ttl=[5, 5, None])
    space.observe("d", None, "the pump", ttl=math.inf)
    words = Cue(text="pump", by="words")
    assert [names(space.recall(cue)) for cue in (words, vector_of("b"))] == [{"a", "b", "d"}, {"b"}]
    space.update(["a"], confidences=[0.5])
    clock.go_on(5)
    assert [names(space.recall(cue)) for cue in (words, vector_of("b"))] == [{"d"}, set()]
    assert names(space.scan()) == {"c", "d"}
    with pytest.raises(NotFound):
        space.update("a", expires_at=None)
    space.observe("a", None, None, if_absent=True)
    space.update("d", ttl=100)
    clock.remove_expired(space)
    clock.go_on(5)
    store.close()
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        space = again.space("log")
        found = {hit.id: (hit.has_content, hit.vector, hit.expires_us) for hit in space.scan(include_vectors=True)}
        # "a" was observed anew, without a text and with the time to live of the space.
        assert found == {"a": (False, None, clock.day_us + 5 * S), "d": (True, None, clock.day_us + 95 * S)}


def test_compaction_keeps_what_rows_lack_and_when_they_expire(store: MemoryStore, clock: ExpiryClock) -> None:
    space = store.space("log", dim=DIM, vectors="optional")
    space.set_retention(RetentionPolicy(0.0))
    for version in range(20):
        ids = [f"{version}-{row}" if row % 2 else f"{row}" for row in range(20)]
        vectors = [None if row % 3 else vector_of(id, version) for row, id in enumerate(ids)]
        texts = [None if row % 5 == 0 else "and more " * 40 for row in range(20)]
        space.observe(ids, vectors, texts, ttl=[100 + row if row % 2 else None for row in range(20)])
    engine = space._engine
    engine.retention.advance()
    engine.log_compaction.run(Pace(0, lambda: True))
    assert any(record.has_gaps and record.lacks_vectors for record in engine.log.records())
    found = {hit.id: hit for hit in space.scan(include_vectors=True)}
    assert len(found) == 210
    for id, hit in found.items():
        row = int(id.rpartition("-")[2])
        assert (hit.vector is None, hit.has_content) == (row % 3 > 0, row % 5 > 0)
        assert hit.expires_us == (clock.day_us + (100 + row) * S if row % 2 else None)


def test_a_space_that_rests_is_not_opened_for_a_removal(
    space: Space, clock: ExpiryClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe(space, "a", ttl=5)
    engine = space._engine
    asked: list[object] = []
    monkeypatch.setattr(engine._removal, "remove", lambda *arguments: asked.append(arguments))
    engine.remove_expired()
    assert (len(asked), engine.occupancy.hold()) == (1, True)
    engine.occupancy.release()
    monkeypatch.setattr(engine.occupancy, "rests", True)
    engine.remove_expired()
    assert len(asked) == 1


def test_parts_of_one_recall_hide_the_same(space: Space, clock: ExpiryClock) -> None:
    engine = space._engine
    query = many_query([vector_of("a"), vector_of("b")], 5, None)
    observe(space, "a", "b")
    assert exhausted(engine.recall_many(query)).due_us == 0
    observe(space, "c", "d", ttl=[5, 10])
    clock.go_on(5)
    first = exhausted(engine.recall_many(query.part(0, 1)))
    assert (names(first.hits), first.due_us) == ({"a", "b", "d"}, clock.day_us)
    clock.go_on(5)
    clock.remove_expired(space)
    rest = exhausted(engine.recall_many(query.part(1, 2).at(first.generation, first.due_us)))
    assert (names(rest.hits), rest.due_us, rest.generation) == ({"a", "b", "d"}, first.due_us, first.generation)
    named = exhausted(engine.recall_many(query.at(first.generation)))
    assert names(named.hits) == {"a", "b", "c", "d"}


def test_a_store_that_is_opened_read_only_hides_what_is_due_and_removes_nothing(
    space: Space, store: MemoryStore, clock: ExpiryClock, tmp_path: Path
) -> None:
    before = observe(space, "a", "b", ttl=[5, None])
    store.close()
    clock.go_on(5)
    with MemoryStore(tmp_path / "data", read_only=True) as again:
        space = again.space("notes")
        assert answers(space) == [{"b"}] * 6
        assert answers(space, max_generation=before) == [{"a", "b"}] * 6
        space._engine.remove_expired()
        assert (space.generation, len(space), space.get("a")) == (before, 1, None)
        with pytest.raises(Unavailable) as refused:
            space.set_ttl(60)
        assert (refused.value.code, space.ttl_s) == ("read_only", None)


def test_a_default_that_cannot_be_recorded_is_not_in_force(clock: ExpiryClock) -> None:
    storage = FaultyStorage()
    with store_on(storage=storage, options=OPTIONS) as store:
        space = store.space("notes", dim=DIM)
        space.set_ttl(60)
        storage.faults.pending.append(Fault("replace", errno.ENOSPC))
        with pytest.raises(Unavailable):
            space.set_ttl(30)
        observe(space, "a")
        hit = space.get("a")
        assert (space.ttl_s, hit and hit.expires_us) == (60, clock.day_us + 60 * S)
        survivor = storage.after_kill()
    with store_on(storage=survivor, options=OPTIONS) as again:
        assert again.space("notes").ttl_s == 60


def test_the_retention_and_the_default_are_both_recorded(space: Space, store: MemoryStore, tmp_path: Path) -> None:
    space.set_ttl(60)
    space.set_retention(RetentionPolicy(7.0, 5))
    space.set_ttl(30)
    store.close()
    with MemoryStore(tmp_path / "data", options=OPTIONS) as again:
        space = again.space("notes")
        assert (space.ttl_s, space.retention) == (30, RetentionPolicy(7.0, 5))
