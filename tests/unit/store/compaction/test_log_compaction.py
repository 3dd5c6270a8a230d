"""Compaction of a space: what becomes free, what is held, what is refused afterwards."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput
from engram.maintenance.compact import compact
from engram.metrics import table
from engram.model.values.retention_policy import EVERYTHING, RetentionPolicy
from engram.store import Cue, MemoryStore, RecallStream, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from engram.store.compaction.pace import Pace
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.waiting import TIMEOUT_S, Outcomes

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(20)]


def write(space: Space, rounds: int = 40) -> None:
    for number in range(rounds):
        vectors = np.array([vector_of(id, number) for id in IDS])
        texts = [f"{id} of round {number} " + "and more " * 10 for id in IDS]
        space.observe(IDS, vectors, texts, tags=[[f"round-{number}"]] * len(IDS), metadata=[{"n": number}] * len(IDS))


def compacted(space: Space) -> int:
    """Compact, and return how many bytes of files that freed."""
    engine = space._engine
    engine.retention.advance()
    before = engine.log_compaction.freed_bytes
    engine.log_compaction.run(Pace(0, lambda: True))
    return engine.log_compaction.freed_bytes - before


def read_on(stream: RecallStream) -> None:
    for _ in range(10):
        stream.poll()


def file_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "spaces" / "notes" / "log").iterdir())


def test_the_disk_gets_back_what_is_not_retained(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        write(space)
        before = file_bytes(tmp_path)
        freed = compacted(space)
        assert freed == before - file_bytes(tmp_path) > before // 2
        assert space.stats().metrics.value(table.LOG_FREED_BYTES) == freed
        assert compacted(space) == 0, "there is nothing more"
        assert space.stats().live_count == len(IDS)
        for id in IDS:
            hit = space.get(id)
            assert hit is not None
            assert hit.content.startswith(f"{id} of round 39 ")
            assert np.array_equal(np.asarray(hit.vector), vector_of(id, 39))


def test_the_segment_in_use_is_ended_if_most_of_the_log_is_dead_in_it(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=replace(QUIET, segment_bytes=64 << 20)) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(0.0, 0))

        def write_large(rounds: int) -> None:
            for number in range(rounds):
                vectors = np.array([vector_of(id, number) for id in IDS])
                space.observe(IDS, vectors, [f"{id} of round {number} " + "x" * 50_000 for id in IDS])

        log = space._engine._state.log
        for _ in range(40):
            write_large(1)
            if log.present is not None and log.present.end > 6 << 20:
                break
        assert compacted(space) > 4 << 20
        assert log.nbytes < 2 * len(IDS) * 50_000
        # What is dead in it now is too little to end one more.
        write_large(2)
        present = log.present
        compacted(space)
        assert present is not None
        assert log.present is present
    with MemoryStore(tmp_path, options=QUIET) as store:
        hit = store.space("notes").get(IDS[-1])
        assert hit is not None
        assert hit.content.startswith(f"{IDS[-1]} of round 1 ")


def test_memory_of_dead_versions_is_freed_too(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        write(space)
        attributes = space._engine._state.attributes
        before = attributes.nbytes
        assert len(attributes.tagged("round-3").view) == len(IDS)
        compacted(space)
        assert len(attributes.tagged("round-3").view) == 0
        assert attributes.tagged("round-39").view.tolist() == list(
            range(space.generation - len(IDS) + 1, space.generation + 1)
        )
        key = attributes.key(("n",))
        assert key is not None
        assert key.numbers is not None
        assert key.numbers.generations.tolist() == attributes.tagged("round-39").view.tolist()
        assert attributes.nbytes < before


def test_a_new_space_retains_a_day_and_an_older_one_everything(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        assert space.retention == RetentionPolicy(86_400.0, 100_000)
        write(space)
        assert compacted(space) == 0
        manifest = space._engine._state.manifest
        manifest.change_settings(lambda now: {key: value for key, value in now.items() if key != "retention"})
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes")
        assert space.retention == EVERYTHING
        assert compacted(space) == 0
        space.set_retention(RetentionPolicy(0.0))
        assert compacted(space) > 0
    with MemoryStore(tmp_path, options=QUIET) as store:
        assert store.space("notes").retention == RetentionPolicy(0.0)


def test_what_is_held_stays_until_it_is_let_go(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        write(space, 3)
        held = space.snapshot()
        stream = space.recall_stream(Cue(vector_of("a")), k=50, batch_size=1)
        read = [next(stream)[0].id]
        write(space)
        compacted(space)
        assert {hit.id for hit in held.recall(Cue(vector_of("a")), k=50)} == set(IDS)
        assert all(" of round 2 " in hit.content for hit in held.recall(Cue(vector_of("a")), k=50))
        read += [hit.id for batch in stream for hit in batch]
        assert sorted(read) == sorted(IDS)
        with pytest.raises(FailedPrecondition) as refused:
            space.recall(Cue(vector_of("a")), max_generation=held.generation)
        assert refused.value.code == "snapshot_expired"
        generation = held.generation
        del held, stream
        assert compacted(space) > 0
        assert generation < space._engine._state.log.horizon.generation


def test_a_standing_recall_that_was_left_unread_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = StoreOptions(
        segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0, follower_count_max=5
    )
    with MemoryStore(tmp_path, options=options) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        stream = space.recall_stream(Cue(), follow=True)
        assert stream.next_batch() == []
        write(space)
        while space._engine.subscriptions.advance():
            pass
        compacted(space)
        assert stream.poll()[0].content.startswith("id-0 of round 0 "), "what it has yet to take is held"
        monkeypatch.setattr("engram.store.subscriptions.subscription.LEASE_S", -1.0)
        monkeypatch.setattr("engram.store.recall.stream.LEASE_S", -1.0)
        compacted(space)
        with pytest.raises(FailedPrecondition) as refused:
            read_on(stream)
        assert refused.value.code == "snapshot_expired"


@pytest.mark.parametrize("policy", [None, "a day", 3, {"history_s": 1}], ids=repr)
def test_a_retention_of_another_kind_is_refused(tmp_path: Path, policy: object) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        with pytest.raises(InvalidInput) as refused:
            space.set_retention(policy)  # type: ignore[arg-type]
        assert refused.value.code == "invalid_retention"
        assert space.retention == RetentionPolicy()


@pytest.mark.parametrize(
    "fields",
    [{"history_s": -1}, {"history_s": float("nan")}, {"history_s": "1"}, {"dead_count": -1}, {"dead_count": 1.5}],
)
def test_a_retention_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        RetentionPolicy(**fields)  # type: ignore[arg-type]


def test_a_directory_is_compacted_while_nobody_uses_it(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        write(space)
    before = sorted(os.listdir(tmp_path / "spaces" / "notes" / "log"))
    dry = compact(tmp_path, is_dry=True)
    assert sorted(os.listdir(tmp_path / "spaces" / "notes" / "log")) == before
    report = compact(tmp_path, spaces=["notes"])
    assert report.failed == dry.failed == {}
    assert dry.spaces[0].freed_bytes == pytest.approx(report.spaces[0].freed_bytes, rel=0.2)
    assert report.spaces[0].freed_bytes > 100_000
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").stats().live_count == len(IDS)


def test_a_segment_that_has_only_the_progress_of_sessions_is_left_alone() -> None:
    """What is kept of it is all of it, so that nothing would become free, again and again."""
    with MemoryStore(None, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        engine = space._engine
        for number in range(150):
            outcomes = Outcomes()
            batch = engine.prepare(batch_of(["a"], version=number))
            session = f"session-{number}-".ljust(60, "-")
            store._engine.submit(
                CommitRequest(space=engine, batch=batch, session=session, first_sequence=1, done=outcomes)
            )
            outcomes.result()
        space.delete(["a"])
        write(space, 4)
        compacted(space)
        pages = engine._state.log.pages
        assert not pages[0].records
        assert pages[0].segment.file.size > 10_000
        before = engine.log_compaction.compactions
        assert before > 0
        assert engine.log_compaction.choice.next_run(engine.retention.expired) == ()
        assert compacted(space) == 0
        assert engine.log_compaction.compactions == before


class _Told(set[object]):
    """Says when something is added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.added = threading.Event()

    def add(self, element: object) -> None:
        super().add(element)
        self.added.set()


def test_who_waits_to_erase_waits_for_one_run_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each run has one segment.
    monkeypatch.setattr("engram.store.compaction.segment_choice._RUN_BYTES_MAX", -1)
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        write(space)
        compaction, waiting = space._engine.log_compaction, _Told()
        monkeypatch.setattr(compaction, "_waiting", waiting)
        erasing = threading.Thread(target=space.erase, args=([IDS[0]],))
        told: list[int] = []

        def pace(nbytes: int) -> None:
            if not told:
                erasing.start()
                assert waiting.added.wait(TIMEOUT_S)
            told.append(nbytes)

        space._engine.retention.advance()
        compaction.run(pace)
        assert compaction.compactions == 1
        assert set(told[1:]) == {0}, "the rest of that run is not spread over time"
        erasing.join(TIMEOUT_S)
        assert not compaction.is_erasing
        assert space.get(IDS[0]) is None
        assert compaction.is_due(), "what is left is found again"
        compaction.run(Pace(0, lambda: True))
        assert compaction.compactions > 2
        assert len(space) == len(IDS) - 1
