"""Checkpoints of a store: a restart links only what none covers, and a bad one costs time but no observation."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.log.files.file_storage import FileStorage
from engram.log.manifest import CheckpointEntry, Manifest
from engram.store import MemoryStore, StoreOptions
from engram.store.indexing.checkpoints import summed
from engram.store.indexing.index_maintenance import IndexMaintenance
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.stored_ids import live_ids, observe
from tests.doubles.waiting import wait_until_indexed

# A checkpoint at every end, however little is new.
EVERY = StoreOptions(checkpoint_rest_count_min=1)


def test_a_restart_does_not_link_again_what_was_checkpointed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, *(f"id-{row}" for row in range(500)))
        space.delete(["id-7"])
        wait_until_indexed(space)
    with monkeypatch.context() as patch:
        patch.setattr(HnswIndex, "link", lambda self, count_max, background: 0)
        with MemoryStore(tmp_path) as store:
            space = store.space("notes")
            assert space.indexed_generation == 501
            assert space.stats().checkpoint_generation == 501
            observe(space, "tail")
            assert space.indexed_generation == 501
            # What no checkpoint covers is in the tail, and recallable all the same.
            assert space.recall(vector_of("tail"), k=1)[0].id == "tail"
    with MemoryStore(tmp_path) as store:
        space = store.space("notes")
        wait_until_indexed(space)
        assert len(live_ids(space)) == 500


def test_a_checkpoint_in_the_middle_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = HnswIndex.link
    turns = iter([0] * 2)

    def link_some(index: HnswIndex, _: int, *, background: bool) -> int:
        return real(index, 30, background=background) if next(turns, None) is not None else 0

    with monkeypatch.context() as patch:
        patch.setattr(HnswIndex, "link", link_some)
        with MemoryStore(tmp_path, options=StoreOptions(workers=1, checkpoint_rest_count_min=1)) as store:
            space = store.space("notes", dim=DIM)
            observe(space, *(f"id-{row}" for row in range(100)))
            wait_until_indexed(space, 30)
    with MemoryStore(tmp_path, options=EVERY) as store:
        space = store.space("notes")
        assert 30 <= space.stats().checkpoint_generation < 100
        wait_until_indexed(space)
        assert len(live_ids(space)) == 100
        for row in (0, 29, 30, 99):
            assert space.recall(vector_of(f"id-{row}"), k=1)[0].id == f"id-{row}"


@pytest.mark.parametrize("how", ["flip", "cut", "swap"])
def test_a_broken_checkpoint_costs_only_time(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    with MemoryStore(tmp_path, options=EVERY) as store:
        space = store.space("notes", dim=DIM)
        observe(space, *(f"id-{row}" for row in range(50)))
        wait_until_indexed(space)
    (checkpoint,) = (tmp_path / "spaces/notes/checkpoints").iterdir()
    content = bytearray(checkpoint.read_bytes())
    if how == "swap":
        # Whole and listed, but of another index.
        index = HnswIndex(DIM * 2)
        index.add(batch_of(["x"], dim=DIM * 2).vectors)
        index.save(checkpoint)
        storage = FileStorage(tmp_path / "spaces/notes")
        found = summed(storage.directory("checkpoints"), checkpoint.name)
        assert found is not None
        Manifest.read(storage).set_checkpoints([CheckpointEntry(checkpoint.name, 50, *found)])
    else:
        content[len(content) // 2] ^= 4
        checkpoint.write_bytes(content if how == "flip" else content[:-100])
    with MemoryStore(tmp_path, options=EVERY) as store:
        space = store.space("notes")
        assert space.stats().checkpoint_generation == 0
        assert len(live_ids(space)) == 50
        wait_until_indexed(space)
        (damage,) = store.damages()
        assert damage.file == f"checkpoints/{checkpoint.name}"
    assert "it only costs time" in caplog.text
    with MemoryStore(tmp_path, options=EVERY) as store:
        assert store.space("notes").stats().checkpoint_generation == 50
        assert store.damages() == ()


def test_checkpoints_are_written_as_the_graph_grows(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=StoreOptions(checkpoint_count_min=100)) as store:
        space = store.space("notes", dim=DIM)
        for number in range(20):
            observe(space, *(f"{number}-{row}" for row in range(100)))
            wait_until_indexed(space)
        store.checkpoint()
        stats = space.stats()
        assert stats.checkpoint_generation == 2000
        # At 100 % of growth per quarter: far fewer than one for every hundred.
        assert 2 <= stats.checkpoints <= 16
        assert len(list((tmp_path / "spaces/notes/checkpoints").iterdir())) == 2


@pytest.mark.parametrize(("live", "dead", "since"), [(20, 0, 10), (400, 0, 100), (200, 200, 100)])
def test_a_checkpoint_is_due_after_a_share_of_what_is_there(live: int, dead: int, since: int) -> None:
    """Of the generations, most may be gone."""
    index = SimpleNamespace(indexed_generation=10**9, live_count=live, dead_count=dead, unreadable_count=0)
    state: Any = SimpleNamespace(
        index=index, checkpoint_generation=10**9, checkpoints=object(), log=SimpleNamespace(read_only=False)
    )
    indexing = IndexMaintenance(state, StoreOptions(checkpoint_count_min=10, checkpoint_percent=25))
    index.indexed_generation += since - 1
    assert not indexing.checkpoint_is_due()
    index.indexed_generation += 1
    assert indexing.checkpoint_is_due()


def test_a_failed_checkpoint_is_reported_and_harmless(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        wait_until_indexed(space)
        shutil.rmtree(tmp_path / "spaces/notes/checkpoints")
        with pytest.raises(Unavailable):
            store.checkpoint()
        observe(space, "b")
    with MemoryStore(tmp_path) as store:
        assert live_ids(store.space("notes")) == ["a", "b"]


def test_a_store_in_memory_needs_no_checkpoints() -> None:
    with MemoryStore(None) as store:
        observe(store.space("notes", dim=DIM), "a")
        store.checkpoint()
        assert store.path is None
