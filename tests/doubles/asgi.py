"""A client of an ASGI application without a socket, which sees every message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

HOST = ("host", "localhost:7432")
JSON = ("content-type", "application/json")


@dataclass
class Answered:
    """What came back; no status if nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    has_ended: bool = False

    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]] = (HOST,),
    body: Sequence[bytes] = (b"",),
    *,
    kind: str = "http",
    is_cut_off: bool = False,
) -> Answered:
    """Send one request, its body in parts; `is_cut_off` has the client gone where the last part would come."""
    target, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 7432),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": is_cut_off or number < len(body) - 1}
        for number, part in enumerate(body)
    ]
    if kind == "websocket":
        messages = [{"type": "websocket.connect"}]
    answered = Answered()

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        if kind == "http" and not is_cut_off:
            # The client waits for its answer.
            await asyncio.Event().wait()
        return {"type": f"{kind}.disconnect"}

    async def send(message: Message) -> None:
        note(answered, message)

    await app(scope, receive, send)
    return answered


def note(answered: Answered, message: Mapping[str, Any]) -> None:
    """Add a message to what came back."""
    assert not answered.has_ended, "something came behind the end of the answer"
    if message["type"].endswith("response.start"):
        answered.status = message["status"]
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
        names = [name for name, _ in pairs]
        assert len(set(names)) == len(names), f"a header stands twice: {names}"
        answered.headers = dict(pairs)
    elif message["type"].endswith("response.body"):
        answered.body += message.get("body", b"")
        answered.has_ended = not message.get("more_body", False)
