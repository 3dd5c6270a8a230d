"""Which versions a commit takes for deleted because they are due, also of those that it stores itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram.model.observations import ObservationBatch, make_batch
from engram.model.values.expiry import NEVER_US
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from engram.store.expiry.due_versions import DueVersions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.expiry_clock import ExpiryClock
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


def test_of_what_is_stored_the_index_tells(space: Space, clock: ExpiryClock) -> None:
    space.observe(["a", "b"], [vector_of("a"), vector_of("b")], ttl=[5, None])
    clock.go_on(4)
    early = DueVersions(space._engine._state.attributes, 2)
    assert (early.may_be, 1 in early) == (True, False)
    clock.go_on(1)
    late = DueVersions(space._engine._state.attributes, 2)
    assert [generation in late for generation in range(4)] == [False, True, False, False]
    # All is asked as of one time.
    assert 1 not in early


def test_of_what_the_commit_stores_it_is_told(space: Space, clock: ExpiryClock) -> None:
    due = DueVersions(space._engine._state.attributes, 10)
    assert not due.may_be
    due.add(11, np.array([clock.day_us, NEVER_US]))
    due.add(14, np.array([clock.day_us + 1, clock.day_us - 1]))
    assert due.may_be
    assert [generation for generation in range(20) if generation in due] == [11, 15]


def test_a_commit_takes_what_it_stores_and_is_due_for_deleted(space: Space, clock: ExpiryClock) -> None:
    engine = space._engine

    def observed(id: str, **columns: Any) -> ObservationBatch:
        return engine.prepare(make_batch([id], [vector_of(id)], **columns))

    done = [Outcomes() for _ in range(4)]
    past = clock.at(-1)
    # As the committer does with what has queued.
    engine._writer.commit(
        [
            CommitRequest(space=engine, batch=observed("a", expires_at=past), done=done[0]),
            CommitRequest(space=engine, batch=observed("a"), expected_generations=[0], done=done[1]),
            CommitRequest(space=engine, batch=observed("b", expires_at=past), done=done[2]),
            CommitRequest(space=engine, delete_ids=["b"], done=done[3]),
        ]
    )
    results = [one.result() for one in done]
    assert [result.last_generation for result in results] == [1, 2, 3, 4]
    # It goes, and nobody has seen it.
    assert results[3].existed == 0
    assert [hit.generation for hit in space.scan()] == [2]
