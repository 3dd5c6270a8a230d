"""One connection of a client that sends anything, by a socket that lets it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from campaigns.frames.conversation import Sent, beginning, conversation
from campaigns.frames.mutation import mutated
from engram.wire.frames import decode_frame

# Who waits so long for a server that is alive waits for ever.
TIMEOUT_S: Final = 120.0
_TEXT, _BINARY, _CLOSE, _PING, _CONT = 1, 2, 8, 9, 0
_OPENING: Final = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_END: Final = Sent(b'{"type":"close"}', False)
ENDINGS: Final = ("close", "close", "end of session", "cut", "half a frame", "never read", "no websocket")


class Tally:
    """What was sent, and what came back."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.faults: list[str] = []

    def take(self, opcode: int, data: bytes) -> str:
        """Note one message of the server, and return its type; whatever it is, it must be one."""
        if opcode == _CLOSE:
            code = int.from_bytes(data[:2], "big")
            self.closes[str(code)] += 1
            if code == 1011:
                self.faults.append(f"closed with {code} {data[2:]!r}")
            return "close"
        if opcode not in (_TEXT, _BINARY):
            return "pong"
        message: dict[str, Any] = json.loads(data) if opcode == _TEXT else decode_frame(data).header
        self.answers[message["type"]] += 1
        error = message if message["type"] == "error" else message.get("error")
        if error is not None:
            self.errors[error["code"]] += 1
            if error["kind"] == "internal":
                self.faults.append(json.dumps(message))
        return str(message["type"])


class Answers:
    """The types of the answers that have come over one connection."""

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._changed = asyncio.Event()

    def add(self, kind: str) -> None:
        """Note the type of an answer."""
        self._types.add(kind)
        self._changed.set()

    async def wait_for(self, kinds: set[str]) -> bool:
        """Wait until all of these have come, or the connection has ended; return whether they have."""
        while not kinds <= self._types and "end" not in self._types:
            self._changed.clear()
            await self._changed.wait()
        return kinds <= self._types


async def intrude(port: int, chance: Random, count: int, others: Sequence[Sent], tally: Tally) -> None:
    """Open a connection, begin as one should, send `count` mutated messages beside sound ones, and end it somehow."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ending = chance.choice(ENDINGS)
    writer.write(_OPENING)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
    if not head.startswith(b"HTTP/1.1 101 "):
        tally.faults.append(head.decode("latin-1")[:200])
    reads, answers = ending != "never read", Answers()
    listening = asyncio.create_task(_listen(reader, tally, answers, reads=reads))
    messages, kinds = beginning(chance)
    phase = "answer what a connection began with"
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(b"".join(_wire(chance, message) for message in messages))
            if reads and not await asyncio.wait_for(answers.wait_for(kinds), TIMEOUT_S):
                tally.faults.append(f"the server ended a connection that had begun soundly, before {sorted(kinds)}")
            phase = f"end a connection that ended by {ending}"
            await _send(writer, chance, count, others, tally)
            await _end(writer, chance, ending)
        if ending in ("close", "end of session", "no websocket"):
            # Whatever it has got, the server answers this, and ends.
            await asyncio.wait_for(listening, TIMEOUT_S)
    except TimeoutError:
        tally.faults.append(f"the server did not {phase}")
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await listening
        tally.closes[ending] += 1


async def _send(writer: Any, chance: Random, count: int, others: Sequence[Sent], tally: Tally) -> None:
    messages = conversation(chance, count)
    for number, message in enumerate(messages):
        if chance.random() < (0.9 if number == 0 else 0.3):
            writer.write(_wire(chance, message))
        changed, word = mutated(chance, message, [*others, *messages[:20]])
        writer.write(_wire(chance, changed))
        tally.sent[word] += 1
        if number % 4 == 3:
            with contextlib.suppress(TimeoutError):
                # A server that holds a client back does so for a while only, but this client does not wait.
                await asyncio.wait_for(writer.drain(), 1.0)
            # The server may have ended the connection because of what came.
            await asyncio.sleep(0)
        if writer.transport.is_closing():
            return


async def _end(writer: Any, chance: Random, ending: str) -> None:
    match ending:
        case "end of session":
            writer.write(_framed(_TEXT, b'{"type":"flow_control","action":"resume"}') + _wire(chance, _END))
        case "close":
            writer.write(_framed(_CLOSE, (1000).to_bytes(2, "big")))
        case "half a frame":
            whole = _framed(_BINARY, chance.randbytes(100_000))
            writer.write(whole[: chance.randrange(len(whole))])
        case "no websocket":
            writer.write(
                chance.choice([b"\xff" * 16, b"GET / HTTP/1.1\r\n\r\n", _framed(3, b""), _framed(_TEXT, b"\xff")])
            )


async def _listen(reader: asyncio.StreamReader, tally: Tally, answers: Answers, *, reads: bool) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while reads:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            answers.add(tally.take(first & 0x0F, await reader.readexactly(size)))
    answers.add("end")


def _wire(chance: Random, message: Sent) -> bytes:
    """Return a message in one frame, or in several with a ping between them."""
    opcode = _BINARY if message.is_frame else _TEXT
    if chance.random() < 0.9:
        return _framed(opcode, message.data)
    place = chance.randrange(len(message.data) + 1)
    first = _framed(opcode, message.data[:place], is_last=False)
    return first + _framed(_PING, b"between") + _framed(_CONT, message.data[place:])


def _framed(opcode: int, data: bytes, *, is_last: bool = True) -> bytes:
    size = len(data)
    head = bytes([opcode | (0x80 if is_last else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0xFE]) + size.to_bytes(2, "big")
    else:
        head += bytes([0xFF]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    masked = int.from_bytes(data, "little") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return head + mask + masked.to_bytes(size, "little")
