"""Health: alive, ready, and if not, why."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from engram.errors import EngramError, OverCapacity, PermissionDenied
from engram.log.files.file_storage import FileStorage
from engram.metrics.health import DEGRADED, FAILED, Problem
from engram.model.operations.action import Action
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.app import http_app
from engram.server.options import ServerOptions
from engram.store import MemoryStore
from tests.doubles.asgi import ask
from tests.doubles.batches import DIM, batch_of


async def health(engine: Engine, path: str = "/health/ready") -> tuple[int, Any]:
    answered = await ask(http_app(engine, ServerCalls(engine)), "GET", path)
    return answered.status, answered.json()


async def codes(engine: Engine) -> list[str]:
    status, body = await health(engine)
    assert (status, body["status"]) == ((503, "unready") if body["reasons"] else (200, "ready"))
    assert await health(engine, "/health") == (status, body)
    assert await health(engine, "/health/live") == (200, {"status": "live"})
    return [reason["code"] for reason in body["reasons"]]


async def test_a_sound_server_is_ready_until_it_stops(tmp_path: Path) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data"))
    assert await codes(engine) == []
    engine.stop()
    assert await codes(engine) == ["shutting_down"]
    await engine.close()


async def test_a_disk_is_a_reason_as_long_as_writes_are_refused_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = SpaceConfig("default", DIM)
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=default, disk_free_bytes_min=1000))
    space = engine.store.space("default", create=False)
    # Refused from 95 % of the reserve on, until it is below 90 %.
    for free, is_full in ((1100, False), (1050, True), (0, True), (1001, True), (1100, True), (1200, False)):
        monkeypatch.setattr(FileStorage, "unreserved_bytes", lambda _, free=free: free)
        engine.tick()
        assert await codes(engine) == (["disk_full"] if is_full else [])
        _, body = await health(engine)
        assert body["health"] == ("failed" if is_full else "ok")
        with pytest.raises(OverCapacity) if is_full else nullcontext():
            await engine.ingest.observe(space, batch_of(["a"]), Priority.NORMAL)
    await engine.close()


async def test_a_full_disk_of_a_space_is_a_reason_from_the_first_look_on_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data"))
    space = engine.store.space("default", create=False)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(FileStorage, "free_bytes", lambda _: 0)
        space._state.log._shortages.error(full, "writing", 8192)
        _, body = await health(engine)
        assert [(each["code"], each["space"]) for each in body["reasons"]] == [("disk_full", "default")]
        assert body["health"] == "failed"
    assert await codes(engine) == []
    await engine.close()


async def test_a_space_that_takes_no_writes_is_a_reason(tmp_path: Path) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data"))
    space: Any = engine.store.space("default", create=False)
    space._writer._failure = "a commit failed"
    status, body = await health(engine)
    assert status == 503
    assert body["reasons"] == [{"code": "commit_failed", "space": "default", "message": "a commit failed"}]
    await engine.close()


async def test_a_space_that_failed_and_rests_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data"))
    left = (
        Problem("sync_refused", "notes", FAILED, 1, "a sync failed", "See to the disk."),
        Problem("damaged", "other", DEGRADED, 1, "a record is damaged", "Run engram verify."),
    )
    monkeypatch.setattr(engine.store.table.left, "problems", lambda: left)
    _, body = await health(engine)
    assert body["reasons"] == [{"code": "sync_refused", "space": "notes", "message": "a sync failed"}]
    await engine.close()


async def test_a_space_that_cannot_be_opened_is_a_reason_and_told_to_those_who_may_know(tmp_path: Path) -> None:
    with MemoryStore(tmp_path / "data") as store:
        store.space("broken", dim=8)
    (tmp_path / "data" / "spaces" / "broken" / "space.json").write_text("{")

    def nobody(caller: Caller, action: Action, space: str | None) -> None:
        raise PermissionDenied("not you")

    engine = Engine.open(ServerOptions(tmp_path / "data"))
    error: EngramError = engine.store.unsound["broken"]
    _, body = await health(engine)
    assert [(each["code"], each["space"]) for each in body["reasons"]] == [(error.code, "broken")]
    await engine.close()
    engine = Engine.open(ServerOptions(tmp_path / "data", authorizer=nobody))
    answered = {
        "status": "unready",
        "reasons": [{"code": error.code}],
        "health": "failed",
        "problems": [{"name": "not_opened", "level": "failed"}],
    }
    assert await health(engine) == (503, answered)
    await engine.close()
