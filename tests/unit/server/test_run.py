"""Running a server: whatever ends it, its ports are closed, and its directory is free."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from engram import MemoryStore
from engram.server import ServerOptions, run, run_server
from engram.server.process_tuning import MemoryReturn

TIMEOUT_S = 60.0


class Heard:
    """The addresses that a server told, and an event that is set once it told all."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.all = asyncio.Event()

    def options(self, data: Path) -> ServerOptions:
        return ServerOptions(data, port=0, http_port=0, ready=self._ready, http_ready=self._http_ready)

    async def nobody_listens(self) -> bool:
        for address in self.addresses:
            host, _, port = address.removeprefix("http://").partition(":")
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                continue
            writer.close()
            return False
        return len(self.addresses) == 2

    def _ready(self, address: str) -> None:
        self.addresses.append(address)

    def _http_ready(self, address: str) -> None:
        self.addresses.append(address)
        self.all.set()


async def test_a_server_that_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    heard = Heard()
    server = asyncio.create_task(run_server(heard.options(tmp_path / "data")))
    await heard.all.wait()
    assert not await heard.nobody_listens()
    server.cancel()
    await asyncio.wait([server])
    assert server.cancelled()
    assert await heard.nobody_listens()
    MemoryStore(tmp_path / "data").close()


async def test_a_server_whose_caller_fails_when_it_is_ready_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    monkeypatch.setattr(heard.all, "set", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await run_server(heard.options(tmp_path / "data"))
    assert await heard.nobody_listens()
    MemoryStore(tmp_path / "data").close()


class Ticking:
    """The part of an engine that is ticked: the first ticks fail, and one more sets `went_on`."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.stored_bytes = 0
        self.went_on = asyncio.Event()

    def tick(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise OSError(errno.EIO, "the disk says nothing")
        self.went_on.set()


async def test_ticks_go_on_after_one_that_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "_TICK_S", 0.0)
    engine: Any = Ticking(failures=3)
    async with asyncio.timeout(TIMEOUT_S), run._ticking(engine):
        await engine.went_on.wait()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_ticks_do_not_wait_until_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, looks = threading.Event(), list[int]()

    def look(_: MemoryReturn, held_bytes: int) -> None:
        looks.append(held_bytes)
        assert let_go.wait(TIMEOUT_S)

    monkeypatch.setattr(MemoryReturn, "look", look)
    monkeypatch.setattr(run, "_TICK_S", 0.0)
    engine: Any = Ticking(failures=0)
    engine.held_bytes = 7
    try:
        async with asyncio.timeout(TIMEOUT_S), run._ticking(engine):
            while engine.failures > -5 or not looks:  # noqa: ASYNC110 - There is no event for it.
                await asyncio.sleep(0)
            assert looks == [7]
            let_go.set()
            while len(looks) < 2:  # noqa: ASYNC110 - As above.
                await asyncio.sleep(0)
    finally:
        let_go.set()
