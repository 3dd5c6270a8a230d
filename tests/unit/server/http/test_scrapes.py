"""``/metrics``: the same numbers as the status, for those who may see them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from engram.errors import EngramError, PermissionDenied
from engram.metrics import table
from engram.model.operations.action import Action
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.app import http_app
from engram.server.metrics import server_metrics
from engram.server.options import ServerOptions
from tests.doubles.asgi import HOST, Answered, ask
from tests.doubles.batches import DIM, batch_of
from tests.doubles.metrics import parse_openmetrics
from tests.doubles.waiting import TIMEOUT_S

SPACE = SpaceConfig("default", DIM)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SPACE))
    yield engine
    await engine.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the threads of the store bring about."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - There is no event for it.
            await asyncio.sleep(0)


async def scrape(engine: Engine, *headers: tuple[str, str], method: str = "GET") -> Answered:
    return await ask(http_app(engine, ServerCalls(engine)), method, "/metrics", [HOST, *headers])


async def test_a_scrape_says_what_the_status_says(engine: Engine) -> None:
    space = engine.store.space("default", create=False)
    await engine.ingest.observe(space, batch_of(["a", "b", "c"]), Priority.HIGH)
    indexed = f"{table.OBSERVATION_LATENCY.name}_count"
    await until(lambda: server_metrics(engine).value(indexed, stage="indexed") == 3)
    answered = await scrape(engine)
    assert (answered.status, answered.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answered.headers["cache-control"] == "no-store"
    moving = {table.DISK_FREE.name, table.WORKER_UTILIZATION.name, table.WORKER_BUSY.name}
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(answered.body.decode())
        for sample in family.samples
        if sample.name.startswith("engram_") and sample.name not in moving
    }
    assert found == {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in server_metrics(engine)
        if sample.name not in moving
    }


async def test_openmetrics_is_told_to_who_asks_for_it(engine: Engine) -> None:
    answered = await scrape(engine, ("accept", "application/openmetrics-text; version=1.0.0,text/plain;q=0.4"))
    assert answered.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answered.body.decode())}
    assert {"engram_streaming_observations", "engram_streaming_build_info", "process_cpu_seconds"} <= names


async def test_who_may_read_metrics_or_have_the_server_described_may_scrape() -> None:
    asked: list[Action] = []
    allowed: set[Action] = set()

    def authorizer(caller: Caller, action: Action, space: str | None) -> None:
        asked.append(action)
        assert space is None
        assert caller.metadata["authorization"] == "Bearer 8a0c"
        if action not in allowed:
            raise PermissionDenied("not you")

    engine = Engine.open(ServerOptions(None, default_space=SPACE, authorizer=authorizer))
    token = ("authorization", "Bearer 8a0c")
    assert (await scrape(engine, token)).status == 403
    assert asked == [Action.METRICS, Action.DESCRIBE]
    for action in (Action.METRICS, Action.DESCRIBE):
        allowed = {action}
        assert (await scrape(engine, token)).status == 200
    allowed = set(Action) - {Action.METRICS, Action.DESCRIBE}
    assert b"engram_" not in (await scrape(engine, token)).body
    await engine.close()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([("host", "evil.example.org")], "host_not_allowed"),
        ([HOST, ("origin", "https://evil.example.org")], "origin_not_allowed"),
    ],
)
async def test_pages_of_others_cannot_scrape(engine: Engine, headers: list[tuple[str, str]], code: str) -> None:
    answered = await ask(http_app(engine, ServerCalls(engine)), "GET", "/metrics", headers)
    assert (answered.status, answered.json()["code"]) == (403, code)


async def test_only_reading_is_possible_and_a_stopping_server_says_so(engine: Engine) -> None:
    assert (await scrape(engine, ("content-type", "application/json"), method="POST")).status == 405
    engine.stop()
    answered = await scrape(engine)
    assert (answered.status, answered.json()["code"]) == (503, "shutting_down")


async def test_many_scrapes_at_once_are_all_answered(engine: Engine) -> None:
    app = http_app(engine, ServerCalls(engine))
    answers = await asyncio.gather(*(ask(app, "GET", "/metrics") for _ in range(20)))
    assert {answered.status for answered in answers} == {200}
    assert {b"engram_streaming_recalls_total 0.0" in answered.body for answered in answers} == {True}


async def test_without_the_package_all_else_works(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "engram.metrics.prometheus", raising=False)
    app = http_app(engine, ServerCalls(engine))
    answered = await ask(app, "GET", "/metrics")
    assert (answered.status, answered.json()["code"]) == (500, "missing_extra")
    assert "pip install 'engram-stream[server]'" in answered.json()["detail"]
    assert (await ask(app, "GET", "/health")).status == 200


async def test_spaces_beyond_the_limit_are_folded() -> None:
    engine = Engine.open(ServerOptions(None, default_space=SPACE, metrics_spaces_max=2))
    for number in range(5):
        engine.store.space(f"space-{number}", dim=DIM)
    text = (await scrape(engine)).body.decode()
    names = {sample.labels.get("memory_space") for family in parse_text(text) for sample in family.samples}
    assert names == {None, "", "default", "space-0", "other"}
    await engine.close()


async def test_refusals_are_counted_under_their_reason_and_only_spaces_that_exist_are_named(engine: Engine) -> None:
    engine.count_rejected("default", EngramError("full", code="lane_full"), 3)
    engine.count_rejected("no-such-space", EngramError("none", code="not_found"), 4)
    engine.count_rejected("A B", ValueError("unforeseen"), 5)
    metrics = server_metrics(engine)
    rejected = {
        (sample.labels["memory_space"], sample.labels["reason"]): sample.value
        for sample in metrics.select(table.OBSERVATIONS_REJECTED)
        if sample.value
    }
    assert rejected == {("default", "lane_full"): 3, ("", "not_found"): 4, ("", "internal"): 5}
