"""Health: alive, ready, and if not, why."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from engram.errors import EngramError, PermissionDenied
from engram.model.operations.action import Action
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.app import http_app
from engram.server.options import ServerOptions
from engram.store import MemoryStore
from tests.doubles.asgi import ask

Usage = namedtuple("Usage", "total used free")


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


async def test_a_full_disk_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data", disk_free_bytes_min=1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10_000, 9000, 1000))
    assert await codes(engine) == ["disk_full"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10_000, 8999, 1001))
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
