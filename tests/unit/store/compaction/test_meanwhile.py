"""What goes on while segments are rewritten: commits, recalls and streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.log.compaction import Survivors
from engram.log.records.progress import Horizon
from engram.log.records.record_table import RecordPage
from engram.maintenance.verify import verify
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitResult
from engram.store.commit.writable_space import WritableSpace
from engram.store.compaction.segment_rewriting import SegmentRewriting
from tests.doubles.batches import vector_of
from tests.doubles.waiting import TIMEOUT_S, wait_until_indexed

DIM = 128
# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number:02}" for number in range(40)]
ERASED = IDS[3:6]


def content(id: str, version: int) -> str:
    return f"{id} of version {version}"


def observe(space: Space, ids: list[str], version: int = 0) -> None:
    vectors = np.array([vector_of(id, version, DIM) for id in ids])
    tags = [["erased" if id in ERASED else "kept"] for id in ids]
    space.observe(ids, vectors, [content(id, version) for id in ids], tags=tags)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "data", options=QUIET) as opened:
        yield opened


class Gate:
    """Holds up the thread that comes to it until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def pass_through(self) -> None:
        self.reached.set()
        assert self.opened.wait(TIMEOUT_S)


def test_a_segment_with_rows_of_a_commit_under_way_is_rewritten_after_it(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit writes to two segments before it publishes anything. The graph must learn where all of it is."""
    asked, seen = threading.Event(), list[tuple[int, int]]()
    rewrite, end_segment = SegmentRewriting.rewrite, WritableSpace._end_segment

    def rewriting(self: SegmentRewriting, run: list[RecordPage], horizon: Horizon, survivors: Survivors) -> int:
        seen.append((run[-1].last_generation, self._state.index.visible_generation))
        asked.set()
        return rewrite(self, run, horizon, survivors)

    def ending(self: WritableSpace) -> None:
        asked.set()
        end_segment(self)

    monkeypatch.setattr(SegmentRewriting, "rewrite", rewriting)
    monkeypatch.setattr(WritableSpace, "_end_segment", ending)
    space = store.space("notes", dim=DIM)
    observe(space, IDS[:8])
    space.delete([IDS[3]])
    engine, limit = space._engine, space.generation
    log = engine._state.log
    sync, gates = log.sync, [Gate(), Gate()]
    waiting = list(gates)

    def held() -> None:
        if waiting:
            waiting.pop(0).pass_through()
        sync()

    monkeypatch.setattr(log, "sync", held)
    # What comes while a commit is under way is the next commit: a record for the present segment, and one for the next.
    answers = [space.submit("first", vector_of("first", 0, DIM))]
    assert gates[0].reached.wait(TIMEOUT_S)
    small, large = IDS[8:12], [f"large-{number}" for number in range(100)]
    for ids in (small, large):
        answers.append(space.submit(ids, np.array([vector_of(id, 0, DIM) for id in ids]), ids))
    gates[0].opened.set()
    assert gates[1].reached.wait(TIMEOUT_S)
    assert len(log.pages) == 2
    assert log.pages[0].last_generation > space.generation, "it is written, and not published"
    assert log.pages[1].first_generation > limit
    erasing = threading.Thread(target=engine.erase_deleted, args=([IDS[3]], CommitResult(limit, limit, 1, as_of=limit)))
    erasing.start()
    assert asked.wait(TIMEOUT_S)
    gates[1].opened.set()
    erasing.join(TIMEOUT_S)
    for answer in answers:
        answer.result(TIMEOUT_S)
    assert seen
    assert all(last <= visible for last, visible in seen)
    for id in [*IDS[:3], "first", *small, *large]:
        assert space.recall(vector_of(id, 0, DIM), k=1)[0].id == id
    assert store.damages() == ()


@pytest.mark.parametrize("is_erased", [False, True], ids=["compacted", "erased"])
def test_recalls_streams_and_commits_go_on(store: MemoryStore, tmp_path: Path, is_erased: bool) -> None:
    space = store.space("notes", dim=DIM)
    space.set_retention(RetentionPolicy(None, 0))
    for version in range(12):
        observe(space, IDS, version)
    wait_until_indexed(space)
    engine = space._engine
    kept = [id for id in IDS if id not in ERASED]
    if is_erased:
        space.delete(ERASED)
        engine._erasure.note(ERASED, space.generation)
    cue = Cue(vector_of(kept[0], 11, DIM), filter=Filter(tags={"kept"}))
    stream = space.recall_stream(cue, k=len(kept), batch_size=1)
    read = [hit.id for hit in next(stream)]
    written: list[str] = []

    def meanwhile(nbytes: int) -> None:
        # In the middle of it.
        for id in kept[::9]:
            (hit,) = space.recall(vector_of(id, 11, DIM), k=1)
            assert (hit.id, hit.content) == (id, content(id, 11))
            assert np.array_equal(np.asarray(hit.vector), vector_of(id, 11, DIM))
        if len(written) < 10:
            written.append(f"new-{len(written)}")
            observe(space, written[-1:])
            assert space.recall(vector_of(written[-1], 0, DIM), k=1)[0].id == written[-1]
        if stream.more_results:
            read.extend(hit.id for hit in stream.next_batch())

    engine.retention.advance()
    pages = len(engine._state.log.pages)
    engine.log_compaction.run(meanwhile)
    assert not engine.log_compaction.is_erasing
    if not is_erased:
        assert len(engine._state.log.pages) < pages
    read += [hit.id for batch in stream for hit in batch]
    assert sorted(read) == kept
    assert len(written) == 10
    check(space, [*(kept if is_erased else IDS), *written])
    store.close()
    with MemoryStore(tmp_path / "data", options=QUIET) as again:
        check(again.space("notes"), [*(kept if is_erased else IDS), *written])
    assert verify(tmp_path / "data").is_sound


def check(space: Space, ids: list[str]) -> None:
    assert sorted(hit.id for hit in space.scan()) == sorted(ids)
    for id in ids:
        version = 0 if id.startswith("new") else 11
        (hit,) = space.recall(vector_of(id, version, DIM), k=1)
        assert (hit.id, hit.content) == (id, content(id, version))
    assert space.stats().problems == ()
