"""The engine: what its end leaves behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from engram.errors import NotFound
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store import MemoryStore
from engram.store.indexing.checkpoints import Checkpoints
from engram.store.indexing.index_maintenance import IndexMaintenance
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


async def test_an_engine_that_cannot_be_opened_leaves_neither_a_lock_nor_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(NotFound, match="nope"):
        Engine.open(ServerOptions(tmp_path, default_space=SpaceConfig("default", DIM, embedder="nope")))
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("engram-recall")] == []
    assert threading.active_count() <= before
    MemoryStore(tmp_path).close()
