"""On a full disk, what fits is stored, what does not is refused by its size, and writes go on when there is room."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest

from engram.errors import Unavailable
from engram.model.observations import ObservationBatch
from engram.store import MemoryStore, Space
from engram.store.commit.queue import CommitRequest
from tests.doubles.batches import batch_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stored_ids import live_ids, observe
from tests.unit.store.health.levels import levels, names


def of_bytes(id: str, nbytes: int) -> ObservationBatch:
    """An observation with a text of so many bytes."""
    return replace(batch_of([id]), contents=["x" * nbytes])


def test_writes_go_on_as_soon_as_their_size_fits(store: MemoryStore, space: Space, storage: FaultyStorage) -> None:
    storage.faults.room = 0
    with pytest.raises(Unavailable) as refusal:
        observe(space, "a")
    assert (refusal.value.code, refusal.value.limit, refusal.value.value) == ("disk_full", "0", "8192")
    assert "a write needs 8192 bytes, and 0 are free" in refusal.value.message
    (problem,) = space.stats().problems
    assert (problem.name, problem.message) == ("disk_full", refusal.value.message)
    assert levels(store, space) == ("failed", "failed")
    storage.faults.room = 8191
    with pytest.raises(Unavailable):
        observe(space, "a")
    # Far less than a segment: the problem is over before anybody writes.
    storage.faults.room = 8192
    assert levels(store, space) == ("ok", "ok")
    observe(space, "a")
    assert live_ids(space) == ["a"]


def test_what_fits_is_stored_while_something_larger_is_refused(space: Space, storage: FaultyStorage) -> None:
    observe(space, "a")
    storage.faults.room = 100_000
    with pytest.raises(Unavailable) as refusal:
        space._engine.submit(of_bytes("large", 2_000_000)).result()
    assert int(refusal.value.value) > 2_000_000
    assert refusal.value.limit == "100000"
    observe(space, "b")
    assert names(space) == ["disk_full"], "the large one would still find no room"
    storage.faults.room = 3_000_000
    assert names(space) == []
    space._engine.submit(of_bytes("large", 2_000_000)).result()
    assert live_ids(space) == ["a", "b", "large"]


def test_a_group_that_does_not_fit_is_stored_as_far_as_it_does(space: Space, storage: FaultyStorage) -> None:
    """Also deletions: they need no more room than the segment in use still has."""
    observe(space, "a", "b")
    storage.faults.room = 0
    outcomes: list[Any] = []
    requests = [
        CommitRequest(space=space._engine, batch=of_bytes("large", 2_000_000), delete_ids=None, done=outcomes.append),
        CommitRequest(space=space._engine, batch=None, delete_ids=["a"], done=outcomes.append),
        CommitRequest(space=space._engine, batch=batch_of(["c"]), delete_ids=None, done=outcomes.append),
    ]
    for request in requests:
        space._engine.admit(request)
    space._engine.commit(requests)
    assert isinstance(outcomes[0], Unavailable)
    assert outcomes[0].code == "disk_full"
    assert [outcome.count for outcome in outcomes[1:]] == [1, 1]
    assert live_ids(space) == ["b", "c"]


def test_a_group_of_which_nothing_fits_is_not_tried_one_by_one(space: Space, storage: FaultyStorage) -> None:
    observe(space, "a", "b")
    engine, outcomes = space._engine, list[Any]()

    def sent() -> CommitRequest:
        return CommitRequest(
            space=engine, batch=batch_of(["sent"]), session="s", first_sequence=1, done=outcomes.append
        )

    engine.admit(first := sent())
    engine.commit([first])
    outcomes.clear()
    storage.faults.room = 0
    requests = [
        CommitRequest(space=engine, batch=of_bytes(f"id-{number}", 100_000), done=outcomes.append)
        for number in range(256)
    ]
    requests += [
        CommitRequest(space=engine, delete_ids=["a"], done=outcomes.append),
        sent(),
        CommitRequest(space=engine, batch=batch_of(["c"]), done=outcomes.append),
    ]
    for request in requests:
        engine.admit(request)
    before = storage.faults.calls.count("create")
    engine.commit(requests)
    assert {outcome.code for outcome in outcomes[:256]} == {"disk_full"}
    assert (outcomes[256].existed, outcomes[257].duplicate, outcomes[258].count) == (1, True, 1)
    assert sorted(live_ids(space)) == ["b", "c", "sent"]
    # Two sizes of a segment for each group on the way to the first request, and for those around what fits.
    assert storage.faults.calls.count("create") - before < 50


def test_a_full_disk_without_numbers_is_over_when_it_gives_room(space: Space, storage: FaultyStorage) -> None:
    """As under a quota, of which the free bytes do not tell."""
    storage.faults.pending.append(Fault("create", errno.EDQUOT, times=3))
    with pytest.raises(Unavailable) as refusal:
        observe(space, "a")
    assert refusal.value.code == "disk_full"
    assert names(space) == ["disk_full"]
    storage.faults.pending.clear()
    assert names(space) == ["disk_full"]
    observe(space, "a")
    assert names(space) == []


def test_the_segment_of_a_nearly_full_disk_is_what_fits(space: Space, storage: FaultyStorage) -> None:
    storage.faults.room = 40_000
    for number in range(6):
        observe(space, f"id-{number}")
    sizes = [len(segment.view) for segment in space._engine._state.log.segments]
    assert sizes == [16_384], "a quarter of what is taken else"
    assert len(live_ids(space)) == 6
