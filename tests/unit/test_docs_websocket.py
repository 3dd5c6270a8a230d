"""The contract for clients, word by word: its conversations take place, and its tables are complete."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final

import pytest
from msgspec.structs import fields

from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.operations.table import OPERATIONS
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.http_server import HttpServer
from engram.server.http.websocket_connection import TRY_AGAIN_LATER
from engram.server.options import ServerOptions
from engram.server.websocket import limits, received
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES
from engram.wire.forms.observations import MANY_FIELDS, ONE_FIELDS
from engram.wire.forms.reader import FormReader
from engram.wire.forms.recalls import RECALL_STREAM_FIELDS, FilterForm, StrengthForm
from engram.wire.forms.requests import RequestReader
from tests.doubles.places import ROOT
from tests.integration.socket_client import open_socket

PAGE: Final = (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")
ANY: Final = "..."
CONVERSATIONS: Final = [block for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S) if block[0] == ">"]


def agrees(shown: Any, got: Any) -> bool:
    """Whether a message is as the page shows it, with nothing missing and nothing more."""
    if shown == ANY:
        return True
    if isinstance(shown, dict):
        return (
            isinstance(got, dict) and shown.keys() == got.keys() and all(agrees(shown[key], got[key]) for key in shown)
        )
    if isinstance(shown, list):
        return isinstance(got, list) and len(shown) == len(got) and all(map(agrees, shown, got))
    return bool(shown == got)


def test_a_message_that_is_otherwise_is_noticed() -> None:
    assert agrees({"a": [1, ANY]}, {"a": [1, 2]})
    for got in ({"a": [1]}, {"a": [2, 2]}, {"a": [1, 2], "b": 1}, {}, {"a": None}):
        assert not agrees({"a": [1, ANY]}, got)


async def test_the_conversations_take_place_as_they_are_shown() -> None:
    assert len(CONVERSATIONS) >= 3
    engine = Engine.open(ServerOptions(None))
    server = HttpServer(engine, ServerCalls(engine))
    await server.start("127.0.0.1", 0)
    try:
        for conversation in CONVERSATIONS:
            async with open_socket(f"ws://127.0.0.1:{server.port}/v1/stream", "engram.v1") as client:
                for line in conversation.splitlines():
                    who, message = line[:2], line[2:]
                    if who == "> ":
                        await client.send(message)
                    else:
                        shown = json.loads(message)
                        same = {name: shown[name] for name in ("type", "id", "status") if name in shown}
                        got = await client.read_until(**same)
                        assert agrees(shown, got), (shown, got)
    finally:
        await asyncio.wait_for(server.stop(0.0), 60)
        await engine.close()


def row(name: str) -> str:
    """The row of a table that is about `name`."""
    found = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.M)
    assert found, f"{name} is in no table"
    return "\n".join(found)


@pytest.mark.parametrize("name", [name for name in received.SESSION_TYPES if "observation" not in name])
def test_every_message_of_a_session_is_described_with_its_fields(name: str) -> None:
    readers: dict[str, FormReader[Any]] = {
        "init": received.INIT,
        "flow_control": received.FLOW,
        "close": received.CLOSE,
        "heartbeat": received.HEARTBEAT,
        "cancel": received.CANCEL,
    }
    for each in fields(readers[name].form):
        assert each.name == "type" or f"`{each.name}`" in row(name), (name, each.name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described_with_its_arguments(name: str) -> None:
    names = {each.name for each in fields(RequestReader(OPERATIONS[name])._form.form)} - {"arrays"}
    if name == "observe":
        names -= {each[0] for each in MANY_FIELDS}
    elif "recall" in name:
        names -= {each[0] for each in RECALL_STREAM_FIELDS}
    assert {each for each in names if f"`{each}`" not in row(name)} == set()


def test_every_field_of_observations_and_recalls_is_described() -> None:
    names = [each[0] for each in (*ONE_FIELDS, *MANY_FIELDS, *RECALL_STREAM_FIELDS)]
    names += [each.name for form in (FilterForm, StrengthForm) for each in fields(form)]
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_limits_and_close_codes_are_those_of_the_code() -> None:
    usual = limits.SocketLimits()
    codes = {
        limits.DONE,
        limits.GOING_AWAY,
        limits.STREAM_FAILED,
        limits.SILENT,
        limits.TOO_SLOW,
        1009,
        TRY_AGAIN_LATER,
    }
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.M)} == codes
    assert f"without the first {UNCOUNTED_BYTES:_} of each".replace("_", " ") in PAGE
    assert f"| {limits.CALLS_MAX} |" in PAGE
    assert f"| {limits.FOLLOWERS_MAX} |" in PAGE
    assert f"calls for more than {limits.MANY_HITS} ids or hits" in PAGE
    assert f"further ones wait | {limits.LARGE_CALLS_MAX} |" in PAGE
    assert f"{MESSAGE_BYTES_MAX:_}".replace("_", " ") in PAGE
    assert f"| {usual.joined_count_max}, of {usual.joined_bytes_max >> 20} MiB |" in PAGE
    assert f"nothing for {usual.heartbeat_s:g} s" in PAGE
    assert f"nothing for {usual.silence_s:g} s" in PAGE
    assert f"may take for one message | {usual.send_s:g} |" in PAGE
