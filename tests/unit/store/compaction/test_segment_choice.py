"""Which segments are compacted: a thorough compaction has that of the horizon, too, and changes no answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engram.model.values.retention_policy import EVERYTHING, RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.compaction import ended_counts, log_compaction
from engram.store.compaction.pace import Pace
from tests.doubles.batches import DIM, batch_of
from tests.doubles.stored_ids import observe
from tests.doubles.waiting import Outcomes

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(20)]
SESSION = "a session"
VERSIONS = 60


def send(store: MemoryStore, space: Space, version: int) -> CommitResult:
    """Observe all ids in a session."""
    engine, outcomes = space._engine, Outcomes()
    batch = engine.prepare(batch_of(IDS, version=version))
    first = 1 + version * len(IDS)
    store._engine.submit(CommitRequest(space=engine, batch=batch, session=SESSION, first_sequence=first, done=outcomes))
    return outcomes.result()


def answers(space: Space) -> dict[int, list[tuple[str, str, int]]]:
    """What is there as of each generation that is retained."""
    return {
        generation: sorted((hit.id, hit.content, hit.generation) for hit in space.snapshot(generation).scan())
        for generation in range(space._engine.retention.oldest, space.generation + 1)
    }


def commit_times(space: Space) -> dict[int, int]:
    """The commit times of the records behind the horizon, by the last generation of each."""
    engine = space._engine
    return {
        one.last_generation: one.committed_us for one in engine._state.log.records_from(engine.retention.oldest + 1)
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=QUIET) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    """A space whose horizon is within a segment and within a commit; all before this segment is compacted."""
    space = store.space("notes", dim=DIM)
    space.set_retention(EVERYTHING)
    for version in range(VERSIONS):
        send(store, space, version)
    space.delete([IDS[0]])
    space.set_retention(RetentionPolicy(None, 200))
    engine = space._engine
    engine.log_compaction.run(Pace(0, lambda: True))
    horizon = engine.retention.expired
    assert horizon % len(IDS)
    page = next(page for page in engine._state.log.pages if page.last_generation >= horizon)
    assert page.first_generation < horizon < page.last_generation < space.generation
    return space


def test_the_segment_of_the_horizon_is_compacted_thoroughly(store: MemoryStore, space: Space, tmp_path: Path) -> None:
    engine = space._engine
    compaction, log, horizon = engine.log_compaction, engine._state.log, engine.retention.expired
    assert not compaction.choice.next_run(horizon)
    before, times = answers(space), commit_times(space)
    freeable, freed, size = compaction.freeable_bytes(), compaction.freed_bytes, log.nbytes
    compaction.run(Pace(0, lambda: True), thorough=True)
    freed = compaction.freed_bytes - freed
    assert freed > 10_000
    assert freeable == pytest.approx(freed, rel=0.2)
    assert log.nbytes < size
    assert log.horizon.generation == horizon
    assert answers(space) == before
    assert commit_times(space) == times, "what can be recalled by time keeps its own"
    assert not compaction.choice.next_run(horizon, thorough=True), "there is nothing more"
    store.close()
    with MemoryStore(tmp_path, options=QUIET) as again:
        space = again.space("notes")
        assert answers(space) == before
        assert commit_times(space) == times
        assert space._engine.durable_sequence(SESSION) == VERSIONS * len(IDS)
        assert send(again, space, VERSIONS - 1).duplicate


def test_a_compaction_is_thorough_once_the_horizon_has_settled(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    compaction = space._engine.log_compaction
    monkeypatch.setattr(log_compaction, "_LOOKING_SHARE", 0)
    assert not compaction.is_due()
    freed = compaction.freed_bytes
    compaction.run(Pace(0, lambda: True))
    assert compaction.freed_bytes == freed
    monkeypatch.setattr(log_compaction, "_SETTLED_S", 0.0)
    assert compaction.is_due()
    assert not compaction.is_due(), "it has looked"
    compaction.run(Pace(0, lambda: True))
    assert compaction.freed_bytes > freed


def test_a_deletion_behind_the_horizon_still_hides_what_is_before_it(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ended versions are counted one by one.
    monkeypatch.setattr(ended_counts, "_GROUP_BITS", 0)
    space = store.space("notes", dim=DIM)
    space.set_retention(EVERYTHING)
    for version in range(3):
        observe(space, *IDS, version=version)
    deletion = space.delete([IDS[0]]).generation
    log = space._engine._state.log
    while len(log.pages) == 1:
        observe(space, *IDS[1:])
    # The first version of each id ended with the second one, and half of those with the third one.
    ended = space.generation - len(IDS)
    space.set_retention(RetentionPolicy(None, ended - 3 * len(IDS) // 2 - len(space)))
    horizon = space._engine.retention.expired
    assert horizon == 5 * len(IDS) // 2 < deletion < log.pages[0].last_generation
    space._engine.log_compaction.run(Pace(0, lambda: True), thorough=True)
    assert log.pages[0].segment.revision == 1
    store.close()
    with MemoryStore(tmp_path, options=QUIET) as again:
        space = again.space("notes")
        assert space.get(IDS[0]) is None
        assert space.get(IDS[0], max_generation=horizon) is not None
