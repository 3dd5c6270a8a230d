"""The engine: what its end leaves behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engram.errors import NotFound, OverCapacity, Unavailable
from engram.log.files.file_storage import FileStorage
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store import MemoryStore
from engram.store.indexing.checkpoints import Checkpoints
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.resting.space_opening import SpaceOpening
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine
from tests.doubles.batches import DIM, batch_of

COUNT = 500
TIMEOUT_S = 60.0


async def test_closing_links_what_waits_and_writes_one_checkpoint_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    held, closing = threading.Event(), threading.Event()
    write, link, close = Checkpoints.write, IndexMaintenance.link, StoreEngine.close

    def counting(checkpoints: Checkpoints, index: Any) -> int:
        written.append(write(checkpoints, index))
        return written[-1]

    def lingering(indexing: IndexMaintenance, count_max: int) -> int:
        if indexing.pending < COUNT:
            held.set()
            assert closing.wait(TIMEOUT_S)
        return link(indexing, min(count_max, 100))

    def going_on(store: StoreEngine) -> None:
        closing.set()
        close(store)

    monkeypatch.setattr(Checkpoints, "write", counting)
    monkeypatch.setattr(IndexMaintenance, "link", lingering)
    monkeypatch.setattr(StoreEngine, "close", going_on)
    engine = Engine.open(ServerOptions(tmp_path, default_space=SpaceConfig("default", DIM)))
    space = engine.store.space("default", create=False)
    await engine.ingest.observe(space, batch_of([f"id-{number}" for number in range(COUNT)]), Priority.NORMAL)
    assert await asyncio.to_thread(held.wait, TIMEOUT_S)
    await engine.close()
    assert written == [COUNT]


async def test_a_disk_down_to_its_reserve_is_a_problem_and_refuses_all_but_deletions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = SpaceConfig("default", DIM)
    engine = Engine.open(ServerOptions(tmp_path, default_space=default, disk_free_bytes_min=1000))
    free = 900
    monkeypatch.setattr(FileStorage, "unreserved_bytes", lambda _: free)
    try:
        space = engine.store.space("default", create=False)
        await engine.ingest.observe(space, batch_of(["a"]), Priority.NORMAL)
        engine.tick()
        (problem,) = engine.store.problems()
        assert (problem.name, problem.space, problem.level) == ("disk_full", "", "failed")
        for words in ("900 bytes are free", str(tmp_path), "1000 are kept free"):
            assert words in problem.message
        for priority in Priority:
            with pytest.raises(OverCapacity) as refusal:
                await engine.ingest.observe(space, batch_of(["b"]), priority)
            assert refusal.value.field == "disk_free_bytes"
        assert (await engine.ingest.delete(space, ["a"])).existed == 1
        free = 100_000
        engine.tick()
        assert engine.store.problems() == ()
        await engine.ingest.observe(space, batch_of(["b"]), Priority.NORMAL)
    finally:
        await engine.close()


async def test_an_engine_that_cannot_be_opened_leaves_neither_a_lock_nor_threads(
    own_threads: Callable[[], list[str]], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="nope"):
        Engine.open(ServerOptions(tmp_path, default_space=SpaceConfig("default", DIM, embedder="nope")))
    assert own_threads() == []
    MemoryStore(tmp_path).close()


async def test_a_space_that_is_being_created_does_not_stop_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
    begun, let_go, create = threading.Event(), threading.Event(), SpaceOpening.created

    def slow(opening: SpaceOpening, config: SpaceConfig) -> SpaceEngine:
        begun.set()
        assert let_go.wait(TIMEOUT_S)
        return create(opening, config)

    monkeypatch.setattr(SpaceOpening, "created", slow)
    creating = asyncio.ensure_future(engine.in_thread(lambda: engine.store.space("notes", DIM)))
    assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
    # Whoever may wait for it does.
    waiting = asyncio.ensure_future(asyncio.to_thread(engine.store.space, "notes", create=False))
    with pytest.raises(Unavailable) as refusal:
        engine.space("notes")
    assert (refusal.value.code, refusal.value.is_transient, creating.done()) == ("being_created", True, False)
    let_go.set()
    assert await creating is await waiting is engine.space("notes")
    await engine.close()
