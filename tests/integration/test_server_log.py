"""The log of real servers as JSON: every line is one object, and none holds what was sent."""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engram import Client
from engram.errors import EngramError
from tests.integration.serve_command import ServeCommand
from tests.integration.server_process import TIMEOUT_S

SENT = "token-8a0c"
SECRETS = (SENT, "secret-id", "secret text", "secret-site", "secret-tag")
STRICT = """
import sys
from engram.logs.setup import set_up_logging
from engram.server import ServerOptions, serve

OWNERS = {}

def authorize(caller, action, space):
    # What a careless program does: the message of the KeyError is the token.
    OWNERS[caller.metadata["authorization"]]

set_up_logging("debug", "json")
said = lambda address: print("ready at " + address, flush=True)
serve(ServerOptions(None, port=0, http_port=0, authorizer=authorize, ready=said, http_ready=said))
"""


def lines_of(errors: list[str]) -> list[dict[str, Any]]:
    """The lines of a log, each of which has to be an object with a time, and to hold no secret."""
    found = []
    for text in errors:
        line = json.loads(text)
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert {"level", "logger", "message"} <= set(line)
        assert not any(secret in text for secret in SECRETS), text
        found.append(line)
    return found


def post(address: str, body: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SENT}", "X-Request-Id": "request-1"}
    try:
        connection.request("POST", "/api/v1/spaces/default/observations", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
def test_start_session_refusal_and_end_are_objects_without_what_was_sent(tmp_path: Path, transport: str) -> None:
    server = ServeCommand(tmp_path, "--log-format", "json", "--log-level", "debug")
    try:
        address = server.grpc if transport == "grpc" else f"ws://{server.http}"
        with Client(address, metadata={"authorization": f"Bearer {SENT}"}) as client:
            client.observe("secret-id", None, "secret text", metadata={"secret-site": 4}, tags=["secret-tag"])
            session = client.session_id
            with pytest.raises(EngramError):
                client.recall("secret text", 1, max_generation=10**9)
        assert post(server.http, json.dumps({"id": "secret-id" * 200, "content": "secret text"})) == 400
        assert post(server.http, '{"id":"secret-id","content":secret text}') == 400
        _, errors = server.stop()
    finally:
        server.kill()
    lines = lines_of(errors)
    messages = [line["message"] for line in lines]
    assert any(message.startswith("ready at ") for message in messages)
    assert messages.count("stopping") == 1
    opened = next(line for line in lines if line["message"] == "a session is open")
    assert (opened["level"], opened["space"], opened["session"], opened["generation"]) == (
        "info",
        "default",
        session,
        0,
    )
    ended = next(line for line in lines if line["message"].startswith("the stream of a session ended"))
    assert ended["session"] == session
    refused = [line for line in lines if "refused" in line["message"]]
    assert {"debug"} == {line["level"] for line in refused}
    assert any(line["message"].endswith("id_size") and line.get("space") == "default" for line in refused)
    assert any(line.get("request_id") == "request-1" for line in refused)


@pytest.mark.parametrize("transport", ["grpc", "websocket", "http"])
def test_an_error_has_a_traceback_and_no_token(tmp_path: Path, transport: str) -> None:
    server = ServeCommand(tmp_path, command=("-c", STRICT))
    try:
        if transport == "http":
            assert post(server.http, '{"id":"secret-id","content":"secret text"}') == 500
        else:
            address = server.grpc if transport == "grpc" else f"ws://{server.http}"
            with (
                Client(address, metadata={"authorization": f"Bearer {SENT}"}) as client,
                pytest.raises(EngramError, match="internal error"),
            ):
                client.recall([1.0] * 384, 1)
        _, errors = server.stop()
    finally:
        server.kill()
    failed = next(line for line in lines_of(errors) if "traceback" in line)
    assert (failed["level"], failed["error"], failed["space"]) == ("error", "KeyError", "default")
    assert failed["traceback"].endswith("\nKeyError")
    assert "in authorize" in failed["traceback"]


def test_people_get_text_by_default(tmp_path: Path) -> None:
    server = ServeCommand(tmp_path)
    try:
        _, errors = server.stop()
    finally:
        server.kill()
    assert any(line.endswith(" INFO engram.server.run: stopping") for line in errors)
