"""The calls of one WebSocket: any number beside its session, each by the id that the client gave it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from contextvars import copy_context
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity
from engram.metrics import table
from engram.model.following.change import Changes
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.operation import Operation, Request, check_space_is_named
from engram.model.operations.table import CHANGES, OPERATIONS
from engram.model.query import Recalled
from engram.model.scans.page import ScanPage
from engram.model.spaces import DEFAULT_SPACE
from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.handlers.vector_cut import read_request
from engram.server.websocket.limits import CALLS_MAX, FOLLOWERS_MAX, LARGE_CALLS_MAX, MANY_HITS
from engram.server.websocket.received import SESSION_TYPES, Received
from engram.server.websocket.writer import SocketWriter
from engram.streaming.loop.begun import Begun
from engram.streaming.sessions.connection import Connection
from engram.wire.forms.failures import error_object
from engram.wire.forms.requests import RequestReader
from engram.wire.forms.results import encode_json, encode_result, encode_streamed


def _reader(operation: Operation[Any]) -> RequestReader:
    # What is not there must be told from null, or every call would be read a second time to look for equal keys.
    beside: list[Any] = [("type", str), ("id", int), ("binary", bool | UnsetType | None, UNSET)]
    beside.append(("traceparent", str | UnsetType | None, UNSET))
    if _is_of_space(operation):
        beside.append(("space", str | UnsetType | None, UNSET))
    return RequestReader(operation, beside)


def _is_of_space(operation: Operation[Any]) -> bool:
    return hasattr(operation.request, "space")


class _Options(msgspec.Struct):
    """What of a call is needed beside its request."""

    binary: bool | None = None
    follow: bool | None = None
    traceparent: str | None = None
    k: Any = None
    page_size: Any = None
    ids: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)

    @property
    def is_large(self) -> bool:
        """Whether there may be many hits."""
        wanted = max(each if type(each) is int else 0 for each in (self.k, self.page_size))
        return wanted > MANY_HITS or bytes(self.ids).count(b",") >= MANY_HITS


_READERS: Final = {name: _reader(operation) for name, operation in OPERATIONS.items()}
_read_options: Final = msgspec.json.Decoder(_Options).decode


class SocketCalls:
    """Starts, cancels and ends the calls of one WebSocket. Used on the event loop's thread only.

    Parameters
    ----------
    calls
        The calls of the server.
    caller
        Whoever opened the WebSocket.
    connection
        The connection of its session, whose pauses and rates concern the results, too.
    writer
        Takes the answers.
    """

    def __init__(self, calls: ServerCalls, caller: Caller, connection: Connection, writer: SocketWriter) -> None:
        self._server = calls
        self._caller = caller
        self._connection = connection
        self._writer = writer
        self._calls: dict[asyncio.Task[None], int] = {}
        self._followers: dict[asyncio.Task[None], int] = {}
        self._is_over = False
        self._large = asyncio.Semaphore(LARGE_CALLS_MAX)

    async def start(self, message: Received) -> None:
        """Begin a call, after waiting for one to end if too many are under way; none begins after `cancel_all`.

        Raises
        ------
        InvalidInput
            If the message has no id, or that of a call that is under way.
        """
        id = message.call_id
        if self._is_under_way(id):
            raise InvalidInput(
                f"the call {id} is still under way; every call takes an id of its own",
                code="invalid_request",
                field="id",
                limit="an id that is not in use",
                value=id,
            )
        options = _options_of(message)
        tasks = self._followers if _follows(OPERATIONS[message.type], options) else self._calls
        refusal = await self._refusal(tasks)
        if refusal is not None:
            await self._fail(id, refusal)
            return
        if self._is_over:
            return
        begun = Begun(self._answer(message, id, options), copy_context())
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(begun)
        tasks[task] = id
        if begun.begin(task):
            # The client has its answer, and may use the id for the next call before the task has had its turn.
            del tasks[task]
        else:
            task.add_done_callback(tasks.pop)

    async def refuse(self, message: Received, error: InvalidInput) -> bool:
        """Answer a call that cannot be read, and return whether it can be told which one it is."""
        id = message.envelope.id
        if message.type in SESSION_TYPES or type(id) is not int or self._is_under_way(id):
            return False
        self._server.engine.counters.add(table.MALFORMED)
        await self._fail(id, error)
        return True

    async def cancel(self, id: int) -> None:
        """End the call with this id and confirm it, even if there is none any more.

        The last answer of a call that has just ended may still be on its way to the client.
        """
        await _cancelled([task for task, each in {**self._calls, **self._followers}.items() if each == id])
        await self._fail(id, FailedPrecondition(f"the call {id} was cancelled", code="cancelled", field="id", value=id))

    async def cancel_all(self) -> None:
        """End all calls, because nobody waits for them any more."""
        self._is_over = True
        await _cancelled([*self._calls, *self._followers])

    async def finish(self) -> None:
        """Let calls end, and cancel what follows, since the client sends nothing more.

        This also ends a pause, because nothing can end it any more.
        """
        self._connection.outbox.release()
        await _cancelled(list(self._followers))
        await self.ended()

    async def ended(self) -> None:
        """Wait until no call is under way."""
        while tasks := [*self._calls, *self._followers]:
            await asyncio.wait(tasks)

    def _is_under_way(self, id: int) -> bool:
        return id in self._calls.values() or id in self._followers.values()

    async def _refusal(self, tasks: dict[asyncio.Task[None], int]) -> EngramError | None:
        """Wait until one more of `tasks` may begin; return the reason if there is no point in waiting."""
        if tasks is self._followers:
            full = len(tasks) >= FOLLOWERS_MAX
            return _too_many("followers of this connection are open", FOLLOWERS_MAX) if full else None
        while len(tasks) >= CALLS_MAX:
            if self._connection.outbox.holding:
                # While results are held back, waiting for them here would block reading the resume forever.
                return _too_many("calls of this paused connection are waiting", CALLS_MAX)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await self._writer.room()
        return None

    async def _answer(self, message: Received, id: int, options: _Options) -> None:
        binary = bool(options.binary)
        operation = OPERATIONS[message.type]
        space = (message.envelope.space or DEFAULT_SPACE) if _is_of_space(operation) else None
        vectors = False

        def decode() -> Request[Any]:
            nonlocal vectors
            check_space_is_named(operation, message.envelope.space)
            request = read_request(_READERS[operation.name], message.text, space or "", message.arrays)
            query = getattr(request, "query", request)
            vectors = getattr(query, "include_vectors", False)
            return request

        name = "recall_result" if operation.result is Recalled else f"{operation.name}_result"
        # Batches that others follow say so themselves.
        beside = {"type": name, "id": id, "more": False}
        has_hits = operation.result in (Recalled, ManyRecalled, Hits, ScanPage, Changes)
        is_frame = binary and has_hits

        async def write(answers: Iterable[bytes]) -> None:
            for answer in answers:
                await self._connection.outbox.wait_for_send_slot()
                await self._writer.write(answer, is_frame=is_frame)

        def encode(result: Any) -> list[bytes]:
            return [encode_result(result, beside, vectors=vectors, binary=binary)]

        def encode_batch(result: Any) -> list[bytes]:
            return [encode_streamed(result, beside, vectors=vectors, binary=binary)]

        incoming: Incoming[Any] = Incoming(space, decode, traceparent=options.traceparent or "")
        try:
            if operation.streams:
                await self._server.stream(operation, incoming, encode_batch, self._caller, write)
            else:
                async with (
                    self._large
                    if has_hits and (options.is_large or _is_of_many(operation, options))
                    else contextlib.nullcontext()
                ):
                    await write(await self._server.answer(operation, incoming, encode, self._caller))
        except EngramError as error:
            await self._fail(id, error)

    async def _fail(self, id: int, error: EngramError) -> None:
        await self._writer.write(encode_json({"type": "error", "id": id, **error_object(error)}))


def _follows(operation: Operation[Any], options: _Options) -> bool:
    """Return whether a call goes on until it is cancelled, judging by what was read of it so far."""
    return operation is CHANGES or (operation.streams and bool(options.follow))


def _is_of_many(operation: Operation[Any], options: _Options) -> bool:
    """Return whether there may be many hits: of many cues, or of a page that says nothing else."""
    return operation.result is ManyRecalled or (operation.result is ScanPage and options.page_size is None)


def _options_of(message: Received) -> _Options:
    try:
        return _read_options(message.text)
    except (ValueError, RecursionError):
        # The reader of the request says what is wrong.
        return _Options()


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _too_many(what: str, limit: int) -> OverCapacity:
    return OverCapacity(f"{limit} {what}", code="recalls_in_flight", field="recalls", limit=limit, value=limit + 1)
