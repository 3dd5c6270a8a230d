"""What stands before every route, whatever the route is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from engram.errors import OverCapacity
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.operations.table import OPERATIONS
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.access import AccessRules
from engram.server.http.app import http_app, http_routes, socket_routes
from engram.server.http.bodies import whole_body
from engram.server.http.guards import Guards
from engram.server.http.routes import HttpRoute, router
from engram.server.options import ServerOptions
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, Arriving, ReceiveBudget
from tests.doubles.asgi import HOST, JSON, Answered, ask
from tests.doubles.routes import http_places, socket_places

RULES = AccessRules("127.0.0.1", origins=frozenset({"https://notes.example.org"}))
FRAME = ("content-type", "application/vnd.engram.frame")
FOREIGN = ("origin", "https://notes.example.org")


@pytest.fixture
async def engine() -> Any:
    engine = Engine.open(ServerOptions(None))
    yield engine
    await engine.close()


async def echo(request: Request) -> Response:
    return PlainTextResponse(await whole_body(request.receive))


async def full(request: Request) -> Response:
    raise OverCapacity("full", code="lane_full", retry_after_ms=3000)


async def broken(request: Request) -> Response:
    raise RuntimeError("a secret")


class Breaking(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")


async def late(request: Request) -> Response:
    return Breaking()


def guarded(engine: Engine, base_path: str = "") -> ASGIApp:
    routes = [HttpRoute("POST", "/echo", echo), HttpRoute("PUT", "/echo", echo), HttpRoute("GET", "/full", full)]
    routes += [
        HttpRoute("GET", "/broken", broken),
        HttpRoute("GET", "/late", late),
        HttpRoute("GET", "/health/x", full),
    ]
    return Guards(router(routes), engine, RULES, base_path)


def refused(answered: Answered, status: int, code: str) -> bool:
    assert answered.has_ended
    assert answered.headers["content-type"] == "application/problem+json"
    problem = answered.json()
    assert (answered.status, problem["status"], problem["code"]) == (status, status, code), problem
    return True


def served(engine: Engine) -> set[tuple[type, str]]:
    """The paths that the application of a server answers, whatever they were made of."""
    app: Any = http_app(engine, ServerCalls(engine))
    assert isinstance(app, Guards)
    inside: Any = app._app
    return {(type(route), route.path) for route in inside.routes}


async def test_the_tables_of_routes_are_what_is_served(engine: Engine) -> None:
    calls = ServerCalls(engine)
    tables: set[tuple[type, str]] = {(Route, route.path) for route in http_routes(engine, calls)}
    tables |= {(WebSocketRoute, route.path) for route in socket_routes(engine, calls)}
    assert served(engine) == tables


async def test_every_route_is_behind_every_guard(engine: Engine) -> None:
    app = http_app(engine, ServerCalls(engine))
    found = http_places(engine)
    assert len(found) > len(OPERATIONS)
    for method, path in [*found, ("GET", "/nowhere")]:
        assert refused(await ask(app, method, path, [("host", "evil.example")]), 403, "host_not_allowed")
        assert refused(await ask(app, method, path, []), 400, "invalid_host")
        origin = ("origin", "http://evil.example")
        assert refused(await ask(app, method, path, [HOST, origin, JSON]), 403, "origin_not_allowed")
        body = [HOST, ("content-length", "1")]
        code = "unexpected_body" if method == "GET" else "media_type"
        answered = await ask(app, method, path, [*body, ("content-type", "text/plain")], [b"x"])
        assert refused(answered, 400 if method == "GET" else 415, code)
        answered = await ask(app, method, path, [*body, JSON, ("content-encoding", "gzip")], [b"x"])
        assert refused(answered, 415, "body_encoding")
        if method != "GET":
            large = ("content-length", str(MESSAGE_BYTES_MAX + 1))
            for kind in (FRAME, JSON):
                assert refused(await ask(app, method, path, [HOST, kind, large]), 413, "message_bytes")
        answered = await ask(app, method, path, [HOST, JSON])
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answered.headers["content-security-policy"]
        assert answered.headers["x-request-id"]
        assert "access-control-allow-origin" not in answered.headers


async def test_every_route_names_the_methods_it_takes(engine: Engine) -> None:
    app = http_app(engine, ServerCalls(engine))
    for path in {path for _, path in http_places(engine)}:
        answered = await ask(app, "PATCH", path, [HOST, JSON])
        assert refused(answered, 405, "method_not_allowed")
        methods = {method for method, other in http_places(engine) if other == path}
        assert methods <= set(answered.headers["allow"].split(", "))


async def test_every_websocket_is_behind_every_guard(engine: Engine) -> None:
    app = http_app(engine, ServerCalls(engine))
    found = socket_places(engine)
    assert found

    async def opened(path: str, *headers: tuple[str, str]) -> Answered:
        return await ask(app, "GET", path, headers, kind="websocket")

    for path in [*found, "/nowhere"]:
        assert refused(await opened(path, ("host", "evil.example")), 403, "host_not_allowed")
        for hosts in ([], [HOST, HOST], [("host", "")]):
            assert refused(await opened(path, *hosts), 400, "invalid_host")
        for origin in ("http://evil.example", "https://localhost:7433", "null", "", "file://"):
            assert refused(await opened(path, HOST, ("origin", origin)), 403, "origin_not_allowed")
        own = ("origin", "http://localhost:7432")
        assert refused(await opened(path, HOST, own, own), 403, "origin_not_allowed")
        # What is not refused is opened, which has no status.
        assert (await opened(path, HOST, own)).status == (404 if path == "/nowhere" else 0)
    engine.stop()
    for path in found:
        assert refused(await opened(path, HOST), 503, "shutting_down")


@pytest.mark.parametrize("kind", [JSON, FRAME])
async def test_a_body_is_counted_while_it_is_read(engine: Engine, kind: tuple[str, str]) -> None:
    app = guarded(engine)
    chunked = [HOST, kind, ("transfer-encoding", "chunked")]
    assert (await ask(app, "POST", "/echo", chunked, [b"a", b"", b"b"])).body == b"ab"
    half = b"x" * (MESSAGE_BYTES_MAX // 2)
    assert (await ask(app, "POST", "/echo", chunked, [half, half])).status == 200
    assert refused(await ask(app, "POST", "/echo", chunked, [half, half, b"x"]), 413, "message_bytes")


async def test_a_body_for_which_there_is_no_room_is_refused_and_the_room_is_given_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = guarded(engine)
    budget = ReceiveBudget(100)
    monkeypatch.setattr(engine, "receiving", budget)
    parts = [b"x" * UNCOUNTED_BYTES, b"x" * 100]
    assert (await ask(app, "POST", "/echo", [HOST, FRAME], parts)).status == 200
    answered = await ask(app, "POST", "/echo", [HOST, FRAME], [*parts, b"x"])
    assert refused(answered, 429, "unfinished_bytes")
    assert answered.headers["retry-after"] == "1"
    await ask(app, "POST", "/echo", [HOST, FRAME], parts, is_cut_off=True)
    assert budget.nbytes == 0
    Arriving(budget).hold(UNCOUNTED_BYTES + 100)
    assert refused(await ask(app, "POST", "/echo", [HOST, FRAME], parts), 429, "unfinished_bytes")
    assert (await ask(app, "POST", "/echo", [HOST, JSON], [b"small"])).status == 200


async def test_a_body_that_is_cut_off_is_never_taken_for_a_whole_one(engine: Engine) -> None:
    answered = await ask(guarded(engine), "POST", "/echo", [HOST, JSON], [b"a", b"b"], is_cut_off=True)
    assert answered == Answered()


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/x-ndjson",
        "application/vnd.engram.frame",
    ],
)
async def test_bodies_of_these_types_are_taken(engine: Engine, kind: str) -> None:
    answered = await ask(guarded(engine), "PUT", "/echo", [HOST, ("content-type", kind)], [b"x"])
    assert (answered.status, answered.body) == (200, b"x")


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        [""],
        ["text/plain"],
        ["text/plain; application/json"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data"],
        ["application/json; charset=latin-1"],
        ["application/json", "text/plain"],
        ["application/jsonp"],
    ],
)
async def test_bodies_of_other_types_are_not(engine: Engine, kinds: list[str]) -> None:
    answered = await ask(guarded(engine), "POST", "/echo", [HOST, *(("content-type", kind) for kind in kinds)], [b"x"])
    assert refused(answered, 415, "media_type")


@pytest.mark.parametrize(
    "header", [("content-encoding", "gzip"), ("content-encoding", "br"), ("transfer-encoding", "gzip, chunked")]
)
async def test_compressed_bodies_are_not_taken(engine: Engine, header: tuple[str, str]) -> None:
    answered = await ask(guarded(engine), "POST", "/echo", [HOST, JSON, header], [b"x"])
    assert refused(answered, 415, "body_encoding")


async def test_pages_of_allowed_sites_get_what_their_browsers_ask_for(engine: Engine) -> None:
    app = guarded(engine)
    asked = [HOST, FOREIGN, ("access-control-request-method", "POST")]
    preflight = await ask(app, "OPTIONS", "/echo", asked)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == FOREIGN[1]
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    answered = await ask(app, "POST", "/echo", [HOST, FOREIGN, JSON], [b"x"])
    assert (answered.body, answered.headers["access-control-allow-origin"]) == (b"x", FOREIGN[1])
    assert answered.headers["vary"] == "Origin"
    failed = await ask(app, "GET", "/full", [HOST, FOREIGN])
    assert failed.headers["access-control-allow-origin"] == FOREIGN[1]


async def test_errors_are_problems_and_no_secret_is_told(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    app = guarded(engine)
    answered = await ask(app, "GET", "/full")
    assert refused(answered, 429, "lane_full")
    assert answered.headers["retry-after"] == "3"
    answered = await ask(app, "GET", "/broken")
    assert refused(answered, 500, "internal")
    assert b"secret" not in answered.body
    assert answered.headers["x-request-id"] in caplog.text


async def test_an_error_behind_the_beginning_of_an_answer_leaves_it_without_an_end(engine: Engine) -> None:
    answered = await ask(guarded(engine), "GET", "/late")
    assert (answered.status, answered.has_ended) == (200, False)


async def test_the_id_of_a_request_is_kept_if_it_can_be(engine: Engine) -> None:
    app = guarded(engine)
    assert (await ask(app, "GET", "/full", [HOST, ("x-request-id", "a-1.b")])).headers["x-request-id"] == "a-1.b"
    made = set()
    for bad in ("", "a b", "x" * 65, "é"):
        made.add((await ask(app, "GET", "/full", [HOST, ("x-request-id", bad)])).headers["x-request-id"])
    assert len(made) == 4
    assert all(len(each) == 16 for each in made)


async def test_a_server_that_stops_refuses_all_but_health(engine: Engine) -> None:
    app = guarded(engine)
    engine.stop()
    answered = await ask(app, "POST", "/echo", [HOST, JSON], [b"x"])
    assert refused(answered, 503, "shutting_down")
    assert answered.headers["retry-after"] == "1"
    assert refused(await ask(app, "GET", "/health/x"), 429, "lane_full")


async def test_a_request_that_is_cut_off_by_the_end_is_no_error(engine: Engine) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    app = Guards(cancelled, engine, RULES, "")
    with pytest.raises(asyncio.CancelledError):
        await ask(app, "GET", "/")
    engine.stop()
    assert await ask(app, "GET", "/health") == Answered()


async def test_a_client_that_goes_away_is_no_error(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    assert await ask(Guards(gone, engine, RULES, ""), "GET", "/") == Answered()
    assert caplog.text == ""


async def test_a_base_path_is_served_and_so_is_what_a_proxy_took_it_from(engine: Engine) -> None:
    app = guarded(engine, "/memory")
    for path in ("/memory/echo", "/echo"):
        assert (await ask(app, "POST", path, [HOST, JSON], [b"x"])).body == b"x"
    assert refused(await ask(app, "POST", "/memoryecho", [HOST, JSON], [b"x"]), 404, "no_such_path")
    assert refused(await ask(app, "POST", "/memory/memory/echo", [HOST, JSON], [b"x"]), 404, "no_such_path")
    moved = await ask(app, "GET", "/memory")
    assert (moved.status, moved.headers["location"]) == (308, "/memory/")
