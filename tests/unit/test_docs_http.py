"""The page on HTTP: its commands work one after the other, and its table and its limits are those of the code."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import Any, Final

from engram.model.operations.table import OPERATIONS
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.api.ingest_lines import ERRORS_MAX
from engram.server.http.api.lines import LINE_BYTES_MAX
from engram.server.http.app import http_app, http_routes
from engram.server.http.bodies import BODY_TYPES
from engram.server.options import ServerOptions
from tests.doubles.asgi import HOST, ask
from tests.doubles.places import ROOT

PAGE: Final = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
COMMANDS: Final = [
    shlex.split(line)
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    for line in block.replace("\\\n", " ").splitlines()
]


def request(command: list[str]) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """Method, path, headers and body of a command of curl."""
    assert command[0] == "curl"
    options = dict(itertools.pairwise(command))
    (address,) = [word for word in command if word.startswith("localhost:7432/")]
    body = options.get("-d", "").encode()
    method = options.get("-X", "POST" if body else "GET")
    name, _, value = options.get("-H", "").partition(": ")
    return method, address.removeprefix("localhost:7432"), [HOST, *([(name, value)] if name else [])], body


async def test_the_commands_work_as_they_are_shown() -> None:
    assert len(COMMANDS) >= 3
    engine = Engine.open(ServerOptions(None))
    try:
        app = http_app(engine, ServerCalls(engine))
        for command in COMMANDS:
            method, path, headers, body = request(command)
            answered: Any = await ask(app, method, path, [*headers, ("content-length", str(len(body)))], [body])
            assert answered.status == 200, (command, answered)
        assert [hit["content"] for hit in answered.json()["hits"]] == ["the pump leaks"]
    finally:
        engine.stop()
        await engine.close()


async def test_every_route_of_an_operation_and_of_health_is_in_the_table() -> None:
    engine = Engine.open(ServerOptions(None))
    try:
        served = {(route.method, route.path.replace(":path", "")) for route in http_routes(engine, ServerCalls(engine))}
    finally:
        await engine.close()
    wanted = {(method, path) for method, path in served if path.startswith(("/api/", "/health", "/metrics"))}
    assert len(wanted) >= len(OPERATIONS)
    rows = [row.split("|") for row in re.findall(r"^\| `(?:GET|POST|PUT|DELETE).*$", PAGE, re.M)]
    shown: set[tuple[str, str]] = set()
    for row in rows:
        methods = re.findall(r"\b(GET|POST|PUT|DELETE)\b", row[1])
        for number, path in enumerate(re.findall(r"(/[^\s`]+)", row[1])):
            shown |= {(method, path) for method in (methods if number == 0 else methods[:1])}
    assert wanted == shown


def test_limits_and_types_are_those_of_the_code() -> None:
    assert f"A line has at most {LINE_BYTES_MAX >> 20} MiB" in PAGE
    assert ERRORS_MAX == 100
    assert "up to a hundred of these lines" in PAGE
    assert [kind for kind in BODY_TYPES if kind not in PAGE] == []
