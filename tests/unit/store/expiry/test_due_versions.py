"""Which versions a commit takes for deleted because they are due, also of those that it stores itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engram.model.observations import ObservationBatch, make_batch
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from engram.store.expiry.due_versions import DueVersions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.expiry_clock import ExpiryClock, S
from tests.doubles.waiting import Outcomes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ExpiryClock:
    clock = ExpiryClock()
    clock.use(monkeypatch)
    return clock


@pytest.fixture
def space() -> Iterator[Space]:
    with MemoryStore(None, options=StoreOptions(mark_interval_s=3600.0)) as store:
        yield store.space("notes", dim=DIM)


def observed(space: Space, *ids: str, **columns: Any) -> ObservationBatch:
    return space._engine.prepare(make_batch(ids, [vector_of(id) for id in ids], **columns))


def test_of_what_is_stored_the_index_tells(space: Space, clock: ExpiryClock) -> None:
    space.observe(["a", "b"], [vector_of("a"), vector_of("b")], ttl=[5, None])
    due_us = clock.day_us + 5 * S
    early, late = (DueVersions(space._engine._state.attributes, now_us) for now_us in (due_us - 1, due_us))
    assert (early.without([0, 1, 2]), late.without([0, 1, 2])) == ([0, 1, 2], [0, 0, 2])


def test_of_what_the_commit_stores_it_is_told(space: Space, clock: ExpiryClock) -> None:
    due = DueVersions(space._engine._state.attributes, clock.day_us)
    due.add(observed(space, "a", "b", expires_at=[clock.at(0), None]), 11)
    due.add(observed(space, "c", "d", expires_at=[clock.at(1), clock.at(-1)]), 14)
    due.add(observed(space, "e"), 16)
    assert due.without(list(range(11, 17))) == [0, 12, 13, 14, 0, 16]


def test_a_commit_takes_what_it_stores_and_is_due_for_deleted(space: Space, clock: ExpiryClock) -> None:
    engine = space._engine
    done = [Outcomes() for _ in range(4)]
    past = clock.at(-1)
    # As the committer does with what has queued.
    engine._writer.commit(
        [
            CommitRequest(space=engine, batch=observed(space, "a", expires_at=past), done=done[0]),
            CommitRequest(space=engine, batch=observed(space, "a"), expected_generations=[0], done=done[1]),
            CommitRequest(space=engine, batch=observed(space, "b", expires_at=past), done=done[2]),
            CommitRequest(space=engine, delete_ids=["b"], done=done[3]),
        ]
    )
    results = [one.result() for one in done]
    assert [result.last_generation for result in results] == [1, 2, 3, 4]
    # It goes, and nobody has seen it.
    assert results[3].existed == 0
    assert [hit.generation for hit in space.scan()] == [2]
